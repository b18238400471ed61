"""Stillinger–Weber potential, for any number of elements, in LAMMPS's generalized form."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from md_sensitivity.potentials.base import Coefficients, Edges, ManyBodyForm, Options, ParameterSpec
from md_sensitivity.potentials.bonds import Bonds, Values, bond_energy
from md_sensitivity.potentials.elementary import inverse, screening
from md_sensitivity.potentials.narrowing import among_near
from md_sensitivity.potentials.triples import of_pairs, of_thirds, of_types


def energy(edges: Edges, p: Coefficients, options: Options) -> jax.Array:
    """Energy of each atom, shape=(n,) [eV].

    Two-body terms are halved between the partners and use the parameters of (center, neighbor, neighbor); three-body terms belong
    to the center i, with ε, λ, cosθ₀ of (i, j, k) and σ, a, γ of (i, j, j) and (i, k, k), as in LAMMPS.

    Source: Stillinger and Weber, doi:10.1103/PhysRevB.31.5262.
    """
    r = jnp.sqrt(edges.x**2 + edges.y**2 + edges.z**2)
    near = edges.mask & (r < of_types(pair_range(p, options), edges))
    return among_near(edges, near, lambda some: bond_energy(_BONDS, some, jnp.zeros_like(some.x[:, :1]), p))


def _bond(edges: Edges, p: Coefficients, r: jax.Array, zeta: jax.Array, _: jax.Array) -> jax.Array:
    pair = {name: of_pairs(p[name], edges) for name in ("epsilon", "A", "B", "p", "q", "sigma", "a")}
    fall = jnp.log(pair["sigma"] * inverse(r))
    core = pair["B"] * jnp.exp(pair["p"] * fall) - jnp.exp(pair["q"] * fall)
    two_body = pair["epsilon"] * pair["A"] * core * screening(r, pair["a"] * pair["sigma"], pair["sigma"])
    # Each unordered pair of bonds is met twice, with (i, j, k) and (i, k, j); LAMMPS reads the entry of either order, which its
    # files give alike.
    return jnp.where(edges.mask, 0.5 * (two_body + _screening(edges, p, r) * zeta), 0.0)


def _moving(edges: Edges, p: Coefficients, r: jax.Array) -> Values:
    return {"screening": _screening(edges, p, r)[:, None]}


def _screening(edges: Edges, p: Coefficients, r: jax.Array) -> jax.Array:
    sigma, a, gamma = (of_pairs(p[name], edges) for name in ("sigma", "a", "gamma"))
    return jnp.where(edges.mask, screening(r, a * sigma, gamma * sigma), 0.0)


def _constant(edges: Edges, p: Coefficients, _: jax.Array) -> Values:
    return {"strength": of_thirds(p["lambda"] * p["epsilon"], edges), "costheta0": of_thirds(p["costheta0"], edges)}


def _triple(cosine: jax.Array, first: jax.Array, second: jax.Array, at: Values) -> jax.Array:
    return at["screening"] * at["strength"] * (cosine - at["costheta0"]) ** 2


def pair_range(p: Coefficients, options: Options) -> jax.Array:
    """aσ of each pair of types, shape=(s, s) [Å]."""
    return jnp.diagonal(p["a"] * p["sigma"], axis1=1, axis2=2)


_BONDS = Bonds(bond=_bond, moving=_moving, constant=_constant, triple=_triple)

STILLINGER_WEBER = ManyBodyForm(
    name="stillinger_weber",
    description="Stillinger–Weber two- and three-body potential of tetrahedral solids",
    reference="doi:10.1103/PhysRevB.31.5262",
    order=3,
    parameters=(
        ParameterSpec(name="epsilon", energy=1, lower=0, description="energy scale"),
        ParameterSpec(name="sigma", radial=True, length=1, lower=0, open_lower=True, description="length scale"),
        ParameterSpec(name="a", radial=True, lower=1, open_lower=True, description="range in units of σ"),
        ParameterSpec(name="lambda", lower=0, description="strength of the angular term"),
        ParameterSpec(name="gamma", radial=True, lower=0, description="decay of the angular term"),
        ParameterSpec(name="costheta0", lower=-1, upper=1, description="cosine of the preferred angle"),
        ParameterSpec(name="A", radial=True, lower=0, description="strength of the pair term"),
        ParameterSpec(name="B", radial=True, lower=0, description="repulsion within the pair term"),
        ParameterSpec(name="p", radial=True, lower=0, description="exponent of the repulsion"),
        ParameterSpec(name="q", radial=True, lower=0, description="exponent of the attraction"),
    ),
    energy=energy,
    pair_range=pair_range,
)
