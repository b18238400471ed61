"""Derivatives through the steps of a minimizer, as the paper compares with: FIRE of jax-md, differentiated in forward mode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from packing.setup import Setup

STOPS = (1e-6, 1e-8, 1e-10, 1e-12)
"""Largest force components at which the minimization pauses to have its derivative looked at; at the last it stops, as in the paper."""
MAX_STEPS = 100_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Pause:
    """Where the minimization and its derivative stand when the force has fallen below a threshold.

    Attributes:
        threshold, force: largest force component asked for, and reached.
        steps: of FIRE so far.
        tangent: derivative of the positions along θ, shape=(n, 2).
    """

    threshold: float
    force: float
    steps: int
    tangent: np.ndarray


@dataclass(frozen=True, kw_only=True, eq=False)
class Unrolled:
    """A minimization by FIRE with the derivative of every step.

    Attributes:
        positions: where it ended, shape=(n, 2).
        pauses: one for each threshold that was reached, and the end.
        peak: largest L1 norm that the derivative had on the way.
        peak_step: when.
        resets: how often FIRE went uphill and set all velocities to zero.
        converged: whether the force fell below the last threshold.
    """

    positions: np.ndarray
    pauses: tuple[Pause, ...]
    peak: float
    peak_step: int
    resets: int
    converged: bool

    @property
    def tangent(self) -> np.ndarray:
        """The unrolled derivative, shape=(n, 2)."""
        return self.pauses[-1].tangent


def unroll(setup: Setup, start: np.ndarray, stops: Sequence[float] = STOPS) -> Unrolled:
    """Minimize from the start (its tangent is zero), and differentiate each step along θ."""
    side, dots = jnp.asarray(setup.side), jnp.asarray(setup.diameters_dot)
    diameters = jnp.asarray([1.0, setup.diameter])
    carry = _begin(jnp.asarray(start), diameters, dots, side, setup.large)
    pauses = []
    for stop in stops:
        carry = _advance(carry, diameters, dots, side, jnp.asarray(stop), setup.large)
        force = float(_force(carry.floats))
        pauses.append(Pause(threshold=stop, force=force, steps=int(carry.steps), tangent=np.asarray(carry.dots.position)))
        if not force <= stop:
            break
    return Unrolled(
        positions=np.asarray(carry.floats.position),
        pauses=tuple(pauses),
        peak=float(carry.peak),
        peak_step=int(carry.peak_step),
        resets=int(carry.resets),
        converged=bool(pauses[-1].force <= stops[-1]),
    )


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["floats", "dots", "downhill", "steps", "peak", "peak_step", "resets"],
    meta_fields=[],
)
@dataclass(frozen=True, kw_only=True)
class _Carry:
    """State of FIRE with its derivative; `downhill` is its count of steps, an integer, which has no derivative."""

    floats: Any
    dots: Any
    downhill: jax.Array
    steps: jax.Array
    peak: jax.Array
    peak_step: jax.Array
    resets: jax.Array


def _fire(diameters: jax.Array, side: jax.Array, large: int, particles: int) -> tuple[Any, Any]:
    """jax-md's minimizer with its default time steps, for jax-md's soft spheres with these diameters."""
    from jax_md import energy, minimize, space

    displacement, shift = space.periodic(side)
    species = np.repeat([0, 1], [large, particles - large])
    pair = 0.5 * (diameters[:, None] + diameters[None, :])
    return minimize.fire_descent(energy.soft_sphere_pair(displacement, species=species, sigma=pair, epsilon=1.0, alpha=2.0), shift)


@partial(jax.jit, static_argnames="large")
def _begin(start: jax.Array, diameters: jax.Array, dots: jax.Array, side: jax.Array, large: int) -> _Carry:
    def first(diameters: jax.Array) -> tuple[Any, jax.Array]:
        state = _fire(diameters, side, large, len(start))[0](start)
        # What has no fixed type in the first state has the type that steps give it.
        real = jax.tree.map(jnp.asarray, state.set(n_pos=jnp.zeros(())))
        return real, state.n_pos

    floats, tangents, downhill = jax.jvp(first, (diameters,), (dots,), has_aux=True)
    zero = jnp.zeros((), dtype=jnp.int32)
    return _Carry(floats=floats, dots=tangents, downhill=downhill, steps=zero, peak=jnp.zeros(()), peak_step=zero, resets=zero)


@partial(jax.jit, static_argnames="large")
def _advance(carry: _Carry, diameters: jax.Array, dots: jax.Array, side: jax.Array, stop: jax.Array, large: int) -> _Carry:
    def step(c: _Carry) -> _Carry:
        def one(floats: Any, diameters: jax.Array) -> tuple[Any, jax.Array]:
            apply = _fire(diameters, side, large, len(floats.position))[1]
            after = apply(floats.set(n_pos=c.downhill))
            return after.set(n_pos=jnp.zeros(())), after.n_pos

        floats, tangents, downhill = jax.jvp(one, (c.floats, diameters), (c.dots, dots), has_aux=True)
        size = jnp.sum(jnp.abs(tangents.position))
        return _Carry(
            floats=floats,
            dots=tangents,
            downhill=downhill,
            steps=c.steps + 1,
            peak=jnp.maximum(c.peak, size),
            peak_step=jnp.where(size > c.peak, c.steps + 1, c.peak_step),
            resets=c.resets + (downhill == 0),
        )

    return jax.lax.while_loop(lambda c: (_force(c.floats) > stop) & (c.steps < MAX_STEPS), step, carry)


def _force(state: Any) -> jax.Array:
    return jnp.max(jnp.abs(state.force))
