"""The part of many-body potentials in a stored Hessian: one block for each atom's environment.

The energy of an atom depends on the vectors d_j to its few neighbors; K = ∂²E_i/∂d∂d is a small symmetric matrix. A product gathers
differences u_j = v_j − v_i, multiplies y = K u, and gathers back: y_j acts on the neighbor, −Σ_j y_j on the atom itself.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from md_sensitivity.blocks import Block, laid_out, take
from md_sensitivity.bound import BoundTerm, coefficients
from md_sensitivity.kernels import Shared, edges_of, over_rows
from md_sensitivity.potentials.base import ManyBodyForm
from md_sensitivity.voigt import VOIGT

WIDEST = 12
"""Neighbors in the widest environments that are stored: 36 × 36 numbers for each atom. Beyond, derivatives of the gradient serve."""
_COMPILED = 16
"""Forms are evaluated with at least so many edges (see `neighbors`: LLVM's code generator)."""


class EnvironmentBlocks(NamedTuple):
    """Blocks of one term.

    Attributes:
        index: neighbors, shape=(rows, w).
        source: sources of images, shape=(g,).
        reverse: flat position of the opposite entry; its own where an entry is padding, shape=(rows, w).
        block: K in the order (neighbor, component), shape=(rows, 3w, 3w) [eV/Å²], zero where nothing interacts.
    """

    index: jax.Array
    source: jax.Array
    reverse: jax.Array
    block: jax.Array

    def product(self, v: jax.Array) -> jax.Array:
        """Their share of H v, for vectors of shape=(p, 3, rows)."""
        p, _, rows = v.shape
        own = jnp.transpose(v, (2, 1, 0))
        there = jnp.concatenate([own, own[self.source]])
        u = (take(there, self.index) - own[:, None]).reshape(rows, -1, p)
        y = jnp.einsum("rab,rbp->rap", self.block, u).reshape(-1, 3, p)
        moved = take(y, self.reverse) - y.reshape(rows, -1, 3, p)
        return jnp.transpose(jnp.sum(moved, axis=1), (2, 1, 0))

    def springs(self, rows: jax.Array) -> tuple[jax.Array, jax.Array, tuple[jax.Array, ...]]:
        """Their springs, see `StoredHessian.springs`: between an atom and each neighbor, and between its neighbors."""
        width, count = self.index.shape[1], len(rows)
        atoms = jnp.concatenate([jnp.arange(self.index.shape[0], dtype=self.index.dtype), self.source])
        near = atoms[self.index[rows]]
        k = self.block[rows].reshape(count, width, 3, width, 3)
        k = jnp.transpose(0.5 * (k + jnp.swapaxes(k, 2, 4)), (0, 1, 3, 2, 4))
        parts = jnp.concatenate([2.0 * jnp.sum(k, axis=2), -k.reshape(count, -1, 3, 3)], axis=1)
        shape = (count, width, width)
        first = jnp.broadcast_to(near[:, :, None], shape).reshape(count, -1)
        second = jnp.broadcast_to(near[:, None, :], shape).reshape(count, -1)
        own = jnp.broadcast_to(rows[:, None], near.shape)
        return jnp.concatenate([own, first], axis=1), jnp.concatenate([near, second], axis=1), tuple(parts[..., a, b] for a, b in VOIGT)


def environment_blocks(term: BoundTerm, kinds: jax.Array, x: jax.Array, theta: Any) -> EnvironmentBlocks:
    """Blocks of a many-body term whose table is at most `WIDEST` wide, at positions x, shape=(n, 3) [Å]."""
    form, neighbors = term.form, term.neighbors
    assert isinstance(form, ManyBodyForm) and neighbors.reverse is not None
    rows, space = laid_out(neighbors, kinds, x, None)
    width = rows.index.shape[1]
    padding = jnp.broadcast_to(rows.own[:, None], (len(rows.own), max(_COMPILED - width, 0)))
    rows = rows._replace(index=jnp.concatenate([rows.index, padding], axis=1))

    def curvature(block: Block, shared: Shared) -> jax.Array:
        term, table, space = shared
        edges, _ = edges_of(term, block, space)
        given = jnp.stack([edges.x, edges.y, edges.z], axis=2)

        def gradient(front: jax.Array) -> jax.Array:
            def energy(front: jax.Array) -> jax.Array:
                d = given.at[:, :width].set(front)
                return jnp.sum(form.energy(edges._replace(x=d[..., 0], y=d[..., 1], z=d[..., 2]), table, dict(term.options)))

            return jax.grad(energy)(front)

        front = given[:, :width]

        def column(unit: jax.Array) -> jax.Array:
            return jax.jvp(gradient, (front,), (jnp.broadcast_to(unit, front.shape),))[1]

        found = jax.lax.map(column, jnp.eye(3 * width).reshape(-1, width, 3))
        return jnp.moveaxis(found, 0, 1).reshape(-1, 3 * width, 3 * width)

    block = over_rows(curvature, term, coefficients(term, theta), rows, space)
    return EnvironmentBlocks(neighbors.index, neighbors.source, neighbors.reverse, block)
