"""Which row of θ speaks for which tuple of types, and whether a force field knows all of them."""

from __future__ import annotations

from itertools import product

import numpy as np

from md_sensitivity.errors import InputError
from md_sensitivity.forcefields.data import ForceField, Term, join_types
from md_sensitivity.forcefields.topology import Assignment
from md_sensitivity.potentials.base import BondedForm, EmbeddedForm, PairForm, types_of
from md_sensitivity.types import Structure


def row_tables(term: Term, names: tuple[str, ...]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Rows of θ for each tuple of the kinds present, and for each kind alone where mixing uses it.

    Args:
        names: type of each kind in the term's own words; several kinds may share one.
    """
    rows: dict[str, np.ndarray] = {}
    own: dict[str, np.ndarray] = {}
    specs = {spec.name: spec for spec in term.form.parameters}
    types_present = tuple(dict.fromkeys(names))
    of_kind = np.array([types_present.index(name) for name in names], dtype=np.int64)
    for name, tuples in term.rows.items():
        if name not in specs:
            continue
        order = types_of(specs[name], term.form)
        symmetric = isinstance(term.form, PairForm | EmbeddedForm) and order == 2 and not specs[name].ordered
        index: dict[tuple[str, ...], int] = {}
        for row, types in enumerate(tuples):
            full = types * order if len(types) == 1 else types
            index[full] = row
            if symmetric:
                index[full[::-1]] = row
        table = np.full((len(types_present),) * order, -1, dtype=np.int32)
        for place in product(range(len(types_present)), repeat=order):
            table[place] = index.get(tuple(types_present[i] for i in place), -1)
        table = table[np.ix_(*[of_kind] * order)] if order else table
        rows[name] = table
        own[name] = np.diagonal(table).copy() if order == 2 else np.zeros(0, dtype=np.int32)
    return rows, own


def require_parameters(force_field: ForceField, structure: Structure, assigned: Assignment) -> None:
    """Raises InputError where the force field lacks parameters for types of the structure."""
    missing = []
    for term in force_field.terms:
        if isinstance(term.form, BondedForm):
            continue
        species = tuple(dict.fromkeys(assigned.names[term.label]))
        rows, own = row_tables(term, species)
        if term.mixing != "none":
            incomplete = [
                name for i, name in enumerate(species) if any(table[i] < 0 for table in own.values()) and term.acts((name,), species)
            ]
            missing += [f"{term.label}.{name}" for name in incomplete]
            continue
        absent = {
            tuple(species[i] for i in place) for table in rows.values() for place in np.argwhere(table < 0)
        }
        absent = {types for types in absent if term.acts(types, species)}
        if isinstance(term.form, PairForm | EmbeddedForm):
            absent = {min(types, types[::-1]) for types in absent}
        missing += [f"{term.label}.{join_types(types)}" for types in sorted(absent)]
    if missing:
        shown = ", ".join(missing[:12]) + (f" and {len(missing) - 12} more" if len(missing) > 12 else "")
        raise InputError(
            f"{where_of(force_field)}: no parameters for {shown}, which occur in {structure.path or structure.name}; "
            f"the force field knows {', '.join(sorted(force_field.species))}"
        )


def where_of(force_field: ForceField) -> str:
    """The file of a force field, or its name, for messages."""
    return force_field.path or force_field.name
