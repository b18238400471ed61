"""Where an energy is not smooth: pairs near a cutoff, discs near contact, rattlers. Differences must not cross such a place."""

from __future__ import annotations

import numpy as np
from lammps_derivatives import Derivative
from lammps_engine import Array, Model, System
from lammps_pairs import PairModel, mixed


def pair_distances(system: System, positions: Array, reach: float) -> tuple[Array, Array, Array, Array]:
    """Pairs i, j, unit vectors and lengths up to `reach`, all images."""
    cell = np.where(np.array(system.pbc)[:, None], system.cell, 0.0)
    spans = [int(np.ceil(reach / h)) + 1 if flag else 0 for h, flag in zip(_heights(system), system.pbc, strict=True)]
    found = []
    for shift in np.ndindex(*(2 * span + 1 for span in spans)):
        vectors = positions[None] + (np.array(shift) - spans) @ cell - positions[:, None]
        lengths = np.linalg.norm(vectors, axis=-1)
        i, j = np.nonzero((lengths < reach) & (lengths > 1e-9))
        found.append((i, j, vectors[i, j], lengths[i, j]))
    i, j, vectors, lengths = (np.concatenate(part) for part in zip(*found, strict=True))
    return i, j, vectors / lengths[:, None], lengths


def _heights(system: System) -> Array:
    cell = np.where(np.array(system.pbc)[:, None], system.cell, np.eye(3))
    return 1.0 / np.linalg.norm(np.linalg.inv(cell), axis=0)


def kinks(system: System, model: Model, positions: Array) -> tuple[Array, Array, Array, Array, Array]:
    """Pairs i, j, unit vectors, signed distance of each near pair to the nearest radius where its energy is not smooth, and the
    number of that radius in the model's list."""
    i, j, units, lengths = pair_distances(system, positions, model.reach() + 0.3)
    kinds = system.types
    tables = {(a, b): np.array(model.radii(a, b)) for a in set(kinds) for b in set(kinds)}
    if not any(len(radii) for radii in tables.values()):
        return np.zeros(0, int), np.zeros(0, int), np.zeros((0, 3)), np.zeros(0), np.zeros(0, int)
    gaps = [length - tables[kinds[a], kinds[b]] for a, b, length in zip(i, j, lengths, strict=True)]
    which = np.array([int(np.argmin(abs(gap))) for gap in gaps], dtype=int)
    return i, j, units, np.array([gap[index] for gap, index in zip(gaps, which, strict=True)]), which


def kink_margin(system: System, model: Model, positions: Array, names: tuple[str, ...], value: Derivative) -> float | None:
    """By how many steps of the differences the nearest kink is away, to first order."""
    i, j, units, gap, which = kinks(system, model, positions)
    if not len(gap):
        return None
    speed = np.einsum("ec,ec->e", units, value.positions[j] - value.positions[i])
    base, kinds = model.value(names[0]), system.types
    less, more = model, model
    for name in names:
        less, more = less.with_value(name, base - value.step), more.with_value(name, base + value.step)
    radii = {(a, b): (np.array(more.radii(a, b)) - less.radii(a, b)) / (2 * value.step) for a in set(kinds) for b in set(kinds)}
    speed -= [radii[kinds[a], kinds[b]][index] for a, b, index in zip(i, j, which, strict=True)]
    steps = float(min(abs(gap) / np.maximum(abs(speed) * value.step, 1e-30)))
    return steps if steps < 1e6 else None


def rattlers(system: System, model: PairModel, positions: Array) -> Array:
    """Discs with fewer than three contacts, found recursively."""
    i, j, _, lengths = pair_distances(system, positions, model.reach())
    kinds = system.types
    touching = lengths < np.array([mixed(model, kinds[a], kinds[b])["sigma"] for a, b in zip(i, j, strict=True)])
    loose = np.zeros(len(positions), bool)
    while True:
        alive = touching & ~loose[i] & ~loose[j]
        now = np.bincount(i[alive], minlength=len(positions)) < 3
        if (now == loose).all():
            return loose
        loose = now


def center_rattlers(system: System, model: PairModel, positions: Array) -> Array:
    """Move each rattler to where its nearest contact is farthest, so that it touches nothing."""
    positions = positions.copy()
    random = np.random.default_rng(0)
    kinds = system.types

    def clearance(index: int, point: Array) -> float:
        trial = positions.copy()
        trial[index] = point
        i, j, _, lengths = pair_distances(system, trial, model.reach() + 0.3)
        mine = i == index
        radii = [mixed(model, kinds[index], kinds[other])["sigma"] for other in j[mine]]
        return float(min(lengths[mine] - radii, default=0.3))

    for index in np.flatnonzero(rattlers(system, model, positions)).tolist():
        best = clearance(index, positions[index])
        for size in np.repeat([0.1, 0.03, 0.01, 0.003], 60):
            point = positions[index] + np.append(random.uniform(-size, size, 2), 0.0)
            if (new := clearance(index, point)) > best:
                best, positions[index] = new, point
    return positions
