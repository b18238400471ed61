"""Minima and dx*/dθ against re-minimized differences that LAMMPS alone made."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from oracle_cases import RELAXED, Case, load_case

from md_sensitivity.analysis.sensitivity import parts
from md_sensitivity.building import build_system
from md_sensitivity.implicit import equilibrium_jacobian
from md_sensitivity.minimization import Equilibrium, minimize
from md_sensitivity.observables import observable
from md_sensitivity.observables.stress import VOIGT
from md_sensitivity.system import energy_function

ZERO_RESPONSE = 1e-8
"""[Å per parameter unit]; what LAMMPS's differences leave of responses that are zero."""


def relaxed(case: Case) -> Equilibrium:
    """The equilibrium next to LAMMPS's own, from which the gauge follows."""
    system = build_system(case.structure, case.force_field, dimensions=case.reference.get("dimensions", 3))
    energy = energy_function(system)
    return minimize(energy, np.asarray(case.arrays["positions"]), case.force_field.parameters)


def directions(case: Case) -> dict[str, dict[str, np.ndarray]]:
    """The columns of the reference as directions; names joined by ` + ` moved together."""
    names = case.force_field.table.names
    rows = np.zeros((len(case.arrays["columns"]), len(names)))
    for row, column in zip(rows, case.arrays["columns"], strict=True):
        for name in str(column).split(" + "):
            row[names.index(name)] = 1.0
    return case.force_field.table.unravel(rows)


@pytest.mark.parametrize("name", RELAXED)
def test_every_parameter_agrees_with_lammps(name: str) -> None:
    case = load_case("relaxed", name)
    equilibrium = relaxed(case)
    assert equilibrium.status == "minimum"
    assert equilibrium.value == pytest.approx(case.reference["energy"], rel=1e-10)
    assert equilibrium.zero_modes == case.reference["zero_modes"]
    assert equilibrium.spectrum.lowest == pytest.approx(case.reference["lowest_eigenvalue"], rel=1e-5)
    assert np.abs(np.asarray(equilibrium.x) - case.arrays["positions"]).max() < 1e-8

    response = np.asarray(equilibrium_jacobian(equilibrium, directions(case)).value)
    reference = case.arrays["dpositions"]
    sizes = np.linalg.norm(reference.reshape(len(reference), -1), axis=1)
    errors = np.linalg.norm((response - reference).reshape(len(reference), -1), axis=1)
    known = case.arrays["positions_error"] * np.sqrt(reference[0].size)
    real = np.abs(reference).max(axis=(1, 2)) > ZERO_RESPONSE
    assert np.all(errors[real] <= np.maximum(1e-6 * sizes[real], 3 * known[real]))
    assert np.median(errors[real] / sizes[real]) <= max(1e-8, 3 * np.median(known[real] / sizes[real]))
    assert np.all(np.abs(response[~real]) < ZERO_RESPONSE)


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        (name, mode) if (name, mode) != ("silicon_interstitial", "forward") else pytest.param(name, mode, marks=pytest.mark.slow)
        for name in ("silicon_interstitial", "argon_vacancy", "morse_binary")
        for mode in ("forward", "adjoint")
    ],
)
def test_energy_and_stress_respond_as_in_lammps(name: str, mode: str) -> None:
    case = load_case("relaxed", name)
    equilibrium = relaxed(case)
    bound = [observable("energy").bind(equilibrium), observable("stress").bind(equilibrium)]
    found = parts(bound, equilibrium, directions(case), mode=mode)
    denergy, dstress = (d + r for d, r in zip(found.direct, found.relaxation, strict=True))
    assert np.allclose(denergy, case.arrays["denergy"], rtol=1e-8, atol=1e-7)
    factor = float(equilibrium.energy.system.units.pressure) / case.reference["volume"]
    dvirial = -dstress / factor
    assert np.abs(dvirial - case.arrays["dvirial"]).max() <= 1e-6 * np.abs(dvirial).max()
    assert len(VOIGT) == dvirial.shape[1]


def test_a_silicon_response_is_the_same_from_every_solver() -> None:
    case = load_case("relaxed", "silicon_interstitial")
    equilibrium = relaxed(case)
    tree = jax.tree.map(lambda leaf: leaf[1:3], directions(case))
    dense = np.asarray(equilibrium_jacobian(equilibrium, tree, solver="dense").value)
    for solver in ("cg", "minres"):
        other = np.asarray(equilibrium_jacobian(equilibrium, tree, solver=solver).value)
        assert np.abs(other - dense).max() <= 1e-8 * np.abs(dense).max()
