"""Fit force-field parameters to targets: the whole of it on one screen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from md_sensitivity.errors import ComputationError, ConvergenceError
from md_sensitivity.fitting.certificate import certificates
from md_sensitivity.fitting.covariance import named, spread
from md_sensitivity.fitting.levenberg_marquardt import MAX_STEPS, Point, Rejected, Solution, Step, half_square, levenberg_marquardt
from md_sensitivity.fitting.problem import Place, Problem, Report, difference, jacobian, prediction, problem_of, residuals, unmoved
from md_sensitivity.fitting.result import CONVERGED, FAILED, INTERRUPTED, Fit, FittedParameter, TargetResidual
from md_sensitivity.fitting.targets import Target, checked
from md_sensitivity.forcefields import ForceField

_PASSES = 4
"""How often structures are minimized again from where they are given, to see whether that leads to the minima that were followed."""
_ROUGH = 1e-3
"""Tolerance of the fit before the first such look."""
_AGAIN = "minimized again from the structures as given: another minimum, which is better"
_SAME = 1e-3
"""Residuals, in standard deviations, that differ by less belong to the same minima."""


def fit(
    targets: Sequence[Target],
    force_field: ForceField,
    *,
    parameters: Sequence[str] | str = (),
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
        parameters: patterns as of `-p`, or one; default: every free parameter that acts on a target.
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
    parameters = (parameters,) if isinstance(parameters, str) else parameters  # not its letters, of which `*` alone means all
    problem = problem_of(goals, force_field, patterns=parameters, priors=priors, fmax=fmax, dimensions=dimensions)
    method = _Method(problem=problem, tolerance=tolerance, max_steps=max_steps, report=report, checkpoint=checkpoint)
    try:
        solution, notes = _solved(method)
    except (ComputationError, Rejected) as error:
        if throw:
            raise ComputationError(str(error)) from None
        return _failed(problem, str(error))
    result = _result(problem, solution, solution.status, solution.message)
    result = replace(result, notes=(*result.notes, *notes))
    if check:
        result = replace(result, certificate=certificates(problem, solution.point.state, seed=seed, report=report))
    if throw and result.status != CONVERGED:
        raise ConvergenceError(f"the fit did not converge: {result.message}")
    return result


@dataclass(frozen=True, kw_only=True)
class _Method:
    """How a problem is solved."""

    problem: Problem
    tolerance: float
    max_steps: int
    report: Report
    checkpoint: Callable[[Fit], None]

    def fresh(self, theta: np.ndarray) -> Point:
        """Residuals with every structure minimized from where it is given."""
        return residuals(self.problem, theta, None, self.report)


def _solved(method: _Method) -> tuple[Solution, tuple[str, ...]]:
    """The solution that holds when structures are minimized from where they are given, as everybody else will do; and notes.

    Minima are followed through the fit. Where a structure as given leads to another minimum than the one that was followed, the fit goes
    on from there if that is better; otherwise a note says so. The first look comes early, before the wrong minimum is fitted to the end.
    """
    problem = method.problem
    start, rough = problem.start, max(method.tolerance, _ROUGH)
    solution = _pass(method, start, method.fresh(start), rough, ())
    for _ in range(_PASSES):
        if solution.status == MAX_STEPS:
            return solution, ()
        try:
            fresh = method.fresh(solution.theta)
        except (ComputationError, Rejected) as error:
            return solution, (f"minimized from the structures as given, the fitted force field fails: {error}",)
        followed, again = half_square(solution.point.residuals), half_square(fresh.residuals)
        same = float(np.linalg.norm(fresh.residuals - solution.point.residuals)) <= _SAME * max(1.0, float(np.sqrt(2.0 * followed)))
        if not same and again >= followed:
            solution = _pass(method, solution.theta, solution.point, method.tolerance, solution.history) if rough else solution
            text = f"a structure as given relaxes to another minimum than the one that was followed (chi2 {2 * again:.4g} against"
            return solution, (f"{text} {2 * followed:.4g}); start from a structure that is closer to the wanted one",)
        if same and not rough:
            return solution, ()
        point = solution.point if same else fresh
        rough = 0.0
        solution = _pass(method, solution.theta, point, method.tolerance, solution.history, again=not same)
    return solution, ()


def _pass(
    method: _Method, start: np.ndarray, first: Point, tolerance: float, earlier: tuple[Step, ...], *, again: bool = False
) -> Solution:
    """Levenberg and Marquardt's method; `earlier` history stands first, and its trials count."""
    problem, report = method.problem, method.report
    done = earlier[-1].number if earlier else 0

    def joined(solution: Solution) -> Solution:
        return replace(solution, history=_joined(earlier, solution.history, again))

    return joined(
        levenberg_marquardt(
            lambda theta, before: residuals(problem, theta, before, report),
            lambda theta, point: jacobian(problem, point.state, report),
            start,
            bounds=problem.bounds,
            scales=problem.scales,
            tolerance=tolerance,
            max_steps=max(1, method.max_steps - done),
            first=first,
            watch=lambda so_far: method.checkpoint(_result(problem, joined(so_far), INTERRUPTED, "ended before it converged")),
        )
    )


def _joined(earlier: tuple[Step, ...], later: tuple[Step, ...], again: bool) -> tuple[Step, ...]:
    """One history, trials numbered through; the first row of `later` is new only where structures were minimized again."""
    if not earlier:
        return later
    if not again:
        shift, rows = earlier[-1].number, later[1:]
    else:
        shift, rows = earlier[-1].number + 1, (replace(later[0], reason=_AGAIN), *later[1:])
    return (*earlier, *(replace(step, number=step.number + shift) for step in rows))


def _result(problem: Problem, solution: Solution, status: str, message: str) -> Fit:
    """The solution in the words of the user."""
    theta, place = solution.theta, solution.point.state
    idle = unmoved(problem, place, solution.jacobian)
    notes = (f"no fitted parameter changes these targets, which say nothing about them: {', '.join(idle[:5])}",) if idle else ()
    found = spread(theta, solution.point.residuals, solution.jacobian, *problem.bounds, problem.scales)
    deviations = np.sqrt(np.where(np.isfinite(np.diag(found.covariance)), np.diag(found.covariance), 0.0))
    parameters = tuple(
        _parameter(problem, k, float(theta[k]), found.reasons[k], float(deviations[k]), at_bound=bool(found.at_bound[k]))
        for k in range(len(theta))
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
        notes=(*problem.notes, *notes),
    )


def _parameter(
    problem: Problem, k: int, value: float, reason: str, deviation: float | None = None, *, at_bound: bool = False
) -> FittedParameter:
    """The k-th fitted parameter; where there is a reason why it has no standard deviation, it has none."""
    row, prior = problem.rows[k], float(problem.priors[k])
    return FittedParameter(
        name=row.name,
        unit=row.unit,
        start=row.value,
        value=value,
        bounds=row.bounds,
        standard_deviation=None if reason else deviation,
        reason=reason,
        at_bound=at_bound,
        prior=prior if np.isfinite(prior) else None,
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
    return Fit(
        status=FAILED,
        message=message,
        force_field=replace(problem.force_field, path="", sha256=""),
        start=problem.force_field,
        parameters=tuple(_parameter(problem, k, value, "the fit failed") for k, value in enumerate(problem.start.tolist())),
        covariance=nothing,
        correlation=nothing,
        targets=(),
        chi2=None,
        degrees_of_freedom=0,
        history=(),
        undetermined=(),
        notes=problem.notes,
    )
