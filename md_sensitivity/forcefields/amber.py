"""AMBER's prmtop → ForceField: potentials of point charges, with correction maps, and topologies that CHAMBER made of CHARMM's.

Source: https://ambermd.org/prmtop.pdf. A prmtop numbers its bonds, angles and torsions by entries of its tables: an entry is a row,
named after the types of the first atoms that use it.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from md_sensitivity.errors import InputError
from md_sensitivity.files import printable, shortened, shown
from md_sensitivity.forcefields.amber_pairs import charge_rows, listed_pairs, type_rows
from md_sensitivity.forcefields.amber_prmtop import Prmtop, parse_prmtop
from md_sensitivity.forcefields.data import ForceField
from md_sensitivity.forcefields.fixed_topology import FixedTopology, elements_of_masses, kinds_of
from md_sensitivity.forcefields.line_rows import LineRows, force_field_of_rows
from md_sensitivity.forcefields.molecular_terms import COULOMB, LENNARD_JONES, LENNARD_JONES_14, bonded_rows, tuples_of
from md_sensitivity.forcefields.topology import Assignment, Tuples
from md_sensitivity.potentials.base import types_of
from md_sensitivity.potentials.harmonic_bond import HARMONIC_BOND
from md_sensitivity.units import AMBER

_POINTERS = (
    "NATOM NTYPES NBONH MBONA NTHETH MTHETA NPHIH MPHIA NHPARM NPARM NNB NRES NBONA NTHETA NPHIA NUMBND NUMANG NPTRA NATYP NPHB "
    "IFPERT NBPER NGPER NDPER MBPER MGPER MDPER IFBOX NMXRS IFCAP NUMEXTRA NCOPY"
).split()
_UNABLE = {
    "NPARM": "locally enhanced sampling (addles)",
    "IFPERT": "perturbed atoms",
    "IFCAP": "a water cap",
    "NUMEXTRA": "extra points (virtual sites, as those of TIP4P)",
}
"""Pointers that are zero where we know all that acts."""
_KNOWN = frozenset(
    "TITLE CTITLE FORCE_FIELD_TYPE POINTERS ATOM_NAME CHARGE ATOMIC_NUMBER MASS ATOM_TYPE_INDEX NUMBER_EXCLUDED_ATOMS "
    "NONBONDED_PARM_INDEX RESIDUE_LABEL RESIDUE_POINTER BOND_FORCE_CONSTANT BOND_EQUIL_VALUE ANGLE_FORCE_CONSTANT ANGLE_EQUIL_VALUE "
    "DIHEDRAL_FORCE_CONSTANT DIHEDRAL_PERIODICITY DIHEDRAL_PHASE SCEE_SCALE_FACTOR SCNB_SCALE_FACTOR SOLTY LENNARD_JONES_ACOEF "
    "LENNARD_JONES_BCOEF BONDS_INC_HYDROGEN BONDS_WITHOUT_HYDROGEN ANGLES_INC_HYDROGEN ANGLES_WITHOUT_HYDROGEN "
    "DIHEDRALS_INC_HYDROGEN DIHEDRALS_WITHOUT_HYDROGEN EXCLUDED_ATOMS_LIST HBOND_ACOEF HBOND_BCOEF HBCUT AMBER_ATOM_TYPE "
    "TREE_CHAIN_CLASSIFICATION JOIN_ARRAY IROTAT SOLVENT_POINTERS ATOMS_PER_MOLECULE BOX_DIMENSIONS CAP_INFO CAP_INFO2 RADIUS_SET "
    "RADII SCREEN IPOL RESIDUE_NUMBER RESIDUE_CHAINID RESIDUE_ICODE ATOM_ELEMENT ATOM_OCCUPANCY ATOM_BFACTOR ATOM_NUMBER".split()
)
_MAPS = frozenset({"CMAP_COUNT", "CMAP_RESOLUTION", "CMAP_INDEX"})


def read_prmtop(text: str, path: Path) -> ForceField:
    """The force field of a prmtop, which says with it which atoms a structure must have.

    Raises:
        InputError: with file, flag and reason.
    """
    topology = parse_prmtop(text, shown(path))
    sizes = _sizes(topology)
    _require_understood(topology, sizes)
    atoms = _Atoms(topology, sizes)
    terms: list[LineRows] = []
    tuples: dict[str, Tuples] = {}
    for rows, found in (_bonds(atoms), _angles(atoms), *_torsions(atoms), *_charmm(atoms), *_maps(atoms)):
        if len(rows):
            terms.append(rows)
            tuples[rows.label] = found
    of_types, names = type_rows(topology, sizes["NTYPES"], atoms.types)
    charges, charge_names = charge_rows(topology, atoms.names, atoms.residues)
    types = {LENNARD_JONES: names, COULOMB: charge_names}
    close = None
    if "LENNARD_JONES_14_ACOEF" in topology:
        close, types[LENNARD_JONES_14] = type_rows(topology, sizes["NTYPES"], atoms.types, listed_only=True)
        terms.append(close)
    kinds, kind_names, species = kinds_of(types)
    pairs = listed_pairs(topology, atoms.quadruples, sizes["NPTRA"], of_types, charges, close)
    force_field = force_field_of_rows([*terms, of_types, charges], AMBER, name=printable(path.stem), source=topology.where)
    assignment = Assignment(kinds=kinds, species=species, names=kind_names, tuples=tuples, pairs=pairs)
    typing = atoms.typing(assignment)
    return replace(force_field, typing=typing, complete=typing.complete)


def _sizes(topology: Prmtop) -> dict[str, int]:
    values = topology.integers("POINTERS").tolist()
    if len(values) < len(_POINTERS) - 1 or min(values) < 0 or values[0] < 1 or values[1] < 1:
        raise InputError(f"{topology.where}: %FLAG POINTERS must hold {len(_POINTERS) - 1} sizes, none of them negative")
    return dict(zip(_POINTERS, [*values, 0], strict=False))


def _require_understood(topology: Prmtop, sizes: dict[str, int]) -> None:
    """Refuses whatever would change the energy and is not known here, by name."""
    for pointer, meaning in _UNABLE.items():
        if sizes[pointer]:
            raise InputError(f"{topology.where}: {meaning} ({pointer} = {sizes[pointer]}) are not supported; build the system without")
    if "IPOL" in topology and np.any(topology.integers("IPOL")):
        raise InputError(f"{topology.where}: %FLAG IPOL: polarizable force fields are not supported")
    prefix = "CHARMM_" if "CTITLE" in topology else ""
    for flag, section in topology.sections.items():
        known = flag in _KNOWN or flag.removeprefix(prefix) in _MAPS or flag.removeprefix(prefix).startswith("CMAP_PARAMETER_")
        if not (known or (prefix and flag in _CHARMM)):
            raise InputError(
                f"{topology.where}: %FLAG {shortened(flag)} (line {section.line - 2}) is not known, and may change the energy; "
                "remove the section if it does not"
            )


class _Atoms:
    """Atoms of a topology, and what entries of its tables act on them."""

    def __init__(self, topology: Prmtop, sizes: dict[str, int]) -> None:
        self.topology, self.sizes = topology, sizes
        self.count = sizes["NATOM"]
        self.types = topology.words("AMBER_ATOM_TYPE", self.count)
        self.names = topology.words("ATOM_NAME", self.count)
        self.masses = topology.reals("MASS", self.count)
        if np.any(self.masses <= 0):
            atom = int(np.argmax(self.masses <= 0))
            raise InputError(f"{topology.where}: %FLAG MASS: atom {atom + 1} has mass {self.masses[atom]:g}, which must be positive")
        labels = topology.words("RESIDUE_LABEL", sizes["NRES"])
        starts = topology.integers("RESIDUE_POINTER", sizes["NRES"]) - 1
        if not len(starts) or starts[0] != 0 or np.any(np.diff(starts) < 1) or starts[-1] >= self.count:
            raise InputError(f"{topology.where}: %FLAG RESIDUE_POINTER must hold increasing numbers of first atoms")
        self.residue_of = np.repeat(np.arange(len(starts)), np.diff([*starts, self.count]))
        self.residues = [labels[k] for k in self.residue_of.tolist()]
        empty = next((atom for atom in range(self.count) if not (self.types[atom] and self.names[atom] and self.residues[atom])), None)
        if empty is not None:
            raise InputError(f"{topology.where}: atom {empty + 1} has no name, type or residue (ATOM_NAME, AMBER_ATOM_TYPE, RESIDUE_LABEL)")
        self.bonds = self._listed("BONDS", 2, ("NBONH", "NBONA"), "NUMBND")
        self.angles = self._listed("ANGLES", 3, ("NTHETH", "NTHETA"), "NUMANG")
        self.quadruples = self._listed("DIHEDRALS", 4, ("NPHIH", "NPHIA"), "NPTRA")

    def _listed(self, name: str, order: int, counts: tuple[str, str], entries: str) -> np.ndarray:
        """Atoms and entries, from 0, of both lists of a kind, shape=(m, order + 1); signs of third and fourth atoms of torsions stay."""
        found = []
        for flag, count in zip((f"{name}_INC_HYDROGEN", f"{name}_WITHOUT_HYDROGEN"), counts, strict=True):
            size = self.sizes[count] * (order + 1)
            numbers = self.topology.integers(flag, size) if size or flag in self.topology else np.zeros(0, dtype=np.int64)
            table = numbers.reshape(-1, order + 1)
            require_places(self.topology, flag, np.abs(table[:, :order]), 3, self.count)
            if (order < 4 and np.any(table[:, :order] < 0)) or np.any(table[:, :2] < 0):
                raise InputError(f"{self.topology.where}: %FLAG {flag}: an atom is negative")
            require_entries(self.topology, flag, table[:, order], self.sizes[entries])
            found.append(np.concatenate([np.sign(table[:, :order]) * (np.abs(table[:, :order]) // 3), table[:, order:] - 1], axis=1))
        # −0 is no number: the format keeps the first atom of a system out of the places where signs mean something.
        return np.concatenate(found)

    def typed(self, atoms: np.ndarray) -> tuple[str, ...]:
        """Types of some atoms."""
        return tuple(self.types[atom] for atom in atoms.tolist())

    def typing(self, assignment: Assignment) -> FixedTopology:
        """The typing of a structure of these atoms."""
        topology, count = self.topology, self.count
        numbers = elements_of_masses(self.masses)
        if "ATOMIC_NUMBER" in topology:
            given = topology.integers("ATOMIC_NUMBER", count)
            numbers = np.where((given > 0) & (given < 104), given, numbers)
        bonds = self.bonds[:, :2]
        # AMBER's rigid water has a bond between its hydrogens.
        between_hydrogens = np.all(numbers[bonds] == 1, axis=1)
        many = np.bincount(bonds.ravel(), minlength=count)[bonds].min(axis=1) > 1 if len(bonds) else between_hydrogens
        names = {"radii": "RADII", "screen": "SCREEN"}
        return FixedTopology(
            source=topology.where,
            numbers=numbers,
            masses=self.masses,
            atom_types=tuple(self.types),
            atom_names=tuple(self.names),
            residue_names=tuple(self.residues),
            residue_numbers=tuple((self.residue_of + 1).tolist()),
            bonds=np.unique(np.sort(bonds[~(between_hydrogens & many)], axis=1), axis=0),
            assignment=assignment,
            boxed=self.sizes["IFBOX"] > 0,
            of_atoms={name: topology.reals(flag, count) for name, flag in names.items() if flag in topology},
        )


def require_places(topology: Prmtop, flag: str, places: np.ndarray, step: int, count: int) -> None:
    """Refuses places of coordinates (three for an atom), or numbers of atoms, that are not those of an atom."""
    wrong = (places % step != 0) | (places // step >= count) | (places < 0)
    if np.any(wrong):
        raise InputError(f"{topology.where}: %FLAG {flag}: {places[wrong][0]} stands for none of the {count} atoms")


def require_entries(topology: Prmtop, flag: str, entries: np.ndarray, count: int) -> None:
    """Refuses numbers of entries of a table, from 1, that it has not."""
    wrong = (entries < 1) | (entries > count)
    if np.any(wrong):
        raise InputError(f"{topology.where}: %FLAG {flag}: there is no entry {entries[wrong][0]} among the {count} of its table")


def _used(
    atoms: _Atoms, label: str, listed: np.ndarray, columns: dict[str, str], size: int, form: partial[LineRows] | None = None
) -> tuple[LineRows, Tuples]:
    """Rows for the entries of a table that occur, and what they act on.

    Args:
        listed: atoms and entries, from 0, shape=(m, order + 1).
        columns: parameter → flag of its table.
        size: entries of the table.
    """
    topology = atoms.topology
    rows = form() if form else bonded_rows(label, AMBER, topology.where, factor=1.0)
    order = listed.shape[1] - 1
    tables = {name: topology.reals(flag, size) for name, flag in columns.items()} if len(listed) else {}
    entries, firsts, places = np.unique(listed[:, order], return_index=True, return_inverse=True)
    row_of = np.zeros(len(entries), dtype=np.int64)
    for k in np.argsort(firsts).tolist():
        entry = int(entries[k])
        values = {name: float(table[entry]) for name, table in tables.items()}
        place = f"{topology.where}: entry {entry + 1} of {', '.join(columns.values())}"
        if values.get("n", 0.0) != round(values.get("n", 0.0)):
            raise InputError(f"{place}: a periodicity of {values['n']:g} is no whole number")
        row_of[k] = rows.row(entry, atoms.typed(np.abs(listed[firsts[k], :order])), values, place)
    return rows, tuples_of(np.abs(listed[:, :order]), row_of[places.reshape(-1)], types_of(rows.form.parameters[0], rows.form))


def _bonds(atoms: _Atoms) -> tuple[LineRows, Tuples]:
    columns = {"k": "BOND_FORCE_CONSTANT", "r0": "BOND_EQUIL_VALUE"}
    return _used(atoms, "HarmonicBond", atoms.bonds, columns, atoms.sizes["NUMBND"])


def _angles(atoms: _Atoms) -> tuple[LineRows, Tuples]:
    columns = {"k": "ANGLE_FORCE_CONSTANT", "theta0": "ANGLE_EQUIL_VALUE"}
    return _used(atoms, "HarmonicAngle", atoms.angles, columns, atoms.sizes["NUMANG"])


def _torsions(atoms: _Atoms) -> list[tuple[LineRows, Tuples]]:
    """Torsions, and impropers, whose fourth atom has a minus sign."""
    columns = {"k": "DIHEDRAL_FORCE_CONSTANT", "phase": "DIHEDRAL_PHASE", "n": "DIHEDRAL_PERIODICITY"}
    improper = atoms.quadruples[:, 3] < 0
    return [
        _used(atoms, label, atoms.quadruples[chosen], columns, atoms.sizes["NPTRA"])
        for label, chosen in (("PeriodicTorsion", ~improper), ("PeriodicImproper", improper))
    ]


_CHARMM = {
    "CHARMM_UREY_BRADLEY_COUNT", "CHARMM_UREY_BRADLEY", "CHARMM_UREY_BRADLEY_FORCE_CONSTANT", "CHARMM_UREY_BRADLEY_EQUIL_VALUE",
    "CHARMM_NUM_IMPROPERS", "CHARMM_IMPROPERS", "CHARMM_NUM_IMPR_TYPES", "CHARMM_IMPROPER_FORCE_CONSTANT", "CHARMM_IMPROPER_PHASE",
    "LENNARD_JONES_14_ACOEF", "LENNARD_JONES_14_BCOEF",
}  # fmt: skip


def _charmm(atoms: _Atoms) -> list[tuple[LineRows, Tuples]]:
    """Urey-Bradley terms between the ends of angles, whose middle the file does not name, and harmonic impropers."""
    topology, found = atoms.topology, []
    if "CHARMM_UREY_BRADLEY" in topology:
        count, entries = topology.integers("CHARMM_UREY_BRADLEY_COUNT", 2).tolist()
        listed = _numbered(atoms, "CHARMM_UREY_BRADLEY", 2, count, entries)
        columns = {"k": "CHARMM_UREY_BRADLEY_FORCE_CONSTANT", "r0": "CHARMM_UREY_BRADLEY_EQUIL_VALUE"}
        form = partial(bonded_rows, "UreyBradley", AMBER, topology.where, factor=1.0, form=HARMONIC_BOND)
        found.append(_used(atoms, "UreyBradley", listed, columns, entries, form))
    if "CHARMM_IMPROPERS" in topology:
        count, entries = (int(topology.integers(flag, 1)[0]) for flag in ("CHARMM_NUM_IMPROPERS", "CHARMM_NUM_IMPR_TYPES"))
        listed = _numbered(atoms, "CHARMM_IMPROPERS", 4, count, entries)
        columns = {"k": "CHARMM_IMPROPER_FORCE_CONSTANT", "phi0": "CHARMM_IMPROPER_PHASE"}
        found.append(_used(atoms, "HarmonicImproper", listed, columns, entries))
    return found


def _numbered(atoms: _Atoms, flag: str, order: int, count: int, entries: int) -> np.ndarray:
    """Atoms and entries, from 0, of a list that counts atoms from 1, shape=(m, order + 1)."""
    listed = atoms.topology.integers(flag, count * (order + 1)).reshape(-1, order + 1)
    require_places(atoms.topology, flag, listed[:, :order] - 1, 1, atoms.count)
    require_entries(atoms.topology, flag, listed[:, order], entries)
    return listed - 1


def _maps(atoms: _Atoms) -> list[tuple[LineRows, Tuples]]:
    """Correction maps, named after the residue of the middle of five atoms, as AMBER's own parameter files do."""
    topology = atoms.topology
    prefix = next((prefix for prefix in ("", "CHARMM_") if f"{prefix}CMAP_COUNT" in topology), None)
    if prefix is None:
        return []
    count, entries = topology.integers(f"{prefix}CMAP_COUNT", 2).tolist()
    sizes = topology.integers(f"{prefix}CMAP_RESOLUTION", entries)
    listed = _numbered(atoms, f"{prefix}CMAP_INDEX", 5, count, entries)
    if not len(listed):
        return []
    size = int(sizes[0])
    if np.any(sizes != size) or not 4 <= size <= 360:
        raise InputError(f"{topology.where}: %FLAG {prefix}CMAP_RESOLUTION: maps of one size, from 4 to 360, are supported")
    rows = bonded_rows("CMAP", AMBER, topology.where, factor=1.0, map_size=size)
    numbers = []
    for *five, entry in listed.tolist():
        flag = f"{prefix}CMAP_PARAMETER_{entry + 1:02d}"
        row = rows.known(entry)
        if row is None:
            grid = topology.reals(flag, size * size)
            row = rows.row(entry, (atoms.residues[five[2]],), {"scale": 1.0, "energy": grid}, f"{topology.where}: {flag}")
        numbers.append(row)
    return [(rows, tuples_of(listed[:, [0, 1, 2, 3, 1, 2, 3, 4]], numbers, 8))]


