"""Neighbor tables: who is near whom, periodic images included, built on the host with vesin.

A table holds each pair in both directions, so that forces are sums of gathers. Cells smaller than the list's radius are right:
an atom then meets several images of one neighbor, and of itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from md_sensitivity.errors import InputError
from md_sensitivity.sharding import count, everywhere, split

Tree = TypeVar("Tree")

MAX_ATOMS_ALL_PAIRS = 5000
"""Above this size an interaction without any cutoff would fill the memory with n² pairs."""
_ROUND = 8
"""Table widths are multiples of this, so that similar structures share compiled code."""
_NARROWEST_WITH_OPPOSITES = 16
"""Tables of many-body forms are at least so wide: of masks of eight entries, spread over pairs of edges, LLVM's code generator for AVX-512
makes an instruction that it then cannot emit, and ends the process (seen with jaxlib 0.10.1 and 0.12)."""
ROWS = 64
"""Tables with more rows than this have a multiple of it, so that kernels can work through them in equal blocks."""
SMALLEST_PADDED = 64
"""Structures of up to so many atoms are all padded to this size."""


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["index", "source", "image", "shift", "reverse", "removed", "excluded", "reference", "radius", "frame"],
    meta_fields=["mesh"],
)
@dataclass(frozen=True, kw_only=True)
class NeighborTable:
    """Neighbors around each atom, in the order of the atoms followed by their periodic images as far as they are neighbors.

    A kernel copies the positions of the images once and then reads one integer for each entry, wherever the neighbor is.

    Attributes:
        index: neighbor of each entry, shape=(rows, e): an atom if it is below `rows`, else image `index - rows`; the row itself where an
            entry is padding. `rows` is the number of atoms n, rounded up as `row_count` says.
        source: the atom that each image is a copy of, shape=(g,).
        image: lattice vectors from the atom to its image, shape=(g, 3).
        shift: the same as Cartesian components, shape=(g, 3) [Å].
        reverse: flat position of the opposite entry, shape=(rows, e); its own where it is padding; None where no form needs it.
        removed: atoms whose contacts were taken out (rattlers), shape=(n,).
        excluded: pairs that are no neighbors, atoms i and j and the lattice vector from i to j, shape=(m, 5).
        reference: positions for which the table was built, shape=(n, 3) [Å].
        radius: distance up to which it is complete there [Å]; infinite where it holds all pairs.
        frame: deformation that all vectors had when the table was built, shape=(3, 3); None for 1.
        mesh: devices that share the rows of `index` and `reverse` equally, and have all else each; None where one device has all.

    All are device arrays in a system, and numpy arrays as `build_table` makes them.
    """

    index: Any
    source: Any
    image: Any
    shift: Any
    reverse: Any
    removed: Any
    excluded: Any
    reference: Any
    radius: Any
    frame: Any = None
    mesh: Mesh | None = None

    @property
    def mask(self) -> Any:
        """Whether an entry is a pair, shape=(rows, e)."""
        rows = self.index.shape[0]
        own = np.arange(rows, dtype=np.int32) if isinstance(self.index, np.ndarray) else jnp.arange(rows, dtype=jnp.int32)
        return self.index != own[:, None]

    @property
    def atoms(self) -> Any:
        """The atom behind each value of `index`, shape=(rows + g,)."""
        xp: Any = np if isinstance(self.index, np.ndarray) else jnp
        return xp.concatenate([xp.arange(self.index.shape[0], dtype=self.source.dtype), self.source])


def complete_cell(cell: np.ndarray) -> np.ndarray:
    """Cell with unit vectors, perpendicular to the others, in place of zero rows, shape=(3, 3) [Å]."""
    from ase.geometry import complete_cell as complete

    return np.asarray(complete(cell), dtype=np.float64)


def build_table(
    positions: np.ndarray,
    cell: np.ndarray,
    pbc: tuple[bool, ...],
    radius: float,
    *,
    reverse: bool,
    width: int = 0,
    images: int = 0,
    atoms: int | None = None,
    mesh: Mesh | None = None,
    excluded: np.ndarray | None = None,
) -> NeighborTable:
    """Neighbor table of radius `radius`, at least `width` wide, as numpy arrays (see `on_device`).

    Args:
        positions: shape=(n, 3) [Å], anywhere in space.
        cell: rows are lattice vectors, shape=(3, 3) [Å], non-singular (see `complete_cell`).
        pbc: periodic axes.
        radius: [Å]; infinite for all pairs of a non-periodic structure.
        reverse: whether opposite entries are wanted.
        width: smallest width of the table.
        images: smallest number of images g that there is room for.
        atoms: how many of the positions are atoms, the first ones; the others pad the table and have no neighbors. None for all, and no
            rounding of the width for the sake of other structures.
        mesh: devices that will share the rows.
        excluded: pairs that are no neighbors, as in `NeighborTable`.

    Raises:
        InputError: where all pairs are too many.
    """
    n = len(positions)
    if np.isinf(radius):
        i, j, crossed = _all_pairs(n if atoms is None else atoms)
    else:
        i, j, crossed = pairs_within(positions[:atoms], cell, pbc, radius)
    excluded = np.zeros((0, 5), dtype=np.int32) if excluded is None else np.asarray(excluded, dtype=np.int32)
    if len(excluded):
        kept = ~_among(i, j, crossed, excluded, n)
        i, j, crossed = i[kept], j[kept], crossed[kept]
    rows = row_count(n, count(mesh))
    counts = np.bincount(i, minlength=rows)
    widest = int(counts.max(initial=0))
    width = max(width, _rounded(widest), _NARROWEST_WITH_OPPOSITES if reverse else 1)
    if atoms is not None:
        width = max(width, shared_width(widest, n, all_pairs=not reverse and (n <= SMALLEST_PADDED or bool(np.isinf(radius)))))
    order = _by_row(i, rows)
    i, j, crossed = i[order], j[order], crossed[order]
    place = np.arange(len(i)) - np.repeat(np.cumsum(counts) - counts, counts)
    place += i.astype(np.int64) * width
    neighbor, source, image = _images(j, crossed, rows, images)
    index = np.repeat(np.arange(rows, dtype=np.int32), width)
    index[place] = neighbor
    opposite = None
    if reverse:
        opposite = np.arange(rows * width, dtype=np.int32)
        opposite[place] = place[_opposite(i, j, crossed, n)]
    return NeighborTable(
        index=index.reshape(rows, width),
        source=source,
        image=image,
        shift=image.astype(np.float64) @ cell,
        reverse=None if opposite is None else opposite.reshape(rows, width),
        removed=np.zeros(n, dtype=bool),
        excluded=excluded,
        reference=np.array(positions, dtype=np.float64),
        radius=np.float64(radius),
        mesh=mesh,
    )


def _among(i: np.ndarray, j: np.ndarray, crossed: np.ndarray, excluded: np.ndarray, n: int) -> np.ndarray:
    """Which pairs are excluded, in either direction."""
    both = np.concatenate([excluded, np.column_stack([excluded[:, 1], excluded[:, 0], -excluded[:, 2:]])])
    span = 2 * int(max(np.abs(crossed).max(initial=0), np.abs(excluded[:, 2:]).max(initial=0))) + 1
    return np.isin(_key(i, j, crossed, n, span), _key(both[:, 0], both[:, 1], both[:, 2:], n, span))


def _key(first: np.ndarray, second: np.ndarray, image: np.ndarray, n: int, span: int) -> np.ndarray:
    """A number for each directed pair of n atoms whose lattice vector has components within ±span/2."""
    code = first.astype(np.int64) * n + second
    for axis in range(3):
        code = code * span + image[:, axis] + span // 2
    return code


def row_count(atoms: int, devices: int) -> int:
    """Number of rows of a table: equal numbers for all devices, and for each of them a multiple of `ROWS` where it is larger."""
    share = -(-atoms // devices)
    return devices * (share if share <= ROWS else -(-share // ROWS) * ROWS)


def _by_row(i: np.ndarray, rows: int) -> np.ndarray:
    """The order that sorts pairs by their first atom, in linear time."""
    from scipy.sparse import coo_array

    numbers = np.arange(len(i), dtype=np.int32 if len(i) < 2**31 else np.int64)
    # Column numbers that never repeat keep the conversion from adding entries up.
    return coo_array((numbers, (i, numbers)), shape=(rows, max(len(i), 1))).tocsr().data


def _images(j: np.ndarray, crossed: np.ndarray, rows: int, room: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Index of each neighbor, and source and lattice vectors of all images that occur."""
    outside = np.flatnonzero((crossed[:, 0] != 0) | (crossed[:, 1] != 0) | (crossed[:, 2] != 0))
    index = j.astype(np.int32)
    if not len(outside):
        return index, np.zeros(room, dtype=np.int32), np.zeros((room, 3), dtype=np.int16)
    vectors = crossed[outside].astype(np.int64)
    low = vectors.min(axis=0)
    span = vectors.max(axis=0) - low + 1
    code = j[outside].astype(np.int64)
    for axis in range(3):
        code = code * span[axis] + vectors[:, axis] - low[axis]
    codes, slot = np.unique(code, return_inverse=True)
    index[outside] = rows + slot
    # Some more than there are, in few sizes: rebuilt tables should keep their shapes.
    size = max(room, shared_width(len(codes) + len(codes) // 16, 0, all_pairs=False))
    image = np.zeros((size, 3), dtype=np.int16)
    rest = codes
    for axis in (2, 1, 0):
        image[: len(codes), axis] = rest % span[axis] + low[axis]
        rest = rest // span[axis]
    source = np.zeros(size, dtype=np.int32)
    source[: len(codes)] = rest
    return index, source, image


def pair_table(i: np.ndarray, j: np.ndarray, crossed: np.ndarray, rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Directed pairs as `index`, `source` and `image` of a neighbor table, and where an entry is a pair, shape=(rows, e)."""
    order = np.argsort(i, kind="stable")
    i, j, crossed = i[order], j[order], crossed[order]
    counts = np.bincount(i, minlength=rows)
    width = shared_width(int(counts.max(initial=0)), 0, all_pairs=False)
    neighbor, source, image = _images(j, crossed, rows, 0)
    place = i * width + np.arange(len(i)) - np.repeat(np.cumsum(counts) - counts, counts)
    index = np.repeat(np.arange(rows, dtype=np.int32), width)
    index[place] = neighbor
    acting = np.zeros(rows * width, dtype=bool)
    acting[place] = True
    return index.reshape(rows, width), source, image, acting.reshape(rows, width)


def padded_size(atoms: int) -> int:
    """The size to which a structure is padded: few sizes, so that structures share compiled programs, and little waste."""
    if atoms <= SMALLEST_PADDED:
        return SMALLEST_PADDED
    unit = max(32, 1 << max(0, atoms.bit_length() - 5))
    return -(-atoms // unit) * unit


def shared_width(widest: int, size: int, *, all_pairs: bool) -> int:
    """The width of a padded table: all others where pairs are cheap, else one of few widths that grow by at most a quarter."""
    if all_pairs and widest <= size:
        return size
    unit = max(_ROUND, 1 << max(0, widest.bit_length() - 3))
    return -(-widest // unit) * unit


def _rounded(widest: int) -> int:
    return -(-widest // _ROUND) * _ROUND


def on_device(tree: Tree, mesh: Mesh | None = None) -> Tree:
    """A tree of host arrays as device arrays, concrete even while derivatives are being traced around it.

    Args:
        tree: arrays, and neighbor tables, which say themselves what goes where.
        mesh: devices of which each gets the arrays that are not part of a table; None for the default device.
    """

    def place(node: Any) -> Any:
        if isinstance(node, NeighborTable):
            return places(node)
        return None if mesh is None else everywhere(mesh)

    with jax.ensure_compile_time_eval():
        return jax.device_put(tree, jax.tree.map(place, tree, is_leaf=lambda node: isinstance(node, NeighborTable)))


def places(table: NeighborTable) -> NeighborTable | None:
    """Where each array of a table belongs; None for the default device."""
    if table.mesh is None:
        return None
    here = jax.tree.map(lambda _: everywhere(table.mesh), table)
    return replace(here, index=split(table.mesh), reverse=None if table.reverse is None else split(table.mesh))


def pairs_within(
    positions: np.ndarray, cell: np.ndarray, pbc: tuple[bool, ...], radius: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    from vesin import NeighborList

    # vesin wants atoms inside the cell to be fast and exact; images are counted back to the atoms where they really are.
    crossed = np.floor(positions @ np.linalg.inv(cell)).astype(np.int32) * np.asarray(pbc, dtype=np.int32)
    i, j, images = NeighborList(cutoff=radius, full_list=True).compute(
        points=positions - crossed @ cell, box=cell, periodic=list(pbc), quantities="ijS"
    )
    i, j, images = i.astype(np.int32), j.astype(np.int32), images.astype(np.int32)
    if np.any(crossed):
        images += crossed[i]
        images -= crossed[j]
    return i, j, images


def _all_pairs(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if n > MAX_ATOMS_ALL_PAIRS:
        raise InputError(
            f"an interaction without cutoff between all pairs of {n} atoms needs too much memory (at most {MAX_ATOMS_ALL_PAIRS}); "
            "give the potential a cutoff"
        )
    i, j = np.nonzero(~np.eye(n, dtype=bool))
    return i.astype(np.int32), j.astype(np.int32), np.zeros((len(i), 3), dtype=np.int32)


def _opposite(i: np.ndarray, j: np.ndarray, images: np.ndarray, n: int) -> np.ndarray:
    """For each directed pair, the place of its opposite in the same list."""
    span = 2 * int(np.abs(images).max(initial=0)) + 1
    # The r-th smallest key of the list belongs to the pair whose mirrored key is the r-th smallest of the mirrored list.
    forward, mirrored = np.argsort(_key(i, j, images, n, span)), np.argsort(_key(j, i, -images, n, span))
    opposite = np.empty(len(i), dtype=np.int64)
    opposite[mirrored] = forward
    return opposite


def room_left(table: NeighborTable, positions: jax.Array, strain: jax.Array | None, reach: jax.Array) -> jax.Array:
    """How far each atom may still move before a pair within `reach` could be missing from the table [Å].

    Args:
        positions: shape=(n, 3) [Å].
        strain: all vectors are deformed by 1 + strain; None for no strain.
        reach: [Å].
    """
    moved, radius = positions - table.reference, table.radius
    if table.frame is not None:
        now = jnp.eye(3) if strain is None else jnp.eye(3) + strain
        # What was at least `radius` long is not shorter than this; the norm bounds how much any vector changes.
        radius = radius * (1.0 - jnp.linalg.norm(now @ jnp.linalg.inv(table.frame) - jnp.eye(3)))
        moved = moved @ now.T
    return 0.5 * (radius - reach) - jnp.sqrt(jnp.max(jnp.sum(moved**2, axis=-1)))
