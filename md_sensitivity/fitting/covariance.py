"""What the residuals at the solution say of the parameters: covariance, and directions that nothing determines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from md_sensitivity.fitting.levenberg_marquardt import RANK, column_norms, held

_PART = 1e-6
"""A parameter with a smaller component than this in all undetermined directions is determined."""


class Spread(NamedTuple):
    """Covariance of p parameters, as in `Fit`.

    Attributes:
        covariance, correlation: shape=(p, p).
        reasons: why a parameter has no standard deviation, or "".
        at_bound: shape=(p,).
        rank: number of directions that are determined.
        undetermined: rows are directions in relative changes, unit vectors, shape=(u, p).
    """

    covariance: np.ndarray
    correlation: np.ndarray
    reasons: tuple[str, ...]
    at_bound: np.ndarray
    rank: int
    undetermined: np.ndarray


def spread(
    theta: np.ndarray, residuals: np.ndarray, jacobian: np.ndarray, low: np.ndarray, high: np.ndarray, scales: np.ndarray
) -> Spread:
    """(JᵀJ)⁻¹ over the parameters that are free to move; the residuals are in standard deviations, which are taken at their word.

    Args:
        theta, low, high, scales: shape=(p,).
        residuals, jacobian: shapes (m,) and (m, p).
    """
    p = len(theta)
    bound = held(theta, jacobian.T @ residuals, low, high)
    free = np.flatnonzero(~bound)
    norms = column_norms(jacobian[:, free])
    _, sizes, vt = np.linalg.svd(jacobian[:, free] / norms, full_matrices=True)
    sizes = np.concatenate([sizes, np.zeros(len(free) - len(sizes))])
    known = sizes > RANK * max(float(sizes.max(initial=0.0)), 1e-300)
    inverse = (vt[known].T / sizes[known] ** 2) @ vt[known] / np.outer(norms, norms)
    lost = vt[~known] / (norms * scales[free])
    lost = _simplified(lost / np.linalg.norm(lost, axis=1, keepdims=True)) if len(lost) else lost
    involved = np.any(np.abs(lost) > _PART, axis=0) if len(lost) else np.zeros(len(free), dtype=bool)
    inverse[involved, :] = inverse[:, involved] = np.nan
    inverse[involved, involved] = np.inf
    covariance = np.full((p, p), np.nan)
    covariance[np.ix_(free, free)] = inverse
    variances = np.diag(covariance)
    usable = np.isfinite(variances) & (variances > 0)
    deviations = np.where(usable, np.sqrt(np.where(usable, variances, 1.0)), np.nan)
    undetermined = np.zeros((len(lost), p))
    undetermined[:, free] = lost
    uncertain = np.zeros(p, dtype=bool)
    uncertain[free] = involved
    reasons = tuple("at its bound" if b else "the targets do not determine it" if u else "" for b, u in zip(bound, uncertain, strict=True))
    correlation = covariance / np.outer(deviations, deviations)
    return Spread(covariance, correlation, reasons, bound, int(np.sum(known)), undetermined)


def _simplified(directions: np.ndarray) -> np.ndarray:
    """An equivalent basis that names as few parameters as possible: reduced row echelon form, rows of unit norm."""
    rows = directions.copy()
    done: list[int] = []
    for row in range(len(rows)):
        column = max((c for c in range(rows.shape[1]) if c not in done), key=lambda c: abs(rows[row, c]))
        done.append(column)
        rows[row] /= rows[row, column]
        for other in range(len(rows)):
            if other != row:
                rows[other] -= rows[other, column] * rows[row]
    rows[np.abs(rows) < _PART] = 0.0
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def named(directions: np.ndarray, names: Sequence[str]) -> tuple[dict[str, float], ...]:
    """Each direction as name → component, zero ones left out."""
    return tuple({name: float(v) for name, v in zip(names, row, strict=True) if v != 0} for row in directions)
