"""Observables and their derivatives through the minimum: closed forms, re-minimized differences, other codes."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import product
from typing import Any

import ase
import jax
import jax.numpy as jnp
import mdtraj
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from small_systems import (
    FORCE_FIELDS,
    along,
    close,
    cluster,
    difference,
    force_field,
    mixed,
    random_like,
    sampled,
    strain_gradient,
    structure,
    value,
)

from md_sensitivity.analysis.sensitivity import parts, sensitivity
from md_sensitivity.building import build_system
from md_sensitivity.errors import UsageError
from md_sensitivity.minimization import Equilibrium, minimize
from md_sensitivity.observables import OBSERVABLES, observable
from md_sensitivity.system import energy_function
from md_sensitivity.types import Structure

CELL = np.array([[5.2, 0.0, 0.0], [0.6, 4.9, 0.0], [-0.5, 0.8, 5.1]])
FREE = mixed("lorentz-berthelot").replace('cutoff = 5.3\ntruncation = "switch"\n', "")
METAL_IN_GPA = 160.2176634

SPECS = {
    "energy": ("energy",),
    "pressure": ("pressure",),
    "stress": ("stress",),
    "distance": ("distance:0-3", "distance:5-1"),
    "angle": ("angle:0-1-2", "angle:4-2-5"),
    "dihedral": ("dihedral:0-1-2-3", "dihedral:5-2-4-1"),
    "radius_of_gyration": ("radius_of_gyration",),
    "rmsd": ("rmsd",),
}
CASES = [(spec, shape) for specs in SPECS.values() for spec in specs for shape in ("cluster", "crystal")]
CASES = [(spec, shape) for spec, shape in CASES if shape == "crystal" or spec not in ("pressure", "stress")]


def packing() -> Structure:
    """Six atoms without symmetry in a triclinic cell smaller than the cutoff."""
    fractions = np.array([[0.02, 0.05, 0.0], [0.5, 0.45, 0.1], [0.1, 0.55, 0.45], [0.55, 0.0, 0.5], [0.3, 0.8, 0.8], [0.8, 0.3, 0.75]])
    return structure(fractions @ CELL, "ABABBA", CELL, masses=[1.0, 2.0, 1.0, 2.0, 2.0, 1.0])


STRUCTURES = {"cluster": lambda: replace(cluster(), masses=np.array([1.0, 2.0, 1.0, 1.0, 2.0, 2.0, 1.0])), "crystal": packing}


@cache
def relaxed(shape: str) -> Equilibrium:
    field = force_field(FORCE_FIELDS["lennard_jones"])
    system = build_system(STRUCTURES[shape](), field)
    return minimize(energy_function(system), system.positions, field.parameters)


def unrelaxed(of: Structure, text: str = FREE, **options: Any) -> Equilibrium:
    """An equilibrium by decree: observables are functions of x, wherever it is."""
    field = force_field(text)
    energy = energy_function(build_system(of, field, **options))
    return Equilibrium(
        x=energy.system.positions, theta=field.parameters, energy=energy, value=0.0, max_force=0.0, status="minimum", message="", steps=0,
        force_evaluations=0, hessian_products=0, minimizer="none", modes=None, zero_modes=0, rattlers=0, spectrum=None,
    )  # fmt: skip


def measured(spec: str, equilibrium: Equilibrium) -> np.ndarray:
    return np.asarray(observable(spec).bind(equilibrium)(equilibrium.energy, equilibrium.x, equilibrium.theta))


def test_every_observable_is_tested_here() -> None:
    of_molecules = {"dipole", "dipole_vector", "hydrogen_bonds", "sasa", "interaction_energy", "end_to_end"}  # test_molecules.py
    of_cells = {"enthalpy", "volume", "density", "lattice", "bulk_modulus", "shear_modulus", "young_modulus"}  # tests/cells
    of_cells |= {"poisson_ratio", "elastic_constants", "born_elastic_constants", "nonaffine_elastic_constants", "elastic_stability"}
    of_references = {"formation_energy", "formation_volume", "surface_energy", "binding_energy"}  # tests/analysis/test_formation.py
    assert set(SPECS) | of_molecules | of_cells | of_references == set(OBSERVABLES)


@cache
def moved(shape: str, step: float) -> Equilibrium:
    """The minimum at θ + step × direction, found again from x*."""
    start = relaxed(shape)
    theta = along(start.theta, direction(shape), step)
    return minimize(start.energy, start.x, theta, fmax=1e-10, curvature=False)


def direction(shape: str) -> Any:
    return random_like(relaxed(shape).theta, 5, relative=True)


@pytest.mark.parametrize(("spec", "shape"), CASES)
def test_derivatives_through_the_minimum_are_those_of_reminimized_differences(spec: str, shape: str) -> None:
    equilibrium = relaxed(shape)
    bound = observable(spec).bind(equilibrium)
    directions = jax.tree.map(lambda d: d[None], direction(shape))
    found = {mode: parts((bound,), equilibrium, directions, mode=mode) for mode in ("forward", "adjoint")}
    total = {mode: np.asarray(f.direct[0][0] + f.relaxation[0][0]) for mode, f in found.items()}
    assert close(total["forward"], total["adjoint"], 1e-10)
    assert close(found["forward"].relaxation[0], found["adjoint"].relaxation[0], 1e-10)
    assert np.abs(total["forward"]).max() > 1e-4
    # Bound anew at each minimum, so that constants which were looked up once are tested too. The crystal is soft: short steps.
    assert close(total["forward"], difference(lambda h: measured(spec, moved(shape, h)), 3e-5), 1e-6)
    if spec == "energy":
        assert np.abs(found["forward"].relaxation[0]).max() < 1e-8


@pytest.mark.parametrize(("spec", "shape"), CASES)
def test_first_derivatives_by_position_are_differences(spec: str, shape: str) -> None:
    equilibrium = relaxed(shape)
    bound = observable(spec).bind(equilibrium)
    x = equilibrium.x + 0.01 * random_like(equilibrium.x, 2)
    v = random_like(x, 3)

    energy = equilibrium.energy.updated(x, equilibrium.theta)  # its own tables are tight around the minimum

    @jax.jit
    def of(y: jax.Array) -> jax.Array:
        return bound(energy, y, equilibrium.theta)

    forward = jax.jvp(of, (x,), (v,))[1]
    assert close(forward, difference(lambda h: of(x + h * v), 1e-4), 1e-8)
    weights = random_like(forward, 4)
    (by_x,) = jax.vjp(of, x)[1](weights)
    assert close(jnp.vdot(by_x, v), jnp.vdot(weights, forward), 1e-12)


# Closed forms.


def test_a_dimer_and_a_trimer_obey_their_closed_forms() -> None:
    sigma, epsilon, r = 2.3, 0.4, 2 ** (1 / 6) * 2.3
    field = force_field(FREE)
    for corners, spec, expected, by_sigma, by_epsilon in (
        (2, "distance:0-1", r, r / sigma, 0.0),
        (2, "energy", -epsilon, 0.0, -1.0),
        (3, "angle:0-1-2", 60.0, 0.0, 0.0),
        (3, "radius_of_gyration", r / np.sqrt(3), r / np.sqrt(3) / sigma, 0.0),
        (3, "energy", -3 * epsilon, 0.0, -3.0),
        (4, "dihedral:0-1-2-3", np.degrees(np.arccos(1 / 3)), 0.0, 0.0),
    ):
        start = np.array([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])[:corners]
        rattled = structure(start + 0.02 * np.sin(np.arange(3.0 * corners)).reshape(-1, 3), "A" * corners)
        system = build_system(rattled, field, padded=True)  # all of one shape, so that they share programs
        equilibrium = minimize(energy_function(system), system.positions, field.parameters)
        found = sensitivity(observable(spec), equilibrium.energy, equilibrium)
        assert abs(float(found.value)) == pytest.approx(expected if spec != "energy" else -expected, rel=1e-10)
        total = found.total["lennard_jones"]
        scale = max(1.0, abs(expected))
        assert total["sigma"][0] == pytest.approx(by_sigma, abs=1e-8 * scale)
        assert total["epsilon"][0] == pytest.approx(by_epsilon, abs=1e-8 * scale)
        assert not total["sigma"][1] and not total["epsilon"][1]  # B does not occur
        logarithmic = found.logarithmic["lennard_jones"]
        assert logarithmic["sigma"][0] == pytest.approx(sigma * by_sigma / expected, abs=1e-7)
        assert logarithmic["epsilon"][0] == pytest.approx(epsilon * by_epsilon / expected, abs=1e-7)


def test_the_radius_of_gyration_is_weighted_by_mass() -> None:
    of = structure(np.array([[0.0, 0, 0], [3.0, 0, 0]]), "AB", masses=[1.0, 3.0])
    assert float(measured("radius_of_gyration", unrelaxed(of))) == pytest.approx(3 * np.sqrt(1 * 3) / 4, rel=1e-14)
    single = structure(np.zeros((1, 3)), "A")
    assert float(measured("radius_of_gyration", unrelaxed(single))) == 0.0
    assert "zero" in OBSERVABLES["radius_of_gyration"].undefined(np.array(0.0))


# Internal coordinates.

QUADS = st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=1).map(lambda seed: np.random.default_rng(seed[0]).normal(size=(4, 3)) * 2)


@settings(max_examples=40, deadline=None)
@given(positions=QUADS)
def test_internal_coordinates_agree_with_mdtraj_and_ase(positions: np.ndarray) -> None:
    apart = np.linalg.norm(positions[:, None] - positions[None], axis=-1)[np.triu_indices(4, 1)]
    if apart.min() < 0.1:
        return
    equilibrium = unrelaxed(structure(positions, "ABAB"))
    atoms = ase.Atoms("H4", positions=positions)
    trajectory = mdtraj.Trajectory(positions[None] / 10, None)
    assert float(measured("distance:3-1", equilibrium)) == pytest.approx(atoms.get_distance(3, 1), rel=1e-12)
    assert float(measured("angle:2-0-3", equilibrium)) == pytest.approx(atoms.get_angle(2, 0, 3), rel=1e-7)
    dihedral = float(measured("dihedral:0-1-2-3", equilibrium))
    assert -180 < dihedral <= 180
    wrapped = (atoms.get_dihedral(0, 1, 2, 3) - dihedral + 180) % 360 - 180
    assert abs(wrapped) < 1e-6
    other = np.degrees(mdtraj.compute_dihedrals(trajectory, [[0, 1, 2, 3]], periodic=False)[0, 0])
    assert abs((other - dihedral + 180) % 360 - 180) < 0.1  # single precision, which coordinates near a line amplify


@pytest.mark.parametrize(("degrees", "turned"), [(60.0, 60.0), (-60.0, -60.0), (180.0, 180.0), (0.0, 0.0), (-179.0, -179.0)])
def test_the_sign_of_a_dihedral_is_that_of_iupac(degrees: float, turned: float) -> None:
    # Seen along b → c, the far bond is turned clockwise from the near one: positive.
    a = np.radians(degrees)
    positions = np.array([[1.0, 0, 0], [0, 0, 0], [0, 0, 1.5], [np.cos(a), np.sin(a), 1.5]])
    assert float(measured("dihedral:0-1-2-3", unrelaxed(structure(positions, "ABAB")))) == pytest.approx(turned, abs=1e-12)


def brute_force(positions: np.ndarray, cell: np.ndarray, pbc: tuple[bool, ...]) -> list[np.ndarray]:
    """The steps of the path 0-1-2-3, each the shortest over many images."""
    images = np.array(list(product(*(range(-9, 10) if periodic else (0,) for periodic in pbc)))) @ cell
    steps = []
    for a, b in ((0, 1), (1, 2), (2, 3)):
        all_steps = positions[b] - positions[a] + images
        steps.append(all_steps[np.argmin(np.linalg.norm(all_steps, axis=1))])
    return steps


@settings(max_examples=60, deadline=None)
@example(seed=21658, pbc=(True, False, False))  # where ASE's find_mic with the cell as it stands misses the nearest image
@example(seed=21658, pbc=(True, False, True))
@given(seed=st.integers(0, 2**32 - 1), pbc=st.tuples(st.booleans(), st.booleans(), st.booleans()))
def test_each_step_goes_to_the_nearest_image(seed: int, pbc: tuple[bool, bool, bool]) -> None:
    rng = np.random.default_rng(seed)
    cell = np.array([[4.0, 0.0, 0.0], [2.5, 4.0, 0.0], [-1.8, 1.5, 4.5]])
    positions = (rng.uniform(-1, 2, size=(4, 3)) + rng.integers(-2, 3, size=(4, 3)) * np.array(pbc)) @ cell
    path = np.cumsum([np.zeros(3), *brute_force(positions, cell, pbc)], axis=0)
    if np.linalg.norm(np.diff(path, axis=0), axis=1).min() < 0.1:
        return
    folded = unrelaxed(structure(positions, "ABAB", cell, pbc), mixed("arithmetic"))
    free = unrelaxed(structure(path + np.array([0, 0, 1e-9]), "ABAB"), FREE)
    for spec in ("distance:0-1", "angle:0-1-2", "dihedral:0-1-2-3"):
        assert float(measured(spec, folded)) == pytest.approx(float(measured(spec, free)), rel=1e-6, abs=1e-6)


def test_derivatives_that_do_not_exist_are_flagged_and_finite() -> None:
    line = structure(np.array([[0.0, 0, 0], [2.5, 0, 0], [5.0, 0, 0]]), "ABA")
    equilibrium = unrelaxed(line)
    bound = observable("angle:0-1-2").bind(equilibrium)
    straight = bound(equilibrium.energy, equilibrium.x, equilibrium.theta)
    assert float(straight) == 180.0 and "180" in bound.kind.undefined(np.asarray(straight))
    assert np.isfinite(jax.grad(lambda x: bound(equilibrium.energy, x, equilibrium.theta))(equilibrium.x)).all()
    for angle, exists in ((0.0, False), (1e-5, False), (1e-2, True), (90.0, True), (179.99, True), (179.99999, False)):
        assert (bound.kind.undefined(np.array(angle)) == "") == exists
    for other in ("distance", "dihedral", "energy"):
        assert OBSERVABLES[other].undefined(np.array(1.0)) == ""


# Deviation from the input.


def test_the_deviation_of_a_cluster_is_taken_after_superposition() -> None:
    equilibrium = relaxed("cluster")
    start, end = (np.asarray(x) - np.asarray(x).mean(axis=0) for x in (equilibrium.energy.system.positions, equilibrium.x))
    expected = Rotation.align_vectors(end, start)[1] / np.sqrt(len(start))
    assert float(measured("rmsd", equilibrium)) == pytest.approx(expected, rel=1e-7)
    assert expected < np.sqrt(np.mean(np.sum((end - start) ** 2, axis=1)))


def test_a_turned_minimum_has_no_deviation_and_a_mirrored_one_has() -> None:
    done = relaxed("cluster")
    turn = Rotation.random(rng=np.random.default_rng(1)).as_matrix()
    for motion, same in ((turn, True), (-turn, False)):
        system = replace(done.energy.system, positions=done.x @ motion + jnp.array([3.0, -5.0, 2.0]))
        again = replace(done, energy=replace(done.energy, system=system))
        bound = observable("rmsd").bind(again)
        deviation = bound(again.energy, again.x, again.theta)
        assert (float(deviation) == 0.0) == same
        assert (bound.kind.undefined(np.asarray(deviation)) != "") == same
        assert np.isfinite(jax.grad(lambda x, b=bound, e=again: b(e.energy, x, e.theta))(again.x)).all()


def test_the_deviation_of_a_crystal_is_taken_without_turning() -> None:
    equilibrium = relaxed("crystal")
    moves = np.asarray(equilibrium.x - equilibrium.energy.system.positions)
    moves = moves - moves.mean(axis=0)
    assert float(measured("rmsd", equilibrium)) == pytest.approx(np.sqrt(np.mean(np.sum(moves**2, axis=1))), rel=1e-12)


def test_the_deviation_with_frozen_atoms_is_taken_as_it_is() -> None:
    field = force_field(FORCE_FIELDS["lennard_jones"])
    frozen = np.array([True] + [False] * 6)
    system = build_system(cluster(), field, fixed=frozen)
    equilibrium = minimize(energy_function(system), system.positions, field.parameters)
    moves = np.asarray(equilibrium.x - system.positions)
    assert not moves[0].any()
    assert float(measured("rmsd", equilibrium)) == pytest.approx(np.sqrt(np.mean(np.sum(moves**2, axis=1))), rel=1e-12)


# Pressure and stress.


def energy_of(of: Structure, text: str, deform: np.ndarray, **options: Any) -> float:
    field = force_field(text)
    system = build_system(replace(of, positions=of.positions @ deform, cell=of.cell @ deform), field, **options)
    return float(value(energy_function(system), system.positions, field.parameters))


@pytest.mark.parametrize("potential", sampled(FORCE_FIELDS))
def test_pressure_is_minus_the_derivative_of_energy_by_volume(potential: str) -> None:
    of, text = packing(), FORCE_FIELDS[potential]
    volume = abs(np.linalg.det(CELL))
    slope = difference(lambda h: energy_of(of, text, (1 + h) ** (1 / 3) * np.eye(3)), 1e-4) / volume
    equilibrium = unrelaxed(of, text)
    assert abs(slope) > 1e-4
    assert float(measured("pressure", equilibrium)) == pytest.approx(-slope * METAL_IN_GPA, rel=1e-7)
    stress = measured("stress", equilibrium)
    assert float(measured("pressure", equilibrium)) == pytest.approx(-stress[:3].mean(), rel=1e-12)
    tensor = np.asarray(strain_gradient(equilibrium.energy, equilibrium.x, equilibrium.theta, jnp.zeros((3, 3)))) * METAL_IN_GPA / volume
    assert close(stress, tensor[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]], 1e-12)


def test_stress_components_are_in_voigt_order() -> None:
    of, text = packing(), FORCE_FIELDS["lennard_jones"]
    stress = measured("stress", unrelaxed(of, text))
    for k, (a, b) in enumerate(((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))):
        strain = np.zeros((3, 3))
        strain[a, b] += 0.5
        strain[b, a] += 0.5
        slope = difference(lambda h, strain=strain: energy_of(of, text, np.eye(3) + h * strain), 1e-3) / abs(np.linalg.det(CELL))
        assert stress[k] == pytest.approx(slope * METAL_IN_GPA, rel=1e-6, abs=1e-6)


def test_pressure_of_a_plane_is_per_length() -> None:
    text = '[[potential]]\nstyle = "soft_sphere"\nmixing = "arithmetic"\n' + "".join(
        f"[potential.parameters.{t}]\nsigma = {s}\nepsilon = 1.0\n" for t, s in (("A", 3.0), ("B", 2.0))
    )
    cell = np.array([[4.6, 0.0, 0.0], [0.7, 4.2, 0.0], [0.0, 0.0, 50.0]])
    fractions = np.array([[0, 0, 0], [0.5, 0.05, 0], [0.1, 0.5, 0], [0.55, 0.5, 0]])
    of = structure(fractions @ cell, "ABBA", cell, (True, True, False))
    area = abs(np.linalg.det(cell[:2, :2]))
    slope = difference(lambda h: energy_of(of, text, np.diag([(1 + h) ** 0.5] * 2 + [1.0]), dimensions=2), 1e-4) / area
    flat = unrelaxed(of, text, dimensions=2)
    assert slope < -1e-3
    assert float(measured("pressure", flat)) == pytest.approx(-slope * 16.02176634, rel=1e-7)
    assert observable("pressure").bind(flat).unit == "N/m"
    reduced = unrelaxed(of, 'units = "reduced"\n' + text, dimensions=2)
    assert float(measured("pressure", reduced)) == pytest.approx(-slope, rel=1e-7)
    assert {observable(spec).bind(reduced).unit for spec in ("pressure", "energy", "distance:0-1")} == {"reduced"}
    assert observable("angle:0-1-2").bind(reduced).unit == "degrees"


@pytest.mark.parametrize("spec", ["pressure", "stress"])
@pytest.mark.parametrize("pbc", [(True, True, False), (False, False, False), (True, False, True)])
def test_pressure_is_not_offered_where_a_direction_is_free(spec: str, pbc: tuple[bool, bool, bool]) -> None:
    of = replace(packing(), pbc=np.array(pbc))
    with pytest.raises(UsageError, match="not for clusters and slabs"):
        observable(spec).bind(unrelaxed(of, FORCE_FIELDS["lennard_jones"]))


# Requests that make no sense.


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("presure", "did you mean 'pressure'"),
        ("", "unknown observable"),
        ("energy:0", "takes no arguments"),
        ("rmsd:", r"rmsd\[:SELECTION\]"),
        ("distance", "distance:i-j"),
        ("distance:", "distance:i-j"),
        ("distance:0", "distance:i-j"),
        ("distance:0-1-2", "distance:i-j"),
        ("distance:0,1", "distance:i-j"),
        ("distance:a-b", "distance:i-j"),
        ("distance:0--1", "distance:i-j"),
        ("distance:1.0-2", "distance:i-j"),
        ("distance:²-1", "distance:i-j"),
        ("angle:0-1", "angle:i-j-k"),
        ("dihedral:0-1-2", "dihedral:i-j-k-l"),
    ],
)
def test_a_wrong_request_is_a_usage_error_that_says_how_to_write_it(spec: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        observable(spec)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("distance:0-7", "no atom 7; indices run from 0 to 6"),
        ("distance:3-3", "different atoms"),
        ("angle:0-1-0", "different atoms"),
        ("dihedral:0-1-1-2", "different atoms"),
    ],
)
def test_atoms_that_make_no_coordinate_are_refused(spec: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        observable(spec).bind(unrelaxed(cluster()))


def test_a_dihedral_over_a_straight_line_is_refused() -> None:
    line = structure(np.array([[0.0, 0, 0], [2.5, 0, 0], [5.0, 0, 0], [6.0, 2.0, 0]]), "ABAB")
    with pytest.raises(UsageError, match="one line"):
        observable("dihedral:0-1-2-3").bind(unrelaxed(line))


@pytest.mark.parametrize("name", SPECS)
def test_names_and_units_are_as_published(name: str) -> None:
    units = {"energy": "eV", "pressure": "GPa", "stress": "GPa", "distance": "Å", "angle": "degrees", "dihedral": "degrees"}
    spec = SPECS[name][0]
    bound = observable(spec).bind(relaxed("crystal"))
    assert (bound.name, bound.unit) == (spec, units.get(name, "Å"))
