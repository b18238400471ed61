"""Solvent-accessible surface area, smooth in the positions."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from md_sensitivity.errors import UsageError
from md_sensitivity.minimization import Equilibrium
from md_sensitivity.neighbors import on_device, pairs_within
from md_sensitivity.observables.base import Data, Observable, ObservableKind, geometry, system_of

PROBE = 1.4
"""Radius of a molecule of water [Å]."""
POINTS = 2000
"""On each sphere; MDTraj has 960 by default."""
WIDTH = 0.1
"""Over which a point is covered [Å]: by half where it lies just on the sphere of another atom. Half of it is used, too."""
_TAIL = 2.0
"""Farther outside a sphere than this [Å] a point does not feel it: exp(−20)."""
_SLACK = 0.5


def fibonacci_sphere(count: int) -> np.ndarray:
    """Points spread evenly over the unit sphere, shape=(count, 3). Source: González, doi:10.1007/s11004-009-9257-x."""
    k = np.arange(count) + 0.5
    z = 1.0 - 2.0 * k / count
    turn = math.pi * (1.0 + math.sqrt(5.0)) * k
    ring = np.sqrt(1.0 - z * z)
    return np.column_stack([ring * np.cos(turn), ring * np.sin(turn), z])


def _bind(equilibrium: Equilibrium, asked: Observable) -> Data:
    from ase.data import chemical_symbols, vdw_radii

    system, structure = system_of(equilibrium, asked.name), asked.described()
    numbers = np.asarray(structure.numbers)
    if system.units.reduced:
        raise UsageError(f"observable {asked.name} needs lengths in Å, and the force field is in reduced units")
    # Bondi's radii, doi:10.1021/j100785a001, which know no radius of many metals.
    known = np.array(vdw_radii)[np.minimum(numbers, len(vdw_radii) - 1)]
    missing = sorted({chemical_symbols[number] for number in numbers[~np.isfinite(known) | (numbers == 0)]})
    if missing:
        raise UsageError(f"observable {asked.name}: Bondi's radii know none of {', '.join(missing)}")
    radii = known + PROBE
    masks = asked.masks(system.size)
    chosen = np.flatnonzero(masks[0]) if masks else np.arange(system.size)
    x, cell = equilibrium.positions[: system.size], np.asarray(system.cell)
    first, second, images = pairs_within(x, cell, system.pbc, 2.0 * float(radii.max()) + _TAIL + _SLACK)
    apart = np.linalg.norm(x[second] + images @ cell - x[first], axis=1)
    near = apart < radii[first] + radii[second] + _TAIL + _SLACK
    first, second, images = first[near], second[near], images[near]
    order = np.argsort(first, kind="stable")
    first, second, images = first[order], second[order], images[order]
    counts = np.bincount(first, minlength=system.size)
    width = max(1, int(counts[chosen].max(initial=0)))
    column = np.arange(len(first)) - np.repeat(np.cumsum(counts) - counts, counts)
    row = np.full(system.size, -1)
    row[chosen] = np.arange(len(chosen))
    kept = row[first] >= 0
    place = row[first[kept]], column[kept]
    index, shift, reach = np.zeros((len(chosen), width), dtype=np.int64), np.zeros((len(chosen), width, 3)), np.zeros((len(chosen), width))
    index[place], shift[place], reach[place] = second[kept], images[kept] @ cell, radii[second[kept]]
    mask = np.zeros((len(chosen), width), dtype=bool)
    mask[place] = True
    points = fibonacci_sphere(POINTS)
    return on_device(
        {"atoms": chosen, "index": index, "shift": shift, "reach": reach, "mask": mask, "radii": radii[chosen], "points": points}
    )


def _area(energy: Any, x: jax.Array, theta: Any, data: Data) -> jax.Array:
    """Σ 4πR² times the mean over points of Π 1/(1 + exp[(R_j − d_j)/w]), with a step for w → 0 as Shrake and Rupley have it [Å²].

    What w makes too small is of second order where spheres cross, so that widths w and w/2 together give away the limit up to the
    fourth order. Source: doi:10.1016/0022-2836(73)90011-9.
    """

    @jax.checkpoint
    def of_atom(each: tuple[jax.Array, ...]) -> jax.Array:
        atom, index, shift, reach, mask, radius = each
        to_others = here.positions[index] + shift - here.positions[atom]
        # |R n − v|² written out, so that no array has one more axis of components.
        square = radius**2 + jnp.sum(to_others**2, axis=1)[None, :] - 2.0 * radius * (data["points"] @ to_others.T)
        d = jnp.sqrt(jnp.where(mask[None, :], jnp.maximum(square, 1e-12), 1.0))
        depth = jnp.where(mask[None, :], (reach[None, :] - d) / WIDTH, -jnp.inf)
        wide, narrow = (jnp.mean(jnp.exp(-jnp.sum(jax.nn.softplus(each), axis=1))) for each in (depth, 2.0 * depth))
        return 4.0 * math.pi * radius**2 * (4.0 * narrow - wide) / 3.0

    here = geometry(energy, x)
    moved = {**data, "shift": here.lattice(data["shift"])}
    return jnp.sum(jax.lax.map(of_atom, tuple(moved[name] for name in ("atoms", "index", "shift", "reach", "mask", "radii"))))


SASA = ObservableKind(
    name="sasa",
    description="solvent-accessible surface area, probe 1.4 Å: Shrake and Rupley's points with smooth steps, of all atoms or a selection",
    unit="Å²",
    selections=1,
    optional=True,
    evaluate=_area,
    bind=_bind,
)
