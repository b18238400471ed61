"""Lennard-Jones 12-6."""

from __future__ import annotations

import jax

from md_sensitivity.potentials.base import Coefficients, Distance, Options, PairForm, ParameterSpec
from md_sensitivity.potentials.dispersion import DISPERSION_CORRECTION, dispersion


def energy(d: Distance, p: Coefficients, options: Options) -> jax.Array:
    """φ = 4ε [(σ/r)¹² − (σ/r)⁶] [eV], the distance in Å."""
    s2 = p["sigma"] * p["sigma"] * d.inverse_square
    s6 = s2 * s2 * s2
    return 4.0 * p["epsilon"] * (s6 * s6 - s6)


def _powers(p: Coefficients) -> tuple[jax.Array, jax.Array]:
    """C12 and C6."""
    s6 = p["sigma"] ** 6
    return 4.0 * p["epsilon"] * s6 * s6, 4.0 * p["epsilon"] * s6


LENNARD_JONES = PairForm(
    name="lennard_jones",
    description="Lennard-Jones 12-6: 4ε[(σ/r)¹² − (σ/r)⁶]",
    reference="doi:10.1098/rspa.1924.0082",
    parameters=(
        ParameterSpec(name="sigma", length=1, lower=0, open_lower=True, description="distance where φ vanishes"),
        ParameterSpec(name="epsilon", energy=1, lower=0, description="depth of the well"),
    ),
    options=(DISPERSION_CORRECTION,),
    energy=energy,
    strength=lambda p: p["epsilon"],
    mixable=True,
    field=dispersion(_powers),
)
