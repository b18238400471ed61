"""Stillinger–Weber potential, for any number of elements, in LAMMPS's generalized form."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from md_sensitivity.potentials.base import Coefficients, Edges, ManyBodyForm, Options, ParameterSpec

_REACH = 2e-3
"""Nearer to the range than this fraction of σ the factor exp(σ/(r − aσ)) < 1e-200 counts as zero, as do its derivatives."""


def energy(edges: Edges, p: Coefficients, options: Options) -> jax.Array:
    """Energy of each atom, shape=(n,) [eV].

    Two-body terms are halved between the partners and use the parameters of (center, neighbor, neighbor); three-body terms belong
    to the center i, with ε, λ, cosθ₀ of (i, j, k) and σ, a, γ of (i, j, j) and (i, k, k), as in LAMMPS.

    Source: Stillinger and Weber, doi:10.1103/PhysRevB.31.5262.
    """
    pair = _of_pairs(edges, p)
    sigma, reach = pair["sigma"], pair["a"] * pair["sigma"]
    r_raw = jnp.sqrt(edges.x**2 + edges.y**2 + edges.z**2)
    inside = edges.mask & (r_raw < reach - _REACH * sigma)
    r = jnp.where(inside, r_raw, reach - sigma)  # any distance well inside: its terms are masked out below
    radial = jnp.where(inside, jnp.exp(sigma / (r - reach)), 0.0)
    ratio = sigma / r
    two_body = pair["epsilon"] * pair["A"] * (pair["B"] * ratio ** pair["p"] - ratio ** pair["q"]) * radial

    screening = jnp.where(inside, jnp.exp(pair["gamma"] * sigma / (r - reach)), 0.0)
    ux, uy, uz = (jnp.where(inside, component / r, 0.0) for component in (edges.x, edges.y, edges.z))
    cosine = sum(u[:, :, None] * u[:, None, :] for u in (ux, uy, uz))
    types = p["epsilon"].shape[0]
    triple = (edges.center[:, :, None] * types + edges.neighbor[:, :, None]) * types + edges.neighbor[:, None, :]
    strength = (p["lambda"] * p["epsilon"]).reshape(-1)[triple]
    preferred = p["costheta0"].reshape(-1)[triple]
    # Each unordered pair of bonds is met twice, with (i, j, k) and (i, k, j); LAMMPS reads the entry of either order, which its
    # files give alike. The diagonal j = k is no angle.
    angular = strength * screening[:, :, None] * screening[:, None, :] * (cosine - preferred) ** 2
    off_diagonal = ~jnp.eye(edges.x.shape[1], dtype=bool)
    three_body = jnp.where(off_diagonal[None], angular, 0.0)
    return 0.5 * two_body.sum(axis=1) + 0.5 * three_body.sum(axis=(1, 2))


def _of_pairs(edges: Edges, p: Coefficients) -> dict[str, jax.Array]:
    """Parameters of (center, neighbor, neighbor) at each edge, by one gather for all of them."""
    names = list(p)
    types = p[names[0]].shape[0]
    table = jnp.stack([jnp.diagonal(p[name], axis1=1, axis2=2).reshape(-1) for name in names])
    return dict(zip(names, table[:, edges.center * types + edges.neighbor], strict=True))


def pair_range(p: Coefficients, options: Options) -> jax.Array:
    """aσ of each pair of types, shape=(s, s) [Å]."""
    return jnp.diagonal(p["a"] * p["sigma"], axis1=1, axis2=2)


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
