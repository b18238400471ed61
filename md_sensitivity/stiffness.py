"""An approximation of the inverse Hessian of molecules that is positive far from any minimum, for minimizers.

Bonds are a thousand times stiffer than torsions and contacts, which makes minimizers crawl that know of neither. The Hessian is a sum of
small matrices, of pairs and of listed tuples; with the negative eigenvalues of each taken out the sum is positive semidefinite wherever
atoms are. Source: Teran et al., doi:10.1145/1073368.1073394 (projected Newton methods). Small systems keep all of it, large ones the part
within each molecule, and of the rest what acts on an atom itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from md_sensitivity.blocks import laid_out, take
from md_sensitivity.bound import BoundTerm, tables
from md_sensitivity.compilation import program
from md_sensitivity.kernels import Shared, over_rows
from md_sensitivity.neighbors import on_device
from md_sensitivity.potentials.base import PairForm
from md_sensitivity.stored.pairs import curvatures
from md_sensitivity.stored.tuples import tuple_blocks

if TYPE_CHECKING:
    from md_sensitivity.system import System

Theta = Any

WHOLE = 1000
"""Atoms up to which all are one group."""
LARGEST_GROUP = 256
"""Atoms of a group of a larger system; longer molecules are cut."""
_SOFTEST = 0.3
"""Added to all curvatures, so that no motion counts as free [eV/Å²]."""


@partial(jax.tree_util.register_dataclass, data_fields=["members", "inverse"], meta_fields=[])
@dataclass(frozen=True)
class Group:
    """Groups of atoms of similar sizes.

    Attributes:
        members: atoms of each group, and the number of atoms n where it has fewer, shape=(g, s).
        inverse: of the stiffness of each, shape=(g, 3s, 3s) [Å²/eV].
    """

    members: jax.Array
    inverse: jax.Array


@partial(jax.tree_util.register_dataclass, data_fields=["groups"], meta_fields=[])
@dataclass(frozen=True)
class Stiffness:
    """The inverse, group by group."""

    groups: tuple[Group, ...]

    def solve(self, v: jax.Array) -> jax.Array:
        """The inverse times a flat vector of positions, shape=(3n,)."""
        columns = jnp.concatenate([v.reshape(-1, 3), jnp.zeros((1, 3))])
        found = jnp.zeros_like(columns)
        for group in self.groups:
            count, size = group.members.shape
            part = take(columns, group.members).reshape(count, 3 * size)
            moved = jnp.einsum("gab,gb->ga", group.inverse, part).reshape(count, size, 3)
            found = found.at[group.members].set(moved, mode="promise_in_bounds")
        return found[:-1].reshape(v.shape)


def stiffness(system: System, x: jax.Array, theta: Theta) -> Stiffness | None:
    """The approximation at concrete positions x, shape=(n, 3) [Å], for a system with bonds on one device.

    None where curvatures are not finite, or too large to be inverted; the minimizer that sees the energy then says what is wrong with it.
    """
    pairs, blocks = jax.tree.map(np.asarray, _blocks(system, x, theta))
    if not all(np.all(np.isfinite(block)) for block in (*blocks, *(block for _, _, block in pairs))):
        return None
    found = list(pairs)
    for each, block in zip(system.listed, blocks, strict=True):
        found += tuple_pieces(np.asarray(each.tuples.atoms), block, convex=True)
    try:
        groups = tuple(_assembled(system, found, members) for members in _grouped(system))
    except np.linalg.LinAlgError:
        return None
    if not all(np.all(np.isfinite(group.inverse)) for group in groups):
        return None
    return on_device(Stiffness(groups))  # type: ignore[arg-type]


def _grouped(system: System) -> tuple[np.ndarray, ...]:
    """Members of groups of atoms, in classes of size, shape=(g, s) each."""
    count, n = system.size, len(system.positions)
    if count <= WHOLE:
        return (np.pad(np.arange(count), (0, n - count), constant_values=n)[None, :],)
    classes: dict[int, list[np.ndarray]] = {}
    for molecule in molecules(system):
        for first in range(0, len(molecule), LARGEST_GROUP):
            part = molecule[first : first + LARGEST_GROUP]
            size = len(part) if len(part) <= 4 else 1 << (len(part) - 1).bit_length()
            classes.setdefault(size, []).append(np.pad(part, (0, size - len(part)), constant_values=n))
    return tuple(np.stack(parts) for _, parts in sorted(classes.items()))


def molecules(system: System) -> list[np.ndarray]:
    """Atoms of each molecule, which bonded potentials join, in the order of the structure."""
    pairs = np.concatenate([np.asarray(each.tuples.atoms)[:, :2] for each in system.listed if each.scales is None])
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(system.size, system.size))
    labels = connected_components(graph, directed=False)[1]
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)


def _assembled(system: System, pieces: list[HostPiece], members: np.ndarray) -> Group:
    """The groups of one class, on the host: sums into dense matrices are quick there, and slow in compiled code."""
    n = len(system.positions)
    count, size = members.shape
    owner, place = np.full(n + 1, -1), np.zeros(n + 1, dtype=np.int64)
    owner[members], place[members] = np.arange(count)[:, None], np.arange(size)[None, :]
    owner[n] = -1
    side = 3 * size
    total = np.zeros(count * side * side)
    for i, j, block in pieces:
        inside = np.flatnonzero((owner[i] == owner[j]) & (owner[i] >= 0))
        first = (owner[i[inside]] * side + 3 * place[i[inside]])[:, None, None] + np.arange(3)[None, :, None]
        where = first * side + (3 * place[j[inside]])[:, None, None] + np.arange(3)[None, None, :]
        total += np.bincount(where.reshape(-1), weights=block[inside].reshape(-1), minlength=len(total))
    free = np.concatenate([np.asarray(system.free), np.zeros((1, 3))])[members].reshape(count, side)
    mask = free[:, :, None] * free[:, None, :]
    matrix = total.reshape(count, side, side) * mask
    matrix[:, np.arange(side), np.arange(side)] += np.where(free > 0, _SOFTEST, 1.0)
    return Group(members, np.linalg.inv(matrix) * mask)  # type: ignore[arg-type]


Piece = tuple[jax.Array, jax.Array, jax.Array]
HostPiece = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Atoms i and j, shape=(k,), and the blocks that belong there, shape=(k, 3, 3) [eV/Å²]."""


