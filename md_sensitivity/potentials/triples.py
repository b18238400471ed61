"""Parameters of triples of types (i, j, k) at the edges of a table, for forms of order 3.

i is the center, j the bonded neighbor, k a third atom. Whatever depends on j through its type alone is computed once for each type, as
an array of shape (n, s, e) over types of j and edges k; only products that hold both edges have shape (n, e, e). With one type nothing
is looked up at all: arrays of such parameters have axes of length 1.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from md_sensitivity.potentials.base import Edges


def of_types(values: jax.Array, edges: Edges) -> jax.Array:
    """Values of (type of center, type of neighbor) at each edge, shape=(s, s) → shape=(n, e), or (1, 1) where there is one type."""
    return values if values.shape[0] == 1 else _chosen(values[edges.center[:, 0]], edges.neighbor)


def of_pairs(values: jax.Array, edges: Edges) -> jax.Array:
    """Values of (i, j, j) from those of all triples, shape=(s, s, s) → shape=(n, e), or (1, 1) where there is one type."""
    return of_types(jnp.diagonal(values, axis1=1, axis2=2), edges)


def of_thirds(values: jax.Array, edges: Edges) -> jax.Array:
    """Values of (i, type of j, k) at each edge k, shape=(s, s, s) → shape=(n, s, e), or (1, 1, 1) where there is one type."""
    return values if values.shape[0] == 1 else _chosen(values[edges.center[:, 0]], edges.neighbor[:, None, :])


def of_triples(values: jax.Array, edges: Edges) -> jax.Array:
    """Values of (i, j, k) from those of (i, type of j, k), shape=(n, s, e) → shape=(n, e, e); as they are where j does not matter."""
    types = values.shape[1]
    if types == 1:
        return values
    # Not by `where`: what compilers make of masks spread over pairs of edges is not always code (neighbors.py).
    return sum((edges.neighbor[:, :, None] == kind).astype(values.dtype) * values[:, kind : kind + 1] for kind in range(types))


def _chosen(values: jax.Array, kind: jax.Array) -> jax.Array:
    """values[..., kind], by comparison, which vectorizes: shape=(n, ..., s) → shape=(n, ..., e)."""
    chosen = values[..., :1]
    for k in range(1, values.shape[-1]):
        chosen = jnp.where(kind == k, values[..., k : k + 1], chosen)
    return chosen
