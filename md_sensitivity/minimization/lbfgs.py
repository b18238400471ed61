"""Limited-memory BFGS with γ-scaled initial Hessian and clipped steps."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from md_sensitivity.minimization.base import NOISE, Method, Problem, State, clipped

_HISTORY = 16
_FIRST_MOVE = 0.1
"""Length of the first step, as a fraction of the cap: nothing is known yet of the curvature."""


class _Memory(NamedTuple):
    s: jax.Array
    y: jax.Array
    rho: jax.Array
    count: jax.Array
    shrink: jax.Array


def start(problem: Problem, x: jax.Array, gradient: jax.Array) -> _Memory:
    """An empty history."""
    zeros = jnp.zeros((_HISTORY, x.size))
    return _Memory(zeros, zeros, jnp.zeros(_HISTORY), jnp.zeros((), dtype=jnp.int32), jnp.ones(()))


def _direction(memory: _Memory, gradient: jax.Array, cap: jax.Array) -> jax.Array:
    """−H̃⁻¹ g by the two-loop recursion; pairs stand with the newest last. Source: Nocedal, doi:10.2307/2006193."""
    valid = jnp.arange(_HISTORY) >= _HISTORY - memory.count

    def backward(i: int, carry: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        q, alphas = carry
        k = _HISTORY - 1 - i
        alpha = jnp.where(valid[k], memory.rho[k] * jnp.vdot(memory.s[k], q), 0.0)
        return q - alpha * memory.y[k], alphas.at[k].set(alpha)

    q, alphas = jax.lax.fori_loop(0, _HISTORY, backward, (gradient, jnp.zeros(_HISTORY)))
    newest = memory.y[-1]
    yy = jnp.vdot(newest, newest)
    largest = jnp.max(jnp.abs(gradient))
    first = _FIRST_MOVE * cap / jnp.where(largest > 0, largest, 1.0)
    gamma = jnp.where(memory.count > 0, jnp.vdot(memory.s[-1], newest) / jnp.where(yy > 0, yy, 1.0), first)
    q = gamma * q

    def forward(k: int, q: jax.Array) -> jax.Array:
        beta = jnp.where(valid[k], memory.rho[k] * jnp.vdot(memory.y[k], q), 0.0)
        return q + memory.s[k] * (alphas[k] - beta)

    return -jax.lax.fori_loop(0, _HISTORY, forward, q)


def step(problem: Problem, state: State) -> State:
    """One trial step; refused steps shorten the next one, and forget the history when that does not help."""
    memory: _Memory = state.memory
    direction = _direction(memory, state.gradient, problem.cap)
    downhill = jnp.vdot(direction, state.gradient) < 0
    direction = jnp.where(downhill, direction, -state.gradient)
    move = memory.shrink * clipped(direction, problem.cap)
    x = state.x + move
    energy, gradient = problem.value_and_gradient(x)
    slope = jnp.vdot(move, state.gradient)
    lower = energy <= state.energy + 1e-4 * slope
    # Where the change of energy drowns in rounding, a smaller gradient decides.
    same = jnp.abs(energy - state.energy) <= NOISE * jnp.abs(state.energy)
    accepted = jnp.isfinite(energy) & (lower | (same & (jnp.vdot(gradient, gradient) < jnp.vdot(state.gradient, state.gradient))))
    y = gradient - state.gradient
    sy = jnp.vdot(move, y)
    useful = accepted & (sy > 1e-12 * jnp.linalg.norm(move) * jnp.linalg.norm(y))
    pushed = _Memory(
        s=jnp.roll(memory.s, -1, axis=0).at[-1].set(move),
        y=jnp.roll(memory.y, -1, axis=0).at[-1].set(y),
        rho=jnp.roll(memory.rho, -1).at[-1].set(1.0 / jnp.where(useful, sy, 1.0)),
        count=jnp.minimum(memory.count + 1, _HISTORY),
        shrink=jnp.ones(()),
    )
    shrink = jnp.where(accepted, 1.0, 0.3 * memory.shrink)
    forget = (shrink < 0.01) & (memory.count > 0)
    kept = memory._replace(count=jnp.where(forget, 0, memory.count), shrink=jnp.where(forget, 1.0, shrink))
    return State(
        x=jnp.where(accepted, x, state.x),
        energy=jnp.where(accepted, energy, state.energy),
        gradient=jnp.where(accepted, gradient, state.gradient),
        steps=state.steps + 1,
        evaluations=state.evaluations + 1,
        products=state.products,
        moved=jnp.where(accepted, jnp.max(jnp.abs(move)) / memory.shrink, state.moved),
        stalled=~accepted & (kept.shrink < 1e-10),
        memory=jax.tree.map(lambda a, b: jnp.where(useful, a, b), pushed, kept),
    )


LBFGS = Method(name="lbfgs", description="limited-memory BFGS, γ-scaled, with clipped steps", start=start, step=step)