@program
def _blocks(system: System, x: jax.Array, theta: Theta) -> tuple[list[Piece], list[jax.Array]]:
    """Blocks of pairs without negative curvatures, and those of tuples as they are, in the order of `system.listed`."""
    pairs = [piece for term in system.terms if isinstance(term.form, PairForm) for piece in _pair_pieces(term, system.kinds, x, theta)]
    return pairs, [tuple_blocks(listed, system.kinds, x, theta).block for listed in system.listed]


def _pair_pieces(term: BoundTerm, kinds: jax.Array, x: jax.Array, theta: Theta) -> list[Piece]:
    rows, space = laid_out(term.neighbors, kinds, x, None)

    def convex(block: Any, shared: Shared) -> tuple[jax.Array, ...]:
        across, along, d, square = curvatures(block, shared)
        across, along = jnp.maximum(across, 0.0), jnp.maximum(across + along * square, 0.0)
        return across, (along - across) / jnp.where(square > 0, square, 1.0), *d

    across, along, *d = over_rows(convex, term, tables(term, theta), rows, space)
    n = x.shape[0]
    vector = jnp.stack(d, axis=-1)[:n]
    block = across[:n, :, None, None] * jnp.eye(3) + along[:n, :, None, None] * vector[..., :, None] * vector[..., None, :]
    index = take(term.neighbors.atoms, rows.index)[:n].reshape(-1)
    own = jnp.repeat(jnp.arange(n, dtype=index.dtype), rows.index.shape[1])
    return [(jnp.arange(n), jnp.arange(n), jnp.sum(block, axis=1)), (own, index, -block.reshape(-1, 3, 3))]


def tuple_pieces(atoms: np.ndarray, blocks: np.ndarray, *, convex: bool) -> list[HostPiece]:
    """Blocks of tuples between atoms, with or without negative curvatures.

    Args:
        atoms: shape=(m, k).
        blocks: as of `TupleBlocks`.

    On the host: decompositions of many small matrices side by side bring compiled code to a standstill (seen with jaxlib 0.10.1).
    """
    block = np.moveaxis(blocks, 2, 0)
    if convex:
        values, vectors = np.linalg.eigh(0.5 * (block + np.swapaxes(block, 1, 2)))
        block = np.einsum("mab,mb,mcb->mac", vectors, np.maximum(values, 0.0), vectors)
    order = atoms.shape[1]
    # From vectors between atoms to atoms: atom j ends vector j − 1 and begins vector j.
    ends = np.zeros((order, order - 1))
    ends[np.arange(1, order), np.arange(order - 1)] = 1.0
    ends[np.arange(order - 1), np.arange(order - 1)] = -1.0
    parts = np.einsum("iv,mvawb,jw->mijab", ends, block.reshape(-1, order - 1, 3, order - 1, 3), ends, optimize=True)
    return [(atoms[:, i], atoms[:, j], parts[:, i, j]) for i in range(order) for j in range(order)]
