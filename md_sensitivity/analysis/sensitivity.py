"""How observables respond to parameters: dO/dθ = ∂O/∂θ (direct) + ∂O/∂x · dx*/dθ (relaxation)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from md_sensitivity.analysis.directions import Directions
from md_sensitivity.analysis.existence import losing_zero_modes
from md_sensitivity.compilation import in_batches, program
from md_sensitivity.energy import PyTree, as_energy
from md_sensitivity.errors import UsageError
from md_sensitivity.implicit.equilibrium import Response, equilibrium_jacobian, equilibrium_vjp
from md_sensitivity.minimization import Equilibrium
from md_sensitivity.observables import BoundObservable, Observable, custom_observable

FORWARD, ADJOINT = "forward", "adjoint"
_BATCH = 8
"""Derivatives of observables that are taken together."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Parts:
    """Derivatives of several observables along p directions in parameter space.

    Attributes:
        value: of each observable, shapes as they come.
        direct, relaxation: of each observable, shape=(p, *shape of the value) [unit of the value per unit of the direction].
        response: the linear solves behind the relaxation part.
        mode: "forward" or "adjoint".
        referred: what other structures add to the direct part of each observable, and is nearly the opposite of the rest of it; empty
            where there are no others.
    """

    value: tuple[np.ndarray, ...]
    direct: tuple[np.ndarray, ...]
    relaxation: tuple[np.ndarray, ...]
    response: Response
    mode: str
    referred: tuple[np.ndarray, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Sensitivity:
    """Sensitivity of one observable to all parameters.

    `direct`, `relaxation`, `total` and `logarithmic` are trees like θ. Each leaf has the shape of the value followed by that of
    the parameter. Where x* has no derivative with respect to a parameter (`analysis/existence.py`), all but `direct` are NaN.

    Attributes:
        name, unit: of the observable.
        value: O(x*, θ).
        direct: ∂O/∂θ at fixed x.
        relaxation: ∂O/∂x · dx*/dθ.
        total: their sum, dO/dθ.
        logarithmic: (θ/O) dO/dθ; NaN where O = 0.
        relative_residual: largest recomputed residual of the linear solves.
        mode, solver: how they were computed.
    """

    name: str
    unit: str
    value: np.ndarray
    direct: PyTree
    relaxation: PyTree
    total: PyTree
    logarithmic: PyTree
    relative_residual: float
    mode: str
    solver: str


def choose_mode(mode: str, parameters: int, components: int, *, positions: bool) -> str:
    """Forward where dx*/dθ is wanted or parameters are not more than components of observables, else adjoint."""
    if mode not in ("auto", FORWARD, ADJOINT):
        raise UsageError(f"unknown mode {mode!r}; one of auto, {FORWARD}, {ADJOINT}")
    if mode == ADJOINT and positions:
        raise UsageError("dx*/dθ of all positions needs the forward mode; turn positions off, or do not ask for the adjoint one")
    if mode != "auto":
        return mode
    return FORWARD if positions or parameters <= components else ADJOINT


@program
def _values(observables: tuple[BoundObservable, ...], energy: Any, x: PyTree, theta: PyTree) -> tuple[jax.Array, ...]:
    return tuple(jnp.asarray(o(energy, x, theta)) for o in observables)


@program
def _forward(
    observables: tuple[BoundObservable, ...], energy: Any, x: PyTree, theta: PyTree, directions: PyTree, responses: PyTree
) -> tuple[tuple[jax.Array, ...], tuple[jax.Array, ...]]:
    """Direct and relaxation parts along each direction."""

    def along(pair: tuple[PyTree, PyTree]) -> tuple[jax.Array, ...]:
        return jax.jvp(lambda y, t: _values(observables, energy, y, t), (x, theta), pair)[1]

    # Both parts are the same derivative, along (0, θ̇) and along (ẋ, 0): one program, traced once, serves both.
    still, fixed = jax.tree.map(jnp.zeros_like, (responses, directions))
    pairs = jax.tree.map(lambda a, b: jnp.concatenate([a, b]), (still, directions), (responses, fixed))
    both = in_batches(along, pairs, _BATCH)
    count = jax.tree.leaves(responses)[0].shape[0]
    return tuple(part[:count] for part in both), tuple(part[count:] for part in both)


@program
def _cotangents(observables: tuple[BoundObservable, ...], energy: Any, x: PyTree, theta: PyTree) -> tuple[PyTree, PyTree]:
    """∂O/∂x and ∂O/∂θ of each component, stacked."""

    def flat(x: PyTree, theta: PyTree) -> jax.Array:
        return ravel_pytree(_values(observables, energy, x, theta))[0]

    return jax.jacrev(flat, argnums=(0, 1))(x, theta)


def evaluate(observables: Sequence[BoundObservable], energy: Any, x: PyTree, theta: PyTree) -> tuple[np.ndarray, ...]:
    """Values of several observables."""
    return tuple(np.asarray(value) for value in _values(tuple(observables), energy, x, theta))


def parts(
    observables: Sequence[BoundObservable],
    equilibrium: Equilibrium,
    directions: PyTree | Directions | None,
    *,
    mode: str,
    solver: str = "auto",
    hessian: str = "auto",
    throw: bool = True,
) -> Parts:
    """Direct and relaxation derivatives of observables along directions in parameter space.

    Args:
        directions: of a table, which the adjoint mode never writes out; or a tree like θ whose leaves have a leading axis p;
            or None for every number of θ, in the adjoint mode.
        mode: "forward" (one solve for each direction) or "adjoint" (one for each component of an observable).
        solver, hessian, throw: as for `equilibrium_jacobian`.
    """
    bound = tuple(observables)
    e, x, theta = equilibrium.energy, equilibrium.x, equilibrium.theta
    value = evaluate(bound, e, x, theta)
    if mode == FORWARD:
        directions = directions.tree if isinstance(directions, Directions) else directions
        response = equilibrium_jacobian(equilibrium, directions, solver=solver, hessian=hessian, throw=throw)
        direct, relaxation = _forward(bound, e, x, theta, directions, response.value)
        return Parts(
            value=value,
            direct=tuple(np.asarray(d) for d in direct),
            relaxation=tuple(np.asarray(r) for r in relaxation),
            response=response,
            mode=mode,
        )
    by_x, by_theta = _cotangents(bound, e, x, theta)
    response = equilibrium_vjp(equilibrium, by_x, solver=solver, hessian=hessian, throw=throw)
    return Parts(
        value=value,
        direct=_along(by_theta, directions, value),
        relaxation=_along(response.value, directions, value),
        response=response,
        mode=mode,
    )


def _along(gradients: PyTree, directions: PyTree | Directions | None, value: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    """⟨gradient of each component, each direction⟩, split by observable: shape=(p, *shape of the value)."""
    if isinstance(directions, Directions):
        table = directions.along(gradients).T  # (p, k)
    elif directions is None:
        table = np.concatenate([np.asarray(g).reshape(len(g), -1) for g in jax.tree.leaves(gradients)], axis=1).T
    else:
        rows = [
            np.asarray(g).reshape(len(g), -1) @ np.asarray(d).reshape(len(d), -1).T
            for g, d in zip(jax.tree.leaves(gradients), jax.tree.leaves(directions), strict=True)
        ]
        table = sum(rows[1:], rows[0]).T
    ends = np.cumsum([v.size for v in value])[:-1]
    return tuple(block.reshape(-1, *v.shape) for block, v in zip(np.split(table, ends, axis=1), value, strict=True))


def sensitivity(
    observable: Observable | Callable[[Any, Any], jax.Array],
    energy: Callable[..., jax.Array],
    equilibrium: Equilibrium,
    *,
    mode: str = "auto",
    solver: str = "auto",
) -> Sensitivity:
    """Sensitivity of one observable to every parameter.

    Args:
        observable: from `observable("name")`, or any function O(x, θ) → array.
        energy: the energy that was minimized (the equilibrium holds it too, with neighbor tables that are valid at x*).
        equilibrium: from `minimize`.
        mode: "auto", "forward" or "adjoint".
        solver: name in `SOLVERS`, or "auto".

    Returns:
        The sensitivity; NaN for parameters with respect to which x* has no derivative, because they act along motions that cost no energy.

    Raises:
        ConvergenceError, NotAMinimumError: where a linear solve failed.
        UsageError: where the observable is not offered for the structure.
    """
    as_energy(energy)
    bound = observable.bind(equilibrium) if isinstance(observable, Observable) else custom_observable(observable, equilibrium)
    theta = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype=jnp.float64), equilibrium.theta)
    flat, unravel = ravel_pytree(theta)
    components = evaluate((bound,), equilibrium.energy, equilibrium.x, theta)[0].size
    mode = choose_mode(mode, flat.size, components, positions=False)
    basis = jax.vmap(unravel)(jnp.eye(flat.size)) if mode == FORWARD else None
    found = parts((bound,), equilibrium, basis, mode=mode, solver=solver)
    return as_sensitivity(bound, equilibrium, found, losing_zero_modes(equilibrium))


