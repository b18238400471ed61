"""Chord steps: Newton's method with the Hessian of a nearby minimum, from its eigenvalues or from its stored blocks.

Each step costs one gradient and what the inverse costs, and gains two or three digits; a Newton step needs a Hessian of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from md_sensitivity.compilation import program
from md_sensitivity.curvature.operators import choose_hessian, hessian_operator
from md_sensitivity.curvature.preconditioners import Preconditioner, choose_preconditioner
from md_sensitivity.curvature.products import flat_gradient, flat_projector
from md_sensitivity.curvature.solvers import SOLVERS
from md_sensitivity.curvature.solvers.dense import eigen_solve
from md_sensitivity.curvature.zero_modes import ZeroModes
from md_sensitivity.energy import Assembled, Energy, PyTree
from md_sensitivity.minimization.equilibrium import Equilibrium

_MAX_STEPS = 60
_GAIN = 0.7
"""Steps go on while the gradient shrinks at least by this factor."""
_SOLVED = 1e-4
"""Relative residual of the linear solves of a step; the difference of the Hessians leaves about as much."""
_MAX_ITERATIONS = 1000
_SOLVES = 12
"""Linear solves for which a preconditioner is prepared: some samples of a difference, with some steps each."""


class Stored(NamedTuple):
    """The stored Hessian of a minimum, and what makes solves with it fast."""

    hessian: Assembled
    preconditioner: Preconditioner | None


def stored_of(equilibrium: Equilibrium) -> Stored | None:
    """What chord steps near an equilibrium need; None where its eigenvectors serve, or the Hessian is not stored."""
    if equilibrium.spectrum is not None and equilibrium.spectrum.eigenvectors is not None:
        return None
    return stored_at(equilibrium.energy, equilibrium.x, equilibrium.theta)


def stored_at(energy: Energy, x: PyTree, theta: PyTree) -> Stored | None:
    """What chord steps near a concrete x need; None where the Hessian is not stored."""
    stored, _, _ = choose_hessian(energy, x, theta)
    return None if stored is None else Stored(stored, choose_preconditioner(stored, energy, x, theta, _SOLVES)[0])


@program
def chord_steps(
    energy: Energy, x: PyTree, theta: PyTree, modes: ZeroModes | None, eigenvalues: jax.Array, eigenvectors: jax.Array, goal: jax.Array
) -> tuple[PyTree, jax.Array, jax.Array]:
    """x after chord steps, their number, and that of products with the Hessian.

    It is the best point met, which is the start where the first step does not help.

    Args:
        modes: zero modes at x, projected out of each step.
        eigenvalues, eigenvectors: of P H P at a nearby minimum.
        goal: largest component of the gradient to aim at [eV/Å].
    """
    project = flat_projector(modes, energy, x)

    def inverse(g: jax.Array) -> tuple[jax.Array, jax.Array]:
        return project(eigen_solve(eigenvalues, eigenvectors, project(g)[None])[0]), jnp.zeros((), dtype=jnp.int32)

    return _stepped(energy, x, theta, inverse, goal)


@program
def stored_chord_steps(
    energy: Energy, x: PyTree, theta: PyTree, modes: ZeroModes | None, stored: Stored, goal: jax.Array
) -> tuple[PyTree, jax.Array, jax.Array]:
    """The same with the stored Hessian of a nearby minimum."""
    operator = hessian_operator(energy, x, theta, modes, stored.hessian, stored.preconditioner)
    project = flat_projector(modes, energy, x)

    def inverse(g: jax.Array) -> tuple[jax.Array, jax.Array]:
        solution = SOLVERS["pcg"].solve(operator, operator.pack(project(g)[None]), _SOLVED, _MAX_ITERATIONS)
        return project(operator.unpack(solution.value)[0]), solution.iterations

    return _stepped(energy, x, theta, inverse, goal)


class _Step(NamedTuple):
    x: jax.Array
    gradient: jax.Array
    improving: jax.Array
    count: jax.Array
    products: jax.Array


def _stepped(
    energy: Energy, x: PyTree, theta: PyTree, inverse: Callable[[jax.Array], tuple[jax.Array, jax.Array]], goal: jax.Array
) -> tuple[PyTree, jax.Array, jax.Array]:
    flat, unravel = ravel_pytree(x)

    def gradient(v: jax.Array) -> jax.Array:
        return flat_gradient(energy, unravel(v), theta)

    def going(s: _Step) -> jax.Array:
        return s.improving & (jnp.max(jnp.abs(s.gradient)) > goal) & (s.count < _MAX_STEPS)

    def step(s: _Step) -> _Step:
        move, products = inverse(s.gradient)
        after = gradient(s.x - move)
        improving = jnp.linalg.norm(after) < _GAIN * jnp.linalg.norm(s.gradient)
        kept = jnp.where(improving, s.x - move, s.x), jnp.where(improving, after, s.gradient)
        return _Step(*kept, improving, s.count + 1, s.products + products)

    none = jnp.zeros((), dtype=jnp.int32)
    last = jax.lax.while_loop(going, step, _Step(flat, gradient(flat), jnp.asarray(True), none, none))
    return unravel(last.x), last.count, last.products
