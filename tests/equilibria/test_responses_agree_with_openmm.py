"""Minima of molecules and derivatives of what one sees of them, against re-minimized differences that OpenMM alone made."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from listed_energies import term_energies

from md_sensitivity.analysis.certificate import certify
from md_sensitivity.analysis.directions import directions_of
from md_sensitivity.analysis.sensitivity import Parts, parts
from md_sensitivity.building import build_system
from md_sensitivity.forcefields import ForceField, read_force_field
from md_sensitivity.minimization import Equilibrium, minimize
from md_sensitivity.observables import observable
from md_sensitivity.potentials.base import COULOMB, BondedForm
from md_sensitivity.potentials.ewald import COULOMB_EWALD
from md_sensitivity.potentials.particle_mesh import COULOMB_PME
from md_sensitivity.structures import read_structure
from md_sensitivity.system import energy_function
from md_sensitivity.types import Structure
from md_sensitivity.units import OPENMM

FOLDER = Path(__file__).parent.parent / "oracles" / "openmm"
AT_ONCE = {"ethanol"}
"""Of which nothing takes more than some seconds but compilation; the others wait for `-m slow`."""
CASES = [
    path.stem.removeprefix("openmm_") if path.stem.removeprefix("openmm_") in AT_ONCE
    else pytest.param(path.stem.removeprefix("openmm_"), marks=pytest.mark.slow)
    for path in sorted(FOLDER.glob("openmm_*.json"))
]  # fmt: skip
LABELS = {
    "HarmonicBondForce": ("HarmonicBond",),
    "AmoebaUreyBradleyForce": ("UreyBradley",),
    "HarmonicAngleForce": ("HarmonicAngle",),
    "PeriodicTorsionForce": ("PeriodicTorsion", "PeriodicImproper"),
    "RBTorsionForce": ("FourierTorsion",),
    "CustomTorsionForce": ("HarmonicImproper",),
    "CMAPTorsionForce": ("CMAP",),
    "LennardJones": ("LennardJones", "LennardJones14"),
    "Coulomb": ("Coulomb",),
    "GBSAOBCForce": ("GBSA",),
}
"""Forces of OpenMM and what they are here."""
STIFF = 1e-6
"""Largest relative error of a response that is no softer than its reference."""
SOFT = 1e-2
"""[eV/Å²]; an estimate may be as large as STIFF where an eigenvalue is smaller than this, and a tenth of it elsewhere."""
KNOWN = 2e-5
"""Largest error of a reference, relative to the largest response to its parameter."""
FMAX = 1e-12
"""[eV/Å]; where the softest mode is close to a bifurcation, a response is as exact as the minimum, times 1e7 Å/eV."""
SAME = 1e-9
"""Relative, of energies at the minimum."""


class Case:
    """What to read, and what OpenMM says."""

    def __init__(self, name: str):
        self.says: dict[str, Any] = json.loads((FOLDER / f"openmm_{name}.json").read_text())
        # OpenMM matches residues with the templates of its files.
        if self.says["force_field"].endswith((".toml", ".xml")):
            pytest.importorskip("openmm")
        self.force_field: ForceField = exact(read_force_field(FOLDER / self.says["force_field"]))
        read = self.force_field.completed(read_structure(FOLDER / self.says["structure"]))
        self.structure: Structure = replace(read, positions=10.0 * np.array(self.says["start"]))
        self.units = np.array([_unit(spec) for spec in self.says["observables"]])

    @property
    def rows(self) -> list[int]:
        """Places of the columns in the parameter table."""
        return [self.force_field.table.names.index(name) for name in self.says["columns"]]


def exact(force_field: ForceField) -> ForceField:
    """The force field with plain Ewald sums, which are OpenMM's reference; those of a mesh are as exact as their tolerance."""
    terms = []
    for term in force_field.terms:
        options = {COULOMB.name: term.options.get(COULOMB.name), "tolerance": 1e-13}
        terms.append(replace(term, form=COULOMB_EWALD, options=options) if term.form is COULOMB_PME else term)
    return replace(force_field, terms=tuple(terms))


def _unit(spec: str) -> float:
    """OpenMM's unit of an observable in ours."""
    lengths = {"distance", "radius_of_gyration"}
    return OPENMM.energy if spec == "energy" else 10.0 if spec.split(":")[0] in lengths else 1.0


