"""Conjugate gradients for many right-hand sides at once, each with its own step lengths and status."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from md_sensitivity.curvature.solvers.base import (
    CONVERGED,
    FLOOR,
    MAX_ITERATIONS,
    NEGATIVE_CURVATURE,
    PATIENCE,
    STAGNATED,
    Operator,
    Solution,
    Solver,
    exact,
    judged,
    lowered,
    preconditioner,
    swept,
)

_REFINEMENTS = 3
"""Restarts from the recomputed residual, where rounding made the recurrence drift from it."""
_INNER, _OUTER = 1e-4, 8
"""Relative residual that one sweep in single precision is asked for, and the largest number of such sweeps."""


class _State(NamedTuple):
    x: jax.Array
    r: jax.Array
    p: jax.Array
    rr: jax.Array
    rz: jax.Array
    best: jax.Array
    since: jax.Array
    status: jax.Array
    active: jax.Array
    iteration: jax.Array


def _start(x: jax.Array, r: jax.Array, status: jax.Array, goal: jax.Array, iteration: jax.Array, precondition: Operator) -> _State:
    rr, z = jnp.sum(r * r, axis=1), precondition(r)
    active = (jnp.sqrt(rr) > goal) & (status != NEGATIVE_CURVATURE)
    return _State(x, r, z, rr, jnp.sum(r * z, axis=1), rr, jnp.zeros(rr.shape, dtype=jnp.int32), status, active, iteration)


def _sweep(s: _State, product: Operator, precondition: Operator, goal: jax.Array, limit: int | jax.Array) -> _State:
    """Iterations until no right-hand side is active; one that has ended stays as it is."""

    def step(s: _State) -> _State:
        ap = product(s.p)
        curvature = jnp.sum(s.p * ap, axis=1)
        negative = s.active & ~(curvature > 0)
        moving = s.active & ~negative
        alpha = jnp.where(moving, s.rz / jnp.where(moving, curvature, 1.0), 0.0)
        x = s.x + alpha[:, None] * s.p
        r = s.r - alpha[:, None] * ap
        rr = jnp.where(moving, jnp.sum(r * r, axis=1), s.rr)
        z = precondition(r)
        rz = jnp.where(moving, jnp.sum(r * z, axis=1), s.rz)
        beta = jnp.where(moving, rz / jnp.where(s.rz > 0, s.rz, 1.0), 0.0)
        p = jnp.where(moving[:, None], z + beta[:, None] * s.p, s.p)
        since = jnp.where(rr < 0.99 * s.best, 0, s.since + 1)
        tired = moving & (since > PATIENCE)
        done = jnp.sqrt(rr) <= goal
        status = jnp.where(negative, NEGATIVE_CURVATURE, jnp.where(tired, STAGNATED, s.status))
        return _State(x, r, p, rr, rz, jnp.minimum(s.best, rr), since, status, moving & ~done & ~tired, s.iteration + 1)

    return jax.lax.while_loop(lambda s: jnp.any(s.active) & (s.iteration < limit), step, s)


def _solved(
    operator: Operator, b: jax.Array, tolerance: float, max_iterations: int, precondition: Operator, first: _State | None = None
) -> Solution:
    product, judge = swept(operator), exact(operator)
    goal = jnp.maximum(tolerance, FLOOR) * jnp.linalg.norm(b, axis=1)
    sweep = partial(_sweep, product=product, precondition=precondition, goal=goal, limit=max_iterations)

    def error(x: jax.Array) -> jax.Array:
        return jnp.linalg.norm(b - judge(x), axis=1)

    def refine(carry: tuple[_State, jax.Array]) -> tuple[_State, jax.Array]:
        s, count = carry
        finer = sweep(_start(s.x, b - judge(s.x), s.status, goal, s.iteration, precondition))
        # Restarted from rounding errors, a sweep may lead astray; its negative curvatures are then noise as well.
        better = error(finer.x) < error(s.x)
        x = jnp.where(better[:, None], finer.x, s.x)
        return finer._replace(x=x, status=s.status, active=jnp.zeros_like(s.active)), count + 1

    def unfinished(carry: tuple[_State, jax.Array]) -> jax.Array:
        s, count = carry
        drifted = (error(s.x) > goal) & (s.status == CONVERGED)
        return (count < _REFINEMENTS) & jnp.any(drifted) & (s.iteration < max_iterations)

    if first is None:
        none = jnp.zeros(b.shape[0], dtype=jnp.int32) + CONVERGED
        first = sweep(_start(jnp.zeros_like(b), b, none, goal, jnp.zeros((), dtype=jnp.int32), precondition))
    last, _ = jax.lax.while_loop(unfinished, refine, (first, jnp.zeros((), dtype=jnp.int32)))
    status = jnp.where(last.active, MAX_ITERATIONS, last.status)
    return judged(operator, b, last.x, last.iteration, status, tolerance)


def _unchanged(r: jax.Array) -> jax.Array:
    return r


def conjugate_gradient(operator: Operator, b: jax.Array, tolerance: float, max_iterations: int) -> Solution:
    """Solve A x = b for a symmetric A that is positive on the span of the right-hand sides.

    From zero, so that a singular consistent system gives the minimum-norm solution. Columns are independent: linearly dependent ones do no
    harm, zero ones cost nothing. p·Ap ≤ 0 ends a column with status `NEGATIVE_CURVATURE`.

    Source: Hestenes and Stiefel, doi:10.6028/jres.049.044.
    """
    return _solved(operator, b, tolerance, max_iterations, _unchanged)


def preconditioned_conjugate_gradient(operator: Operator, b: jax.Array, tolerance: float, max_iterations: int) -> Solution:
    """The same, with the operator's preconditioner (`curvature/preconditioners.py`); without one it is the same."""
    return _solved(operator, b, tolerance, max_iterations, preconditioner(operator) or _unchanged)


