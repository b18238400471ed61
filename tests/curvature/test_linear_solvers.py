"""Every linear solver, on every kind of system it may meet: right, or honest about not being right."""

from __future__ import annotations

from functools import cache, partial

import jax
import numpy as np
import pytest

from md_sensitivity.curvature.solvers import SOLVERS, STATUS_TEXT, Solution
from md_sensitivity.curvature.solvers.base import CONVERGED, NEGATIVE_CURVATURE

SIZE, RANK, COLUMNS = 24, 18, 5
SYMMETRIC = [name for name in SOLVERS if SOLVERS[name].symmetric]
GENERAL = [name for name in SOLVERS if not SOLVERS[name].symmetric]
STRICT = 1e-10


@partial(jax.jit, static_argnames=("solver", "limit"))
def solve(matrix: jax.Array, b: jax.Array, solver: str, tolerance: float = STRICT, limit: int = 600) -> Solution:
    return SOLVERS[solver].solve(lambda v: matrix @ v, b, tolerance, limit)


@cache
def basis(seed: int = 0) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(SIZE, SIZE)))[0]


def with_eigenvalues(values: np.ndarray) -> np.ndarray:
    return (basis() * values) @ basis().T


def positive() -> np.ndarray:
    return with_eigenvalues(np.geomspace(0.05, 5.0, SIZE))


def singular() -> np.ndarray:
    """Positive, but for SIZE − RANK zero eigenvalues."""
    return with_eigenvalues(np.r_[np.zeros(SIZE - RANK), np.geomspace(0.1, 5.0, RANK)])


def indefinite() -> np.ndarray:
    return with_eigenvalues(np.r_[-1.5, -0.4, np.geomspace(0.1, 5.0, SIZE - 2)])


def columns(seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(COLUMNS, SIZE))


def true_residual(matrix: np.ndarray, b: np.ndarray, solution: Solution) -> np.ndarray:
    sizes = np.linalg.norm(b, axis=1)
    errors = np.linalg.norm(b - np.asarray(solution.value) @ matrix.T, axis=1)
    return np.where(sizes == 0, 0.0, errors / np.where(sizes == 0, 1.0, sizes))


def assert_honest(matrix: np.ndarray, b: np.ndarray, solution: Solution, tolerance: float = STRICT) -> None:
    """The residual is that of the answer, and whoever claims to have converged has."""
    true = true_residual(matrix, b, solution)
    assert np.all(np.abs(np.asarray(solution.residual) - true) <= 1e-13 + 1e-6 * true)
    assert np.array_equal(np.asarray(solution.status) == CONVERGED, np.asarray(solution.residual) <= tolerance)
    assert np.all(np.asarray(solution.status) < len(STATUS_TEXT))


@pytest.mark.parametrize("solver", SOLVERS)
def test_positive_systems_are_solved(solver: str) -> None:
    matrix, b = positive(), columns()
    solution = solve(matrix, b, solver)
    assert np.all(np.asarray(solution.status) == CONVERGED)
    assert np.abs(np.asarray(solution.value) - np.linalg.solve(matrix, b.T).T).max() < 1e-7
    assert_honest(matrix, b, solution)


@pytest.mark.parametrize("solver", SYMMETRIC)
def test_singular_consistent_systems_have_their_smallest_solution(solver: str) -> None:
    matrix = singular()
    b = columns() @ matrix
    solution = solve(matrix, b, solver)
    assert np.all(np.asarray(solution.status) == CONVERGED)
    assert np.abs(np.asarray(solution.value) - b @ np.linalg.pinv(matrix, hermitian=True, rcond=1e-12)).max() < 1e-8
    assert_honest(matrix, b, solution)


@pytest.mark.parametrize("solver", SOLVERS)
def test_dependent_and_zero_columns_do_no_harm(solver: str) -> None:
    matrix, b = positive(), columns()
    b[1], b[2], b[3] = 2.0 * b[0], 0.0, b[0] - 1e-9 * b[4]
    solution = solve(matrix, b, solver)
    assert np.all(np.asarray(solution.status) == CONVERGED)
    assert np.abs(np.asarray(solution.value) - np.linalg.solve(matrix, b.T).T).max() < 1e-7
    assert np.all(np.asarray(solution.value)[2] == 0) and solution.residual[2] == 0


