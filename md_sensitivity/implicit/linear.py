"""Linear solvers for pytrees, as the implicit rules want them injected."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from md_sensitivity.curvature.solvers import SOLVERS, STATUS_TEXT
from md_sensitivity.errors import ConvergenceError

PyTree = Any
LinearSolve = Callable[[Callable[[PyTree], PyTree], PyTree], PyTree]
"""(operator, right-hand side) → solution, trees of one structure."""

ACCEPTABLE = 1e-6
"""Largest relative residual that a derivative may have; beyond it there is an error or, in traced code, NaN."""


def linear_solver(name: str = "gmres", *, tolerance: float = 1e-12, max_iterations: int = 5000) -> LinearSolve:
    """A solver of `SOLVERS` for trees.

    Args:
        name: in the table of solvers; "gmres" and "bicgstab" work for any operator, the others for symmetric ones.
        tolerance: relative residual at which it stops.
        max_iterations: its limit.

    Returns:
        solve(operator, b). Where the recomputed residual stays above `ACCEPTABLE` it raises ConvergenceError, or gives NaN in traced
        code, which cannot raise: never a number that looks right.
    """
    solver = SOLVERS.find(name)

    def solve(operator: Callable[[PyTree], PyTree], b: PyTree) -> PyTree:
        flat, unravel = ravel_pytree(b)

        def product(v: jax.Array) -> jax.Array:
            return ravel_pytree(operator(unravel(v)))[0]

        solution = solver.solve(product, flat[None], tolerance, max_iterations)
        residual = solution.residual[0]
        if not isinstance(residual, jax.core.Tracer) and not bool(residual <= ACCEPTABLE):
            raise ConvergenceError(
                f"the linear solver {name} {STATUS_TEXT[int(solution.status[0])]} (relative residual {float(residual):.3g})"
            )
        return unravel(jnp.where(residual <= ACCEPTABLE, solution.value[0], jnp.nan))

    return solve
