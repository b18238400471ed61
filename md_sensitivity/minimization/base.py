"""What a minimizer is: a way to make one step. The one loop that steps, stops and judges is in `loop.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

Memory = Any
"""What a minimizer remembers between steps, a pytree."""


class Problem(NamedTuple):
    """The function to minimize, of flat vectors of shape=(d,).

    Attributes:
        value_and_gradient: x → (E, ∂E/∂x).
        hessian: x → operator v → P H(x) P v.
        cap: largest move of one coordinate in one step [Å]; the energy is valid within it.
        metric: v → an approximation of H⁻¹ v, the same as long as a method goes on; None where there is none.
    """

    value_and_gradient: Callable[[jax.Array], tuple[jax.Array, jax.Array]]
    hessian: Callable[[jax.Array], Callable[[jax.Array], jax.Array]]
    cap: jax.Array
    metric: Callable[[jax.Array], jax.Array] | None = None


class State(NamedTuple):
    """Where a minimization stands.

    Attributes:
        x, energy, gradient: accepted point, flat.
        steps, evaluations, products: counts of steps, of energies with gradients, and of Hessian products.
        moved: largest move of a coordinate in the last accepted step [Å]; infinite before the first.
        stalled: whether no step improves any more.
    """

    x: jax.Array
    energy: jax.Array
    gradient: jax.Array
    steps: jax.Array
    evaluations: jax.Array
    products: jax.Array
    moved: jax.Array
    stalled: jax.Array
    memory: Memory


@dataclass(frozen=True, kw_only=True)
class Method:
    """One way to step downhill.

    Attributes:
        start: (problem, x, gradient) → memory.
        step: (problem, state) → state; counts itself.
        takes_metric: whether it makes use of a metric.
    """

    name: str
    description: str
    start: Callable[[Problem, jax.Array, jax.Array], Memory]
    step: Callable[[Problem, State], State]
    takes_metric: bool = False


@dataclass(frozen=True, kw_only=True)
class Minimizer:
    """One or several methods, the next taking over where the one before is close to a minimum."""

    name: str
    description: str
    stages: tuple[Method, ...]


NOISE = 1e-13
"""Relative change of an energy that is no more than rounding."""


def clipped(move: jax.Array, cap: jax.Array) -> jax.Array:
    """The move, shortened so that no coordinate moves farther than `cap`."""
    largest = jnp.max(jnp.abs(move))
    return move * jnp.minimum(1.0, cap / jnp.where(largest > 0, largest, 1.0))
