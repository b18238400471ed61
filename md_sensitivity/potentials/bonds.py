"""Energies of bonds in their surroundings, with gradients that take two passes over pairs of edges.

Bond-order and angular potentials have one shape. With edges j and k of a center, unit vectors u and cosines c_jk = u_j · u_k,

    ζ_j = Σ_{k ≠ j} w(c_jk, r_j, k, Z)    E = Σ_j φ(r_j, ζ_j, Z)

where Z is a coordination of the center that some forms have. A form gives w and φ as elementwise functions; their slopes are taken by
JAX, and put together here: with s_j = ∂φ/∂ζ_j,

    ∂E/∂u_j = Σ_k (s_j ∂w_jk/∂c + s_k ∂w_kj/∂c) u_k

and likewise for r_j, so that all sums over k stand in one reduction. Plain reverse mode makes a sum over j and one over k of each
intermediate, each of which goes over all pairs of edges again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero

from md_sensitivity.potentials.base import Coefficients, Edges
from md_sensitivity.potentials.triples import of_triples
from md_sensitivity.reduction import sum_entries

Values = dict[str, jax.Array]


@dataclass(frozen=True, kw_only=True)
class Bonds:
    """A form as elementwise functions, all finite for each r > 0; of the edges they read the mask and the types.

    Attributes:
        bond: (edges, p, r, ζ, Z) → φ, shape=(n, e); zero where the edge is masked.
        moving: (edges, p, r) → what w reads of (i, type of j, k) and depends on r_k, shape=(n, s, e), or (n, 1, e) where j does not matter.
        constant: (edges, p, Z) → the same for what depends on no distance.
        triple: (c, r_j, r_k, values) → w; zero where k is masked.
        coordinated: whether anything depends on Z.
    """

    bond: Callable[[Edges, Coefficients, jax.Array, jax.Array, jax.Array], jax.Array]
    moving: Callable[[Edges, Coefficients, jax.Array], Values]
    constant: Callable[[Edges, Coefficients, jax.Array], Values]
    triple: Callable[[jax.Array, jax.Array, jax.Array, Values], jax.Array]
    coordinated: bool = False


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def bond_energy(form: Bonds, edges: Edges, coordination: jax.Array, p: Coefficients) -> jax.Array:
    """Energy of each atom, shape=(n,) [eV].

    Args:
        coordination: Z of each center, shape=(n, 1); any number where the form has none.
    """
    r, cosine, _ = _geometry(edges)
    values = _at_triples(edges, form.constant(edges, p, coordination) | form.moving(edges, p, r))
    (zeta,) = sum_entries(_different(edges) * form.triple(cosine, r[:, :, None], r[:, None, :], values))
    return sum_entries(form.bond(edges, p, r, zeta, coordination))[0]


@partial(bond_energy.defjvp, symbolic_zeros=True)
def _bond_energy_jvp(form: Bonds, primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[jax.Array, jax.Array]:
    edges, coordination, p = primals
    edges_dot, coordination_dot, p_dot = tangents
    moved = [edges_dot.x, edges_dot.y, edges_dot.z]
    if all(isinstance(dot, SymbolicZero) for dot in (*moved, coordination_dot)):
        energy = bond_energy(form, edges, coordination, p)
        tangent = jnp.zeros_like(energy)
    else:
        energy, gradient, by_coordination = _gradient(form, edges, coordination, p)
        along = [part * dot for part, dot in zip(gradient, moved, strict=True) if not isinstance(dot, SymbolicZero)]
        tangent = sum_entries(sum(along))[0] if along else jnp.zeros_like(energy)
        if not isinstance(coordination_dot, SymbolicZero):
            tangent = tangent + by_coordination * coordination_dot[:, 0]
    if not all(isinstance(dot, SymbolicZero) for dot in p_dot.values()):
        dense = {name: jnp.zeros_like(p[name]) if isinstance(dot, SymbolicZero) else dot for name, dot in p_dot.items()}
        tangent = tangent + jax.jvp(lambda q: bond_energy.fun(form, edges, coordination, q), (p,), (dense,))[1]
    return energy, tangent


def _gradient(
    form: Bonds, edges: Edges, coordination: jax.Array, p: Coefficients
) -> tuple[jax.Array, tuple[jax.Array, ...], jax.Array]:
    """Energy of each atom, shape=(n,), its derivatives by x, y, z of its edges, shape=(n, e) [eV/Å], and by Z, shape=(n,)."""
    r, cosine, units = _geometry(edges)
    first, second, apart = r[:, :, None], r[:, None, :], _different(edges)
    constant = _at_triples(edges, form.constant(edges, p, coordination))
    moving, slopes = (_at_triples(edges, part) for part in _kept(_slope(lambda r: form.moving(edges, p, r), r)))
    (zeta,) = sum_entries(apart * form.triple(cosine, first, second, constant | moving))
    phi, by_distance, strength, direct = _kept(_bond_slopes(form, edges, p, r, zeta, coordination))

    def here(c: jax.Array, r: jax.Array) -> jax.Array:
        return form.triple(c, r, second, constant | moving)

    def opposite(c: jax.Array, r: jax.Array, moving: Values) -> jax.Array:
        return form.triple(c, second, r, _turned(constant) | moving)

    turned, own, other = _turned(moving), strength[:, :, None], strength[:, None, :]
    by_cosine = own * _slope(lambda c: here(c, first), cosine)[1] + other * _slope(lambda c: opposite(c, first, turned), cosine)[1]
    as_third = jax.jvp(partial(opposite, cosine), (first, turned), (jnp.ones_like(first), _turned(slopes)))[1]
    by_first = own * _slope(lambda r: here(cosine, r), first)[1] + other * as_third
    by_cosine = apart * by_cosine
    sums = [*(by_cosine * u[:, None, :] for u in units), apart * by_first]
    if form.coordinated:
        drift = _at_triples(edges, _slope(lambda z: form.constant(edges, p, z), coordination)[1])
        sums.append(apart * own * jax.jvp(lambda at: form.triple(cosine, first, second, at | moving), (constant,), (drift,))[1])
    *across, along = (total := sum_entries(*sums))[:4]
    # Of ∂E/∂u only what is perpendicular to u turns the edge.
    inverse = 1.0 / r
    along = along + by_distance - inverse * sum(part * u for part, u in zip(across, units, strict=True))
    gradient = tuple(inverse * part + along * u for part, u in zip(across, units, strict=True))
    energy, by_coordination = sum_entries(phi, direct + total[4] if form.coordinated else jnp.zeros_like(phi))
    return energy, gradient, by_coordination


def _bond_slopes(
    form: Bonds, edges: Edges, p: Coefficients, r: jax.Array, zeta: jax.Array, coordination: jax.Array
) -> tuple[jax.Array, ...]:
    """φ and its derivatives by r, ζ and Z, shape=(n, e) each."""
    each = (r, zeta, jnp.broadcast_to(coordination, r.shape))
    phi, back = jax.vjp(lambda r, zeta, z: form.bond(edges, p, r, zeta, z), *each)
    return phi, *back(jnp.ones_like(phi))


def _geometry(edges: Edges) -> tuple[jax.Array, jax.Array, tuple[jax.Array, ...]]:
    """Distances, shape=(n, e); cosines, shape=(n, e, e); the three components of unit vectors, shape=(n, e)."""
    r = jnp.sqrt(edges.x**2 + edges.y**2 + edges.z**2)
    inverse = 1.0 / r
    units = (edges.x * inverse, edges.y * inverse, edges.z * inverse)
    return r, sum(u[:, :, None] * u[:, None, :] for u in units), units


def _different(edges: Edges) -> jax.Array:
    """1 where j and k are different entries of the table, else 0, shape=(1, e, e)."""
    return 1.0 - jnp.eye(edges.x.shape[1])[None]


def _at_triples(edges: Edges, values: Values) -> Values:
    return {name: of_triples(part, edges) for name, part in values.items()}


def _turned(values: Values) -> Values:
    """Values of (i, k, j) in the place of (i, j, k)."""
    return {name: jnp.swapaxes(part, 1, 2) for name, part in values.items()}


def _slope(function: Callable[[jax.Array], Any], at: jax.Array) -> tuple[Any, Any]:
    """An elementwise function and its derivative."""
    return jax.jvp(function, (at,), (jnp.ones_like(at),))


def _kept(tree: Any) -> Any:
    """Arrays as they are, but computed once: XLA would compute what leads to an edge's value again for each pair of edges.

    It does not look through a reduction of several arrays, such as this one of two halves each.
    """
    leaves, structure = jax.tree.flatten(tree)
    return jax.tree.unflatten(structure, sum_entries(*(jnp.broadcast_to((0.5 * leaf)[..., None], (*leaf.shape, 2)) for leaf in leaves)))