@lru_cache(maxsize=8)
def relaxed(name: str) -> tuple[Case, Equilibrium]:
    case = Case(name)
    energy = energy_function(build_system(case.structure, case.force_field))
    return case, minimize(energy, energy.system.positions, case.force_field.parameters, fmax=FMAX)


@lru_cache(maxsize=1)
def responses(name: str, mode: str) -> Parts:
    case, equilibrium = relaxed(name)
    bound = [observable(spec, case.structure).bind(equilibrium) for spec in case.says["observables"]]
    return parts(bound, equilibrium, directions_of(case.force_field, case.rows), mode=mode)


@pytest.mark.parametrize("name", CASES)
def test_the_minimum_is_that_of_openmm(name: str) -> None:
    case, equilibrium = relaxed(name)
    says = case.says
    assert equilibrium.status == "minimum"
    assert equilibrium.zero_modes == says["zero_modes"]
    assert case.force_field.table.values[case.rows] == pytest.approx(says["parameters"], rel=1e-12)
    assert float(equilibrium.value) == pytest.approx(says["energy"] * OPENMM.energy, rel=SAME)
    lowest = says["lowest_eigenvalue"] * OPENMM.energy / OPENMM.length**2
    assert equilibrium.spectrum.lowest == pytest.approx(lowest, rel=1e-5)
    bound = [observable(spec, case.structure).bind(equilibrium) for spec in says["observables"]]
    found = [float(o(equilibrium.energy, equilibrium.x, equilibrium.theta)) for o in bound]
    assert found == pytest.approx(np.array(says["values"]) * case.units, rel=1e-7)


@pytest.mark.parametrize("name", CASES)
def test_terms_have_openmms_energies_at_its_minimum(name: str) -> None:
    case = Case(name)
    there = replace(case.structure, positions=10.0 * np.array(case.says["positions"]))
    expected = {force: value * OPENMM.energy for force, value in case.says["energies"].items()}
    terms = [term for term in case.force_field.terms if term.label != "GBSA" and (isinstance(term.form, BondedForm) or not any(there.pbc))]
    own = term_energies(there, replace(case.force_field, terms=tuple(terms)))
    compared = 0
    for force, value in expected.items():
        labels = [label for label in LABELS[force] if label in own]
        if labels:
            compared += 1
            size = SAME * abs(case.says["energy"]) * OPENMM.energy
            assert sum(own[label] for label in labels) == pytest.approx(value, rel=SAME, abs=size), force
    assert compared >= 2


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("mode", ["forward", pytest.param("adjoint", marks=pytest.mark.slow)])
def test_responses_are_those_of_openmm(name: str, mode: str) -> None:
    case, equilibrium = relaxed(name)
    found = responses(name, mode)
    ours = np.array([d + r for d, r in zip(found.direct, found.relaxation, strict=True)]).T
    theirs, known = (np.array(case.says[key]) * case.units for key in ("derivatives", "errors"))
    scales = np.maximum(np.abs(case.says["parameters"]), 1e-3) if mode == "forward" else np.ones(len(found.response.residual))
    estimate = certify(equilibrium, found.response, mode, scales, (), ()).error_estimate
    sizes = np.abs(theirs).max(axis=1, keepdims=True)
    # What is allowed must not come from an estimate, or from a reference, that says nothing.
    assert estimate is not None and 0.0 < estimate < (STIFF if equilibrium.spectrum.lowest < SOFT else 0.1 * STIFF)
    assert np.all(known <= KNOWN * sizes)
    allowed = np.maximum(STIFF * np.abs(theirs), 3.0 * known) + estimate * sizes
    wrong = np.abs(ours - theirs) > allowed
    names, specs = case.says["columns"], case.says["observables"]
    report = [(names[p], specs[k], ours[p, k], theirs[p, k], known[p, k]) for p, k in np.argwhere(wrong)]
    assert not report, "\n".join(map(str, report[:20]))


def test_a_mesh_is_as_exact_as_its_tolerance() -> None:
    case = Case("two_waters_periodic")
    there = replace(case.structure, positions=10.0 * np.array(case.says["positions"]))
    mesh = energy_function(build_system(there, read_force_field(FOLDER / case.says["force_field"])))
    assert float(mesh(mesh.system.positions, case.force_field.parameters)) == pytest.approx(case.says["energy"] * OPENMM.energy, rel=1e-10)
