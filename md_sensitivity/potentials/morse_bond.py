"""Bonds that can break, after Morse."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from md_sensitivity.potentials.base import BondedForm, Coefficients, Options, ParameterSpec, Vector
from md_sensitivity.potentials.internal import length


def energy(vectors: tuple[Vector, ...], p: Coefficients, options: Options) -> jax.Array:
    """D [1 − exp(−α (r − r0))]² [eV]. Source: Morse, doi:10.1103/PhysRev.34.57."""
    part = 1.0 - jnp.exp(-p["alpha"] * (length(vectors[0]) - p["r0"]))
    return p["D"] * part * part


MORSE_BOND = BondedForm(
    name="morse_bond",
    description="Morse bond: D [1 − exp(−α (r − r0))]²",
    reference="doi:10.1103/PhysRev.34.57",
    parameters=(
        ParameterSpec(name="D", energy=1, lower=0, description="depth of the well"),
        ParameterSpec(name="alpha", length=-1, lower=0, description="steepness"),
        ParameterSpec(name="r0", length=1, lower=0, description="length at rest"),
    ),
    order=2,
    energy=energy,
)
