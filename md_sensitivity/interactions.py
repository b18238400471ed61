"""Terms bound to a structure, and the one rule by which all of them are differentiated.

Each form is a function of edge vectors r_ij = x_j − x_i + image. The energy carries a custom derivative rule: its gradient with
respect to positions is *gathered* over the full neighbor table (for pair forms −2 Σ_j g_ij; for many-body forms
Σ_j (g_ji − g_ij) through the table of opposite entries), where g is the gradient with respect to edges, which is local. Hessian
products and mixed derivatives are derivatives of that gather and hold no scatter. Strain derivatives are Σ g ⊗ r.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero

from md_sensitivity.neighbors import NeighborTable, displacement
from md_sensitivity.potentials.base import Coefficients, Edges, Form, PairForm
from md_sensitivity.potentials.mixing import MIXING_RULES
from md_sensitivity.potentials.truncation import TRUNCATIONS, switch, taylor_at

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
    """How far each pair is from the distance where the first or second derivative of its energy jumps, shape=(n, e) [Å].

    Negative inside; infinite for padding. None where the term has no such distance: then its response is continuous.
    """
    if not has_kinks(term):
        return None
    edges = edges_of(term, kinds, x, None)
    reach = pair_range(term, coefficients(term, theta))[edges.center, edges.neighbor]
    r = jnp.sqrt(edges.x**2 + edges.y**2 + edges.z**2)
    return jnp.where(edges.mask & (reach > 0), r - reach, jnp.inf)


def edges_of(term: BoundTerm, kinds: jax.Array, x: jax.Array, strain: jax.Array | None) -> Edges:
    """Edge vectors at positions x; padded entries are one length unit long and masked.

    Args:
        kinds: type index of each atom, shape=(n,).
        x: shape=(n, 3) [Å].
        strain: symmetric, shape=(3, 3); deforms all edges by 1 + strain.
    """
    table = term.neighbors
    raw = [x[:, c][table.index] - x[:, c, None] + table.shift[c] for c in range(3)]
    if strain is not None:
        raw = [raw[a] + sum(strain[a, b] * raw[b] for b in range(3)) for a in range(3)]
    return Edges(
        x=jnp.where(table.mask, raw[0], 1.0),
        y=jnp.where(table.mask, raw[1], 0.0),
        z=jnp.where(table.mask, raw[2], 0.0),
        mask=table.mask,
        center=kinds[:, None],
        neighbor=kinds[table.index],
    )


def term_energy(term: BoundTerm, edges: Edges, theta: Theta) -> jax.Array:
    """Energy of one term [eV]."""
    table = coefficients(term, theta)
    if not isinstance(term.form, PairForm):
        return jnp.sum(term.form.energy(edges, table))
    r = jnp.sqrt(edges.x**2 + edges.y**2 + edges.z**2)
    return 0.5 * jnp.sum(_truncated(term, term.form, r, edges, table))


def _truncated(term: BoundTerm, form: PairForm, r: jax.Array, edges: Edges, table: Coefficients) -> jax.Array:
    """φ of each edge with its cutoff applied, shape=(n, e) [eV]."""
    options = dict(term.options)

    def of_types(distance: jax.Array) -> jax.Array:
        return form.energy(distance, table, options)

    # Gathering [s, s] tables by two indices makes XLA flatten them for each parameter; one flat index serves all.
    pair = edges.center * next(iter(table.values())).shape[0] + edges.neighbor
    at_edge = {name: values.reshape(-1)[pair] for name, values in table.items()}
    phi = form.energy(r, at_edge, options)
    inside = edges.mask & (r < term.cutoff)
    if term.truncation in ("shift", "force-shift"):
        end = jnp.broadcast_to(term.cutoff, next(iter(table.values())).shape)
        value, slope = taylor_at(of_types, end)
        phi = phi - value.reshape(-1)[pair]
        if term.truncation == "force-shift":
            phi = phi - slope.reshape(-1)[pair] * (r - term.cutoff)
    elif term.truncation == "switch":
        phi = phi * switch(r, term.switch_from, term.cutoff)
    return jnp.where(inside, phi, 0.0)


def _edge_gradient(term: BoundTerm, edges: Edges, theta: Theta) -> tuple[jax.Array, jax.Array, jax.Array]:
    """∂E/∂r of each edge, three arrays of shape=(n, e) [eV/Å]; zero for padding."""

    def energy(x: jax.Array, y: jax.Array, z: jax.Array) -> jax.Array:
        return term_energy(term, edges._replace(x=x, y=y, z=z), theta)

    return jax.grad(energy, argnums=(0, 1, 2))(edges.x, edges.y, edges.z)


def _gather(term: BoundTerm, edge_gradient: tuple[jax.Array, ...]) -> jax.Array:
    """∂E/∂x of each atom from the edge gradients, shape=(n, 3) [eV/Å]."""
    reverse = term.neighbors.reverse
    columns = []
    for g in edge_gradient:
        # A pair form's opposite edge carries the opposite gradient, so that no gather is needed for it.
        opposite = -g if reverse is None else jnp.where(term.neighbors.mask, g.reshape(-1)[reverse], 0.0)
        columns.append(jnp.sum(opposite - g, axis=1))
    return jnp.stack(columns, axis=1)


# Jitted functions within traced code are traced once, and their derivatives are derived once, however many programs use them.
@jax.jit
def _raw_energy(x: jax.Array, strain: jax.Array | None, theta: Theta, terms: tuple[BoundTerm, ...], kinds: jax.Array) -> jax.Array:
    total = jnp.zeros(())
    for term in terms:
        total = total + term_energy(term, edges_of(term, kinds, x, strain), theta)
    return total + _validity(x, theta, terms)


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
def gradient(
    x: jax.Array, strain: jax.Array | None, theta: Theta, terms: tuple[BoundTerm, ...], kinds: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """∂E/∂x, shape=(n, 3) [eV/Å], and ∂E/∂strain, shape=(3, 3) [eV], at the given strain."""
    by_position = jnp.zeros_like(x) + _validity(x, theta, terms)
    by_strain = jnp.zeros((3, 3))
    for term in terms:
        edges = edges_of(term, kinds, x, strain)
        g = _edge_gradient(term, edges, theta)
        by_position = by_position + _gather(term, g)
        plain = edges if strain is None else edges_of(term, kinds, x, None)
        by_strain = by_strain + jnp.stack([jnp.stack([jnp.sum(ga * rb) for rb in (plain.x, plain.y, plain.z)]) for ga in g])
    if strain is not None:
        by_position = by_position @ (jnp.eye(3) + strain)
    return by_position, by_strain


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
    energy = total_energy(x, strain, theta, terms, kinds)
    tangent = jnp.zeros_like(energy)
    moves, strains = not isinstance(x_dot, SymbolicZero), strain is not None and not isinstance(strain_dot, SymbolicZero)
    if moves or strains:
        by_position, by_strain = gradient(x, strain, theta, terms, kinds)
        if moves:
            tangent = tangent + jnp.sum(by_position * x_dot)
        if strains:
            tangent = tangent + jnp.sum(by_strain * strain_dot)
    leaves, tree = jax.tree.flatten(theta)
    dots = jax.tree.leaves(theta_dot, is_leaf=lambda leaf: isinstance(leaf, SymbolicZero))
    if not all(isinstance(dot, SymbolicZero) for dot in dots):
        dense = [jnp.zeros_like(leaf) if isinstance(dot, SymbolicZero) else dot for leaf, dot in zip(leaves, dots, strict=True)]
        by_theta = _theta_derivative(lambda t: _raw_energy(x, strain, t, terms, kinds), theta, jax.tree.unflatten(tree, dense))
        tangent = tangent + by_theta
    return energy, tangent


def _theta_derivative(energy: Callable[[Theta], jax.Array], theta: Theta, direction: Theta) -> jax.Array:
    return jax.jvp(energy, (theta,), (direction,))[1]
