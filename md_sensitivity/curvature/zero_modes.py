"""Rigid motions that leave the energy unchanged, per connected fragment, and the projector that removes them exactly.

A fragment is a set of atoms joined by interactions. It may translate; it may rotate unless it is continued through a periodic
boundary (about the axis only, where it is continued along one line). Frozen coordinates take away the motions that would move them. An atom
without interactions is a fragment of its own. The response that is reported is the one without any component along these motions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, connected_components

from md_sensitivity.energy import Bonds, Energy, positions_of, with_positions
from md_sensitivity.neighbors import on_device
from md_sensitivity.sharding import mesh_within

_ROWS = 8192
"""Rows of a neighbor table that are looked at together."""
_FIRST = 3
"""Neighbors of each atom that are joined before all others are looked at."""
_GRAM_CUTOFF = 1e-11
"""Squared relative extent below which a rotation counts as none (a linear fragment turning about its own axis)."""


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["fragment", "image", "origin", "scale", "allowed", "free"],
    meta_fields=[],
)
@dataclass(frozen=True)
class ZeroModes:
    """Rigid motions of the fragments of a system of positions x, shape=(n, 3).

    Attributes:
        fragment: fragment of each atom, shape=(n,).
        image: where each atom stands in its unwrapped fragment, relative to x, shape=(n, 3) [Å].
        origin: point about which a fragment turns, shape=(f, 3) [Å].
        scale: length by which rotations are divided, shape=(f,) [Å].
        allowed: columns span the combinations of three translations and three rotations that are zero modes, shape=(f, 6, 6).
        free: 1 where a coordinate may move, shape=(n, 3).
    """

    fragment: jax.Array
    image: jax.Array
    origin: jax.Array
    scale: jax.Array
    allowed: jax.Array
    free: jax.Array

    def projector(self, x: jax.Array) -> Projector:
        """The projector at positions x; differentiable in x."""
        arm = (x + self.image - self.origin[self.fragment]) / self.scale[self.fragment, None]
        motions = _motions(arm, jnp) * self.free[:, :, None]
        gram = jax.ops.segment_sum(jnp.einsum("nci,ncj->nij", motions, motions), self.fragment, num_segments=self.origin.shape[0])
        reduced = jnp.einsum("fai,fab,fbj->fij", self.allowed, gram, self.allowed)
        inverse = jnp.linalg.pinv(reduced, rtol=_GRAM_CUTOFF, hermitian=True)
        weight = jnp.einsum("fai,fij,fbj->fab", self.allowed, inverse, self.allowed)
        return Projector(self.fragment, arm, weight, self.free)


@partial(jax.tree_util.register_dataclass, data_fields=["fragment", "arm", "weight", "free"], meta_fields=[])
@dataclass(frozen=True)
class Projector:
    """v → v without rigid motions and without frozen coordinates; symmetric and idempotent.

    Attributes:
        arm: scaled position within the fragment, shape=(n, 3).
        weight: inverse Gram matrix of the zero modes in the basis of six motions, shape=(f, 6, 6).
    """

    fragment: jax.Array
    arm: jax.Array
    weight: jax.Array
    free: jax.Array

    def __call__(self, v: jax.Array) -> jax.Array:
        """The projected vector, shape=(n, 3)."""
        v = v * self.free
        parts = jnp.concatenate([v, jnp.cross(self.arm, v)], axis=1)
        sums = jax.ops.segment_sum(parts, self.fragment, num_segments=self.weight.shape[0])
        amount = jnp.einsum("fab,fb->fa", self.weight, sums)[self.fragment]
        return v - (amount[:, :3] + jnp.cross(amount[:, 3:], self.arm)) * self.free


def _motions(arm: Any, xp: Any) -> Any:
    """Displacements of each atom under three translations and three rotations, shape=(n, 3, 6).

    Args:
        arm: shape=(n, 3).
        xp: numpy on the host, jax.numpy in traced code.
    """
    unit = xp.broadcast_to(xp.eye(3), (arm.shape[0], 3, 3))
    turns = xp.stack([xp.cross(xp.eye(3)[a], arm) for a in range(3)], axis=2)
    return xp.concatenate([unit, turns], axis=2)


def zero_modes(energy: Energy, x: Any, theta: Any) -> ZeroModes | None:
    """Rigid zero modes of the Hessian of `energy` at x; None where it has none.

    Works within traced code too, through a call back to the host; the number of fragments is then bounded by the number of atoms.
    """
    frame = energy.frame(x)
    if frame is None:
        return None
    bonds, x = energy.bonds(x, theta), frame.positions
    arguments = (x, frame.cell, frame.free, frame.atoms, bonds)
    if not any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(arguments)):
        found = _shared(_found(*jax.tree.map(np.asarray, arguments)), frame.atoms is not None)
        return on_device(found, mesh_within(jax.tree.leaves(bonds)))
    n = x.shape[0]
    real, integer = jnp.float64, jnp.int32
    shapes = ZeroModes(
        fragment=jax.ShapeDtypeStruct((n,), integer),
        image=jax.ShapeDtypeStruct((n, 3), real),
        origin=jax.ShapeDtypeStruct((n, 3), real),
        scale=jax.ShapeDtypeStruct((n,), real),
        allowed=jax.ShapeDtypeStruct((n, 6, 6), real),
        free=jax.ShapeDtypeStruct((n, 3), real),
    )
    return jax.pure_callback(
        lambda *values: _padded(_found(*jax.tree.map(np.asarray, values)), n),
        shapes,
        *jax.lax.stop_gradient(arguments),
        vmap_method="sequential",
    )


def _padded(modes: ZeroModes, count: int) -> ZeroModes:
    extra = count - len(modes.origin)
    return ZeroModes(
        fragment=modes.fragment,
        image=modes.image,
        origin=np.pad(modes.origin, ((0, extra), (0, 0))),
        scale=np.pad(modes.scale, (0, extra), constant_values=1.0),
        allowed=np.pad(modes.allowed, ((0, extra), (0, 0), (0, 0))),
        free=modes.free,
    )


def _shared(modes: ZeroModes, padded: bool) -> ZeroModes:
    """The modes with a number of fragments that many systems share, where systems are padded."""
    size = 4
    while size < len(modes.origin):
        size *= 4
    return _padded(modes, size) if padded else modes


def _found(x: np.ndarray, cell: np.ndarray, free: np.ndarray, atoms: np.ndarray | None, bonds: tuple[Bonds, ...]) -> ZeroModes:
    """Zero modes of concrete positions; what pads the arrays beyond the atoms is a last fragment of its own, without motions."""
    n = len(x)
    count = n if atoms is None else int(atoms)
    if count == n:
        return _find(x, cell, free, bonds)
    real = _find(x[:count], cell, free[:count], bonds)
    last = len(real.origin)
    return _padded(
        ZeroModes(
            fragment=np.concatenate([real.fragment, np.full(n - count, last, dtype=np.int32)]),  # type: ignore[arg-type]
            image=np.pad(real.image, ((0, n - count), (0, 0))),  # type: ignore[arg-type]
            origin=real.origin,
            scale=real.scale,
            allowed=real.allowed,
            free=free,  # type: ignore[arg-type]
        ),
        last + 1,
    )


def _find(x: np.ndarray, cell: np.ndarray, free: np.ndarray, bonds: tuple[Bonds, ...]) -> ZeroModes:
    """Zero modes of concrete positions."""
    labels, offsets, cycles = _fragments(len(x), bonds)
    count = int(labels.max()) + 1
    unwrapped = x + offsets @ cell
    frozen = free < 0.5
    sizes = np.bincount(labels, minlength=count)
    centers = np.stack([np.bincount(labels, weights=unwrapped[:, c], minlength=count) for c in range(3)], axis=1) / sizes[:, None]
    spread = np.bincount(labels, weights=np.sum((unwrapped - centers[labels]) ** 2, axis=1), minlength=count) / sizes
    scale = np.where(spread > 0, np.sqrt(spread), 1.0)
    allowed = np.broadcast_to(np.eye(6), (count, 6, 6)).copy()
    allowed[sizes == 1, 3:] = 0.0  # a point does not turn
    for fragment, vectors in cycles.items():
        allowed[fragment] = _turning(vectors.astype(np.float64) @ cell)
    origin = centers.copy()
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], np.arange(count + 1))
    for fragment in np.unique(labels[frozen.any(axis=1)]):
        members = order[starts[fragment] : starts[fragment + 1]]
        held = frozen[members]
        # The origin must not depend on atoms that move, because the allowed combinations speak of rotations about it.
        pinned = members[held.all(axis=1)]
        if len(pinned):
            origin[fragment] = unwrapped[pinned].mean(axis=0)
        arms = (unwrapped[members] - origin[fragment]) / scale[fragment]
        allowed[fragment] = _unconstrained(allowed[fragment], arms, held)
    return ZeroModes(
        fragment=labels.astype(np.int32),
        image=unwrapped - x,
        origin=origin,
        scale=scale,
        allowed=allowed,
        free=free,
    )


def _fragments(n: int, bonds: tuple[Bonds, ...]) -> tuple[np.ndarray, np.ndarray, dict[int, np.ndarray]]:
    """Fragment of each atom, its image within the unwrapped fragment, and the lattice vectors that continue a fragment.

    Atoms joined without crossing a boundary are one part, which needs no unwrapping; what crosses joins the parts. Neither needs all
    pairs at a time: a few neighbors of each atom join nearly all that belongs together.
    """
    labels = np.arange(n, dtype=np.int32)
    for most in (_FIRST, None):
        edges = [_different(labels, i, j) for bond in bonds for i, j in _inside(bond, most)]
        labels = _joined(labels, np.concatenate([np.zeros((0, 2), dtype=np.int32), *edges]))
    crossing = np.unique(np.concatenate([np.zeros((0, 5), dtype=np.int32), *(_across(bond, labels) for bond in bonds)]), axis=0)
    if not len(crossing):
        return labels, np.zeros((n, 3), dtype=np.int32), {}
    i, j, image = crossing[:, 0], crossing[:, 1], crossing[:, 2:]
    whole, offsets = _spanning_offsets(int(labels.max()) + 1, i, j, image)
    closing = offsets[i] + image - offsets[j]
    rows = np.flatnonzero(np.any(closing != 0, axis=1))
    if not len(rows):
        return whole[labels], offsets[labels], {}
    found = np.unique(np.concatenate([whole[i[rows], None], closing[rows]], axis=1), axis=0)
    numbers, starts = np.unique(found[:, 0], return_index=True)
    cycles = {int(number): part[:, 1:] for number, part in zip(numbers, np.split(found, starts[1:]), strict=True)}
    return whole[labels], offsets[labels], cycles


def _blocks(bond: Bonds) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Some rows at a time: the first of them, their entries, and which of these act, shape=(b, e)."""
    for first in range(0, len(bond.index), _ROWS):
        yield first, np.asarray(bond.index[first : first + _ROWS]), np.asarray(bond.acting[first : first + _ROWS])


