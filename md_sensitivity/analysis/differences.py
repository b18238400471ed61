"""Re-minimized finite differences: the independent check of an implicit derivative.

The structure is minimized again, from x*, with perturbed parameters, by an energy that is built anew for them. Several step sizes
give Romberg's extrapolation and an estimate of its own error. Where the perturbation changes contacts or the basin, there is no answer,
and the reason says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import jax
import numpy as np

from md_sensitivity.analysis.offsets import referring
from md_sensitivity.analysis.sensitivity import evaluate
from md_sensitivity.curvature.zero_modes import without_zero_modes, zero_modes
from md_sensitivity.energy import Energy, PyTree
from md_sensitivity.errors import InputError
from md_sensitivity.implicit.equilibrium import equilibrium_jvp
from md_sensitivity.minimization import Equilibrium, Stored, polish, stored_of
from md_sensitivity.observables import BoundObservable

LARGEST_MOVE = 2e-3
"""Displacement of one atom that the larger step aims at [Å]."""
LARGEST_CHANGE = 1e-3
"""Largest relative change of a parameter."""
SHARE_OF_GAP = 0.3
"""Largest predicted displacement, as a share of the distance to the next kink."""
_SHORTER, _ATTEMPTS = 8.0, 3
"""A check that fails is made again with a step shorter by this factor, so many times at most."""
TRUSTED = 1e-3
"""Differences that estimate their own relative error above this check nothing."""
TOLERANCE = 1e-5
"""Relative discrepancy from which on a check fails, unless the differences themselves are less exact."""
_SMALL_MOVE = 1e-3
"""A response is compared relative to this displacement [Å] (per relative change of the parameter) where it is smaller."""
_SMALL_CHANGE, _SMALL_SHARE = 1e-6, 1e-3
"""An observable's derivative is compared relative to this change, or to this share of the observable, where it is smaller."""
_CANCELED = 1e-4
"""The same for this share of its direct and relaxation parts, which cancel where a stress is relaxed."""

