"""Energies and forces of OpenMM force fields and serialized systems are those of OpenMM's reference platform."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import numpy as np
import pytest

pytest.importorskip("openmm")

import openmm
import peptides
from openmm import app, unit

from md_sensitivity.building import build_system
from md_sensitivity.forcefields import read_force_field
from md_sensitivity.forcefields.data import ForceField
from md_sensitivity.forcefields.openmm_topology import topology_of
from md_sensitivity.forcefields.openmm_xml import read_openmm_xml
from md_sensitivity.structures import read_structure
from md_sensitivity.system import energy_function
from md_sensitivity.types import Structure
from md_sensitivity.units import OPENMM

LABELS = {
    "HarmonicBondForce": ("HarmonicBond", "UreyBradley"),
    "HarmonicAngleForce": ("HarmonicAngle",),
    "PeriodicTorsionForce": ("PeriodicTorsion", "PeriodicImproper"),
    "RBTorsionForce": ("RBTorsion",),
    "CustomTorsionForce": ("HarmonicImproper",),
    "CMAPTorsionForce": ("CMAP",),
    "NonbondedForce": ("LennardJones", "Coulomb", "LennardJones14"),
    "GBSAOBCForce": ("GBSA",),
}


def of_openmm(system: Any, structure: Structure) -> tuple[dict[str, float], np.ndarray]:
    """Energies by kind of force [eV] and forces [eV/Å]."""
    for group, force in enumerate(system.getForces()):
        force.setForceGroup(group)
    platform = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), platform)
    context.setPositions(structure.positions / 10)
    energies: dict[str, float] = {}
    for group, force in enumerate(system.getForces()):
        kind = type(force).__name__
        kind = "NonbondedForce" if kind in ("CustomNonbondedForce", "CustomBondForce") else kind
        found = context.getState(getEnergy=True, groups={group}).getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)
        energies[kind] = energies.get(kind, 0.0) + found * OPENMM.energy
    forces = context.getState(getForces=True).getForces(asNumpy=True).value_in_unit(unit.kilojoule_per_mole / unit.nanometer)
    return energies, np.asarray(forces) * OPENMM.energy / OPENMM.length


def assert_agrees(force_field: ForceField, structure: Structure, system: Any, *, rel: float = 1e-9) -> None:
    energies, forces = of_openmm(system, structure)
    for kind, expected in energies.items():
        terms = tuple(term for term in force_field.terms if term.label in LABELS.get(kind, ()))
        own = 0.0
        for term in terms:
            bound = build_system(structure, replace(force_field, terms=(term,)))
            own += float(energy_function(bound)(bound.positions, force_field.parameters))
        assert own == pytest.approx(expected, rel=rel, abs=1e-9), kind
    bound = build_system(structure, force_field)
    ours = -np.asarray(jax.grad(energy_function(bound))(bound.positions, force_field.parameters))
    assert np.max(np.abs(ours - forces)) < rel * np.max(np.abs(forces)) + 1e-9


def created(files: list[str], structure: Structure, **settings: Any) -> Any:
    """What OpenMM makes of the files, flexible."""
    return app.ForceField(*files).createSystem(topology_of(structure), rigidWater=False, removeCMMotion=False, **settings)


@pytest.fixture
def dipeptide(tmp_path):
    (tmp_path / "dipeptide.pdb").write_text(peptides.ALANINE_DIPEPTIDE)
    structure = read_structure(tmp_path / "dipeptide.pdb")
    shaken = structure.positions + np.random.default_rng(1).uniform(-0.05, 0.05, structure.positions.shape)
    return replace(structure, positions=shaken)


@pytest.mark.parametrize("name", ["amber99sb.xml", pytest.param("amber14-all.xml", marks=pytest.mark.slow)])
def test_a_dipeptide_has_the_energies_and_forces_of_openmm(name, dipeptide):
    assert_agrees(read_openmm_xml([name]), dipeptide, created([name], dipeptide))


@pytest.mark.slow
def test_implicit_solvent_has_the_energy_and_forces_of_openmm(dipeptide, tmp_path):
    files = ["amber99sb.xml", "amber99_obc.xml"]
    force_field = read_openmm_xml(files)
    assert "GBSA.0.q" in force_field.table.names
    system = created(files, dipeptide)
    assert_agrees(force_field, dipeptide, system)
    assert_agrees(serialized(system, tmp_path), dipeptide, system)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["amber14-all.xml", "amber19-all.xml"])
def test_all_standard_residues_have_the_energies_and_forces_of_openmm(name):
    structure = peptides.chain_of(app.ForceField(name), ["ACE", *peptides.STANDARD, "NME"])
    assert_agrees(read_openmm_xml([name]), structure, created([name], structure))


@pytest.mark.slow
def test_a_peptide_in_charmm36_has_the_energies_and_forces_of_openmm():
    structure = peptides.charmm_chain(app.ForceField("charmm36.xml"), ["ALA", "GLY", "SER", "PHE", "PRO", "VAL"])
    assert_agrees(read_openmm_xml(["charmm36.xml"]), structure, created(["charmm36.xml"], structure))


def box_of_water(count: int, edge: float) -> Structure:
    """Molecules of water on a grid in a cubic cell [Å]."""
    side = int(np.ceil(count ** (1 / 3)))
    centers = np.array(np.unravel_index(np.arange(count), (side,) * 3)).T * edge / side
    shape = np.array([[0.0, 0.0, 0.0], [0.96, 0.05, 0.0], [-0.25, 0.92, 0.03]])
    structure = peptides.waters(count)
    positions = (centers[:, None, :] + shape).reshape(-1, 3)
    positions = positions + np.random.default_rng(3).uniform(-0.05, 0.05, positions.shape)
    return replace(structure, positions=positions, cell=np.eye(3) * edge, pbc=np.ones(3, dtype=bool))


@pytest.mark.slow
def test_periodic_water_has_the_energies_and_forces_of_openmm():
    structure = box_of_water(216, 18.6)
    topology = topology_of(structure)
    topology.setPeriodicBoxVectors(structure.cell / 10 * unit.nanometer)
    settings = {"nonbondedMethod": app.PME, "nonbondedCutoff": 0.8, "ewaldErrorTolerance": 1e-8}
    system = app.ForceField("tip3p.xml").createSystem(topology, rigidWater=False, removeCMMotion=False, **settings)
    force_field = read_openmm_xml(["tip3p.xml"], lambda usual: replace(usual, cutoff=8.0, switch_from=None, tolerance=1e-10))
    assert_agrees(force_field, structure, system, rel=1e-6)


def serialized(system: Any, tmp_path: Any) -> ForceField:
    (tmp_path / "system.xml").write_text(openmm.XmlSerializer.serialize(system))
    return read_force_field(tmp_path / "system.xml")


def test_a_serialized_system_has_the_energies_and_forces_of_openmm(dipeptide, tmp_path):
    system = created(["amber99sb.xml"], dipeptide)
    force_field = serialized(system, tmp_path)
    assert {"HarmonicBond.C-H.k", "HarmonicBond.C-C.k#2", "LennardJones.N.sigma", "Coulomb.scale14"} <= set(force_field.table.names)
    assert_agrees(force_field, dipeptide, system)


@pytest.mark.slow
def test_a_serialized_system_with_maps_has_the_energies_and_forces_of_openmm(tmp_path):
    structure = peptides.chain_of(app.ForceField("amber19-all.xml"), ["ACE", "ALA", "SER", "NME"])
    system = created(["amber19-all.xml"], structure)
    assert_agrees(serialized(system, tmp_path), structure, system)


def test_constraints_of_a_serialized_system_are_released_with_a_note(dipeptide, tmp_path):
    system = created(["amber99sb.xml"], dipeptide, constraints=app.HBonds)
    found = serialized(system, tmp_path).typing(dipeptide)
    assert any("released" in note for note in found.notes)
    assert any("12 of the system's constraints have no bond" in note for note in found.notes)


def test_heavy_hydrogens_leave_elements_open(dipeptide, tmp_path):
    system = created(["amber99sb.xml"], dipeptide, hydrogenMass=4)
    force_field = serialized(system, tmp_path)
    assert len(force_field.typing(dipeptide).kinds) == dipeptide.size
