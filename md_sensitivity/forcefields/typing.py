"""Which species of a force field the atoms of a structure are, and which parameters act on them."""

from __future__ import annotations

import numpy as np

from md_sensitivity.forcefields.data import ForceField
from md_sensitivity.forcefields.table import VARIABLE
from md_sensitivity.types import Structure


def species_of(force_field: ForceField, structure: Structure) -> tuple[str, ...]:
    """The name of each atom in the force field.

    That is its type where the force field knows all types, else its chemical symbol where it knows all of these, else what the aliases
    make of the type. Where all of that leaves names that nobody knows, types are preferred to symbols. The one type of a LAMMPS input
    that has but a number is the one type of a structure.
    """
    known, types, aliases = force_field.species, set(structure.types), force_field.aliases
    if known.issuperset(types):
        return structure.types
    if known.issuperset(structure.symbols):
        return structure.symbols
    if types.issubset(known | aliases.keys()):
        return tuple(aliases.get(name, name) for name in structure.types)
    if not known.isdisjoint(types):
        return structure.types
    if not known.isdisjoint(structure.symbols):
        return structure.symbols
    only = next(iter(known)) if len(known) == 1 else ""
    if only.isdecimal() and len(types) == 1 and len(set(structure.symbols)) == 1:
        return (only,) * len(structure.types)
    return structure.types


def acting_rows(force_field: ForceField, structure: Structure) -> list[int]:
    """Indices of the parameters whose type tuple occurs in the structure, and of those that such parameters follow, in ravel order."""
    present = set(species_of(force_field, structure))
    own = [block.label != VARIABLE and present.issuperset(block.types) for block in force_field.table.blocks]
    mask = np.repeat(np.array(own, dtype=bool), [len(block.values) for block in force_field.table.blocks])
    return np.flatnonzero(force_field.relations.acting(mask)).tolist()  # type: ignore[no-any-return]
