"""Finite-range soft repulsion of jammed packings."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from md_sensitivity.potentials.base import Coefficients, Distance, Options, OptionSpec, PairForm, ParameterSpec


def energy(d: Distance, p: Coefficients, options: Options) -> jax.Array:
    """φ = (ε/α) (1 − r/σ)^α for r < σ, else 0 [eV], r [Å]."""
    exponent = options["exponent"]
    inside = d.r < p["sigma"]
    # The argument is made safe before the power and the result masked after it: outside, any power of a negative number and of its
    # derivatives would be NaN and would survive a mask in reverse mode.
    overlap = jnp.where(inside, 1.0 - d.r / p["sigma"], 0.5)
    return jnp.where(inside, p["epsilon"] / exponent * overlap**exponent, 0.0)


SOFT_SPHERE = PairForm(
    name="soft_sphere",
    description="finite-range soft repulsion: (ε/α)(1 − r/σ)^α for r < σ",
    reference="doi:10.1103/PhysRevE.68.011306",
    parameters=(
        ParameterSpec(name="sigma", length=1, lower=0, open_lower=True, description="sum of the radii (the pair diameter)"),
        ParameterSpec(name="epsilon", energy=1, lower=0, description="strength"),
    ),
    options=(OptionSpec(name="exponent", default=2.0, lower=2.0, description="α; 2 is harmonic, 2.5 Hertzian"),),
    energy=energy,
    natural_range=lambda p, options: p["sigma"],
    kinks=lambda p, options: (p["sigma"],),
    strength=lambda p: p["epsilon"],
    mixable=True,
    contact=True,
)
