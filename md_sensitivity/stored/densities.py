"""The part of embedded forms in a stored Hessian that is more than a pair potential: F″ ∇ρ ∇ρᵀ of each atom.

∇ρ_i has one vector for each neighbor: g, what the density at the center feels of moving it. A product asks each atom for the change of
its density, t_i = F″_i Σ_j g_ij·(v_j − v_i), and gathers −Σ_j (t_i g_ij + t_j h_ij), h being what the density at the neighbor feels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from md_sensitivity.blocks import by_blocks, laid_out, take
from md_sensitivity.bound import BoundTerm, tables
from md_sensitivity.kernels import density_gradients, embedded_atoms, embedded_curvature, weighted
from md_sensitivity.potentials.base import EmbeddedForm
from md_sensitivity.reduction import sum_entries
from md_sensitivity.sharding import gathered
from md_sensitivity.stored.pairs import PairBlocks, pair_blocks
from md_sensitivity.voigt import VOIGT

_SPRINGS = 2**20
"""Springs between neighbors of which an average is taken, about."""
Vector = tuple[jax.Array, jax.Array, jax.Array]


class DensityBlocks(NamedTuple):
    """Densities of one term.

    Attributes:
        index: neighbors, shape=(rows, e).
        source: sources of images, shape=(g,).
        curvature: F″, shape=(rows,) [eV per squared density].
        given: g, three arrays of shape=(rows, e) [density/Å], zero where nothing interacts.
        taken: h, likewise.
    """

    index: jax.Array
    source: jax.Array
    curvature: jax.Array
    given: Vector
    taken: Vector

    def product(self, v: jax.Array, mesh: Mesh | None) -> jax.Array:
        """Their share of H v, for vectors of shape=(p, 3, rows)."""
        whole = jnp.stack(gathered(mesh, tuple(jnp.sum(part, axis=1) for part in self.given)))
        change = self._sums(_changes, self.given, v, mesh) - jnp.sum(whole * v, axis=1)
        t = self.curvature * change
        return -(t[:, None] * whole + self._sums(_felt, self.taken, t, mesh).reshape(v.shape))

    def _sums(self, function: Callable[..., Any], vectors: Vector, values: jax.Array, mesh: Mesh | None) -> jax.Array:
        there = jnp.concatenate([values, values[..., self.source]], axis=-1)
        return jnp.stack(gathered(mesh, by_blocks(function, (self.index, vectors), there, mesh)))

    def springs(self, rows: jax.Array) -> tuple[jax.Array, jax.Array, tuple[jax.Array, ...]]:
        """Their springs, see `StoredHessian.springs`: between an atom and each neighbor, and between its neighbors.

        Each of many neighbors has a spring to each other, so that only some of the atoms answer, for the others as well.
        """
        width = self.index.shape[1]
        stride = max(1, -(-len(rows) * width * width // _SPRINGS))
        chosen = rows[::stride]
        share = len(rows) / len(chosen)
        near = jnp.concatenate([jnp.arange(self.index.shape[0], dtype=self.index.dtype), self.source])[self.index[chosen]]
        g = jnp.stack([part[chosen] for part in self.given], axis=-1)
        strength = share * self.curvature[chosen]
        whole = jnp.sum(g, axis=1, keepdims=True)
        own = strength[:, None, None, None] * (g[..., :, None] * whole[..., None, :] + whole[..., :, None] * g[..., None, :])
        between = -0.5 * strength[:, None, None, None, None] * (
            g[:, :, None, :, None] * g[:, None, :, None, :] + g[:, :, None, None, :] * g[:, None, :, :, None]
        )
        parts = jnp.concatenate([own, between.reshape(len(chosen), -1, 3, 3)], axis=1)
        shape = (len(chosen), width, width)
        first = jnp.broadcast_to(near[:, :, None], shape).reshape(len(chosen), -1)
        second = jnp.broadcast_to(near[:, None, :], shape).reshape(len(chosen), -1)
        center = jnp.broadcast_to(chosen[:, None], near.shape)
        return jnp.concatenate([center, first], axis=1), jnp.concatenate([near, second], axis=1), tuple(parts[..., a, b] for a, b in VOIGT)


def _changes(block: tuple[jax.Array, Vector], there: jax.Array) -> tuple[jax.Array, ...]:
    """Σ_j g_ij·v_j of some rows, for each vector."""
    index, g = block
    return sum_entries(*(sum(g[c] * take(vector[c], index) for c in range(3)) for vector in there))  # type: ignore[arg-type]


def _felt(block: tuple[jax.Array, Vector], there: jax.Array) -> tuple[jax.Array, ...]:
    """Σ_j t_j h_ij of some rows, for each t, components together."""
    index, h = block
    found: list[jax.Array] = []
    for t in there:
        near = take(t, index)
        found += sum_entries(*(near * h[c] for c in range(3)))
    return tuple(found)


def embedded_blocks(term: BoundTerm, kinds: jax.Array, x: jax.Array, theta: Any) -> tuple[PairBlocks, DensityBlocks]:
    """Blocks of an embedded form at positions x, shape=(n, 3) [Å]: of its pair potential, and of its densities."""
    assert isinstance(term.form, EmbeddedForm)
    table = tables(term, theta)
    rows, space = laid_out(term.neighbors, kinds, x, None)
    _, weight = embedded_atoms(term, table, rows, space)
    curvature = gathered(term.neighbors.mesh, (embedded_curvature(term, table, rows, space),))[0]
    given, taken = density_gradients(term, table, rows, space)
    pairs = pair_blocks(term, table, *weighted(term, weight, rows, space))
    return pairs, DensityBlocks(term.neighbors.index, term.neighbors.source, curvature, given, taken)
