"""Vashishta's potential of ionic and covalent solids: screened charges and dipoles, and bending of covalent bonds."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from md_sensitivity.potentials.base import COULOMB, Coefficients, Edges, ManyBodyForm, Options, ParameterSpec
from md_sensitivity.potentials.bonds import Bonds, Values, bond_energy
from md_sensitivity.potentials.elementary import inverse, screening
from md_sensitivity.potentials.narrowing import among_near
from md_sensitivity.potentials.triples import of_pairs, of_thirds, of_types
from md_sensitivity.reduction import sum_entries

_PAIR = ("H", "eta", "D", "W", "lambda1", "lambda4", "Zi", "Zj")


def energy(edges: Edges, p: Coefficients, options: Options) -> jax.Array:
    """Energy of each atom, shape=(n,) [eV]: half of U₂ of each of its pairs, and U₃ of its angles.

    U₂ = H/r^η + k Z_i Z_j/r e^(−r/λ₁) − D/r⁴ e^(−r/λ₄) − W/r⁶ up to r_c, less its value and slope there;
    U₃ = B (cosθ − cosθ₀)²/(1 + C(cosθ − cosθ₀)²) e^(γ/(r_ij − r₀) + γ/(r_ik − r₀)). Numbers of U₂, γ and r₀ are those of (i, j, j),
    B, C, cosθ₀ those of (i, j, k), as in LAMMPS.

    Source: Vashishta, Kalia, Rino and Ebbsjö, doi:10.1103/PhysRevB.41.12197.
    """
    r = jnp.sqrt(edges.x**2 + edges.y**2 + edges.z**2)
    near = edges.mask & (r < of_pairs(p["r0"], edges))
    centers = jnp.zeros_like(edges.x[:, :1])
    angular = among_near(edges, near, lambda some: bond_energy(_BONDS, some, centers, p))
    return 0.5 * sum_entries(_pair_energy(edges, p, options, r))[0] + angular


def _pair_energy(edges: Edges, p: Coefficients, options: Options, r: jax.Array) -> jax.Array:
    """U₂ of each edge, shape=(n, e)."""
    pairs = {name: jnp.diagonal(p[name], axis1=1, axis2=2) for name in (*_PAIR, "rc")}
    strength = options[COULOMB.name]
    end, end_slope = jax.jvp(lambda r: _interaction(r, pairs, strength), (pairs["rc"],), (jnp.ones_like(pairs["rc"]),))
    cutoff = of_types(pairs["rc"], edges)
    inside = edges.mask & (r < cutoff)
    safe = jnp.where(inside, r, 1.0)
    local = {name: of_types(pairs[name], edges) for name in _PAIR}
    shifted = _interaction(safe, local, strength) - of_types(end, edges) - (safe - cutoff) * of_types(end_slope, edges)
    return jnp.where(inside, shifted, 0.0)


def _interaction(r: jax.Array, p: Coefficients, strength: float) -> jax.Array:
    inverse_r = inverse(r)
    square = inverse_r * inverse_r
    charges = strength * p["Zi"] * p["Zj"] * inverse_r * jnp.exp(-r / p["lambda1"])
    dipoles = p["D"] * square * square * jnp.exp(-r / p["lambda4"])
    return p["H"] * jnp.exp(-p["eta"] * jnp.log(r)) + charges - dipoles - p["W"] * square * square * square


def _bond(edges: Edges, p: Coefficients, r: jax.Array, zeta: jax.Array, _: jax.Array) -> jax.Array:
    # Each unordered pair of bonds is met twice, with (i, j, k) and (i, k, j).
    return 0.5 * _screening(edges, p, r) * zeta


def _moving(edges: Edges, p: Coefficients, r: jax.Array) -> Values:
    return {"screening": _screening(edges, p, r)[:, None]}


def _screening(edges: Edges, p: Coefficients, r: jax.Array) -> jax.Array:
    return jnp.where(edges.mask, screening(r, of_pairs(p["r0"], edges), of_pairs(p["gamma"], edges)), 0.0)


def _constant(edges: Edges, p: Coefficients, _: jax.Array) -> Values:
    return {name: of_thirds(p[name], edges) for name in ("B", "C", "costheta0")}


def _triple(cosine: jax.Array, first: jax.Array, second: jax.Array, at: Values) -> jax.Array:
    off = (cosine - at["costheta0"]) ** 2
    return at["screening"] * at["B"] * off * inverse(1.0 + at["C"] * off)


def pair_range(p: Coefficients, options: Options) -> jax.Array:
    """Larger of r_c and r₀ of each pair of types, shape=(s, s) [Å]."""
    return jnp.diagonal(jnp.maximum(p["rc"], p["r0"]), axis1=1, axis2=2)


def kinks(p: Coefficients, options: Options) -> tuple[jax.Array, ...]:
    """r_c, where the curvature of U₂ ends, shape=(s, s) [Å]."""
    return (jnp.diagonal(p["rc"], axis1=1, axis2=2),)


_BONDS = Bonds(bond=_bond, moving=_moving, constant=_constant, triple=_triple)

VASHISHTA = ManyBodyForm(
    name="vashishta",
    description="Vashishta two- and three-body potential of ionic and covalent solids",
    reference="doi:10.1103/PhysRevB.41.12197",
    order=3,
    parameters=(
        ParameterSpec(name="H", radial=True, energy=1, lower=0, description="strength of the repulsion; its length is Å^η in any file"),
        ParameterSpec(name="eta", radial=True, lower=0, description="exponent of the repulsion"),
        ParameterSpec(name="Zi", radial=True, charge=1, description="charge of the center"),
        ParameterSpec(name="Zj", radial=True, charge=1, description="charge of the neighbor"),
        ParameterSpec(name="lambda1", radial=True, length=1, lower=0, open_lower=True, description="screening of the charges"),
        ParameterSpec(name="D", radial=True, energy=1, length=4, description="strength of charges with dipoles"),
        ParameterSpec(name="lambda4", radial=True, length=1, lower=0, open_lower=True, description="screening of the dipoles"),
        ParameterSpec(name="W", radial=True, energy=1, length=6, description="strength of the dispersion"),
        ParameterSpec(name="rc", radial=True, length=1, lower=0, open_lower=True, description="cutoff of pairs"),
        ParameterSpec(name="B", energy=1, description="strength of the angular term"),
        ParameterSpec(name="gamma", radial=True, length=1, lower=0, description="decay of the angular term"),
        ParameterSpec(name="r0", radial=True, length=1, lower=0, description="cutoff of the angular term"),
        ParameterSpec(name="C", lower=0, description="saturation of the angular term"),
        ParameterSpec(name="costheta0", lower=-1, upper=1, description="cosine of the preferred angle"),
    ),
    options=(COULOMB,),
    energy=energy,
    pair_range=pair_range,
    kinks=kinks,
)
