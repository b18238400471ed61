"""Chord steps: Newton's method with the inverse Hessian of a nearby minimum, for small systems whose eigenvalues are known.

Each step costs one gradient, where a Newton step costs a linear solve; near the minimum it gains two or three digits.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from md_sensitivity.compilation import program
from md_sensitivity.curvature.products import flat_gradient, flat_projector
from md_sensitivity.curvature.solvers.dense import eigen_solve
from md_sensitivity.curvature.zero_modes import ZeroModes
from md_sensitivity.energy import Energy, PyTree

_MAX_STEPS = 60
_GAIN = 0.7
"""Steps go on while the gradient shrinks at least by this factor."""


@program
def chord_steps(
    energy: Energy, x: PyTree, theta: PyTree, modes: ZeroModes | None, eigenvalues: jax.Array, eigenvectors: jax.Array, goal: jax.Array
) -> tuple[PyTree, jax.Array]:
    """x after chord steps, and their number; the best point met, which is the start where the first step does not help.

    Args:
        modes: zero modes at x, projected out of each step.
        eigenvalues, eigenvectors: of P H P at a nearby minimum.
        goal: largest component of the gradient to aim at [eV/Å].
    """
    flat, unravel = ravel_pytree(x)
    project = flat_projector(modes, energy, x)

    def gradient(v: jax.Array) -> jax.Array:
        return flat_gradient(energy, unravel(v), theta)

    def going(carry: tuple[jax.Array, jax.Array, jax.Array, jax.Array]) -> jax.Array:
        _, g, improving, count = carry
        return improving & (jnp.max(jnp.abs(g)) > goal) & (count < _MAX_STEPS)

    def step(carry: tuple[jax.Array, jax.Array, jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
        v, g, _, count = carry
        moved = v - project(eigen_solve(eigenvalues, eigenvectors, project(g)[None])[0])
        after = gradient(moved)
        improving = jnp.linalg.norm(after) < _GAIN * jnp.linalg.norm(g)
        return jnp.where(improving, moved, v), jnp.where(improving, after, g), improving, count + 1

    start = (flat, gradient(flat), jnp.asarray(True), jnp.zeros((), dtype=jnp.int32))
    found, _, _, count = jax.lax.while_loop(going, step, start)
    return unravel(found), count
