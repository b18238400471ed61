"""Which species of a force field the atoms of a structure are."""

from __future__ import annotations

from md_sensitivity.forcefields.data import ForceField
from md_sensitivity.types import Structure


def species_of(force_field: ForceField, structure: Structure) -> tuple[str, ...]:
    """The name of each atom in the force field.

    That is its type; where the force field knows none of the types, its chemical symbol. What this leaves unknown is looked up among
    the aliases of the types, where these are complete. The one type of a LAMMPS input that has but a number is the one type of a
    structure.
    """
    known, types, aliases = force_field.species, set(structure.types), force_field.aliases
    names = structure.symbols if known.isdisjoint(types) and not known.isdisjoint(structure.symbols) else structure.types
    if known.issuperset(names):
        return names
    if types.issubset(known | aliases.keys()):
        return tuple(aliases.get(name, name) for name in structure.types)
    only = next(iter(known)) if len(known) == 1 else ""
    if only.isdecimal() and len(types) == 1 and len(set(structure.symbols)) == 1:
        return (only,) * len(structure.types)
    return names
