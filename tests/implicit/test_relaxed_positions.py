"""x*(θ) as a function: gradients, directional and second derivatives, batches and compiled programs, against closed forms."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_systems import build, cluster, inner, random_like

from md_sensitivity.errors import ConvergenceError
from md_sensitivity.implicit import equilibrium_jvp, relaxed_positions
from md_sensitivity.minimization import minimize

SPECIES = "[potential.parameters.A]\nsigma = 2.3\nepsilon = 0.4\n[potential.parameters.B]\nsigma = 2.1\nepsilon = 0.5\n"
ENERGY, START, THETA = build('[[potential]]\nstyle = "lennard_jones"\nmixing = "lorentz-berthelot"\n' + SPECIES, cluster(3))
FOUND = minimize(ENERGY, START, THETA, fmax=1e-10)


def relaxed(theta: Any) -> jax.Array:
    return relaxed_positions(ENERGY, FOUND.x, theta)


def gyration(theta: Any) -> jax.Array:
    x = relaxed(theta)
    return jnp.mean(jnp.sum((x - jnp.mean(x, axis=0)) ** 2, axis=1))


def scaled(factor: Any) -> Any:
    """All lengths of the force field times a factor."""
    return {"lennard_jones": {**THETA["lennard_jones"], "sigma": factor * THETA["lennard_jones"]["sigma"]}}


def test_the_start_of_the_relaxation_is_reached_and_has_no_influence() -> None:
    assert np.abs(relaxed(THETA) - FOUND.x).max() < 1e-10
    by_start = jax.grad(lambda s: jnp.sum(relaxed_positions(ENERGY, s, THETA) ** 2))(FOUND.x)
    assert np.all(np.asarray(by_start) == 0)


def test_derivatives_with_the_length_scale_are_closed_forms_to_second_order() -> None:
    # All lengths grow alike: x* − centroid ∝ s, the mean square ∝ s².
    at = float(gyration(THETA))

    def of_scale(s: Any) -> jax.Array:
        return gyration(scaled(s))

    # One program: value and reverse gradient, and how both change along s, forward.
    (value, reverse), (forward, second) = jax.jit(lambda s: jax.jvp(jax.value_and_grad(of_scale), (s,), (1.0,)))(1.0)
    assert float(value) == pytest.approx(at, rel=1e-9)
    assert [float(reverse), float(forward)] == pytest.approx([2 * at] * 2, rel=1e-9)
    assert float(second) == pytest.approx(2 * at, rel=1e-7)
    batch = np.array([0.99, 1.0, 1.01])
    values, slopes = jax.jit(jax.vmap(jax.value_and_grad(of_scale)))(jnp.asarray(batch))
    assert np.asarray(values) == pytest.approx(at * batch**2, rel=1e-9)
    assert np.asarray(slopes) == pytest.approx(2 * at * batch, rel=1e-8)


@pytest.mark.parametrize("atom", [0, 3])
def test_one_atoms_coordinate_alone_has_the_same_gradient_in_reverse_as_forward(atom: int) -> None:
    # Its cotangent is not orthogonal to the rigid motions.
    reverse = jax.grad(lambda t: relaxed(t)[atom, 1])(THETA)
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(reverse))
    for seed in range(2):
        dot = random_like(THETA, seed, relative=True)
        forward = float(equilibrium_jvp(FOUND, dot).value[atom, 1])
        assert inner(reverse, dot) == pytest.approx(forward, rel=1e-7, abs=1e-10)


@pytest.mark.slow
def test_the_energy_of_the_minimum_curves_as_the_second_order_identity_says() -> None:
    dot = random_like(THETA, 5, relative=True)

    def moved(s: Any) -> Any:
        return jax.tree.map(lambda t, d: t + s * d, THETA, dot)

    def slope_of(s: Any) -> tuple[jax.Array, jax.Array]:
        slope = jax.grad(lambda s: ENERGY(relaxed(moved(s)), moved(s)))(s)
        return slope, slope

    second, slope = jax.jit(jax.jacfwd(slope_of, has_aux=True))(0.0)  # as jax.hessian does it, with the slope beside
    x = FOUND.x
    direct, fixed = jax.jit(lambda s: jax.jvp(jax.grad(lambda s: ENERGY(x, moved(s))), (s,), (1.0,)))(0.0)
    mixed = jax.jit(lambda t, d: jax.jvp(lambda t: jax.grad(ENERGY)(x, t), (t,), (d,))[1])(THETA, dot)
    response = equilibrium_jvp(FOUND, dot).value
    assert float(second) == pytest.approx(float(fixed) + float(jnp.vdot(mixed, response)), rel=1e-7)
    h = 1e-3
    values = [minimize(ENERGY, x, moved(s * h)).value for s in (-1, 0, 1)]
    assert float(second) == pytest.approx((values[0] - 2 * values[1] + values[2]) / h**2, rel=1e-4)
    assert float(slope) == pytest.approx(float(direct), rel=1e-10)


def test_a_compiled_relaxation_that_fails_is_nan_and_so_is_its_derivative() -> None:
    def energy(x: jax.Array, k: jax.Array) -> jax.Array:
        return jnp.sum((x - k) ** 4)

    def short(k: jax.Array) -> jax.Array:
        return jnp.sum(relaxed_positions(energy, jnp.ones(2), k, max_steps=2))

    assert np.isnan(jax.jit(short)(3.0))
    assert np.isnan(jax.jit(jax.grad(short))(3.0))
    with pytest.raises(ConvergenceError, match="max_steps"):
        short(jnp.asarray(3.0))


def test_a_derivative_at_a_saddle_is_nan_and_never_a_number() -> None:
    turns = np.pi / 3 * np.arange(6)
    hexagon = 1.1 * 2.3 * np.array([[0.0, 0, 0], *np.stack([np.cos(turns), np.sin(turns), 0 * turns], axis=1)])
    alike = jax.tree.map(lambda leaf: jnp.full_like(leaf, leaf[0]), THETA)

    def height(theta: Any) -> jax.Array:
        # The buckling mode, along which the curvature is negative.
        return jnp.vdot(relaxed_positions(ENERGY, hexagon, theta)[:, 2], jnp.array([6.0, -1, -1, -1, -1, -1, -1]))

    assert float(height(alike)) == 0.0, "it stays flat"
    assert all(np.all(np.isnan(leaf)) for leaf in jax.tree.leaves(jax.grad(height)(alike)))
    assert all(np.all(np.isnan(leaf)) for leaf in jax.tree.leaves(jax.jit(jax.grad(height))(alike)))
