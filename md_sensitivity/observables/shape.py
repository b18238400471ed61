"""Observables of the whole structure: radius of gyration and deviation from the input."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from md_sensitivity.minimization import Equilibrium
from md_sensitivity.neighbors import on_device
from md_sensitivity.observables.base import Data, Observable, ObservableKind, geometry, system_of

_SAME = 1e-9
"""A deviation smaller than this [Å] counts as zero, where its derivative does not exist."""


def rigid_motions(equilibrium: Equilibrium) -> tuple[bool, bool]:
    """Whether translating, and turning, the whole structure are zero modes."""
    modes = equilibrium.modes
    if modes is None:
        return False, False
    system = system_of(equilibrium, "shape")
    free = np.asarray(system.free)[: system.size, : system.dimensions]
    if not np.all(free > 0):
        return False, False
    allowed = np.asarray(modes.allowed)
    sizes = np.bincount(np.asarray(modes.fragment)[: system.size], minlength=len(allowed))
    # About an axis out of the plane in two dimensions, about any axis in three. A point has nothing to turn.
    turning = np.array([np.linalg.matrix_rank(a[3:]) for a in allowed])
    wanted = 1 if system.dimensions == 2 else 3
    return True, bool(np.all((turning >= wanted) | (sizes <= 1)))


def _bind_gyration(equilibrium: Equilibrium, asked: Observable) -> Data:
    system = system_of(equilibrium, "radius_of_gyration")
    modes = equilibrium.modes
    # A cluster that crosses the boundary of its cell is made whole; what is continued through it stays as the file has it.
    one = modes is not None and not np.any(np.asarray(modes.fragment)[: system.size])
    image = np.asarray(modes.image) if one and modes is not None and rigid_motions(equilibrium)[1] else np.zeros(system.positions.shape)
    masses = np.asarray(system.masses)
    for mask in asked.masks(len(masses)):
        masses = masses * mask
    return on_device({"weights": masses / masses.sum(), "image": image})


def _gyration(energy: Any, x: jax.Array, theta: Any, data: Data) -> jax.Array:
    here = geometry(energy, x)
    whole = here.positions + here.lattice(data["image"])
    center = data["weights"] @ whole
    square = jnp.sum(data["weights"] * jnp.sum((whole - center) ** 2, axis=1))
    single = square == 0
    return jnp.where(single, 0.0, jnp.sqrt(jnp.where(single, 1.0, square)))


def _bind_rmsd(equilibrium: Equilibrium, asked: Observable) -> Data:
    system = system_of(equilibrium, "rmsd")
    translates, turns = rigid_motions(equilibrium)
    count = system.size
    weights = np.where(np.arange(len(system.positions)) < count, 1.0, 0.0)
    for mask in asked.masks(len(weights)):
        weights = weights * mask
    weights = weights / weights.sum()
    reference, x = np.asarray(system.positions), equilibrium.positions
    if translates:
        reference = reference - weights @ reference
    if turns:
        chosen = weights > 0
        rotation = best_rotation(reference[chosen], (x - weights @ x)[chosen], system.dimensions)
        # The best rotation is stationary, so that holding it fixed leaves the first derivative exact.
        reference = reference @ rotation.T
    return on_device({"reference": reference, "translates": np.float64(translates), "weights": weights})


def best_rotation(reference: np.ndarray, moved: np.ndarray, dimensions: int) -> np.ndarray:
    """Rotation that takes centered `reference` onto `moved`, shape=(3, 3). Source: Kabsch, doi:10.1107/S0567739476001873."""
    d = dimensions
    u, _, vt = np.linalg.svd(moved[:, :d].T @ reference[:, :d])
    signs = np.ones(d)
    signs[-1] = np.sign(np.linalg.det(u) * np.linalg.det(vt))
    rotation = np.eye(3)
    rotation[:d, :d] = (u * signs) @ vt
    return rotation


def _rmsd(energy: Any, x: jax.Array, theta: Any, data: Data) -> jax.Array:
    here = geometry(energy, x).positions
    moved = here - data["translates"] * (data["weights"] @ here)
    square = data["weights"] @ jnp.sum((moved - data["reference"]) ** 2, axis=1)
    same = square <= _SAME**2
    return jnp.where(same, 0.0, jnp.sqrt(jnp.where(same, 1.0, square)))


def _at_zero(name: str) -> Any:
    return lambda value: f"the derivative of {name} does not exist where it is zero" if float(value) == 0 else ""


RADIUS_OF_GYRATION = ObservableKind(
    name="radius_of_gyration",
    description="mass-weighted radius of gyration",
    unit="Å",
    selections=1,
    optional=True,
    evaluate=_gyration,
    bind=_bind_gyration,
    undefined=_at_zero("the radius of gyration"),
)
RMSD = ObservableKind(
    name="rmsd",
    description="root-mean-square deviation from the input, after superposition where rotation is a zero mode",
    unit="Å",
    selections=1,
    optional=True,
    evaluate=_rmsd,
    bind=_bind_rmsd,
    undefined=_at_zero("the deviation"),
)
