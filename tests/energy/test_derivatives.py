"""Every derivative of every potential against differences, against plain autodiff and against each other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from derivatives import STEP, hessian_product, mixed_forward, mixed_reverse, third
from small_systems import (
    AT_ONCE,
    BONDED,
    CELL,
    FORCE_FIELDS,
    PAIR_SETTINGS,
    STRUCTURES,
    along,
    build,
    close,
    difference,
    gradient,
    inner,
    random_like,
    sampled,
    shaped,
    strain_gradient,
    strained,
    theta_gradient,
    value,
)

from md_sensitivity.energy import Bonds
from md_sensitivity.interactions import _raw_energy
from md_sensitivity.potentials import POTENTIALS
from md_sensitivity.potentials.base import EmbeddedForm, PairForm
from md_sensitivity.system import EnergyFunction


def cheap(potential: str) -> bool:
    """Whether a potential is one of pairs, or stands for its kind."""
    return potential in AT_ONCE or isinstance(POTENTIALS[potential], PairForm | EmbeddedForm)


every_case = pytest.mark.parametrize(("potential", "shape"), shaped())
every_crystal = pytest.mark.parametrize("shape", ["crystal"])
every_cheap = pytest.mark.parametrize(
    "potential",
    [name if cheap(name) else pytest.param(name, marks=pytest.mark.slow) for name in FORCE_FIELDS],
)
"""Potentials whose second derivatives compile quickly, and one of each other kind; the rest with `-m slow`."""


def plain(energy: EnergyFunction, x: jax.Array, theta: Any) -> jax.Array:
    """The same energy without its custom derivative rule."""
    return _raw_energy(x, None, theta, energy.system.parts, energy.system.kinds)


plain_gradient = jax.jit(lambda energy, x, theta: jax.grad(plain, argnums=1)(energy, x, theta))
reverse_product = jax.jit(lambda energy, x, theta, v: jax.grad(lambda y: jnp.vdot(jax.grad(energy)(y, theta), v))(x))
plain_product = jax.jit(lambda energy, x, theta, v: jax.jvp(lambda y: jax.grad(plain, argnums=1)(energy, y, theta), (x,), (v,))[1])
other_order = jax.jit(lambda energy, x, theta, v: jax.jvp(lambda y: jax.grad(energy, argnums=1)(y, theta), (x,), (v,))[1])


def case(potential: str, shape: str) -> tuple[EnergyFunction, jax.Array, Any]:
    return build(FORCE_FIELDS[potential], STRUCTURES[shape]())


def test_the_table_of_systems_knows_every_potential() -> None:
    assert set(FORCE_FIELDS) | BONDED == set(POTENTIALS)


@every_case
def test_no_pair_of_the_test_systems_is_near_a_kink_and_all_interact(potential: str, shape: str) -> None:
    energy, x, theta = case(potential, shape)
    table = energy.system.terms[0].neighbors
    i, j, images = Bonds(table.index, table.source, table.image, table.mask).pairs()
    r = np.linalg.norm(np.asarray(x)[j] - np.asarray(x)[i] + images @ np.asarray(energy.system.cell), axis=-1)
    ends = np.array([5.3, 4.2]) if PAIR_SETTINGS in FORCE_FIELDS[potential] else np.array([])
    assert all(np.abs(r - end).min() > 4 * STEP for end in ends)
    assert all(np.abs(np.asarray(gap)).min() > 4 * STEP for gap in energy.kink_gaps(x, theta))
    if shape == "crystal":
        heights = 1 / np.linalg.norm(np.linalg.inv(CELL), axis=0)
        assert r.max() > heights.max() / 2 and np.bincount(i).min() > 4


@every_case
def test_forces_are_those_of_plain_autodiff_and_of_differences(potential: str, shape: str) -> None:
    energy, x, theta = case(potential, shape)
    found = gradient(energy, x, theta)
    assert float(jnp.abs(found).max()) > 1e-2
    assert close(value(energy, x, theta), jax.jit(plain)(energy, x, theta), 1e-14)
    assert close(found, plain_gradient(energy, x, theta), 1e-12)
    v = random_like(x, 3)
    assert close(jnp.vdot(found, v), difference(lambda h: value(energy, x + h * v, theta), STEP), 1e-8)


@every_crystal
@every_cheap
def test_hessian_products_are_differences_of_forces(potential: str, shape: str) -> None:
    energy, x, theta = case(potential, shape)
    v, w = random_like(x, 4), random_like(x, 5)
    found = hessian_product(energy, x, theta, v)
    assert close(found, difference(lambda h: gradient(energy, x + h * v, theta), STEP), 1e-7)
    assert close(found, reverse_product(energy, x, theta, v), 1e-12)
    assert close(found, plain_product(energy, x, theta, v), 1e-12)
    assert close(jnp.vdot(w, found), jnp.vdot(v, hessian_product(energy, x, theta, w)), 1e-11)


@every_crystal
@pytest.mark.parametrize("potential", FORCE_FIELDS)
def test_parameter_derivatives_are_differences_of_energies(potential: str, shape: str) -> None:
    energy, x, theta = case(potential, shape)
    found = theta_gradient(energy, x, theta)
    assert jax.tree.structure(found) == jax.tree.structure(theta)
    for leaf in range(len(jax.tree.leaves(theta))):
        # One parameter of the form after the other, all its rows along a random direction.
        leaves = [jnp.zeros_like(part) for part in jax.tree.leaves(theta)]
        leaves[leaf] = jax.tree.leaves(random_like(theta, leaf, relative=True))[leaf]
        d = jax.tree.unflatten(jax.tree.structure(theta), leaves)
        slope = difference(lambda h, d=d: value(energy, x, along(theta, d, h)), STEP)
        forward = jax.jvp(lambda t: value(energy, x, t), (theta,), (d,))[1]
        assert close(inner(found, d), forward, 1e-12), leaf
        assert close(forward, slope, 1e-7), leaf


@every_crystal
@every_cheap
def test_mixed_derivatives_are_differences_of_forces_in_every_mode(potential: str, shape: str) -> None:
    energy, x, theta = case(potential, shape)
    v, d = random_like(x, 6), random_like(theta, 7, relative=True)
    forward = mixed_forward(energy, x, theta, d)
    assert close(forward, difference(lambda h: gradient(energy, x, along(theta, d, h)), STEP), 1e-7)
    reverse = mixed_reverse(energy, x, theta, v)
    assert close(inner(reverse, d), jnp.vdot(forward, v), 1e-11)
    assert close(reverse, other_order(energy, x, theta, v), 1e-12)
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(reverse))


@pytest.mark.parametrize("shape", ["crystal"])
@pytest.mark.parametrize("potential", sampled(FORCE_FIELDS))
def test_third_derivatives_are_differences_of_hessian_products(potential: str, shape: str) -> None:
    energy, x, theta = case(potential, shape)
    v, d = random_like(x, 8), random_like(theta, 9, relative=True)
    found = third(energy, x, theta, v, d)
    assert close(found, difference(lambda h: hessian_product(energy, x + h * v, along(theta, d, h), v), STEP), 1e-6)


@pytest.mark.parametrize("shape", ["crystal"])
@pytest.mark.parametrize("potential", sampled(FORCE_FIELDS))
def test_strain_derivatives_are_differences_of_strained_energies(potential: str, shape: str) -> None:
    energy, x, theta = case(potential, shape)
    direction = random_like(jnp.zeros((3, 3)), 10)
    direction = direction + direction.T
    found = strain_gradient(energy, x, theta, jnp.zeros((3, 3)))
    assert close(jnp.vdot(found, direction), difference(lambda h: strained(energy, x, theta, h * direction), STEP), 1e-8)
    # At a finite strain too; rotating the structure costs nothing, so that the derivative is symmetric.
    base = 0.003 * direction
    at_base = strain_gradient(energy, x, theta, base)
    assert close(jnp.vdot(at_base, direction), difference(lambda h: strained(energy, x, theta, base + h * direction), STEP), 1e-7)
    assert close(found, found.T, 1e-12)


@pytest.mark.parametrize("potential", sampled(FORCE_FIELDS))
def test_a_strained_energy_is_that_of_the_strained_crystal(potential: str) -> None:
    energy, x, theta = case(potential, "crystal")
    strain = jnp.asarray([[0.01, 0.004, -0.003], [0.004, -0.006, 0.002], [-0.003, 0.002, 0.008]])
    of = STRUCTURES["crystal"]()
    deform = np.eye(3) + np.asarray(strain)
    moved = replace(of, positions=of.positions @ deform, cell=of.cell @ deform)
    other, y, _ = build(FORCE_FIELDS[potential], moved)
    assert close(strained(energy, x, theta, strain), value(other, y, theta), 1e-12)
    # and so is the derivative by positions, in coordinates of the undeformed crystal
    by_x = jax.grad(energy.strained)(x, theta, strain)
    assert close(by_x, gradient(other, y, theta) @ deform, 1e-12)
