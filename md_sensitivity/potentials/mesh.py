"""A periodic mesh for charges: B-splines, which spread them, and the response to each wave of the mesh.

Source: Essmann et al., doi:10.1063/1.470117.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from md_sensitivity.potentials.base import Options, Site
from md_sensitivity.potentials.specs import COULOMB


def spline_values(t: jax.Array, order: int) -> jax.Array:
    """The B-splines of an order that are not zero at places t of the unit interval, along a new last axis, the lowest mesh point first."""
    t = t[..., None]
    values = jnp.concatenate([1.0 - t, t], axis=-1)
    none = jnp.zeros_like(t)
    for n in range(3, order + 1):
        # M_n(u) = [u M_{n−1}(u) + (n − u) M_{n−1}(u − 1)]/(n − 1), at u = t + n − 1 − k for the k-th point.
        k = jnp.arange(n)
        before, same = jnp.concatenate([none, values], axis=-1), jnp.concatenate([values, none], axis=-1)
        values = ((n - 1 - k + t) * before + (k + 1 - t) * same) / (n - 1)
    return values


def moduli(size: int, order: int) -> np.ndarray:
    """|b(m)|² of the splines for each wave along one axis, shape=(size,). Source: equation 4.4 there."""
    at_knots = np.zeros(size)
    values = np.array([float(v) for v in _knots(order)])
    at_knots[: order - 1] = values
    transformed = np.abs(np.fft.fft(at_knots)) ** 2
    # Even orders have no zeros; of odd ones the last wave vanishes, and takes what is around it.
    small = transformed < 1e-7
    transformed[small] = 0.5 * (np.roll(transformed, 1) + np.roll(transformed, -1))[small]
    return np.asarray(1.0 / transformed)


def _knots(order: int) -> list[float]:
    """M_order at 1, …, order − 1."""
    values = [1.0]
    for n in range(3, order + 1):
        extended = [0.0, *values, 0.0]
        values = [(k * extended[k] + (n - k) * extended[k - 1]) / (n - 1) for k in range(1, n)]
    return values


def mesh_setup(cell: np.ndarray, periodic: tuple[bool, bool, bool], options: Options) -> Mapping[str, np.ndarray]:
    """For waves of the half space that a real transform has: moduli of the splines, and how many waves each stands for.

    Returns:
        `moduli`, shape=(m0, m1, m2/2 + 1), and `waves`, shape=(m2/2 + 1,).
    """
    sizes = mesh_sizes(options)
    b = [moduli(size, int(options["order"])) for size in sizes]
    half = sizes[2] // 2 + 1
    # Each but those of the first plane, and of the last of an even mesh, stands for its opposite, too.
    waves = np.full(half, 2.0)
    waves[0] = 1.0
    if sizes[2] % 2 == 0:
        waves[-1] = 1.0
    return {"moduli": b[0][:, None, None] * b[1][None, :, None] * b[2][:half], "waves": waves}


def mesh_sizes(options: Options) -> tuple[int, int, int]:
    """Points along each edge of the cell."""
    return int(options["mesh0"]), int(options["mesh1"]), int(options["mesh2"])


class Stencil(NamedTuple):
    """The points of the mesh that the splines of each atom reach.

    Attributes:
        points: those along each axis, the lowest first, three arrays of shape=(n, order).
        beyond: how far each atom is beyond the highest of them, in mesh spacings, shape=(n, 3).
    """

    points: tuple[jax.Array, ...]
    beyond: jax.Array


def stencil_of(site: Site, options: Options) -> Stencil:
    """Where atoms are on the mesh."""
    sizes, order = mesh_sizes(options), int(options["order"])
    u = (site.positions - weights_of_center(site) @ site.positions) @ to_mesh(site.cell, sizes)
    below = jnp.floor(jax.lax.stop_gradient(u))
    steps = jnp.arange(1 - order, 1, dtype=jnp.int32)
    points = tuple((below[:, axis, None].astype(jnp.int32) + steps) % size for axis, size in enumerate(sizes))
    return Stencil(points, u - below)


def weights_of_center(site: Site) -> jax.Array:
    """The share of each atom in the center from which all are seen, shape=(n,).

    Seen from there, charges that move together do not move on the mesh: they keep their energy, and their forces add up to zero.
    """
    return site.real / jnp.sum(site.real)


def to_mesh(cell: jax.Array, sizes: tuple[int, int, int]) -> jax.Array:
    """What a position is multiplied with to be counted in mesh spacings, shape=(3, 3) [1/Å]."""
    return jnp.linalg.inv(cell) * jnp.asarray(sizes, dtype=jnp.float64)


def places(points: tuple[jax.Array, ...], sizes: tuple[int, int, int]) -> jax.Array:
    """Places of points in the flat mesh; along each axis, shape=(n, a), (n, b) and (n, c) → shape=(n, a, b, c)."""
    x, y, z = points
    return ((x[:, :, None] * sizes[1] + y[:, None, :]) * sizes[2])[..., None] + z[:, None, None, :]


def spread(stencil: Stencil, values: jax.Array, sizes: tuple[int, int, int]) -> jax.Array:
    """The mesh, of what each atom gives to its points, shape=(n, order, order, order)."""
    flat = jnp.zeros(math.prod(sizes), dtype=values.dtype)
    return flat.at[places(stencil.points, sizes).reshape(-1)].add(values.reshape(-1), mode="promise_in_bounds").reshape(sizes)


def response(cell: jax.Array, options: Options, setup: Mapping[str, jax.Array]) -> jax.Array:
    """Energy [eV] of each wave of the charges on the mesh, shape=(m0, m1, m2/2 + 1)."""
    sizes, inverse = mesh_sizes(options), jnp.linalg.inv(cell)
    axes = [jnp.fft.fftfreq(size, 1.0 / size) for size in sizes[:2]] + [jnp.arange(sizes[2] // 2 + 1, dtype=jnp.float64)]
    m = [
        axes[0][:, None, None] * inverse[c, 0] + axes[1][None, :, None] * inverse[c, 1] + axes[2][None, None, :] * inverse[c, 2]
        for c in range(3)
    ]
    square = m[0] ** 2 + m[1] ** 2 + m[2] ** 2
    real = square > 0
    safe = jnp.where(real, square, 1.0)
    weight = jnp.where(real, jnp.exp(-((math.pi / options["alpha"]) ** 2) * safe) / safe, 0.0) * setup["moduli"]
    return options[COULOMB.name] / (2.0 * math.pi * jnp.abs(jnp.linalg.det(cell))) * weight
