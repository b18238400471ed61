"""Atoms of a structure → lines of an OpenMM force field, as OpenMM itself assigns them."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from md_sensitivity.errors import InputError
from md_sensitivity.files import printable
from md_sensitivity.forcefields.openmm_atoms import ChargeLines, atom_of_patch
from md_sensitivity.forcefields.openmm_files import INSTALL
from md_sensitivity.forcefields.openmm_lines import UREY_BRADLEY_STIFFNESS
from md_sensitivity.forcefields.openmm_topology import failure, topology_of, where
from md_sensitivity.forcefields.residue_names import same_residue
from md_sensitivity.forcefields.topology import Assignment, Pairs, Tuples
from md_sensitivity.types import Structure

ORDERS = {
    "HarmonicBond": 2,
    "HarmonicAngle": 3,
    "UreyBradley": 3,
    "PeriodicTorsion": 4,
    "PeriodicImproper": 4,
    "RBTorsion": 4,
    "HarmonicImproper": 4,
    "CMAP": 8,
}
RELEASED = "constraints of the force field, such as rigid water, are released: bonds and angles move with their own stiffness"
_LISTED = 3
_CHAIN = ("cD",) * 4
"""Types of torsions whose ends amber19/lipid21.xml treats in its own way."""
Found = dict[str, list[tuple[tuple[int, ...], int]]]


@dataclass(frozen=True, kw_only=True, eq=False)
class OpenMMTyping:
    """The typing of an OpenMM force field.

    Attributes:
        document: what OpenMM gets.
        source: name of the force field for messages.
        lennard_jones: type → its name in the Lennard-Jones lines; empty where there are none.
        charges: names of charges; None where there are none.
        solvent: type → its name in the lines of implicit solvent; empty where there are none.
        own14: whether pairs three bonds apart have Lennard-Jones numbers of their own.
        map_labels: for each correction map, the label of its potential and its row there.
        bent: rows of `HarmonicImproper` whose angle at rest is not zero.
        constrained: templates with constraints.
        rigid: templates that OpenMM holds rigid where they are water.
        chains: whether ends of torsions of hydrocarbon chains have a scale of their own, row 1.
        labels: bonded potentials that the force field has.
    """

    document: str
    source: str
    lennard_jones: Mapping[str, str]
    charges: ChargeLines | None
    solvent: Mapping[str, str] = field(default_factory=dict)
    own14: bool = False
    map_labels: tuple[tuple[str, int], ...] = ()
    bent: frozenset[int] = frozenset()
    constrained: frozenset[str] = frozenset()
    rigid: frozenset[str] = frozenset()
    chains: bool = False
    labels: tuple[str, ...] = ()

    def __call__(self, structure: Structure) -> Assignment:
        """Lines of each atom and of each interaction.

        Raises:
            InputError: a residue fits no template, or a type has no line; the message says which.
        """
        return _assigned(self, structure)


@lru_cache(maxsize=8)
def _assigned(typing: OpenMMTyping, structure: Structure) -> Assignment:
    found = _applied(typing, structure)
    kinds, species, names = _kinds(typing, found)
    tuples: Found = {}
    for force in found.system.getForces():
        _read_back(force, found, tuples)
    notes = _notes(typing, found, tuples)
    listed: dict[str, Tuples] = {}
    for label in typing.labels:
        own = tuples.get(label, [])
        if label.startswith("CMAP"):
            own = [(atoms, typing.map_labels[m][1]) for atoms, m in tuples.get("CMAP", []) if typing.map_labels[m][0] == label]
        atoms = np.array([atoms for atoms, _ in own], dtype=np.int64).reshape(-1, ORDERS.get(label, 8))
        listed[label] = Tuples(atoms=atoms, rows=np.array([row for _, row in own], dtype=np.int64))
    pairs = _pairs(typing, found)
    return Assignment(kinds=kinds, species=species, names=names, tuples=listed, pairs=pairs, notes=notes, masses=_masses(found))


@dataclass(kw_only=True, eq=False)
class _Applied:
    """What OpenMM makes of a structure."""

    structure: Structure
    system: Any
    data: Any
    ids: Mapping[int, tuple[str, str, str]]
    neighbors: list[list[int]] = field(default_factory=list)


class _Probe:
    """Stands among OpenMM's generators of forces to see which type and template atom each atom is."""

    def __init__(self) -> None:
        self.data: Any = None

    def createForce(self, system: Any, data: Any, method: Any, cutoff: Any, args: Any) -> None:
        self.data = data


