"""BiCGSTAB and GMRES of jax.scipy, with the residual recomputed: those report neither iterations nor failure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy.sparse import linalg

from md_sensitivity.curvature.solvers.base import MAX_ITERATIONS, Operator, Solution, Solver, judged

_RESTART = 60
"""Length of GMRES's Krylov space before a restart."""


def _columns(operator: Operator, b: jax.Array, tolerance: float, max_iterations: int, method: Callable[..., Any]) -> Solution:
    products = jnp.zeros((), dtype=jnp.int32) + max_iterations

    def one(column: jax.Array) -> jax.Array:
        value = method(operator, column)[0]
        # A breakdown gives NaN or infinity; such a column is reported as unsolved, with zero in its place.
        return jnp.where(jnp.all(jnp.isfinite(value)), value, jnp.zeros_like(value))

    value = jax.lax.map(one, b)
    status = jnp.full(b.shape[0], MAX_ITERATIONS, dtype=jnp.int32)
    return judged(operator, b, value, products, status, tolerance)


def bicgstab(operator: Operator, b: jax.Array, tolerance: float, max_iterations: int) -> Solution:
    """Solve A x = b for any A. Iterations are reported as the limit. Source: van der Vorst, doi:10.1137/0913035."""
    return _columns(
        operator, b, tolerance, max_iterations, lambda a, c: linalg.bicgstab(a, c, tol=tolerance, maxiter=max_iterations)
    )


def gmres(operator: Operator, b: jax.Array, tolerance: float, max_iterations: int) -> Solution:
    """Solve A x = b for any A, restarted. Iterations are reported as the limit. Source: Saad and Schultz, doi:10.1137/0907058."""
    restart = min(_RESTART, b.shape[1], max(1, max_iterations))
    cycles = max(1, max_iterations // restart)
    return _columns(
        operator,
        b,
        tolerance,
        cycles * restart,
        lambda a, c: linalg.gmres(a, c, tol=tolerance, restart=restart, maxiter=cycles, solve_method="incremental"),
    )


BICGSTAB = Solver(
    name="bicgstab", description="stabilized bi-conjugate gradients, for any operator", solve=bicgstab, symmetric=False
)
GMRES = Solver(name="gmres", description="generalized minimal residual, restarted, for any operator", solve=gmres, symmetric=False)
