"""MINRES: smallest residual for symmetric, possibly indefinite or singular, A."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from md_sensitivity.curvature.solvers.base import (
    CONVERGED,
    FLOOR,
    MAX_ITERATIONS,
    PATIENCE,
    STAGNATED,
    Operator,
    Solution,
    Solver,
    judged,
)


class _State(NamedTuple):
    x: jax.Array
    v_old: jax.Array
    v: jax.Array
    w_old: jax.Array
    w: jax.Array
    beta: jax.Array
    c_old: jax.Array
    c: jax.Array
    s_old: jax.Array
    s: jax.Array
    eta: jax.Array
    residual: jax.Array
    best: jax.Array
    since: jax.Array
    iteration: jax.Array


def minimal_residual(operator: Operator, b: jax.Array, tolerance: float, max_iterations: int) -> Solution:
    """Solve A x = b for a symmetric A, definite or not; on a singular consistent system the minimum-norm solution.

    Source: Paige and Saunders, doi:10.1137/0712047.
    """
    value, iterations, status = jax.vmap(lambda column: _one(operator, column, tolerance, max_iterations))(b)
    return judged(operator, b, value, jnp.max(iterations), status, tolerance)


def _one(operator: Operator, b: jax.Array, tolerance: float, max_iterations: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    size = jnp.linalg.norm(b)
    zero, one = jnp.zeros_like(b), jnp.ones_like(size)
    start = _State(
        x=zero, v_old=zero, v=b / jnp.where(size > 0, size, 1.0), w_old=zero, w=zero, beta=size, c_old=one, c=one,
        s_old=0 * one, s=0 * one, eta=size, residual=size, best=size,
        since=jnp.zeros((), dtype=jnp.int32), iteration=jnp.zeros((), dtype=jnp.int32),
    )  # fmt: skip
    tiny = 1e-14
    goal = jnp.maximum(tolerance, FLOOR) * size

    def going(s: _State) -> jax.Array:
        # β ≈ 0 means that the Krylov space is exhausted: nothing better exists.
        more = (s.residual > goal) & (s.iteration < max_iterations)
        return more & (s.beta > tiny * size * 1e-2) & (s.since <= PATIENCE)

    def step(s: _State) -> _State:
        av = operator(s.v)
        alpha = jnp.vdot(s.v, av)
        beta = jnp.where(s.iteration > 0, s.beta, 0.0)
        following = av - alpha * s.v - beta * s.v_old
        beta_next = jnp.linalg.norm(following)
        delta = s.c * alpha - s.c_old * s.s * beta
        rho1 = jnp.sqrt(delta**2 + beta_next**2)
        rho2 = s.s * alpha + s.c_old * s.c * beta
        rho3 = s.s_old * beta
        rho1 = jnp.where(rho1 > 0, rho1, 1.0)
        c, sine = delta / rho1, beta_next / rho1
        w = (s.v - rho3 * s.w_old - rho2 * s.w) / rho1
        x = s.x + c * s.eta * w
        residual = jnp.abs(sine) * s.residual
        progress = residual < 0.99 * s.best
        return _State(
            x=x, v_old=s.v, v=following / jnp.where(beta_next > 0, beta_next, 1.0), w_old=s.w, w=w, beta=beta_next, c_old=s.c, c=c,
            s_old=s.s, s=sine, eta=-sine * s.eta, residual=residual, best=jnp.where(progress, residual, s.best),
            since=jnp.where(progress, 0, s.since + 1), iteration=s.iteration + 1,
        )  # fmt: skip

    last = jax.lax.while_loop(going, step, start)
    status = jnp.where(
        last.residual <= goal, CONVERGED, jnp.where(last.iteration >= max_iterations, MAX_ITERATIONS, STAGNATED)
    )
    return last.x, last.iteration, status


MINRES = Solver(
    name="minres",
    description="minimal residual: symmetric, also indefinite (saddle points)",
    solve=minimal_residual,
    symmetric=True,
)