@lru_cache(maxsize=4)
def _loaded(typing: OpenMMTyping) -> tuple[Any, _Probe, Mapping[int, tuple[str, str, str]]]:
    """OpenMM's force field, the probe in it, and which atom of which template or patch each record of parameters belongs to."""
    try:
        from openmm import app
    except ImportError:
        raise InputError(f"{typing.source}: OpenMM assigns the lines of its force fields to atoms; {INSTALL}") from None
    try:
        force_field = app.ForceField(io.StringIO(typing.document))
    except Exception as error:      # OpenMM raises plain exceptions
        raise InputError(f"{typing.source}: OpenMM cannot read it: {str(error)[:300]}") from None
    probe = _Probe()
    force_field.registerGenerator(probe)
    # Atoms of matched templates keep the very record of the template or patch that they come from.
    ids: dict[int, tuple[str, str, str]] = {}
    for patch in force_field._patches.values():
        for number, (added, changed) in enumerate(zip(patch.addedAtoms, patch.changedAtoms, strict=True)):
            for atom in (*added, *changed):
                ids[id(atom.parameters)] = ("patch", patch.name, atom_of_patch(f"{number + 1}:{atom.name}"))
    for template in force_field._templates.values():
        for atom in template.atoms:
            ids[id(atom.parameters)] = ("residue", template.name, atom.name)
    return force_field, probe, ids


def _applied(typing: OpenMMTyping, structure: Structure) -> _Applied:
    force_field, probe, ids = _loaded(typing)
    from openmm import app

    topology = topology_of(structure)
    try:
        system = force_field.createSystem(
            topology, nonbondedMethod=app.NoCutoff, constraints=None, rigidWater=False, removeCMMotion=False
        )
    except Exception as error:      # OpenMM raises plain exceptions
        raise failure(error, structure, topology, force_field, typing.source) from None
    data, probe.data = probe.data, None
    neighbors: list[list[int]] = [[] for _ in range(structure.size)]
    for bond in data.bonds:
        neighbors[bond.atom1].append(bond.atom2)
        neighbors[bond.atom2].append(bond.atom1)
    return _Applied(structure=structure, system=system, data=data, ids=ids, neighbors=neighbors)


def _kinds(typing: OpenMMTyping, found: _Applied) -> tuple[np.ndarray, tuple[str, ...], dict[str, tuple[str, ...]]]:
    """Kind of each atom; a name for each kind; and its types in the potentials between neighbors."""
    numbers: dict[tuple[str, ...], int] = {}
    species: list[str] = []
    kinds = np.zeros(found.structure.size, dtype=np.int64)
    for i, atom in enumerate(found.data.atoms):
        kind = found.data.atomType[atom]
        words = []
        if typing.lennard_jones:
            words.append(_of_type(typing, found, i, typing.lennard_jones, "Lennard-Jones"))
        if typing.charges is not None:
            words.append(_charge(typing, found, i, kind))
        if typing.solvent:
            words.append(_of_type(typing, found, i, typing.solvent, "implicit-solvent"))
        key = tuple(words)
        if key not in numbers:
            numbers[key] = len(numbers)
            species.append(kind)
        kinds[i] = numbers[key]
    columns = [["LennardJones", "LennardJones14"] if typing.own14 else ["LennardJones"]] if typing.lennard_jones else []
    columns += [["Coulomb"]] if typing.charges is not None else []
    columns += [["GBSA"]] if typing.solvent else []
    names = {label: tuple(key[at] for key in numbers) for at, labels in enumerate(columns) for label in labels}
    return kinds, tuple(species), names


