"""Tersoff's bond-order potential, for any number of elements, in LAMMPS's generalized form."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from md_sensitivity.potentials.base import Coefficients, Edges
from md_sensitivity.potentials.triples import different, of_pairs, of_thirds, of_triples

_STEEPEST = 69.0776
"""The exponent of a triple is held within ± this number, as in LAMMPS: e^69.0776 = 10³⁰."""
_NOTHING = 1e-60
"""A bond with less than this around it, βζ, has bond order 1, with all its derivatives."""


def energy(edges: Edges, p: Coefficients) -> jax.Array:
    r = jnp.sqrt(edges.x**2 + edges.y**2 + edges.z**2)
    pair = {name: of_pairs(p[name], edges) for name in ("R", "D", "A", "B", "lambda1", "lambda2", "n", "beta")}
    order = bond_order(pair["beta"] * _crowding(edges, r, p), pair["n"])
    attraction = pair["B"] * jnp.exp(-pair["lambda2"] * r)
    repulsion = pair["A"] * jnp.exp(-pair["lambda1"] * r)
    weight = jnp.where(edges.mask, cutoff_function(r, pair["R"], pair["D"]), 0.0)
    return 0.5 * jnp.sum(weight * (repulsion - order * attraction), axis=1)


def _crowding(edges: Edges, r: jax.Array, p: Coefficients) -> jax.Array:
    """ζ of each bond, shape=(n, e): what surrounds its center."""
    third = {name: of_thirds(p[name], edges) for name in ("R", "D", "gamma", "c", "d", "costheta0", "lambda3", "m")}
    cubic = third["m"] == 3.0
    weight = third["gamma"] * jnp.where(edges.mask[:, None], cutoff_function(r[:, None], third["R"], third["D"]), 0.0)
    square = third["d"] ** 2
    at = {
        "weight": weight,
        "ratio": third["c"] ** 2 / square,
        "square": square,
        "costheta0": third["costheta0"],
        "linear": jnp.where(cubic, 0.0, third["lambda3"]),
        "cube": jnp.where(cubic, third["lambda3"] ** 3, 0.0),
    }
    at = {name: of_triples(values, edges) for name, values in at.items()}
    inverse = 1.0 / r
    ux, uy, uz = edges.x * inverse, edges.y * inverse, edges.z * inverse
    cosine = sum(u[:, :, None] * u[:, None, :] for u in (ux, uy, uz))
    off = (cosine - at["costheta0"]) ** 2
    angular = 1.0 + at["ratio"] * off / (at["square"] + off)
    longer = r[:, :, None] - r[:, None, :]
    steep = jnp.clip(longer * (at["linear"] + at["cube"] * longer**2), -_STEEPEST, _STEEPEST)
    return jnp.sum(different(edges) * at["weight"] * angular * jnp.exp(steep), axis=2)


def cutoff_function(r, R, D):
    finite = D > 0
    part = jnp.clip((R + D - r) / (2.0 * jnp.where(finite, D, 1.0)), 0.0, 1.0)
    return jnp.where(finite, jnp.sin((0.5 * jnp.pi) * part) ** 2, jnp.where(r < R, 1.0, 0.0))


def bond_order(x, n):
    acts = x > _NOTHING
    t = n * jnp.log(jnp.where(acts, x, 1.0))
    return jnp.where(acts, jnp.exp(-jnp.logaddexp(0.0, t) / (2.0 * n)), 1.0)
