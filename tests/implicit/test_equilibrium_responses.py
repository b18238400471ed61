"""dx*/dθ of equilibria against closed forms, identities and symmetries."""

from __future__ import annotations

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracle_cases import load_case
from small_systems import FORCE_FIELDS, build, cluster, crystal, force_field, held, inner, random_like, sampled, structure

from md_sensitivity.building import build_system
from md_sensitivity.curvature.solvers import SOLVERS
from md_sensitivity.curvature.zero_modes import without_zero_modes
from md_sensitivity.errors import ConvergenceError, NotAMinimumError
from md_sensitivity.implicit import equilibrium_jacobian, equilibrium_jvp, equilibrium_vjp
from md_sensitivity.implicit.unrolled import unrolled_jvp
from md_sensitivity.minimization import Equilibrium, minimize
from md_sensitivity.potentials import POTENTIALS
from md_sensitivity.potentials.base import default_label, natural_end
from md_sensitivity.system import energy_function

SYMMETRIC = [name for name in SOLVERS if SOLVERS[name].symmetric]
LJ = '[[potential]]\nstyle = "lennard_jones"\n[potential.parameters.A]\nsigma = 2.3\nepsilon = 0.4\n'


def without_cutoff(text: str) -> str:
    """Clusters have no cutoff but that of the form itself."""
    terms = []
    for part in text.split("[[potential]]")[1:]:
        own = any(f'style = "{name}"\n' in part for name in POTENTIALS if natural_end(POTENTIALS[name]))
        lines = [line for line in part.splitlines() if own or not line.startswith(("cutoff", "switch_from"))]
        terms.append("[[potential]]" + "\n".join(lines))
    return "\n".join(terms)


@cache
def relaxed(potential: str, shape: str, seed: int = 1) -> Equilibrium:
    """Minimum of a small system."""
    text = held(potential)
    of = {"cluster": cluster, "crystal": crystal}[shape](seed)
    # By one method, so that one program of it is compiled for each.
    return minimize(*build(without_cutoff(text) if shape == "cluster" else text, of), fmax=1e-9, minimizer="newton")


def basis(tree: Any) -> Any:
    """Unit directions of each parameter, stacked."""
    flat, unravel = jax.flatten_util.ravel_pytree(tree)
    return jax.vmap(unravel)(jnp.eye(flat.size))


def directions(theta: Any) -> Any:
    """Unit directions of each parameter, and a random one after them."""
    random = random_like(theta, 1, relative=True)
    return jax.tree.map(lambda unit, more: jnp.concatenate([unit, more[None]]), basis(theta), random)


@cache
def moves(potential: str, shape: str) -> np.ndarray:
    """dx*/dθ along these."""
    found = relaxed(potential, shape)
    return np.asarray(equilibrium_jacobian(found, directions(found.theta)).value)


def jacobian(potential: str, shape: str) -> np.ndarray:
    return moves(potential, shape)[:-1]


SCALABLE = [
    name
    for name in FORCE_FIELDS
    if name not in ("soft_sphere", "vashishta") and not any(option.length for option in POTENTIALS[name].options)
]
"""Forms all lengths of which are parameters, and that hold a cluster together."""


def weighted(potential: str, theta: Any, exponent: str) -> np.ndarray:
    """Exponent × value of each parameter, in ravel order."""
    tree = {}
    for label, values in theta.items():
        form = POTENTIALS[potential if label == default_label(POTENTIALS[potential]) else "morse"]
        # The square of a charge is an energy times a length.
        exponents = {spec.name: getattr(spec, exponent) + 0.5 * spec.charge for spec in form.parameters}
        tree[label] = {name: exponents[name] * value for name, value in values.items()}
    return np.asarray(jax.flatten_util.ravel_pytree(tree)[0])


def lj_cluster(positions: np.ndarray) -> Equilibrium:
    return minimize(*build(LJ, structure(positions, "A" * len(positions))), fmax=1e-9)


def test_a_dimer_stretches_with_sigma_alone() -> None:
    found = lj_cluster(np.array([[0.0, 0, 0], [1.5, 1.5, 1.2]]))
    assert found.value == pytest.approx(-0.4, rel=1e-12)
    response = np.asarray(equilibrium_jacobian(found, basis(found.theta)).value)
    by = dict(zip(sorted(found.theta["lennard_jones"]), response, strict=True))
    bond = np.asarray(found.x)[1] - np.asarray(found.x)[0]
    stretch = {name: float((value[1] - value[0]) @ bond / np.linalg.norm(bond)) for name, value in by.items()}
    assert stretch["sigma"] == pytest.approx(2 ** (1 / 6), rel=1e-10)
    assert np.abs(by["epsilon"]).max() < 1e-8


