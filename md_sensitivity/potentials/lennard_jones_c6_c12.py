"""Lennard-Jones 12-6 in the coefficients of its powers, as GROMACS's combination rule 1 has it."""

from __future__ import annotations

import jax

from md_sensitivity.potentials.base import Coefficients, Distance, Options, PairForm, ParameterSpec
from md_sensitivity.potentials.dispersion import DISPERSION_CORRECTION, dispersion

POWERS = (
    ParameterSpec(name="C6", energy=1, length=6, lower=0, description="of r⁻⁶, attractive"),
    ParameterSpec(name="C12", energy=1, length=12, lower=0, description="of r⁻¹²"),
)


def energy(d: Distance, p: Coefficients, options: Options) -> jax.Array:
    """φ = C12/r¹² − C6/r⁶ [eV], the distance in Å."""
    r6 = d.inverse_square * d.inverse_square * d.inverse_square
    return (p["C12"] * r6 - p["C6"]) * r6


LENNARD_JONES_C6_C12 = PairForm(
    name="lennard_jones_c6_c12",
    description="Lennard-Jones 12-6: C12/r¹² − C6/r⁶",
    reference="doi:10.1098/rspa.1924.0082",
    parameters=POWERS,
    options=(DISPERSION_CORRECTION,),
    energy=energy,
    strength=lambda p: p["C6"] + p["C12"],
    mixable=True,
    field=dispersion(lambda p: (p["C12"], p["C6"])),
    bottomless=True,
)
