"""Lennard-Jones 12-6 by the place of its minimum, as CHARMM and AMBER write it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import jax

from md_sensitivity.potentials.base import Coefficients, Distance, Options, PairForm, ParameterSpec, Site
from md_sensitivity.potentials.dispersion import DISPERSION, DISPERSION_CORRECTION


def energy(d: Distance, p: Coefficients, options: Options) -> jax.Array:
    """φ = ε [(Rmin/r)¹² − 2 (Rmin/r)⁶] [eV], the distance in Å; p holds half of Rmin, whose mean over two types is half of theirs."""
    s2 = 4.0 * p["rmin_half"] * p["rmin_half"] * d.inverse_square
    s6 = s2 * s2 * s2
    return p["epsilon"] * s6 * (s6 - 2.0)


def _beyond(site: Site, p: Coefficients, options: Options, setup: Mapping[str, jax.Array]) -> jax.Array:
    """What the cutoff leaves out [eV]."""
    return DISPERSION.energy(site, {"sigma": 2.0 ** (5.0 / 6.0) * p["rmin_half"], "epsilon": p["epsilon"]}, options, setup)


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
    field=replace(DISPERSION, energy=_beyond),
)
