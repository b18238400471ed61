"""Neighbor tables of a system that exists: built anew at other positions, split over devices, without the contacts of some atoms."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from md_sensitivity.bound import BoundTerm, range_of
from md_sensitivity.errors import UsageError
from md_sensitivity.neighbors import NeighborTable, build_table, on_device, places, shared_width

if TYPE_CHECKING:
    from md_sensitivity.system import System

Theta = Any

SKIN = 0.1
"""Radius of a neighbor table beyond the range of its term, as a fraction of that range."""

TIGHT_SKIN = 0.01
"""The same for tables that serve at one geometry, of which several small displacements are asked."""


def with_neighbors(
    system: System,
    term: BoundTerm,
    x: jax.Array,
    theta: Theta,
    strain: jax.Array | None = None,
    *,
    skin: float = SKIN,
    widen: bool = True,
) -> BoundTerm:
    """The term with a neighbor table for positions x; where x is concrete, as wide as it must be (at least as before with `widen`).

    Args:
        strain: all vectors are deformed by 1 + strain, shape=(3, 3), for a table that says so; None for no strain.
    """
    reach = range_of(term, theta)
    old = term.neighbors
    if any(isinstance(value, jax.core.Tracer) for value in jax.tree.leaves((x, strain, reach, old))):
        if old.mesh is not None:
            # The call back to the host waits for a thread, and on a CPU all threads may be waiting for the devices' answers.
            raise UsageError(
                "neighbor tables that are split over devices cannot be built within traced code (jit, vmap): call "
                "minimize outside of it, and equilibrium_jvp or equilibrium_vjp, or use one device"
            )
        return replace(term, neighbors=_traced_table(system, old, x, strain, reach))
    width, images = (old.index.shape[1], len(old.source)) if widen else (0, 0)
    frame = None if strain is None else np.eye(3) + np.asarray(strain)
    table = _built(system, old, np.asarray(x), frame, float(reach) * (1.0 + skin), width, images)
    removed = np.asarray(old.removed)
    return replace(term, neighbors=on_device(without_contacts(table, removed) if np.any(removed) else table))


def _built(
    system: System, old: NeighborTable, x: np.ndarray, frame: np.ndarray | None, radius: float, width: int, images: int
) -> NeighborTable:
    """A table of those that are near when all vectors are deformed by `frame`, for vectors that are not."""
    cell, atoms, reverse = np.asarray(system.cell), host_count(system.atoms), old.reverse is not None
    there, around = (x, cell) if frame is None else (x @ frame.T, cell @ frame.T)
    table = build_table(
        there, around, system.pbc, radius, reverse=reverse, width=width, images=images, atoms=atoms, mesh=old.mesh,
        excluded=np.asarray(old.excluded),
    )
    return table if frame is None else replace(table, shift=table.image.astype(np.float64) @ cell, reference=np.array(x), frame=frame)


def shared_by(system: System, mesh: Mesh | None) -> System:
    """The system with the same neighbors in tables that the devices share."""
    terms = []
    for term in system.terms:
        old = jax.tree.map(np.asarray, replace(term.neighbors, mesh=mesh))
        table = _built(system, old, old.reference, old.frame, float(old.radius), old.index.shape[1], len(old.source))
        terms.append(replace(term, neighbors=without_contacts(table, old.removed)))
    return on_device(replace(jax.tree.map(np.asarray, system), terms=tuple(terms)), mesh)


def without_contacts(table: NeighborTable, removed: Any) -> NeighborTable:
    """The table without the contacts of some atoms, which it remembers; a table of host or of device arrays."""
    xp: Any = np if isinstance(table.index, np.ndarray) else jnp
    rows = table.index.shape[0]
    gone = xp.pad(removed, (0, rows - removed.shape[0]))
    everywhere = xp.concatenate([gone, gone[table.source]])
    own = xp.arange(rows, dtype=xp.int32)[:, None]
    found = replace(table, index=xp.where(gone[:, None] | everywhere[table.index], own, table.index), removed=removed)
    return found if xp is np else jax.device_put(found, places(found))


def narrowed(table: NeighborTable, acting: jax.Array) -> NeighborTable:
    """The table of those pairs only that interact at one concrete geometry, as narrow as that allows; of no use elsewhere.

    An entry of a many-body form stays where its opposite acts, too, because they name each other.
    """
    if table.reverse is None:
        width = shared_width(int(jnp.max(jnp.sum(acting, axis=1), initial=1)), 0, all_pairs=False)
        return table if width >= table.index.shape[1] else replace(table, index=_gathered_left(table.index, acting, width))
    if table.mesh is not None:
        return table
    acting = acting | acting.reshape(-1)[table.reverse]
    widest = int(jnp.max(jnp.sum(acting, axis=1), initial=1))
    width = widest + widest % 2
    if width >= table.index.shape[1]:
        return table
    index, reverse = _with_opposites(table.index, table.reverse, acting, width)
    return replace(table, index=index, reverse=reverse)


@partial(jax.jit, static_argnames="width")
def _gathered_left(index: jax.Array, acting: jax.Array, width: int) -> jax.Array:
    """The first `width` entries that act of each row, filled up with the row itself."""
    none = np.iinfo(np.int32).max
    own = jnp.arange(len(index), dtype=index.dtype)[:, None]
    kept = jnp.sort(jnp.where(acting, index, none), axis=1)[:, :width]
    return jnp.where(kept == none, own, kept)


@partial(jax.jit, static_argnames="width")
def _with_opposites(index: jax.Array, reverse: jax.Array, acting: jax.Array, width: int) -> tuple[jax.Array, jax.Array]:
    """The same with the flat positions of opposite entries, which all act."""
    order = jnp.argsort(~acting, axis=1, stable=True)[:, :width]
    kept = jnp.take_along_axis(acting, order, axis=1)
    own = jnp.arange(len(index), dtype=index.dtype)[:, None]
    place = own * width + jnp.cumsum(acting, axis=1, dtype=index.dtype) - 1
    opposite = place.reshape(-1)[jnp.take_along_axis(reverse, order, axis=1)]
    itself = own * width + jnp.arange(width, dtype=index.dtype)
    return jnp.where(kept, jnp.take_along_axis(index, order, axis=1), own), jnp.where(kept, opposite, itself)


def _traced_table(
    system: System, old: NeighborTable, x: jax.Array, strain: jax.Array | None, reach: jax.Array
) -> NeighborTable:
    """Neighbor table within traced code, through a call back to the host; NaN energies where it would overflow."""
    shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), old)

    def build(
        x: np.ndarray, strain: np.ndarray | None, cell: np.ndarray, reach: np.ndarray, old: NeighborTable, atoms: np.ndarray | None
    ) -> NeighborTable:
        width, images = old.index.shape[1], len(old.source)
        old = jax.tree.map(np.asarray, old)
        frame = None if strain is None else np.eye(3) + np.asarray(strain)
        if not np.all(np.isfinite(x)) or (frame is not None and not np.all(np.isfinite(frame))):
            return replace(old, radius=np.float64(-1.0))
        here = replace(system, cell=cell, atoms=atoms)
        table = _built(here, old, np.asarray(x), frame, float(reach) * (1.0 + SKIN), width, images)
        if table.index.shape[1] > width or len(table.source) > images:
            return replace(old, radius=np.float64(-1.0))
        return without_contacts(table, old.removed)

    arguments = jax.lax.stop_gradient((x, strain, system.cell, reach, old, system.atoms))
    return jax.pure_callback(build, shapes, *arguments, vmap_method="sequential")


def host_count(atoms: Any) -> int | None:
    return None if atoms is None else int(atoms)
