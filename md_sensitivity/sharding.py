"""One system on several devices: rows of neighbor tables are split over them, everything else is on each of them.

What is long is a table of neighbors, and what is made of its entries; what has one entry for each atom is short. So each device holds
its share of the rows and sums over them, reads positions that all devices have, and gives its sums to all. The mathematics above knows
nothing of it: it sees vectors that are on all devices.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

Tree = TypeVar("Tree")

ATOMS = "atoms"
"""The axis of a mesh over which rows are split."""
LARGE = 100_000
"""Systems with fewer atoms are quick enough on one accelerator, and would mostly wait for the others."""


def mesh_of(devices: Sequence[Any] | None) -> Mesh | None:
    """The devices in a row, to split atoms over; None for None."""
    if devices is None:
        return None
    return Mesh(np.array(list(devices), dtype=object), (ATOMS,), axis_types=(AxisType.Auto,))


def devices_for(atoms: int, devices: Sequence[Any] | None = None) -> tuple[Any, ...] | None:
    """The accelerators of this machine where there are several and the system is large, else None: it goes to the default device.

    Devices that XLA simulates on a CPU share its cores and its memory, so that nothing is gained by splitting atoms over them.

    Args:
        atoms: size of the system.
        devices: to choose from; default: those of the kind that jax computes on.
    """
    found = tuple(_visible() if devices is None else devices)
    return found if atoms >= LARGE and len(found) > 1 and found[0].platform != "cpu" else None


def _visible() -> list[Any]:
    chosen = jax.config.jax_default_device
    return jax.local_devices(backend=getattr(chosen, "platform", chosen))


def count(mesh: Mesh | None) -> int:
    """Number of devices."""
    return 1 if mesh is None else mesh.size


def memories(mesh: Mesh | None) -> int:
    """Number of memories that hold what is split: devices that XLA simulates on a CPU have one together."""
    return 1 if mesh is None or mesh.devices.flat[0].platform == "cpu" else mesh.size


def split(mesh: Mesh) -> NamedSharding:
    """Where an array goes whose leading axis are rows."""
    return NamedSharding(mesh, PartitionSpec(ATOMS))


def everywhere(mesh: Mesh) -> NamedSharding:
    """Where an array goes that all devices need."""
    return NamedSharding(mesh, PartitionSpec())


def on_rows(function: Callable[[Any, Any], Any], rows: Any, shared: Any, mesh: Mesh) -> Any:
    """function(rows, shared), each device working on its own rows; arrays of `rows` and of the answer have a leading axis over rows.

    Args:
        shared: what the function reads besides, on all devices. It must close over no array: JAX would take that for one of another mesh.
    """
    specs = PartitionSpec(ATOMS), PartitionSpec()
    # Without the check of replication, because it knows no rule for primitives that are not JAX's own; all answers are split.
    return jax.shard_map(function, mesh=mesh, in_specs=specs, out_specs=specs[0], check_vma=False)(rows, shared)


def gathered(mesh: Mesh | None, tree: Tree) -> Tree:
    """Arrays made from rows, on all devices; within traced code."""
    return tree if mesh is None else jax.lax.with_sharding_constraint(tree, everywhere(mesh))


def mesh_within(leaves: Sequence[Any]) -> Mesh | None:
    """The mesh over which some of the arrays are split; None too for traced ones."""
    for leaf in leaves:
        where = None if isinstance(leaf, jax.core.Tracer) else getattr(leaf, "sharding", None)
        if isinstance(where, NamedSharding) and ATOMS in where.mesh.axis_names and not where.is_fully_replicated:
            return where.mesh  # type: ignore[return-value]
    return None


def placed(leaves: Sequence[Any], mesh: Mesh) -> list[Any]:
    """The leaves, concrete arrays among them that are not split now on all devices, so that a program meets them in one place only."""
    return [jax.device_put(leaf, everywhere(mesh)) if _is_whole(leaf) else leaf for leaf in leaves]


def _is_whole(leaf: Any) -> bool:
    if isinstance(leaf, jax.Array):
        return leaf.sharding.is_fully_replicated
    return isinstance(leaf, np.ndarray | np.generic)
