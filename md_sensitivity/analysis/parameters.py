"""Which parameters of a force field are differentiated for a structure, and the directions they stand for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from md_sensitivity.analysis.directions import Directions, directions_of
from md_sensitivity.forcefields import ForceField, ParameterRow, Parameters, acting_rows, species_of
from md_sensitivity.potentials.mixing import MIXING_RULES, geometric_mean
from md_sensitivity.types import Structure


@dataclass(frozen=True, kw_only=True, eq=False)
class Selection:
    """The chosen parameters, p of them, in ravel order.

    Attributes:
        indices: positions in the parameter table.
        rows: the rows themselves.
        steps: unit steps of each, with what follows it.
        undefined: parameter → reason why no derivative with respect to it exists.
        notes: what was left out, and why.
    """

    indices: tuple[int, ...]
    rows: Sequence[ParameterRow]
    steps: Directions
    undefined: dict[str, str]
    notes: tuple[str, ...] = field(default=())

    @property
    def directions(self) -> Parameters:
        """The steps with all their zeros, a tree like θ with a leading axis p."""
        return self.steps.tree

    @property
    def names(self) -> list[str]:
        """Full names."""
        return self.steps.table.rows.taken(self.indices).names

    @property
    def values(self) -> np.ndarray:
        """Values in the file's own units, shape=(p,)."""
        return self.steps.table.values[list(self.indices)]

    @property
    def scales(self) -> np.ndarray:
        """Natural size of a change of each parameter: its value, or one unit where it is zero; shape=(p,)."""
        return np.where(self.values != 0, np.abs(self.values), 1.0)


def select_parameters(
    force_field: ForceField, structure: Structure, patterns: Sequence[str], others: Sequence[Structure] = ()
) -> Selection:
    """Parameters that the patterns name (default: every free one) and that act on the structure, or on one of the others.

    Raises:
        UsageError: where a pattern matches no parameter, or one that follows others.
    """
    table = force_field.table
    acting = np.zeros(len(table), dtype=bool)
    for each in (structure, *others):
        acting[acting_rows(force_field, each)] = True
    wanted = table.choosable(patterns) if patterns else np.flatnonzero(table.free).tolist()
    indices = tuple(i for i in wanted if acting[i])
    notes = []
    if patterns and len(indices) < len(wanted):
        absent = [table.rows.name(i) for i in wanted if not acting[i]]
        notes.append(f"{len(absent)} chosen parameters speak of types that the structure has not: {', '.join(absent[:5])}")
    steps = directions_of(force_field, indices)
    undefined: dict[str, str] = {}
    for each in (structure, *others):
        undefined |= _undefined(force_field, each, indices, steps)
    return Selection(
        indices=indices,
        rows=table.rows.taken(indices),
        steps=steps,
        undefined=undefined,
        notes=tuple(notes),
    )


def _undefined(force_field: ForceField, structure: Structure, indices: Sequence[int], steps: Directions) -> dict[str, str]:
    """Parameters that enter a geometric mean √(ab) at zero, where its derivative does not exist."""
    table = force_field.table
    mixed = {term.label for term in force_field.terms if term.mixing != "none"}
    if not mixed:
        return {}
    present = set(species_of(force_field, structure))
    reasons: dict[str, str] = {}
    for place, index in enumerate(indices):
        for moved in steps.matrix[[place]].indices:
            row = table.rows[int(moved)]
            reason = _zero_mean(force_field, row, present) if row.label in mixed and row.value == 0 else ""
            if reason:
                name = table.rows.name(index)
                reasons[name] = f"the derivative with respect to {name} does not exist: {reason}"
    return reasons


def _zero_mean(force_field: ForceField, row: ParameterRow, present: Iterable[str]) -> str:
    """With what a parameter of value zero has a geometric mean; "" where there is none."""
    term = next(term for term in force_field.terms if term.label == row.label)
    if MIXING_RULES[term.mixing].get(row.parameter) is not geometric_mean or len(set(row.types)) > 1:
        return ""
    own = row.types[0]
    explicit = {frozenset(types) for types in term.rows[row.parameter]}
    partners = [
        other
        for other in force_field.table.rows
        if other.label == row.label
        and other.parameter == row.parameter
        and len(set(other.types)) == 1
        and other.types[0] != own
        and other.types[0] in present
        and other.value != 0
        and frozenset((own, other.types[0])) not in explicit
    ]
    return f"it is zero, and enters a geometric mean with {partners[0].name}" if partners else ""
