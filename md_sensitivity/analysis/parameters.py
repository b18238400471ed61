"""Which parameters of a force field are differentiated for a structure, and the directions they stand for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from md_sensitivity.forcefields import ForceField, ParameterRow, acting_rows, species_of
from md_sensitivity.potentials.mixing import MIXING_RULES, geometric_mean
from md_sensitivity.types import Structure


@dataclass(frozen=True, kw_only=True, eq=False)
class Selection:
    """The chosen parameters, p of them, in ravel order.

    Attributes:
        indices: positions in the parameter table.
        rows: the rows themselves.
        directions: unit steps of each, a tree like θ with a leading axis p.
        undefined: parameter → reason why no derivative with respect to it exists.
        notes: what was left out, and why.
    """

    indices: tuple[int, ...]
    rows: tuple[ParameterRow, ...]
    directions: dict[str, dict[str, np.ndarray]]
    undefined: dict[str, str]
    notes: tuple[str, ...]

    @property
    def values(self) -> np.ndarray:
        """Values in the file's own units, shape=(p,)."""
        return np.array([row.value for row in self.rows])

    @property
    def scales(self) -> np.ndarray:
        """Natural size of a change of each parameter: its value, or one unit where it is zero; shape=(p,)."""
        return np.array([abs(row.value) if row.value != 0 else 1.0 for row in self.rows])


def select_parameters(force_field: ForceField, structure: Structure, patterns: Sequence[str]) -> Selection:
    """Parameters that the patterns name (default: every free one) and that act on the structure.

    Raises:
        UsageError: where a pattern matches no parameter.
    """
    table = force_field.table
    acting = set(acting_rows(force_field, structure))
    wanted = table.matching(patterns) if patterns else [i for i, row in enumerate(table.rows) if row.free]
    indices = tuple(i for i in wanted if i in acting)
    notes = []
    if patterns and len(indices) < len(wanted):
        absent = [table.rows[i].name for i in wanted if i not in acting]
        notes.append(f"{len(absent)} chosen parameters speak of types that the structure has not: {', '.join(absent[:5])}")
    rows = tuple(table.rows[i] for i in indices)
    return Selection(
        indices=indices,
        rows=rows,
        directions=stacked(force_field, _units(indices, len(table))),
        undefined=_undefined(force_field, structure, rows),
        notes=tuple(notes),
    )


def _units(indices: Sequence[int], size: int) -> np.ndarray:
    """Unit vectors along some of `size` axes, as rows."""
    vectors = np.zeros((len(indices), size))
    vectors[np.arange(len(indices)), list(indices)] = 1.0
    return vectors


def stacked(force_field: ForceField, vectors: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
    """Rows of shape=(p, all parameters) as a tree like θ with a leading axis p."""
    return force_field.table.unravel(vectors)


def _undefined(force_field: ForceField, structure: Structure, rows: Sequence[ParameterRow]) -> dict[str, str]:
    """Parameters that enter a geometric mean √(ab) at zero, where its derivative does not exist."""
    present = set(species_of(force_field, structure))
    terms = {term.label: term for term in force_field.terms}
    reasons: dict[str, str] = {}
    for row in rows:
        term = terms[row.label]
        geometric = term.mixing != "none" and MIXING_RULES[term.mixing].get(row.parameter) is geometric_mean
        if not geometric or row.value != 0 or len(set(row.types)) > 1:
            continue
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
        if partners:
            reasons[row.name] = (
                f"the derivative with respect to {row.name} does not exist: it is zero, and enters a geometric mean with "
                f"{partners[0].name}"
            )
    return reasons
