"""Cubic splines through equally spaced knots, as LAMMPS draws them, so that tabulated potentials have its values.

Slopes at knots are differences of their neighbors; between two knots a cubic has their values and slopes. The curve and its slope are
continuous, the curvature jumps at each knot. The curve is linear in the knots, which are parameters.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

Cubics = tuple[jax.Array, jax.Array, jax.Array, jax.Array]
"""Coefficients of p³, p², p, 1 for each interval of each curve, p from 0 to 1 within it; shape=(curves · n,) each."""


def slopes(knots: jax.Array) -> jax.Array:
    """Slope at each knot, per interval, shape=(..., n): five-point differences, and shorter ones at the ends."""
    n = knots.shape[-1]
    before, after = knots[..., :-2], knots[..., 2:]
    three = 0.5 * (after - before)
    ends = (knots[..., 1:2] - knots[..., :1], knots[..., n - 1 :] - knots[..., n - 2 : n - 1])
    if n < 5:
        return jnp.concatenate([ends[0], three, ends[1]], axis=-1)
    five = ((knots[..., :-4] - knots[..., 4:]) + 8.0 * (knots[..., 3:-1] - knots[..., 1:-3])) / 12.0
    return jnp.concatenate([ends[0], three[..., :1], five, three[..., -1:], ends[1]], axis=-1)


def cubics(knots: jax.Array) -> Cubics:
    """The cubics of curves given by their knots, shape=(curves, n); the last interval of each is a constant that nothing reads."""
    slope = slopes(knots)
    rise, next_slope = knots[:, 1:] - knots[:, :-1], slope[:, 1:]
    third = slope[:, :-1] + next_slope - 2.0 * rise
    second = 3.0 * rise - 2.0 * slope[:, :-1] - next_slope
    pad = ((0, 0), (0, 1))
    return jnp.pad(third, pad).reshape(-1), jnp.pad(second, pad).reshape(-1), slope.reshape(-1), knots.reshape(-1)


def value(curves: Cubics, row: jax.Array, n: int, t: jax.Array) -> jax.Array:
    """Curves number `row` of n knots at t, counted in intervals from the first knot; constant beyond the last knot.

    Args:
        curves: from `cubics`.
        row: whole numbers, broadcast against t.
        t: elementwise.
    """
    interval = jnp.clip(t.astype(jnp.int32), 0, n - 2)
    fraction = t - interval
    fraction = jnp.where(fraction < 1.0, fraction, 1.0)
    place = row * n + interval
    third, second, first, zeroth = (part.at[place].get(mode="promise_in_bounds") for part in curves)
    return ((third * fraction + second) * fraction + first) * fraction + zeroth