def _of_type(typing: OpenMMTyping, found: _Applied, i: int, names: Mapping[str, str], what: str) -> str:
    kind = found.data.atomType[found.data.atoms[i]]
    if kind not in names:
        raise InputError(f"{typing.source}: no {what} line for type {kind} of {_atom(found, i)}; add one")
    return names[kind]


def _charge(typing: OpenMMTyping, found: _Applied, i: int, kind: str) -> str:
    assert typing.charges is not None
    if kind not in typing.charges.of_type:
        raise InputError(f"{typing.source}: no line of the NonbondedForce for type {kind} of {_atom(found, i)}; add one")
    if word := typing.charges.of_type[kind]:
        return word
    owner, *place = found.ids[id(found.data.atomParameters[found.data.atoms[i]])]
    names = typing.charges.of_residue if owner == "residue" else typing.charges.of_patch
    if (place[0], place[1]) not in names:
        raise InputError(f"{typing.source}: atom {place[1]} of {owner} {place[0]} has no charge, nor has its type {kind}; give it one")
    return names[place[0], place[1]]


def _atom(found: _Applied, i: int) -> str:
    atom = found.data.atoms[i]
    return f"atom {i} ({atom.residue.name} {atom.residue.id} {atom.name} in {where(found.structure)})"


def _masses(found: _Applied) -> np.ndarray:
    """Masses of the types, shape=(n,) [amu]; that of the structure where a type has none, which holds an atom in OpenMM."""
    given = np.array([_plain(found.system.getParticleMass(i)) for i in range(found.structure.size)])
    return np.where(given > 0, given, found.structure.masses)


def _read_back(force: Any, found: _Applied, tuples: Found) -> None:
    """Rows of the interactions of one force, counted from 0."""
    kind = type(force).__name__
    if kind == "HarmonicBondForce":
        for i in range(force.getNumBonds()):
            first, second, row, stiffness = force.getBondParameters(i)
            if round(_plain(stiffness)) == 2 * UREY_BRADLEY_STIFFNESS:
                # OpenMM tells both ends only. Which middle atom it is makes no difference.
                middle = next(atom for atom in found.neighbors[first] if second in found.neighbors[atom])
                tuples.setdefault("UreyBradley", []).append(((first, middle, second), round(_plain(row)) - 1))
            else:
                tuples.setdefault("HarmonicBond", []).append(((first, second), round(_plain(row)) - 1))
    elif kind == "HarmonicAngleForce":
        for i in range(force.getNumAngles()):
            *angle, row, _ = force.getAngleParameters(i)
            tuples.setdefault("HarmonicAngle", []).append((tuple(angle), round(_plain(row)) - 1))
    elif kind == "PeriodicTorsionForce":
        for i in range(force.getNumTorsions()):
            *torsion, _, phase, _ = force.getTorsionParameters(i)
            row = round(_plain(phase))
            tuples.setdefault("PeriodicTorsion" if row > 0 else "PeriodicImproper", []).append((tuple(torsion), abs(row) - 1))
    elif kind == "RBTorsionForce":
        for i in range(force.getNumTorsions()):
            *torsion, row, _, _, _, _, _ = force.getTorsionParameters(i)
            tuples.setdefault("RBTorsion", []).append((tuple(torsion), round(_plain(row)) - 1))
    elif kind == "CustomTorsionForce":
        names = [force.getPerTorsionParameterName(k) for k in range(force.getNumPerTorsionParameters())]
        for i in range(force.getNumTorsions()):
            *torsion, values = force.getTorsionParameters(i)
            tuples.setdefault("HarmonicImproper", []).append((tuple(torsion), round(values[names.index("theta0")]) - 1))
    elif kind == "CMAPTorsionForce":
        for i in range(force.getNumTorsions()):
            number, *torsions = force.getTorsionParameters(i)
            tuples.setdefault("CMAP", []).append((tuple(torsions), number))
    elif kind != "NonbondedForce":
        raise AssertionError(f"OpenMM makes a force of our document that it does not speak of: {kind}")


