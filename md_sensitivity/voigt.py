"""Matrices of shape=(3, 3): the order in which the six components of symmetric ones stand everywhere, and determinants."""

from __future__ import annotations

import jax
import jax.numpy as jnp

VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
"""Row and column of each component: xx yy zz yz xz xy."""
PLACES = ((0, 5, 4), (5, 1, 3), (4, 3, 2))
"""Where each of the nine entries of the matrix stands among the six."""


def determinant(matrix: jax.Array) -> jax.Array:
    """Determinant of a matrix of shape=(3, 3), as a polynomial, which has derivatives of every order."""
    return jnp.dot(matrix[0], jnp.cross(matrix[1], matrix[2]))
