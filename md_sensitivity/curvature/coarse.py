"""A coarse space of plane waves: what makes conjugate gradients slow in large systems are long waves, and those are few.

z = r/λ_max + W (Wᵀ H W)⁺ Wᵀ r, with W the waves cos(q·x) and sin(q·x) along x, y and z. The set-up takes one product with H for each
wave, so that it pays for several right-hand sides and large systems.

Source: additive two-level preconditioning, Smith, Bjørstad and Gropp, Domain Decomposition (1996), ISBN 978-0-521-60286-0.
"""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from md_sensitivity.compilation import program
from md_sensitivity.energy import Assembled, Frame

_CHUNK = 16
"""Waves that are multiplied with H together."""
_POWER_STEPS = 12
_SMALLEST = 1e-8
"""Coarse eigenvalues below this fraction of the largest are left out: rigid motions, and waves that repeat others."""


class Coarse(NamedTuple):
    """A coarse space, ready to be applied.

    Attributes:
        waves: values at each row, shape=(f, rows).
        free: 1 where a coordinate may move, packed, shape=(3 · rows,).
        inverse: (Wᵀ H W)⁺ in the order (axis, wave), shape=(3f, 3f).
        scale: 1/λ_max.
    """

    waves: jax.Array
    free: jax.Array
    inverse: jax.Array
    scale: jax.Array

    def __call__(self, r: jax.Array) -> jax.Array:
        """z for packed vectors, shape=(p, 3 · rows)."""
        p = r.shape[0]
        waves, inverse = self.waves.astype(r.dtype), self.inverse.astype(r.dtype)
        parts = (r * self.free).reshape(p * 3, -1) @ waves.T
        lifted = (parts.reshape(p, -1) @ inverse).reshape(p * 3, -1) @ waves
        return r * self.scale + lifted.reshape(p, -1) * self.free


def wave_vectors(cell: np.ndarray, count: int) -> np.ndarray:
    """The `count` shortest wave vectors, one of each pair ±q and without zero, shape=(count, 3) [1/Å]."""
    reciprocal = 2.0 * np.pi * np.linalg.inv(cell).T
    radius = float(np.linalg.norm(reciprocal, axis=1).min())
    while True:
        # |k_i| = |q·a_i|/2π bounds the integers of all vectors within the radius, however long or flat the cell is.
        reach = np.floor(np.linalg.norm(cell, axis=1) * radius / (2.0 * np.pi) * (1.0 + 1e-9)).astype(int)
        k = np.array([k for k in product(*(range(-m, m + 1) for m in reach)) if k > (0, 0, 0)], dtype=np.float64).reshape(-1, 3)
        q = k @ reciprocal
        lengths = np.linalg.norm(q, axis=1)
        if np.count_nonzero(lengths <= radius * (1.0 + 1e-9)) >= count:
            return q[np.argsort(lengths, kind="stable")][:count]
        radius *= 1.3


def waves(x: np.ndarray, cell: np.ndarray, pbc: tuple[bool, ...], rows: int, count: int) -> np.ndarray:
    """cos and sin of the shortest waves at each atom, normalized, zero in the rows that pad, shape=(2 · count, rows).

    Args:
        cell: shape=(3, 3) [Å]; along axes that are not periodic twice the extent of the structure takes its place, so that half waves fit.
    """
    box = np.array(cell, dtype=np.float64)
    for axis in range(3):
        if not pbc[axis]:
            along = box[axis] / np.linalg.norm(box[axis])
            box[axis] = along * max(2.0 * float(np.ptp(x @ along)), 1e-3)
    phase = x @ wave_vectors(box, count).T
    found = np.zeros((2 * count, rows))
    found[:count, : len(x)], found[count:, : len(x)] = np.cos(phase).T, np.sin(phase).T
    sizes = np.linalg.norm(found, axis=1, keepdims=True)
    return found / np.where(sizes > 0, sizes, 1.0)


@program
def _images(stored: Assembled, basis: jax.Array, free: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Wᵀ H W, shape=(3f, 3f), and the largest eigenvalue of H."""
    f, rows = basis.shape
    padded = -(-f // _CHUNK) * _CHUNK
    chunks = jnp.pad(basis, ((0, padded - f), (0, 0))).reshape(-1, _CHUNK, rows)

    def along(axis: int, chunk: jax.Array) -> jax.Array:
        vectors = jnp.zeros((_CHUNK, 3, rows)).at[:, axis].set(chunk)
        return (stored.product(vectors.reshape(_CHUNK, -1) * free).reshape(-1, rows) @ basis.T).reshape(_CHUNK, 3 * f)

    blocks = [jax.lax.map(partial(along, axis), chunks).reshape(padded, 3 * f)[:f] for axis in range(3)]

    def power(_: int, v: jax.Array) -> jax.Array:
        w = stored.product(v[None])[0]
        return w / jnp.maximum(jnp.linalg.norm(w), 1e-300)

    start = free * jax.random.normal(jax.random.key(0), (3 * rows,), dtype=jnp.float64)
    v = jax.lax.fori_loop(0, _POWER_STEPS, power, start / jnp.linalg.norm(start))
    return jnp.concatenate(blocks), jnp.linalg.norm(stored.product(v[None]))


def coarse_space(stored: Assembled, x: np.ndarray, frame: Frame, count: int) -> Coarse:
    """The coarse space of `count` wave vectors for a stored Hessian of positions x, shape=(n, 3) [Å]."""
    free = stored.pack(jnp.asarray(frame.free).reshape(1, -1))[0]
    atoms = len(x) if frame.atoms is None else int(frame.atoms)
    periodic = (False, False, False) if frame.periodic is None else tuple(bool(axis) for axis in np.asarray(frame.periodic))
    basis = waves(x[:atoms], np.asarray(frame.cell), periodic, free.size // 3, count)
    matrix, largest = (np.asarray(part) for part in _images(stored, basis, free))
    values, vectors = np.linalg.eigh(0.5 * (matrix + matrix.T))
    kept = values > _SMALLEST * max(float(values[-1]), 0.0)
    inverse = (vectors[:, kept] / values[kept]) @ vectors[:, kept].T
    return Coarse(jnp.asarray(basis), free, jnp.asarray(inverse), jnp.asarray(1.0 / max(float(largest), 1e-300)))