@pytest.mark.parametrize("solver", SYMMETRIC)
def test_symmetric_solvers_meet_an_indefinite_matrix(solver: str) -> None:
    matrix, b = indefinite(), columns()
    solution = solve(matrix, b, solver)
    assert_honest(matrix, b, solution)
    if solver.endswith("cg"):
        assert np.all(np.asarray(solution.status) == NEGATIVE_CURVATURE)
        assert "no minimum" in STATUS_TEXT[NEGATIVE_CURVATURE]
    else:
        assert np.all(np.asarray(solution.status) == CONVERGED)
        assert np.abs(np.asarray(solution.value) - np.linalg.solve(matrix, b.T).T).max() < 1e-7


@pytest.mark.parametrize("solver", GENERAL)
def test_general_solvers_do_not_need_symmetry(solver: str) -> None:
    matrix = positive() + 0.3 * np.triu(np.random.default_rng(5).normal(size=(SIZE, SIZE)), 1)
    b = columns()
    solution = solve(matrix, b, solver)
    assert np.all(np.asarray(solution.status) == CONVERGED)
    assert np.abs(np.asarray(solution.value) - np.linalg.solve(matrix, b.T).T).max() < 1e-6
    assert_honest(matrix, b, solution)


@pytest.mark.parametrize("solver", SOLVERS)
def test_inconsistent_systems_never_count_as_solved(solver: str) -> None:
    matrix, b = singular(), columns()
    outside = np.linalg.norm(b @ basis()[:, : SIZE - RANK], axis=1) / np.linalg.norm(b, axis=1)
    solution = solve(matrix, b, solver)
    assert np.all(np.isfinite(np.asarray(solution.value)))
    assert np.all(np.asarray(solution.status) != CONVERGED)
    assert np.all(np.asarray(solution.residual) >= outside * (1 - 1e-9))
    assert_honest(matrix, b, solution)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_column_without_solution_spoils_no_other(solver: str) -> None:
    matrix = singular()
    b = columns()
    b[1:] = b[1:] @ matrix
    solution = solve(matrix, b, solver)
    assert solution.status[0] != CONVERGED
    assert np.all(np.asarray(solution.residual)[1:] <= 1e-7)
    assert_honest(matrix, b, solution)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_tolerance_below_rounding_ends_and_does_not_drift(solver: str) -> None:
    matrix = singular()
    b = columns() @ matrix
    solution = solve(matrix, b, solver, tolerance=1e-30, limit=20000)
    assert np.all(np.asarray(solution.status) != CONVERGED)
    assert_honest(matrix, b, solution, tolerance=1e-30)
    if solver in SYMMETRIC:
        assert np.all(np.asarray(solution.residual) < 1e-11)
        assert solution.iterations < 10000
        assert np.abs(np.asarray(solution.value) - b @ np.linalg.pinv(matrix, hermitian=True, rcond=1e-12)).max() < 1e-8


@pytest.mark.parametrize("solver", [name for name in SOLVERS if name != "dense"])
def test_too_few_iterations_are_reported(solver: str) -> None:
    matrix, b = positive(), columns()
    solution = solve(matrix, b, solver, limit=3)
    assert np.all(np.asarray(solution.status) != CONVERGED)
    assert np.all(np.asarray(solution.residual) > STRICT)
    assert_honest(matrix, b, solution)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_right_hand_side_that_is_not_finite_has_no_residual(solver: str, bad: float) -> None:
    b = columns()
    b[1, 3] = bad
    solution = solve(positive(), b, solver)
    assert solution.status[1] != CONVERGED
    assert not solution.residual[1] <= 1.0
    assert np.all(np.asarray(solution.status)[[0, 2, 3, 4]] == CONVERGED)
