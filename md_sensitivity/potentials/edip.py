"""Environment-dependent interatomic potential (EDIP), for any number of elements, in LAMMPS's generalized form."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from md_sensitivity.potentials.base import Coefficients, Edges, ManyBodyForm, Options, ParameterSpec
from md_sensitivity.potentials.bonds import Bonds, Values, bond_energy
from md_sensitivity.potentials.elementary import inverse, screening
from md_sensitivity.potentials.narrowing import among_near
from md_sensitivity.potentials.triples import of_pairs, of_thirds
from md_sensitivity.reduction import sum_entries


def energy(edges: Edges, p: Coefficients, options: Options) -> jax.Array:
    """Energy of each atom, shape=(n,) [eV]: U₂ of each of its bonds and U₃ of its angles, which depend on its coordination Z = Σ_j f(r_ij).

    U₂ = A ((B/r)^ρ − e^(−βZ²)) e^(σ/(r − a)); U₃ = e^(γ/(r_ij − a) + γ/(r_ik − a)) λ (1 − e^(−Q x²) + η Q x²) with x = cosθ + τ,
    Q = Q₀ e^(−μZ), τ = u₁ + u₂ (u₃ e^(−u₄Z) − e^(−2u₄Z)). λ, η, μ, Q₀ and u are those of (i, j, k), all others those of (i, j, j), as in
    LAMMPS.

    Source: Justo, Bazant, Kaxiras, Bulatov and Yip, doi:10.1103/PhysRevB.58.2539.
    """
    r = jnp.sqrt(edges.x**2 + edges.y**2 + edges.z**2)
    end = of_pairs(p["cutoffA"], edges)
    shared = coordination_function(r, of_pairs(p["cutoffC"], edges), end, of_pairs(p["alpha"], edges))
    (coordination,) = sum_entries(jnp.where(edges.mask, shared, 0.0))
    return among_near(edges, edges.mask & (r < end), lambda some, z: bond_energy(_BONDS, some, z, p), coordination[:, None])


def coordination_function(r: jax.Array, start: jax.Array, end: jax.Array, alpha: jax.Array) -> jax.Array:
    """f(r): 1 up to c, then e^(α/(1 − x⁻³)) with x = (r − c)/(a − c), and 0 from a on; a step at a where a ≤ c."""
    finite = end > start
    x = jax.lax.clamp(0.0, (r - start) / jnp.where(finite, end - start, 1.0), 1.0)
    cube = x * x * x
    inside = alpha * cube < 460.0 * (1.0 - cube)  # beyond, f is less than e⁻⁴⁶⁰
    safe = jnp.where(inside, cube, 0.0)
    falling = jnp.where(inside, jnp.exp(-alpha * safe * inverse(1.0 - safe)), 0.0)
    return jnp.where(finite, falling, jnp.where(r < end, 1.0, 0.0))


def _bond(edges: Edges, p: Coefficients, r: jax.Array, zeta: jax.Array, coordination: jax.Array) -> jax.Array:
    pair = {name: of_pairs(p[name], edges) for name in ("A", "B", "rho", "beta", "sigma", "cutoffA")}
    strength = jnp.exp(pair["rho"] * jnp.log(pair["B"] * inverse(r))) - jnp.exp(-pair["beta"] * coordination * coordination)
    pairs = pair["A"] * strength * screening(r, pair["cutoffA"], pair["sigma"])
    # Each unordered pair of bonds is met twice, with (i, j, k) and (i, k, j).
    return jnp.where(edges.mask, pairs + 0.5 * _screening(edges, p, r) * zeta, 0.0)


def _moving(edges: Edges, p: Coefficients, r: jax.Array) -> Values:
    return {"screening": _screening(edges, p, r)[:, None]}


def _screening(edges: Edges, p: Coefficients, r: jax.Array) -> jax.Array:
    return jnp.where(edges.mask, screening(r, of_pairs(p["cutoffA"], edges), of_pairs(p["gamma"], edges)), 0.0)


def _constant(edges: Edges, p: Coefficients, coordination: jax.Array) -> Values:
    names = ("lambda", "eta", "mu", "Q0", "u1", "u2", "u3", "u4")
    third, z = {name: of_thirds(p[name], edges) for name in names}, coordination[:, :, None]
    fading = jnp.exp(-third["u4"] * z)
    return {
        "lambda": third["lambda"],
        "eta": third["eta"],
        "stiffness": third["Q0"] * jnp.exp(-third["mu"] * z),
        "shift": third["u1"] + third["u2"] * fading * (third["u3"] - fading),
    }


def _triple(cosine: jax.Array, first: jax.Array, second: jax.Array, at: Values) -> jax.Array:
    bent = at["stiffness"] * (cosine + at["shift"]) ** 2
    return at["screening"] * at["lambda"] * (at["eta"] * bent - jnp.expm1(-bent))


def pair_range(p: Coefficients, options: Options) -> jax.Array:
    """a of each pair of types, shape=(s, s) [Å]."""
    return jnp.diagonal(p["cutoffA"], axis1=1, axis2=2)


_BONDS = Bonds(bond=_bond, moving=_moving, constant=_constant, triple=_triple, coordinated=True)

EDIP = ManyBodyForm(
    name="edip",
    description="EDIP: bonds and angles that depend on the coordination of their center",
    reference="doi:10.1103/PhysRevB.58.2539",
    order=3,
    parameters=(
        ParameterSpec(name="A", radial=True, energy=1, lower=0, description="strength of the bonds"),
        ParameterSpec(name="B", radial=True, length=1, lower=0, open_lower=True, description="length scale of the repulsion"),
        ParameterSpec(name="cutoffA", radial=True, length=1, lower=0, open_lower=True, description="range a"),
        ParameterSpec(name="cutoffC", radial=True, length=1, lower=0, description="distance c up to which a neighbor counts in full"),
        ParameterSpec(name="alpha", radial=True, lower=0, description="how the count of a neighbor falls between c and a"),
        ParameterSpec(name="beta", radial=True, lower=0, description="how coordination weakens bonds"),
        ParameterSpec(name="eta", lower=0, description="weight of the quadratic part of the angular term"),
        ParameterSpec(name="gamma", radial=True, length=1, lower=0, description="decay of the angular term"),
        ParameterSpec(name="lambda", energy=1, lower=0, description="strength of the angular term"),
        ParameterSpec(name="mu", lower=0, description="how coordination softens the angular term"),
        ParameterSpec(name="rho", radial=True, lower=0, description="exponent of the repulsion"),
        ParameterSpec(name="sigma", radial=True, length=1, lower=0, description="decay of the bonds"),
        ParameterSpec(name="Q0", lower=0, description="stiffness of the angular term"),
        ParameterSpec(name="u1", description="preferred angle: offset"),
        ParameterSpec(name="u2", description="preferred angle: scale"),
        ParameterSpec(name="u3", description="preferred angle: weight of the slow part"),
        ParameterSpec(name="u4", description="preferred angle: decay with coordination"),
    ),
    energy=energy,
    pair_range=pair_range,
)
