"""What must not change the answer of a relaxed cell: axes, names of atoms, choice of the cell, start, padding; and what must follow."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from pathlib import Path

import jax
import numpy as np
import pytest
from ase.build import bulk
from cell_cases import CellCase, load_cell
from relaxed_cells import derivatives, equilibrium, measured, relaxed, supercell
from scipy.spatial.transform import Rotation
from small_systems import difference

from md_sensitivity.building import build_system
from md_sensitivity.enthalpy import enthalpy_function
from md_sensitivity.errors import UsageError
from md_sensitivity.forcefields import read_force_field
from md_sensitivity.minimization import Equilibrium, minimize
from md_sensitivity.observables.stress import VOIGT
from md_sensitivity.types import Structure

ORDERED, OBLIQUE = "lj_argon_krypton_ordered", "morse_triclinic"
ROOT = Path(__file__).resolve().parents[2]
TURN = Rotation.from_rotvec([0.4, -0.7, 1.1]).as_matrix()


@dataclass(frozen=True)
class Facts:
    """Intensive values of a crystal, and their derivatives, shape=(p, ...)."""

    energy: float
    volume: float
    elastic: np.ndarray
    by_volume: np.ndarray
    by_elastic: np.ndarray


def facts(case: CellCase, found: Equilibrium, atoms: int) -> Facts:
    _, slopes = derivatives(found, ("volume", "elastic_constants"), case.directions())
    return Facts(
        found.value / atoms, float(measured("volume", found)) / atoms, measured("elastic_constants", found), slopes["volume"] / atoms,
        slopes["elastic_constants"],
    )  # fmt: skip


def assert_same(a: Facts, b: Facts, tolerance: float) -> None:
    assert a.energy == pytest.approx(b.energy, rel=tolerance)
    assert a.volume == pytest.approx(b.volume, rel=tolerance)
    for one, other in ((a.elastic, b.elastic), (a.by_volume, b.by_volume), (a.by_elastic, b.by_elastic)):
        assert np.abs(one - other).max() <= tolerance * np.abs(other).max()


def turned(matrix: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """Elastic constants, shape=(..., 6, 6), after vectors r → r · turn."""
    full = np.zeros((*matrix.shape[:-2], 3, 3, 3, 3))
    for (a, (i, j)), (b, (k, n)) in product(enumerate(VOIGT), repeat=2):
        for (p, q), (r, s) in product(((i, j), (j, i)), ((k, n), (n, k))):
            full[..., p, q, r, s] = matrix[..., a, b]
    full = np.einsum("...ijkl,ia,jb,kc,ld->...abcd", full, turn, turn, turn, turn)
    return np.stack([np.stack([full[..., *VOIGT[a], *VOIGT[b]] for b in range(6)], axis=-1) for a in range(6)], axis=-2)


@cache
def primitive() -> Facts:
    case = load_cell(ORDERED)
    return facts(case, relaxed(case.structure, case.force_field), 2)


@pytest.mark.parametrize("times", [(2, 1, 2), pytest.param((3, 2, 2), marks=pytest.mark.slow)])
def test_supercells_have_the_same_intensive_values_and_derivatives(times: tuple[int, int, int]) -> None:
    case = load_cell(ORDERED)
    larger = supercell(case.structure, times)
    assert_same(facts(case, relaxed(larger, case.force_field), larger.size), primitive(), 1e-9)


@pytest.mark.slow
def test_silicon_of_two_and_of_eight_atoms_is_the_same_but_for_its_axes() -> None:
    small, large = load_cell("sw_silicon_primitive"), load_cell("sw_silicon")
    a, b = (facts(case, equilibrium(case.name), case.structure.size) for case in (small, large))
    assert a.volume == pytest.approx(b.volume, rel=1e-9) and a.energy == pytest.approx(b.energy, rel=1e-11)
    assert np.abs(a.by_volume - b.by_volume).max() <= 1e-9 * np.abs(b.by_volume).max()
    # The axes of the primitive cell: its first vector lies along x, and the first two in the plane of x and y.
    cell = small.cell
    cubic = np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]) * np.linalg.norm(cell[0]) / np.sqrt(2)
    turn = np.linalg.solve(cubic, cell)
    assert np.abs(turned(b.elastic, turn) - a.elastic).max() <= 1e-9 * np.abs(a.elastic).max()
    assert np.abs(turned(b.by_elastic, turn) - a.by_elastic).max() <= 1e-9 * np.abs(a.by_elastic).max()


@cache
def oblique(kind: str) -> tuple[Facts, np.ndarray]:
    """The oblique crystal in other words, from a start that is not its minimum; and its cell."""
    case = load_cell(OBLIQUE)
    of = replace(case.at_minimum, cell=case.cell * 1.004, positions=case.positions * 1.004 + 0.01 * np.sin(np.arange(21.0)).reshape(7, 3))
    if kind == "turned":
        of = replace(of, cell=of.cell @ TURN, positions=of.positions @ TURN)
    if kind == "permuted":
        order = np.array([4, 2, 0, 6, 1, 5, 3])
        of = replace(
            of, positions=of.positions[order], types=tuple(of.types[k] for k in order), numbers=of.numbers[order], masses=of.masses[order]
        )
    if kind == "other vectors":
        of = replace(of, cell=np.array([[1, 0, 0], [-2, 1, 0], [1, 1, 1]]) @ of.cell, positions=of.positions + of.cell[1] - 3 * of.cell[2])
    found = relaxed(of, case.force_field, padded=kind != "without padding", fmax=1e-10)
    return facts(case, found, 7), np.asarray(found.energy.cell(found.x))


@pytest.mark.parametrize("kind", ["permuted", "other vectors", pytest.param("without padding", marks=pytest.mark.slow)])
def test_the_same_crystal_in_other_words_is_the_same(kind: str) -> None:
    assert_same(oblique(kind)[0], oblique("as it is")[0], 1e-9)
    if kind == "permuted":
        assert np.abs(oblique(kind)[1] - oblique("as it is")[1]).max() < 1e-9


def test_a_crystal_that_is_turned_gives_the_answer_turned() -> None:
    (turn, cell), (still, upright) = oblique("turned"), oblique("as it is")
    assert np.abs(cell - upright @ TURN).max() < 1e-10 * np.abs(cell).max()
    assert turn.volume == pytest.approx(still.volume, rel=1e-10)
    for one, other in ((turn.elastic, still.elastic), (turn.by_elastic, still.by_elastic)):
        assert np.abs(one - turned(other, TURN)).max() < 1e-9 * np.abs(other).max()


@pytest.mark.parametrize("start", [1.08, 0.94, "sheared"])
def test_far_starts_lead_to_the_same_minimum(start: float | str) -> None:
    case = load_cell(ORDERED)
    change = np.eye(3) + np.array([[0.0, 0.05, 0.0], [0.0, 0.0, 0.03], [0.02, 0.0, 0.0]]) if start == "sheared" else start * np.eye(3)
    of = replace(case.at_minimum, cell=case.cell @ change, positions=case.positions @ change)
    found = relaxed(of, case.force_field)
    assert found.status == "minimum"
    assert found.value == pytest.approx(case.reference["energy"], abs=2e-10)
    assert np.allclose(measured("lattice", found), case.reference["lattice"], rtol=1e-8)
    # Strains are symmetric, as a whole too: the cell of the input is stretched, not turned.
    whole = np.linalg.solve(of.cell, np.asarray(found.energy.cell(found.x)))
    assert np.abs(whole - whole.T).max() < 1e-12


def test_a_slab_relaxes_in_its_plane_only() -> None:
    case, found = load_cell("lj_slab"), equilibrium("lj_slab")
    basis = np.asarray(found.energy.basis)
    assert basis.shape == (3, 3, 3) and not basis[:, 2].any() and not basis[:, :, 2].any()
    system = build_system(case.structure, case.force_field)
    with pytest.raises(UsageError, match="pressure"):
        enthalpy_function(system, pressure=1.0)
    with pytest.raises(UsageError, match="none"):
        enthalpy_function(build_system(replace(case.structure, pbc=np.zeros(3, dtype=bool)), case.force_field))
    with pytest.raises(UsageError, match="hydro"):
        enthalpy_function(system, relax="hydro")


def test_a_plane_relaxes_in_two_dimensions_and_keeps_its_pressure() -> None:
    case = load_cell("lj_plane")
    still, pressed = (relaxed(case.structure, case.force_field, dimensions=2, pressure=p) for p in (0.0, 0.02))
    for found, pressure in ((still, 0.0), (pressed, 0.02)):
        assert measured("pressure", found) == pytest.approx(pressure, abs=1e-9)
        cell = np.asarray(found.energy.cell(found.x))
        assert np.abs(cell[2, :2]).max() == np.abs(cell[:2, 2]).max() == 0.0
    assert float(pressed.energy.volume(pressed.x)) < float(still.energy.volume(still.x))


def test_what_is_relaxed_has_the_pressure_that_was_asked_for() -> None:
    for name in ("lj_argon_pressure", ORDERED):
        case, found = load_cell(name), equilibrium(name)
        stress = measured("stress", found)
        assert np.abs(stress + case.pressure * np.array([1, 1, 1, 0, 0, 0])).max() < 1e-8
        assert measured("pressure", found) == pytest.approx(case.pressure, abs=1e-8)
        volume = float(measured("volume", found))
        energy = found.value - case.pressure * volume / case.reference["gpa_per_ev_per_cubic_angstrom"]
        assert measured("energy", found) == pytest.approx(energy, rel=1e-10)
        assert measured("enthalpy", found) == pytest.approx(found.value, rel=1e-12)


@pytest.mark.slow
def test_salt_under_ewald_sums_answers_as_its_minima_found_again() -> None:
    of = Structure.from_ase(bulk("NaCl", "rocksalt", a=5.7))
    field = read_force_field(ROOT / "inputs/sodium_chloride/force_field.toml")
    found = relaxed(of, field, fmax=1e-10, padded=False)
    names = field.table.names
    pick = names.index("born_mayer_huggins.Na-Cl.rho")
    tree = field.table.unravel(np.eye(len(names))[pick : pick + 1])
    specs = ("volume", "lattice", "elastic_constants")
    _, slopes = derivatives(found, specs, tree)

    @cache
    def at(h: float) -> Equilibrium:
        theta = jax.tree.map(lambda t, d: np.asarray(t) + h * d[0], found.theta, tree)
        return minimize(found.energy, found.x, theta, fmax=1e-11, curvature=False)

    for spec in specs:
        by_differences = difference(lambda h, spec=spec: measured(spec, at(h)), 1e-4)
        assert np.abs(slopes[spec][0] - by_differences).max() <= 1e-6 * np.abs(by_differences).max()


def test_a_sheet_whose_cell_changes_far_and_shears_is_followed_to_a_minimum() -> None:
    # Flat it is a saddle in three dimensions. On its way the cell loses half of its area, and the axes of its strain turn by degrees.
    case = load_cell("lj_plane")
    found = relaxed(case.structure, case.force_field)
    assert found.status == "minimum" and found.value < 1.5 * case.reference["energy"]
    assert any("saddle" in note for note in found.notes)
