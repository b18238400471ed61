"""The Hessian of pair potentials, assembled: one symmetric 3×3 block for each entry of the neighbor tables.

With E = ½ Σ φ(r²), the block of a pair is K = 2φ′ 1 + 4φ″ r⊗r, primes meaning derivatives with respect to r². Then H_ij = −K_ij and
H_ii = Σ_j K_ij. A product with stored blocks reads displacements only, and serves many vectors at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from md_sensitivity.interactions import BoundTerm, coefficients
from md_sensitivity.kernels import Block, Shared, Space, by_blocks, laid_out, over_pairs, pair_energies, take, vectors
from md_sensitivity.potentials.base import PairForm
from md_sensitivity.reduction import sum_entries
from md_sensitivity.sharding import gathered

_TOGETHER = 4
"""Vectors whose products share one loop over the entries; more do not fit into the registers."""
_PLACES = ((0, 5, 4), (5, 1, 3), (4, 3, 2))
"""Where the nine components of a symmetric block stand among the stored six: xx yy zz yz xz xy."""
BYTES_PER_ENTRY = 6 * 8


class TermBlocks(NamedTuple):
    """Blocks of one term: neighbors, sources of images, and six arrays of shape=(rows, e) [eV/Å²], zero where nothing interacts."""

    index: jax.Array
    source: jax.Array
    block: tuple[jax.Array, ...]


@partial(jax.tree_util.register_dataclass, data_fields=["terms", "diagonal", "free"], meta_fields=["size", "mesh"])
@dataclass(frozen=True, kw_only=True)
class PairBlocks:
    """H of a system of pair potentials at one geometry; exactly zero for frozen coordinates.

    Vectors are packed as shape=(p, 3 · rows), all x first, because each component is read by itself.

    Attributes:
        terms: blocks of each potential.
        diagonal: H_ii, six arrays of shape=(rows,) [eV/Å²].
        free: 1 where a coordinate may move, shape=(3, rows).
        size: number of atoms n.
        mesh: devices that share the rows of the blocks; None where one has all. Vectors are on each of them.
    """

    terms: tuple[TermBlocks, ...]
    diagonal: tuple[jax.Array, ...]
    free: jax.Array
    size: int
    mesh: Mesh | None = None

    def pack(self, vectors: jax.Array) -> jax.Array:
        """Flat vectors of positions, shape=(p, 3n), as packed ones."""
        p, rows = vectors.shape[0], self.free.shape[1]
        split = jnp.moveaxis(vectors.reshape(p, self.size, 3), 2, 1)
        return jnp.pad(split, ((0, 0), (0, 0), (0, rows - self.size))).reshape(p, 3 * rows)

    def unpack(self, packed: jax.Array) -> jax.Array:
        """Packed vectors as flat ones, shape=(p, 3n)."""
        split = packed.reshape(packed.shape[0], 3, -1)[:, :, : self.size]
        return jnp.moveaxis(split, 1, 2).reshape(packed.shape[0], -1)

    def product(self, packed: jax.Array) -> jax.Array:
        """H v for packed vectors."""
        p = packed.shape[0]
        v = packed.reshape(p, 3, -1)
        d = self.diagonal
        total = jnp.stack([sum(d[place] * v[:, c] for c, place in enumerate(row)) for row in _PLACES], axis=1)
        for term in self.terms:
            there = jnp.concatenate([v, v[:, :, term.source]], axis=2)
            sums = gathered(self.mesh, by_blocks(_neighbor_sums, (term.index, term.block), there, self.mesh))
            total = total - jnp.stack(sums).reshape(p, 3, -1)
        return (total * self.free).reshape(p, -1)

    def springs(self, rows: jax.Array) -> tuple[tuple[jax.Array, tuple[jax.Array, ...]], ...]:
        """K_ij of some rows: for each potential the rows j, shape=(s, e), and xx yy zz yz xz xy, shape=(s, e) each [eV/Å²]."""
        own = jnp.arange(self.free.shape[1])
        return tuple(
            (jnp.concatenate([own, term.source])[term.index[rows]], tuple(part[rows] for part in term.block)) for term in self.terms
        )

    def lowered(self) -> PairBlocks:
        """The same in single precision."""
        return jax.tree.map(lambda leaf: leaf.astype(jnp.float32) if leaf.dtype == jnp.float64 else leaf, self)


def _neighbor_sums(block: tuple[jax.Array, tuple[jax.Array, ...]], there: jax.Array) -> tuple[jax.Array, ...]:
    """Σ_j K_ij v_j of some rows: p · 3 arrays of shape=(b,), components of one vector together."""
    index, k = block
    found: list[jax.Array] = []
    for first in range(0, there.shape[0], _TOGETHER):
        parts = []
        for vector in there[first : first + _TOGETHER]:
            u = [take(vector[c], index) for c in range(3)]
            parts += [k[row[0]] * u[0] + k[row[1]] * u[1] + k[row[2]] * u[2] for row in _PLACES]
        found += sum_entries(*parts)
    return tuple(found)


def assembled(terms: tuple[BoundTerm, ...], kinds: jax.Array, free: jax.Array, x: jax.Array, theta: Any) -> PairBlocks:
    """Blocks of a system whose terms are all pair potentials, at positions x, shape=(n, 3) [Å]."""
    rows, mesh = terms[0].neighbors.index.shape[0], terms[0].neighbors.mesh
    blocks = tuple(_assembled(term, kinds, x, theta) for term in terms)
    diagonal = gathered(mesh, tuple(sum(jnp.sum(part.block[k], axis=1) for part in blocks) for k in range(6)))
    padded = jnp.pad(free.T, ((0, 0), (0, rows - len(x))))
    return PairBlocks(terms=blocks, diagonal=diagonal, free=padded, size=len(x), mesh=mesh)


def _assembled(term: BoundTerm, kinds: jax.Array, x: jax.Array, theta: Any) -> TermBlocks:
    form = term.form
    assert isinstance(form, PairForm)
    table = coefficients(term, theta)
    rows, space = laid_out(term.neighbors, kinds, x, None)

    def curvatures(block: Block, shared: Shared) -> tuple[jax.Array, jax.Array]:
        """2φ′ and 4φ″ of each edge."""
        term, table, space = shared
        d, _ = vectors(block, space)
        energy, square, inside = pair_energies(term, form, table, block, space, d[0] * d[0] + d[1] * d[1] + d[2] * d[2])
        one = jnp.ones_like(square)
        first, second = jax.jvp(lambda s: jax.jvp(energy, (s,), (one,))[1], (square,), (one,))
        return jnp.where(inside, 2.0 * first, 0.0), jnp.where(inside, 4.0 * second, 0.0)

    def six(block: tuple[Block, jax.Array, jax.Array], space: Space) -> tuple[jax.Array, ...]:
        place, radial, axial = block
        d, _ = vectors(place, space)
        along = [radial + axial * d[c] * d[c] for c in range(3)]
        return (*along, axial * d[1] * d[2], axial * d[0] * d[2], axial * d[0] * d[1])

    # In two passes, because each output array is a loop of its own, which repeats what it needs.
    scalars = over_pairs(curvatures, term, table, rows, space)
    block = by_blocks(six, (rows, *scalars), space, term.neighbors.mesh)
    return TermBlocks(term.neighbors.index, term.neighbors.source, block)
