"""Second-order response of an equilibrium: how x*(θ(t)) bends along a path through parameter space.

Along θ(t) the minimum obeys P ∂E/∂x(x*(t), θ(t)) = 0. Differentiated twice,

    H x″ = −d²/dt² ∂E/∂x(x + t x′, θ(t)) at t = 0,

one more linear solve with the Hessian that gave x′. The energy needs no x″ up to its third derivative (Wigner's 2n + 1 rule; Gonze and
Vigneron, doi:10.1103/PhysRevB.39.13120; Gonze, doi:10.1103/PhysRevA.52.1086): E‴ = d³/dt³ E(x + t x′, θ(t)).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from md_sensitivity.compilation import program
from md_sensitivity.curvature.products import gradient, unflattened
from md_sensitivity.energy import Energy, PyTree
from md_sensitivity.implicit.equilibrium import Response, equilibrium_solve
from md_sensitivity.minimization import Equilibrium

_BLOCK = 4
"""Paths that are differentiated together."""

Consistent = Callable[[PyTree], PyTree]
"""θ → θ whose parameters that follow others do so exactly; traceable."""


class Path(NamedTuple):
    """Derivatives of θ(t) at t = 0, trees like θ; stacked ones have a leading axis."""

    first: PyTree
    second: PyTree
    third: PyTree


def straight(direction: PyTree) -> Path:
    """θ + t·direction, stacked or not."""
    first = jax.tree.map(lambda leaf: np.asarray(leaf, dtype=np.float64), direction)
    none = jax.tree.map(np.zeros_like, first)
    return Path(first, none, none)


def curved(theta: PyTree, directions: PyTree, consistent: Consistent) -> Path:
    """consistent(θ + t·direction) for stacked directions, differentiated exactly."""

    def derivatives(direction: PyTree) -> tuple[PyTree, PyTree, PyTree]:
        def at(t: jax.Array) -> PyTree:
            return consistent(jax.tree.map(lambda value, d: value + t * d, theta, direction))

        first = _derivative(at)
        second = _derivative(first)
        zero = jnp.zeros(())
        return first(zero), second(zero), _derivative(second)(zero)

    return Path(*jax.jit(jax.vmap(derivatives))(directions))


def _derivative(function: Callable[[jax.Array], Any]) -> Callable[[jax.Array], Any]:
    return lambda t: jax.jvp(function, (t,), (jnp.ones(()),))[1]


def series(start: PyTree, t: Any, *derivatives: PyTree) -> PyTree:
    """start + t a + t²/2 b + …, leaf by leaf."""
    total, factor = start, 1.0
    for order, derivative in enumerate(derivatives, start=1):
        factor = factor * t / order
        total = jax.tree.map(lambda value, d, f=factor: value + f * d, total, derivative)
    return total


@program
def second_forces(energy: Energy, x: PyTree, theta: PyTree, moves: PyTree, paths: Path) -> tuple[jax.Array, jax.Array]:
    """d²/dt² ∂E/∂x(x + t·move, θ(t)), flat, shape=(p, d), and d³/dt³ E(x + t·move, θ(t)), shape=(p,), along stacked moves and paths.

    Where the moves are those of the minimum, the latter are the third derivatives of its energy.
    """

    def along(pair: tuple[PyTree, Path]) -> tuple[jax.Array, jax.Array]:
        move, path = pair

        def slopes(t: jax.Array) -> tuple[jax.Array, jax.Array]:
            at = series(theta, t, *path)
            moved = series(x, t, move)
            # dE/dt without the part along the move, which the forces give.
            direct = jax.jvp(lambda there: energy(moved, there), (at,), (series(path.first, t, path.second, path.third),))[1]
            return ravel_pytree(gradient(energy, moved, at))[0], direct

        force, direct = _derivative(_derivative(slopes))(jnp.zeros(()))
        return force, jnp.vdot(force, ravel_pytree(move)[0]) + direct

    return jax.lax.map(along, (moves, paths), batch_size=_BLOCK)


def second_response(
    equilibrium: Equilibrium,
    direction: PyTree,
    first: PyTree,
    *,
    consistent: Consistent | None = None,
    solver: str = "auto",
    hessian: str = "auto",
    throw: bool = True,
) -> Response:
    """d²x*/dt² along θ + t·direction, by one more solve; several directions where the leaves have a leading axis.

    Args:
        equilibrium: from `minimize`.
        direction: a tree like θ.
        first: dx*/dt along it, a tree like x: what `equilibrium_jvp` (or `equilibrium_jacobian`) gives.
        consistent: traceable θ → θ where parameters follow others, so that the path is bent: its exact second derivative counts.
        solver, hessian, throw: as for `equilibrium_jvp`.

    Returns:
        Response whose value is a tree like x [Å per square of the direction's unit], the minimum-norm one: rigid motions left out.

    Raises:
        ConvergenceError, NotAMinimumError: where a solve failed.
    """
    leaf, reference = jax.tree.leaves(first)[0], jax.tree.leaves(equilibrium.x)[0]
    single = np.ndim(leaf) == np.ndim(reference)
    if single:
        direction, first = (jax.tree.map(lambda value: np.asarray(value, dtype=np.float64)[None], tree) for tree in (direction, first))
    paths = straight(direction) if consistent is None else curved(equilibrium.theta, direction, consistent)
    forces, _ = second_forces(equilibrium.energy, equilibrium.x, equilibrium.theta, first, paths)
    found = equilibrium_solve(equilibrium, -forces, solver=solver, hessian=hessian, throw=throw)
    return found if not single else found._replace(value=unflattened(equilibrium.x, np.asarray(found.solution)[0]))
