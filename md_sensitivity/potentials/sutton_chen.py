"""Sutton–Chen potential of metals and alloys."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from md_sensitivity.potentials.base import Coefficients, Distance, EmbeddedForm, EmbeddedTables, Options, ParameterSpec
from md_sensitivity.potentials.embedding import minus_square_root


def pair(d: Distance, p: Coefficients, options: Options) -> jax.Array:
    """φ = ε (a/r)ⁿ [eV].

    Source: Sutton and Chen, doi:10.1080/09500839008206493.
    """
    return p["epsilon"] * (p["a"] / d.r) ** p["n"]


def density(d: Distance, p: Coefficients, options: Options) -> jax.Array:
    """f = (a/r)ᵐ."""
    return (p["a"] / d.r) ** p["m"]


def tables(p: Coefficients, options: Options) -> EmbeddedTables:
    """Pairs as they are; each atom is bound by c ε of its own type."""
    pairs = {name: p[name] for name in ("epsilon", "a", "n", "m")}
    return EmbeddedTables(pairs=pairs, atoms={"strength": p["c"] * jnp.diagonal(p["epsilon"])}, shared={})


SUTTON_CHEN = EmbeddedForm(
    name="sutton_chen",
    description="Sutton–Chen: ½ Σ ε(a/r)ⁿ − c ε [Σ (a/r)ᵐ]^½ for each atom",
    reference="doi:10.1080/09500839008206493",
    parameters=(
        ParameterSpec(name="epsilon", energy=1, lower=0, description="energy scale"),
        ParameterSpec(name="a", length=1, lower=0, open_lower=True, description="length scale"),
        ParameterSpec(name="n", lower=0, open_lower=True, description="exponent of the repulsion"),
        ParameterSpec(name="m", lower=0, open_lower=True, description="exponent of the density"),
        ParameterSpec(name="c", types=1, lower=0, description="strength of the binding, in units of ε"),
    ),
    tables=tables,
    pair=pair,
    density=density,
    embedding=lambda rho, p, options: p["strength"] * minus_square_root(rho),
)
