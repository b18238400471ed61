"""Sums over tuples of atoms that a topology lists: bonds, angles, torsions, and pairs that are no neighbors.

As everywhere the gradient is gathered: each atom knows which tuples it is part of, so that Hessian products and mixed derivatives,
which are derivatives of the gather, hold no scatter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise, permutations, product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from md_sensitivity.blocks import take
from md_sensitivity.bound import BoundTerm, coefficients, tables
from md_sensitivity.neighbors import shared_width
from md_sensitivity.potentials.base import SCALE, BondedForm, PairForm, Vector, distance_of

Theta = Any
Local = Callable[[tuple[Vector, ...]], jax.Array]
"""Energy of each tuple from the vectors between its atoms, shape=(m,) [eV]."""
_NEARER = 1e-9
"""By how much a squared distance must be less to count as less [Å²]."""
_ROUNDS = 100
"""More than lattice vectors of any structure need to become short."""


@partial(jax.tree_util.register_dataclass, data_fields=["atoms", "shift", "mask", "places"], meta_fields=[])
@dataclass(frozen=True, kw_only=True)
class TupleList:
    """Tuples of k atoms.

    Attributes:
        atoms: shape=(m, k).
        shift: lattice vectors that are added to the position of each, shape=(m, k, 3) [Å].
        mask: whether a tuple counts, shape=(m,); the others repeat the first, and have no energy.
        places: for each atom where it occurs, as j · m + t for atom j of tuple t, and k · m where there is nothing, shape=(n, w).
    """

    atoms: Any
    shift: Any
    mask: Any
    places: Any


@partial(jax.tree_util.register_dataclass, data_fields=["term", "tuples", "scales"], meta_fields=[])
@dataclass(frozen=True, kw_only=True)
class Listed:
    """A bonded potential, or what a pair potential does to pairs that are no neighbors.

    Attributes:
        term: without neighbors; of a bonded form with rows of shape=(m,).
        scales: row of the scale of each pair, −1 for zero, shape=(m,); None for a bonded form.
    """

    term: BoundTerm
    tuples: TupleList
    scales: Any = None


def tuple_list(atoms: np.ndarray, x: np.ndarray, cell: np.ndarray, pbc: tuple[bool, ...]) -> TupleList:
    """Tuples of atoms, each taken as the image nearest to the atom before it; host arrays.

    Args:
        atoms: shape=(m, k), m > 0.
        x: positions, shape=(n, 3) [Å].
        cell: rows are lattice vectors, shape=(3, 3) [Å], complete.
        pbc: periodic axes.
    """
    count, order = atoms.shape
    size = shared_width(count, 0, all_pairs=False)
    padded = np.concatenate([atoms, np.repeat(atoms[:1], size - count, axis=0)]).astype(np.int32)
    images = nearest_images(x[padded], cell, pbc)
    owner, place = padded.T.reshape(-1), np.arange(order * size)
    used = place % size < count
    owner, place = owner[used], place[used]
    order_of = np.argsort(owner, kind="stable")
    owner, place = owner[order_of], place[order_of]
    counts = np.bincount(owner, minlength=len(x))
    width = shared_width(int(counts.max()), 0, all_pairs=False)
    places = np.full((len(x), width), order * size, dtype=np.int32)
    places[owner, np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)] = place
    return TupleList(atoms=padded, shift=images @ cell, mask=np.arange(size) < count, places=places)


def nearest_images(chain: np.ndarray, cell: np.ndarray, pbc: tuple[bool, ...]) -> np.ndarray:
    """Lattice vectors that bring each atom of a chain nearest to the one before it, shape=(m, k, 3), for positions of that shape [Å]."""
    basis = shortened_basis(cell, pbc)
    short = basis @ cell
    steps = np.diff(chain, axis=1)
    turns = -np.round(steps @ np.linalg.inv(short)) * np.asarray(pbc)
    # In a cell of short vectors the nearest image is this one, or one next to it.
    best, least = turns, np.sum((steps + turns @ short) ** 2, axis=-1)
    for offset in product(*((-1, 0, 1) if periodic else (0,) for periodic in pbc)):
        other = turns + np.array(offset)
        square = np.sum((steps + other @ short) ** 2, axis=-1)
        nearer = square < least - _NEARER
        best, least = np.where(nearer[..., None], other, best), np.where(nearer, square, least)
    return np.concatenate([np.zeros_like(chain[:, :1]), np.cumsum(best @ basis, axis=1)], axis=1)


def shortened_basis(cell: np.ndarray, pbc: tuple[bool, ...]) -> np.ndarray:
    """Whole numbers that make short lattice vectors, as rows, of the periodic ones of a cell, shape=(3, 3)."""
    basis = np.eye(3)
    axes = np.flatnonzero(pbc)
    for _ in range(_ROUNDS):
        before = basis.copy()
        for i, j in permutations(axes, 2):
            long, short = basis[i] @ cell, basis[j] @ cell
            basis[i] -= np.round((long @ short) / (short @ short)) * basis[j]
        if np.array_equal(before, basis):
            break
    return basis


def local_energy(listed: Listed, theta: Theta, kinds: jax.Array) -> Local:
    """Energy of each tuple as a function of its vectors, shape=(m,) [eV]."""
    term, options = listed.term, dict(listed.term.options)
    form = term.form
    if isinstance(form, BondedForm):
        p = coefficients(term, theta)
        return lambda vectors: form.energy(vectors, p, options)
    assert isinstance(form, PairForm)
    first, second = kinds[listed.tuples.atoms[:, 0]], kinds[listed.tuples.atoms[:, 1]]
    local = {name: values[first, second] for name, values in tables(term, theta).items()}
    scale = jnp.zeros(len(listed.scales))
    if SCALE.name in theta[term.label]:
        given = jnp.asarray(theta[term.label][SCALE.name], dtype=jnp.float64)
        scale = jnp.where(listed.scales >= 0, given[listed.scales], 0.0)
    plain = form.listed

    def of_pairs(vectors: tuple[Vector, ...]) -> jax.Array:
        x, y, z = vectors[0]
        d = distance_of(x * x + y * y + z * z)
        return scale * form.energy(d, local, options) if plain is None else plain(d, scale, local, options)

    return of_pairs


def edges(tuples: TupleList, x: jax.Array) -> tuple[Vector, ...]:
    """Vectors from each atom of a tuple to the next, three arrays of shape=(m,) each [Å]."""
    place = [tuple(take(x[:, c], tuples.atoms[:, j]) + tuples.shift[:, j, c] for c in range(3)) for j in range(tuples.atoms.shape[1])]
    return tuple((b[0] - a[0], b[1] - a[1], b[2] - a[2]) for a, b in pairwise(place))


def strained(vectors: tuple[Vector, ...], strain: jax.Array | None) -> tuple[Vector, ...]:
    """Vectors deformed by 1 + strain."""
    if strain is None:
        return vectors
    return tuple(tuple(v[a] + sum(strain[a, b] * v[b] for b in range(3)) for a in range(3)) for v in vectors)  # type: ignore[misc]


def on_atoms(tuples: TupleList, slopes: list[jax.Array]) -> jax.Array:
    """Sums over the tuples that each atom is part of, shape=(n,).

    Args:
        slopes: derivatives with respect to one component of the vectors of each tuple, shape=(m,) each.
    """
    none = jnp.zeros_like(slopes[0])
    both = zip([none, *slopes], [*slopes, none], strict=True)
    flat = jnp.concatenate([*(before - after for before, after in both), jnp.zeros(1, dtype=none.dtype)])
    return jnp.sum(take(flat, tuples.places), axis=1)


def listed_energy(listed: Listed, x: jax.Array, strain: jax.Array | None, theta: Theta, kinds: jax.Array) -> jax.Array:
    """Energy of all tuples [eV]."""
    local = local_energy(listed, theta, kinds)
    return jnp.sum(jnp.where(listed.tuples.mask, local(strained(edges(listed.tuples, x), strain)), 0.0))


def listed_gradient(
    listed: Listed, x: jax.Array, strain: jax.Array | None, theta: Theta, kinds: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Energy [eV], and ∂E/∂x with respect to strained vectors, shape=(n, 3) [eV/Å]."""
    energy, slopes = _slopes(listed, strained(edges(listed.tuples, x), strain), theta, kinds)
    return energy, jnp.stack([on_atoms(listed.tuples, [slope[c] for slope in slopes]) for c in range(3)], axis=1)


def listed_gradients(
    listed: Listed, x: jax.Array, strain: jax.Array, theta: Theta, kinds: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The same, and ∂E/∂strain, shape=(3, 3) [eV]."""
    plain = edges(listed.tuples, x)
    energy, slopes = _slopes(listed, strained(plain, strain), theta, kinds)
    by_atom = jnp.stack([on_atoms(listed.tuples, [slope[c] for slope in slopes]) for c in range(3)], axis=1)
    parts = [sum(jnp.sum(g[a] * v[b]) for g, v in zip(slopes, plain, strict=True)) for a in range(3) for b in range(3)]
    return energy, by_atom, jnp.stack(parts).reshape(3, 3)


def _slopes(
    listed: Listed, vectors: tuple[Vector, ...], theta: Theta, kinds: jax.Array
) -> tuple[jax.Array, tuple[Vector, ...]]:
    """Energy, and its derivatives with respect to the vectors."""
    local = local_energy(listed, theta, kinds)
    return jax.value_and_grad(lambda v: jnp.sum(jnp.where(listed.tuples.mask, local(v), 0.0)))(vectors)
