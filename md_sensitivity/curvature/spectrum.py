"""The lower end of the Hessian's spectrum: is the stationary point a minimum, and how stiff is its softest mode."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import numpy as np

from md_sensitivity.compilation import program
from md_sensitivity.curvature.lanczos import Report, lowest_eigenvalue
from md_sensitivity.curvature.lobpcg import preconditioned_lowest_eigenvalue
from md_sensitivity.curvature.products import flat_hessian, flat_projector, unflattened
from md_sensitivity.curvature.solvers.dense import RELATIVE_ZERO, matrix_rows
from md_sensitivity.curvature.zero_modes import ZeroModes
from md_sensitivity.energy import Energy, PyTree
from md_sensitivity.neighbors import on_device

DENSE_LIMIT = 1056
"""Largest number of coordinates for which all eigenvalues are computed."""
STIFF_LIMIT = 2400
"""The same where curvatures differ by orders of magnitude, so that iterations take long."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Spectrum:
    """What is known of the eigenvalues of P H P, rigid and frozen motions left out.

    Attributes:
        lowest: smallest nonzero eigenvalue, the most negative if any [eV/Å²]; None where all modes are zero modes.
        largest: largest eigenvalue, or an estimate of it [eV/Å²].
        mode: unit eigenvector of the lowest one, a tree like x; None where there is none, and where a large system is stable by "lanczos".
        floppy: zero modes beyond the rigid ones: motions that cost no energy to second order; at least so many where not all
            eigenvalues are computed.
        eigenvalues, eigenvectors: all of them, shape=(d,) and (d, d), for small systems; rigid motions have eigenvalue 0. Those of mobile
            coordinates come first, rising; what is left are zeros.
        method: "dense", "lanczos" or, where curvatures differ by orders of magnitude, "lobpcg".
        converged: whether the eigenvalue was found to its tolerance.
        bound: an eigenvalue lies within this distance of `lowest` [eV/Å²].
        products: Hessian products that it took.
    """

    lowest: float | None
    largest: float
    mode: PyTree | None
    floppy: int
    eigenvalues: np.ndarray | None = None
    eigenvectors: jax.Array | None = None
    method: str
    converged: bool = True
    bound: float = 0.0
    products: int = 0

    @property
    def stable(self) -> bool:
        """Whether no eigenvalue is negative."""
        return self.lowest is None or self.lowest > 0


def dense_limit(energy: Energy) -> int:
    """Largest number of coordinates for which all eigenvalues of an energy's Hessian are computed."""
    return STIFF_LIMIT if energy.stiff else DENSE_LIMIT


def spectrum(
    energy: Energy, x: PyTree, theta: PyTree, modes: ZeroModes | None, rigid: int, *, seed: int = 0, report: Report | None = None
) -> Spectrum:
    """Lowest nonzero eigenvalue of the Hessian at x, with its mode.

    Args:
        modes: rigid zero modes at x.
        rigid: their number.
        seed: of the vectors with which iterations start.
        report: told how much of it is done, roughly.
    """
    mobile = np.concatenate([np.asarray(leaf).ravel() for leaf in jax.tree.leaves(energy.mobility(x))]) > 0.5
    if mobile.sum() - rigid <= 0:
        return Spectrum(lowest=None, largest=0.0, mode=None, floppy=0, method="dense")
    if mobile.size <= dense_limit(energy):
        return _dense(energy, x, theta, modes, mobile, rigid)
    return _iterated(energy, x, theta, modes, mobile.size, seed, report)


def _narrow(energy: Energy, x: PyTree, theta: PyTree, size: int) -> Energy:
    """The energy at x alone where it is large, so that its Hessian can be stored, from which rows are quicker to get."""
    return energy if size <= DENSE_LIMIT else energy.narrowed(x, theta)


@program
def _rows(
    energy: Energy, x: PyTree, theta: PyTree, modes: ZeroModes | None, coordinates: jax.Array, count: jax.Array
) -> jax.Array:
    """Rows of P H P for the first `count` of the given coordinates, shape=(d, d)."""
    project = flat_projector(modes, energy, x)
    stored = energy.assembled(x, theta) if coordinates.size > DENSE_LIMIT else None
    if stored is None:
        return matrix_rows(flat_hessian(energy, x, theta, project), coordinates, count)
    return matrix_rows(lambda v: project(stored.unpack(stored.product(stored.pack(project(v)[None])))[0]), coordinates, count)


def _dense(energy: Energy, x: PyTree, theta: PyTree, modes: ZeroModes | None, mobile: np.ndarray, rigid: int) -> Spectrum:
    """All eigenvalues of the part of P H P that belongs to mobile coordinates; frozen ones, and padding, cost nothing."""
    free = np.flatnonzero(mobile)
    m, size = len(free), len(mobile)
    order = np.concatenate([free, np.flatnonzero(~mobile)])
    matrix = np.asarray(_rows(_narrow(energy, x, theta, size), x, theta, modes, order, np.int32(m)))[:m][:, free]
    if not np.all(np.isfinite(matrix)):  # a curvature that does not exist, as where contacts close with an infinite one
        return Spectrum(lowest=None, largest=0.0, mode=None, floppy=0, method="dense", converged=False)
    values, modes_found = np.linalg.eigh(0.5 * (matrix + matrix.T))
    eigenvalues, vectors = np.zeros(size), np.zeros((size, size))
    eigenvalues[:m], vectors[free, :m] = values, modes_found
    largest = float(np.abs(values).max())
    nonzero = np.abs(values) > RELATIVE_ZERO * largest
    first = int(np.flatnonzero(nonzero)[0]) if nonzero.any() else None
    return Spectrum(
        lowest=None if first is None else float(values[first]),
        largest=largest,
        mode=None if first is None else unflattened(x, vectors[:, first]),
        floppy=max(0, int((~nonzero).sum()) - rigid),
        eigenvalues=eigenvalues,
        eigenvectors=on_device(vectors),
        method="dense",
    )


def _iterated(
    energy: Energy, x: PyTree, theta: PyTree, modes: ZeroModes | None, size: int, seed: int, report: Report | None = None
) -> Spectrum:
    # Filled row by row, so that what pads a structure leaves the numbers of its atoms as they are.
    start = np.random.default_rng(seed).normal(size=(2, size))
    found = preconditioned_lowest_eigenvalue(energy, x, theta, modes, start, report) if energy.stiff else None
    method = "lobpcg"
    if found is None:
        found, method = lowest_eigenvalue(energy, x, theta, modes, start[0], report), "lanczos"
    return Spectrum(
        lowest=found.value,
        largest=found.largest,
        mode=None if found.vector is None else unflattened(x, found.vector),
        floppy=int(found.zeros),
        method=method,
        converged=found.converged,
        bound=found.bound,
        products=found.products,
    )
