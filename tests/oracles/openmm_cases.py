"""Molecules of which OpenMM's derivatives are kept, with the lines of their force fields that are moved."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from openmm import app
from openmm_models import Model, PrmtopModel, SolvatedModel, TopModel, XmlModel, periodic_water, pruned

HERE = Path(__file__).resolve().parent
FILES = HERE / "openmm"
ROOT = HERE.parent.parent
DATA = Path(app.__file__).parent / "data"

PHI, PSI = "dihedral:4-6-8-14", "dihedral:6-8-14-16"
DIPEPTIDE = (
    "energy", PHI, PSI, "dihedral:1-4-6-8", "dihedral:8-14-16-18", "dihedral:0-1-4-6", "distance:8-10", "distance:5-17", "angle:6-8-14",
    "angle:4-6-7", "radius_of_gyration",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Case:
    """A molecule.

    Attributes:
        start: rough positions, shape=(n, 3) [nm].
        structure, force_field: files, relative to the folder `openmm`, that md_sensitivity reads.
        columns: rows of the force field that are moved.
        zero_modes: motions that cost no energy.
        moved: how far coordinates of the minimum are moved at random to begin from there [nm]; 0 to begin from `start` itself.
    """

    name: str
    about: str
    model: Model
    start: np.ndarray
    structure: str
    force_field: str
    columns: tuple[str, ...]
    observables: tuple[str, ...] = DIPEPTIDE
    zero_modes: int = 6
    moved: float = 0.0


def _read(name: str) -> tuple[Any, np.ndarray]:
    """Topology and positions [nm] of a PDB file."""
    file = app.PDBFile(str(FILES / name))
    return file.topology, np.array(file.getPositions(asNumpy=True)._value, dtype=float)


def _shaken(x: np.ndarray, size: float, seed: int = 1) -> np.ndarray:
    return x + np.random.default_rng(seed).uniform(-size, size, x.shape)


def _amber(prefix: str) -> tuple[str, ...]:
    """Lines of AMBER's force fields for alanine dipeptide, by the names of ff14SB."""

    def join(*types: str) -> str:
        return "~".join(prefix + name if name != "X" else name for name in types)

    return (
        f"HarmonicBond.{join('C', 'N')}.r0",
        f"HarmonicBond.{join('C', 'O')}.k",
        f"HarmonicAngle.{join('C', 'CX', 'N')}.theta0",
        f"HarmonicAngle.{join('C', 'N', 'CX')}.k",
        f"PeriodicTorsion.{join('C', 'N', 'CX', 'C')}.k2",
        f"PeriodicTorsion.{join('N', 'CX', 'C', 'N')}.k4",
        f"PeriodicTorsion.{join('N', 'CX', 'C', 'N')}.phase3",
        f"PeriodicTorsion.{join('X', 'C', 'N', 'X')}.k1",
        f"PeriodicImproper.{join('C', 'X', 'X', 'O')}.k1",
        f"LennardJones.~{prefix}O.sigma",
        f"LennardJones.~{prefix}HC.epsilon",
        f"LennardJones.~{prefix}CT.sigma",
        "LennardJones.scale14",
        "Coulomb.scale14",
        "Coulomb.ALA:CB.q",
        "Coulomb.ACE:O.q",
        "Coulomb.NME:H.q",
    )


RADII = {"H": (1.2, 0.85), "H(N)": (1.3, 0.85), "C": (1.7, 0.72), "N": (1.55, 0.79), "O": (1.5, 0.85)}
"""Radii [Å] of AMBER's set mbondi2, doi:10.1002/prot.20033, and its scales."""


def _radius_kinds(topology: Any) -> tuple[str, ...]:
    on_nitrogen = set()
    for one, two in topology.bonds():
        for a, b in ((one, two), (two, one)):
            if a.element.symbol == "H" and b.element.symbol == "N":
                on_nitrogen.add(a.index)
    return tuple("H(N)" if atom.index in on_nitrogen else atom.element.symbol for atom in topology.atoms())


