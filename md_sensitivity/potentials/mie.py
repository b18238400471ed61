"""Mie potential: Lennard-Jones with other exponents."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from md_sensitivity.potentials.base import Coefficients, Distance, Options, PairForm, ParameterSpec


def energy(d: Distance, p: Coefficients, options: Options) -> jax.Array:
    """φ = ε n/(n−m) (n/m)^(m/(n−m)) [(σ/r)ⁿ − (σ/r)ᵐ] [eV], r [Å]; the minimum is −ε. Exchanging n and m changes nothing.

    Source: Mie, doi:10.1002/andp.19033160802.
    """
    n, m = p["n"], p["m"]
    depth = p["epsilon"] * n / (n - m) * jnp.exp(m / (n - m) * jnp.log(n / m))
    logarithm = 0.5 * jnp.log(p["sigma"] * p["sigma"] * d.inverse_square)
    return depth * (jnp.exp(n * logarithm) - jnp.exp(m * logarithm))


MIE = PairForm(
    name="mie",
    description="Mie n-m: ε n/(n−m) (n/m)^(m/(n−m)) [(σ/r)ⁿ − (σ/r)ᵐ]",
    reference="doi:10.1002/andp.19033160802",
    parameters=(
        ParameterSpec(name="epsilon", energy=1, lower=0, description="depth of the well"),
        ParameterSpec(name="sigma", length=1, lower=0, open_lower=True, description="distance where φ vanishes"),
        ParameterSpec(name="n", lower=0, open_lower=True, unlike="m", description="exponent of the repulsion"),
        ParameterSpec(name="m", lower=0, open_lower=True, description="exponent of the attraction"),
    ),
    energy=energy,
    strength=lambda p: p["epsilon"],
)
