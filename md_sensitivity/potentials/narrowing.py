"""Work on pairs of edges done for the few edges that act in them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp

from md_sensitivity.potentials.base import Edges
from md_sensitivity.reduction import sum_entries

_WIDTHS = (8, 16, 32)
"""Pairs of edges are taken among the first of these that holds all edges that act, else among all edges of the table."""
_MANY = 64
"""With fewer rows than this, compiling the work for several widths takes longer than it saves."""


def among_near(edges: Edges, near: jax.Array, energy: Callable[..., jax.Array], *others: jax.Array) -> jax.Array:
    """Energy of each atom, shape=(n,), of a function that edges which are not `near` add nothing to.

    A table holds the neighbors of the longest range, and some room, while pairs of edges are the square of those near.

    Args:
        near: shape=(n, e).
        energy: (edges, *others) → shape=(n,), for edges of any width; masked ones add nothing.
    """
    rows, entries = edges.x.shape
    widths = [width for width in _WIDTHS if width < entries]
    if not widths or rows < _MANY:
        return energy(edges, *others)
    most = jnp.max(jnp.sum(near, axis=1))
    fits = sum((most > width).astype(jnp.int32) for width in widths)
    # Branches close over no array, because they are compiled as functions of what they are given.
    branches = [lambda edges, near, *rest, width=width: energy(_narrowed(edges, near, width), *rest) for width in widths]
    return jax.lax.switch(fits, [*branches, lambda edges, near, *rest: energy(edges, *rest)], edges, near, *others)


def _narrowed(edges: Edges, near: jax.Array, width: int) -> Edges:
    """The edges that are near, in their order, of which there are no more than `width`."""
    place = jnp.where(near, jnp.cumsum(near, axis=1) - 1, width)
    chosen = (place[:, None, :] == jnp.arange(width)[None, :, None]).astype(edges.x.dtype)
    take = partial(jnp.multiply, chosen)
    columns = (edges.x, edges.y, edges.z, edges.neighbor.astype(edges.x.dtype))
    x, y, z, neighbor, count = sum_entries(*(take(column[:, None, :]) for column in columns), chosen)
    # What is left over is padding, one length unit long as in the table.
    return Edges(x + (1.0 - count), y, z, count > 0.5, edges.center, neighbor.astype(edges.neighbor.dtype))
