"""Harmonic angles."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from md_sensitivity.potentials.base import BondedForm, Coefficients, Options, ParameterSpec, Vector
from md_sensitivity.potentials.harmonic_bond import FACTOR
from md_sensitivity.potentials.internal import bend

_STRAIGHT = 1e-14
"""Bend [rad] that is but the rounding of 180°."""


@jax.custom_jvp
def _bend_at_rest(theta0: jax.Array) -> jax.Array:
    """π − θ0 [rad], zero for 180°: times the curvature of the bend, which has none in line, what rounding leaves would be a stiffness."""
    rest = jnp.pi - theta0
    return jnp.where(jnp.abs(rest) < _STRAIGHT, 0.0, rest)


@_bend_at_rest.defjvp
def _bend_at_rest_jvp(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[jax.Array, jax.Array]:
    return _bend_at_rest(primals[0]), -tangents[0]


def energy(vectors: tuple[Vector, ...], p: Coefficients, options: Options) -> jax.Array:
    """factor · k (θ − θ0)² [eV], with θ the angle at the second of three atoms.

    Written in π − θ, whose square is smooth where the atoms lie on one line, so that linear molecules (θ0 = π) have a Hessian.
    """
    bent, square = bend(*vectors)
    rest = _bend_at_rest(p["theta0"])
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
