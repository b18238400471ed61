"""The distance between the ends of a chain."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ase.geometry import find_mic
from scipy.sparse import coo_array
from scipy.sparse.csgraph import shortest_path

from md_sensitivity.errors import UsageError
from md_sensitivity.minimization import Equilibrium
from md_sensitivity.neighbors import on_device
from md_sensitivity.observables.base import Data, Observable, ObservableKind, geometry, system_of

HYDROGEN = 1


def _bind(equilibrium: Equilibrium, asked: Observable) -> Data:
    system, structure = system_of(equilibrium, asked.name), asked.described()
    masks = asked.masks(system.size)
    chosen = masks[0] if masks else np.ones(system.size, dtype=bool)
    heavy = np.flatnonzero(chosen & (np.asarray(structure.numbers) != HYDROGEN))
    if len(heavy) < 2:
        raise UsageError(f"observable {asked.name}: needs two atoms that are no hydrogen; choose them by end_to_end:SELECTION")
    first, last = int(heavy[0]), int(heavy[-1])
    path = _path(structure.bonds, structure.size, first, last)
    if not path:
        raise UsageError(
            f"observable {asked.name}: no bonds lead from atom {first} to atom {last}; choose atoms of one chain by end_to_end:SELECTION"
        )
    x = equilibrium.positions
    steps = x[path[1:]] - x[path[:-1]]
    nearest, _ = find_mic(steps, np.asarray(system.cell), pbc=list(system.pbc))
    return on_device({"first": np.int32(first), "last": np.int32(last), "shift": np.sum(nearest - steps, axis=0)})


def _path(bonds: np.ndarray, size: int, first: int, last: int) -> list[int]:
    """Atoms along the fewest bonds between two; empty where none lead there."""
    graph = coo_array((np.ones(len(bonds)), (bonds[:, 0], bonds[:, 1])), shape=(size, size))
    before = shortest_path(graph, directed=False, unweighted=True, indices=first, return_predecessors=True)[1]
    path = [last]
    while path[-1] != first:
        step = int(before[path[-1]])
        if step < 0:
            return []
        path.append(step)
    return path[::-1]


def _length(energy: Any, x: jax.Array, theta: Any, data: Data) -> jax.Array:
    here = geometry(energy, x)
    return jnp.linalg.norm(here.positions[data["last"]] - here.positions[data["first"]] + here.lattice(data["shift"]))


END_TO_END = ObservableKind(
    name="end_to_end",
    description="distance between the first and the last atom of a chain that is no hydrogen, along its bonds across the cell",
    unit="Å",
    selections=1,
    optional=True,
    evaluate=_length,
    bind=_bind,
)
