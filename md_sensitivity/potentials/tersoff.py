"""Tersoff's bond-order potential, for any number of elements, in LAMMPS's generalized form."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from md_sensitivity.potentials.base import Coefficients, Edges, ManyBodyForm, Options, ParameterSpec
from md_sensitivity.potentials.bonds import Bonds, Values, bond_energy
from md_sensitivity.potentials.elementary import inverse, sine, softplus
from md_sensitivity.potentials.narrowing import among_near
from md_sensitivity.potentials.triples import of_pairs, of_thirds, of_types

STEEPEST = 69.0776
"""The exponent of a triple is held within ± this number, as in LAMMPS: e^69.0776 = 10³⁰."""
_NOTHING = 1e-60
"""A bond with less than this around it, βζ, has bond order 1, with all its derivatives."""


def energy(edges: Edges, p: Coefficients, options: Options) -> jax.Array:
    """Energy of each atom, shape=(n,) [eV]: ½ Σ_j f(r_ij) (A e^(−λ₁r_ij) − b_ij B e^(−λ₂r_ij)).

    b = (1 + (βζ)ⁿ)^(−1/2n), ζ_ij = Σ_k f(r_ik) γ (1 + c²/d² − c²/(d² + (cosθ − cosθ₀)²)) e^(λ₃(r_ij − r_ik))^m. A, B, λ₁, λ₂, n, β are
    those of (i, j, j), and γ, λ₃, c, d, cosθ₀, m those of (i, j, k); R and D of the cutoff f are those of (i, j, j) for the bond itself and
    of (i, j, k) for what is around it, as in LAMMPS.

    Source: Tersoff, doi:10.1103/PhysRevB.37.6991; for several elements doi:10.1103/PhysRevB.39.5566.
    """
    return among_bound(_BONDS, edges, p, options)


def among_bound(form: Bonds, edges: Edges, p: Coefficients, options: Options) -> jax.Array:
    """Energy of each atom, shape=(n,) [eV], of the bonds among edges within `pair_range`."""
    r = jnp.sqrt(edges.x**2 + edges.y**2 + edges.z**2)
    bound = edges.mask & (r < of_types(pair_range(p, options), edges))
    return among_near(edges, bound, lambda some: bond_energy(form, some, jnp.zeros_like(some.x[:, :1]), p))


def _bond(edges: Edges, p: Coefficients, r: jax.Array, zeta: jax.Array, _: jax.Array) -> jax.Array:
    pair = {name: of_pairs(p[name], edges) for name in ("R", "D", "A", "B", "lambda1", "lambda2", "n", "beta")}
    attraction = bond_order(pair["beta"] * zeta, pair["n"], pair["n"]) * pair["B"] * jnp.exp(-pair["lambda2"] * r)
    repulsion = pair["A"] * jnp.exp(-pair["lambda1"] * r)
    weight = 0.5 * cutoff_function(r, pair["R"], pair["D"])
    return jnp.where(edges.mask, weight * (repulsion - attraction), 0.0)


def _moving(edges: Edges, p: Coefficients, r: jax.Array) -> Values:
    gamma, end, half = (of_thirds(p[name], edges) for name in ("gamma", "R", "D"))
    return {"weight": jnp.where(edges.mask[:, None], gamma * cutoff_function(r[:, None], end, half), 0.0)}


def _constant(edges: Edges, p: Coefficients, _: jax.Array) -> Values:
    third = {name: of_thirds(p[name], edges) for name in ("c", "d", "costheta0", "lambda3", "m")}
    return {"ratio": third["c"] ** 2 / third["d"] ** 2, "square": third["d"] ** 2, "costheta0": third["costheta0"]} | exponents(
        third["lambda3"], third["m"]
    )


def _triple(cosine: jax.Array, first: jax.Array, second: jax.Array, at: Values) -> jax.Array:
    off = (cosine - at["costheta0"]) ** 2
    # The same as 1 + c²/d² − c²/(d² + off), without the difference of large numbers.
    angular = 1.0 + at["ratio"] * off * inverse(at["square"] + off)
    return at["weight"] * angular * steep(first - second, at)


def bond_order(crowding: jax.Array, power: jax.Array, root: jax.Array) -> jax.Array:
    """b = (1 + xᵖ)^(−1/2q) of a bond with x ≥ 0 around it, exactly 1 where nothing is."""
    acts = crowding > _NOTHING
    # Where nothing is around a bond the logarithm is of 1, and what follows from it is masked out.
    t = power * jnp.log(jnp.where(acts, crowding, 1.0))
    return jnp.where(acts, jnp.exp(-softplus(t) / (2.0 * root)), 1.0)


def exponents(slope: jax.Array, power: jax.Array) -> Values:
    """Coefficients of a difference of distances and of its cube, for a slope λ and a power m of 1 or 3."""
    cubic = power == 3.0
    return {"linear": jnp.where(cubic, 0.0, slope), "cube": jnp.where(cubic, slope * slope * slope, 0.0)}


def steep(longer: jax.Array, at: Values) -> jax.Array:
    """e^(λ·longer)^m."""
    return jnp.exp(jax.lax.clamp(-STEEPEST, longer * (at["linear"] + at["cube"] * longer * longer), STEEPEST))


def cutoff_function(r: jax.Array, end: jax.Array, half: jax.Array) -> jax.Array:
    """f(r): 1 up to R − D, ½ − ½ sin(π(r − R)/2D) up to R + D, then 0; a step at R where D = 0."""
    finite = half > 0
    return jnp.where(finite, squared_sine(r, end, jnp.where(finite, half, 1.0)), jnp.where(r < end, 1.0, 0.0))


def squared_sine(r: jax.Array, end: jax.Array, half: jax.Array) -> jax.Array:
    """sin² of what falls from π/2 at R − D to 0 at R + D; it is ½ − ½ sin(π(r − R)/2D), without the difference near R + D."""
    return sine(0.5 * jnp.pi * jax.lax.clamp(0.0, (end + half - r) / (2.0 * half), 1.0)) ** 2


def pair_range(p: Coefficients, options: Options) -> jax.Array:
    """Distance beyond which an atom neither binds to another nor is around its bonds, shape=(s, s) [Å]."""
    return jnp.max(p["R"] + p["D"], axis=1)


def kinks(p: Coefficients, options: Options) -> tuple[jax.Array, ...]:
    """Both ends of f for each type of the bonded neighbor, shape=(s, s) each [Å]; one of them is (i, j, j)."""
    types = p["R"].shape[0]
    return tuple(p["R"][:, j] + sign * p["D"][:, j] for j in range(types) for sign in (-1.0, 1.0))


_BONDS = Bonds(bond=_bond, moving=_moving, constant=_constant, triple=_triple)

BOND_PARAMETERS = (
    ParameterSpec(name="lambda2", radial=True, length=-1, lower=0, description="decay of the attraction"),
    ParameterSpec(name="B", radial=True, energy=1, lower=0, description="strength of the attraction"),
    ParameterSpec(name="R", length=1, lower=0, open_lower=True, description="middle of the cutoff"),
    ParameterSpec(name="D", length=1, lower=0, description="half the width of the cutoff"),
    ParameterSpec(name="lambda1", radial=True, length=-1, lower=0, description="decay of the repulsion"),
    ParameterSpec(name="A", radial=True, energy=1, lower=0, description="strength of the repulsion"),
)

TERSOFF = ManyBodyForm(
    name="tersoff",
    description="Tersoff bond-order potential of covalent solids",
    reference="doi:10.1103/PhysRevB.37.6991",
    order=3,
    parameters=(
        ParameterSpec(name="m", default=3.0, option=True, choices=(1.0, 3.0), description="power of the exponent"),
        ParameterSpec(name="gamma", lower=0, description="strength of the angular term"),
        ParameterSpec(name="lambda3", length=-1, lower=0, description="preference for the nearest of several neighbors"),
        ParameterSpec(name="c", lower=0, description="strength of the angular dependence"),
        ParameterSpec(name="d", lower=0, open_lower=True, description="sharpness of the angular dependence"),
        ParameterSpec(name="costheta0", lower=-1, upper=1, description="cosine of the preferred angle"),
        ParameterSpec(name="n", radial=True, lower=0, open_lower=True, description="exponent of the bond order"),
        ParameterSpec(name="beta", radial=True, lower=0, description="strength of the bond order"),
        *BOND_PARAMETERS,
    ),
    energy=energy,
    pair_range=pair_range,
    kinks=kinks,
)
