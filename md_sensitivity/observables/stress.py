"""Stress and pressure of a periodic structure, σ = (1/V) ∂E/∂ε at fixed cell."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero

from md_sensitivity.enthalpy import pressure_unit
from md_sensitivity.errors import UsageError
from md_sensitivity.interactions import direction_of
from md_sensitivity.minimization import Equilibrium
from md_sensitivity.neighbors import on_device
from md_sensitivity.observables.base import Data, Observable, ObservableKind, system_of
from md_sensitivity.voigt import VOIGT

COMPONENTS = np.array([0.5 * (np.outer(np.eye(3)[a], np.eye(3)[b]) + np.outer(np.eye(3)[b], np.eye(3)[a])) for a, b in VOIGT])
"""The strain that each stress component does work on, Voigt order, shape=(6, 3, 3)."""


def _bind(equilibrium: Equilibrium, asked: Observable) -> Data:
    system = system_of(equilibrium, "stress")
    d = system.dimensions
    if not all(system.pbc[:d]):
        raise UsageError(f"pressure and stress are offered where all {d} axes are periodic, not for clusters and slabs")
    return on_device({"unit": np.float64(pressure_unit(system)), "dimensions": np.float64(d)})


@jax.custom_jvp
def strained_along(energy: Any, x: jax.Array, theta: Any, direction: jax.Array) -> jax.Array:
    """Σ_ab direction_ab ∂E/∂ε_ab at zero strain [eV]; direction of shape=(3, 3).

    Its derivative with respect to x is how the gathered ∂E/∂x changes along the strain: no scatter, whichever mode asks.
    """
    return _along(energy, x, theta, direction)


def _along(energy: Any, x: jax.Array, theta: Any, direction: jax.Array) -> jax.Array:
    return jax.jvp(lambda strain: energy.strained(x, theta, strain), (jnp.zeros((3, 3)),), (direction,))[1]


@partial(strained_along.defjvp, symbolic_zeros=True)
def _strained_along_jvp(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[jax.Array, jax.Array]:
    energy, x, theta, direction = primals
    _, x_dot, theta_dot, direction_dot = tangents
    value, tangent = strained_along(energy, x, theta, direction), jnp.zeros(())
    along_x = direction_of(x, x_dot)
    if along_x is not None:
        by_x = jax.jvp(lambda strain: jax.grad(energy.strained)(x, theta, strain), (jnp.zeros((3, 3)),), (direction,))[1]
        tangent = tangent + sum(jnp.vdot(*pair) for pair in zip(jax.tree.leaves(by_x), jax.tree.leaves(along_x), strict=True))
    along_theta = direction_of(theta, theta_dot)
    if along_theta is not None:
        tangent = tangent + jax.jvp(lambda t: _along(energy, x, t, direction), (theta,), (along_theta,))[1]
    if not isinstance(direction_dot, SymbolicZero):
        tangent = tangent + strained_along(energy, x, theta, direction_dot)
    return value, tangent


def _stress(energy: Any, x: jax.Array, theta: Any, data: Data) -> jax.Array:
    components = jax.vmap(lambda direction: strained_along(energy, x, theta, direction))(jnp.asarray(COMPONENTS))
    return data["unit"] / energy.volume(x) * components


def _pressure(energy: Any, x: jax.Array, theta: Any, data: Data) -> jax.Array:
    return -data["unit"] / energy.volume(x) * strained_along(energy, x, theta, jnp.eye(3)) / data["dimensions"]


STRESS = ObservableKind(
    name="stress",
    description="stress, Voigt order xx yy zz yz xz xy, positive in tension (in two dimensions per length)",
    unit="GPa",
    components=6,
    evaluate=_stress,
    bind=_bind,
)
PRESSURE = ObservableKind(
    name="pressure",
    description="−tr(stress)/d, positive in compression (in two dimensions per length)",
    unit="GPa",
    evaluate=_pressure,
    bind=_bind,
)
