"""Derivatives of a root x*(θ) of any condition F(x, θ) = 0, whatever solver found it.

Differentiating F(x*(θ), θ) = 0 gives A dx* = B dθ with A = ∂F/∂x and B = −∂F/∂θ; one linear solve gives a JVP, one with Aᵀ a VJP.
Source: Blondel et al., "Efficient and Modular Implicit Differentiation", arXiv:2105.15183.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax

from md_sensitivity.implicit.linear import LinearSolve, PyTree, linear_solver

Condition = Callable[[PyTree, PyTree], PyTree]
"""F(x, θ): a tree like x that vanishes at the root."""


def root_jvp(condition: Condition, x: PyTree, theta: PyTree, theta_dot: PyTree, *, solve: LinearSolve | None = None) -> PyTree:
    """Change of the root along a direction in parameter space, dx* = −(∂F/∂x)⁻¹ (∂F/∂θ) θ̇.

    Args:
        condition: F(x, θ), a tree like x.
        x: root at θ, found by any solver.
        theta, theta_dot: parameters and the direction, trees of one structure.
        solve: (operator, b) → solution; default GMRES.

    Returns:
        Tree like x.
    """
    b = jax.tree.map(lambda leaf: -leaf, jax.jvp(lambda t: condition(x, t), (theta,), (theta_dot,))[1])
    _, operator = jax.linearize(lambda y: condition(y, theta), x)
    return (solve or linear_solver())(operator, b)


def root_vjp(condition: Condition, x: PyTree, theta: PyTree, x_bar: PyTree, *, solve: LinearSolve | None = None) -> PyTree:
    """Gradient with respect to θ of ⟨x̄, x*(θ)⟩, −(∂F/∂θ)ᵀ (∂F/∂x)⁻ᵀ x̄.

    Args:
        condition, x, theta, solve: as for `root_jvp`; the solver meets the transposed operator.
        x_bar: cotangent, a tree like x.

    Returns:
        Tree like θ.
    """
    _, pullback = jax.vjp(lambda y: condition(y, theta), x)
    u = (solve or linear_solver())(lambda v: pullback(v)[0], x_bar)
    _, by_theta = jax.vjp(lambda t: condition(x, t), theta)
    return jax.tree.map(lambda leaf: -leaf, by_theta(u)[0])


def implicit_root(
    condition: Condition, *, solve: LinearSolve | None = None, symmetric: bool = False
) -> Callable[[Callable[[PyTree, PyTree], PyTree]], Callable[[PyTree, PyTree], PyTree]]:
    """Decorator: makes `solver(start, θ) → x*` differentiable in θ through F(x*, θ) = 0.

    The derivative does not look into the solver and does not depend on the start. Works under jax.jvp, jax.grad, jax.vmap and
    to higher order; under jit and vmap the solver must be traceable, otherwise it may be any Python code.

    Args:
        condition: F(x, θ), a tree like x.
        solve: (operator, b) → solution; default GMRES.
        symmetric: whether ∂F/∂x is symmetric, as it is for F = ∂E/∂x.

    Returns:
        The decorator.
    """
    solve = solve or linear_solver()

    def decorate(solver: Callable[[PyTree, PyTree], PyTree]) -> Callable[[PyTree, PyTree], PyTree]:
        @jax.custom_jvp
        def root(start: PyTree, theta: PyTree) -> PyTree:
            return solver(start, theta)

        @root.defjvp
        def root_rule(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[PyTree, PyTree]:
            start, theta = primals
            x = root(start, theta)
            b = jax.tree.map(lambda leaf: -leaf, jax.jvp(lambda t: condition(x, t), (theta,), (tangents[1],))[1])

            def operator(v: PyTree) -> PyTree:
                return jax.jvp(lambda y: condition(y, theta), (x,), (v,))[1]

            return x, jax.lax.custom_linear_solve(operator, b, solve, transpose_solve=solve, symmetric=symmetric)

        return functools.wraps(solver)(root)

    return decorate
