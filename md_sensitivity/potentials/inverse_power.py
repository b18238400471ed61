"""Inverse-power repulsion of soft spheres."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from md_sensitivity.potentials.base import Coefficients, Distance, Options, PairForm, ParameterSpec


def energy(d: Distance, p: Coefficients, options: Options) -> jax.Array:
    """φ = ε (σ/r)ⁿ [eV], r [Å].

    Source: Hoover et al., doi:10.1063/1.1672728.
    """
    return p["epsilon"] * jnp.exp(0.5 * p["n"] * jnp.log(p["sigma"] * p["sigma"] * d.inverse_square))


INVERSE_POWER = PairForm(
    name="inverse_power",
    description="inverse-power soft spheres: ε(σ/r)ⁿ",
    reference="doi:10.1063/1.1672728",
    parameters=(
        ParameterSpec(name="epsilon", energy=1, lower=0, description="energy at σ"),
        ParameterSpec(name="sigma", length=1, lower=0, open_lower=True, description="diameter"),
        ParameterSpec(name="n", lower=0, open_lower=True, description="exponent"),
    ),
    energy=energy,
    strength=lambda p: p["epsilon"],
)
