"""Terms bound to a structure, and the one rule by which all of them are differentiated.

Each form is a function of edge vectors r_ij = x_j − x_i + image. The energy carries a custom derivative rule: its gradient with
respect to positions is *gathered* over the full neighbor table (for pair and embedded forms −2 Σ_j g_ij; for many-body forms
Σ_j (g_ji − g_ij) through the table of opposite entries), where g is the gradient with respect to edges, which is local. Hessian
products and mixed derivatives are derivatives of that gather and hold no scatter. Strain derivatives are Σ g ⊗ r. The sums themselves
are in `kernels.py`. Forms of all atoms at once are differentiated as they stand (`whole.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero

from md_sensitivity.blocks import Block, Space, at_edges, laid_out
from md_sensitivity.kernels import (
    atoms_of,
    embedded_energy,
    embedded_gradient,
    embedded_strain,
    many_body_energy,
    many_body_gradient,
    many_body_strain,
    pair_energy,
    pair_gradient,
    pair_strain,
    squares,
)
from md_sensitivity.neighbors import NeighborTable, displacement
from md_sensitivity.potentials.base import Coefficients, EmbeddedForm, Form, ManyBodyForm, PairForm, WholeForm, natural_end
from md_sensitivity.potentials.mixing import MIXING_RULES
from md_sensitivity.potentials.truncation import TRUNCATIONS
from md_sensitivity.whole import whole_energy, whole_gradient, whole_strain

Theta = Any


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["rows", "own", "scale", "constants", "cutoff", "switch_from", "atoms", "neighbors", "cell"],
    meta_fields=["form", "label", "truncation", "mixing", "options"],
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
        cell: rows are lattice vectors, shape=(3, 3) [Å]; None for forms of edges, which do not need it.
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


def coefficients(term: BoundTerm, theta: Theta) -> dict[str, jax.Array]:
    """Parameters of each tuple of types in Å and eV, shape=(s,) * types, of a series one more axis."""
    options = dict(term.options)
    values = dict(term.constants)
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
    if isinstance(form, ManyBodyForm | WholeForm) or form.tables is None:
        return found
    return form.tables(found, dict(term.options))


def pair_range(term: BoundTerm, table: Any) -> jax.Array:
    """Distance within which a pair of types interacts, shape=(s, s) [Å]; 0 where it does not interact at all."""
    form, options = term.form, dict(term.options)
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
    if natural_end(term.form):
        return term.form.kinks is not None
    return term.form.kinks is not None or TRUNCATIONS[term.truncation].smooth < 2


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
    if term.form.kinks is not None:
        ends += (jnp.where(term.cutoff > 0, end, 0.0) for end in term.form.kinks(_pairs(term.form, table), dict(term.options)))
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


class _Kernels(NamedTuple):
    """What a kind of form contributes; each function takes (term, what its form reads of θ, rows, space).

    Attributes:
        energy: → energy [eV].
        gradient: → energy and ∂E/∂x of each row with respect to strained edges, shape=(rows, 3) [eV/Å].
        strain: → ∂E/∂strain, shape=(3, 3) [eV].
    """

    energy: Callable[[BoundTerm, Any, Block, Space], jax.Array]
    gradient: Callable[[BoundTerm, Any, Block, Space], tuple[jax.Array, jax.Array]]
    strain: Callable[[BoundTerm, Any, Block, Space], jax.Array]


_KERNELS: dict[type, _Kernels] = {
    PairForm: _Kernels(pair_energy, pair_gradient, pair_strain),
    EmbeddedForm: _Kernels(embedded_energy, embedded_gradient, embedded_strain),
    ManyBodyForm: _Kernels(many_body_energy, many_body_gradient, many_body_strain),
    WholeForm: _Kernels(whole_energy, whole_gradient, whole_strain),
}


def _laid(
    terms: tuple[BoundTerm, ...], x: jax.Array, strain: jax.Array | None, theta: Theta, kinds: jax.Array
) -> Iterator[tuple[_Kernels, tuple[BoundTerm, Any, Block, Space]]]:
    """The kernels of each term, with what they take."""
    for term in terms:
        rows, space = laid_out(term.neighbors, kinds, x, strain)
        yield _KERNELS[type(term.form)], (term, tables(term, theta), rows, space)


# Jitted functions within traced code are traced once, and their derivatives are derived once, however many programs use them.
@jax.jit
def _raw_energy(x: jax.Array, strain: jax.Array | None, theta: Theta, terms: tuple[BoundTerm, ...], kinds: jax.Array) -> jax.Array:
    parts = (kernels.energy(*given) for kernels, given in _laid(terms, x, strain, theta, kinds))
    return sum(parts, start=_validity(x, theta, terms) + _self_energies(terms, theta, kinds))


def _self_energies(terms: tuple[BoundTerm, ...], theta: Theta, kinds: jax.Array) -> jax.Array:
    """Energy of the atoms by themselves [eV], which is felt by derivatives with respect to θ only."""
    total = jnp.zeros(())
    for term in terms:
        if isinstance(term.form, PairForm) and term.form.self_energy is not None:
            of_types = term.form.self_energy(coefficients(term, theta), dict(term.options))
            total = total + jnp.sum(jnp.where(atoms_of(term, jnp.arange(kinds.shape[0]), kinds), of_types[kinds], 0.0))
    return total


def _validity(x: jax.Array, theta: Theta, terms: tuple[BoundTerm, ...]) -> jax.Array:
    """Zero where every table is complete at x and θ, else NaN."""
    return jnp.where(jax.lax.stop_gradient(room(x, theta, terms)) >= 0, 0.0, jnp.nan)


@jax.jit
def room(x: jax.Array, theta: Theta, terms: tuple[BoundTerm, ...]) -> jax.Array:
    """How far each atom may still move before a neighbor could be missing from a table [Å]."""
    least = jnp.asarray(jnp.inf)
    for term in terms:
        reach = jnp.where(jnp.isinf(term.neighbors.radius), 0.0, range_of(term, theta))
        left = 0.5 * (term.neighbors.radius - reach) - displacement(term.neighbors, x)
        least = jnp.minimum(least, left)
    return least


@jax.jit
def energy_and_gradient(
    x: jax.Array, strain: jax.Array | None, theta: Theta, terms: tuple[BoundTerm, ...], kinds: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """E [eV] and ∂E/∂x, shape=(n, 3) [eV/Å], at the given strain, in one pass over the neighbors."""
    valid = _validity(x, theta, terms)
    energy, by_position = valid + _self_energies(terms, theta, kinds), jnp.zeros_like(x) + valid
    for kernels, given in _laid(terms, x, strain, theta, kinds):
        part, gradient = kernels.gradient(*given)
        energy, by_position = energy + part, by_position + gradient[: x.shape[0]]
    if strain is not None:
        by_position = by_position @ (jnp.eye(3) + strain)
    return energy, by_position


@jax.jit
def strain_gradient(
    x: jax.Array, strain: jax.Array | None, theta: Theta, terms: tuple[BoundTerm, ...], kinds: jax.Array
) -> jax.Array:
    """∂E/∂strain, shape=(3, 3) [eV], at the given strain."""
    parts = (kernels.strain(*given) for kernels, given in _laid(terms, x, strain, theta, kinds))
    return sum(parts, start=jnp.zeros((3, 3)))


@jax.custom_jvp
def total_energy(
    x: jax.Array, strain: jax.Array | None, theta: Theta, terms: tuple[BoundTerm, ...], kinds: jax.Array
) -> jax.Array:
    """Energy of all terms [eV], whose gradient *is* the gathered one; NaN where a table may be incomplete.

    Args:
        x: positions, shape=(n, 3) [Å].
        strain: shape=(3, 3), or None for no strain.
        theta: parameters in the file's own units.
        terms, kinds: constants; derivatives with respect to their floats are not taken.
    """
    return _raw_energy(x, strain, theta, terms, kinds)


@partial(total_energy.defjvp, symbolic_zeros=True)
def _total_energy_jvp(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[jax.Array, jax.Array]:
    x, strain, theta, terms, kinds = primals
    x_dot, strain_dot, theta_dot, _, _ = tangents
    if isinstance(x_dot, SymbolicZero):
        energy = total_energy(x, strain, theta, terms, kinds)
        tangent = jnp.zeros_like(energy)
    else:
        energy, by_position = energy_and_gradient(x, strain, theta, terms, kinds)
        tangent = jnp.sum(by_position * x_dot)
    if strain is not None and not isinstance(strain_dot, SymbolicZero):
        tangent = tangent + jnp.sum(strain_gradient(x, strain, theta, terms, kinds) * strain_dot)
    direction = direction_of(theta, theta_dot)
    if direction is not None:
        tangent = tangent + jax.jvp(lambda t: _raw_energy(x, strain, t, terms, kinds), (theta,), (direction,))[1]
    return energy, tangent


def direction_of(theta: Theta, tangents: Theta) -> Theta | None:
    """Tangents that a derivative rule with symbolic zeros was given, as a tree like θ; None where all are zero."""
    leaves, tree = jax.tree.flatten(theta)
    dots = jax.tree.leaves(tangents, is_leaf=lambda leaf: isinstance(leaf, SymbolicZero))
    if all(isinstance(dot, SymbolicZero) for dot in dots):
        return None
    dense = (jnp.zeros_like(leaf) if isinstance(dot, SymbolicZero) else dot for leaf, dot in zip(leaves, dots, strict=True))
    return jax.tree.unflatten(tree, dense)
