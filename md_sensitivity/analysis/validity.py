"""How far an expansion may be trusted: the largest change of parameters for which its predictions still hold, and what ends it.

A prediction O(t) *holds* up to T where for all |t| ≤ T its error is at most 5 % of the change that it predicts, |t O′| + |t² O″/2| (of
|t O′| where it is linear). "Error" is estimated without minimizing again: the third-order response x‴ comes from the forces that are left
at the predicted structure, by one more solve; E, O and forces are then evaluated at x + t x′ + t² x″/2 + t³ x‴/6 and θ(t), themselves, not
their derivatives. What is left of the forces there tells whether the series still converges.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from md_sensitivity.analysis.breakdown import SoftModes, crossing, ritz, room_within, soft_modes, softening, vanishing
from md_sensitivity.analysis.expansion import ENERGY, Expansion
from md_sensitivity.compilation import program
from md_sensitivity.curvature.products import flat_gradient
from md_sensitivity.energy import Energy, PyTree
from md_sensitivity.errors import InputError
from md_sensitivity.implicit.equilibrium import equilibrium_solve
from md_sensitivity.implicit.second_order import series
from md_sensitivity.minimization import Equilibrium
from md_sensitivity.observables import BoundObservable

TOLERANCE = 0.05
"""Error that a prediction may have, as a share of the change it predicts."""
FURTHEST = 1.0
"""Largest relative change of a parameter that is looked at."""
_PROBE_CHANGE, _PROBE_MOVE = 0.05, 0.01
"""Relative change of a parameter, and displacement of an atom [Å], at which forces are evaluated for the third-order response."""
_SHARE_OF_GAP = 0.3
"""Largest share of the way to the next contact that is gone for it."""
_ROUGH, _ENOUGH = 1e-4, 1e-2
"""Relative residual asked of the solve for it, and that with which its estimates are good enough."""
_POINTS, _RATIO = 14, 1.4
"""Points at which errors are estimated, each so many times farther than the last."""
_REFINED = 3
"""Points between the last at which an expansion holds and the first at which it breaks down."""
_NEARER, _ATTEMPTS = 8.0, 4
"""Where an expansion breaks down before the first point, that one is moved inward by this factor, so many times at most."""
_CAUTION = 0.9
"""Share of an estimated reach that is stated."""
_CONVERGENT = 0.8
"""Share of the forces at the prediction of second order that may be left at that of third order."""
_TRUSTED = 0.5
"""Share up to which the third order alone estimates errors; beyond, they grow like those of a geometric series."""
_NEGLIGIBLE = 0.1
"""Part of the tolerated error of positions that is small."""
_ROUNDING = 1e-9
"""Change of an observable, relative to its value, that is rounding."""
_STILL = 1e-7
"""Displacement of all atoms together that counts as none [Å]."""
_NOISE = 1e-13
"""Force on one coordinate, as a share of the stiffness (times 1 Å), that is rounding."""

POSITIONS = "positions"
SECOND_ORDER, THIRD_ORDER, DIVERGENCE = "second order", "third order", "divergence"
EIGENVALUE, CONTACT, BOUNDS, CAP = "eigenvalue", "contact or cutoff", "bounds", "nothing"


class Side(NamedTuple):
    """How far a prediction holds in one direction.

    Attributes:
        reach: largest t, positive.
        reason: what ends it, one of the words above; orders name the quantity, as in "third order (energy)".
    """

    reach: float
    reason: str


@dataclass(frozen=True, kw_only=True)
class Range:
    """How far the predictions of one quantity hold, downward and upward."""

    quantity: str
    linear: tuple[Side, Side]
    quadratic: tuple[Side, Side]


@dataclass(frozen=True, kw_only=True)
class Validity:
    """Ranges of an expansion.

    Attributes:
        ranges: of the energy, of each observable and of positions.
        linear, quadratic: of the energy and all observables together: the least.
    """

    ranges: tuple[Range, ...]
    linear: tuple[Side, Side]
    quadratic: tuple[Side, Side]


class _Probe(NamedTuple):
    """What is found at one t: errors of the linear and the quadratic prediction of each quantity as shares of what is tolerated."""

    linear: np.ndarray
    quadratic: np.ndarray
    stop: str


Place = Callable[[float], PyTree]
"""t → θ(t), exactly."""


@program
def _evaluated(
    observables: tuple[BoundObservable, ...], energy: Any, x: PyTree, theta: PyTree, modes: Any, vectors: jax.Array
) -> tuple[jax.Array, jax.Array, tuple[jax.Array, ...], jax.Array]:
    """Energy, size of the forces, observables, and the Hessian among the softest modes."""
    values = tuple(jnp.asarray(o(energy, x, theta)) for o in observables)
    return energy(x, theta), jnp.linalg.norm(flat_gradient(energy, x, theta)), values, ritz(energy, x, theta, modes, vectors)


@program
def _force(energy: Energy, x: PyTree, theta: PyTree) -> jax.Array:
    return flat_gradient(energy, x, theta)


def validities(
    equilibrium: Equilibrium,
    found: Sequence[Expansion],
    observables: Sequence[BoundObservable] = (),
    *,
    places: Sequence[Place] | None = None,
    tolerance: float = TOLERANCE,
    furthest: float = FURTHEST,
    solver: str = "auto",
    hessian: str = "auto",
    like: int = 0,
) -> list[Validity]:
    """How far each of several expansions at one equilibrium holds.

    Args:
        found: from `expansions`.
        observables: those of the expansions.
        places: t → θ(t) of each, which raises InputError where a parameter leaves its bounds; default: the series, without bounds.
        tolerance: error of a prediction, as a share of the change that it predicts, up to which it holds.
        furthest: largest relative change of a parameter that is looked at.
        solver, hessian, like: as for `expansions`.
    """
    theta = equilibrium.theta
    if places is None:
        places = [lambda t, e=each: e.parameters(theta, t) for each in found]  # type: ignore[misc]
    wide = equilibrium.energy.updated(equilibrium.x, theta)
    scope = _Scope(equilibrium, wide, tuple(observables), soft_modes(equilibrium, like=like), tolerance)
    rooms = [_rooms(each, place, furthest) for each, place in zip(found, places, strict=True)]
    probes = [_probed(scope, *each) for each in zip(found, places, rooms, strict=True)]
    thirds = _thirds(scope, probes, solver, hessian, like)
    rates = softening(equilibrium, scope.soft, found)
    done = []
    for each, place, room, probe, third, rate in zip(found, places, rooms, probes, thirds, rates, strict=True):
        fading = vanishing(scope.soft, rate)
        ends = zip(fading, probe.contact, room, strict=True)
        limits = [min((Side(soft, EIGENVALUE), Side(gap, CONTACT), end), key=lambda side: side.reach) for soft, gap, end in ends]
        done.append(_joined(each, *(_side(scope, each, place, third, *way) for way in zip((-1.0, 1.0), limits, strict=True))))
    return done


class _Scope(NamedTuple):
    equilibrium: Equilibrium
    wide: Energy
    observables: tuple[BoundObservable, ...]
    soft: SoftModes
    tolerance: float


class _Probed(NamedTuple):
    """Third derivative of the forces along the path, flat [eV/Å per unit of t cubed], and how far contacts last."""

    force: np.ndarray
    contact: tuple[float, float]


def _at(scope: _Scope, x: PyTree, theta: PyTree) -> Energy:
    """The energy with tables that are complete there."""
    room = scope.wide.room(x, theta)
    return scope.wide if float(room) >= 0 else scope.wide.updated(x, theta)


def _theta(place: Place, t: float) -> PyTree | None:
    """θ(t); None where it is not admitted."""
    try:
        found = jax.tree.map(np.asarray, place(t))
    except InputError:
        return None
    return found if all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(found)) else None


def _probed(scope: _Scope, expansion: Expansion, place: Place, rooms: tuple[Side, Side]) -> _Probed:
    """Forces that are left at the prediction, close by on both sides where there is room."""
    move = float(np.abs(np.asarray(ravel_pytree(expansion.first)[0])).max(initial=0.0))
    step = min(_PROBE_CHANGE / expansion.size, _PROBE_MOVE / move if move > 0 else np.inf)
    step = min(step, *(0.5 * room.reach for room in rooms if room.reach > 0))
    x = scope.equilibrium.x
    contact = _contacts(scope, expansion, place, step)
    step = min(step, *(_SHARE_OF_GAP * gap for gap in contact if gap > 0))  # third derivatives jump where contacts change
    forces = {}
    for side in (-1.0, 1.0):
        theta, there = _theta(place, side * step), expansion.positions_at(x, side * step)
        if theta is None:
            continue
        energy = _at(scope, there, theta)
        force = np.asarray(_force(energy, there, theta))
        if np.all(np.isfinite(force)):
            forces[side] = side * force
    size = sum(np.size(leaf) for leaf in jax.tree.leaves(x))
    total = np.mean(list(forces.values()), axis=0) if forces else np.full(size, np.nan)
    if len(forces) == 2 and np.linalg.norm(total) <= _rounding(scope, size):
        total = np.zeros(size)
    return _Probed(6.0 * total / step**3, contact)


def _contacts(scope: _Scope, expansion: Expansion, place: Place, step: float) -> tuple[float, float]:
    """How far down and up contacts last, as the gaps of pairs at ±step tell."""
    x, gaps = scope.equilibrium.x, []
    for side in (-1.0, 1.0):
        theta, there = _theta(place, side * step), expansion.positions_at(x, side * step)
        if theta is None or float(scope.wide.room(there, theta)) < 0:
            return np.inf, np.inf
        gaps.append(_gaps(scope.wide, there, theta))
    return crossing(_gaps(scope.wide, x, scope.equilibrium.theta), gaps[0], gaps[1], step) if gaps[0].size else (np.inf, np.inf)


def _rounding(scope: _Scope, size: int) -> float:
    """Size of forces that are rounding."""
    spectrum = scope.equilibrium.spectrum
    return 0.0 if spectrum is None else float(_NOISE * spectrum.largest * np.sqrt(size))


def _gaps(energy: Energy, x: PyTree, theta: PyTree) -> np.ndarray:
    return np.concatenate([np.zeros(0), *(np.ravel(np.asarray(gap)) for gap in energy.kink_gaps(x, theta))])


def _thirds(scope: _Scope, probes: Sequence[_Probed], solver: str, hessian: str, like: int) -> list[PyTree | None]:
    """x‴ along each path, a tree like x; None where forces are not finite, or where the solve fails."""
    known = [k for k, probe in enumerate(probes) if np.all(np.isfinite(probe.force))]
    found: list[PyTree | None] = [None] * len(probes)
    if known:
        forces = jnp.asarray(np.array([-probes[k].force for k in known]))
        response = equilibrium_solve(scope.equilibrium, forces, solver=solver, hessian=hessian, tolerance=_ROUGH, like=like, throw=False)
        for row, k in enumerate(known):
            still = response.rhs[row] == 0.0
            if still or response.residual[row] <= _ENOUGH:
                found[k] = jax.tree.map(lambda leaf, row=row: np.asarray(leaf)[row], response.value)
    return found


def _rooms(expansion: Expansion, place: Place, furthest: float) -> tuple[Side, Side]:
    """How far down and up all parameters are admitted, and looked at."""
    cap = furthest / expansion.size
    found = [room_within(lambda t, s=side: _theta(place, s * t) is not None, cap) for side in (-1.0, 1.0)]  # type: ignore[misc]
    return Side(found[0], CAP if found[0] >= cap else BOUNDS), Side(found[1], CAP if found[1] >= cap else BOUNDS)


class _Reached(NamedTuple):
    names: tuple[str, ...]
    linear: tuple[Side, ...]
    quadratic: tuple[Side, ...]


def _side(scope: _Scope, expansion: Expansion, place: Place, third: PyTree | None, side: float, limit: Side) -> _Reached:
    """How far the prediction of each quantity holds to one side."""
    names = quantities(expansion)
    if third is None or not limit.reach > 0:
        none = tuple(Side(0.0, limit.reason if third is not None else DIVERGENCE) for _ in names)
        return _Reached(names, none, none)
    steps = [limit.reach / _RATIO**k for k in range(_POINTS)][::-1]
    contacts = _inside(scope.wide, scope.equilibrium.x, scope.equilibrium.theta)
    first = _probe(scope, expansion, place, third, side * steps[0], contacts)
    for _ in range(_ATTEMPTS if first.stop else 0):
        steps = [t / _NEARER for t in steps]
        first = _probe(scope, expansion, place, third, side * steps[0], contacts)
        if not first.stop:
            break
    probes = [first]
    for t in steps[1:]:
        if probes[-1].stop or (np.all(probes[-1].linear > 1.0) and np.all(probes[-1].quadratic > 1.0)):
            break
        probes.append(_probe(scope, expansion, place, third, side * t, contacts))
    steps = steps[: len(probes)]
    for _ in range(_REFINED if probes[-1].stop and len(probes) > 1 else 0):
        # Where it breaks down is looked for between the last two points; what breaks down stays last.
        middle = float(np.sqrt(steps[-2] * steps[-1]))
        between = _probe(scope, expansion, place, third, side * middle, contacts)
        if between.stop:
            steps[-1], probes[-1] = middle, between
        else:
            steps.insert(-1, middle)
            probes.insert(-1, between)
    linear = tuple(_reach(steps, probes, [p.linear[q] for p in probes], 1, name, limit) for q, name in enumerate(names))
    quadratic = tuple(_reach(steps, probes, [p.quadratic[q] for p in probes], 2, name, limit) for q, name in enumerate(names))
    return _Reached(names, linear, quadratic)


def _reach(steps: Sequence[float], probes: Sequence[_Probe], shares: Sequence[float], order: int, name: str, limit: Side) -> Side:
    """Where the error reaches what is tolerated, between two points on a logarithmic scale."""
    word = f"{THIRD_ORDER if order == 2 else SECOND_ORDER} ({name})"
    for k, (t, probe, share) in enumerate(zip(steps, probes, shares, strict=False)):
        if probe.stop:
            return Side(steps[k - 1] if k else 0.0, probe.stop)
        if share > 1.0:
            if k == 0:  # relative errors of small changes are proportional to a power of t
                return Side(_CAUTION * t * share ** (-1.0 / order), word)
            before, reach = max(shares[k - 1], 1e-12), steps[k - 1]
            reach *= (t / reach) ** min(1.0, max(0.0, -np.log(before) / (np.log(share) - np.log(before))))
            return Side(_CAUTION * float(reach), word)
    return limit


def _inside(energy: Energy, x: PyTree, theta: PyTree) -> int:
    """Number of pairs on the near side of a kink."""
    return int(np.sum(_gaps(energy, x, theta) < 0))


def _probe(scope: _Scope, expansion: Expansion, place: Place, third: PyTree, t: float, contacts: int) -> _Probe:
    equilibrium = scope.equilibrium
    bad = np.full(len(quantities(expansion)), np.inf)
    theta = _theta(place, t)
    if theta is None:
        return _Probe(bad, bad, BOUNDS)
    second = expansion.positions_at(equilibrium.x, t)
    there = series(equilibrium.x, t, expansion.first, expansion.second, third)
    energy = _at(scope, there, theta)
    value, left, values, matrix = _evaluated(scope.observables, energy, there, theta, equilibrium.modes, scope.soft.vectors)
    before = float(np.linalg.norm(np.asarray(_force(_at(scope, second, theta), second, theta))))
    if not all(np.all(np.isfinite(np.asarray(part))) for part in (value, left, matrix, *values)):
        return _Probe(bad, bad, DIVERGENCE)
    if _inside(energy, there, theta) != contacts:
        return _Probe(bad, bad, CONTACT)
    coordinates = sum(np.size(leaf) for leaf in jax.tree.leaves(there))
    floor = 10.0 * (equilibrium.max_force * np.sqrt(coordinates) + _rounding(scope, coordinates))
    share = float(left) / before if float(left) > floor else 0.0
    moved = np.asarray(ravel_pytree(there)[0] - ravel_pytree(equilibrium.x)[0])
    softest = scope.soft.values[0] if len(scope.soft.values) else 0.0
    # Forces that move nothing by more than a small part of what is tolerated tell nothing of the series either.
    if softest > 0 and before <= softest * (_NEGLIGIBLE * scope.tolerance * float(np.linalg.norm(moved)) + _STILL * scope.tolerance):
        share = 0.0
    if share > _CONVERGENT:
        return _Probe(bad, bad, DIVERGENCE)
    if len(scope.soft.values) and np.linalg.eigvalsh(0.5 * (np.asarray(matrix) + np.asarray(matrix).T))[0] <= 0:
        return _Probe(bad, bad, EIGENVALUE)
    pairs = [_shares(float(value) - expansion.energy[0], t, expansion.energy[1], expansion.energy[2], abs(expansion.energy[0]), scope)]
    for series_of, at in zip(expansion.observables, values, strict=True):
        if series_of.name == ENERGY:
            continue
        change = without_turns(np.asarray(at) - series_of.value, series_of.unit)
        pairs.append(_shares(change, t, series_of.first, series_of.second, float(np.linalg.norm(series_of.value)), scope))
    first, second = (np.asarray(ravel_pytree(tree)[0]) for tree in (expansion.first, expansion.second))
    # What follows the third order in positions is to it about as the forces that are left are to those before.
    beyond = min(share, 1.0) * abs(t) ** 3 / 6.0 * float(np.linalg.norm(np.asarray(ravel_pytree(third)[0])))
    pairs.append(_shares(moved, t, first, second, _STILL / _ROUNDING, scope, beyond))
    linear, quadratic = (np.array(part) * max(1.0, (1.0 - _TRUSTED) / (1.0 - share)) for part in zip(*pairs, strict=True))
    return _Probe(linear, quadratic, "")


def _shares(change: Any, t: float, first: Any, second: Any, size: float, scope: _Scope, beyond: float = 0.0) -> tuple[float, float]:
    """Errors of the predicted change, of first and second order, as shares of what is tolerated; `beyond` is added to them."""
    straight, bend = t * np.asarray(first), 0.5 * t * t * np.asarray(second)
    slope, curve = float(np.linalg.norm(straight)), float(np.linalg.norm(bend))
    rounding = _ROUNDING * max(size, 1e-3)
    linear = float(np.linalg.norm(change - straight) + beyond) / (scope.tolerance * slope + rounding)
    quadratic = float(np.linalg.norm(change - straight - bend) + beyond) / (scope.tolerance * (slope + curve) + rounding)
    return linear, quadratic


def without_turns(change: np.ndarray, unit: str) -> np.ndarray:
    """A change of angles in degrees the short way around; of anything else as it is."""
    return (change + 180.0) % 360.0 - 180.0 if unit == "degrees" else change


def quantities(expansion: Expansion) -> tuple[str, ...]:
    """What ranges speak of: energy, the other observables, positions."""
    return (ENERGY, *(o.name for o in expansion.observables if o.name != ENERGY), POSITIONS)


def _joined(expansion: Expansion, down: _Reached, up: _Reached) -> Validity:
    ranges = tuple(
        Range(quantity=name, linear=(down.linear[k], up.linear[k]), quadratic=(down.quadratic[k], up.quadratic[k]))
        for k, name in enumerate(down.names)
    )
    counted = [each for each in ranges if each.quantity != POSITIONS]

    def least(which: str, way: int) -> Side:
        side: Side = min((getattr(each, which)[way] for each in counted), key=lambda side: side.reach)
        return side

    return Validity(
        ranges=ranges,
        linear=(least("linear", 0), least("linear", 1)),
        quadratic=(least("quadratic", 0), least("quadratic", 1)),
    )