@pytest.mark.parametrize("solver", SYMMETRIC)
def test_a_lennard_jones_cluster_grows_with_sigma(solver: str) -> None:
    found = lj_cluster(np.asarray(cluster(3).positions))
    response = equilibrium_jacobian(found, basis(found.theta), solver=solver)
    assert (response.solver, max(response.residual) < 1e-6) == (solver, True)
    by = dict(zip(sorted(found.theta["lennard_jones"]), np.asarray(response.value), strict=True))
    centered = np.asarray(found.x) - np.asarray(found.x).mean(axis=0)
    assert np.abs(by["sigma"] - centered / 2.3).max() < 1e-9
    assert np.abs(by["epsilon"]).max() < 1e-8


def test_a_harmonic_bond_under_a_force_yields_as_hooke_says() -> None:
    found = minimize(lambda x, p: 0.5 * p["k"] * (x - 1.0) ** 2 - p["f"] * x, jnp.asarray(1.3), {"k": 4.0, "f": 0.6})
    assert float(equilibrium_jvp(found, {"k": 1.0, "f": 0.0}).value) == pytest.approx(-0.6 / 16, rel=1e-12)
    assert float(equilibrium_jvp(found, {"k": 0.0, "f": 1.0}).value) == pytest.approx(0.25, rel=1e-12)
    back = equilibrium_vjp(found, jnp.asarray(1.0)).value
    assert (float(back["k"]), float(back["f"])) == pytest.approx((-0.6 / 16, 0.25), rel=1e-12)


def test_the_force_in_a_ring_of_springs_is_the_closed_form() -> None:
    k, rest, length = np.array([1.0, 2.0, 0.5, 3.0]), np.array([1.0, 0.8, 1.3, 0.9]), 5.0

    def gaps(x: Any) -> Any:
        return jnp.roll(x, -1) - x + jnp.array([0.0, 0, 0, length])

    def energy(x: Any, p: Any) -> Any:
        return 0.5 * jnp.sum(p["k"] * (gaps(x) - p["l"]) ** 2)

    theta = {"k": jnp.asarray(k), "l": jnp.asarray(rest)}
    found = minimize(energy, jnp.arange(4.0), theta, throw=False)
    assert found.spectrum is not None and found.spectrum.floppy == 1
    compliance = np.sum(1 / k)
    f = (length - rest.sum()) / compliance
    moves = equilibrium_jacobian(found, basis(theta)).value
    # Force of the first spring, k₀ (gap − l₀)
    gap = np.asarray(gaps(found.x))[0]
    change = k[0] * np.asarray(moves[:, 1] - moves[:, 0])
    change[0] += gap - rest[0]
    change[4] -= k[0]
    assert k[0] * (gap - rest[0]) == pytest.approx(f, rel=1e-11)
    assert change[:4] == pytest.approx(f / (k**2 * compliance), rel=1e-9)
    assert change[4:] == pytest.approx(-1 / compliance, rel=1e-9)


@pytest.mark.parametrize("shape", ["cluster", "crystal"])
@pytest.mark.parametrize("potential", sampled(FORCE_FIELDS))
def test_forward_and_adjoint_are_transposes_of_each_other(potential: str, shape: str) -> None:
    found, forward = relaxed(potential, shape), moves(potential, shape)
    # As many cotangents as there are directions: one program solves for both.
    w = np.random.default_rng(2).normal(size=forward.shape)
    backward = equilibrium_vjp(found, jnp.asarray(w)).value
    assert jax.tree.structure(backward) == jax.tree.structure(found.theta)
    rows, dots = (np.concatenate(jax.tree.leaves(tree), axis=1) for tree in (backward, directions(found.theta)))
    assert np.einsum("knc,pnc->kp", w, forward) == pytest.approx(rows @ dots.T, rel=1e-8, abs=1e-10)
    assert np.abs(np.tensordot(dots[-1], forward[:-1], axes=1) - forward[-1]).max() < 1e-8


def test_one_direction_and_one_cotangent_are_rows_of_many() -> None:
    found = relaxed("morse", "cluster")
    dot, w = random_like(found.theta, 1, relative=True), random_like(found.x, 2)
    forward, backward = equilibrium_jvp(found, dot), equilibrium_vjp(found, w)
    assert np.abs(np.asarray(forward.value) - moves("morse", "cluster")[-1]).max() < 1e-10
    assert inner(w, forward.value) == pytest.approx(inner(backward.value, dot), rel=1e-8, abs=1e-10)
    assert jax.tree.structure(backward.value) == jax.tree.structure(found.theta)


