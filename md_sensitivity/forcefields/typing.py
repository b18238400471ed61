"""Which species of a force field the atoms of a structure are, and which parameters act on them."""

from __future__ import annotations

from md_sensitivity.forcefields.data import ForceField
from md_sensitivity.types import Structure


def species_of(force_field: ForceField, structure: Structure) -> tuple[str, ...]:
    """The name of each atom in the force field: its type, or its chemical symbol where the force field knows none of the types."""
    known = force_field.species
    if known.isdisjoint(structure.types) and not known.isdisjoint(structure.symbols):
        return structure.symbols
    return structure.types


def acting_rows(force_field: ForceField, structure: Structure) -> list[int]:
    """Indices of the parameters whose type tuple occurs in the structure, in ravel order."""
    present = set(species_of(force_field, structure))
    return [i for i, row in enumerate(force_field.table.rows) if present.issuperset(row.types)]
