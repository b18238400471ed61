"""Neighbor tables: who is near whom, periodic images included, built on the host with vesin.

A table holds each pair in both directions, so that forces are sums of gathers. Cells smaller than the list's radius are right:
an atom then meets several images of one neighbor, and of itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from md_sensitivity.errors import InputError

Tree = TypeVar("Tree")

MAX_ATOMS_ALL_PAIRS = 5000
"""Above this size an interaction without any cutoff would fill the memory with n² pairs."""
_ROUND = 8
"""Table widths are multiples of this, so that similar structures share compiled code."""
SMALLEST_PADDED = 64
"""Structures of up to so many atoms are all padded to this size."""


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["index", "image", "shift", "mask", "reverse", "reference", "radius"],
    meta_fields=[],
)
@dataclass(frozen=True, kw_only=True)
class NeighborTable:
    """Neighbors around each atom.

    Attributes:
        index: atom index of the neighbor, shape=(n, e); the atom itself where an entry is padding.
        image: lattice vectors crossed on the way, shape=(n, e, 3).
        shift: the same as Cartesian components, three arrays of shape=(n, e) [Å].
        mask: whether the entry is a pair, shape=(n, e).
        reverse: flat position of the opposite entry, shape=(n, e); None where no form needs it.
        reference: positions for which the table was built, shape=(n, 3) [Å].
        radius: distance up to which it is complete there [Å]; infinite where it holds all pairs.

    All are device arrays in a system, and numpy arrays as `build_table` makes them.
    """

    index: Any
    image: Any
    shift: tuple[Any, Any, Any]
    mask: Any
    reverse: Any
    reference: Any
    radius: Any


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
    atoms: int | None = None,
) -> NeighborTable:
    """Neighbor table of radius `radius`, at least `width` wide, as numpy arrays (see `on_device`).

    Args:
        positions: shape=(n, 3) [Å], anywhere in space.
        cell: rows are lattice vectors, shape=(3, 3) [Å], non-singular (see `complete_cell`).
        pbc: periodic axes.
        radius: [Å]; infinite for all pairs of a non-periodic structure.
        reverse: whether opposite entries are wanted.
        width: smallest width of the table.
        atoms: how many of the positions are atoms, the first ones; the others pad the table and have no neighbors. None for all, and no
            rounding for the sake of other structures.

    Raises:
        InputError: where all pairs are too many.
    """
    n = len(positions)
    if np.isinf(radius):
        i, j, images = _all_pairs(n if atoms is None else atoms)
    else:
        i, j, images = _pairs_within(positions[:atoms], cell, pbc, radius)
    order = np.argsort(i, kind="stable")
    i, j, images = i[order], j[order], images[order]
    counts = np.bincount(i, minlength=n)
    widest = int(counts.max(initial=0))
    width = max(width, _rounded(widest), 1)
    if atoms is not None:
        width = max(width, shared_width(widest, n, all_pairs=not reverse and (n <= SMALLEST_PADDED or bool(np.isinf(radius)))))
    slot = np.arange(len(i)) - np.repeat(np.cumsum(counts) - counts, counts)

    index = np.repeat(np.arange(n, dtype=np.int32)[:, None], width, axis=1)
    index[i, slot] = j
    image = np.zeros((n, width, 3), dtype=np.int16)
    image[i, slot] = images
    mask = np.zeros((n, width), dtype=bool)
    mask[i, slot] = True
    shift = np.einsum("nea,ab->bne", image.astype(np.float64), cell)
    opposite = None
    if reverse:
        opposite = np.arange(n * width, dtype=np.int32).reshape(n, width)
        opposite[i, slot] = (i * width + slot)[_opposite(i, j, images, n)]
    return NeighborTable(
        index=index,
        image=image,
        shift=(shift[0], shift[1], shift[2]),
        mask=mask,
        reverse=opposite,
        reference=np.array(positions, dtype=np.float64),
        radius=np.float64(radius),
    )


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


def on_device(tree: Tree) -> Tree:
    """A tree of host arrays as device arrays, concrete even while derivatives are being traced around it."""
    with jax.ensure_compile_time_eval():
        return jax.device_put(tree)


def _pairs_within(
    positions: np.ndarray, cell: np.ndarray, pbc: tuple[bool, ...], radius: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    from vesin import NeighborList

    # vesin wants atoms inside the cell to be fast and exact; images are counted back to the atoms where they really are.
    crossed = np.floor(positions @ np.linalg.inv(cell)).astype(np.int64) * np.asarray(pbc, dtype=np.int64)
    i, j, images = NeighborList(cutoff=radius, full_list=True).compute(
        points=positions - crossed @ cell, box=cell, periodic=list(pbc), quantities="ijS"
    )
    i, j = i.astype(np.int64), j.astype(np.int64)
    return i, j, images.astype(np.int64) + crossed[i] - crossed[j]


def _all_pairs(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if n > MAX_ATOMS_ALL_PAIRS:
        raise InputError(
            f"an interaction without cutoff between all pairs of {n} atoms needs too much memory (at most {MAX_ATOMS_ALL_PAIRS}); "
            "give the potential a cutoff"
        )
    i, j = np.nonzero(~np.eye(n, dtype=bool))
    return i, j, np.zeros((len(i), 3), dtype=np.int64)


def _opposite(i: np.ndarray, j: np.ndarray, images: np.ndarray, n: int) -> np.ndarray:
    """For each directed pair, the place of its opposite in the same list."""
    span = 2 * int(np.abs(images).max(initial=0)) + 1

    def key(first: np.ndarray, second: np.ndarray, image: np.ndarray) -> np.ndarray:
        code = first * n + second
        for axis in range(3):
            code = code * span + image[:, axis] + span // 2
        return code

    # The r-th smallest key of the list belongs to the pair whose mirrored key is the r-th smallest of the mirrored list.
    forward, mirrored = np.argsort(key(i, j, images)), np.argsort(key(j, i, -images))
    opposite = np.empty(len(i), dtype=np.int64)
    opposite[mirrored] = forward
    return opposite


def displacement(table: NeighborTable, positions: jax.Array) -> jax.Array:
    """Largest distance that an atom has moved since the table was built [Å]."""
    return jnp.sqrt(jnp.max(jnp.sum((positions - table.reference) ** 2, axis=-1)))
