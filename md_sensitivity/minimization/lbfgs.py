"""Limited-memory BFGS with γ-scaled initial Hessian and clipped steps.

The two-loop recursion runs on inner products, so that a step reads the history twice: once for the products of the newest vectors
with all, once for the combination that is the direction.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from md_sensitivity.minimization.base import NOISE, Method, Problem, State, clipped

_HISTORY = 10
_FIRST_MOVE = 0.1
"""Length of the first step, as a fraction of the cap: nothing is known yet of the curvature."""


class _Memory(NamedTuple):
    """History of m moves s and changes y of the gradient, in slots that are written in turn.

    Attributes:
        s, y: shape=(m, d).
        sy, yy: sᵢ·yⱼ and yᵢ·yⱼ, shape=(m, m).
        sg, yg: sᵢ·g and yᵢ·g, shape=(m,).
        count: pairs that count, the last ones written.
        slot: the next to be written.
        shrink: factor by which refused steps have shortened the next.
        my: M y, shape=(m, d), and `mg` M g, shape=(d,), with a metric M for H⁻¹; `y` and g themselves where there is none.
    """

    s: jax.Array
    y: jax.Array
    sy: jax.Array
    yy: jax.Array
    sg: jax.Array
    yg: jax.Array
    count: jax.Array
    slot: jax.Array
    shrink: jax.Array
    my: jax.Array | None = None
    mg: jax.Array | None = None


def start(problem: Problem, x: jax.Array, gradient: jax.Array) -> _Memory:
    """An empty history."""
    zeros, square, row = jnp.zeros((_HISTORY, x.size)), jnp.zeros((_HISTORY, _HISTORY)), jnp.zeros(_HISTORY)
    none = jnp.zeros((), dtype=jnp.int32)
    plain = _Memory(zeros, zeros, square, square, row, row, none, none, jnp.ones(()))
    return plain if problem.metric is None else plain._replace(my=zeros, mg=problem.metric(gradient))


def _direction(memory: _Memory, gradient: jax.Array, cap: jax.Array) -> jax.Array:
    """−H̃⁻¹ g. Source: Nocedal, doi:10.2307/2006193; on inner products: Chen, Wang and Zhou, NIPS 27 (2014)."""
    ages = jnp.arange(_HISTORY)
    order = (memory.slot - 1 - ages) % _HISTORY  # newest first
    valid = ages < memory.count
    sy, yy = memory.sy[order][:, order], memory.yy[order][:, order]
    sg, yg = memory.sg[order], memory.yg[order]
    rho = jnp.where(valid, 1.0 / jnp.where(valid, jnp.diagonal(sy), 1.0), 0.0)
    # q = g − Σ αⱼ yⱼ, then γ q + Σ (αᵢ − βᵢ) sᵢ.
    alpha = jnp.zeros(_HISTORY)
    for k in range(_HISTORY):
        alpha = alpha.at[k].set(rho[k] * (sg[k] - jnp.dot(sy[k], alpha)))
    largest = jnp.max(jnp.abs(gradient))
    first = jnp.asarray(1.0) if memory.mg is not None else _FIRST_MOVE * cap / jnp.where(largest > 0, largest, 1.0)
    gamma = jnp.where(memory.count > 0, sy[0, 0] / jnp.where(yy[0, 0] > 0, yy[0, 0], 1.0), first)
    weight = jnp.zeros(_HISTORY)
    for k in reversed(range(_HISTORY)):
        beta = rho[k] * (gamma * (yg[k] - jnp.dot(yy[k], alpha)) + jnp.dot(sy[:, k], weight))
        weight = weight.at[k].set(jnp.where(valid[k], alpha[k] - beta, 0.0))
    back = jnp.argsort(order)
    y, g = (memory.y, gradient) if memory.my is None or memory.mg is None else (memory.my, memory.mg)
    return -(gamma * g + weight[back] @ memory.s - (gamma * alpha[back]) @ y)


def step(problem: Problem, state: State) -> State:
    """One trial step; refused steps shorten the next one, and forget the history when that does not help."""
    memory: _Memory = state.memory
    direction = _direction(memory, state.gradient, problem.cap)
    downhill = jnp.vdot(direction, state.gradient) < 0
    direction = jnp.where(downhill, direction, -state.gradient if memory.mg is None else -memory.mg)
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
    shrink = jnp.where(accepted, 1.0, 0.3 * memory.shrink)
    forget = ~useful & (shrink < 0.01) & (memory.count > 0)
    found = jnp.where(accepted, gradient, state.gradient)
    written = _written(problem, memory, move, y, found, useful)
    return State(
        x=jnp.where(accepted, x, state.x),
        energy=jnp.where(accepted, energy, state.energy),
        gradient=found,
        steps=state.steps + 1,
        evaluations=state.evaluations + 1,
        products=state.products,
        moved=jnp.where(accepted, jnp.max(jnp.abs(move)) / memory.shrink, state.moved),
        stalled=~accepted & (shrink < 1e-10),
        memory=written._replace(
            count=jnp.where(forget, 0, written.count), shrink=jnp.where(useful | forget, 1.0, shrink)
        ),
    )


def _written(
    problem: Problem, memory: _Memory, move: jax.Array, y: jax.Array, gradient: jax.Array, useful: jax.Array
) -> _Memory:
    """The history with the newest pair in its slot, where it is useful, and the inner products of all with the gradient."""
    slot = memory.slot
    s_all = memory.s.at[slot].set(jnp.where(useful, move, memory.s[slot]))
    y_all = memory.y.at[slot].set(jnp.where(useful, y, memory.y[slot]))
    newest = jnp.stack([gradient, s_all[slot], y_all[slot]], axis=1)
    my = mg = None
    weighed = y_all
    if problem.metric is not None and memory.my is not None and memory.mg is not None:
        mg = problem.metric(gradient)
        change = mg - memory.mg     # a useful step is an accepted one
        my = weighed = memory.my.at[slot].set(jnp.where(useful, change, memory.my[slot]))
    with_s, with_y = s_all @ newest, weighed @ newest
    sy = memory.sy.at[slot].set(y_all @ s_all[slot]).at[:, slot].set(with_s[:, 2])
    yy = memory.yy.at[slot].set(with_y[:, 2]).at[:, slot].set(with_y[:, 2])
    one = useful.astype(jnp.int32)
    return _Memory(
        s=s_all,
        y=y_all,
        sy=sy,
        yy=yy,
        sg=with_s[:, 0],
        yg=with_y[:, 0],
        count=jnp.minimum(memory.count + one, _HISTORY),
        slot=(slot + one) % _HISTORY,
        shrink=memory.shrink,
        my=my,
        mg=mg,
    )


LBFGS = Method(
    name="lbfgs", description="limited-memory BFGS, γ-scaled, with clipped steps", start=start, step=step, takes_metric=True
)
