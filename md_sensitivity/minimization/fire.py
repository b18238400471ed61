"""FIRE: damped dynamics that restarts when it goes uphill."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from md_sensitivity.minimization.base import Method, Problem, State, clipped

_MIX, _MIX_DECAY, _GROW, _SHRINK, _DELAY = 0.25, 0.99, 1.1, 0.5, 20


class _Memory(NamedTuple):
    velocity: jax.Array
    dt: jax.Array
    longest: jax.Array
    mix: jax.Array
    downhill: jax.Array


def start(problem: Problem, x: jax.Array, gradient: jax.Array) -> _Memory:
    """Time steps from the curvature along the force, so that the units of energy and length do not matter (unit masses)."""
    size = jnp.linalg.norm(gradient)
    along = gradient / jnp.where(size > 0, size, 1.0)
    stiffness = jnp.abs(jnp.vdot(along, problem.hessian(x)(along)))
    period = 1.0 / jnp.sqrt(jnp.where(stiffness > 0, stiffness, 1.0))
    return _Memory(jnp.zeros_like(x), 0.2 * period, 1.5 * period, jnp.asarray(_MIX), jnp.zeros((), dtype=jnp.int32))


def step(problem: Problem, state: State) -> State:
    """One step of FIRE 2.0 (semi-implicit Euler). Sources: doi:10.1103/PhysRevLett.97.170201, doi:10.1016/j.commatsci.2020.109584."""
    m: _Memory = state.memory
    force = -state.gradient
    forward = jnp.vdot(force, m.velocity) > 0
    count = jnp.where(forward, m.downhill + 1, 0)
    patient = count > _DELAY
    dt = jnp.where(forward, jnp.where(patient, jnp.minimum(m.dt * _GROW, m.longest), m.dt), m.dt * _SHRINK)
    mix = jnp.where(forward, jnp.where(patient, m.mix * _MIX_DECAY, m.mix), _MIX)
    # Going uphill: half a step back, and a new start from rest.
    back = jnp.where(forward, 0.0, 0.5 * dt) * m.velocity
    velocity = jnp.where(forward, m.velocity, 0.0) + dt * force
    size = jnp.linalg.norm(force)
    aligned = (1.0 - mix) * velocity + mix * force * jnp.linalg.norm(velocity) / jnp.where(size > 0, size, 1.0)
    move = clipped(dt * aligned - back, problem.cap)
    x = state.x + move
    energy, gradient = problem.value_and_gradient(x)
    return State(
        x=x,
        energy=energy,
        gradient=gradient,
        steps=state.steps + 1,
        evaluations=state.evaluations + 1,
        products=state.products,
        moved=jnp.max(jnp.abs(move)),
        stalled=jnp.asarray(False),
        memory=_Memory(aligned, dt, m.longest, mix, count),
    )


FIRE = Method(name="fire", description="fast inertial relaxation engine (FIRE 2.0) with a cap on each step", start=start, step=step)
