"""Conjugate gradients for many right-hand sides at once, each with its own step lengths and status."""

from __future__ import annotations

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
    swept,
)

_REFINEMENTS = 3
"""Restarts from the recomputed residual, where rounding made the recurrence drift from it."""


class _State(NamedTuple):
    x: jax.Array
    r: jax.Array
    p: jax.Array
    rr: jax.Array
    best: jax.Array
    since: jax.Array
    status: jax.Array
    active: jax.Array
    iteration: jax.Array


def conjugate_gradient(operator: Operator, b: jax.Array, tolerance: float, max_iterations: int) -> Solution:
    """Solve A x = b for a symmetric A that is positive on the span of the right-hand sides.

    From zero, so that a singular consistent system gives the minimum-norm solution. Columns are independent: linearly dependent ones do no
    harm, zero ones cost nothing. p·Ap ≤ 0 ends a column with status `NEGATIVE_CURVATURE`.

    Source: Hestenes and Stiefel, doi:10.6028/jres.049.044.
    """
    product, judge = swept(operator), exact(operator)
    goal = jnp.maximum(tolerance, FLOOR) * jnp.linalg.norm(b, axis=1)

    def start(x: jax.Array, r: jax.Array, status: jax.Array, iteration: jax.Array) -> _State:
        rr = jnp.sum(r * r, axis=1)
        active = (jnp.sqrt(rr) > goal) & (status != NEGATIVE_CURVATURE)
        return _State(x, r, r, rr, rr, jnp.zeros(rr.shape, dtype=jnp.int32), status, active, iteration)

    def step(s: _State) -> _State:
        ap = product(s.p)
        curvature = jnp.sum(s.p * ap, axis=1)
        negative = s.active & ~(curvature > 0)
        moving = s.active & ~negative
        alpha = jnp.where(moving, s.rr / jnp.where(moving, curvature, 1.0), 0.0)
        x = s.x + alpha[:, None] * s.p
        r = s.r - alpha[:, None] * ap
        rr = jnp.where(moving, jnp.sum(r * r, axis=1), s.rr)
        beta = jnp.where(moving, rr / jnp.where(s.rr > 0, s.rr, 1.0), 0.0)
        p = jnp.where(moving[:, None], r + beta[:, None] * s.p, s.p)
        since = jnp.where(rr < 0.99 * s.best, 0, s.since + 1)
        tired = moving & (since > PATIENCE)
        done = jnp.sqrt(rr) <= goal
        status = jnp.where(negative, NEGATIVE_CURVATURE, jnp.where(tired, STAGNATED, s.status))
        return _State(x, r, p, rr, jnp.minimum(s.best, rr), since, status, moving & ~done & ~tired, s.iteration + 1)

    def sweep(s: _State) -> _State:
        return jax.lax.while_loop(lambda s: jnp.any(s.active) & (s.iteration < max_iterations), step, s)

    def error(x: jax.Array) -> jax.Array:
        return jnp.linalg.norm(b - judge(x), axis=1)

    def refine(carry: tuple[_State, jax.Array]) -> tuple[_State, jax.Array]:
        s, count = carry
        finer = sweep(start(s.x, b - judge(s.x), s.status, s.iteration))
        # Restarted from rounding errors, a sweep may lead astray; its negative curvatures are then noise as well.
        better = error(finer.x) < error(s.x)
        x = jnp.where(better[:, None], finer.x, s.x)
        return finer._replace(x=x, status=s.status, active=jnp.zeros_like(s.active)), count + 1

    def unfinished(carry: tuple[_State, jax.Array]) -> jax.Array:
        s, count = carry
        drifted = (error(s.x) > goal) & (s.status == CONVERGED)
        return (count < _REFINEMENTS) & jnp.any(drifted) & (s.iteration < max_iterations)

    zero = jnp.zeros(b.shape[0], dtype=jnp.int32)
    first = sweep(start(jnp.zeros_like(b), b, zero + CONVERGED, jnp.zeros((), dtype=jnp.int32)))
    last, _ = jax.lax.while_loop(unfinished, refine, (first, jnp.zeros((), dtype=jnp.int32)))
    status = jnp.where(last.active, MAX_ITERATIONS, last.status)
    return judged(operator, b, last.x, last.iteration, status, tolerance)


CG = Solver(
    name="cg",
    description="conjugate gradients, all right-hand sides at once; finds negative curvature",
    solve=conjugate_gradient,
    symmetric=True,
)