@pytest.mark.parametrize("potential", sampled([name for name in FORCE_FIELDS if name != "zbl"]))
@pytest.mark.parametrize("shape", ["cluster", "crystal"])
def test_scaling_all_energies_moves_nothing(potential: str, shape: str) -> None:
    scaled = weighted(potential, relaxed(potential, shape).theta, "energy")
    rows = jacobian(potential, shape)
    sizes = np.abs(scaled) @ np.abs(rows).reshape(len(rows), -1)
    assert np.abs(np.tensordot(scaled, rows, axes=1)).max() <= 1e-8 * max(sizes.max(), 1.0)


@pytest.mark.parametrize("potential", sampled(SCALABLE))
def test_scaling_all_lengths_scales_a_cluster(potential: str) -> None:
    found = relaxed(potential, "cluster")
    assert found.zero_modes == 6
    grown = np.tensordot(weighted(potential, found.theta, "length"), jacobian(potential, "cluster"), axes=1)
    x = np.asarray(found.x)
    assert np.abs(grown - (x - x.mean(axis=0))).max() < 1e-7


@pytest.mark.parametrize("shape", ["cluster", "crystal"])
@pytest.mark.parametrize("potential", sampled(FORCE_FIELDS))
def test_a_response_neither_translates_nor_turns(potential: str, shape: str) -> None:
    rows, x = jacobian(potential, shape), np.asarray(relaxed(potential, shape).x)
    size = max(np.abs(rows).max(), 1.0)
    assert np.abs(rows.sum(axis=1)).max() < 1e-10 * size
    if shape == "cluster":
        assert np.abs(np.cross(x, rows).sum(axis=1)).max() < 1e-9 * size


def test_a_frozen_atom_does_not_respond_and_the_others_do_as_differences_say() -> None:
    of = cluster(2)
    fixed = np.zeros(7, dtype=bool)
    fixed[[0, 4]] = True
    field = force_field(FORCE_FIELDS["morse"])
    energy = energy_function(build_system(of, field, fixed=fixed))
    found = minimize(energy, of.positions, field.parameters, fmax=1e-10)
    dot = random_like(found.theta, 4, relative=True)
    response = np.asarray(equilibrium_jvp(found, dot).value)
    assert found.zero_modes == 1 and np.all(response[fixed] == 0)
    h = 1e-4
    ends = [
        minimize(energy, found.x, jax.tree.map(lambda t, d, s=s: t + s * h * d, found.theta, dot), fmax=1e-11).x for s in (1, -1)
    ]
    differences = np.asarray(ends[0] - ends[1]) / (2 * h)
    axis = np.asarray(found.x)[4] - np.asarray(found.x)[0]
    turn = np.cross(axis, np.asarray(found.x) - np.asarray(found.x)[0])
    differences -= turn * np.vdot(turn, differences) / np.vdot(turn, turn)
    assert np.abs(response - differences).max() < 1e-6 * np.abs(response).max()


def test_responses_turn_and_move_and_permute_with_the_structure() -> None:
    found = relaxed("morse", "cluster")
    dot = random_like(found.theta, 3, relative=True)
    reference = np.asarray(equilibrium_jvp(found, dot).value)
    rotation = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))[0]
    order = np.random.default_rng(3).permutation(7)
    x = (np.asarray(found.x) @ rotation.T + np.array([3.0, -2.0, 9.0]))[order]
    types = np.array(list("ABAABBA"))[order]
    energy, y, theta = build(without_cutoff(FORCE_FIELDS["morse"]), structure(x, "".join(types)))
    other = np.asarray(equilibrium_jvp(minimize(energy, y, theta, fmax=1e-9), dot).value)
    assert np.abs(other - (reference @ rotation.T)[order]).max() < 1e-8


def test_a_supercell_responds_as_its_cells_do() -> None:
    found = relaxed("lennard_jones", "crystal")
    cell = np.asarray(found.energy.system.cell)
    dot = random_like(found.theta, 3, relative=True)
    reference = np.asarray(equilibrium_jvp(found, dot).value)
    x = np.concatenate([np.asarray(found.x), np.asarray(found.x) + cell[1]])
    double = structure(x, "ABBAABBA", cell * np.array([1.0, 2.0, 1.0])[:, None])
    other = minimize(*build(FORCE_FIELDS["lennard_jones"], double), fmax=1e-9, curvature=False)
    assert np.abs(np.asarray(equilibrium_jvp(other, dot).value) - np.tile(reference, (2, 1))).max() < 1e-8


