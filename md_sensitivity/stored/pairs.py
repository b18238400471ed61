"""The part of pair potentials in a stored Hessian: one symmetric 3×3 block for each entry of the neighbor tables.

With E = ½ Σ φ(r²), the block of a pair is K = 2φ′ 1 + 4φ″ r⊗r, primes meaning derivatives with respect to r². Then H_ij = −K_ij and
H_ii = Σ_j K_ij. A product with stored blocks reads displacements only, and serves many vectors at once.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from md_sensitivity.blocks import Block, Columns, Space, by_blocks, take, vectors
from md_sensitivity.bound import BoundTerm
from md_sensitivity.kernels import Shared, over_rows, pair_energies
from md_sensitivity.reduction import sum_entries
from md_sensitivity.sharding import gathered
from md_sensitivity.voigt import PLACES

_TOGETHER = 4
"""Vectors whose products share one loop over the entries; more do not fit into the registers."""
BYTES_PER_ENTRY = 6 * 8


class PairBlocks(NamedTuple):
    """Blocks of one term.

    Attributes:
        index: neighbors, shape=(rows, e).
        source: sources of images, shape=(g,).
        block: K_ij, xx yy zz yz xz xy, six arrays of shape=(rows, e) [eV/Å²], zero where nothing interacts.
    """

    index: jax.Array
    source: jax.Array
    block: tuple[jax.Array, ...]

    def diagonal(self) -> tuple[jax.Array, ...]:
        """H_ii, six arrays of shape=(rows,) [eV/Å²]."""
        return tuple(jnp.sum(part, axis=1) for part in self.block)

    def neighbor_sums(self, v: jax.Array, mesh: Mesh | None) -> jax.Array:
        """Σ_j K_ij v_j of vectors of shape=(p, 3, rows)."""
        there = jnp.concatenate([v, v[:, :, self.source]], axis=2)
        sums = gathered(mesh, by_blocks(_neighbor_sums, (self.index, self.block), there, mesh))
        return jnp.stack(sums).reshape(v.shape)

    def springs(self, rows: jax.Array) -> tuple[jax.Array, jax.Array, tuple[jax.Array, ...]]:
        """Their springs, see `StoredHessian.springs`."""
        near = jnp.concatenate([jnp.arange(self.index.shape[0], dtype=self.index.dtype), self.source])[self.index[rows]]
        return jnp.broadcast_to(rows[:, None], near.shape), near, tuple(part[rows] for part in self.block)


def _neighbor_sums(block: tuple[jax.Array, tuple[jax.Array, ...]], there: jax.Array) -> tuple[jax.Array, ...]:
    """Σ_j K_ij v_j of some rows: p · 3 arrays of shape=(b,), components of one vector together."""
    index, k = block
    found: list[jax.Array] = []
    for first in range(0, there.shape[0], _TOGETHER):
        parts = []
        for vector in there[first : first + _TOGETHER]:
            u = [take(vector[c], index) for c in range(3)]
            parts += [k[row[0]] * u[0] + k[row[1]] * u[1] + k[row[2]] * u[2] for row in PLACES]
        found += sum_entries(*parts)
    return tuple(found)


def pair_blocks(term: BoundTerm, table: Any, rows: Block, space: Space) -> PairBlocks:
    """Blocks of a pair potential, or of the pair potential that an embedded form is to first order in its densities.

    Args:
        table: what the form reads of θ.
        rows, space: laid out at the positions; of an embedded form with weights.
    """

    def six(block: tuple[Block, jax.Array, jax.Array], space: Space) -> tuple[jax.Array, ...]:
        place, radial, axial = block
        d, _ = vectors(place, space)
        along = [radial + axial * d[c] * d[c] for c in range(3)]
        return (*along, axial * d[1] * d[2], axial * d[0] * d[2], axial * d[0] * d[1])

    # In two passes, because each output array is a loop of its own, which repeats what it needs.
    scalars = over_rows(lambda block, shared: curvatures(block, shared)[:2], term, table, rows, space)
    block = by_blocks(six, (rows, *scalars), space, term.neighbors.mesh)
    return PairBlocks(term.neighbors.index, term.neighbors.source, block)


def curvatures(block: Block, shared: Shared) -> tuple[jax.Array, jax.Array, Columns, jax.Array]:
    """2φ′ and 4φ″ of each edge, zero where nothing acts, its vector and r², shape=(b, e) each."""
    term, table, space = shared
    d, _ = vectors(block, space)
    plain = d[0] * d[0] + d[1] * d[1] + d[2] * d[2]
    energy, square, inside = pair_energies(term, table, block, space, plain)
    one = jnp.ones_like(square)
    first, second = jax.jvp(lambda s: jax.jvp(energy, (s,), (one,))[1], (square,), (one,))
    return jnp.where(inside, 2.0 * first, 0.0), jnp.where(inside, 4.0 * second, 0.0), d, plain
