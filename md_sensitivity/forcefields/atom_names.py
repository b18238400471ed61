"""Atoms of a structure and of a file that lists all its atoms, compared by their names: the same order, or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from md_sensitivity.errors import InputError
from md_sensitivity.files import printable, quotation, shown
from md_sensitivity.forcefields.residue_names import UNLIKE, letters_of, same_residue, standard_atom, standard_residue
from md_sensitivity.structures.residues import residue_labels
from md_sensitivity.types import Structure

_LISTED = 3


@dataclass(frozen=True, kw_only=True, eq=False)
class AtomNames:
    """What a file calls its atoms.

    Attributes:
        source: the file, for messages.
        atoms, residues, residue_numbers: n entries each.
    """

    source: str
    atoms: Sequence[str]
    residues: Sequence[str]
    residue_numbers: Sequence[object]

    def require_same_order(self, structure: Structure) -> None:
        """Refuses a structure that has atoms of a residue in another order; one without names passes.

        Raises:
            InputError: with the first such atom.
        """
        if not structure.atom_names or tuple(structure.atom_names) == tuple(self.atoms):
            return
        own, others = [standard_atom(name) for name in structure.atom_names], [standard_atom(name) for name in self.atoms]
        for first, end in self._blocks():
            here, there = own[first:end], others[first:end]
            if here != there and sorted(here) == sorted(there):
                atom = next(i for i in range(first, end) if own[i] != others[i])
                raise InputError(
                    f"{shown(structure.path or structure.name)}: atom {atom} is {_named(structure, atom)}, but {self.source} has "
                    f"{self._named(atom)} there: both list the same atoms of this residue in another order; sort the atoms of the "
                    "structure like those of the force field, or make both anew from one structure"
                )

    def notes(self, structure: Structure) -> tuple[str, ...]:
        """What a person should know of names that no two conventions explain."""
        known = (tuple(self.atoms), tuple(self.residues))
        if not structure.atom_names or (structure.atom_names, structure.residue_names) == known:
            return ()
        symbols = [symbol.upper() for symbol in structure.symbols]
        strange: list[int] = []
        for first, end in self._blocks():
            strange += self._strange(structure, symbols, first, end)
        if not strange:
            return ()
        parts = [f"atom {i} is {_named(structure, i)}, not {self._named(i)}" for i in strange[:_LISTED]]
        more = f"; and {len(strange) - _LISTED} more" if len(strange) > _LISTED else ""
        count = "1 name of the structure is" if len(strange) == 1 else f"{len(strange)} names of the structure are"
        return (f"{count} not as in {self.source}: {'; '.join(parts)}{more}; are the atoms in the same order?",)

    def _strange(self, structure: Structure, symbols: Sequence[str], first: int, end: int) -> list[int]:
        """Atoms of a residue that have strange names; its first atom where the residue itself has one."""
        residue = self.residues[first]
        if end - first == 1:    # an ion, whose element says it
            return []
        given = structure.residue_names[first:end] or (residue,) * (end - first)
        capped = [standard_residue(name) in UNLIKE for name in given]     # a cap may belong to the residue beside it
        other = [first + k for k, name in enumerate(given) if not capped[k] and not same_residue(name, residue)]
        if other:
            return other[:1]
        own, others = structure.atom_names[first:end], self.atoms[first:end]
        if standard_residue(residue) in UNLIKE or all(capped) or any(_only_elements(names, symbols[first:end]) for names in (own, others)):
            return []
        pairs = enumerate(zip(own, others, strict=True))
        return [first + k for k, (a, b) in pairs if not capped[k] and letters_of(a) != letters_of(b)]

    def _blocks(self) -> list[tuple[int, int]]:
        """First atom of each residue, and the one behind its last."""
        labels = residue_labels(self.residues, self.residue_numbers)
        starts = [i for i in range(len(labels)) if i == 0 or labels[i] != labels[i - 1]]
        return list(pairwise([*starts, len(labels)]))

    def _named(self, atom: int) -> str:
        return f"{quotation(self.atoms[atom])} of residue {quotation(f'{self.residues[atom]} {self.residue_numbers[atom]}')}"


def _only_elements(names: Sequence[str], symbols: Sequence[str]) -> bool:
    """Whether names tell no more than elements, perhaps with running numbers."""
    return all("".join(filter(str.isalpha, name)).upper() == symbol for name, symbol in zip(names, symbols, strict=True))


def _named(structure: Structure, atom: int) -> str:
    name = quotation(structure.atom_names[atom])
    if not (structure.residue_names and structure.residue_numbers):
        return name
    return f"{name} of residue {quotation(printable(f'{structure.residue_names[atom]} {structure.residue_numbers[atom]}'))}"
