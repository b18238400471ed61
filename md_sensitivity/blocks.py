"""Rows of neighbor tables, in blocks, and the space of atoms and images that they look into.

On a CPU the rows of a table are worked through in blocks small enough for the cache; an accelerator takes them all at once. Where
devices share a table (`sharding.py`), each works through its own rows.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from md_sensitivity.neighbors import ROWS, NeighborTable
from md_sensitivity.sharding import gathered, on_rows

_FEW = 4
"""With up to so many types, parameters are selected by comparison, which vectorizes; with more they are gathered."""
Columns = tuple[jax.Array, jax.Array, jax.Array]


class Block(NamedTuple):
    """Some rows of a table.

    Attributes:
        own: numbers of the rows, shape=(b,).
        index: entries, shape=(b, e).
        kind: type of each center, shape=(b,).
        center: its position, three arrays of shape=(b,) [Å].
        weight: ∂F/∂ρ of each center, for embedded forms, shape=(b,) [eV].
    """

    own: jax.Array
    index: jax.Array
    kind: jax.Array
    center: Columns
    weight: jax.Array | None = None


class Space(NamedTuple):
    """Atoms and their images.

    Attributes:
        position: three arrays of shape=(rows + g,) [Å].
        kind: type of each, shape=(rows + g,).
        strain: deforms all edges by 1 + strain, shape=(3, 3); None for no strain.
        weight: ∂F/∂ρ of each, for embedded forms, shape=(rows + g,) [eV].
    """

    position: Columns
    kind: jax.Array
    strain: jax.Array | None
    weight: jax.Array | None = None


def by_blocks(function: Callable[[Any, Any], Any], rows: Any, shared: Any, mesh: Mesh | None) -> Any:
    """A function of some rows, of all rows; each array of `rows` and of the answer has a leading axis over them.

    Args:
        shared: second argument of the function: all arrays that it needs of other rows, or of none. It closes over no array.
        mesh: devices that share the rows, and keep their parts of the answer; None where one has all.
    """
    return _in_turn(function, rows, shared) if mesh is None else on_rows(partial(_in_turn, function), rows, shared, mesh)


def _in_turn(function: Callable[[Any, Any], Any], rows: Any, shared: Any) -> Any:
    """The same for the rows that one device has."""
    count = jax.tree.leaves(rows)[0].shape[0]
    if count <= ROWS or jax.default_backend() != "cpu":
        return function(rows, shared)
    split = jax.tree.map(lambda a: a.reshape(count // ROWS, ROWS, *a.shape[1:]), rows)
    # Reverse mode computes a block again instead of storing what was between.
    found = jax.lax.map(jax.checkpoint(lambda block: function(block, shared), prevent_cse=False), split)
    return jax.tree.map(lambda a: a.reshape(count, *a.shape[2:]), found)


def padded_rows(table: NeighborTable, values: jax.Array) -> jax.Array:
    """Values of atoms, shape=(n, ...), with zeros for the rows that only pad the table, shape=(rows, ...)."""
    extra = table.index.shape[0] - values.shape[0]
    return jnp.pad(values, [(0, extra)] + [(0, 0)] * (values.ndim - 1)) if extra else values


def columns(table: NeighborTable, x: jax.Array) -> Columns:
    """Components of a vector of each row, from shape=(n, 3)."""
    values = padded_rows(table, x)
    return values[:, 0], values[:, 1], values[:, 2]


def with_images(table: NeighborTable, values: Columns, *, shifted: bool) -> Columns:
    """Components of atoms and of their images; `shifted` for positions, not for displacements."""
    found = []
    for c, column in enumerate(values):
        copies = column[table.source]
        found.append(jnp.concatenate([column, copies + table.shift[:, c] if shifted else copies]))
    return found[0], found[1], found[2]


def laid_out(table: NeighborTable, kinds: jax.Array, x: jax.Array, strain: jax.Array | None) -> tuple[Block, Space]:
    """All rows, and the space they look into."""
    count = table.index.shape[0]
    own = jnp.arange(count, dtype=jnp.int32)
    # Said here, because the compiler would otherwise spread vectors over the devices in one program and not in the next.
    position = columns(table, gathered(table.mesh, x))
    kind = padded_rows(table, kinds)
    space = Space(with_images(table, position, shifted=True), jnp.concatenate([kind, kind[table.source]]), strain)
    return Block(own, table.index, kind, position), space


def take(values: jax.Array, index: jax.Array) -> jax.Array:
    """values[index], for indices that are known to be valid."""
    return values.at[index].get(mode="promise_in_bounds")


def vectors(block: Block, space: Space) -> tuple[Columns, Columns]:
    """Edge vectors with and without strain, each three arrays of shape=(b, e) [Å]; zero for padding."""
    x, y, z = (take(space.position[c], block.index) - block.center[c][:, None] for c in range(3))
    if space.strain is None:
        return (x, y, z), (x, y, z)
    plain = (x, y, z)
    moved = [plain[a] + sum(space.strain[a, b] * plain[b] for b in range(3)) for a in range(3)]
    return (moved[0], moved[1], moved[2]), plain


def at_edges(values: jax.Array, block: Block, space: Space) -> jax.Array:
    """Values of pairs of types, shape=(s, s), at each edge; of shape (), (b, e) or between."""
    types = values.shape[0]
    if types == 1:
        return values[0, 0]
    neighbor = take(space.kind, block.index)
    if types > _FEW:
        return values.reshape(-1)[block.kind[:, None] * types + neighbor]
    rows = values[block.kind]
    chosen = rows[:, :1]
    for kind in range(1, types):
        chosen = jnp.where(neighbor == kind, rows[:, kind : kind + 1], chosen)
    return chosen
