"""Newton–CG in a trust region: truncated conjugate gradients that stop at its boundary or at negative curvature."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from md_sensitivity.minimization.base import NOISE, Method, Problem, State, clipped

_LOOSE, _TIGHT = 0.3, 1e-3
"""Relative residual at which the linear solve stops: loosely far away, tightly where Newton's method converges quadratically."""
_MAX_CG = 1000
_SMALLEST = 1e-9
"""Trust radius, as a fraction of the first one, at which no step is left to try."""


class _Memory(NamedTuple):
    radius: jax.Array
    first: jax.Array
    forcing: jax.Array


class _Krylov(NamedTuple):
    p: jax.Array
    r: jax.Array
    d: jax.Array
    rr: jax.Array
    iteration: jax.Array
    outside: jax.Array


def start(problem: Problem, x: jax.Array, gradient: jax.Array) -> _Memory:
    """A trust region as large as all coordinates may move together."""
    radius = problem.cap * jnp.sqrt(float(x.size))
    return _Memory(radius, radius, jnp.asarray(_LOOSE))


def _trusted_direction(problem: Problem, state: State, radius: jax.Array, forcing: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Approximate −H⁻¹ g within the trust region, whether it ends at the boundary, and the number of Hessian products.

    Source: Steihaug, doi:10.1137/0720042.
    """
    product = problem.hessian(state.x)
    gg = jnp.vdot(state.gradient, state.gradient)

    def to_boundary(p: jax.Array, d: jax.Array) -> jax.Array:
        a, b, c = jnp.vdot(d, d), jnp.vdot(p, d), jnp.vdot(p, p) - radius**2
        return p + d * (-b + jnp.sqrt(jnp.maximum(b * b - a * c, 0.0))) / jnp.where(a > 0, a, 1.0)

    def going(k: _Krylov) -> jax.Array:
        return (k.rr > forcing**2 * gg) & ~k.outside & (k.iteration < _MAX_CG)

    def iterate(k: _Krylov) -> _Krylov:
        hd = product(k.d)
        curvature = jnp.vdot(k.d, hd)
        convex = curvature > 0
        alpha = jnp.where(convex, k.rr / jnp.where(convex, curvature, 1.0), 0.0)
        p = k.p + alpha * k.d
        outside = ~convex | (jnp.vdot(p, p) >= radius**2)
        r = k.r - alpha * hd
        rr = jnp.vdot(r, r)
        d = r + rr / jnp.where(k.rr > 0, k.rr, 1.0) * k.d
        return _Krylov(jnp.where(outside, to_boundary(k.p, k.d), p), r, d, rr, k.iteration + 1, outside)

    zero = jnp.zeros_like(state.x)
    first = _Krylov(zero, -state.gradient, -state.gradient, gg, jnp.zeros((), dtype=jnp.int32), jnp.asarray(False))
    last = jax.lax.while_loop(going, iterate, first)
    return last.p, last.outside, last.iteration


def step(problem: Problem, state: State) -> State:
    """One trial step; the trust region shrinks where the quadratic model failed and grows where it held."""
    memory: _Memory = state.memory
    direction, outside, products = _trusted_direction(problem, state, memory.radius, memory.forcing)
    move = clipped(direction, problem.cap)
    energy, gradient = problem.value_and_gradient(state.x + move)
    gg, after = jnp.vdot(state.gradient, state.gradient), jnp.vdot(gradient, gradient)
    # The trapezoidal rule gives the change of energy without the cancellation that the difference of two energies suffers.
    change = 0.5 * jnp.vdot(move, state.gradient + gradient)
    predicted = 0.5 * jnp.vdot(move, state.gradient)
    drowned = jnp.abs(energy - state.energy) <= NOISE * jnp.abs(state.energy)
    lower = jnp.where(drowned, (change < 0) & (after < gg), energy < state.energy)
    accepted = jnp.isfinite(energy) & lower
    good = jnp.where(drowned, change, energy - state.energy) / jnp.where(predicted < 0, predicted, -1.0)
    size = jnp.linalg.norm(move)
    radius = jnp.where(good < 0.25, 0.25 * jnp.minimum(size, memory.radius), memory.radius)
    radius = jnp.where((good > 0.5) & outside, jnp.minimum(2.0 * radius, memory.first), radius)
    # Quadratic convergence wants the linear solve as exact as the step is good (Eisenstat and Walker, doi:10.1137/0917003).
    gain = jnp.where(accepted, after / jnp.where(gg > 0, gg, 1.0), 1.0)
    return State(
        x=jnp.where(accepted, state.x + move, state.x),
        energy=jnp.where(accepted, energy, state.energy),
        gradient=jnp.where(accepted, gradient, state.gradient),
        steps=state.steps + 1,
        evaluations=state.evaluations + 1,
        products=state.products + products,
        moved=jnp.where(accepted, jnp.max(jnp.abs(move)), state.moved),
        stalled=~accepted & ((radius < _SMALLEST * memory.first) | drowned),
        memory=_Memory(radius, memory.first, jnp.clip(gain, _TIGHT, _LOOSE)),
    )


NEWTON = Method(
    name="newton", description="Newton steps by truncated conjugate gradients in a trust region", start=start, step=step
)
