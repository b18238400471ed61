"""Buckingham (exp-6) potential."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from md_sensitivity.potentials.base import Coefficients, Distance, Options, PairForm, ParameterSpec


def energy(d: Distance, p: Coefficients, options: Options) -> jax.Array:
    """φ = A e^(−r/ρ) − C/r⁶ [eV], r [Å]. It falls to −∞ at small r: a structure that has collapsed is no minimum."""
    inverse = d.inverse_square
    return p["A"] * jnp.exp(-d.r / p["rho"]) - p["C"] * inverse * inverse * inverse


BUCKINGHAM = PairForm(
    name="buckingham",
    description="Buckingham: A e^(−r/ρ) − C/r⁶",
    reference="doi:10.1098/rspa.1938.0173",
    parameters=(
        ParameterSpec(name="A", energy=1, lower=0, description="strength of the repulsion"),
        ParameterSpec(name="rho", length=1, lower=0, open_lower=True, description="decay length of the repulsion"),
        ParameterSpec(name="C", energy=1, length=6, lower=0, description="strength of the dispersion attraction"),
    ),
    energy=energy,
    strength=lambda p: p["A"] + p["C"],
    bottomless=True,
)
