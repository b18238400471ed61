"""Derivatives of roots against closed forms, whatever found the root."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize

from md_sensitivity.curvature.solvers import SOLVERS
from md_sensitivity.errors import ConvergenceError, UsageError
from md_sensitivity.implicit import implicit_root, linear_solver, root_jvp, root_vjp

GENERAL = [name for name in SOLVERS if not SOLVERS[name].symmetric]
MATRIX = np.random.default_rng(0).normal(size=(5, 5)) + 4 * np.eye(5)
"""Not symmetric."""


def square(x: jax.Array, theta: jax.Array) -> jax.Array:
    """Vanishes at √θ."""
    return x**2 - theta


def linear(x: jax.Array, theta: Any) -> jax.Array:
    """Vanishes at A⁻¹ b, θ = {A, b}."""
    return theta["A"] @ x - theta["b"]


def nested(x: Any, theta: Any) -> Any:
    """Vanishes at x = {u: θ₀ θ₁, v: (e^θ₁, [θ₀, θ₀²])}; not symmetric in its trees."""
    return {
        "u": x["u"] - theta[0] * theta[1],
        "v": (jnp.log(x["v"][0]) - theta[1] + 0.1 * (x["u"] - theta[0] * theta[1]), x["v"][1] - jnp.stack([theta[0], theta[0] ** 2])),
    }


def newton(condition: Any) -> Any:
    """A traceable solver."""

    def solver(start: jax.Array, theta: Any) -> jax.Array:
        def step(_: int, x: jax.Array) -> jax.Array:
            return x - jnp.linalg.solve(jax.jacobian(condition)(x, theta), condition(x, theta))

        return jax.lax.fori_loop(0, 40, step, start)

    return solver


def by_scipy(condition: Any) -> Any:
    """A solver that JAX cannot trace."""

    def solver(start: jax.Array, theta: Any) -> jax.Array:
        found = optimize.root(lambda x: np.asarray(condition(jnp.asarray(x), theta)), np.asarray(start), tol=1e-14)
        return jnp.asarray(found.x)

    return solver


@pytest.mark.parametrize("solver", GENERAL)
def test_jvp_and_vjp_of_a_nonsymmetric_system_are_closed_forms(solver: str) -> None:
    rng = np.random.default_rng(1)
    theta = {"A": jnp.asarray(MATRIX), "b": jnp.asarray(rng.normal(size=5))}
    dot = {"A": jnp.asarray(rng.normal(size=(5, 5))), "b": jnp.asarray(rng.normal(size=5))}
    bar = jnp.asarray(rng.normal(size=5))
    x = np.linalg.solve(MATRIX, theta["b"])
    forward = root_jvp(linear, jnp.asarray(x), theta, dot, solve=linear_solver(solver))
    expected = np.linalg.solve(MATRIX, np.asarray(dot["b"] - dot["A"] @ x))
    assert np.abs(forward - expected).max() < 1e-10
    backward = root_vjp(linear, jnp.asarray(x), theta, bar, solve=linear_solver(solver))
    u = np.linalg.solve(MATRIX.T, bar)
    assert np.abs(backward["b"] - u).max() < 1e-10
    assert np.abs(backward["A"] + np.outer(u, x)).max() < 1e-10
    assert float(jnp.vdot(bar, forward)) == pytest.approx(float(sum(jnp.vdot(backward[k], dot[k]) for k in dot)), rel=1e-10)


def test_trees_of_unknowns_and_parameters_are_kept() -> None:
    theta = jnp.array([0.7, 0.4])
    x = {"u": theta[0] * theta[1], "v": (jnp.exp(theta[1]), jnp.stack([theta[0], theta[0] ** 2]))}
    moved = root_jvp(nested, x, theta, jnp.array([1.0, 0.0]))
    assert jax.tree.structure(moved) == jax.tree.structure(x)
    assert [float(moved["u"]), float(moved["v"][0])] == pytest.approx([0.4, 0.0], abs=1e-12)
    assert np.asarray(moved["v"][1]) == pytest.approx([1.0, 1.4], abs=1e-12)
    ones = jax.tree.map(jnp.ones_like, x)
    assert np.asarray(root_vjp(nested, x, theta, ones)) == pytest.approx([0.4 + 1 + 1.4, 0.7 + np.exp(0.4)], abs=1e-11)


@pytest.mark.parametrize("make", [newton, by_scipy], ids=["traceable", "scipy"])
def test_decorated_solvers_have_the_derivatives_of_the_root(make: Any) -> None:
    root = implicit_root(square)(make(square))
    start, theta = jnp.array([1.0, 1.0, 1.0]), jnp.array([2.0, 3.0, 0.5])
    assert np.asarray(root(start, theta)) == pytest.approx(np.sqrt(theta), rel=1e-12)
    slope = jax.grad(lambda t: jnp.sum(root(start, t) ** 3))(theta)
    assert np.asarray(slope) == pytest.approx(1.5 * np.sqrt(theta), rel=1e-10)
    _, moved = jax.jvp(lambda t: root(start, t), (theta,), (jnp.ones(3),))
    assert np.asarray(moved) == pytest.approx(0.5 / np.sqrt(theta), rel=1e-10)
    # The start has no influence.
    assert np.all(np.asarray(jax.grad(lambda s: jnp.sum(root(s, theta)))(start)) == 0)


def test_a_traceable_solver_goes_through_vmap_jit_and_hessian() -> None:
    root = implicit_root(square)(newton(square))
    start = jnp.array([1.0])
    thetas = jnp.array([[2.0], [3.0], [0.5]])
    slopes = jax.jit(jax.vmap(jax.grad(lambda t: root(start, t)[0])))(thetas)
    assert np.asarray(slopes) == pytest.approx(0.5 / np.sqrt(thetas), rel=1e-10)
    second = jax.hessian(lambda t: root(start, t)[0])(jnp.array([2.0]))
    assert float(second[0, 0]) == pytest.approx(-0.25 * 2.0**-1.5, rel=1e-9)
    forward = jax.jacfwd(jax.jacfwd(lambda t: root(start, t)[0]))(jnp.array([2.0]))
    assert float(forward[0, 0]) == pytest.approx(-0.25 * 2.0**-1.5, rel=1e-9)


def test_a_symmetric_condition_may_use_a_symmetric_solver() -> None:
    matrix = MATRIX @ MATRIX.T
    root = implicit_root(lambda x, t: matrix @ x - t, solve=linear_solver("cg"), symmetric=True)(
        lambda s, t: jnp.linalg.solve(matrix, t)
    )
    jacobian = np.linalg.inv(matrix)
    theta = jnp.arange(5.0)
    assert np.asarray(jax.jacrev(lambda t: root(theta, t))(theta)) == pytest.approx(jacobian, abs=1e-10)
    assert np.asarray(jax.jacfwd(lambda t: root(theta, t))(theta)) == pytest.approx(jacobian, abs=1e-10)


def test_an_injected_linear_solver_is_the_one_that_is_used() -> None:
    calls = []

    def mine(operator: Any, b: jax.Array) -> jax.Array:
        calls.append(b.shape)
        return jnp.linalg.solve(jax.jacobian(operator)(b), b)

    theta = {"A": jnp.asarray(MATRIX), "b": jnp.ones(5)}
    x = jnp.linalg.solve(theta["A"], theta["b"])
    root_jvp(linear, x, theta, theta, solve=mine)
    root_vjp(linear, x, theta, x, solve=mine)
    root = implicit_root(linear, solve=mine)(lambda s, t: jnp.linalg.solve(t["A"], t["b"]))
    slope = jax.grad(lambda t: root(x, t)[2])(theta)
    assert np.abs(slope["b"] - np.linalg.inv(MATRIX)[2]).max() < 1e-12
    assert len(calls) >= 3 and set(calls) == {(5,)}


def flat(x: jax.Array, theta: jax.Array) -> jax.Array:
    """∂F/∂x is singular, and ∂F/∂θ outside its range."""
    return jnp.array([x[0] - theta[0], 0.0 * x[1] + theta[0]])


def undefined(x: jax.Array, theta: jax.Array) -> jax.Array:
    """∂F/∂θ is not finite at θ = 0."""
    return x - jnp.sqrt(theta)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("condition", [flat, undefined], ids=lambda condition: condition.__name__)
def test_a_linear_solve_that_fails_raises_or_gives_nan_and_never_a_number(solver: str, condition: Any) -> None:
    theta, one = jnp.zeros(2), jnp.ones(2)
    with pytest.raises(ConvergenceError, match=solver):
        root_jvp(condition, jnp.zeros(2), theta, one, solve=linear_solver(solver))
    traced = jax.jit(lambda t: root_jvp(condition, jnp.zeros(2), t, one, solve=linear_solver(solver)))(theta)
    assert np.all(np.isnan(np.asarray(traced)))


def test_an_unknown_solver_is_refused_with_a_hint() -> None:
    with pytest.raises(UsageError, match=r"did you mean .gmres."):
        linear_solver("gmress")
