"""A serialized OpenMM System: particles, and forces between them, as lists.

Nothing in it says which interactions share a number. Here those do that have the same numbers and the same elements: one derivative
speaks of all of them, such as all bonds of C and H with the same stiffness. Elements are told by masses. Atoms of one element with
different charges, or Lennard-Jones numbers, are types C1, C2, … in the order of the file.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from md_sensitivity.errors import InputError
from md_sensitivity.files import quotation
from md_sensitivity.forcefields.data import ForceField
from md_sensitivity.forcefields.fixed_topology import FixedTopology, elements_of_masses, kinds_of
from md_sensitivity.forcefields.line_rows import LineRows, force_field_of_rows
from md_sensitivity.forcefields.nonbonded import Nonbonded
from md_sensitivity.forcefields.openmm_nonbonded import BetweenAtoms, read_nonbonded, read_solvent
from md_sensitivity.forcefields.openmm_system_forces import BondedForces
from md_sensitivity.forcefields.topology import Assignment
from md_sensitivity.forcefields.xml_tree import Element
from md_sensitivity.units import OPENMM

_WITHOUT_ENERGY = (
    "CMMotionRemover",
    "AndersenThermostat",
    "MonteCarloBarostat",
    "MonteCarloAnisotropicBarostat",
    "MonteCarloMembraneBarostat",
)
RELEASED = "constraints of the system are released: what they held moves with the stiffness of its bonds and angles, if it has any"
_NO_STIFFNESS = "{count} of the system's constraints have no bond of their own, and nothing holds these atoms at their distance"


def system_force_field(root: Element, *, name: str, source: str) -> tuple[ForceField, Nonbonded]:
    """The force field of one system, which types a structure of the same atoms in the same order; and the settings that it has.

    Args:
        root: `<System>`.

    Raises:
        InputError: with file, line and reason.
    """
    root.require(("openmmVersion", "type", "version"), ("PeriodicBoxVectors", "Particles", "Constraints", "Forces"))
    masses = _masses(root)
    numbers = elements_of_masses(masses)
    reader = BondedForces(masses, numbers, source)
    nonbonded = solvent = None
    for forces in root.all("Forces"):
        forces.require((), ("Force",))
        for force in forces.children:
            kind = force.said("type")
            if kind in reader.known:
                reader.known[kind](force)
            elif kind == "NonbondedForce" and nonbonded is None:
                nonbonded = read_nonbonded(force, reader.symbols, source)
            elif kind == "NonbondedForce":
                raise InputError(f"{force.where}: a second NonbondedForce; a system with one only is read")
            elif kind == "GBSAOBCForce" and solvent is None:
                solvent = read_solvent(force, reader.symbols, source)
            elif kind not in _WITHOUT_ENERGY:
                known = ", ".join((*reader.known, "NonbondedForce", "GBSAOBCForce (once)"))
                raise InputError(f"{force.where}: forces of type {quotation(kind)} are not read; these are: {known}")
    settings = Nonbonded() if nonbonded is None else nonbonded.settings
    return _assembled(reader, nonbonded, solvent, root, name=name, source=source), settings


def _masses(root: Element) -> np.ndarray:
    particles = [particle for section in root.all("Particles") for particle in section.children]
    for number, particle in enumerate(particles):
        if particle.tag != "Particle" or particle.children:
            raise InputError(f"{particle.where}: particle {number} is a virtual site, which is not supported; use a model without")
        particle.require(("mass",))
        if particle.number("mass") <= 0.0:
            raise InputError(
                f"{particle.where}: particle {number} has no mass, so that OpenMM never moves it; give it one, and freeze it with --fix"
            )
    if not particles:
        raise InputError(f"{root.where}: a system without particles")
    return np.array([particle.number("mass") for particle in particles])


def _assembled(
    reader: BondedForces,
    nonbonded: BetweenAtoms | None,
    solvent: tuple[LineRows, tuple[str, ...]] | None,
    root: Element,
    *,
    name: str,
    source: str,
) -> ForceField:
    rows = list(reader.rows.values())
    names: dict[str, tuple[str, ...]] = {}
    tuples = reader.interactions.tuples
    if nonbonded is not None:
        rows += nonbonded.rows
        names = dict(nonbonded.names)
        tuples = {**tuples, **nonbonded.tuples}
    if solvent is not None:
        rows.append(solvent[0])
        names[solvent[0].label] = solvent[1]
    if not rows:
        raise InputError(f"{source}: the system has no forces")
    kinds, of_kinds, species = kinds_of(names) if names else (np.zeros(len(reader.symbols), dtype=np.int64), {}, ("atom",))
    bonds = reader.bonds
    assignment = Assignment(
        kinds=kinds,
        species=species,
        names=of_kinds,
        tuples=tuples,
        pairs={} if nonbonded is None else nonbonded.pairs,
        notes=_notes(root, bonds, len(reader.symbols)),
    )
    n = len(reader.symbols)
    topology = FixedTopology(
        source=source,
        numbers=reader.numbers,
        masses=reader.masses,
        atom_types=reader.symbols,
        atom_names=reader.symbols,
        residue_names=("MOL",) * n,
        residue_numbers=(1,) * n,
        bonds=bonds,
        assignment=assignment,
        boxed=None if nonbonded is None else nonbonded.periodic,
        named=False,
    )
    force_field = force_field_of_rows(rows, OPENMM, name=name, source=source)
    return replace(force_field, typing=topology, complete=topology.complete)


def _notes(root: Element, bonds: np.ndarray, n: int) -> tuple[str, ...]:
    held = [element for section in root.all("Constraints") for element in section.children]
    known = {tuple(pair) for pair in bonds.tolist()}
    loose = 0
    for element in held:
        element.require(("d", "p1", "p2"))
        pair = sorted(element.whole(key, most=n - 1) for key in ("p1", "p2"))
        loose += tuple(pair) not in known
    return (*((RELEASED,) if held else ()), *((_NO_STIFFNESS.format(count=loose),) if loose else ()))
