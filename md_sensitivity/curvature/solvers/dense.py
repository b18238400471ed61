"""Pseudo-inverse through all eigenvalues, for small systems."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from md_sensitivity.curvature.solvers.base import CONVERGED, Operator, Solution, Solver, judged

RELATIVE_ZERO = 1e-10
"""Eigenvalues smaller than this fraction of the largest are zero: float64 tells no more."""


_CHUNK = 8
"""Products with unit vectors that are made together."""


def matrix_rows(operator: Operator, coordinates: jax.Array, count: jax.Array | int) -> jax.Array:
    """Rows of the symmetric matrix of an operator, from products with unit vectors.

    Args:
        coordinates: which rows, shape=(d,).
        count: how many of them are wanted, the first ones; the others cost nothing and are zero or left over from the last chunk.

    Returns:
        shape=(d, d).
    """
    size = coordinates.size
    padded = jnp.pad(coordinates, (0, -size % _CHUNK), constant_values=size)

    def chunk(k: int, rows: jax.Array) -> jax.Array:
        units = jax.nn.one_hot(jax.lax.dynamic_slice(padded, (k * _CHUNK,), (_CHUNK,)), size)
        return jax.lax.dynamic_update_slice(rows, jax.vmap(operator)(units), (k * _CHUNK, jnp.zeros_like(k)))

    rows = jax.lax.fori_loop(0, (count + _CHUNK - 1) // _CHUNK, chunk, jnp.zeros((padded.size, size)))
    return rows[:size]


def dense_matrix(operator: Operator, size: int) -> jax.Array:
    """The symmetric matrix of an operator, shape=(d, d)."""
    rows = matrix_rows(operator, jnp.arange(size), size)
    return 0.5 * (rows + rows.T)


def pseudo_inverse(eigenvalues: jax.Array) -> jax.Array:
    """Reciprocal eigenvalues, zero where they are zero."""
    cutoff = RELATIVE_ZERO * jnp.max(jnp.abs(eigenvalues), initial=0.0)
    zero = jnp.abs(eigenvalues) <= cutoff
    return jnp.where(zero, 0.0, 1.0 / jnp.where(zero, 1.0, eigenvalues))


def eigen_solve(eigenvalues: jax.Array, eigenvectors: jax.Array, b: jax.Array) -> jax.Array:
    """H⁺ b for right-hand sides of shape=(p, d)."""
    return ((b @ eigenvectors) * pseudo_inverse(eigenvalues)) @ eigenvectors.T


def dense(operator: Operator, b: jax.Array, tolerance: float, max_iterations: int) -> Solution:
    """Solve A x = b for a symmetric A through its eigenvalues, with one step of refinement."""
    eigenvalues, eigenvectors = jnp.linalg.eigh(dense_matrix(operator, b.shape[1]))
    value = eigen_solve(eigenvalues, eigenvectors, b)
    value = value + eigen_solve(eigenvalues, eigenvectors, b - jax.vmap(operator)(value))
    status = jnp.full(b.shape[0], CONVERGED, dtype=jnp.int32)
    return judged(operator, b, value, jnp.ones((), dtype=jnp.int32), status, tolerance)


DENSE = Solver(
    name="dense",
    description="pseudo-inverse from all eigenvalues, for up to about a thousand coordinates",
    solve=dense,
    symmetric=True,
)
