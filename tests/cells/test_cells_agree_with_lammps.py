"""Relaxed cells, elastic constants and their derivatives against what LAMMPS alone found."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from cell_cases import CELLS, ELASTIC, NAMES, CellCase, load_cell
from relaxed_cells import assert_columns, derivatives, equilibrium, measured, relaxed, responses

from md_sensitivity.curvature.products import flat_hessian
from md_sensitivity.minimization import Equilibrium

NO_THIRD_DERIVATIVES = {"eam_copper"}
"""A knot of its splines is 3.5e-6 from a distance, and slopes jump there by some 1e-5 of themselves."""


def _volume(case: CellCase) -> bool:
    return case.reference["volume"] is not None


@pytest.mark.parametrize("name", CELLS)
def test_minima_and_their_responses(name: str) -> None:
    case, found = load_cell(name), equilibrium(name)
    atoms, loose = case.structure.size, 30.0 if name in NO_THIRD_DERIVATIVES else 1.0
    assert found.status == "minimum" and found.zero_modes == case.reference["zero_modes"]
    assert float(found.energy.strained(found.x, found.theta, None)) == pytest.approx(case.reference["energy"], abs=1e-10 * atoms)
    assert found.value == pytest.approx(case.reference["enthalpy"], abs=1e-10 * atoms)
    assert np.abs(found.positions[:atoms] - case.positions).max() < 1e-9 * np.abs(case.cell).max()
    if _volume(case):
        assert _softest(found, case) == pytest.approx(case.reference["lowest_eigenvalue"], rel=1e-5)

    specs = ("energy", "enthalpy", "volume", "lattice") if _volume(case) else ("energy",)
    made, slopes = derivatives(found, specs, case.directions())
    for spec in specs:
        assert np.allclose(measured(spec, found), case.reference[spec], rtol=1e-9, atol=1e-9)
        reference, errors = case.slopes(spec)
        assert_columns(slopes[spec], reference, errors, relative=loose * 1e-6)
    moves, cells = responses(case, found, made)
    for response, (reference, errors) in ((cells, case.slopes("cell")), (moves, case.slopes("positions"))):
        assert_columns(response[:, : reference.shape[1]], reference, errors)


def _softest(found: Equilibrium, case: CellCase) -> float:
    """Smallest nonzero eigenvalue with the reference's coordinates of strain, of which a shear counts as one component."""
    atoms, size, basis = 3 * case.structure.size, found.x.positions.size, np.asarray(found.energy.basis)
    scale = [1.0 if np.count_nonzero(each) == 1 else np.sqrt(0.5) for each in basis]
    if case.relax_cell == "isotropic":
        scale = [np.sqrt(3.0)]
    keep = [*range(atoms), *range(size, size + len(scale))]
    product = flat_hessian(found.energy, found.x, found.theta, lambda v: v)
    full = np.asarray(jax.jit(jax.vmap(product))(np.eye(size + len(scale))[keep]))[:, keep]
    # Our unit of strain is the reference's at the volume of the start, which is that of the minimum here.
    weights = np.concatenate([np.ones(atoms), scale])
    values = np.linalg.eigvalsh(full * np.outer(weights, weights))
    return float(values[np.abs(values) > 1e-9 * values.max()][0])


@pytest.mark.parametrize("name", ELASTIC)
def test_elastic_constants_and_their_slopes(name: str) -> None:
    case, found = load_cell(name), equilibrium(name)
    names = {"elastic_constants": "relaxed", "born_elastic_constants": "clamped"}
    _, slopes = derivatives(found, tuple(names), case.directions())
    for spec, key in names.items():
        value, reference = measured(spec, found), _symmetric(np.array(case.reference["elastic"][key]))
        assert np.abs(value - reference).max() <= 1e-8 * np.abs(reference).max()
        if key in case.reference["derivatives"][0]:
            by_column, errors = case.slopes(key)
            assert_columns(slopes[spec], _symmetric(by_column), errors)
    nonaffine = measured("nonaffine_elastic_constants", found)
    assert np.allclose(nonaffine, measured("elastic_constants", found) - measured("born_elastic_constants", found), atol=1e-9)
    # What the ions add makes softer: it is negative semidefinite.
    assert np.linalg.eigvalsh(nonaffine).max() <= 1e-8 * np.abs(value).max()


def _symmetric(matrix: np.ndarray) -> np.ndarray:
    return 0.5 * (matrix + np.swapaxes(matrix, -1, -2))


@pytest.mark.parametrize(
    "name", [each if each in ("lj_slab", "lj_plane", "lj_argon_pressure") else pytest.param(each, marks=pytest.mark.slow) for each in NAMES]
)
def test_minima_are_found_from_other_cells(name: str) -> None:
    case = load_cell(name)
    found = relaxed(case.structure, case.force_field, relax=case.relax_cell, pressure=case.pressure, dimensions=case.dimensions)
    atoms = case.structure.size
    assert found.value == pytest.approx(case.reference["enthalpy"], abs=1e-10 * atoms)
    if _volume(case):
        assert np.allclose(measured("lattice", found), case.reference["lattice"], rtol=1e-8)
        assert measured("volume", found) == pytest.approx(case.reference["volume"], rel=1e-8)
