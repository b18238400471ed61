"""What a linear solver takes and gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp

Operator = Callable[[jax.Array], jax.Array]
"""A linear map of one vector; it may know faster maps of several, `columns`, and of several without what is exactly zero, `exact`."""

CONVERGED, MAX_ITERATIONS, NEGATIVE_CURVATURE, STAGNATED = range(4)
STATUS_TEXT = (
    "converged",
    "ran out of iterations; allow more or loosen the tolerance",
    "met negative curvature: the point is no minimum",
    "stagnated above the tolerance: float64 gives no more for this condition number",
)


PATIENCE = 300
"""Iterations without any progress of the residual after which a right-hand side is given up."""
FLOOR = 1e-14
"""Relative residual below which recurrences run on without the answer getting better, and drift along zero modes."""


class Solution(NamedTuple):
    """Answer of a solver, with evidence.

    Attributes:
        value: one solution for each right-hand side, shape=(p, d).
        residual: ‖b − A x‖/‖b‖, recomputed from the answer, shape=(p,); 0 where b = 0.
        iterations: of the slowest right-hand side.
        status: an index into `STATUS_TEXT` for each right-hand side, shape=(p,).
    """

    value: jax.Array
    residual: jax.Array
    iterations: jax.Array
    status: jax.Array


Solve = Callable[[Operator, jax.Array, float, int], Solution]
"""(operator, right-hand sides of shape=(p, d), relative tolerance, largest number of iterations) → solution."""


@dataclass(frozen=True, kw_only=True)
class Solver:
    """A linear solver for A x = b, with A given as products.

    Attributes:
        solve: the function; pure and traceable.
        symmetric: whether A must be symmetric.
    """

    name: str
    description: str
    solve: Solve
    symmetric: bool


def swept(operator: Operator) -> Operator:
    """The map of several vectors that the sweeps of a solver use, shape=(p, d) → shape=(p, d)."""
    return getattr(operator, "columns", None) or jax.vmap(operator)


def exact(operator: Operator) -> Operator:
    """The map of several vectors by which residuals are judged."""
    return getattr(operator, "exact", None) or jax.vmap(operator)


def lowered(operator: Operator) -> Operator | None:
    """The map of several vectors in single precision, where there is one."""
    return getattr(operator, "lowered", None)


def preconditioner(operator: Operator) -> Operator | None:
    """A preconditioner of several vectors, where there is one."""
    return getattr(operator, "preconditioner", None)


def judged(operator: Operator, b: jax.Array, value: jax.Array, iterations: jax.Array, status: jax.Array, tolerance: float) -> Solution:
    """The solution with its residual recomputed; what claims to have converged, but has not, is called stagnated."""
    size = jnp.linalg.norm(b, axis=1)
    error = jnp.linalg.norm(b - exact(operator)(value), axis=1)
    # A right-hand side that is not finite is no zero one: its residual is NaN, and nothing has converged.
    residual = jnp.where(size == 0, 0.0, error / jnp.where(size == 0, 1.0, size))
    good = residual <= tolerance
    status = jnp.where(good, CONVERGED, jnp.where(status == CONVERGED, STAGNATED, status))
    return Solution(value=value, residual=residual, iterations=iterations, status=status)
