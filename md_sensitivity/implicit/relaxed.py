"""x*(θ) as a differentiable function: under jax.jvp, jax.grad, jax.vmap, jax.jit and to higher order."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from md_sensitivity.curvature.products import flat_hessian, flat_projector, mixed_product
from md_sensitivity.curvature.solvers import SOLVERS
from md_sensitivity.curvature.zero_modes import zero_modes
from md_sensitivity.energy import Energy, PyTree, as_energy
from md_sensitivity.implicit.equilibrium import MAX_ITERATIONS, TOLERANCE
from md_sensitivity.implicit.linear import ACCEPTABLE
from md_sensitivity.minimization import MINIMIZERS, minimize
from md_sensitivity.minimization.base import Method, State
from md_sensitivity.minimization.loop import Counts, Limits, Round, advance, counts_of, limits_of
from md_sensitivity.minimization.minimize import HANDOVER, POLISH
from md_sensitivity.minimization.newton import NEWTON

_REBUILDS = 200
"""Neighbor tables that one traced stage may ask for."""


def relaxed_positions(
    energy: Callable[..., jax.Array],
    x: PyTree,
    theta: PyTree,
    *,
    fmax: float = 1e-8,
    max_steps: int = 20000,
    minimizer: str = "lbfgs+newton",
    rigid: bool = False,
) -> PyTree:
    """The minimum x*(θ) that the minimizer reaches from x, differentiable in θ by the implicit function theorem.

    The gauge of the derivative is the minimum-norm response: no net translation and, for free clusters, no net rotation. The start x has
    no influence on the derivative (its tangent is ignored). The curvature is not examined: see `minimize`.

    Args:
        energy, x, theta, fmax, max_steps, minimizer, rigid: as for `minimize`.

    Returns:
        Positions at the minimum [Å]. In traced code (jit, vmap), where nothing can be raised, all of it is NaN if the force stays
        above `fmax` or a neighbor table would overflow. The derivative is NaN wherever its linear solve fails, as at a saddle point.

    Raises:
        ConvergenceError, ComputationError: as for `minimize`, outside of traced code.
    """
    function = as_energy(energy, rigid=rigid)
    start = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype=jnp.float64), x)
    theta = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype=jnp.float64), theta)
    return _relaxed((fmax, max_steps, minimizer), function, start, theta)


_Settings = tuple[float, int, str]


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _relaxed(settings: _Settings, energy: Energy, x: PyTree, theta: PyTree) -> PyTree:
    fmax, max_steps, minimizer = settings
    if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves((energy, x, theta))):
        return _traced(settings, energy, x, theta)
    found = minimize(energy, x, theta, fmax=fmax, max_steps=max_steps, minimizer=minimizer, curvature=False)
    return energy.located(found.energy, found.x)


@_relaxed.defjvp
def _relaxed_jvp(settings: _Settings, primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[PyTree, PyTree]:
    energy, start, theta = primals
    x = _relaxed(settings, energy, start, theta)
    here, there = jax.lax.stop_gradient((x, theta))
    local = energy.updated(here, there).stabilized(here, there)
    modes = zero_modes(local, here, there)
    # P depends on x, and is differentiated with it, so that the gauge holds to higher order too.
    project = flat_projector(modes, local, x)
    b, unravel = ravel_pytree(mixed_product(local, x, theta, tangents[2]))
    operator = flat_hessian(local, x, theta, project)
    response = jax.lax.custom_linear_solve(operator, -project(b), _solve, symmetric=True)
    return x, unravel(project(response))


def _solve(operator: Callable[[jax.Array], jax.Array], b: jax.Array) -> jax.Array:
    solution = SOLVERS["cg"].solve(operator, b[None], TOLERANCE, MAX_ITERATIONS)
    residual = solution.residual[0]
    return jnp.where(residual <= ACCEPTABLE, solution.value[0], jnp.nan)


def _traced(settings: _Settings, energy: Energy, x: PyTree, theta: PyTree) -> PyTree:
    """The minimization as one traced program; neighbor tables keep their width and come from the host between rounds."""
    fmax, max_steps, minimizer = settings
    *early, last = MINIMIZERS.find(minimizer).stages
    goal = fmax * POLISH
    state = None
    for method in early:
        x, state = traced_stage(energy, x, theta, state, limits_of(goal, HANDOVER, max_steps), method)
    x, state = traced_stage(energy, x, theta, state, limits_of(goal if last is NEWTON else fmax, -1.0, max_steps), last)
    found = jnp.max(jnp.abs(state.gradient), initial=0.0) <= fmax
    return jax.tree.map(lambda leaf: jnp.where(found, leaf, jnp.nan), x)


def traced_stage(
    energy: Energy, x: PyTree, theta: PyTree, before: State | None, limits: Limits, method: Method
) -> tuple[PyTree, State]:
    """One stage of a minimization as traced code: the point it reaches and the state."""
    _, unravel = ravel_pytree(x)

    def round_from(flat: jax.Array, counts: Counts) -> Round:
        point = unravel(flat)
        local = energy.updated(point, theta)
        modes = zero_modes(local, point, theta) if method is NEWTON else None
        return advance(local, point, theta, modes, None, counts, limits, method)

    def going(carry: tuple[Round, jax.Array]) -> jax.Array:
        found, rounds = carry
        return ~found.over & (rounds < _REBUILDS)

    def again(carry: tuple[Round, jax.Array]) -> tuple[Round, jax.Array]:
        found, rounds = carry
        return round_from(found.state.x, counts_of(found.state)), rounds + 1

    first = (round_from(ravel_pytree(x)[0], counts_of(before)), jnp.zeros((), dtype=jnp.int32))
    found, _ = jax.lax.while_loop(going, again, first)
    return found.x, found.state
