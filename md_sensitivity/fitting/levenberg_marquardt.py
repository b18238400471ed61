"""Levenberg and Marquardt's method for ½‖r(θ)‖² within bounds: numpy only, nothing known of structures or force fields.

Steps solve the damped linear problem in parameters scaled by the column norms of the Jacobian, through its singular values, so that
directions that the data do not determine are left alone (minimum-norm). A parameter that would cross a bound is held there and the rest is
solved again; one that the gradient presses against its bound stays out of the step until the gradient turns. Damping follows the gain ratio
as in Nielsen, "Damping parameter in Marquardt's method", IMM-REP-1999-05.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

CONVERGED, MAX_STEPS, STALLED = "converged", "max-steps", "stalled"

FIRST_DAMPING, LEAST_DAMPING, MOST_DAMPING = 1e-3, 1e-15, 1e10
RANK = 1e-7
"""A singular value of the scaled Jacobian below this share of the largest belongs to a direction that the data do not determine."""
LEAST_GAIN = 1e-4
"""Gain ratio from which on a step is taken."""
NEGLIGIBLE = 1e-7
"""A column of the Jacobian below this share of the largest, both per natural change of their parameter, is taken as zero: minima are
no more exact than `fmax` and rounding allow, and the force that is left would pass for a response."""
_FLAT = 1e-15
"""A step that promises to lower the cost by a smaller share of it is none."""
_NOISE = 1e-9
"""A rejected step that promised to lower the cost by a smaller share of it failed by rounding, not by curvature."""

State = Any
"""What an evaluation wants to hand on to the next one and to the Jacobian."""


class Rejected(Exception):
    """A trial at which the residuals cannot be evaluated; the text says why. The step is shortened."""


class Point(NamedTuple):
    """Residuals, shape=(m,), at one place, and what came along with them."""

    residuals: np.ndarray
    state: State


@dataclass(frozen=True)
class Step:
    """One row of the history.

    Attributes:
        number: of the trial; 0 for the start.
        cost: ½‖r‖² at the trial; None where it could not be evaluated.
        damping: λ of the step.
        length: largest change of a parameter relative to its scale.
        gradient: largest component of Jᵀr over the column norms of J, of parameters that are free to move; at the place the step left.
        gain: actual over predicted decrease of the cost; None where there is none.
        accepted: whether the fit goes on from there.
        reason: why it was rejected, or "".
    """

    number: int
    cost: float | None
    damping: float
    length: float
    gradient: float
    gain: float | None
    accepted: bool
    reason: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Solution:
    """Where the method ended.

    Attributes:
        theta: shape=(p,).
        point: residuals and state there.
        jacobian: ∂r/∂θ there, shape=(m, p).
        history: one row for each trial.
        status: "converged", "max-steps" or "stalled".
        message: what it means here.
    """

    theta: np.ndarray
    point: Point
    jacobian: np.ndarray
    history: tuple[Step, ...]
    status: str
    message: str


def levenberg_marquardt(
    evaluate: Callable[[np.ndarray, State], Point],
    differentiate: Callable[[np.ndarray, Point], tuple[np.ndarray, State]],
    start: np.ndarray,
    *,
    bounds: tuple[np.ndarray, np.ndarray],
    scales: np.ndarray | None = None,
    tolerance: float = 1e-9,
    max_steps: int = 50,
    largest_step: float = 0.5,
    first: Point | None = None,
    watch: Callable[[Solution], None] = lambda solution: None,
) -> Solution:
    """Minimize ½‖r(θ)‖².

    Args:
        evaluate: (θ, state of the last accepted point or None) → residuals; raises Rejected where there are none.
        differentiate: (θ, point) → Jacobian of shape=(m, p), and the state that later evaluations are given; may raise Rejected too.
        start: shape=(p,), within the bounds.
        bounds: lowest and highest values, each of shape=(p,).
        scales: natural size of a change of each parameter, shape=(p,); default: |θ|, or 1 where it is zero.
        tolerance: converged where the undamped step changes no parameter by more than this share of its scale.
        max_steps: largest number of trials.
        largest_step: no parameter changes by more than this share of its scale in one step.
        first: residuals at the start, where they are known.
        watch: called after each accepted step with where it is.

    Raises:
        Rejected: where the start itself cannot be evaluated.
    """
    low, high = bounds
    scales = np.where(start != 0, np.abs(start), 1.0) if scales is None else scales
    theta = np.array(start, dtype=np.float64)
    point = evaluate(theta, None) if first is None else first
    jacobian, state = _differentiated(differentiate, theta, point, scales)
    history = [_first(theta, point, jacobian, low, high)]
    damping, growth = FIRST_DAMPING, 2.0

    def here(status: str, message: str) -> Solution:
        return Solution(
            theta=theta, point=Point(point.residuals, state), jacobian=jacobian, history=tuple(history), status=status, message=message
        )

    watch(here(MAX_STEPS, "under way"))
    for number in range(1, max_steps + 1):
        done = _finished(theta, point.residuals, jacobian, low, high, scales, tolerance)
        if done:
            return here(CONVERGED, done)
        if damping > MOST_DAMPING:
            break
        gradient = largest_gradient(theta, point.residuals, jacobian, low, high)
        step = bounded_step(theta, point.residuals, jacobian, low, high, damping)
        length = float(np.max(np.abs(step) / scales))
        if length > largest_step:
            step, length = step * (largest_step / length), largest_step
        cost, promised = half_square(point.residuals), _promised(point.residuals, jacobian, step)
        there = np.clip(theta + step, low, high)
        trial, reason = None, "the linear model sees no descent along the bounds"
        if promised > 0:
            trial, reason = _tried(evaluate, there, state)
        new_cost = None if trial is None else half_square(trial.residuals)
        gain = None if new_cost is None else (cost - new_cost) / promised
        fresh = None
        if trial is not None and gain is not None:
            if gain > LEAST_GAIN:
                fresh, reason = _tried_derivatives(differentiate, there, trial, scales)
            else:
                reason = "the cost does not fall"
        history.append(Step(number, new_cost, damping, length, gradient, gain, fresh is not None, reason))
        if trial is not None and gain is not None and fresh is not None:
            theta, point, (jacobian, state) = there, trial, fresh
            damping, growth = max(LEAST_DAMPING, damping * _shrink(gain)), 2.0
            watch(here(MAX_STEPS, "under way"))
        elif trial is not None and promised <= _NOISE * cost:
            return here(CONVERGED, f"the cost is at the level of rounding: a step promised to lower it by {promised / cost:.1g} of itself")
        else:
            # A trial that has no residuals says nothing about the model: the step is shortened at once, not by degrees.
            damping = damping * growth if trial is not None else max(damping, FIRST_DAMPING) * 10.0 * growth
            growth *= 2.0
    done = _finished(theta, point.residuals, jacobian, low, high, scales, tolerance)
    return here(CONVERGED, done) if done else here(*_unfinished(history, damping, max_steps))


def _unfinished(history: list[Step], damping: float, max_steps: int) -> tuple[str, str]:
    if damping > MOST_DAMPING:
        last = next((step.reason for step in reversed(history) if step.reason), "")
        return STALLED, f"no step, however short, lowers the cost any more ({last})"
    return MAX_STEPS, f"reached max_steps = {max_steps} before the parameters settled; allow more steps, or start from the fitted values"


def _tried(evaluate: Callable[[np.ndarray, State], Point], theta: np.ndarray, state: State) -> tuple[Point | None, str]:
    try:
        point = evaluate(theta, state)
    except Rejected as rejected:
        return None, str(rejected)
    return (point, "") if np.all(np.isfinite(point.residuals)) else (None, "a residual is not finite")


def _differentiated(
    differentiate: Callable[[np.ndarray, Point], tuple[np.ndarray, State]], theta: np.ndarray, point: Point, scales: np.ndarray
) -> tuple[np.ndarray, State]:
    """The Jacobian without columns that are nothing but rounding, and the state."""
    jacobian, state = differentiate(theta, point)
    sizes = np.linalg.norm(jacobian, axis=0) * scales
    return np.where(sizes > NEGLIGIBLE * sizes.max(initial=0.0), jacobian, 0.0), state


def _tried_derivatives(
    differentiate: Callable[[np.ndarray, Point], tuple[np.ndarray, State]], theta: np.ndarray, point: Point, scales: np.ndarray
) -> tuple[tuple[np.ndarray, State] | None, str]:
    try:
        return _differentiated(differentiate, theta, point, scales), ""
    except Rejected as rejected:
        return None, str(rejected)


def _first(theta: np.ndarray, point: Point, jacobian: np.ndarray, low: np.ndarray, high: np.ndarray) -> Step:
    gradient = largest_gradient(theta, point.residuals, jacobian, low, high)
    cost = half_square(point.residuals)
    return Step(0, cost, FIRST_DAMPING, 0.0, gradient, None, True)


def half_square(residuals: np.ndarray) -> float:
    """½‖r‖²."""
    return 0.5 * float(residuals @ residuals)


def _promised(residuals: np.ndarray, jacobian: np.ndarray, step: np.ndarray) -> float:
    """Decrease of the cost that the linear model predicts, without cancellation."""
    change = jacobian @ step
    return -float(change @ residuals) - 0.5 * float(change @ change)


def _shrink(gain: float) -> float:
    """Factor of the damping after a step with this gain ratio; an almost perfect step lowers it further than Nielsen's rule."""
    return 0.05 if 0.9 < gain < 1.1 else max(1.0 / 3.0, 1.0 - (2.0 * gain - 1.0) ** 3)


