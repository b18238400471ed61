"""The answer of a fit: force field, parameters with their covariance, residuals, history and certificate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from md_sensitivity.analysis.differences import Difference
from md_sensitivity.fitting.levenberg_marquardt import Step
from md_sensitivity.fitting.targets import Goal
from md_sensitivity.forcefields import ForceField

CONVERGED, MAX_STEPS, STALLED, FAILED, INTERRUPTED = "converged", "max-steps", "stalled", "failed", "interrupted"


@dataclass(frozen=True, kw_only=True)
class FittedParameter:
    """One parameter of a fit, in the unit of the force-field file.

    Attributes:
        start, value: before and after.
        bounds: within which it could move.
        standard_deviation: from the covariance; None where there is none.
        reason: why there is none, or "".
        at_bound: whether it ended at a bound against which the targets press it.
        prior: standard deviation that held it to its start; None where nothing did.
    """

    name: str
    unit: str
    start: float
    value: float
    bounds: tuple[float, float]
    standard_deviation: float | None
    reason: str
    at_bound: bool
    prior: float | None


@dataclass(frozen=True, kw_only=True, eq=False)
class TargetResidual:
    """How well one target is met.

    Attributes:
        goal: the target.
        unit: of value and prediction.
        predicted: shape as the target's value.
        residual: √weight (predicted − value)/std, the same shape.
    """

    goal: Goal
    unit: str
    predicted: np.ndarray
    residual: np.ndarray

    @property
    def chi2(self) -> float:
        """Its share of χ²."""
        return float(np.sum(self.residual**2))


@dataclass(frozen=True, kw_only=True)
class SiteCertificate:
    """Evidence for the derivatives of one structure at the solution.

    Attributes:
        name: of the structure.
        relaxed: whether it was minimized.
        mode, solver: of the linear solves; "" for given geometries.
        relative_residual: largest of the linear solves; None where there are none.
        max_force: at the minimum [eV/Å]; None for given geometries.
        lowest_eigenvalue: of the Hessian at the minimum [eV/Å²].
        difference: a random direction over all parameters against re-minimized central differences.
    """

    name: str
    relaxed: bool
    mode: str
    solver: str
    relative_residual: float | None
    max_force: float | None
    lowest_eigenvalue: float | None
    difference: Difference | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Fit:
    """A finished fit.

    Attributes:
        status: "converged", "max-steps", "stalled", "failed" or "interrupted".
        message: what the status means here, and what to do.
        force_field: with the fitted values; what was not fitted is as it was, bit by bit.
        start: the force field the fit began with.
        parameters: those that were fitted, p of them, in ravel order.
        covariance: in the parameters' units, shape=(p, p); infinite on the diagonal of a parameter that the targets do not determine, NaN
            in its other entries and in those of a parameter at its bound.
        correlation: shape=(p, p), NaN where there is no covariance.
        targets: residual of each target, in their order.
        chi2: Σ weight ((predicted − value)/std)², priors included.
        degrees_of_freedom: residuals, priors included, minus the number of directions in parameter space that they determine.
        history: one row for each trial.
        undetermined: directions in parameter space that nothing determines, name → component of a unit vector in relative changes.
        certificate: evidence for the derivatives, one entry for each structure; empty where it was not asked for.
        notes: what a person should know.
    """

    status: str
    message: str
    force_field: ForceField
    start: ForceField
    parameters: tuple[FittedParameter, ...]
    covariance: np.ndarray
    correlation: np.ndarray
    targets: tuple[TargetResidual, ...]
    chi2: float | None
    degrees_of_freedom: int
    history: tuple[Step, ...]
    undetermined: tuple[dict[str, float], ...]
    certificate: tuple[SiteCertificate, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def steps(self) -> int:
        """Trials made."""
        return max(0, len(self.history) - 1)

    @property
    def passed(self) -> bool:
        """Whether nothing contradicts the derivatives, and no relaxed structure is a saddle."""
        return not any(
            (site.difference is not None and site.difference.failed) or (site.lowest_eigenvalue is not None and site.lowest_eigenvalue < 0)
            for site in self.certificate
        )