def test_unrolling_the_minimizer_agrees() -> None:
    rattled = np.asarray(cluster(3).positions)
    energy, x, theta = build(LJ, structure(rattled, "A" * 7))
    found = minimize(energy, x, theta, fmax=1e-9, minimizer="fire")
    dot = {"lennard_jones": {"sigma": jnp.ones(1), "epsilon": jnp.full(1, 0.3)}}
    reached, tangent, converged = unrolled_jvp(energy, x, theta, dot, fmax=1e-9, max_steps=5000)
    assert converged and np.abs(reached - found.x).max() < 1e-6
    moved = np.asarray(without_zero_modes(found.modes, found.x, tangent))
    reference = np.asarray(equilibrium_jvp(found, dot).value)
    assert np.linalg.norm(moved - reference) < 1e-4 * np.linalg.norm(reference)


@pytest.mark.parametrize("nudge", [1e-12, 1e-9, -1e-6])
def test_rattlers_that_barely_touch_have_no_say(nudge: float) -> None:
    case = load_case("relaxed", "soft_sphere_rattlers")
    energy = energy_function(build_system(case.structure, case.force_field, dimensions=2))
    clean = minimize(energy, np.asarray(case.arrays["positions"]), case.force_field.parameters, fmax=1e-11)
    alone = np.bincount(np.asarray(clean.modes.fragment))[np.asarray(clean.modes.fragment)] == 1
    assert alone.sum() == clean.rattlers > 0
    # Push one rattler against its nearest neighbor, until they overlap by `nudge`.
    start = np.asarray(clean.x).copy()
    rattler = int(np.flatnonzero(alone)[0])
    fresh = energy.updated(start, clean.theta)
    table, gaps = fresh.system.terms[0].neighbors, np.asarray(fresh.kink_gaps(start, clean.theta)[0])[rattler]
    slot = int(np.argmin(np.abs(gaps)))
    gap = float(gaps[slot])
    entry = int(table.index[rattler, slot])
    shifts = np.concatenate([np.zeros((len(table.index), 3)), np.asarray(table.shift)])
    step = start[int(table.atoms[entry])] - start[rattler] + shifts[entry]
    start[rattler] += (gap + nudge) * step / np.linalg.norm(step)
    touching = minimize(energy, start, clean.theta, fmax=1e-8, throw=False)
    assert (touching.status, touching.rattlers) == ("minimum", clean.rattlers)
    if nudge == 1e-12:
        left = np.asarray(fresh.kink_gaps(touching.x, clean.theta)[0])[rattler, slot]
        assert -2e-12 < left < 0, "they are in touch to the end"
    rows = basis(clean.theta)
    here, there = (np.asarray(equilibrium_jacobian(e, rows).value) for e in (clean, touching))
    assert np.abs(here - there).max() < 1e-5 * np.abs(here).max()
    assert np.all(there[:, rattler] == 0)


def test_a_solve_that_fails_is_refused_and_says_so_where_it_may() -> None:
    square = 1.1 * 2.3 * np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    saddle = minimize(*build(LJ, structure(square, "AAAA")), curvature=False, throw=False)
    # A parameter that pushes the square out of its plane, where its curvature is negative.
    dot = {"lennard_jones": {"sigma": jnp.ones(1), "epsilon": jnp.zeros(1)}}
    assert np.all(np.isfinite(np.asarray(equilibrium_jvp(saddle, dot, solver="minres").value)))
    out = np.zeros((4, 3))
    out[:, 2] = [1, -1, 1, -1]
    with pytest.raises(NotAMinimumError, match="minimize further"):
        equilibrium_vjp(saddle, jnp.asarray(out), solver="cg")
    quiet = equilibrium_vjp(saddle, jnp.asarray(out), solver="cg", throw=False)
    assert "no minimum" in quiet.status[0] and quiet.residual[0] > 1e-6


def test_a_derivative_that_is_not_finite_is_refused() -> None:
    found = minimize(lambda x, p: jnp.sum((x - jnp.sqrt(p)) ** 2), jnp.ones(2), jnp.zeros(()))
    with pytest.raises(ConvergenceError, match="does not exist"):
        equilibrium_jvp(found, jnp.ones(()))
