"""Terms bound to a structure, and the one rule by which all of them are differentiated.

Each form is a function of edge vectors r_ij = x_j − x_i + image. The energy carries a custom derivative rule: its gradient with
respect to positions is *gathered* over the full neighbor table (for pair forms −2 Σ_j g_ij; for many-body forms
Σ_j (g_ji − g_ij) through the table of opposite entries), where g is the gradient with respect to edges, which is local. Hessian
products and mixed derivatives are derivatives of that gather and hold no scatter. Strain derivatives are Σ g ⊗ r. The sums themselves
are in `kernels.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero

from md_sensitivity.kernels import (
    at_edges,
    laid_out,
    many_body_energy,
    many_body_gradient,
    many_body_strain,
    pair_energy,
    pair_gradient,
    pair_strain,
    squares,
)
from md_sensitivity.neighbors import NeighborTable, displacement
from md_sensitivity.potentials.base import Coefficients, Form, PairForm
from md_sensitivity.potentials.mixing import MIXING_RULES
from md_sensitivity.potentials.truncation import TRUNCATIONS

Theta = Any


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["rows", "own", "scale", "cutoff", "switch_from", "neighbors"],
    meta_fields=["form", "label", "truncation", "mixing", "options"],
)
@dataclass(frozen=True, kw_only=True)
class BoundTerm:
    """A potential bound to the types and neighbors of one structure.

    Attributes:
        rows: parameter → row of θ for each tuple of types present, shape=(s,) * order; −1 where it follows from mixing.
        own: parameter → row of θ for each type alone, shape=(s,); −1 where there is none.
        scale: parameter → conversion from the file's unit to Å and eV.
        cutoff: [Å]; infinite where there is none or the form has a range of its own.
        switch_from: [Å]; equal to the cutoff where nothing is switched.
    """

    form: Form
    label: str
    truncation: str
    mixing: str
    options: tuple[tuple[str, float], ...]
    rows: dict[str, jax.Array]
    own: dict[str, jax.Array]
    scale: dict[str, jax.Array]
    cutoff: jax.Array
    switch_from: jax.Array
    neighbors: NeighborTable


def coefficients(term: BoundTerm, theta: Theta) -> dict[str, jax.Array]:
    """Parameters of each tuple of types in Å and eV, shape=(s,) * order."""
    values = {name: jnp.asarray(theta[term.label][name], dtype=jnp.float64) * scale for name, scale in term.scale.items()}
    if term.mixing == "none":
        return {name: values[name][rows] for name, rows in term.rows.items()}
    means = MIXING_RULES[term.mixing]
    table = {}
    for name, rows in term.rows.items():
        own = values[name][term.own[name]]
        mixed = means[name](own[:, None], own[None, :])
        table[name] = jnp.where(rows >= 0, values[name][rows], mixed)
    return table


def pair_range(term: BoundTerm, table: Coefficients) -> jax.Array:
    """Distance within which a pair of types interacts, shape=(s, s) [Å]; 0 where it does not interact at all."""
    if not isinstance(term.form, PairForm):
        return term.form.pair_range(table)
    strength = term.form.strength(table)
    natural = term.form.natural_range
    reach = term.cutoff if natural is None else natural(table, dict(term.options))
    return jnp.where(strength != 0, reach, 0.0)


def range_of(term: BoundTerm, theta: Theta) -> jax.Array:
    """Largest distance at which the term interacts [Å]; it moves with θ where the form has a range of its own."""
    if isinstance(term.form, PairForm) and term.form.natural_range is None:
        return term.cutoff
    return _natural_range(term, theta)


@jax.jit
def _natural_range(term: BoundTerm, theta: Theta) -> jax.Array:
    return jnp.max(pair_range(term, coefficients(term, theta)))


def has_kinks(term: BoundTerm) -> bool:
    """Whether the first or second derivative of the term's energy jumps at some distance, be it one that is infinite."""
    if not isinstance(term.form, PairForm):
        return False
    return term.form.natural_range is not None or TRUNCATIONS[term.truncation].smooth < 2


def endless(term: BoundTerm) -> bool:
    """Whether a term whose values are known on the host has no range at all, so that it has no kinks either."""
    return isinstance(term.form, PairForm) and term.form.natural_range is None and bool(np.isinf(term.cutoff))


def kink_gaps(term: BoundTerm, x: jax.Array, kinds: jax.Array, theta: Theta) -> jax.Array | None:
    """How far each pair is from the distance where the first or second derivative of its energy jumps, shape=(rows, e) [Å].

    Negative inside; infinite for padding. None where the term has no such distance: then its response is continuous.
    """
    if not has_kinks(term):
        return None
    reach, square = _reach(term, x, kinds, theta), squares(term.neighbors, x)
    return jnp.where((reach > 0) & jnp.isfinite(square), jnp.sqrt(square) - reach, jnp.inf)


def acting(term: BoundTerm, x: jax.Array, kinds: jax.Array, theta: Theta) -> jax.Array:
    """Whether the two atoms of an entry interact at x, shape=(rows, e)."""
    return squares(term.neighbors, x) < _reach(term, x, kinds, theta) ** 2


def _reach(term: BoundTerm, x: jax.Array, kinds: jax.Array, theta: Theta) -> jax.Array:
    rows, space = laid_out(term.neighbors, kinds, x, None)
    return at_edges(pair_range(term, coefficients(term, theta)), rows, space)


# Jitted functions within traced code are traced once, and their derivatives are derived once, however many programs use them.
@jax.jit
def _raw_energy(x: jax.Array, strain: jax.Array | None, theta: Theta, terms: tuple[BoundTerm, ...], kinds: jax.Array) -> jax.Array:
    total = _validity(x, theta, terms)
    for term in terms:
        rows, space = laid_out(term.neighbors, kinds, x, strain)
        table = coefficients(term, theta)
        if isinstance(term.form, PairForm):
            total = total + pair_energy(term, term.form, table, rows, space)
        else:
            total = total + many_body_energy(term.form, table, rows, space, term.neighbors)
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
    energy, by_position = valid, jnp.zeros_like(x) + valid
    for term in terms:
        rows, space = laid_out(term.neighbors, kinds, x, strain)
        table = coefficients(term, theta)
        if isinstance(term.form, PairForm):
            part, gradient = pair_gradient(term, term.form, table, rows, space)
        else:
            part, gradient = many_body_gradient(term.form, table, rows, space, term.neighbors)
        energy, by_position = energy + part, by_position + gradient[: x.shape[0]]
    if strain is not None:
        by_position = by_position @ (jnp.eye(3) + strain)
    return energy, by_position


@jax.jit
def strain_gradient(
    x: jax.Array, strain: jax.Array | None, theta: Theta, terms: tuple[BoundTerm, ...], kinds: jax.Array
) -> jax.Array:
    """∂E/∂strain, shape=(3, 3) [eV], at the given strain."""
    total = jnp.zeros((3, 3))
    for term in terms:
        rows, space = laid_out(term.neighbors, kinds, x, strain)
        table = coefficients(term, theta)
        if isinstance(term.form, PairForm):
            total = total + pair_strain(term, term.form, table, rows, space)
        else:
            total = total + many_body_strain(term.form, table, rows, space, term.neighbors)
    return total


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
