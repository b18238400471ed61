"""The one loop that all minimizers share: it owns stepping, stopping, neighbor rebuilds and the check for non-finite numbers."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from md_sensitivity.curvature.products import flat_gradient, flat_hessian, flat_projector
from md_sensitivity.curvature.zero_modes import ZeroModes
from md_sensitivity.energy import Energy, PyTree
from md_sensitivity.minimization.base import Method, Problem, State

LARGEST_MOVE = 0.1
"""Largest move of one coordinate in one step [Å]."""
_SHARE_OF_ROOM = 0.4
"""Largest move as a share of the room that fresh neighbor tables give."""


class Limits(NamedTuple):
    """When the loop stops.

    Attributes:
        goal: largest component of the gradient [eV/Å].
        handover: a step that moves no coordinate farther than this also ends the stage [Å]; negative for never.
        max_steps: number of steps of the whole minimization.
        cap: largest move of one coordinate in one step [Å].
    """

    goal: jax.Array
    handover: jax.Array
    max_steps: jax.Array
    cap: jax.Array


def _problem(energy: Energy, x: PyTree, theta: PyTree, modes: ZeroModes | None, cap: jax.Array) -> Problem:
    _, unravel = ravel_pytree(x)

    def value_and_gradient(flat: jax.Array) -> tuple[jax.Array, jax.Array]:
        point = unravel(flat)
        return energy(point, theta), flat_gradient(energy, point, theta)

    def hessian(flat: jax.Array):  # type: ignore[no-untyped-def]
        # The rigid motions are those of the start of the stage; they change with x only to second order.
        return flat_hessian(energy, unravel(flat), theta, flat_projector(modes, energy, unravel(flat)))

    return Problem(value_and_gradient, hessian, cap)


@jax.jit
def largest_move(energy: Energy, x: PyTree, theta: PyTree) -> jax.Array:
    """How far one coordinate may move in one step, with neighbor tables fresh at x [Å]."""
    return jnp.minimum(LARGEST_MOVE, _SHARE_OF_ROOM * energy.room(x, theta) / jnp.sqrt(3.0))


@partial(jax.jit, static_argnames="method")
def begin(energy: Energy, x: PyTree, theta: PyTree, modes: ZeroModes | None, before: State | None, method: Method) -> State:
    """State at the start of a stage; counts go on from the stage before."""
    flat = ravel_pytree(x)[0]
    problem = _problem(energy, x, theta, modes, largest_move(energy, x, theta))
    value, gradient = problem.value_and_gradient(flat)
    zero = jnp.zeros((), dtype=jnp.int32)
    return State(
        x=flat,
        energy=value,
        gradient=gradient,
        steps=zero if before is None else before.steps,
        evaluations=(zero if before is None else before.evaluations) + 1,
        products=zero if before is None else before.products,
        moved=jnp.asarray(jnp.inf),
        stalled=jnp.asarray(False),
        memory=method.start(problem, flat, gradient),
    )


@partial(jax.jit, static_argnames="method")
def advance(
    energy: Energy, x: PyTree, theta: PyTree, modes: ZeroModes | None, state: State, limits: Limits, method: Method
) -> State:
    """Steps until the stage is done, stuck, out of steps, not finite, or in need of new neighbor tables."""
    problem = _problem(energy, x, theta, modes, limits.cap)
    _, unravel = ravel_pytree(x)

    def going(s: State) -> jax.Array:
        return ~stage_over(s, limits) & ~needs_tables(energy, unravel(s.x), theta, limits)

    return jax.lax.while_loop(going, lambda s: method.step(problem, s), state)


def needs_tables(energy: Energy, x: PyTree, theta: PyTree, limits: Limits) -> jax.Array:
    """Whether the next step could leave the region where the energy is valid."""
    return energy.room(x, theta) < limits.cap * jnp.sqrt(3.0)


@jax.jit
def stage_over(state: State, limits: Limits) -> jax.Array:
    """Whether no further step of this stage is wanted or possible."""
    largest = jnp.max(jnp.abs(state.gradient), initial=0.0)
    broken = ~jnp.isfinite(state.energy) | ~jnp.isfinite(largest)
    return (largest <= limits.goal) | (state.moved <= limits.handover) | (state.steps >= limits.max_steps) | broken | state.stalled


def run_stage(
    energy: Energy, x: PyTree, theta: PyTree, modes: ZeroModes | None, before: State | None, limits: Limits, method: Method
) -> tuple[Energy, PyTree, State]:
    """One stage on concrete values: steps on the device, neighbor tables from the host in between.

    Returns:
        The energy with tables valid at the final x, that x, and the state.
    """
    _, unravel = ravel_pytree(x)
    energy = energy.updated(x, theta)
    limits = limits._replace(cap=largest_move(energy, x, theta))
    state = begin(energy, x, theta, modes, before, method)
    while True:
        state = advance(energy, x, theta, modes, state, limits, method)
        x = unravel(state.x)
        if bool(stage_over(state, limits)):
            return energy, x, state
        energy = energy.updated(x, theta)
        limits = limits._replace(cap=largest_move(energy, x, theta))