def _plain(value: Any) -> float:
    """A quantity in its own unit, which is that of the document."""
    return float(value.value_in_unit(value.unit))


def _pairs(typing: OpenMMTyping, found: _Applied) -> dict[str, Pairs]:
    """Pairs up to three bonds apart, from the exceptions of OpenMM."""
    force = next(force for force in found.system.getForces() if type(force).__name__ == "NonbondedForce")
    atoms = np.zeros((force.getNumExceptions(), 2), dtype=np.int64)
    rows = np.zeros(len(atoms), dtype=np.int64)
    for i in range(len(atoms)):
        first, second, product, _, _ = force.getExceptionParameters(i)
        atoms[i] = first, second
        rows[i] = 0 if _plain(product) != 0.0 else -1
    pairs: dict[str, Pairs] = {}
    if typing.charges is not None:
        pairs["Coulomb"] = Pairs(atoms=atoms, rows=rows)
    if typing.lennard_jones:
        if typing.own14:
            pairs["LennardJones"] = Pairs(atoms=atoms, rows=np.full(len(rows), -1))
            pairs["LennardJones14"] = Pairs(atoms=atoms[rows == 0], rows=rows[rows == 0])
        else:
            pairs["LennardJones"] = Pairs(atoms=atoms, rows=_chain_rows(found, atoms, rows) if typing.chains else rows)
    return pairs


def _chain_rows(found: _Applied, atoms: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The same rows, with 1 for the ends of torsions of hydrocarbon chains."""
    types = [found.data.atomType[atom] for atom in found.data.atoms]
    ends = {frozenset((t[0], t[3])) for t in found.data.propers if tuple(types[i] for i in t) == _CHAIN}
    own = np.array([frozenset(pair) in ends for pair in atoms.tolist()], dtype=bool).reshape(len(atoms))
    return np.where(own & (rows == 0), 1, rows)


def _notes(typing: OpenMMTyping, found: _Applied, tuples: Found) -> tuple[str, ...]:
    notes = [*_renamed(typing, found)]
    owners = {(found.ids[id(found.data.atomParameters[atom])][1], atom.residue.name) for atom in found.data.atoms}
    # OpenMM goes by the name that the structure gives to water.
    if any(owner in typing.constrained or (owner in typing.rigid and name == "HOH") for owner, name in owners):
        notes.append(RELEASED)
    for label, singular, total in (("HarmonicBond", "bonds", len(found.data.bonds)), ("HarmonicAngle", "angles", len(found.data.angles))):
        missing = total - len(tuples.get(label, []))
        if missing > 0 and label in typing.labels:
            notes.append(f"{missing} {singular} of the structure have no line in the force field and no energy, as in OpenMM")
    if any(row in typing.bent for _, row in tuples.get("HarmonicImproper", [])):
        notes.append("harmonic impropers about an angle other than 0 are taken the short way around; in OpenMM they jump at 180°")
    return tuple(notes)


def _renamed(typing: OpenMMTyping, found: _Applied) -> list[str]:
    """Residues that got the template of another residue, for OpenMM goes by elements and bonds alone."""
    if not found.structure.residue_names:
        return []
    strange = []
    for residue in {atom.residue: None for atom in found.data.atoms}:
        atoms = list(residue.atoms())
        owners = [found.ids[id(found.data.atomParameters[atom])][:2] for atom in atoms]
        templates = dict.fromkeys(name for owner, name in owners if owner == "residue")
        if len(atoms) > 1 and templates and not any(same_residue(residue.name, name) for name in templates):
            strange.append(printable(f"{residue.name} {residue.id} as {next(iter(templates))}"))
    if not strange:
        return []
    more = f" and {len(strange) - _LISTED} more" if len(strange) > _LISTED else ""
    return [
        f"residues that are, by elements and bonds, others in {typing.source}: {', '.join(strange[:_LISTED])}{more}; are the elements of "
        "their atoms right?"
    ]
