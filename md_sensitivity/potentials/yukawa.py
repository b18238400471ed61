"""Yukawa potential: screened charges."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from md_sensitivity.potentials.base import Coefficients, Distance, Options, PairForm, ParameterSpec


def energy(d: Distance, p: Coefficients, options: Options) -> jax.Array:
    """φ = A e^(−κr)/r [eV], r [Å].

    Source: Yukawa, doi:10.11429/ppmsj1919.17.0_48.
    """
    return p["A"] * jnp.exp(-p["kappa"] * d.r) * d.r * d.inverse_square


YUKAWA = PairForm(
    name="yukawa",
    description="Yukawa: A e^(−κr)/r",
    reference="doi:10.11429/ppmsj1919.17.0_48",
    parameters=(
        ParameterSpec(name="A", energy=1, length=1, description="strength; negative attracts"),
        ParameterSpec(name="kappa", length=-1, lower=0, description="inverse screening length"),
    ),
    energy=energy,
    strength=lambda p: p["A"],
)
