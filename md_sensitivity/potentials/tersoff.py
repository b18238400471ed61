"""Tersoff's bond-order potential, for any number of elements, in LAMMPS's generalized form."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from md_sensitivity.potentials.base import Coefficients, Edges
from md_sensitivity.potentials.bonds import Bonds, bond_energy
from md_sensitivity.potentials.triples import of_pairs, of_thirds

_STEEPEST = 69.0776
"""The exponent of a triple is held within ± this number, as in LAMMPS: e^69.0776 = 10³⁰."""
_NOTHING = 1e-60
"""A bond with less than this around it, βζ, has bond order 1, with all its derivatives."""


def energy(edges: Edges, p: Coefficients) -> jax.Array:
    return bond_energy(_BONDS, edges, p)

def _bond(edges, p, r, zeta):
    pair = {name: of_pairs(p[name], edges) for name in ("R", "D", "A", "B", "lambda1", "lambda2", "n", "beta")}
    order = bond_order(pair["beta"] * zeta, pair["n"])
    attraction = pair["B"] * jnp.exp(-pair["lambda2"] * r)
    repulsion = pair["A"] * jnp.exp(-pair["lambda1"] * r)
    weight = cutoff_function(r, pair["R"], pair["D"])
    return jnp.where(edges.mask, 0.5 * weight * (repulsion - order * attraction), 0.0)


def _moving(edges, p, r):
    gamma, R, D = (of_thirds(p[name], edges) for name in ("gamma", "R", "D"))
    return {"weight": jnp.where(edges.mask[:, None], gamma * cutoff_function(r[:, None], R, D), 0.0)}

def _constant(edges, p):
    third = {name: of_thirds(p[name], edges) for name in ("c", "d", "costheta0", "lambda3", "m")}
    cubic = third["m"] == 3.0
    square = third["d"] ** 2
    return {
        "ratio": third["c"] ** 2 / square,
        "square": square,
        "costheta0": third["costheta0"],
        "linear": jnp.where(cubic, 0.0, third["lambda3"]),
        "cube": jnp.where(cubic, third["lambda3"] ** 3, 0.0),
    }

def _triple(cosine, first, second, at):
    off = (cosine - at["costheta0"]) ** 2
    angular = 1.0 + at["ratio"] * off * inverse(at["square"] + off)
    longer = first - second
    steep = jax.lax.clamp(-_STEEPEST, longer * (at["linear"] + at["cube"] * longer**2), _STEEPEST)
    return at["weight"] * angular * jnp.exp(steep)


def cutoff_function(r, R, D):
    finite = D > 0
    part = jax.lax.clamp(0.0, (R + D - r) / (2.0 * jnp.where(finite, D, 1.0)), 1.0)
    return jnp.where(finite, sine((0.5 * jnp.pi) * part) ** 2, jnp.where(r < R, 1.0, 0.0))

def sine(y):
    sq=y*y; t=1.0
    for k in range(24, 0, -2): t = 1.0 - sq * t * (1.0/(k * (k + 1)))
    return y*t

@jax.custom_jvp
def inverse(x):
    return 1.0 / x

@inverse.defjvp
def _inverse_jvp(primals, tangents):
    found = inverse(primals[0])
    return found, -found * found * tangents[0]


def bond_order(x, n):
    acts = x > _NOTHING
    t = n * jnp.log(jnp.where(acts, x, 1.0))
    return jnp.where(acts, jnp.exp(-softplus(t) / (2.0 * n)), 1.0)

@jax.custom_jvp
def softplus(t):
    return jnp.maximum(t, 0.0) + jnp.log1p(jnp.exp(-jnp.abs(t)))

@softplus.defjvp
def _softplus_jvp(primals, tangents):
    return softplus(primals[0]), logistic(primals[0]) * tangents[0]

@jax.custom_jvp
def logistic(t):
    small = jnp.exp(-jnp.abs(t))
    return jnp.where(t > 0, 1.0, small) / (1.0 + small)

@logistic.defjvp
def _logistic_jvp(primals, tangents):
    found = logistic(primals[0])
    return found, found * (1.0 - found) * tangents[0]


_BONDS = Bonds(bond=_bond, moving=_moving, constant=_constant, triple=_triple)
