"""Tersoff's potential as modified by Kumagai and others, with LAMMPS's generalizations `tersoff/mod` and `tersoff/mod/c`."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp

from md_sensitivity.potentials.base import Coefficients, Edges, ManyBodyForm, Options, ParameterSpec
from md_sensitivity.potentials.bonds import Bonds, Values
from md_sensitivity.potentials.elementary import inverse
from md_sensitivity.potentials.tersoff import BOND_PARAMETERS, among_bound, bond_order, exponents, pair_range, squared_sine, steep
from md_sensitivity.potentials.triples import of_pairs, of_thirds


def energy(edges: Edges, p: Coefficients, options: Options) -> jax.Array:
    """Energy of each atom, shape=(n,) [eV]: ½ Σ_j f(r_ij) (A e^(−λ₁r_ij) − b_ij B e^(−λ₂r_ij) + c₀).

    b = (1 + ζ^η)^(−1/2n), ζ_ij = β_ters Σ_k f(r_ik) g(cosθ) e^(α(r_ij − r_ik))^β, with x = (h − cosθ)² and
    g = c₁ + c₂x/(c₃ + x) · (1 + c₄e^(−c₅x)). Entries act as in Tersoff's potential: α, β, h, c₁ to c₅ are those of (i, j, k).

    Source: Kumagai, Izumi, Hara and Sakai, doi:10.1016/j.commatsci.2006.07.013.
    """
    return among_bound(_BONDS, edges, p, options)


def _bond(edges: Edges, p: Coefficients, r: jax.Array, zeta: jax.Array, _: jax.Array) -> jax.Array:
    names = ("R", "D", "A", "B", "lambda1", "lambda2", "n", "eta", "beta_ters")
    pair = {name: of_pairs(p[name], edges) for name in names}
    attraction = bond_order(pair["beta_ters"] * zeta, pair["eta"], pair["n"]) * pair["B"] * jnp.exp(-pair["lambda2"] * r)
    binding = pair["A"] * jnp.exp(-pair["lambda1"] * r) - attraction
    if "c0" in p:
        binding = binding + of_pairs(p["c0"], edges)
    return jnp.where(edges.mask, 0.5 * cutoff_function(r, pair["R"], pair["D"]) * binding, 0.0)


def _moving(edges: Edges, p: Coefficients, r: jax.Array) -> Values:
    end, half = (of_thirds(p[name], edges) for name in ("R", "D"))
    return {"weight": jnp.where(edges.mask[:, None], cutoff_function(r[:, None], end, half), 0.0)}


def _constant(edges: Edges, p: Coefficients, _: jax.Array) -> Values:
    third = {name: of_thirds(p[name], edges) for name in ("h", "c1", "c2", "c3", "c4", "c5", "alpha", "beta")}
    slope, power = third.pop("alpha"), third.pop("beta")
    return third | exponents(slope, power)


def _triple(cosine: jax.Array, first: jax.Array, second: jax.Array, at: Values) -> jax.Array:
    off = (at["h"] - cosine) ** 2
    wide = at["c2"] * off * inverse(at["c3"] + off)
    angular = at["c1"] + wide * (1.0 + at["c4"] * jnp.exp(-at["c5"] * off))
    return at["weight"] * angular * steep(first - second, at)


def cutoff_function(r: jax.Array, end: jax.Array, half: jax.Array) -> jax.Array:
    """f(r) = ½ − 9/16 sin(πy/2) − 1/16 sin(3πy/2) with y = (r − R)/D between −1 and 1, written in s = sin²(π(1 − y)/4)."""
    s = squared_sine(r, end, half)
    return s * s * (3.0 - 2.0 * s)


_BONDS = Bonds(bond=_bond, moving=_moving, constant=_constant, triple=_triple)

TERSOFF_MOD = ManyBodyForm(
    name="tersoff_mod",
    description="Tersoff potential as modified for melting and defects of silicon",
    reference="doi:10.1016/j.commatsci.2006.07.013",
    order=3,
    parameters=(
        ParameterSpec(name="beta", default=3.0, option=True, choices=(1.0, 3.0), description="power of the exponent"),
        ParameterSpec(name="alpha", length=-1, lower=0, description="preference for the nearest of several neighbors"),
        ParameterSpec(name="h", lower=-1, upper=1, description="cosine of the preferred angle"),
        ParameterSpec(name="eta", radial=True, lower=0, open_lower=True, description="exponent of what surrounds a bond"),
        ParameterSpec(name="beta_ters", radial=True, lower=0, description="strength of what surrounds a bond"),
        *(replace(spec, open_lower=spec.name in ("R", "D")) for spec in BOND_PARAMETERS),
        ParameterSpec(name="n", radial=True, lower=0, open_lower=True, description="exponent of the bond order"),
        ParameterSpec(name="c1", lower=0, description="angular term at the preferred angle"),
        ParameterSpec(name="c2", lower=0, description="strength of the angular dependence"),
        ParameterSpec(name="c3", lower=0, open_lower=True, description="width of the angular dependence"),
        ParameterSpec(name="c4", description="strength of the angular dependence near the preferred angle"),
        ParameterSpec(name="c5", lower=0, description="sharpness of the angular dependence near the preferred angle"),
    ),
    energy=energy,
    pair_range=pair_range,
)

TERSOFF_MODC = replace(
    TERSOFF_MOD,
    name="tersoff_modc",
    description="Tersoff potential, modified, with a constant for each bond",
    parameters=(*TERSOFF_MOD.parameters, ParameterSpec(name="c0", radial=True, energy=1, description="constant of each bond")),
)