Rebuild = Callable[[PyTree], Energy]
"""θ → energy built anew for it."""
Report = Callable[[float], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Companion:
    """Another relaxed structure that observables refer to, minimized again like the one that is checked.

    Attributes:
        coefficient: how often it counts.
        rebuild: as of the structure itself.
    """

    equilibrium: Equilibrium
    coefficient: float
    rebuild: Rebuild


@dataclass(frozen=True, kw_only=True, eq=False)
class Direction:
    """A direction in parameter space with the derivatives that are to be checked.

    Attributes:
        name: parameter, or description.
        tree: direction, a tree like θ.
        size: relative change of the parameters for a unit step, so that a step h changes them by h·size relative.
        one_sided: whether only positive steps are possible, because a parameter is at its bound.
        response: predicted dx*/dθ along it, a tree like x; None where only observables were differentiated.
        totals: predicted derivative of each observable along it.
        parts: sizes of what each of these is a sum of, if it may cancel; none where nobody says.
        consistent: θ → θ whose parameters that follow others do so exactly, not to first order.
    """

    name: str
    tree: PyTree
    size: float
    one_sided: bool
    response: PyTree | None
    totals: tuple[np.ndarray, ...]
    parts: tuple[float, ...] = ()
    consistent: Callable[[PyTree], PyTree] = lambda theta: theta


class _Place(NamedTuple):
    """A minimum from which one goes on along a direction.

    Attributes:
        stored: what makes minimizing again fast there.
        response: predicted dx*/dθ along the direction, a tree like x; None where it is not known.
        coefficient: how often a companion counts; 1 for the structure itself.
    """

    equilibrium: Equilibrium
    rebuild: Rebuild
    stored: Stored | None
    response: PyTree | None
    coefficient: float


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Outcome of one check.

    Attributes:
        relative_error: largest relative discrepancy over positions and observables; None where no check was possible.
        own_error: relative error that the differences estimate of themselves.
        step: larger step.
        reason: why there is no number.
        quantity: where the largest discrepancy is.
        details: (quantity, norm of the implicit derivative, norm of the differences, relative discrepancy).
    """

    name: str
    relative_error: float | None
    own_error: float | None
    step: float | None
    reason: str = ""
    quantity: str = ""
    details: tuple[tuple[str, float, float, float], ...] = ()

    @property
    def failed(self) -> bool:
        """Whether it contradicts the implicit derivative."""
        if self.relative_error is None:
            return False
        return self.relative_error > max(TOLERANCE, 10.0 * (self.own_error or 0.0))


class _NoCheck(Exception):
    """A reason why differences cannot be taken here."""


def check(
    equilibrium: Equilibrium,
    direction: Direction,
    observables: Sequence[BoundObservable],
    rebuild: Rebuild,
    *,
    companions: Sequence[Companion] = (),
    report: Report = lambda share: None,
) -> Difference:
    """Compare implicit derivatives along a direction with re-minimized differences; `report` is told how much is done."""
    try:
        places = [_Place(equilibrium, rebuild, stored_of(equilibrium), direction.response, 1.0)]
        for other in companions:
            response = equilibrium_jvp(other.equilibrium, direction.tree, throw=False).value
            places.append(_Place(other.equilibrium, other.rebuild, stored_of(other.equilibrium), response, other.coefficient))
        step = min(_step(place, direction) for place in places)
        found = _compared(places, direction, observables, step, report)
        for _ in range(_ATTEMPTS):
            if not found.failed:
                break
            # What is strongly curved over this step may still be straight over a shorter one, as is a spline within one of its intervals.
            step = step / _SHORTER
            shorter = _compared(places, direction, observables, step, report)
            # A failure stands until differences that are exact enough to tell contradict it.
            found = found if (shorter.own_error or 0.0) > TRUSTED else shorter
    except _NoCheck as no_check:
        return Difference(name=direction.name, relative_error=None, own_error=None, step=None, reason=str(no_check))
    if found.own_error is not None and found.own_error > TRUSTED and found.relative_error is not None and found.relative_error > TOLERANCE:
        reason = f"the differences are not exact enough to tell ({found.own_error:.1g} relative)"
        return replace(found, relative_error=None, reason=reason)
    return found


def _compared(
    places: Sequence[_Place], direction: Direction, observables: Sequence[BoundObservable], step: float, report: Report
) -> Difference:
    """Differences with one largest step against the implicit derivatives."""
    sides = (1.0,) if direction.one_sided else (1.0, -1.0)
    offsets = [side * step / 2**k for k in range(4 if direction.one_sided else 3) for side in sides]
    samples = {}
    for number, offset in enumerate(offsets):
        report(number / len(offsets))
        samples[offset] = _sample(places, direction, offset, observables)
    here = _sample(places, direction, 0.0, observables) if direction.one_sided else None
    equilibrium = places[0].equilibrium
    values = evaluate(observables, equilibrium.energy, equilibrium.x, equilibrium.theta)
    predicted: list[tuple[str, np.ndarray, float]] = []
    if direction.response is not None:
        predicted.append(("positions", _flat(direction.response), _SMALL_MOVE * direction.size))
    sizes = direction.parts or (0.0,) * len(direction.totals)
    for observable, total, size, value in zip(observables, direction.totals, sizes, values, strict=True):
        floor = max(_SMALL_CHANGE, _SMALL_SHARE * float(np.linalg.norm(value))) * direction.size
        floor = max(floor, _CANCELED * size)
        predicted.append((observable.name, np.atleast_1d(total).ravel(), floor))
    first = 0 if direction.response is not None else 1
    details, own = [], []
    for index, (name, implicit, floor) in enumerate(predicted, start=first):
        column = {offset: sample[index] for offset, sample in samples.items()}
        found, error = _extrapolated(column, None if here is None else here[index], step)
        scale = max(float(np.linalg.norm(implicit)), floor)
        sizes = float(np.linalg.norm(implicit)), float(np.linalg.norm(found))
        details.append((name, *sizes, float(np.linalg.norm(found - implicit)) / scale))
        own.append(error / scale)
    # The worst is what exceeds its own error most; the largest discrepancy where none does.
    worst = max(range(len(details)), key=lambda k: (details[k][3] > max(TOLERANCE, 10.0 * own[k]), details[k][3]))
    return Difference(
        name=direction.name,
        relative_error=details[worst][3],
        own_error=own[worst],
        step=step,
        quantity=details[worst][0],
        details=tuple(details),
    )


def _step(place: _Place, direction: Direction) -> float:
    """Step along the direction: small changes of parameters and small moves, away from kinks."""
    step = LARGEST_CHANGE / direction.size
    move = 0.0 if place.response is None else _largest_move(place.response)
    if move > 0:
        step = min(step, LARGEST_MOVE / move)
        gap = kink_distance(place.equilibrium)
        if gap is not None and move * step > SHARE_OF_GAP * gap:
            step = SHARE_OF_GAP * gap / move
            if step * direction.size < 1e-9 or move * step < 1e-7:
                raise _NoCheck(f"a pair is {gap:.2g} from a change of contacts or of the cutoff: any usable step would cross it")
    return step


def kink_distance(equilibrium: Equilibrium) -> float | None:
    """Distance of the nearest pair from where its energy has a jump in the first two derivatives [Å]; None where there is none."""
    gaps = [float(np.min(np.abs(np.asarray(gap)))) for gap in equilibrium.energy.kink_gaps(equilibrium.x, equilibrium.theta)]
    finite = [gap for gap in gaps if np.isfinite(gap)]
    return min(finite) if finite else None


def _sample(places: Sequence[_Place], direction: Direction, offset: float, observables: Sequence[BoundObservable]) -> list[np.ndarray]:
    """Displacement from x* and observables at θ + offset·direction, all structures minimized again from x*."""
    equilibrium = places[0].equilibrium
    theta = direction.consistent(jax.tree.map(lambda t, d: np.asarray(t) + offset * np.asarray(d), equilibrium.theta, direction.tree))
    found, *others = (_minimized_again(place, theta, offset) for place in places)
    change = _change(places[0], found)
    moved = _flat(change)
    if equilibrium.modes is not None:
        moved = _flat(without_zero_modes(equilibrium.modes, equilibrium.x, change))
    if others:
        observables = referring(observables, others, [place.coefficient for place in places[1:]])
    return [moved, *(np.atleast_1d(value).ravel() for value in _values(observables, found, theta))]


def _minimized_again(place: _Place, theta: PyTree, offset: float) -> Equilibrium:
    """The minimum of an energy that is built anew for θ, in the same basin."""
    before = place.equilibrium
    try:
        energy = place.rebuild(theta)
    except InputError as error:
        raise _NoCheck(f"the perturbed force field is not admitted: {error}") from None
    found = polish(before, energy, theta, goal=max(1e-4 * before.max_force, 1e-14), stored=place.stored)
    if not np.isfinite(found.value):
        raise _NoCheck("the energy of the perturbed structure is not finite")
    if found.max_force > max(1e3 * before.max_force, 1e-9):
        raise _NoCheck(f"the perturbed structure did not relax (largest force {found.max_force:.2g})")
    # Both by the tables of the first: those of the other hold other pairs.
    gaps = (before.energy.kink_gaps(x, t) for x, t in ((before.x, before.theta), (found.x, theta)))
    if any(np.any((np.asarray(a) < 0) != (np.asarray(b) < 0)) for a, b in zip(*gaps, strict=True)):
        raise _NoCheck("the perturbation changes contacts, or which pairs are within a cutoff")
    moved = _largest_move(_change(place, found))
    if place.response is not None and moved > 0.1 + 10 * abs(offset) * _largest_move(place.response):
        raise _NoCheck("the perturbed structure relaxes into another basin")
    return found


def _change(place: _Place, found: Equilibrium) -> PyTree:
    """Displacement from x*."""
    return jax.tree.map(lambda after, before: np.asarray(after) - np.asarray(before), found.x, place.equilibrium.x)


def _values(observables: Sequence[BoundObservable], found: Equilibrium, theta: PyTree) -> list[np.ndarray]:
    """Values at a minimum near by; what knows one equilibrium only is looked up anew."""
    local = [observable.kind.local for observable in observables]
    values: list[np.ndarray] = list(evaluate(observables, found.energy, found.x, theta))
    if any(local):
        energy, x = found.energy.recentered(found.x)
        energy = energy.updated(x, theta)
        here = replace(found, energy=energy, x=x, modes=zero_modes(energy, x, theta))
        moved = tuple(observable.moved(here) for observable in observables if observable.kind.local)
        again = iter(evaluate(moved, energy, x, theta))
        values = [next(again) if anew else value for anew, value in zip(local, values, strict=True)]
    return values


def _extrapolated(values: dict[float, np.ndarray], here: np.ndarray | None, step: float) -> tuple[np.ndarray, float]:
    """Derivative at zero by Romberg's extrapolation, and an estimate of its absolute error: its last change, and rounding."""
    noise = 4e-16 * max(float(np.linalg.norm(v)) for v in values.values()) / step
    if here is None:
        rows = [(values[step / 2**k] - values[-step / 2**k]) * (2**k / (2 * step)) for k in range(3)]
        orders: tuple[int, ...] = (2, 4)
    else:
        rows = [(values[step / 2**k] - here) * (2**k / step) for k in range(4)]
        orders = (1, 2, 3)
    last = rows
    for order in orders:
        last = rows
        rows = [(2**order * fine - coarse) / (2**order - 1) for coarse, fine in pairwise(rows)]
    return rows[0], float(np.linalg.norm(rows[0] - last[-1])) + noise


def _flat(tree: PyTree) -> np.ndarray:
    return np.concatenate([np.asarray(leaf).ravel() for leaf in jax.tree.leaves(tree)])


def _largest_move(tree: PyTree) -> float:
    return float(np.abs(_flat(tree)).max(initial=0.0))
