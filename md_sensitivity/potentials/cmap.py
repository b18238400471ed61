"""Correction maps: a function of two torsion angles, given on a periodic grid."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from md_sensitivity.potentials.base import BondedForm, Coefficients, Options, ParameterSpec, Vector
from md_sensitivity.potentials.internal import torsion
from md_sensitivity.potentials.specs import OptionSpec


def _spline_values(t: jax.Array) -> tuple[jax.Array, ...]:
    """The four cubic B-splines that are not zero at a place t of the unit interval."""
    rest = 1.0 - t
    return (
        rest**3 / 6.0,
        (3.0 * t**3 - 6.0 * t**2 + 4.0) / 6.0,
        (3.0 * rest**3 - 6.0 * rest**2 + 4.0) / 6.0,
        t**3 / 6.0,
    )


def _spline_coefficients(grid: jax.Array) -> jax.Array:
    """Coefficients of the periodic bicubic spline through the values of maps, shape=(..., size, size)."""
    size = grid.shape[-1]
    wave = (4.0 + 2.0 * jnp.cos(2.0 * jnp.pi * jnp.arange(size) / size)) / 6.0
    shaped = jnp.fft.fft2(grid) / (wave[:, None] * wave[None, :])
    return jnp.real(jnp.fft.ifft2(shaped))


def energy(vectors: tuple[Vector, ...], p: Coefficients, options: Options) -> jax.Array:
    """scale · the periodic bicubic spline through a map's values at both torsion angles [eV].

    Torsions are of the first four and of the last four atoms of eight; the map starts at −180° in both, and the first angle runs
    slowest. Source: MacKerell, Feig and Brooks, doi:10.1002/jcc.20065.
    """
    size = int(options["size"])
    first, second = torsion(*vectors[:3]), torsion(*vectors[4:])
    coefficients = _spline_coefficients(p["energy"].reshape(-1, size, size))
    places = [(angle / (2.0 * jnp.pi) + 0.5) * size for angle in (first, second)]
    cells = [jnp.floor(jax.lax.stop_gradient(place)) for place in places]
    weights = [_spline_values(place - cell) for place, cell in zip(places, cells, strict=True)]
    rows, columns = ([(cell.astype(jnp.int32) + k - 1) % size for k in range(4)] for cell in cells)
    which = jnp.arange(len(coefficients))
    total = jnp.zeros_like(first)
    for a in range(4):
        for b in range(4):
            total = total + weights[0][a] * weights[1][b] * coefficients[which, rows[a], columns[b]]
    return p["scale"] * total


CMAP = BondedForm(
    name="cmap",
    description="correction map: a periodic bicubic spline over two torsion angles",
    reference="doi:10.1002/jcc.20065",
    parameters=(
        ParameterSpec(name="scale", default=1.0, description="factor of the whole map"),
        ParameterSpec(
            name="energy", energy=1, count=lambda options: int(options["size"]) ** 2, fixed=True, description="values on the grid"
        ),
    ),
    options=(OptionSpec(name="size", default=24, lower=4, whole=True, description="points of the map along each angle"),),
    order=8,
    energy=energy,
)
