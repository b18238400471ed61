"""Parameters that follow others: θ = R(masters), where the masters are the numbers that are free to be changed.

E sees all of θ, a plain tree. Derivatives are reported with respect to masters: along a master, θ moves by the column of R's Jacobian.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

import numpy as np
from scipy.sparse import coo_array, csr_array

from md_sensitivity.errors import InputError
from md_sensitivity.files import shortened
from md_sensitivity.forcefields.expressions import Dimension, ExpressionError, Node, dimension, evaluate, names_in, parse, slope
from md_sensitivity.forcefields.table import VARIABLE, ParameterTable


@dataclass(frozen=True, kw_only=True)
class Relation:
    """One parameter that follows others.

    Attributes:
        name, target: the parameter, and its position in ravel order.
        sources: name → position of each parameter that the expression reads.
        expression: of `sources`.
    """

    name: str
    target: int
    sources: Mapping[str, int]
    expression: Node


@dataclass(frozen=True, kw_only=True)
class Relations:
    """All relations of a force field, each after those that it builds on."""

    items: tuple[Relation, ...] = ()

    def __len__(self) -> int:
        return len(self.items)

    def applied(self, vector: np.ndarray) -> np.ndarray:
        """θ in ravel order with all that follows computed anew; not finite where an expression is not."""
        found = np.array(vector, dtype=np.float64)
        with np.errstate(all="ignore"):
            for relation in self.items:
                known = {name: found[place] for name, place in relation.sources.items()}
                found[relation.target] = evaluate(relation.expression, known)
        return found

    def consistent(self, theta: Any, table: ParameterTable) -> Any:
        """The same for a tree of JAX arrays, under any transformation."""
        import jax.numpy as jnp

        for relation in self.items:
            known = {name: _entry(theta, table, place) for name, place in relation.sources.items()}
            row = table.rows[relation.target]
            label, leaf = row.place
            value = evaluate(relation.expression, known, jnp)
            theta = {**theta, label: {**theta[label], leaf: jnp.asarray(theta[label][leaf]).at[row.index].set(value)}}
        return theta

    def jacobian(self, vector: np.ndarray) -> csr_array:
        """R's Jacobian at θ: rows are all of θ, columns as well, those of parameters that follow others zero; shape=(p, p)."""
        size, targets = len(vector), {relation.target for relation in self.items}
        masters = sorted({place for relation in self.items for place in relation.sources.values()} - targets)
        tangents = {place: row for place, row in zip(masters, np.eye(len(masters)), strict=True)}
        zero, values = np.zeros(len(masters)), np.array(vector, dtype=np.float64)
        with np.errstate(all="ignore"):
            for relation in self.items:
                known = {name: values[place] for name, place in relation.sources.items()}
                moved = {name: tangents[place] for name, place in relation.sources.items()}
                values[relation.target], tangents[relation.target] = slope(relation.expression, known, moved, zero)
        own = np.setdiff1d(np.arange(size), sorted(targets))
        rows, columns, entries = [own], [own], [np.ones(len(own))]
        for target in sorted(targets):
            found = np.flatnonzero(tangents[target])
            rows.append(np.full(len(found), target))
            columns.append(np.asarray(masters, dtype=np.int64)[found])
            entries.append(tangents[target][found])
        joined = (np.concatenate(entries), (np.concatenate(rows), np.concatenate(columns)))
        return coo_array(joined, shape=(size, size)).tocsr()

    def acting(self, mask: np.ndarray) -> np.ndarray:
        """Which numbers act where those of `mask` do, shape=(p,): also what they follow."""
        found = mask.copy()
        for relation in reversed(self.items):
            if found[relation.target]:
                found[list(relation.sources.values())] = True
        return found


NO_RELATIONS = Relations()


def _entry(theta: Any, table: ParameterTable, place: int) -> Any:
    row = table.rows[place]
    label, leaf = row.place
    return theta[label][leaf][row.index]


def relations_of(table: ParameterTable, dimensions: Callable[[int], Dimension] | None, place_of: Callable[[int], str]) -> Relations:
    """Relations that the rows of a table speak of, in the order of evaluation.

    Args:
        dimensions: position → dimension of a parameter; None in reduced units, where there are none.
        place_of: position → file and place, for messages.

    Raises:
        InputError: where an expression makes no sense, or parameters follow each other in a circle.
    """
    found: dict[int, Relation] = {}
    for position in np.flatnonzero(table.dependent).tolist():
        row = table.rows[position]
        try:
            node = parse(row.follows, lambda word, label=row.label: _full_name(table, label, word))  # type: ignore[misc]
            sources = {name: table.position(name) for name in names_in(node)}
            if not sources:
                raise ExpressionError("reads no parameter; give the value itself")
            if dimensions is not None:
                _require_dimension(node, {name: dimensions(place) for name, place in sources.items()}, dimensions(position))  # type: ignore[arg-type]
        except ExpressionError as error:
            raise InputError(f"{place_of(position)} = {shortened(row.follows)}: {error}") from None
        found[position] = Relation(name=row.name, target=position, sources=sources, expression=node)  # type: ignore[arg-type]
    return Relations(items=tuple(found[position] for position in _ordered(found, place_of)))


def _full_name(table: ParameterTable, label: str, word: str) -> str | None:
    """A name as it may be written: in full, without the label of the same potential, or that of a variable alone."""
    candidates = (word, f"{label}.{word}", f"{VARIABLE}.{word}")
    return next((name for name in candidates if table.position(name) is not None), None)


def _require_dimension(node: Node, known: Mapping[str, Dimension], wanted: Dimension) -> None:
    if not np.allclose(dimension(node, known), wanted, rtol=0.0, atol=1e-9):
        raise ExpressionError("has another unit than the parameter that follows it")


def _ordered(found: Mapping[int, Relation], place_of: Callable[[int], str]) -> Sequence[int]:
    graph = {position: [place for place in relation.sources.values() if place in found] for position, relation in found.items()}
    try:
        return tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        circle = error.args[1]
        names = " → ".join(found[place].name for place in circle)
        raise InputError(f"{place_of(circle[0])}: follows itself: {names}") from None
