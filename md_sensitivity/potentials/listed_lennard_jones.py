"""Lennard-Jones 12-6 between two listed atoms, for pairs whose numbers are their own, such as those three bonds apart."""

from __future__ import annotations

import jax

from md_sensitivity.potentials import lennard_jones, lennard_jones_c6_c12
from md_sensitivity.potentials.base import BondedForm, Coefficients, Options, Vector, distance_of
from md_sensitivity.potentials.internal import dot


def energy(vectors: tuple[Vector, ...], p: Coefficients, options: Options) -> jax.Array:
    """4ε [(σ/r)¹² − (σ/r)⁶] [eV]."""
    return lennard_jones.energy(distance_of(dot(vectors[0], vectors[0])), p, options)


def powers_energy(vectors: tuple[Vector, ...], p: Coefficients, options: Options) -> jax.Array:
    """C12/r¹² − C6/r⁶ [eV]."""
    return lennard_jones_c6_c12.energy(distance_of(dot(vectors[0], vectors[0])), p, options)


LISTED_LENNARD_JONES = BondedForm(
    name="listed_lennard_jones",
    description="Lennard-Jones 12-6 of listed pairs: 4ε[(σ/r)¹² − (σ/r)⁶]",
    reference="doi:10.1098/rspa.1924.0082",
    parameters=lennard_jones.LENNARD_JONES.parameters,
    order=2,
    energy=energy,
)
LISTED_LENNARD_JONES_C6_C12 = BondedForm(
    name="listed_lennard_jones_c6_c12",
    description="Lennard-Jones 12-6 of listed pairs: C12/r¹² − C6/r⁶",
    reference="doi:10.1098/rspa.1924.0082",
    parameters=lennard_jones_c6_c12.POWERS,
    order=2,
    energy=powers_energy,
)