def _dipeptides() -> list[Case]:
    topology, start = _read("dipeptide.pdb")
    root = pruned(ET.parse(DATA / "amber14" / "protein.ff14SB.xml").getroot(), ("ACE", "ALA", "NME"))
    vacuum = XmlModel(root, topology)
    shared = {"start": _shaken(start, 0.005), "structure": "dipeptide.pdb", "moved": 0.002}
    solvated = SolvatedModel(vacuum, _radius_kinds(topology), RADII)
    radii = ("GBSA.C.radius", "GBSA.O.radius", "GBSA.H(N).radius", "GBSA.N.scale", "GBSA.H.scale")
    return [
        Case(name="amber14", about="alanine dipeptide, AMBER ff14SB, vacuum", model=vacuum, force_field="amber14.toml",
             columns=_amber("protein-"), **shared),
        Case(name="amber14_obc2", about="alanine dipeptide, AMBER ff14SB, implicit solvent OBC2", model=solvated,
             force_field="amber14_obc2.toml", columns=(*_amber("protein-"), *radii), **shared),
    ]  # fmt: skip


def _charmm() -> Case:
    topology, start = _read("alad.pdb")
    root = ET.parse(FILES / "charmm36_dipeptide.xml").getroot()
    columns = (
        "HarmonicBond.CT1-C.r0", "HarmonicBond.O-C.k", "HarmonicAngle.NH1-CT1-C.theta0", "HarmonicAngle.HA3-CT3-HA3.k",
        "UreyBradley.HA3-CT3-HA3.k", "UreyBradley.HA3-CT3-HA3.r0", "PeriodicTorsion.C-CT1-NH1-C.k1", "PeriodicTorsion.NH1-C-CT1-NH1.k1",
        "PeriodicTorsion.C-CT1-NH1-C.phase1", "HarmonicImproper.C-CT3-NH1-O.k", "CMAP.C-NH1-CT1-C-NH1.scale",
        "LennardJones.O.sigma", "LennardJones.HA3.epsilon", "LennardJones14.CT3.sigma", "LennardJones14.O.epsilon",
        "LennardJones14.scale14", "LennardJones.C.sigma", "Coulomb.scale14", "Coulomb.ALAD:OL.q", "Coulomb.ALAD:CB.q",
    )  # fmt: skip
    return Case(
        name="charmm36",
        about="alanine dipeptide, CHARMM36 with CMAP",
        model=XmlModel(root, topology),
        start=_shaken(start, 0.005),
        structure="alad.pdb",
        force_field="charmm36_dipeptide.xml",
        columns=columns,
        moved=0.002,
    )


def _ethanol() -> Case:
    bond, angle, torsion = "bondtypes", "angletypes", "dihedraltypes"
    rows = {
        "HarmonicBond.CT-HC.r0": (bond, ("CT", "HC"), 3),
        "HarmonicBond.CT-OH.k": (bond, ("CT", "OH"), 4),
        "HarmonicBond.OH-HO.r0": (bond, ("OH", "HO"), 3),
        "HarmonicAngle.CT-CT-OH.theta0": (angle, ("CT", "CT", "OH"), 4),
        "HarmonicAngle.CT-OH-HO.k": (angle, ("CT", "OH", "HO"), 5),
        "FourierTorsion.CT-CT-OH-HO.F1": (torsion, ("CT", "CT", "OH", "HO"), 5),
        "FourierTorsion.CT-CT-OH-HO.F2": (torsion, ("CT", "CT", "OH", "HO"), 6),
        "FourierTorsion.HC-CT-OH-HO.F3": (torsion, ("HC", "CT", "OH", "HO"), 7),
        "FourierTorsion.HC-CT-CT-HC.F1": (torsion, ("HC", "CT", "CT", "HC"), 5),
        "LennardJones.opls_154.sigma": ("atomtypes", ("opls_154",), 6),
        "LennardJones.opls_140.epsilon": ("atomtypes", ("opls_140",), 7),
        "LennardJones.scale14": ("defaults", ("1",), 3),
        "Coulomb.scale14": ("defaults", ("1",), 4),
        "Coulomb.opls_154.q": ("atomtypes", ("opls_154",), 4),
        "Coulomb.opls_140.q": ("atomtypes", ("opls_140",), 4),
    }
    folder = ROOT / "inputs" / "ethanol"
    lines = (folder / "structure.gro").read_text().splitlines()[2:11]
    start = np.array([[float(word) for word in line[20:].split()] for line in lines])
    return Case(
        name="ethanol",
        about="ethanol, OPLS-AA as a GROMACS topology",
        model=TopModel(folder / "force_field.top", rows),
        start=start,
        structure="../../../inputs/ethanol/structure.gro",
        force_field="../../../inputs/ethanol/force_field.top",
        columns=tuple(rows),
        observables=(
            "energy", "dihedral:0-4-7-8", "dihedral:1-0-4-7", "distance:0-8", "distance:0-4", "angle:0-4-7", "angle:4-7-8",
            "radius_of_gyration",
        ),
    )  # fmt: skip


