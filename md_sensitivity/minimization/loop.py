"""The one loop that all minimizers share: it owns stepping, stopping, neighbor rebuilds and the check for non-finite numbers."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from md_sensitivity.compilation import program
from md_sensitivity.curvature.operators import worth_storing
from md_sensitivity.curvature.products import flat_hessian, flat_projector
from md_sensitivity.curvature.spectrum import DENSE_LIMIT
from md_sensitivity.curvature.zero_modes import ZeroModes
from md_sensitivity.energy import Energy, Metric, PyTree
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
        cap: largest move of one coordinate in one step [Å]; 0 for what fresh tables allow.
        pause: number of steps at which a round ends, only for the host to look; the next goes on as if nothing had been.
    """

    goal: jax.Array
    handover: jax.Array
    max_steps: jax.Array
    cap: jax.Array
    pause: jax.Array


Watch = Callable[[State], None]
"""Looks at a minimization from time to time."""
_ROUND_SECONDS = 0.5
"""Rounds that somebody watches get longer until they take so long."""
_NEVER = 2**31 - 1
_METRIC_STEPS = 100
"""Steps after which an approximation of H⁻¹ is made anew."""


def limits_of(goal: float, handover: float, max_steps: int) -> Limits:
    """Limits of a stage."""
    values = (np.float64(goal), np.float64(handover), np.int32(max_steps), np.float64(0.0), np.int32(_NEVER))
    return Limits(*values)  # type: ignore[arg-type]


class Counts(NamedTuple):
    """What a minimization has taken so far: steps, energies with gradients, Hessian products."""

    steps: jax.Array
    evaluations: jax.Array
    products: jax.Array


def _problem(
    energy: Energy, x: PyTree, theta: PyTree, modes: ZeroModes | None, cap: jax.Array, metric: Metric | None
) -> Problem:
    _, unravel = ravel_pytree(x)

    def value_and_gradient(flat: jax.Array) -> tuple[jax.Array, jax.Array]:
        point = unravel(flat)
        value, slope = jax.value_and_grad(energy)(point, theta)
        return value, ravel_pytree(jax.tree.map(jnp.multiply, slope, energy.mobility(point)))[0]

    def hessian(flat: jax.Array):  # type: ignore[no-untyped-def]
        # The rigid motions are those of the start of the stage; they change with x only to second order.
        point = unravel(flat)
        project = flat_projector(modes, energy, point)
        stored = energy.assembled(point, theta) if flat.size > DENSE_LIMIT and worth_storing(energy, point, theta) else None
        if stored is None:
            return flat_hessian(energy, point, theta, project)
        return lambda v: project(stored.unpack(stored.product(stored.pack(project(v)[None])))[0])

    return Problem(value_and_gradient, hessian, cap, None if metric is None else metric.solve)


def largest_move(energy: Energy, x: PyTree, theta: PyTree) -> jax.Array:
    """How far one coordinate may move in one step, with neighbor tables fresh at x [Å]."""
    return jnp.minimum(LARGEST_MOVE, _SHARE_OF_ROOM * energy.room(x, theta) / jnp.sqrt(3.0))


def _begun(problem: Problem, flat: jax.Array, counts: Counts, method: Method) -> State:
    """State at the start of a stage; counts go on from the stage before."""
    value, gradient = problem.value_and_gradient(flat)
    return State(
        x=flat,
        energy=value,
        gradient=gradient,
        steps=counts.steps,
        evaluations=counts.evaluations + 1,
        products=counts.products,
        moved=jnp.full((), jnp.inf),
        stalled=jnp.zeros((), dtype=bool),
        memory=method.start(problem, flat, gradient),
    )


class Round(NamedTuple):
    """What one round of steps leaves, between two constructions of neighbor tables.

    Attributes:
        x: where it ended, a tree.
        state: the same with all that the next round needs.
        over: whether the stage is done, stuck, out of steps or not finite; otherwise it waits for new tables, or paused.
        cap: largest move of one coordinate in one step [Å].
    """

    x: PyTree
    state: State
    over: jax.Array
    cap: jax.Array


