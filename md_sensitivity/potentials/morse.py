"""Morse potential."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from md_sensitivity.potentials.base import Coefficients, Distance, Options, PairForm, ParameterSpec


def energy(d: Distance, p: Coefficients, options: Options) -> jax.Array:
    """φ = D [e^(−2α(r−r₀)) − 2 e^(−α(r−r₀))] [eV], r [Å]; the minimum is −D at r₀."""
    decay = jnp.exp(-p["alpha"] * (d.r - p["r0"]))
    return p["D"] * (decay * decay - 2.0 * decay)


MORSE = PairForm(
    name="morse",
    description="Morse: D[e^(−2α(r−r₀)) − 2e^(−α(r−r₀))]",
    reference="doi:10.1103/PhysRev.34.57",
    parameters=(
        ParameterSpec(name="D", energy=1, lower=0, description="depth of the well"),
        ParameterSpec(name="alpha", length=-1, lower=0, open_lower=True, description="inverse width of the well"),
        ParameterSpec(name="r0", length=1, lower=0, open_lower=True, description="distance of the minimum"),
    ),
    energy=energy,
    strength=lambda p: p["D"],
)
