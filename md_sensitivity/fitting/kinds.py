"""Observables that only a fit asks for, because they need data to be compared with: positions after relaxation, and given forces."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from md_sensitivity.minimization import Equilibrium
from md_sensitivity.observables import BoundObservable
from md_sensitivity.observables.base import Data, ObservableKind, system_of, unit_of
from md_sensitivity.observables.shape import best_rotation, rigid_motions


def _forces(energy: Any, x: jax.Array, theta: Any, data: Data) -> jax.Array:
    return -jax.grad(energy)(x, theta)


def _positions(energy: Any, x: jax.Array, theta: Any, data: Data) -> jax.Array:
    count = jnp.sum(data["atoms"])
    centered = x - data["translates"] * jnp.sum(data["atoms"] * x, axis=0) / count
    turned = centered @ data["rotation"]
    # The best rotation follows x: Σ y × reference = 0 stays true to first order when y turns by ω = −M⁻¹ Σ y × reference.
    torque = jnp.sum(data["atoms"] * jnp.cross(turned, data["reference"]), axis=0)
    return turned - jnp.cross(data["turning"] @ (torque - data["torque"]), turned) + data["center"]


POSITIONS = ObservableKind(
    name="positions",
    description="positions of the relaxed structure, moved onto the reference",
    unit="Å",
    evaluate=_positions,
)
FORCES = ObservableKind(name="forces", description="−∂E/∂x at given positions", unit="eV/Å", evaluate=_forces)


def bind_positions(equilibrium: Equilibrium, reference: np.ndarray) -> BoundObservable:
    """Positions to be compared with a reference of shape=(n, 3) [Å]: rigid motions that cost no energy are removed.

    Where the structure is periodic, each atom is compared with the nearest image of its reference.
    """
    from ase.geometry import find_mic

    system = system_of(equilibrium, POSITIONS.name)
    n, x = len(reference), np.asarray(equilibrium.x)
    translates, turns = rigid_motions(equilibrium)
    steps = x[:n] - reference
    nearest, _ = find_mic(steps, np.asarray(system.cell), pbc=list(system.pbc))
    reference = x[:n] - nearest
    center = reference.mean(axis=0) if translates else np.zeros(3)
    goal = np.zeros_like(x)
    goal[:n] = reference - center
    atoms = np.zeros((len(x), 1))
    atoms[:n] = 1.0
    rotation, turning, torque = np.eye(3), np.zeros((3, 3)), np.zeros(3)
    if turns:
        moved = x[:n] - x[:n].mean(axis=0)
        rotation = best_rotation(goal[:n], moved, system.dimensions)
        turned = moved @ rotation
        overlap = turned.T @ goal[:n]
        turning = np.linalg.pinv(overlap - np.trace(overlap) * np.eye(3), rcond=1e-9, hermitian=False)
        if system.dimensions == 2:
            turning = np.diag([0.0, 0.0, -1.0 / np.trace(overlap[:2, :2])])
        torque = np.cross(turned, goal[:n]).sum(axis=0)
    data = {
        "reference": jnp.asarray(goal),
        "atoms": jnp.asarray(atoms),
        "translates": jnp.asarray(float(translates)),
        "center": jnp.asarray(center),
        "rotation": jnp.asarray(rotation),
        "turning": jnp.asarray(turning),
        "torque": jnp.asarray(torque),
    }
    return BoundObservable(data=data, name=POSITIONS.name, unit=unit_of(POSITIONS, system), kind=POSITIONS)
