"""Levenberg and Marquardt's method on problems with known answers; scipy is the independent code."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import least_squares

from md_sensitivity.fitting.covariance import named, spread
from md_sensitivity.fitting.levenberg_marquardt import (
    CONVERGED,
    MAX_STEPS,
    STALLED,
    Point,
    Rejected,
    Solution,
    levenberg_marquardt,
)

Function = Callable[[np.ndarray], np.ndarray]


def solve(
    residuals: Function, jacobian: Function, start: list[float], low: object = -np.inf, high: object = np.inf, **more: object
) -> Solution:
    theta = np.array(start, dtype=float)
    bounds = tuple(np.broadcast_to(np.asarray(end, dtype=float), theta.shape) for end in (low, high))
    return levenberg_marquardt(
        lambda t, state: Point(residuals(t), None), lambda t, point: (jacobian(t), None), theta, bounds=bounds, **more  # type: ignore[arg-type]
    )


def rosenbrock(t: np.ndarray) -> np.ndarray:
    return np.array([10.0 * (t[1] - t[0] ** 2), 1.0 - t[0]])


def rosenbrock_jacobian(t: np.ndarray) -> np.ndarray:
    return np.array([[-20.0 * t[0], 10.0], [-1.0, 0.0]])


TIMES = np.linspace(0.0, 3.0, 12)


def decay(t: np.ndarray) -> np.ndarray:
    """Exponential decay against data that no decay fits exactly."""
    return t[0] * np.exp(-t[1] * TIMES) + t[2] - (2.0 * np.exp(-1.3 * TIMES) + 0.5 + 0.05 * np.cos(5.0 * TIMES))


def decay_jacobian(t: np.ndarray) -> np.ndarray:
    fall = np.exp(-t[1] * TIMES)
    return np.stack([fall, -t[0] * TIMES * fall, np.ones_like(TIMES)], axis=1)


def test_rosenbrock_ends_at_one_one() -> None:
    found = solve(rosenbrock, rosenbrock_jacobian, [-1.2, 1.0])
    assert found.status == CONVERGED
    np.testing.assert_allclose(found.theta, 1.0, atol=1e-10)


@pytest.mark.parametrize(
    ("low", "high"),
    [((-2.0, -2.0), (0.5, 3.0)), ((-2.0, 1.5), (3.0, 3.0)), ((-2.0, -2.0), (0.5, 0.2)), ((1.2, -2.0), (3.0, 1.0))],
)
def test_bounded_rosenbrock_agrees_with_scipy(low: tuple[float, float], high: tuple[float, float]) -> None:
    start = np.clip([-1.2, 1.0], np.add(low, 0.01), np.subtract(high, 0.01))
    found = solve(rosenbrock, rosenbrock_jacobian, list(start), low, high, max_steps=200)
    # scipy's reflective method stays inside the bounds, so that it is good to fewer digits there.
    wanted = least_squares(rosenbrock, start, rosenbrock_jacobian, bounds=(low, high), xtol=1e-15, ftol=1e-15, gtol=1e-15)
    assert found.status == CONVERGED
    assert 0.5 * np.sum(found.point.residuals**2) <= wanted.cost * (1 + 1e-10)
    np.testing.assert_allclose(found.theta, wanted.x, atol=1e-6)


def test_a_solution_at_a_bound_is_at_it_exactly() -> None:
    found = solve(rosenbrock, rosenbrock_jacobian, [-1.2, 1.0], (-2.0, -2.0), (0.5, 3.0))
    assert found.theta[0] == 0.5
    np.testing.assert_allclose(found.theta[1], 0.25, atol=1e-9)


def test_a_bound_is_left_again_where_the_gradient_turns() -> None:
    found = solve(rosenbrock, rosenbrock_jacobian, [-2.0, -2.0], -2.0, 3.0, max_steps=200)
    np.testing.assert_allclose(found.theta, 1.0, atol=1e-9)


def test_nonzero_residuals_agree_with_scipy() -> None:
    found = solve(decay, decay_jacobian, [1.0, 1.0, 1.0])
    wanted = least_squares(decay, [1.0, 1.0, 1.0], decay_jacobian, xtol=1e-15, ftol=1e-15, gtol=1e-15)
    assert found.status == CONVERGED
    np.testing.assert_allclose(found.theta, wanted.x, rtol=1e-7)


def test_a_linear_problem_ends_at_the_least_squares_solution() -> None:
    matrix, wanted = np.random.default_rng(0).normal(size=(10, 4)), np.arange(10.0)
    found = solve(lambda t: matrix @ t - wanted, lambda t: matrix, [1.0] * 4)
    np.testing.assert_allclose(found.theta, np.linalg.lstsq(matrix, wanted, rcond=None)[0], atol=1e-9)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_unit_of_a_parameter_does_not_matter(scale: float) -> None:
    unit = np.array([scale, 1.0, 1.0])
    plain = solve(decay, decay_jacobian, [1.0, 1.0, 1.0])
    scaled = solve(lambda t: decay(t * unit), lambda t: decay_jacobian(t * unit) * unit, [1.0 / scale, 1.0, 1.0])
    np.testing.assert_allclose(scaled.theta * unit, plain.theta, rtol=1e-8)
    assert len(scaled.history) == len(plain.history)


def test_what_nothing_determines_stays_where_it_is() -> None:
    """Only θ₀ θ₁ matters: the step is the one of least length in relative terms, and θ₂ does not move at all."""
    found = solve(
        lambda t: np.array([t[0] * t[1] - 4.0]), lambda t: np.array([[t[1], t[0], 0.0]]), [1.0, 1.0, 7.0], tolerance=1e-12
    )
    assert found.status == CONVERGED
    np.testing.assert_allclose(found.theta, [2.0, 2.0, 7.0], rtol=1e-9)


def test_a_column_of_rounding_moves_nothing() -> None:
    found = solve(
        lambda t: np.array([t[0] - 2.0, 3.0 * (t[0] - 2.0)]), lambda t: np.array([[1.0, 1e-15], [3.0, -2e-15]]), [1.0, 5.0]
    )
    np.testing.assert_allclose(found.theta, [2.0, 5.0], rtol=1e-10)


def test_a_trial_without_residuals_shortens_the_step() -> None:
    def residuals(t: np.ndarray) -> np.ndarray:
        if t[0] > 2.5:
            raise Rejected("too far")
        return np.array([np.log(t[0]) - np.log(2.4)])

    found = solve(residuals, lambda t: np.array([[1.0 / t[0]]]), [0.2], largest_step=100.0, max_steps=100)
    assert found.status == CONVERGED
    np.testing.assert_allclose(found.theta, 2.4, rtol=1e-8)

    blocked = solve(
        lambda t: residuals(t) if t[0] < 1.0 else residuals(np.array([3.0])), lambda t: np.array([[1.0 / t[0]]]), [0.9], max_steps=100
    )
    assert blocked.status == STALLED
    refused = [step for step in blocked.history if not step.accepted]
    assert {step.reason for step in refused} == {"too far"}
    assert all(step.cost is None and step.gain is None for step in refused)
    assert "too far" in blocked.message


def test_a_jacobian_that_fails_rejects_the_step() -> None:
    def jacobian(t: np.ndarray, point: Point) -> tuple[np.ndarray, None]:
        if t[0] > 1.5:
            raise Rejected("no derivative")
        return np.eye(1), None

    bounds = (np.array([-9.0]), np.array([9.0]))
    found = levenberg_marquardt(lambda t, s: Point(t - 3.0, None), jacobian, np.array([1.0]), bounds=bounds, max_steps=60)
    assert found.status == STALLED and found.theta[0] <= 1.5


def test_costs_of_steps_taken_never_rise() -> None:
    found = solve(rosenbrock, rosenbrock_jacobian, [-1.2, 1.0])
    costs = [step.cost for step in found.history if step.accepted]
    assert all(later < earlier for earlier, later in pairwise(costs))  # type: ignore[operator]


def test_the_number_of_trials_is_limited() -> None:
    found = solve(rosenbrock, rosenbrock_jacobian, [-1.2, 1.0], max_steps=3)
    assert (found.status, len(found.history)) == (MAX_STEPS, 4)


def test_no_step_is_longer_than_asked() -> None:
    found = solve(rosenbrock, rosenbrock_jacobian, [-1.2, 1.0], largest_step=0.05, max_steps=500)
    assert max(step.length for step in found.history) <= 0.05 * (1 + 1e-12)
    np.testing.assert_allclose(found.theta, 1.0, atol=1e-9)


def test_whoever_watches_sees_each_step_taken() -> None:
    seen: list[Solution] = []
    found = solve(rosenbrock, rosenbrock_jacobian, [-1.2, 1.0], watch=seen.append)
    assert [len(each.history) for each in seen] == [step.number + 1 for step in found.history if step.accepted]


def test_covariance_of_a_linear_problem_is_that_of_many_noisy_repetitions() -> None:
    rng = np.random.default_rng(3)
    matrix, truth, std = rng.normal(size=(20, 3)), np.array([1.0, -2.0, 3.0]), rng.uniform(0.5, 2.0, 20)
    noisy = matrix @ truth + std * rng.normal(size=(20000, 20))
    repeated = np.linalg.lstsq(matrix / std[:, None], (noisy / std).T, rcond=None)[0]
    jacobian, ends = matrix / std[:, None], np.full(3, np.inf)
    found = spread(truth, np.zeros(20), jacobian, -ends, ends, np.abs(truth))
    np.testing.assert_allclose(found.covariance, np.linalg.inv(jacobian.T @ jacobian), rtol=1e-10)
    np.testing.assert_allclose(found.covariance, np.cov(repeated), atol=0.05 * np.diag(found.covariance).max())
    assert found.rank == 3 and found.reasons == ("", "", "")


def test_a_product_of_two_parameters_is_determined_and_they_are_not() -> None:
    theta, free = np.array([2.0, 4.0, 1.0]), np.full(3, np.inf)
    jacobian = np.array([[4.0, 2.0, 0.0], [8.0, 4.0, 0.0], [0.0, 0.0, 2.0]])
    found = spread(theta, np.zeros(3), jacobian, -free, free, theta)
    assert found.rank == 2
    (direction,) = named(found.undetermined, ["a", "b", "c"])
    assert set(direction) == {"a", "b"} and direction["a"] == pytest.approx(-direction["b"])
    assert np.isinf(found.covariance[0, 0]) and np.isinf(found.covariance[1, 1]) and np.isnan(found.covariance[0, 1])
    assert found.covariance[2, 2] == pytest.approx(0.25)
    assert [bool(reason) for reason in found.reasons] == [True, True, False]


def test_a_parameter_at_its_bound_has_no_variance_and_the_others_are_those_without_it() -> None:
    jacobian = np.array([[1.0, 1.0], [0.0, 2.0], [1.0, 0.0]])
    residuals = np.array([1.0, 0.0, 1.0])  # the gradient presses the first parameter down
    found = spread(np.array([0.0, 1.0]), residuals, jacobian, np.zeros(2), np.full(2, 9.0), np.ones(2))
    assert list(found.at_bound) == [True, False]
    assert np.isnan(found.covariance[0, 0]) and found.covariance[1, 1] == pytest.approx(1 / 5)