WATER = (
    "HarmonicBond.OW-HW.r0", "HarmonicBond.OW-HW.k", "HarmonicAngle.HW-OW-HW.theta0", "HarmonicAngle.HW-OW-HW.k",
    "LennardJones.~tip3p-O.sigma", "LennardJones.~tip3p-O.epsilon", "Coulomb.~tip3p-O.q", "Coulomb.~tip3p-H.q",
)  # fmt: skip


def _waters() -> list[Case]:
    root = ET.parse(DATA / "tip3p.xml").getroot()
    three, start = _read("three_waters.pdb")
    two, other = _read("two_waters.pdb")
    edges, cutoff, switch_from = (0.72, 0.76, 0.81), 0.35, 0.26
    return [
        Case(
            name="three_waters",
            about="three flexible waters, TIP3P",
            model=XmlModel(root, three),
            start=start,
            columns=WATER,
            structure="three_waters.pdb",
            force_field="tip3p.toml",
            moved=0.002,
            observables=(
                "energy", "distance:0-3", "distance:3-6", "distance:0-1", "distance:1-5", "angle:0-3-6", "angle:1-0-2", "angle:2-0-3",
                "radius_of_gyration",
            ),
        ),
        Case(
            name="two_waters_periodic",
            about="two flexible waters in a cell, TIP3P, Ewald sums, a switch across the hydrogen bond",
            model=XmlModel(root, two, periodic_water(edges, cutoff, switch_from)),
            start=other,
            columns=WATER,
            zero_modes=3,
            structure="two_waters.pdb",
            force_field="tip3p_periodic.toml",
            moved=0.001,
            observables=(
                "energy", "distance:0-3", "distance:0-1", "distance:1-3", "angle:1-0-2", "dihedral:1-0-3-4", "dihedral:2-0-3-5",
            ),
        ),
    ]  # fmt: skip


def _prmtop() -> Case:
    rows: dict[str, tuple[str, tuple[int, ...], int]] = {
        "HarmonicBond.C2-N1.r0": ("BOND_EQUIL_VALUE", (4, 6), 0),
        "HarmonicBond.C1-C1.k": ("BOND_FORCE_CONSTANT", (8, 10), 0),
        "HarmonicAngle.N1-C1-C2.theta0": ("ANGLE_EQUIL_VALUE", (6, 8, 14), 0),
        "HarmonicAngle.C2-N1-C1.k": ("ANGLE_FORCE_CONSTANT", (4, 6, 8), 0),
        "PeriodicTorsion.C2-N1-C1-C2.k1": ("DIHEDRAL_FORCE_CONSTANT", (4, 6, 8, 14), 0),
        "PeriodicTorsion.C2-N1-C1-C2.phase2": ("DIHEDRAL_PHASE", (4, 6, 8, 14), 1),
        "PeriodicTorsion.N1-C1-C2-N1.k1": ("DIHEDRAL_FORCE_CONSTANT", (6, 8, 14, 16), 0),
        "PeriodicTorsion.N1-C1-C2-N1.phase3": ("DIHEDRAL_PHASE", (6, 8, 14, 16), 2),
        "LennardJones.O1.sigma": ("LJ_SIGMA", (5,), 0),
        "LennardJones.H1.epsilon": ("LJ_EPSILON", (0,), 0),
        "LennardJones.scale14": ("SCNB_SCALE_FACTOR", (), 0),
        "Coulomb.scale14": ("SCEE_SCALE_FACTOR", (), 0),
        "Coulomb.ALA:CB.q": ("CHARGE", (10,), 0),
        "Coulomb.ACE:O.q": ("CHARGE", (5,), 0),
        "Coulomb.NME:H.q": ("CHARGE", (17,), 0),
    }
    path = HERE.parent / "forcefields" / "topologies"
    start = np.array(app.AmberInpcrdFile(str(path / "dipeptide.rst7")).getPositions(asNumpy=True)._value, dtype=float)
    return Case(name="prmtop", about="alanine dipeptide, an AMBER topology", model=PrmtopModel(path / "dipeptide.prmtop", rows),
                start=_shaken(start, 0.005), structure="../../forcefields/topologies/dipeptide.rst7",
                force_field="../../forcefields/topologies/dipeptide.prmtop", columns=tuple(rows), moved=0.002)  # fmt: skip


def cases() -> Sequence[Case]:
    """All of them."""
    return (*_dipeptides(), _charmm(), _ethanol(), *_waters(), _prmtop())
