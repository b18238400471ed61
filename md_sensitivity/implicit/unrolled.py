"""Derivatives through the steps of a minimizer, the route that implicit differentiation replaces; kept to compare with it."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from md_sensitivity.energy import Energy, PyTree
from md_sensitivity.implicit.relaxed import traced_stage
from md_sensitivity.minimization.fire import FIRE
from md_sensitivity.minimization.loop import limits_of


def unrolled_jvp(
    energy: Energy, x: PyTree, theta: PyTree, theta_dot: PyTree, *, fmax: float, max_steps: int
) -> tuple[PyTree, PyTree, bool]:
    """x*(θ) from FIRE, and its derivative along θ̇ by forward-mode differentiation of every step from the start x.

    The tangent of the start is zero. The derivative converges more slowly than the minimum, and near marginal
    stability it may not converge at all.

    Returns:
        The end point, its tangent, and whether the minimization reached `fmax`.
    """
    limits = limits_of(fmax, -1.0, max_steps)

    def end(theta: PyTree) -> PyTree:
        return traced_stage(energy, x, theta, None, limits, FIRE)[0]

    theta = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype=jnp.float64), theta)
    theta_dot = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype=jnp.float64), theta_dot)
    reached, tangent = jax.jit(lambda t, d: jax.jvp(end, (t,), (d,)))(theta, theta_dot)
    force = jnp.max(jnp.abs(ravel_pytree(jax.grad(energy.updated(reached, theta))(reached, theta))[0]))
    return reached, tangent, bool(force <= 10 * fmax)