def held(theta: np.ndarray, gradient: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Which parameters are at a bound against which the gradient presses them, shape=(p,)."""
    return ((theta <= low) & (gradient > 0)) | ((theta >= high) & (gradient < 0))


def column_norms(jacobian: np.ndarray) -> np.ndarray:
    """Norm of each column, 1 where it is zero, shape=(p,)."""
    norms = np.linalg.norm(jacobian, axis=0)
    return np.where(norms > 0, norms, 1.0)


def largest_gradient(theta: np.ndarray, residuals: np.ndarray, jacobian: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
    """Largest component of Jᵀr, each over the norm of its column, of parameters that may move."""
    gradient = jacobian.T @ residuals
    scaled = np.where(held(theta, gradient, low, high), 0.0, gradient / column_norms(jacobian))
    return float(np.max(np.abs(scaled), initial=0.0))


def bounded_step(
    theta: np.ndarray, residuals: np.ndarray, jacobian: np.ndarray, low: np.ndarray, high: np.ndarray, damping: float
) -> np.ndarray:
    """Damped step, shape=(p,), that stays within the bounds: what would cross one goes to it, and the rest is solved again."""
    free = ~held(theta, jacobian.T @ residuals, low, high)
    step = np.zeros_like(theta)
    while np.any(free):
        rest = residuals + jacobian[:, ~free] @ step[~free]
        step[free] = damped_step(rest, jacobian[:, free], damping)
        crossing = free & ((theta + step < low) | (theta + step > high))
        if not np.any(crossing):
            break
        step[crossing] = np.clip(theta + step, low, high)[crossing] - theta[crossing]
        free &= ~crossing
    return step


def damped_step(residuals: np.ndarray, jacobian: np.ndarray, damping: float) -> np.ndarray:
    """Step that minimizes ½‖r + Js‖² + ½λ‖Ds‖², D the column norms; the one of least ‖Ds‖ where several do, shape=(p,)."""
    norms = column_norms(jacobian)
    u, sizes, vt = np.linalg.svd(jacobian / norms, full_matrices=False)
    known = sizes > RANK * max(float(sizes.max(initial=0.0)), 1e-300)
    safe = np.where(known, sizes, 1.0)
    factors = np.where(known, safe / (safe**2 + damping), 0.0)
    return -(vt.T @ (factors * (u.T @ residuals))) / norms


def _finished(
    theta: np.ndarray,
    residuals: np.ndarray,
    jacobian: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    scales: np.ndarray,
    tolerance: float,
) -> str:
    """Why the fit is done here, or "": the undamped step is short, or promises nothing."""
    step = bounded_step(theta, residuals, jacobian, low, high, 0.0)
    length = float(np.max(np.abs(step) / scales, initial=0.0))
    if length <= tolerance:
        return f"the next step would change no parameter by more than {length:.1g} of its size"
    promised, cost = _promised(residuals, jacobian, step), half_square(residuals)
    if 0.0 <= promised <= _FLAT * cost:  # along bounds the undamped step may go up, which says nothing
        return f"the next step promises to lower the cost by {promised / cost if cost else 0.0:.1g} of itself"
    return ""
