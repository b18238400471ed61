"""Newton–CG: truncated conjugate gradients for the step, then a line search."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from md_sensitivity.minimization.base import NOISE, Method, Problem, State, clipped

_FORCING = 1e-3
"""Relative residual at which the linear solve stops: each step then gains about three digits."""
_MAX_CG = 2000
_TRIALS = 10


class _Krylov(NamedTuple):
    p: jax.Array
    r: jax.Array
    d: jax.Array
    rr: jax.Array
    iteration: jax.Array
    negative: jax.Array


class _Search(NamedTuple):
    x: jax.Array
    energy: jax.Array
    gradient: jax.Array
    scale: jax.Array
    accepted: jax.Array
    trials: jax.Array


def start(problem: Problem, x: jax.Array, gradient: jax.Array) -> tuple[()]:
    """Newton's method remembers nothing."""
    return ()


def _newton_direction(problem: Problem, state: State) -> tuple[jax.Array, jax.Array]:
    """−H⁻¹ g from truncated CG, and the number of Hessian products; steepest descent where the curvature is negative at once."""
    product = problem.hessian(state.x)
    gg = jnp.vdot(state.gradient, state.gradient)
    steepest = -state.gradient * problem.cap / jnp.max(jnp.abs(state.gradient))

    def going(k: _Krylov) -> jax.Array:
        return (k.rr > _FORCING**2 * gg) & ~k.negative & (k.iteration < _MAX_CG)

    def iterate(k: _Krylov) -> _Krylov:
        hd = product(k.d)
        curvature = jnp.vdot(k.d, hd)
        negative = ~(curvature > 0)
        alpha = jnp.where(negative, 0.0, k.rr / jnp.where(negative, 1.0, curvature))
        # At once negative: go along −g as far as the cap allows; the line search judges.
        fallback = negative & (k.iteration == 0)
        p = jnp.where(fallback, steepest, k.p + alpha * k.d)
        r = k.r - alpha * hd
        rr = jnp.vdot(r, r)
        return _Krylov(p, r, r + rr / jnp.where(k.rr > 0, k.rr, 1.0) * k.d, rr, k.iteration + 1, negative)

    first = _Krylov(
        jnp.zeros_like(state.x), -state.gradient, -state.gradient, gg, jnp.zeros((), dtype=jnp.int32), jnp.asarray(False)
    )
    last = jax.lax.while_loop(going, iterate, first)
    return last.p, last.iteration


def step(problem: Problem, state: State) -> State:
    """One Newton step with backtracking; stalls where no step lowers the energy or, at rounding, the gradient."""
    direction, products = _newton_direction(problem, state)
    direction = clipped(direction, problem.cap)
    slope = jnp.vdot(direction, state.gradient)
    gg = jnp.vdot(state.gradient, state.gradient)

    def attempt(s: _Search) -> _Search:
        x = state.x + s.scale * direction
        energy, gradient = problem.value_and_gradient(x)
        lower = energy <= state.energy + 1e-4 * s.scale * slope
        same = jnp.abs(energy - state.energy) <= NOISE * jnp.abs(state.energy)
        accepted = jnp.isfinite(energy) & (lower | same) & (lower & ~same | (jnp.vdot(gradient, gradient) < gg))
        return _Search(x, energy, gradient, jnp.where(accepted, s.scale, 0.3 * s.scale), accepted, s.trials + 1)

    first = _Search(state.x, state.energy, state.gradient, jnp.ones(()), jnp.asarray(False), jnp.zeros((), dtype=jnp.int32))
    found = jax.lax.while_loop(lambda s: ~s.accepted & (s.trials < _TRIALS), attempt, first)
    return State(
        x=jnp.where(found.accepted, found.x, state.x),
        energy=jnp.where(found.accepted, found.energy, state.energy),
        gradient=jnp.where(found.accepted, found.gradient, state.gradient),
        steps=state.steps + 1,
        evaluations=state.evaluations + found.trials,
        products=state.products + products,
        moved=jnp.where(found.accepted, jnp.max(jnp.abs(found.scale * direction)), state.moved),
        stalled=~found.accepted,
        memory=(),
    )


NEWTON = Method(name="newton", description="Newton steps by truncated conjugate gradients, with a line search", start=start, step=step)