@program(static=("method",))
def advance(
    energy: Energy,
    x: PyTree,
    theta: PyTree,
    modes: ZeroModes | None,
    state: State | None,
    counts: Counts,
    limits: Limits,
    method: Method,
    metric: Metric | None = None,
) -> Round:
    """Steps from x, whose neighbor tables are fresh, until the stage is over or needs new ones.

    One program does all of it, the start of the stage included: structures of one shape then compile once for each method.

    Args:
        modes: zero modes that Newton's method leaves out.
        state: of the round before; None, or one whose `moved` is NaN (see `blank`), to begin a stage.
        counts: what the stages before took.
        metric: an approximation of H⁻¹, for methods that make use of one.
    """
    limits = limits._replace(cap=jnp.where(limits.cap > 0, limits.cap, largest_move(energy, x, theta)))
    problem = _problem(energy, x, theta, modes, limits.cap, metric)
    flat, unravel = ravel_pytree(x)

    def begun() -> State:
        return _begun(problem, flat, counts, method)

    def going(s: State) -> jax.Array:
        return ~_stage_over(s, limits) & (s.steps < limits.pause) & ~_needs_tables(energy, unravel(s.x), theta, limits)

    first = begun() if state is None else jax.lax.cond(jnp.isnan(state.moved), begun, lambda: state)
    last = jax.lax.while_loop(going, lambda s: method.step(problem, s), first)
    return Round(unravel(last.x), last, _stage_over(last, limits), limits.cap)


def blank(
    energy: Energy, x: PyTree, theta: PyTree, modes: ZeroModes | None, method: Method, metric: Metric | None = None
) -> State:
    """A state of the right shapes that stands for none."""
    shapes = _blank.eval_shape(energy, x, theta, modes, counts_of(None), metric, method=method)
    empty: State = jax.tree.map(lambda shape: np.zeros(shape.shape, shape.dtype), shapes)
    return empty._replace(moved=np.full((), np.nan))  # type: ignore[arg-type]


@partial(jax.jit, static_argnames="method")  # for its memory of what was traced before; it is never run
def _blank(
    energy: Energy, x: PyTree, theta: PyTree, modes: ZeroModes | None, counts: Counts, metric: Metric | None, method: Method
) -> State:
    problem = _problem(energy, x, theta, modes, jnp.ones(()), metric)
    return _begun(problem, ravel_pytree(x)[0], counts, method)


def _needs_tables(energy: Energy, x: PyTree, theta: PyTree, limits: Limits) -> jax.Array:
    """Whether the next step could leave the region where the energy is valid."""
    return energy.room(x, theta) < limits.cap * jnp.sqrt(3.0)


def _stage_over(state: State, limits: Limits) -> jax.Array:
    """Whether no further step of this stage is wanted or possible."""
    largest = jnp.max(jnp.abs(state.gradient), initial=0.0)
    broken = ~jnp.isfinite(state.energy) | ~jnp.isfinite(largest)
    return (largest <= limits.goal) | (state.moved <= limits.handover) | (state.steps >= limits.max_steps) | broken | state.stalled


def run_stage(
    energy: Energy,
    x: PyTree,
    theta: PyTree,
    modes: ZeroModes | None,
    before: State | None,
    limits: Limits,
    method: Method,
    watch: Watch | None = None,
) -> tuple[Energy, PyTree, State]:
    """One stage on concrete values: steps on the device, neighbor tables from the host in between.

    Args:
        before: state at the end of the stage before, of which the counts go on.
        watch: called about twice a second, or after each step where steps take longer; the steps are the same without it.

    Returns:
        The energy with tables valid at the final x, that x, and the state.
    """
    energy = renewed(energy, x, theta)
    counts = counts_of(before)
    metric = energy.stiffness(x, theta) if method.takes_metric else None
    state = blank(energy, x, theta, modes, method, metric)
    stride, fresh = 1, limits
    renewal = int(counts.steps) + _METRIC_STEPS
    while True:
        began = time.monotonic()
        pause = _NEVER if watch is None else int(counts.steps if np.isnan(state.moved) else state.steps) + stride
        if metric is not None:
            pause = min(pause, renewal)
        x, state, over, cap = advance(
            energy, x, theta, modes, state, counts, limits._replace(pause=np.int32(pause)), method, metric  # type: ignore[arg-type]
        )
        if watch is not None:
            watch(state)
        if bool(over):
            return energy, x, state
        if int(state.steps) >= pause:
            limits = limits._replace(cap=cap)
            stride = 2 * stride if time.monotonic() - began < _ROUND_SECONDS else stride
        else:
            energy, limits = energy.updated(x, theta), fresh
        if metric is not None and int(state.steps) >= renewal:
            metric, counts = energy.stiffness(x, theta), counts_of(state)
            state, renewal = blank(energy, x, theta, modes, method, metric), int(counts.steps) + _METRIC_STEPS


def renewed(energy: Energy, x: PyTree, theta: PyTree) -> Energy:
    """The energy with neighbor tables that leave room at x: new ones only where the old ones leave little."""
    return energy if energy.roomy(x, theta) else energy.updated(x, theta)


def counts_of(before: State | None) -> Counts:
    """Counts at the end of a stage; zeros where there was none."""
    if before is None:
        return Counts(*(np.zeros((), dtype=np.int32) for _ in Counts._fields))  # type: ignore[arg-type]
    return Counts(before.steps, before.evaluations, before.products)
