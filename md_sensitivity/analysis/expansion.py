"""Equilibria to second order in the parameters: curvature of the energy, bent responses, quadratic predictions of observables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from md_sensitivity.analysis.directions import Directions
from md_sensitivity.analysis.sensitivity import evaluate
from md_sensitivity.compilation import program
from md_sensitivity.energy import Energy, PyTree
from md_sensitivity.implicit.equilibrium import equilibrium_jacobian, equilibrium_solve
from md_sensitivity.implicit.second_order import Consistent, Path, curved, second_forces, series, straight
from md_sensitivity.minimization import Equilibrium
from md_sensitivity.observables import BoundObservable

ENERGY = "energy"
_BLOCK = 4
"""Directions that are differentiated together."""


class EnergyHessian(NamedTuple):
    """d²E*/dθ² over p directions.

    Attributes:
        value: symmetric, shape=(p, p) [eV per unit of each direction].
        asymmetry: largest |M − Mᵀ| before M was made symmetric, relative to the largest entry, rows and columns scaled: evidence that
            responses and derivatives are right.
    """

    value: np.ndarray
    asymmetry: float


class ObservableSeries(NamedTuple):
    """O along a direction: value, dO/dt and d²O/dt², of the shape of the value."""

    name: str
    unit: str
    value: np.ndarray
    first: np.ndarray
    second: np.ndarray

    def at(self, t: float, order: int = 2) -> np.ndarray:
        """The prediction of first or second order."""
        return self.value + t * self.first + (0.5 * t * t * self.second if order == 2 else 0.0)


@dataclass(frozen=True, kw_only=True, eq=False)
class Expansion:
    """An equilibrium along θ(t), to second order, with t = 0 at the parameters it was minimized for.

    Attributes:
        path: derivatives of θ(t), trees like θ.
        first, second: x′ and x″, trees like x [Å per unit of t, per unit squared].
        energy: E, E′, E″, E‴ at the minimum [eV, ...], shape=(4,).
        observables: as asked for.
        relative_residual: recomputed residual of the solve for x″.
        size: largest relative change of a parameter for a unit step.
    """

    path: Path
    first: PyTree
    second: PyTree
    energy: np.ndarray
    observables: tuple[ObservableSeries, ...]
    relative_residual: float
    size: float

    def parameters(self, theta: PyTree, t: float) -> PyTree:
        """θ(t) to third order, a tree like θ."""
        return series(theta, t, *self.path)

    def energy_at(self, t: float, order: int = 2) -> float:
        """Predicted energy of the minimum [eV]; order 3 is exact to t³ as well."""
        powers = np.array([1.0, t, t * t / 2.0, t**3 / 6.0])
        return float(powers[: order + 1] @ self.energy[: order + 1])

    def positions_at(self, x: PyTree, t: float, order: int = 2) -> PyTree:
        """Predicted minimum, a tree like x [Å]."""
        return series(x, t, *(self.first, self.second)[:order])

    def scaled(self, amount: float) -> Expansion:
        """The same along a direction `amount` times as long."""
        if amount == 1.0:
            return self

        def times(tree: PyTree, order: int) -> PyTree:
            return jax.tree.map(lambda leaf: amount**order * np.asarray(leaf), tree)

        return replace(
            self,
            path=Path(*(times(part, order) for order, part in enumerate(self.path, start=1))),
            first=times(self.first, 1),
            second=times(self.second, 2),
            energy=self.energy * amount ** np.arange(4),
            observables=tuple(o._replace(first=amount * o.first, second=amount**2 * o.second) for o in self.observables),
            size=abs(amount) * self.size,
        )


@program
def _slopes(energy: Energy, x: PyTree, theta: PyTree, moves: PyTree, directions: PyTree) -> PyTree:
    """How ∂E/∂θ changes along stacked moves and directions, E_θx·move + E_θθ·direction: trees like θ with a leading axis."""

    def along(pair: tuple[PyTree, PyTree]) -> PyTree:
        # The gradient of a derivative along one direction: cheaper than how the whole gradient changes.
        return jax.grad(lambda at: jax.jvp(energy, (x, at), pair)[1])(theta)

    return jax.lax.map(along, (moves, directions), batch_size=_BLOCK)


@program
def _theta_gradient(energy: Energy, x: PyTree, theta: PyTree) -> PyTree:
    return jax.grad(energy, argnums=1)(x, theta)


@program
def _second_values(
    observables: tuple[BoundObservable, ...], energy: Any, x: PyTree, theta: PyTree, firsts: PyTree, seconds: PyTree, paths: Path
) -> tuple[tuple[jax.Array, ...], tuple[jax.Array, ...]]:
    """First and second derivatives of observables along stacked paths."""

    def along(item: tuple[PyTree, PyTree, Path]) -> tuple[tuple[jax.Array, ...], tuple[jax.Array, ...]]:
        first, second, path = item

        def values(t: jax.Array) -> tuple[jax.Array, ...]:
            moved, at = series(x, t, first, second), series(theta, t, *path)
            return tuple(jnp.asarray(o(energy, moved, at)) for o in observables)

        def slopes(t: jax.Array) -> tuple[jax.Array, ...]:
            return jax.jvp(values, (t,), (jnp.ones(()),))[1]

        return jax.jvp(slopes, (jnp.zeros(()),), (jnp.ones(()),))

    return jax.lax.map(along, (firsts, seconds, paths), batch_size=_BLOCK)


def stacked_inner(a: PyTree, b: PyTree) -> np.ndarray:
    """⟨each a, each b⟩ of stacked trees, shape=(k, p)."""
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return np.sum([np.asarray(u).reshape(len(u), -1) @ np.asarray(v).reshape(len(v), -1).T for u, v in pairs], axis=0)


def _inner(a: PyTree, b: PyTree) -> float:
    return float(sum(np.vdot(np.asarray(u), np.asarray(v)) for u, v in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)))


def energy_hessian(
    equilibrium: Equilibrium,
    directions: PyTree | Directions,
    responses: PyTree,
    *,
    consistent: Consistent | None = None,
    scales: np.ndarray | None = None,
) -> EnergyHessian:
    """d²E*/dθ² = E_θθ + E_θx dx*/dθ for all pairs of p directions, from their responses alone.

    Args:
        equilibrium: from `minimize`.
        directions: of a table, or a tree like θ whose leaves have a leading axis p.
        responses: dx*/dθ along each: the value that `equilibrium_jacobian` gives.
        consistent: traceable θ → θ where parameters follow others by expressions, whose curvature then counts.
        scales: size of a natural change along each direction, by which asymmetry is measured; shape=(p,).
    """
    tree = directions.tree if isinstance(directions, Directions) else directions
    e, x, theta = equilibrium.energy, equilibrium.x, equilibrium.theta
    slopes = _slopes(e, x, theta, responses, tree)
    raw = directions.along(slopes) if isinstance(directions, Directions) else stacked_inner(slopes, tree)
    if consistent is not None:
        raw = raw + _bending(equilibrium, tree, consistent)
    weights = np.ones(len(raw)) if scales is None else np.asarray(scales)
    scaled = weights[:, None] * raw * weights
    largest = float(np.abs(scaled).max(initial=0.0))
    asymmetry = float(np.abs(scaled - scaled.T).max(initial=0.0)) / largest if largest > 0 else 0.0
    return EnergyHessian(0.5 * (raw + raw.T), asymmetry)


def _bending(equilibrium: Equilibrium, directions: PyTree, consistent: Consistent) -> np.ndarray:
    """E_θ·d²θ of parameters that follow others, for all pairs of directions, shape=(p, p)."""
    slope = _theta_gradient(equilibrium.energy, equilibrium.x, equilibrium.theta)

    def along(theta: PyTree) -> jax.Array:
        pairs = zip(jax.tree.leaves(slope), jax.tree.leaves(consistent(theta)), strict=True)
        return jnp.asarray(sum(jnp.vdot(u, v) for u, v in pairs))

    gradient = jax.grad(along)
    theta = jax.tree.map(jnp.asarray, equilibrium.theta)
    changes = jax.jit(jax.vmap(lambda d: jax.jvp(gradient, (theta,), (d,))[1]))(directions)
    return stacked_inner(changes, directions)


def expansions(
    equilibrium: Equilibrium,
    directions: PyTree,
    firsts: PyTree,
    observables: Sequence[BoundObservable] = (),
    *,
    sizes: np.ndarray | None = None,
    consistent: Consistent | None = None,
    solver: str = "auto",
    hessian: str = "auto",
    like: int = 0,
) -> list[Expansion]:
    """The equilibrium to second order along p directions, their solves made together.

    Args:
        directions: a tree like θ whose leaves have a leading axis p.
        firsts: dx*/dθ along each.
        observables: bound to the equilibrium.
        sizes: largest relative change of a parameter that a unit step along each makes, shape=(p,).
        consistent, solver, hessian: as for `second_response`.
        like: as for `equilibrium_solve`.

    Raises:
        ConvergenceError, NotAMinimumError: where a solve failed.
    """
    e, x, theta = equilibrium.energy, equilibrium.x, equilibrium.theta
    paths = straight(directions) if consistent is None else curved(theta, directions, consistent)
    forces, thirds = second_forces(e, x, theta, firsts, paths)
    response = equilibrium_solve(equilibrium, -forces, solver=solver, hessian=hessian, like=like)
    slope = _theta_gradient(e, x, theta)
    changes = _slopes(e, x, theta, firsts, paths.first)
    bound = tuple(observables)
    others = tuple(o for o in bound if o.kind.name != ENERGY)  # derivatives of the energy are known without x″
    values = dict(zip((o.name for o in others), evaluate(others, e, x, theta), strict=True)) if others else {}
    gains, bends = _second_values(others, e, x, theta, firsts, response.value, paths) if others else ((), ())
    bent = {o.name: (np.asarray(gain), np.asarray(bend)) for o, gain, bend in zip(others, gains, bends, strict=True)}
    found = []
    for place in range(len(forces)):

        def own(tree: PyTree, place: int = place) -> PyTree:
            return jax.tree.map(lambda leaf: np.asarray(leaf)[place], tree)

        path = own(paths)
        slant = _inner(slope, path.first)
        curvature = _inner(own(changes), path.first) + _inner(slope, path.second)
        energy = np.array([equilibrium.value, slant, curvature, float(thirds[place])])

        def series_of(o: BoundObservable, place: int = place, energy: np.ndarray = energy) -> ObservableSeries:
            if o.name not in values:
                return ObservableSeries(o.name, o.unit, *(np.asarray(number) for number in energy[:3]))
            return ObservableSeries(o.name, o.unit, values[o.name], *(part[place] for part in bent[o.name]))

        found.append(
            Expansion(
                path=path,
                first=own(firsts),
                second=own(response.value),
                energy=energy,
                observables=tuple(series_of(o) for o in bound),
                relative_residual=float(response.residual[place]),
                size=1.0 if sizes is None else float(sizes[place]),
            )
        )
    return found


def expand(
    equilibrium: Equilibrium,
    direction: PyTree,
    observables: Sequence[BoundObservable] = (),
    *,
    first: PyTree | None = None,
    consistent: Consistent | None = None,
    solver: str = "auto",
    hessian: str = "auto",
) -> Expansion:
    """The equilibrium to second order along θ + t·direction.

    Args:
        equilibrium: from `minimize`.
        direction: a tree like θ. `Expansion.size` is the largest relative change of a number for a unit step.
        observables: bound to the equilibrium: `observable("radius_of_gyration").bind(equilibrium)`.
        first: dx*/dt along it where it is known; else it is solved for.
        consistent: traceable θ → θ where parameters follow others (`force_field.consistent`).
        solver, hessian: as for `equilibrium_jvp`.

    Raises:
        ConvergenceError, NotAMinimumError: where a solve failed.
    """
    stacked = jax.tree.map(lambda leaf: np.asarray(leaf, dtype=np.float64)[None], direction)
    if consistent is not None:
        stacked = curved(equilibrium.theta, stacked, consistent).first
    if first is None:
        firsts = equilibrium_jacobian(equilibrium, stacked, solver=solver, hessian=hessian).value
    else:
        firsts = jax.tree.map(lambda leaf: np.asarray(leaf)[None], first)
    size = relative_size(equilibrium.theta, jax.tree.map(lambda leaf: leaf[0], stacked))
    found = expansions(
        equilibrium, stacked, firsts, observables, sizes=np.array([size]), consistent=consistent, solver=solver, hessian=hessian
    )
    return found[0]


def relative_size(theta: PyTree, direction: PyTree) -> float:
    """Largest change of a number of θ for a unit step, relative to its value (to one unit where it is zero)."""
    largest = 0.0
    for value, change in zip(jax.tree.leaves(theta), jax.tree.leaves(direction), strict=True):
        value, change = np.asarray(value), np.asarray(change)
        largest = max(largest, float(np.max(np.abs(change) / np.where(value != 0, np.abs(value), 1.0), initial=0.0)))
    return largest or 1.0
