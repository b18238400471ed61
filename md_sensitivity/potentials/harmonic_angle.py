"""Harmonic angles."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from md_sensitivity.potentials.base import BondedForm, Coefficients, Options, ParameterSpec, Vector
from md_sensitivity.potentials.harmonic_bond import FACTOR
from md_sensitivity.potentials.internal import bend


def energy(vectors: tuple[Vector, ...], p: Coefficients, options: Options) -> jax.Array:
    """factor · k (θ − θ0)² [eV], with θ the angle at the second of three atoms.

    Written in π − θ, whose square is smooth where the atoms lie on one line, so that linear molecules (θ0 = π) have a Hessian.
    """
    bent, square = bend(*vectors)
    rest = jnp.pi - p["theta0"]
    return options["factor"] * p["k"] * (square - 2.0 * rest * bent + rest * rest)


HARMONIC_ANGLE = BondedForm(
    name="harmonic_angle",
    description="harmonic angle: factor · k (θ − θ0)²",
    reference="doi:10.1021/ja00124a002",
    parameters=(
        ParameterSpec(name="k", energy=1, radian=-2, lower=0, description="stiffness"),
        ParameterSpec(name="theta0", angle=1, lower=0, description="angle at rest"),
    ),
    options=(FACTOR,),
    order=3,
    energy=energy,
)
