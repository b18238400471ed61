"""Lennard-Jones 12-6 by the place of its minimum, as CHARMM and AMBER write it."""

from __future__ import annotations

import jax

from md_sensitivity.potentials.base import Coefficients, Distance, Options, PairForm, ParameterSpec
from md_sensitivity.potentials.dispersion import DISPERSION_CORRECTION, dispersion


def energy(d: Distance, p: Coefficients, options: Options) -> jax.Array:
    """φ = ε [(Rmin/r)¹² − 2 (Rmin/r)⁶] [eV], the distance in Å; p holds half of Rmin, whose mean over two types is half of theirs."""
    s2 = 4.0 * p["rmin_half"] * p["rmin_half"] * d.inverse_square
    s6 = s2 * s2 * s2
    return p["epsilon"] * s6 * (s6 - 2.0)


def _powers(p: Coefficients) -> tuple[jax.Array, jax.Array]:
    """C12 and C6."""
    r6 = (2.0 * p["rmin_half"]) ** 6
    return p["epsilon"] * r6 * r6, 2.0 * p["epsilon"] * r6


LENNARD_JONES_RMIN = PairForm(
    name="lennard_jones_rmin",
    description="Lennard-Jones 12-6 by its minimum: ε[(Rmin/r)¹² − 2(Rmin/r)⁶]",
    reference="doi:10.1021/jp973084f",
    parameters=(
        ParameterSpec(name="rmin_half", length=1, lower=0, description="half the distance of the minimum; 0 for no interaction"),
        ParameterSpec(name="epsilon", energy=1, lower=0, description="depth of the well"),
    ),
    options=(DISPERSION_CORRECTION,),
    energy=energy,
    strength=lambda p: p["epsilon"] * p["rmin_half"],
    mixable=True,
    field=dispersion(_powers),
)
