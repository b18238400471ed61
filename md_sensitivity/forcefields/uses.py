"""What each parameter acts on in a structure: for people who meet a name such as `Coulomb.243.q`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from md_sensitivity.forcefields.assignment import assignment_of
from md_sensitivity.forcefields.data import ForceField
from md_sensitivity.forcefields.table import ParameterBlock
from md_sensitivity.forcefields.topology import Assignment, Pairs, Tuples
from md_sensitivity.potentials.base import SCALE
from md_sensitivity.types import Structure


@dataclass(frozen=True, kw_only=True)
class Use:
    """What one parameter acts on.

    Attributes:
        count: number of atoms, or of bonds, angles, torsions and pairs.
        atoms: the first of them, by numbers from 0; for two types the first atom of each.
        names: of these atoms, such as `LYS5:NZ`, joined by `-`.
    """

    count: int
    atoms: tuple[int, ...]
    names: str


def uses_of(force_field: ForceField, structure: Structure) -> dict[int, Use]:
    """Index of a parameter in ravel order → what it acts on; those that act on nothing, or only by what follows them, are not there.

    Raises:
        InputError: where force field and structure do not fit.
    """
    found = assignment_of(force_field, structure)
    known = _by_rows(found)
    of_types = _by_types(found)
    uses: dict[int, Use] = {}
    start = 0
    for block in force_field.table.blocks:
        use = _use(block, known, of_types)
        if use is not None:
            count, atoms = use
            named = Use(count=count, atoms=atoms, names="-".join(_name(structure, atom) for atom in atoms))
            uses.update(dict.fromkeys(range(start, start + len(block.values)), named))
        start += len(block.values)
    return uses


_Found = tuple[int, tuple[int, ...]]
"""Number, and atoms of the first."""


def _use(
    block: ParameterBlock, known: dict[tuple[str, str], dict[int, _Found]], of_types: dict[str, dict[str, _Found]]
) -> _Found | None:
    if block.leaf == SCALE.name:
        return known.get((block.label, SCALE.name), {}).get(block.start)
    if (block.label, "") in known:
        return known[block.label, ""].get(block.start // (len(block.values) if block.series else 1))
    own = [of_types.get(block.label, {}).get(name) for name in dict.fromkeys(block.types)]
    there = [each for each in own if each is not None]
    if not there or len(there) < len(own):
        return None
    return sum(count for count, _ in there), tuple(atom for _, atoms in there for atom in atoms)


def _by_rows(found: Assignment) -> dict[tuple[str, str], dict[int, _Found]]:
    """Label, and "" or the name of the scale → row → the bonded interactions or pairs that have it."""
    listed: dict[tuple[str, str], Tuples | Pairs] = {(label, ""): tuples for label, tuples in found.tuples.items()}
    listed |= {(label, SCALE.name): pairs for label, pairs in found.pairs.items()}
    known: dict[tuple[str, str], dict[int, _Found]] = {}
    for key, each in listed.items():
        rows, firsts, counts = np.unique(each.rows, return_index=True, return_counts=True)
        places = zip(rows.tolist(), counts.tolist(), each.atoms[firsts].tolist(), strict=True)
        known[key] = {row: (count, tuple(atoms)) for row, count, atoms in places if row >= 0}
    return known


def _by_types(found: Assignment) -> dict[str, dict[str, _Found]]:
    """Label → type → the atoms that have it."""
    kinds, firsts, counts = (each.tolist() for each in np.unique(found.kinds, return_index=True, return_counts=True))
    of_types: dict[str, dict[str, _Found]] = {}
    for label, names in found.names.items():
        own = of_types.setdefault(label, {})
        for kind, first, count in sorted(zip(kinds, firsts, counts, strict=True), key=lambda each: each[1]):
            before, atoms = own.get(names[kind], (0, (first,)))
            own[names[kind]] = before + count, atoms
    return of_types


def _name(structure: Structure, atom: int) -> str:
    """Residue and name of an atom, or its type and number where nobody named it."""
    names, residues, numbers = structure.atom_names, structure.residue_names, structure.residue_numbers
    if names and residues and numbers:
        return f"{residues[atom]}{numbers[atom]}:{names[atom]}"
    labels: Sequence[str] = names or structure.types
    return f"{labels[atom]}[{atom}]"
