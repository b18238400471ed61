"""A finished fit as plain data: what `fit.json` holds (docs/reference.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from md_sensitivity.analysis.document import provenance_info
from md_sensitivity.analysis.result import ForceFieldInfo, ProvenanceInfo
from md_sensitivity.fitting.result import CONVERGED, Fit, FittedParameter, SiteCertificate, TargetResidual

SCHEMA = "md-sensitivity/fit/1"

Values = float | list[float | list[float]]


class FittedInfo(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    unit: str
    start: float
    value: float
    bounds: list[float | None]
    """Lowest and highest value; null where there is none."""
    standard_deviation: float | None
    reason: str
    """Why there is no standard deviation, or ""."""
    at_bound: bool
    prior: float | None
    """Standard deviation that holds it to its start; null where nothing does."""


class TargetInfo(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    structure: str
    path: str
    sha256: str
    observable: str
    relaxed: bool
    unit: str
    value: Values
    predicted: Values
    std: Values
    weight: float
    residual: Values
    """√weight (predicted − value)/std."""
    chi2: float
    relative_to: str | None
    factor: float | None


class StepInfo(msgspec.Struct, frozen=True, kw_only=True):
    step: int
    cost: float | None
    damping: float
    length: float
    gradient: float
    gain: float | None
    accepted: bool
    reason: str


class CheckInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One random direction over all parameters: derivatives against differences of rebuilt energies, re-minimized where relaxed."""

    relative_error: float | None
    own_error: float | None
    reason: str


class SiteInfo(msgspec.Struct, frozen=True, kw_only=True):
    structure: str
    relaxed: bool
    mode: str
    solver: str
    relative_residual: float | None
    max_force: float | None
    lowest_eigenvalue: float | None
    finite_difference: CheckInfo | None


class FitCertificate(msgspec.Struct, frozen=True, kw_only=True):
    structures: list[SiteInfo]
    passed: bool


class FitTimings(msgspec.Struct, frozen=True, kw_only=True):
    total_s: float


class FitDocument(msgspec.Struct, frozen=True, kw_only=True):
    """Content of `fit.json`."""

    schema: str = SCHEMA
    status: str
    message: str
    study: str
    force_field: ForceFieldInfo
    """The one that the fit started from."""
    parameters: list[FittedInfo]
    covariance: list[list[float | None]]
    """In the parameters' units; null where there is none, with the reason in `parameters`."""
    correlation: list[list[float | None]]
    undetermined: list[dict[str, float]]
    targets: list[TargetInfo]
    chi2: float | None
    degrees_of_freedom: int
    history: list[StepInfo]
    certificate: FitCertificate | None
    notes: list[str]
    timings: FitTimings
    provenance: ProvenanceInfo


def fit_document(fit: Fit, *, study: str, seconds: float, options: Mapping[str, Any]) -> FitDocument:
    """The fit as a document."""
    start = fit.start
    certificate = FitCertificate(structures=[_site(site) for site in fit.certificate], passed=fit.passed and fit.status == CONVERGED)
    return FitDocument(
        status=fit.status,
        message=fit.message,
        study=study,
        force_field=ForceFieldInfo(path=start.path, sha256=start.sha256, name=start.name, units=start.units.name),
        parameters=[_parameter(parameter) for parameter in fit.parameters],
        covariance=_matrix(fit.covariance),
        correlation=_matrix(fit.correlation),
        undetermined=list(fit.undetermined),
        targets=[_target(target) for target in fit.targets],
        chi2=fit.chi2,
        degrees_of_freedom=fit.degrees_of_freedom,
        history=[
            StepInfo(
                step=step.number,
                cost=step.cost,
                damping=step.damping,
                length=step.length,
                gradient=step.gradient,
                gain=step.gain,
                accepted=step.accepted,
                reason=step.reason,
            )
            for step in fit.history
        ],
        certificate=certificate if fit.certificate else None,
        notes=list(fit.notes),
        timings=FitTimings(total_s=seconds),
        provenance=provenance_info(options),
    )


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _matrix(matrix: np.ndarray) -> list[list[float | None]]:
    return [[_finite(value) for value in row] for row in matrix]


def _parameter(parameter: FittedParameter) -> FittedInfo:
    return FittedInfo(
        name=parameter.name,
        unit=parameter.unit,
        start=parameter.start,
        value=parameter.value,
        bounds=[_finite(end) for end in parameter.bounds],
        standard_deviation=parameter.standard_deviation,
        reason=parameter.reason,
        at_bound=parameter.at_bound,
        prior=parameter.prior,
    )


def _target(found: TargetResidual) -> TargetInfo:
    goal = found.goal
    target = goal.target
    return TargetInfo(
        name=target.title,
        structure=target.structure.name,
        path=target.structure.path,
        sha256=target.structure.sha256,
        observable=goal.asked.name,
        relaxed=target.relaxed,
        unit=found.unit,
        value=goal.value.reshape(goal.shape).tolist(),
        predicted=found.predicted.tolist(),
        std=goal.std.reshape(goal.shape).tolist(),
        weight=float(target.weight),
        residual=found.residual.tolist(),
        chi2=found.chi2,
        relative_to=None if target.relative_to is None else target.relative_to.name,
        factor=None if target.relative_to is None else float(target.factor),
    )


def _site(site: SiteCertificate) -> SiteInfo:
    difference = site.difference
    check = None
    if difference is not None:
        check = CheckInfo(relative_error=difference.relative_error, own_error=difference.own_error, reason=difference.reason)
    return SiteInfo(
        structure=site.name,
        relaxed=site.relaxed,
        mode=site.mode,
        solver=site.solver,
        relative_residual=site.relative_residual,
        max_force=site.max_force,
        lowest_eigenvalue=site.lowest_eigenvalue,
        finite_difference=check,
    )
