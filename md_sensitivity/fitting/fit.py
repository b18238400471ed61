"""Fit force-field parameters to targets: the whole of it on one screen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from md_sensitivity.errors import ComputationError, ConvergenceError
from md_sensitivity.fitting.certificate import certificates
from md_sensitivity.fitting.covariance import named, spread
from md_sensitivity.fitting.levenberg_marquardt import Rejected, Solution, levenberg_marquardt
from md_sensitivity.fitting.problem import Place, Problem, Report, difference, jacobian, prediction, problem_of, residuals
from md_sensitivity.fitting.result import CONVERGED, FAILED, INTERRUPTED, Fit, FittedParameter, TargetResidual
from md_sensitivity.fitting.targets import Target, checked
from md_sensitivity.forcefields import ForceField


def fit(
    targets: Sequence[Target],
    force_field: ForceField,
    *,
    parameters: Sequence[str] = (),
    priors: bool = True,
    fmax: float = 1e-8,
    max_steps: int = 50,
    tolerance: float = 1e-9,
    dimensions: int = 3,
    check: bool = True,
    seed: int = 0,
    throw: bool = True,
    report: Report = lambda stage: None,
    checkpoint: Callable[[Fit], None] = lambda fit: None,
) -> Fit:
    """Choose the parameters that minimize χ² = Σ weight ((predicted − value)/std)² + Σ ((θ − θ₀)/std)² over targets and priors.

    Levenberg and Marquardt's method with exact Jacobians: those of relaxed structures by the implicit function theorem, one minimization
    and one set of linear solves for all targets of a structure. Each trial starts from the last accepted minimum, moved to first order.

    Args:
        targets: what should come out.
        force_field: where to start, with the bounds and standard deviations of its parameters.
        parameters: patterns as of `-p`; default: every free parameter that acts on a target.
        priors: whether parameters with a standard deviation are held to their start by it.
        fmax: largest force component at the minima [eV/Å].
        max_steps: largest number of trials.
        tolerance: converged where the next step would change no parameter by more than this share of its start.
        dimensions: 3, or 2 to freeze z.
        check: whether to compare derivatives at the solution with re-minimized differences, once for each structure.
        seed: of the direction of that check.
        throw: raise unless the fit converged; otherwise its `status` says what it is.
        report: called with a phrase at each stage.
        checkpoint: called with the fit so far, of status "interrupted", after each accepted step.

    Returns:
        The fit.

    Raises:
        UsageError: where a target or pattern makes no sense, or nothing is left to fit.
        InputError: where force field and a structure do not fit.
        ComputationError: where a structure has no minimum at the start.
        ConvergenceError: where the fit did not converge.
    """
    goals = [checked(target) for target in targets]
    problem = problem_of(goals, force_field, patterns=parameters, priors=priors, fmax=fmax, dimensions=dimensions)
    try:
        solution = levenberg_marquardt(
            lambda theta, before: residuals(problem, theta, before, report),
            lambda theta, point: jacobian(problem, point.state, report),
            problem.start,
            bounds=problem.bounds,
            scales=problem.scales,
            tolerance=tolerance,
            max_steps=max_steps,
            watch=lambda so_far: checkpoint(_result(problem, so_far, INTERRUPTED, "ended before it converged")),
        )
    except (ComputationError, Rejected) as error:
        if throw:
            raise ComputationError(str(error)) from None
        return _failed(problem, str(error))
    result = _result(problem, solution, solution.status, solution.message)
    if check:
        result = replace(result, certificate=certificates(problem, solution.point.state, seed=seed, report=report))
    if throw and result.status != CONVERGED:
        raise ConvergenceError(f"the fit did not converge: {result.message}")
    return result


def _result(problem: Problem, solution: Solution, status: str, message: str) -> Fit:
    """The solution in the words of the user."""
    theta, place = solution.theta, solution.point.state
    found = spread(theta, solution.point.residuals, solution.jacobian, *problem.bounds, problem.scales)
    deviations = np.sqrt(np.where(np.isfinite(np.diag(found.covariance)), np.diag(found.covariance), 0.0))
    parameters = tuple(
        FittedParameter(
            name=row.name,
            unit=row.unit,
            start=row.value,
            value=float(theta[k]),
            bounds=row.bounds,
            standard_deviation=None if found.reasons[k] else float(deviations[k]),
            reason=found.reasons[k],
            at_bound=bool(found.at_bound[k]),
            prior=float(problem.priors[k]) if np.isfinite(problem.priors[k]) else None,
        )
        for k, row in enumerate(problem.rows)
    )
    return Fit(
        status=status,
        message=message,
        force_field=replace(problem.fitted(theta), path="", sha256=""),
        start=problem.force_field,
        parameters=parameters,
        covariance=found.covariance,
        correlation=found.correlation,
        targets=tuple(map(partial(_target, problem, place), range(len(problem.goals)))),
        chi2=float(solution.point.residuals @ solution.point.residuals),
        degrees_of_freedom=len(solution.point.residuals) - found.rank,
        history=solution.history,
        undetermined=named(found.undetermined, [row.name for row in problem.rows]),
        notes=problem.notes,
    )


def _target(problem: Problem, place: Place, number: int) -> TargetResidual:
    goal = problem.goals[number]
    predicted = prediction(problem, place, number)
    site, request, _ = problem.places[number][0]
    return TargetResidual(
        goal=goal,
        unit=place.settled[site].bound[request].unit,
        predicted=predicted.reshape(goal.shape),
        residual=(goal.slope * difference(goal, predicted)).reshape(goal.shape),
    )


def _failed(problem: Problem, message: str) -> Fit:
    """What is left where the start cannot be evaluated."""
    nothing = np.full((len(problem.indices),) * 2, np.nan)
    parameters = tuple(
        FittedParameter(
            name=row.name,
            unit=row.unit,
            start=row.value,
            value=row.value,
            bounds=row.bounds,
            standard_deviation=None,
            reason="the fit failed",
            at_bound=False,
            prior=None,
        )
        for row in problem.rows
    )
    return Fit(
        status=FAILED,
        message=message,
        force_field=replace(problem.force_field, path="", sha256=""),
        start=problem.force_field,
        parameters=parameters,
        covariance=nothing,
        correlation=nothing,
        targets=(),
        chi2=None,
        degrees_of_freedom=0,
        history=(),
        undetermined=(),
        notes=problem.notes,
    )