def as_sensitivity(bound: BoundObservable, equilibrium: Equilibrium, found: Parts, lost: PyTree) -> Sensitivity:
    """Parts of one observable along each number of θ, as trees.

    Args:
        lost: whether x* has no derivative with respect to each number, a tree like θ.
    """
    flat, unravel = ravel_pytree(jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype=jnp.float64), equilibrium.theta))
    value, direct, relaxation = found.value[0], found.direct[0], found.relaxation[0]
    without = np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(lost)])
    relaxation = np.where(without.reshape(-1, *(1,) * value.ndim), np.nan, relaxation)

    def tree(table: np.ndarray) -> PyTree:
        """(p, *shape) → tree whose leaves are (*shape, *leaf shape)."""
        columns = np.moveaxis(table, 0, -1).reshape(-1, flat.size)
        return jax.tree.map(lambda leaf: np.asarray(leaf).reshape(*value.shape, *leaf.shape[1:]), jax.vmap(unravel)(columns))

    total = direct + relaxation
    scale = np.asarray(flat).reshape(-1, *(1,) * value.ndim)
    with np.errstate(divide="ignore", invalid="ignore"):
        logarithmic = np.where(value == 0, np.nan, scale * total / value)
    return Sensitivity(
        name=bound.name,
        unit=bound.unit,
        value=value,
        direct=tree(direct),
        relaxation=tree(relaxation),
        total=tree(total),
        logarithmic=tree(logarithmic),
        relative_residual=float(np.max(found.response.residual, initial=0.0)),
        mode=found.mode,
        solver=found.response.solver,
    )
