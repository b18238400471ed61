"""Harmonic bonds, and the same between the ends of an angle."""

from __future__ import annotations

import jax

from md_sensitivity.potentials.base import BondedForm, Coefficients, Options, ParameterSpec, Vector
from md_sensitivity.potentials.internal import added, length
from md_sensitivity.potentials.specs import OptionSpec

FACTOR = OptionSpec(name="factor", default=0.5, lower=0, open_lower=True, description="of k: ½ as in OpenMM and GROMACS, or 1 as in AMBER")
_PARAMETERS = (
    ParameterSpec(name="k", energy=1, length=-2, lower=0, description="stiffness"),
    ParameterSpec(name="r0", length=1, lower=0, description="length at rest"),
)


def energy(vectors: tuple[Vector, ...], p: Coefficients, options: Options) -> jax.Array:
    """factor · k (r − r0)² [eV]."""
    stretch = length(vectors[0]) - p["r0"]
    return options["factor"] * p["k"] * stretch * stretch


def ends_energy(vectors: tuple[Vector, ...], p: Coefficients, options: Options) -> jax.Array:
    """factor · k (r − r0)² of the distance r between the first and the third atom [eV]."""
    return energy((added(vectors[0], vectors[1]),), p, options)


HARMONIC_BOND = BondedForm(
    name="harmonic_bond",
    description="harmonic bond: factor · k (r − r0)²",
    reference="doi:10.1021/ja00124a002",
    parameters=_PARAMETERS,
    options=(FACTOR,),
    order=2,
    energy=energy,
)
UREY_BRADLEY = BondedForm(
    name="urey_bradley",
    description="Urey-Bradley: factor · k (r − r0)² of the distance between the ends of an angle",
    reference="doi:10.1021/jp973084f",
    # CHARMM corrects some angles by ends that push apart.
    parameters=(ParameterSpec(name="k", energy=1, length=-2, description="stiffness"), _PARAMETERS[1]),
    options=(FACTOR,),
    order=3,
    energy=ends_energy,
)
