"""The typing of a file that lists all its atoms and interactions: a structure fits where its atoms are those, in that order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from md_sensitivity.errors import InputError
from md_sensitivity.files import quotation
from md_sensitivity.forcefields.atom_names import AtomNames
from md_sensitivity.forcefields.topology import Assignment
from md_sensitivity.structures.residues import ELEMENTS_OF_NAMES
from md_sensitivity.types import Structure

_ELEMENT_TOLERANCE = 0.05
"""A mass this near to that of an element tells it [amu]."""
_HEAVY_HYDROGEN = (1.5, 4.5)
"""Masses between which no element tells hydrogens that were made heavier from others that were made lighter [amu]."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FixedTopology:
    """Atoms that a file lists, and what acts between them.

    Attributes:
        source: the file, for messages.
        numbers: atomic numbers, shape=(n,); 0 where the file does not tell.
        masses: shape=(n,) [amu].
        atom_types, atom_names, residue_names, residue_numbers: n entries each.
        bonds: pairs of atoms, shape=(m, 2).
        assignment: what acts, without notes that depend on a structure.
        boxed: whether the file speaks of a periodic box; None where it does not say.
        named: whether names of atoms and residues are those of the file.
        of_atoms: other numbers of each atom, such as Born radii, shape=(n,) each.
    """

    source: str
    numbers: np.ndarray
    masses: np.ndarray
    atom_types: tuple[str, ...]
    atom_names: tuple[str, ...]
    residue_names: tuple[str, ...]
    residue_numbers: tuple[int, ...]
    bonds: np.ndarray
    assignment: Assignment
    boxed: bool | None = None
    named: bool = True
    of_atoms: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __call__(self, structure: Structure) -> Assignment:
        """The assignment, for a structure of these atoms.

        Raises:
            InputError: with the first atom that is another.
        """
        return _assigned(self, structure)

    def complete(self, structure: Structure) -> Structure:
        """The structure with what its file did not know: elements, masses, names, residues and bonds.

        Elements that a reader guessed from names of atoms follow the force field where the names agree.

        Raises:
            InputError: with the first atom that is another.
        """
        return _completed(self, structure)

    def require_same_atoms(self, structure: Structure) -> None:
        """Refuses a structure of other atoms."""
        where = structure.path or structure.name
        if structure.size != len(self.numbers):
            raise InputError(
                f"{where}: {structure.size} atoms, but {self.source} lists {len(self.numbers)}; "
                "structure and force field must be of the same system, atoms in the same order"
            )
        if self.named:
            self.names.require_same_order(structure)
        other = self._other_elements(structure)
        if structure.atom_names and structure.residue_names:     # readers guess elements from these names
            for atom in np.flatnonzero(other).tolist():
                other[atom] = not self._same_names(structure, atom)
        if other.any():
            atom = int(np.argmax(other))
            raise InputError(
                f"{where}: atom {atom} is {structure.symbols[atom]}, but {self.source} has {self._described(atom)} there; "
                "structure and force field must list the same atoms in the same order"
            )

    @property
    def names(self) -> AtomNames:
        """What the file calls its atoms."""
        return AtomNames(
            source=self.source, atoms=self.atom_names, residues=self.residue_names, residue_numbers=self.residue_numbers
        )

    def _other_elements(self, structure: Structure) -> np.ndarray:
        return (structure.numbers > 0) & (self.numbers > 0) & (structure.numbers != self.numbers)

    def _same_names(self, structure: Structure, atom: int) -> bool:
        return (structure.atom_names[atom], structure.residue_names[atom]) == (self.atom_names[atom], self.residue_names[atom])

    def _described(self, atom: int) -> str:
        from ase.data import chemical_symbols

        residue = f"{self.residue_names[atom]} {self.residue_numbers[atom]}"
        return f"{chemical_symbols[self.numbers[atom]]} (atom {quotation(self.atom_names[atom])} of residue {quotation(residue)})"


@lru_cache(maxsize=8)
def _assigned(topology: FixedTopology, structure: Structure) -> Assignment:
    topology.require_same_atoms(structure)
    notes = [*topology.assignment.notes, *(topology.names.notes(structure) if topology.named else ())]
    if topology.boxed is not None and topology.boxed != bool(np.any(structure.pbc)):
        of_file, of_structure = ("a periodic box", "none") if topology.boxed else ("no periodic box", "one")
        notes.append(f"{topology.source} speaks of {of_file}, the structure has {of_structure}; that of the structure counts")
    return replace(topology.assignment, notes=tuple(notes), masses=topology.masses)


@lru_cache(maxsize=8)
def _completed(topology: FixedTopology, structure: Structure) -> Structure:
    from ase.data import chemical_symbols

    topology.require_same_atoms(structure)
    known = (structure.numbers > 0) & ~topology._other_elements(structure)
    numbers = np.where(known, structure.numbers, topology.numbers)
    changed = numbers != structure.numbers
    nameless = changed | (structure.numbers == 0)
    named = structure.atom_names and structure.residue_names and structure.residue_numbers
    # The force field has said what the reader guessed.
    told = np.all(topology.numbers > 0) and any(note.startswith(ELEMENTS_OF_NAMES) for note in structure.notes)
    if told:
        structure = replace(structure, notes=tuple(note for note in structure.notes if not note.startswith(ELEMENTS_OF_NAMES)))
    if not nameless.any() and named and (len(structure.bonds) or not len(topology.bonds)):
        return structure    # the same object, for which other functions may remember results
    types = [
        (chemical_symbols[number] if number else own) if new else given
        for new, number, own, given in zip(nameless, numbers, topology.atom_types, structure.types, strict=True)
    ]
    return replace(
        structure,
        numbers=numbers,
        types=tuple(types),
        masses=np.where(nameless, topology.masses, structure.masses),
        atom_names=structure.atom_names or topology.atom_names,
        residue_names=structure.residue_names or topology.residue_names,
        residue_numbers=structure.residue_numbers or topology.residue_numbers,
        bonds=structure.bonds if len(structure.bonds) else topology.bonds,
    )


def kinds_of(names: Mapping[str, Sequence[str]]) -> tuple[np.ndarray, dict[str, tuple[str, ...]], tuple[str, ...]]:
    """Kinds of atoms that are alike in all potentials.

    Args:
        names: label → type of each atom.

    Returns:
        Kind of each atom, shape=(n,); label → type of each kind; a name for each kind.
    """
    kinds: dict[tuple[str, ...], int] = {}
    of_atoms = [kinds.setdefault(own, len(kinds)) for own in zip(*names.values(), strict=True)]
    of_kinds = {label: tuple(own[k] for own in kinds) for k, label in enumerate(names)}
    return np.array(of_atoms, dtype=np.int64), of_kinds, tuple("/".join(dict.fromkeys(own)) for own in kinds)


def elements_of_masses(masses: np.ndarray) -> np.ndarray:
    """Atomic numbers that masses tell, 0 where none is near, shape=(n,); none where mass was moved from heavy atoms to hydrogens."""
    from ase.data import atomic_masses

    if np.any((masses > _HEAVY_HYDROGEN[0]) & (masses < _HEAVY_HYDROGEN[1])):
        return np.zeros(len(masses), dtype=np.int64)
    found = {}
    for mass in np.unique(masses).tolist():
        nearest = int(np.argmin(np.abs(atomic_masses[1:104] - mass))) + 1
        found[mass] = nearest if abs(atomic_masses[nearest] - mass) < _ELEMENT_TOLERANCE else 0
    return np.array([found[mass] for mass in masses.tolist()], dtype=np.int64)
