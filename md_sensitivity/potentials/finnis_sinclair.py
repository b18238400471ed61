"""Finnis–Sinclair potential of body-centered metals, in its analytic form."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from md_sensitivity.potentials.base import Coefficients, Distance, EmbeddedForm, EmbeddedTables, Options, ParameterSpec
from md_sensitivity.potentials.embedding import minus_square_root


def pair(d: Distance, p: Coefficients, options: Options) -> jax.Array:
    """φ = (r − c)² (c₀ + c₁ r + c₂ r²) for r < c, else 0 [eV].

    Source: Finnis and Sinclair, doi:10.1080/01418618408244210.
    """
    inside = d.r < p["c"]
    below = jnp.where(inside, d.r - p["c"], 0.0)
    return below * below * (p["c0"] + d.r * (p["c1"] + d.r * p["c2"]))


def density(d: Distance, p: Coefficients, options: Options) -> jax.Array:
    """f = (r − d)² + β (r − d)³/d for r < d, else 0 [Å²]."""
    inside = d.r < p["d"]
    below = jnp.where(inside, d.r - p["d"], 0.0)
    return below * below * (1.0 + p["beta"] * below / p["d"])


def tables(p: Coefficients, options: Options) -> EmbeddedTables:
    """Pairs as they are; an atom is bound by the A of its own type."""
    return EmbeddedTables(pairs=dict(p), atoms={"A": jnp.diagonal(p["A"])}, shared={})


FINNIS_SINCLAIR = EmbeddedForm(
    name="finnis_sinclair",
    description="Finnis–Sinclair: ½ Σ (r−c)²(c₀+c₁r+c₂r²) − A [Σ (r−d)² + β(r−d)³/d]^½ for each atom",
    reference="doi:10.1080/01418618408244210",
    parameters=(
        ParameterSpec(name="A", energy=1, length=-1, lower=0, description="strength of the binding; of pairs of one type"),
        ParameterSpec(name="d", length=1, lower=0, open_lower=True, description="range of the density"),
        ParameterSpec(name="beta", description="cubic part of the density"),
        ParameterSpec(name="c", length=1, lower=0, open_lower=True, description="range of the pair energy"),
        ParameterSpec(name="c0", energy=1, length=-2, description="constant of the pair energy's polynomial"),
        ParameterSpec(name="c1", energy=1, length=-3, description="its linear coefficient"),
        ParameterSpec(name="c2", energy=1, length=-4, description="its quadratic coefficient"),
    ),
    tables=tables,
    pair=pair,
    density=density,
    embedding=lambda rho, p, options: p["A"] * minus_square_root(rho),
    natural_range=lambda p, options: jnp.maximum(p["c"], p["d"]),
    kinks=lambda p, options: (p["c"], p["d"]),
)
