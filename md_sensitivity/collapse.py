"""Atoms that have fallen through the repulsion of potentials without a lower bound, such as Buckingham's: they are at no minimum."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from md_sensitivity.blocks import at_edges, laid_out
from md_sensitivity.bound import BoundTerm, tables
from md_sensitivity.kernels import ended, squares
from md_sensitivity.neighbors import NeighborTable
from md_sensitivity.potentials.base import PairForm, distance_of

_DISTANCES = 0.01 * 1.0075 ** np.arange(1024)
"""Where pair energies are looked at, 0.01 to 21 Å."""
_LEAST = 1e-6
"""A smaller slope is rounding, and no repulsion [eV/Å]."""


class Deepest(NamedTuple):
    """The pair of atoms that is farthest behind the maximum of its energy.

    Attributes:
        first, second: atoms.
        distance: [Å].
        wall: distance of the maximum [Å]; 0 where there is none.
    """

    first: jax.Array
    second: jax.Array
    distance: jax.Array
    wall: jax.Array


def bottomless(term: BoundTerm) -> bool:
    """Whether the term's energy may fall to −∞ where atoms meet."""
    return isinstance(term.form, PairForm) and term.form.bottomless


def walls(terms: tuple[BoundTerm, ...], theta: Any) -> jax.Array:
    """Distance of the innermost maximum of the pair energy of all terms, shape=(s, s) [Å].

    0 where it has none: where it repels at the smallest distances, or attracts at all. Terms of many atoms are not counted.
    """
    r = jnp.asarray(_DISTANCES)[:, None, None]
    slopes = sum((_slopes(term, theta, r) for term in terms if isinstance(term.form, PairForm)), start=jnp.zeros(()))
    repels = slopes < -_LEAST
    outer = jnp.argmax(repels, axis=0)
    behind = ~repels[0] & (slopes[0] > 0) & jnp.any(repels, axis=0)
    place = jnp.maximum(outer, 1)[None]
    high, low = (jnp.take_along_axis(slopes, at, axis=0)[0] for at in (place - 1, place))
    inner = jnp.asarray(_DISTANCES)[place[0] - 1]
    # The slope passes zero between the two; a straight line finds where.
    share = jnp.where(behind, high / jnp.where(behind, high - low, 1.0), 0.0)
    return jnp.where(behind, inner + share * (jnp.asarray(_DISTANCES)[place[0]] - inner), 0.0)


def _slopes(term: BoundTerm, theta: Any, r: jax.Array) -> jax.Array:
    """φ′ of each pair of types at distances r, shape=(g, s, s) [eV/Å]."""
    form = term.form
    assert isinstance(form, PairForm)
    table = tables(term, theta)
    phi = ended(term, form.energy, table, table, lambda part: part)
    everywhere = jnp.broadcast_to(r, (*r.shape[:1], *next(iter(table.values())).shape))
    slope = jax.jvp(lambda r: phi(distance_of(r * r)), (everywhere,), (jnp.ones_like(everywhere),))[1]
    return jnp.where(everywhere < term.cutoff, slope, 0.0)


@jax.jit
def deepest(terms: tuple[BoundTerm, ...], kinds: jax.Array, x: jax.Array, theta: Any) -> Deepest:
    """Of all pairs of terms that may be bottomless, the one that is farthest behind the maximum of its energy."""
    wall = walls(terms, theta)
    found = [_deepest_of(term.neighbors, wall, kinds, x) for term in terms if bottomless(term)]
    together = jax.tree.map(lambda *parts: jnp.stack(parts), *found)
    worst = jnp.argmin(together.distance - together.wall)
    return jax.tree.map(lambda part: part[worst], together)


def _deepest_of(table: NeighborTable, wall: jax.Array, kinds: jax.Array, x: jax.Array) -> Deepest:
    rows, space = laid_out(table, kinds, x, None)
    distance = jnp.sqrt(squares(table, x))
    ends = jnp.broadcast_to(at_edges(wall, rows, space), distance.shape)
    row, slot = jnp.unravel_index(jnp.argmin(distance - ends), distance.shape)
    atoms = jnp.concatenate([jnp.arange(distance.shape[0], dtype=table.index.dtype), table.source])
    return Deepest(row, atoms[table.index[row, slot]], distance[row, slot], ends[row, slot])
