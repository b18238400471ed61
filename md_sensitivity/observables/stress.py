"""Stress and pressure of a periodic structure, σ = (1/V) ∂E/∂ε at fixed cell."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from md_sensitivity.errors import UsageError
from md_sensitivity.minimization import Equilibrium
from md_sensitivity.neighbors import on_device
from md_sensitivity.observables.base import Data, ObservableKind, system_of
from md_sensitivity.units import NEWTON_PER_METER

VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
"""Order of components: xx yy zz yz xz xy."""


def _bind(equilibrium: Equilibrium, atoms: tuple[int, ...]) -> Data:
    system = system_of(equilibrium, "stress")
    d = system.dimensions
    if not all(system.pbc[:d]):
        raise UsageError(f"pressure and stress are offered where all {d} axes are periodic, not for clusters and slabs")
    cell = np.asarray(system.cell)
    if d == 2:
        size = np.linalg.norm(np.cross(cell[0], cell[1]))
        unit = 1.0 if system.units.reduced else NEWTON_PER_METER
    else:
        size, unit = np.abs(np.linalg.det(cell)), system.units.pressure
    return on_device({"factor": np.float64(unit / size), "dimensions": np.float64(d)})


def _tensor(energy: Any, x: jax.Array, theta: Any, data: Data) -> jax.Array:
    raw = jax.grad(energy.strained, argnums=2)(x, theta, jnp.zeros((3, 3)))
    return data["factor"] * 0.5 * (raw + raw.T)


def _stress(energy: Any, x: jax.Array, theta: Any, data: Data) -> jax.Array:
    tensor = _tensor(energy, x, theta, data)
    return jnp.stack([tensor[a, b] for a, b in VOIGT])


def _pressure(energy: Any, x: jax.Array, theta: Any, data: Data) -> jax.Array:
    return -jnp.trace(_tensor(energy, x, theta, data)) / data["dimensions"]


STRESS = ObservableKind(
    name="stress",
    description="stress, Voigt order xx yy zz yz xz xy, positive in tension (in two dimensions per length)",
    unit="GPa",
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
