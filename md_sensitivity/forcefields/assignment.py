"""Which atoms of a structure have which numbers of a force field: by the types of the structure, or as the force field itself types."""

from __future__ import annotations

import numpy as np

from md_sensitivity.forcefields.bonding import bonded_tuples, excluded_pairs
from md_sensitivity.forcefields.data import ForceField
from md_sensitivity.forcefields.table import VARIABLE
from md_sensitivity.forcefields.topology import Assignment
from md_sensitivity.forcefields.typing import species_of
from md_sensitivity.potentials.base import SCALE, BondedForm
from md_sensitivity.types import Structure


def assignment_of(force_field: ForceField, structure: Structure) -> Assignment:
    """What a force field assigns to the atoms of a structure.

    Raises:
        InputError: where the structure does not fit.
    """
    if force_field.typing is not None:
        return force_field.typing(structure)
    names = species_of(force_field, structure)
    species = tuple(sorted(set(names)))
    lookup = {name: i for i, name in enumerate(species)}
    return Assignment(
        kinds=np.array([lookup[name] for name in names], dtype=np.int32),
        species=species,
        names={term.label: species for term in force_field.terms if not isinstance(term.form, BondedForm)},
        tuples=bonded_tuples(force_field, structure, names),
        pairs=excluded_pairs(force_field, structure),
    )


def acting_rows(force_field: ForceField, structure: Structure) -> list[int]:
    """Indices of the parameters that occur in the energy of the structure, and of those that such parameters follow, in ravel order."""
    found = assignment_of(force_field, structure)
    present = {label: {names[kind] for kind in np.unique(found.kinds)} for label, names in found.names.items()}
    used: dict[tuple[str, str], set[int]] = {}
    for label, tuples in found.tuples.items():
        used[label, ""] = set(np.unique(tuples.rows).tolist())
    for label, pairs in found.pairs.items():
        used[label, SCALE.name] = set(np.unique(pairs.rows).tolist())
    own = []
    for block in force_field.table.blocks:
        if block.label == VARIABLE:
            own.append(False)
        elif block.leaf == SCALE.name:
            own.append(block.start in used.get((block.label, SCALE.name), ()))
        elif (block.label, "") in used:
            own.append(block.start // (len(block.values) if block.series else 1) in used[block.label, ""])
        else:
            own.append(present.get(block.label, set()).issuperset(block.types))
    mask = np.repeat(np.array(own, dtype=bool), [len(block.values) for block in force_field.table.blocks])
    return np.flatnonzero(force_field.relations.acting(mask)).tolist()  # type: ignore[no-any-return]
