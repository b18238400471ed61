"""The lowest eigenvalue of P H P where a preconditioner is known: a few vectors, each followed along conjugate directions.

Locally optimal block preconditioned conjugate gradients. Source: Knyazev, doi:10.1137/S1064827500366124. The vectors start at random and
go for the lowest modes; that each of them lacks a mode to the end is not to be expected.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np

from md_sensitivity.compilation import program
from md_sensitivity.curvature.lanczos import TOLERANCE, Lowest, Report, largest_eigenvalue
from md_sensitivity.curvature.operators import choose_hessian, hessian_operator
from md_sensitivity.curvature.preconditioners import Preconditioner, choose_preconditioner
from md_sensitivity.curvature.solvers.dense import RELATIVE_ZERO
from md_sensitivity.curvature.zero_modes import ZeroModes
from md_sensitivity.energy import Assembled, Energy, PyTree

MAX_ITERATIONS = 1000
"""Iterations after which what has been found is said not to have converged."""
_BLOCK = 2
"""Vectors; more take fewer iterations, and more products with H."""
_RENEWED = 25
"""Iterations after which products with H are made again; in between they are combinations of older ones."""
_PARALLEL = 1e-10
"""Length that is left of a unit vector without what others span, when it counts as one of them."""


def preconditioned_lowest_eigenvalue(
    energy: Energy, x: PyTree, theta: PyTree, modes: ZeroModes | None, start: np.ndarray, report: Report | None = None
) -> Lowest | None:
    """Lowest eigenvalue of P H P at x; None where it is zero, where nothing is finite, or where there is no preconditioner.

    Args:
        modes: rigid zero modes at x.
        start: random vectors, flat, shape=(2, d).
        report: told how much is done, as far as the residual tells.
    """
    stored, _, _ = choose_hessian(energy, x, theta)
    preconditioner, _ = choose_preconditioner(stored, energy, x, theta, 1)
    if stored is None or preconditioner is None:
        return None
    fixed = (energy, x, theta, modes, stored)
    largest, products = largest_eigenvalue(*fixed, start[0])
    # Columns: the vectors, and the direction in which each went.
    basis = np.linalg.qr(np.asarray(_begun(*fixed, start)).T)[0]
    image = np.zeros_like(basis)
    first = 0.0
    for iteration in range(MAX_ITERATIONS):
        if iteration % _RENEWED == 0:
            basis = np.linalg.qr(basis)[0]
            image = np.asarray(_times(*fixed, basis.T)).T
            products += basis.shape[1]
        if not np.all(np.isfinite(image)):
            return None
        vectors, values = basis[:, :_BLOCK], np.sum(basis[:, :_BLOCK] * image[:, :_BLOCK], axis=0)
        rest = image[:, :_BLOCK] - vectors * values
        value, residual = float(values[0]), float(np.linalg.norm(rest[:, 0]))
        first = first or residual
        if report is not None:
            report(_done(first, residual, TOLERANCE * abs(value)))
        if residual <= TOLERANCE * abs(value):
            break
        added = _beside(basis, np.asarray(_preconditioned(*fixed, preconditioner, rest.T)).T)
        if not added.shape[1]:
            break       # nothing is left to be found, as in a space that the vectors fill
        products += added.shape[1]
        basis = np.concatenate([basis, added], axis=1)
        image = np.concatenate([image, np.asarray(_times(*fixed, added.T)).T], axis=1)
        kept = _next(basis.T @ image)
        basis, image = basis @ kept, image @ kept
    if abs(value) <= RELATIVE_ZERO * largest:
        return None
    return Lowest(
        value=value,
        bound=residual,
        largest=largest,
        zeros=False,
        vector=np.asarray(stored.unpack(jnp.asarray(vectors[:, :1].T)))[0],
        converged=residual <= TOLERANCE * abs(value),
        products=products,
    )


def _beside(basis: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Orthonormal columns for what vectors have beside the columns of a basis; none for those that have nothing."""
    vectors = vectors[:, np.any(vectors, axis=0)]
    vectors = vectors / np.linalg.norm(vectors, axis=0)
    for _ in range(2):      # once leaves rounding of what was taken out
        vectors = vectors - basis @ (basis.T @ vectors)
    q, r = np.linalg.qr(vectors)
    return np.asarray(q[:, np.abs(np.diag(r)) > _PARALLEL])


def _next(matrix: np.ndarray) -> np.ndarray:
    """What to keep of a basis: the lowest Ritz vectors and, orthonormal to these, what they have of the directions that were added."""
    lowest = np.linalg.eigh(0.5 * (matrix + matrix.T))[1][:, :_BLOCK]
    went = lowest.copy()
    went[:_BLOCK] = 0.0
    return np.concatenate([lowest, _beside(lowest, went)], axis=1)


def _done(first: float, residual: float, tolerance: float) -> float | None:
    """Share of the way from the first residual to the tolerance, in powers of ten."""
    return min(1.0, max(0.0, math.log(first / residual) / math.log(first / tolerance))) if 0 < tolerance < first and residual > 0 else None


@program
def _begun(
    energy: Energy, x: PyTree, theta: PyTree, modes: ZeroModes | None, stored: Assembled, start: jax.Array
) -> jax.Array:
    """Start vectors without rigid motions, packed."""
    operator = hessian_operator(energy, x, theta, modes, stored)
    return operator.project(operator.pack(start))


@program
def _times(energy: Energy, x: PyTree, theta: PyTree, modes: ZeroModes | None, stored: Assembled, v: jax.Array) -> jax.Array:
    """P H P v of packed vectors."""
    return hessian_operator(energy, x, theta, modes, stored).exact(v)


@program
def _preconditioned(
    energy: Energy,
    x: PyTree,
    theta: PyTree,
    modes: ZeroModes | None,
    stored: Assembled,
    preconditioner: Preconditioner,
    v: jax.Array,
) -> jax.Array:
    """The approximation of H⁻¹ times packed vectors, without rigid motions."""
    return hessian_operator(energy, x, theta, modes, stored).project(preconditioner(v))
