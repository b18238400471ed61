"""Jitted derivatives of any energy, and what all of them must be: differences of one another."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from small_systems import along, close, difference, gradient, inner, random_like, strain_gradient, strained, theta_gradient, value

STEP = 3e-4
hessian_product = jax.jit(lambda energy, x, theta, v: jax.jvp(lambda y: jax.grad(energy)(y, theta), (x,), (v,))[1])
mixed_forward = jax.jit(lambda energy, x, theta, d: jax.jvp(lambda t: jax.grad(energy)(x, t), (theta,), (d,))[1])
mixed_reverse = jax.jit(lambda energy, x, theta, v: jax.grad(lambda t: jnp.vdot(jax.grad(energy)(x, t), v))(theta))
third = jax.jit(
    lambda energy, x, theta, v, d: jax.jvp(
        lambda y, t: jax.jvp(lambda z: jax.grad(energy)(z, t), (y,), (v,))[1], (x, theta), (v, d)
    )[1]
)


def assert_right_first(energy: Any, x: jax.Array, theta: Any, *, step: float = STEP, tolerance: float = 1e-8) -> None:
    """Derivatives by positions and by θ are differences of energies."""
    v, d = random_like(x, 2), random_like(theta, 3, relative=True)
    assert close(jnp.vdot(gradient(energy, x, theta), v), difference(lambda h: value(energy, x + h * v, theta), step), tolerance)
    by_theta = theta_gradient(energy, x, theta)
    assert jax.tree.map(jnp.shape, by_theta) == jax.tree.map(jnp.shape, theta)
    assert close(inner(by_theta, d), difference(lambda h: value(energy, x, along(theta, d, h)), step), tolerance)


def assert_right_strain(energy: Any, x: jax.Array, theta: Any, *, step: float = STEP) -> None:
    """Derivatives by strain are differences of energies, and symmetric where nothing is strained."""
    direction = random_like(jnp.zeros((3, 3)), 10)
    direction = direction + direction.T
    for base in (jnp.zeros((3, 3)), 0.003 * direction):
        found = strain_gradient(energy, x, theta, base)
        assert close(jnp.vdot(found, direction), difference(lambda h, b=base: strained(energy, x, theta, b + h * direction), step), 1e-8)
        assert close(found, found.T, 1e-10) or base.any()


def assert_right_second(energy: Any, x: jax.Array, theta: Any, *, step: float = STEP, tolerance: float = 1e-7) -> None:
    """Hessian products and mixed derivatives are differences of gradients; products are symmetric, and both ways of AD agree."""
    v, w, d = random_like(x, 4), random_like(x, 5), random_like(theta, 7, relative=True)
    found = hessian_product(energy, x, theta, v)
    assert close(found, difference(lambda h: gradient(energy, x + h * v, theta), step), tolerance)
    assert close(jnp.vdot(w, found), jnp.vdot(v, hessian_product(energy, x, theta, w)), 1e-11)
    forward = mixed_forward(energy, x, theta, d)
    assert close(forward, difference(lambda h: gradient(energy, x, along(theta, d, h)), step), tolerance)
    assert close(inner(mixed_reverse(energy, x, theta, v), d), jnp.vdot(forward, v), 1e-11)


def assert_right_third(energy: Any, x: jax.Array, theta: Any, *, step: float = STEP) -> None:
    """The third derivative, by x twice and by x and θ at once, is the difference of Hessian products."""
    v, d = random_like(x, 4), random_like(theta, 7, relative=True)
    slope = difference(lambda h: hessian_product(energy, x + h * v, along(theta, d, h), v), step)
    assert close(third(energy, x, theta, v, d), slope, 1e-6)
