"""Which species of a force field the atoms of a structure are, and which parameters act on them."""

from __future__ import annotations

import numpy as np

from md_sensitivity.forcefields.data import ForceField
from md_sensitivity.forcefields.table import VARIABLE
from md_sensitivity.types import Structure


def species_of(force_field: ForceField, structure: Structure) -> tuple[str, ...]:
    """The name of each atom in the force field: its type, or its chemical symbol where the force field knows none of the types."""
    known = force_field.species
    if known.isdisjoint(structure.types) and not known.isdisjoint(structure.symbols):
        return structure.symbols
    return structure.types


def acting_rows(force_field: ForceField, structure: Structure) -> list[int]:
    """Indices of the parameters whose type tuple occurs in the structure, and of those that such parameters follow, in ravel order."""
    present = set(species_of(force_field, structure))
    own = [block.label != VARIABLE and present.issuperset(block.types) for block in force_field.table.blocks]
    mask = np.repeat(np.array(own, dtype=bool), [len(block.values) for block in force_field.table.blocks])
    return np.flatnonzero(force_field.relations.acting(mask)).tolist()  # type: ignore[no-any-return]
