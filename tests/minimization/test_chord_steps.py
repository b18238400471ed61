"""Chord steps with stored Hessians: they lead to the minimum of nearby parameters, and never away from it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase.build import bulk
from small_systems import FORCE_FIELDS, build, structure

from md_sensitivity.curvature.products import force_residual
from md_sensitivity.curvature.spectrum import DENSE_LIMIT
from md_sensitivity.minimization import Equilibrium, minimize, polish, stored_of
from md_sensitivity.minimization.chord import stored_chord_steps


@pytest.fixture(scope="module", params=["lennard_jones", "stillinger_weber"])
def crystal(request: pytest.FixtureRequest) -> tuple[Any, Any, Any, Equilibrium]:
    """Energy, start, parameters and minimum of 511 atoms with a vacancy."""
    name = request.param
    ideal = bulk("Si", cubic=True, a=5.35) * (4, 4, 4) if name == "stillinger_weber" else bulk("Ar", "fcc", a=3.5, cubic=True) * (5, 5, 5)
    x = np.delete(ideal.positions + 0.05 * np.random.default_rng(0).normal(size=ideal.positions.shape), 7, axis=0)
    energy, x, theta = build(FORCE_FIELDS[name], structure(x, "A" * len(x), np.array(ideal.cell)))
    assert x.size > DENSE_LIMIT
    return energy, x, theta, minimize(energy, x, theta)


def test_they_follow_the_minimum_as_newton_steps_do(crystal: tuple[Any, Any, Any, Equilibrium]) -> None:
    energy, _, theta, found = crystal
    stored = stored_of(found)
    assert stored is not None and stored.preconditioner is not None
    changed = jax.tree.map(lambda leaf: leaf * 1.0005, theta)
    newton = polish(found, energy, changed, goal=1e-13)
    chord = polish(found, energy, changed, goal=1e-13, stored=stored)
    assert chord.max_force < 1e-11 and np.abs(np.asarray(chord.x) - np.asarray(newton.x)).max() < 1e-9
    assert np.abs(np.asarray(newton.x) - np.asarray(found.x)).max() > 1e-6
    # They got there by themselves, in a few steps, and all products with the stored Hessian are counted.
    energy = energy.updated(found.x, changed)
    x, steps, products = stored_chord_steps(energy, found.x, changed, found.modes, stored, np.float64(1e-10))
    assert float(force_residual(energy, x, changed)) < 1e-10 and 2 <= int(steps) <= 6
    assert chord.hessian_products >= int(products) >= int(steps)


def test_a_minimum_reached_by_them_is_that_of_lbfgs(crystal: tuple[Any, Any, Any, Equilibrium]) -> None:
    energy, x, theta, found = crystal
    other = minimize(energy, x, theta, minimizer="lbfgs", fmax=1e-9, curvature=False)
    assert found.max_force < 1e-9 and np.abs(np.asarray(found.x) - np.asarray(other.x)).max() < 1e-7
    assert found.hessian_products > 0


def test_steps_that_do_not_help_are_not_taken(crystal: tuple[Any, Any, Any, Equilibrium]) -> None:
    energy, _, theta, found = crystal
    stored = stored_of(found)
    assert stored is not None
    # A Hessian a hundred times too soft: its steps are a hundred times too long.
    def softened(leaf: jax.Array) -> jax.Array:
        return 0.01 * leaf if leaf.dtype == jnp.float64 else leaf

    softer = replace(
        stored.hessian,  # type: ignore[type-var]
        **{name: jax.tree.map(softened, getattr(stored.hessian, name)) for name in ("pairs", "environments", "diagonal")},
    )
    changed = jax.tree.map(lambda leaf: leaf * 1.0005, theta)
    there = energy.updated(found.x, changed)
    x, steps, products = stored_chord_steps(there, found.x, changed, found.modes, stored._replace(hessian=softer), np.float64(1e-12))
    assert np.array_equal(x, found.x) and int(steps) == 1 and int(products) > 0
