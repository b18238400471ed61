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
from md_sensitivity.potentials.mesh import mesh_setup, mesh_sizes, response, spline_values, spread, stencil_of
from md_sensitivity.potentials.mesh_products import mesh_products
from md_sensitivity.potentials.specs import OptionSpec

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


def mesh_energy(site: Site, p: Coefficients, options: Options, setup: Mapping[str, jax.Array]) -> jax.Array:
    """Sum over waves on the mesh, with the charges' own parts and the background [eV]."""
    q, stencil = charges(site, p), stencil_of(site, options)
    x, y, z = spline_values(stencil.beyond.T, int(options["order"]))
    values = (q[:, None] * x)[:, :, None, None] * y[:, None, :, None] * z[:, None, None, :]
    structure = jnp.fft.rfftn(spread(stencil, values, mesh_sizes(options)))
    size = jnp.real(structure) ** 2 + jnp.imag(structure) ** 2
    return jnp.sum(response(site.cell, options, setup) * setup["waves"] * size) + self_and_background(site, q, options)


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
    products_of_waves=mesh_products,
)
