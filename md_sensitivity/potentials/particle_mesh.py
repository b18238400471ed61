"""Ewald sums on a mesh, for many atoms: charges are spread by B-splines, and waves are summed by Fourier transforms.

Source: Essmann et al., doi:10.1063/1.470117 (smooth particle-mesh Ewald). Splines of high order make the energy as often differentiable
as its Hessian and mixed derivatives want.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np

from md_sensitivity.potentials.base import Coefficients, Options, Site
from md_sensitivity.potentials.ewald import TOLERANCE, charges, is_open, require_crystal, self_and_background, split_sum, splitting
from md_sensitivity.potentials.specs import COULOMB, OptionSpec

_SMOOTH = (2, 3, 5)
"""Mesh sizes are products of these, for which Fourier transforms are fast."""


def mesh_size(length: float, alpha: float, tolerance: float, order: int) -> int:
    """Points along an edge [Å] for which splines of an order carry waves to the tolerance.

    The error of B-splines of order p at a wave k is about 2 (k h / 2π)^p / (1 − k h / 2π)^p for mesh spacing h, along each of three axes;
    it counts with the weight exp(−k²/4α²) that the wave has.
    """
    longest = 2.0 * alpha * math.sqrt(-math.log(tolerance))
    size = max(order + 1, math.ceil(length * longest / math.pi))
    while True:
        k = np.linspace(0.05, 1.0, 40) * longest
        share = k * length / size / (2.0 * math.pi)
        error = 3.0 * 2.0 * (share / (1.0 - share)) ** order * np.exp(-((k / (2.0 * alpha)) ** 2))
        if np.max(error) <= tolerance or size > 2000:
            return _fast(size)
        size += max(1, size // 32)


def _fast(size: int) -> int:
    while True:
        rest = size
        for factor in _SMOOTH:
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return size
        size += 1


def settled(options: Options, cutoff: float, cell: np.ndarray, periodic: tuple[bool, bool, bool]) -> Options:
    """Options with the splitting α [1/Å] and the mesh; α is 0 for plain Coulomb of a structure that is not periodic, without cutoff."""
    if is_open(cutoff, periodic):
        return {**options, "alpha": 0.0}
    require_crystal(cutoff, periodic)
    alpha, order = splitting(options, cutoff), int(options["order"])
    lengths = np.linalg.norm(cell, axis=1)
    sizes = {f"mesh{axis}": float(mesh_size(lengths[axis], alpha, options["tolerance"], order)) for axis in range(3)}
    return {**options, "alpha": alpha, **sizes}


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
    """Moduli of the splines for waves of the half space that a real transform has, shape=(m0, m1, m2/2 + 1)."""
    sizes = [int(options[f"mesh{axis}"]) for axis in range(3)]
    b = [moduli(size, int(options["order"])) for size in sizes]
    half = sizes[2] // 2 + 1
    # Each wave but those of the first plane, and of the last of an even mesh, stands for its opposite, too.
    twice = np.full(half, 2.0)
    twice[0] = 1.0
    if sizes[2] % 2 == 0:
        twice[-1] = 1.0
    return {"moduli": b[0][:, None, None] * b[1][None, :, None] * (b[2][:half] * twice)[None, None, :]}


def mesh_energy(site: Site, p: Coefficients, options: Options, setup: Mapping[str, jax.Array]) -> jax.Array:
    """Sum over waves on the mesh, with the charges' own parts and the background [eV]."""
    sizes, order = [int(options[f"mesh{axis}"]) for axis in range(3)], int(options["order"])
    q = charges(site, p)
    inverse = jnp.linalg.inv(site.cell)
    # Seen from their center, charges that move together do not move on the mesh: they keep their energy, and their forces add up to zero.
    weight = site.real[:, None] / jnp.sum(site.real)
    center = jnp.sum(weight * site.positions, axis=0)
    mesh = _spread(q, (site.positions - center) @ inverse, sizes, order)
    structure = jnp.fft.rfftn(mesh)
    axes = [jnp.fft.fftfreq(size, 1.0 / size) for size in sizes[:2]] + [jnp.arange(sizes[2] // 2 + 1, dtype=jnp.float64)]
    m = [
        axes[0][:, None, None] * inverse[c, 0] + axes[1][None, :, None] * inverse[c, 1] + axes[2][None, None, :] * inverse[c, 2]
        for c in range(3)
    ]
    square = m[0] ** 2 + m[1] ** 2 + m[2] ** 2
    real = square > 0
    safe = jnp.where(real, square, 1.0)
    weight = jnp.where(real, jnp.exp(-((math.pi / options["alpha"]) ** 2) * safe) / safe, 0.0) * setup["moduli"]
    volume = jnp.abs(jnp.linalg.det(site.cell))
    total = jnp.sum(weight * (jnp.real(structure) ** 2 + jnp.imag(structure) ** 2))
    return options[COULOMB.name] / (2.0 * math.pi * volume) * total + self_and_background(site, q, options)


def _spread(q: jax.Array, fractional: jax.Array, sizes: list[int], order: int) -> jax.Array:
    """Charges on the mesh, shape=sizes."""
    u = fractional * jnp.asarray(sizes, dtype=jnp.float64)
    cell = jnp.floor(jax.lax.stop_gradient(u))
    steps = jnp.arange(1 - order, 1, dtype=jnp.int32)
    index = [(cell[:, axis, None].astype(jnp.int32) + steps) % size for axis, size in enumerate(sizes)]
    weight = jnp.moveaxis(spline_values(u - cell, order), 1, 0)
    places = (index[0][:, :, None, None] * sizes[1] + index[1][:, None, :, None]) * sizes[2] + index[2][:, None, None, :]
    values = (q[:, None] * weight[0])[:, :, None, None] * weight[1][:, None, :, None] * weight[2][:, None, None, :]
    flat = jnp.zeros(sizes[0] * sizes[1] * sizes[2])
    return flat.at[places.reshape(-1)].add(values.reshape(-1), mode="promise_in_bounds").reshape(sizes)


COULOMB_PME = split_sum(
    "coulomb_pme",
    "Coulomb in a crystal by smooth particle-mesh Ewald, to a stated tolerance; for many atoms",
    "doi:10.1063/1.470117",
    (
        replace(TOLERANCE, default=1e-8),
        OptionSpec(name="order", default=8, lower=4, upper=14, whole=True, description="order of the splines"),
    ),
    settled=settled,
    energy_of_waves=mesh_energy,
    setup=mesh_setup,
)