def _inside(bond: Bonds, most: int | None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs that cross no boundary, each once; of each row at most so many."""
    for first, index, acting in _blocks(bond):
        own = np.arange(first, first + len(index), dtype=np.int32)[:, None]
        kept = acting & (index > own) & (index < len(bond.index))
        if most is not None:
            kept &= np.cumsum(kept, axis=1, dtype=np.int32) <= most
        row, entry = np.nonzero(kept)
        yield own[row, 0], index[row, entry]


def _different(labels: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Pairs of labels that pairs of atoms join, shape=(m, 2)."""
    pairs = np.stack([labels[i], labels[j]], axis=1)
    return pairs[pairs[:, 0] != pairs[:, 1]]


def _joined(labels: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Labels after what the edges join has become one."""
    if not len(edges):
        return labels
    size = int(labels.max()) + 1
    graph = coo_array((np.ones(len(edges), dtype=np.int8), (edges[:, 0], edges[:, 1])), shape=(size, size))
    return connected_components(graph, directed=False)[1].astype(np.int32)[labels]


def _across(bond: Bonds, labels: np.ndarray) -> np.ndarray:
    """What crosses a boundary: labels of both atoms, lower first, and lattice vectors from one to the other; shape=(m, 5)."""
    count = len(bond.index)
    source, image = np.asarray(bond.source), np.asarray(bond.image, dtype=np.int32)
    parts = [np.zeros((0, 5), dtype=np.int32)]
    for first, index, acting in _blocks(bond):
        row, entry = np.nonzero(acting & (index >= count))
        copy = index[row, entry] - count
        i, j = labels[row + first], labels[source[copy]]
        ahead = (i <= j)[:, None]
        ends = np.where(ahead, np.stack([i, j], axis=1), np.stack([j, i], axis=1))
        parts.append(np.unique(np.concatenate([ends, np.where(ahead, image[copy], -image[copy])], axis=1), axis=0))
    return np.concatenate(parts)


def _spanning_offsets(size: int, i: np.ndarray, j: np.ndarray, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fragment of each part, and its image along a spanning tree of its fragment, such that neighbors in the tree are unwrapped.

    Args:
        size: number of parts.
        i, j: parts that are joined, i ≤ j.
        image: lattice vectors from i to j, shape=(m, 3).
    """
    code = i.astype(np.int64) * size + j
    order = np.argsort(code, kind="stable")
    code = code[order]
    ones = np.ones(len(i), dtype=np.int8)
    labels = connected_components(coo_array((ones, (i, j)), shape=(size, size)), directed=False)[1]
    # One more node joins a part of each fragment to all others, so that a single search finds every tree.
    roots = np.unique(labels, return_index=True)[1]
    ends = np.concatenate([i, np.full(len(roots), size)]), np.concatenate([j, roots])
    graph = coo_array((np.ones(len(ends[0]), dtype=np.int8), ends), shape=(size + 1, size + 1)).tocsr()
    parent = breadth_first_order(graph, size, directed=False)[1][:size]
    own = np.arange(size, dtype=np.int32)
    parent = np.where(parent == size, own, parent).astype(np.int32)
    child = np.flatnonzero(parent != own)
    low, high = np.minimum(child, parent[child]), np.maximum(child, parent[child])
    step = image[order[np.searchsorted(code, low.astype(np.int64) * size + high)]].astype(np.int32)
    offsets = np.zeros((size, 3), dtype=np.int32)
    offsets[child] = np.where((parent[child] < child)[:, None], step, -step)
    while True:  # each pass doubles the length of the path to the root that is summed up
        above = parent[parent]
        offsets += np.where((parent != own)[:, None], offsets[parent], 0)
        if np.array_equal(above, parent):
            return labels, offsets
        parent = above


def _turning(vectors: np.ndarray) -> np.ndarray:
    """Translations, and the rotations that leave the given lattice vectors as they are, columns of shape=(6, 6)."""
    allowed = np.diag([1.0, 1.0, 1.0, 0.0, 0.0, 0.0])
    _, sizes, axes = np.linalg.svd(vectors, full_matrices=False)
    if np.sum(sizes > 1e-8 * sizes[0]) == 1:
        allowed[3:, 3] = axes[0]
    return allowed


def _unconstrained(allowed: np.ndarray, arms: np.ndarray, held: np.ndarray) -> np.ndarray:
    """The part of the span of `allowed` that moves no held coordinate, as columns of shape=(6, 6)."""
    motions = _motions(arms, np)
    rotation, sizes, _ = np.linalg.svd(allowed)
    span = rotation[:, sizes > 0.5 * max(sizes.max(), 1e-300)]
    moved = motions[held] @ span
    # The Gram matrix is small however many coordinates are held.
    values, vectors = np.linalg.eigh(moved.T @ moved)
    kept = span @ vectors[:, values < _GRAM_CUTOFF * max(1.0, float(held.sum()))]
    return np.pad(kept, ((0, 0), (0, 6 - kept.shape[1])))


def count_zero_modes(modes: ZeroModes | None, x: Any) -> int:
    """Number of zero modes: the rank of the allowed motions within the free coordinates; on the host, no program is compiled for it."""
    if modes is None:
        return 0
    fragment, allowed, scale = np.asarray(modes.fragment), np.asarray(modes.allowed), np.asarray(modes.scale)
    arm = (np.asarray(positions_of(x)) + np.asarray(modes.image) - np.asarray(modes.origin)[fragment]) / scale[fragment, None]
    motions = _motions(arm, np) * np.asarray(modes.free)[:, :, None]
    gram = np.zeros((len(allowed), 6, 6))
    np.add.at(gram, fragment, np.einsum("nci,ncj->nij", motions, motions))
    values = np.linalg.eigvalsh(np.einsum("fai,fab,fbj->fij", allowed, gram, allowed))
    return int(np.sum(values > _GRAM_CUTOFF * np.abs(values).max(axis=1, keepdims=True)))


@jax.jit
def without_zero_modes(modes: ZeroModes, x: Any, v: Any) -> Any:
    """A vector v like the point x without rigid motions."""
    return with_positions(v, modes.projector(positions_of(x))(positions_of(v)))
