"""A potential bound to the types and neighbors of one structure, and what it reads of θ."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from md_sensitivity.blocks import at_edges, laid_out
from md_sensitivity.kernels import squares
from md_sensitivity.neighbors import NeighborTable
from md_sensitivity.potentials.base import (
    BondedForm,
    Coefficients,
    EmbeddedForm,
    FieldForm,
    Form,
    ManyBodyForm,
    PairForm,
    WholeForm,
    kinks_of,
    natural_end,
)
from md_sensitivity.potentials.mixing import MIXING_RULES
from md_sensitivity.potentials.truncation import TRUNCATIONS

Theta = Any


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["rows", "own", "scale", "constants", "cutoff", "switch_from", "atoms", "neighbors", "cell"],
    meta_fields=["form", "label", "truncation", "mixing", "options", "borrowed"],
)
@dataclass(frozen=True, kw_only=True)
class BoundTerm:
    """A potential bound to the types and neighbors of one structure.

    Attributes:
        rows: parameter → row of θ for each tuple of types present, shape=(s,) * types; −1 where it follows from mixing.
        own: parameter → row of θ for each type alone, shape=(s,); −1 where there is none.
        scale: parameter → conversion from the file's unit to Å and eV.
        constants: numbers of entries that are no part of θ, in Å and eV, in the order of their rows.
        options: in Å and eV.
        cutoff: [Å]; infinite where there is none or the form has a range of its own. One number, or one for each pair of types,
            shape=(s, s), 0 where the term does not act on a pair.
        switch_from: [Å], of the same shape; equal to the cutoff where nothing is switched.
        atoms: how many rows are atoms, the first ones; the others pad the arrays, and have no energy.
        neighbors: None where none are needed.
        cell: rows are lattice vectors, shape=(3, 3) [Å]; None for forms of edges, which do not need it.
        borrowed: (parameter, label, name): what is read from another potential's part of θ.
    """

    form: Form
    label: str
    truncation: str
    mixing: str
    options: tuple[tuple[str, float], ...]
    rows: dict[str, jax.Array]
    own: dict[str, jax.Array]
    scale: dict[str, jax.Array]
    constants: dict[str, jax.Array]
    cutoff: jax.Array
    switch_from: jax.Array
    atoms: jax.Array
    neighbors: NeighborTable
    cell: jax.Array | None = None
    borrowed: tuple[tuple[str, str, str], ...] = ()


def coefficients(term: BoundTerm, theta: Theta) -> dict[str, jax.Array]:
    """Parameters of each tuple of types in Å, eV and radians, shape=(s,) * types, of a series one more axis.

    Of a bonded form those of each tuple of atoms, shape=(m,).
    """
    options = dict(term.options)
    values = dict(term.constants)
    for name, label, leaf in term.borrowed:
        values[name] = jnp.asarray(theta[label][leaf], dtype=jnp.float64) * term.scale[name]
    for spec in term.form.parameters:
        if not spec.option:
            flat = jnp.asarray(theta[term.label][spec.name], dtype=jnp.float64) * term.scale[spec.name]
            values[spec.name] = flat if spec.count is None else flat.reshape(-1, spec.count(options))
    if term.mixing == "none":
        return {name: values[name][rows] for name, rows in term.rows.items()}
    means = MIXING_RULES[term.mixing]
    table = {}
    for name, rows in term.rows.items():
        own = values[name][term.own[name]]
        mixed = means[name](own[:, None], own[None, :])
        table[name] = jnp.where(rows >= 0, values[name][rows], mixed)
    return table


def tables(term: BoundTerm, theta: Theta) -> Any:
    """What a form reads of θ: tables of types made of the parameters, as its `tables` says, or the parameters themselves."""
    found, form = coefficients(term, theta), term.form
    if not isinstance(form, PairForm | EmbeddedForm) or form.tables is None:
        return found
    return form.tables(found, dict(term.options))


def pair_range(term: BoundTerm, table: Any) -> jax.Array:
    """Distance within which a pair of types interacts, shape=(s, s) [Å]; 0 where it does not interact at all."""
    form, options = term.form, dict(term.options)
    assert not isinstance(form, BondedForm | FieldForm)
    if isinstance(form, ManyBodyForm | WholeForm):
        return jnp.where(term.cutoff > 0, form.pair_range(table, options), 0.0)
    pairs = _pairs(form, table)
    ends = term.cutoff if form.natural_range is None else form.natural_range(pairs, options)
    if isinstance(form, EmbeddedForm):
        return jnp.where(term.cutoff > 0, jnp.broadcast_to(ends, next(iter(pairs.values())).shape), 0.0)
    return jnp.where((form.strength(pairs) != 0) & (term.cutoff > 0), ends, 0.0)


def _pairs(form: Form, table: Any) -> Coefficients:
    return table.pairs if isinstance(form, EmbeddedForm) else table


def range_of(term: BoundTerm, theta: Theta) -> jax.Array:
    """Largest distance at which the term interacts [Å]; it moves with θ where the form has a range of its own."""
    return _natural_range(term, theta) if natural_end(term.form) else jnp.max(term.cutoff) if term.cutoff.ndim else term.cutoff


@jax.jit
def _natural_range(term: BoundTerm, theta: Theta) -> jax.Array:
    return jnp.max(pair_range(term, tables(term, theta)))


def has_kinks(term: BoundTerm) -> bool:
    """Whether the first or second derivative of the term's energy jumps at some distance, be it one that is infinite."""
    kinks = kinks_of(term.form)
    if natural_end(term.form):
        return kinks is not None
    return kinks is not None or TRUNCATIONS[term.truncation].smooth < 2


def endless(term: BoundTerm) -> bool:
    """Whether a term whose values are known on the host has no range at all, so that it has no kinks either."""
    return not natural_end(term.form) and bool(np.any(np.isinf(term.cutoff)))


def kink_gaps(term: BoundTerm, x: jax.Array, kinds: jax.Array, theta: Theta) -> tuple[jax.Array, ...]:
    """How far each pair is from distances where the first or second derivative of its energy jumps, shape=(rows, e) [Å] each.

    Negative inside; infinite for padding. None at all where the term has no such distance: then its response is continuous.
    """
    table, square = tables(term, theta), squares(term.neighbors, x)
    ends: list[jax.Array] = []
    if not natural_end(term.form) and TRUNCATIONS[term.truncation].smooth < 2:
        ends.append(pair_range(term, table))
    if (kinks := kinks_of(term.form)) is not None:
        ends += (jnp.where(term.cutoff > 0, end, 0.0) for end in kinks(_pairs(term.form, table), dict(term.options)))
    rows, space = laid_out(term.neighbors, kinds, x, None)
    found = []
    for end in ends:
        reach = at_edges(end, rows, space)
        found.append(jnp.where((reach > 0) & jnp.isfinite(square), jnp.sqrt(square) - reach, jnp.inf))
    return tuple(found)


def acting(term: BoundTerm, x: jax.Array, kinds: jax.Array, theta: Theta) -> jax.Array:
    """Whether the two atoms of an entry interact at x, shape=(rows, e)."""
    return squares(term.neighbors, x) < _reach(term, x, kinds, theta) ** 2


def _reach(term: BoundTerm, x: jax.Array, kinds: jax.Array, theta: Theta) -> jax.Array:
    rows, space = laid_out(term.neighbors, kinds, x, None)
    return at_edges(pair_range(term, tables(term, theta)), rows, space)
