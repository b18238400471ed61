"""Every minimizer reaches the minimum of every problem, and says truly how."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from small_systems import FORCE_FIELDS, build, close, cluster, crystal, gradient, structure, value

from md_sensitivity.energy import as_energy
from md_sensitivity.errors import ConvergenceError
from md_sensitivity.minimization import MINIMIZERS, Equilibrium, minimize

Problem = tuple[Any, Any, Any]
REDUCED = 'units = "reduced"\n'
LJ = REDUCED + '[[potential]]\nstyle = "lennard_jones"\n[potential.parameters.A]\nsigma = 1.0\nepsilon = 1.0\n'
LJ13 = -44.326801
"""Icosahedron of 13 Lennard-Jones atoms [ε], Cambridge Cluster Database."""


def icosahedron() -> np.ndarray:
    golden = (1 + np.sqrt(5)) / 2
    corners = [(0, s, t * golden) for s in (1, -1) for t in (1, -1)]
    turned = [np.roll(corner, k) for corner in corners for k in range(3)]
    return np.concatenate([[[0.0, 0, 0]], 1.08 * np.array(turned) / np.hypot(1, golden)])


@cache
def lj13() -> Problem:
    rattle = np.random.default_rng(0).normal(scale=0.05, size=(13, 3))
    return build(LJ, structure(icosahedron() + rattle, "A" * 13))


@cache
def silicon() -> Problem:
    text = FORCE_FIELDS["stillinger_weber"]
    rattled = crystal(5)
    return build(text, rattled)


@cache
def discs() -> Problem:
    """A compressed triangular packing of two kinds of discs."""
    a = 0.86
    sites = np.array([[i + 0.5 * (j % 2), np.sqrt(3) / 2 * j, 0.0] for j in range(4) for i in range(4)]) * a
    cell = np.diag([4 * a, 4 * np.sqrt(3) / 2 * a, 5.0])
    sites[:, :2] += np.random.default_rng(3).normal(scale=0.02, size=(16, 2))
    kinds = "[potential.parameters.A]\nsigma = 1.0\nepsilon = 1.0\n[potential.parameters.B]\nsigma = 0.95\nepsilon = 1.1\n"
    text = REDUCED + '[[potential]]\nstyle = "soft_sphere"\nmixing = "arithmetic"\n' + kinds
    return build(text, structure(sites, "AAABAAABABAAAAAB", cell, (True, True, False)), dimensions=2)


def bowl(x: Any, theta: Any) -> Any:
    """A stretched quadratic bowl on a tree, with its bottom at θ."""
    away = jnp.concatenate([x["a"].ravel(), x["b"][0].ravel()]) - theta
    return 0.5 * jnp.sum(jnp.array([1.0, 3.0, 10.0, 30.0, 100.0]) * away**2)


def quadratic() -> Problem:
    return as_energy(bowl), {"a": jnp.ones((2, 2)), "b": (jnp.zeros(1),)}, jnp.array([0.3, -0.2, 0.1, 0.4, 0.5])


PROBLEMS: dict[str, Callable[[], Problem]] = {"lj13": lj13, "silicon": silicon, "discs": discs, "bowl": quadratic}


@cache
def found(problem: str, minimizer: str) -> Equilibrium:
    energy, x, theta = PROBLEMS[problem]()
    return minimize(energy, x, theta, minimizer=minimizer, fmax=1e-9, throw=False)


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("minimizer", MINIMIZERS)
def test_every_minimizer_reaches_the_minimum(problem: str, minimizer: str) -> None:
    result, default = found(problem, minimizer), found(problem, "lbfgs+newton")
    assert result.status == "minimum", result.message
    assert result.minimizer == minimizer and result.max_force <= 1e-9
    assert result.value == pytest.approx(default.value, rel=1e-12, abs=1e-16)
    assert result.zero_modes == default.zero_modes == {"lj13": 6, "silicon": 3, "discs": 2, "bowl": 0}[problem]


@pytest.mark.parametrize("problem", PROBLEMS)
def test_what_a_result_reports_of_its_end_point_is_true(problem: str) -> None:
    result = found(problem, "lbfgs+newton")
    g = ravel_pytree(gradient(result.energy, result.x, result.theta))[0] * ravel_pytree(result.energy.mobility(result.x))[0]
    assert result.max_force == pytest.approx(float(jnp.abs(g).max()), rel=1e-6, abs=1e-14)
    assert result.value == pytest.approx(float(value(result.energy, result.x, result.theta)), rel=1e-14, abs=1e-18)
    assert 0 < result.steps < result.force_evaluations <= result.steps + 20
    assert result.hessian_products > 0


def test_the_icosahedron_of_the_cluster_database_is_found_to_rounding() -> None:
    result = found("lj13", "lbfgs+newton")
    assert result.value == pytest.approx(LJ13, abs=1e-6)
    assert result.max_force <= 1e-10


def test_the_bottom_of_a_bowl_on_a_tree_is_where_it_is() -> None:
    for minimizer in MINIMIZERS:
        x = found("bowl", minimizer).x
        assert np.abs(np.concatenate([x["a"].ravel(), x["b"][0]]) - np.array([0.3, -0.2, 0.1, 0.4, 0.5])).max() < 1e-9


@pytest.mark.parametrize("minimizer", MINIMIZERS)
def test_steps_are_counted_and_limited(minimizer: str) -> None:
    energy, x, theta = lj13()
    stopped = minimize(energy, x, theta, minimizer=minimizer, max_steps=4, throw=False)
    assert (stopped.steps, stopped.status) == (4, "unconverged")
    assert "max_steps = 4" in stopped.message and stopped.spectrum is None
    with pytest.raises(ConvergenceError, match="allow more steps"):
        minimize(energy, x, theta, minimizer=minimizer, max_steps=4)


def test_a_minimum_is_no_work() -> None:
    again = minimize(found("lj13", "lbfgs+newton").energy, found("lj13", "lbfgs+newton").x, lj13()[2])
    assert again.status == "minimum" and again.steps <= 2
    assert np.abs(again.x - found("lj13", "lbfgs+newton").x).max() < 1e-10


def test_a_start_far_away_crosses_skins_and_ends_as_a_fresh_system_does() -> None:
    text = FORCE_FIELDS["lennard_jones"]
    start = 1.35 * np.asarray(cluster(4).positions)
    energy, x, theta = build(text, structure(start, "ABAABBA"))
    far = minimize(energy, x, theta)
    moved = np.linalg.norm(np.asarray(far.x) - start, axis=1).max()
    assert moved > float(energy.room(x, theta))
    assert np.isnan(value(energy, far.x, theta))
    fresh, y, _ = build(text, structure(np.asarray(far.x), "ABAABBA"))
    assert close(value(fresh, y, theta), far.value, 1e-13)
    assert np.abs(gradient(fresh, y, theta)).max() < 1e-9
    assert minimize(fresh, y, theta).steps <= 2


@pytest.mark.parametrize("minimizer", MINIMIZERS)
def test_frozen_coordinates_stay(minimizer: str) -> None:
    energy, x, theta = lj13()
    frozen = np.zeros((13, 3))
    frozen[[2, 5]] = 1.0
    frozen[7, 1] = 1.0
    held = replace(energy, system=replace(energy.system, free=jnp.asarray(1.0 - frozen)))
    result = minimize(held, x, theta, minimizer=minimizer)
    assert np.all((np.asarray(result.x) == np.asarray(x))[frozen > 0])
    assert np.all((np.asarray(result.x) != np.asarray(x))[frozen == 0])
    g = np.asarray(gradient(result.energy, result.x, theta))
    assert np.abs(g[frozen == 0]).max() <= 1e-8 < np.abs(g[frozen > 0]).max()
    assert result.value >= LJ13


@pytest.mark.parametrize("minimizer", ["lbfgs", "newton"])
def test_no_step_is_taken_uphill(minimizer: str) -> None:
    def valley(x: Any, steepness: Any) -> Any:
        """Rosenbrock's, which leads every quadratic model astray."""
        return steepness * (x[1] - x[0] ** 2) ** 2 + (1.0 - x[0]) ** 2

    start = jnp.array([-1.2, 1.0])
    ends = [minimize(valley, start, 1e4, minimizer=minimizer, max_steps=k, curvature=False, throw=False) for k in range(1, 40)]
    values = np.array([end.value for end in ends])
    assert np.all(np.diff(values) <= 1e-12 * np.abs(values[:-1])) and values[-1] < values[0]
    assert [end.steps for end in ends] == list(range(1, 40))
