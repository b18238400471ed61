"""What potentials of charges share: parameters, options, and products of charges for each pair of types."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from md_sensitivity.potentials.base import COULOMB, Coefficients, Options, OptionSpec, ParameterSpec

CHARGE = ParameterSpec(name="q", charge=1, types=1, description="charge")
DAMPING = OptionSpec(name="alpha", default=None, lower=0, length=-1, description="damping of the interaction, α")
CUTOFF = OptionSpec(name="cutoff", default=None, lower=0, open_lower=True, length=1, description="where the interaction ends")


def products(p: Coefficients, options: Options) -> Coefficients:
    """q_i q_j e²/(4πε₀) of each pair of types, shape=(s, s) [eV·Å]."""
    return {"qq": options[COULOMB] * p["q"][:, None] * p["q"][None, :]}


def squares(p: Coefficients, options: Options) -> jax.Array:
    """q² e²/(4πε₀) of each type, shape=(s,) [eV·Å]."""
    return options[COULOMB] * p["q"] * p["q"]


def ends(p: Coefficients, options: Options) -> jax.Array:
    """The cutoff of each pair of types, shape=(s, s) [Å]."""
    return jnp.full_like(p["qq"], options["cutoff"])