def mixed_conjugate_gradient(operator: Operator, b: jax.Array, tolerance: float, max_iterations: int) -> Solution:
    """Sweeps in single precision within refinement in double precision, to the same residual as the others.

    Each sweep solves for the residual of the double-precision solution so far. What that leaves is the work of double-precision sweeps.

    Source: iterative refinement, Wilkinson, Rounding Errors in Algebraic Processes (1963).
    """
    product = lowered(operator)
    if product is None:
        return preconditioned_conjugate_gradient(operator, b, tolerance, max_iterations)
    judge, precondition = exact(operator), _in_single(preconditioner(operator) or _unchanged)
    goal = jnp.maximum(tolerance, FLOOR) * jnp.linalg.norm(b, axis=1)

    class Outer(NamedTuple):
        x: jax.Array
        r: jax.Array
        status: jax.Array
        gaining: jax.Array
        iteration: jax.Array
        count: jax.Array

    def sweep(s: Outer) -> Outer:
        size = jnp.linalg.norm(s.r, axis=1)
        going = s.gaining & (size > goal) & (s.status == CONVERGED)
        scaled = (s.r / jnp.where(size > 0, size, 1.0)[:, None]).astype(jnp.float32)
        inner = jnp.where(going, jnp.maximum(_INNER, 0.5 * goal / jnp.where(size > 0, size, 1.0)), 2.0).astype(jnp.float32)
        first = _start(jnp.zeros_like(scaled), scaled, s.status, inner, s.iteration, precondition)
        last = _sweep(first, product, precondition, inner, max_iterations)
        x = s.x + jnp.where(going, size, 0.0)[:, None] * last.x.astype(jnp.float64)
        r = b - judge(x)
        better = jnp.linalg.norm(r, axis=1) < 0.5 * size
        kept = better[:, None]
        return Outer(jnp.where(kept, x, s.x), jnp.where(kept, r, s.r), s.status, going & better, last.iteration, s.count + 1)

    def unfinished(s: Outer) -> jax.Array:
        left = s.gaining & (jnp.linalg.norm(s.r, axis=1) > goal)
        return jnp.any(left) & (s.count < _OUTER) & (s.iteration < max_iterations)

    none, zero = jnp.zeros(b.shape[0], dtype=jnp.int32) + CONVERGED, jnp.zeros((), dtype=jnp.int32)
    outer = jax.lax.while_loop(unfinished, sweep, Outer(jnp.zeros_like(b), b, none, none == CONVERGED, zero, zero))
    double = preconditioner(operator) or _unchanged
    # What single precision did not finish (a negative curvature there may be rounding, too) goes on in double precision.
    first = _sweep(_start(outer.x, outer.r, none, goal, outer.iteration, double), swept(operator), double, goal, max_iterations)
    return _solved(operator, b, tolerance, max_iterations, double, first)


def _in_single(precondition: Operator) -> Callable[[jax.Array], jax.Array]:
    return lambda r: precondition(r).astype(jnp.float32)


CG = Solver(
    name="cg",
    description="conjugate gradients, all right-hand sides at once; finds negative curvature",
    solve=conjugate_gradient,
    symmetric=True,
)
PCG = Solver(
    name="pcg",
    description="conjugate gradients, preconditioned by the average crystal or by long waves; for large systems",
    solve=preconditioned_conjugate_gradient,
    symmetric=True,
)
MIXED_CG = Solver(
    name="mixed-cg",
    description="conjugate gradients in single precision within refinement in double precision (--precision mixed)",
    solve=mixed_conjugate_gradient,
    symmetric=True,
)
