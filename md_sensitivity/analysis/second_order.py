"""The stage of an analysis that goes to second order: one expansion for each parameter, and one along a random direction."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import msgspec
import numpy as np

from md_sensitivity.analysis.differences import Rebuild
from md_sensitivity.analysis.expansion import Expansion, energy_hessian, expansions
from md_sensitivity.analysis.parameters import Selection
from md_sensitivity.analysis.relaxation import second_motion
from md_sensitivity.analysis.remeasured import Measured, measured
from md_sensitivity.analysis.result import (
    EnergySeries,
    ExpansionInfo,
    MeasuredError,
    MeasuredInfo,
    ObservableBend,
    RangeInfo,
    SecondOrderInfo,
    SideInfo,
    ValidityInfo,
)
from md_sensitivity.analysis.sensitivity import Parts
from md_sensitivity.analysis.spotcheck import RANDOM
from md_sensitivity.analysis.validity import TOLERANCE, Place, Side, Validity, validities
from md_sensitivity.energy import PyTree
from md_sensitivity.errors import ComputationError, InputError
from md_sensitivity.forcefields import ForceField
from md_sensitivity.minimization import Equilibrium, stored_of
from md_sensitivity.minimization.equilibrium import MINIMUM
from md_sensitivity.observables import BoundObservable
from md_sensitivity.progress import Progress

FARTHER = 2.0
"""Predictions are measured up to so many times the range of the quadratic one."""
DECADES = 2.0
"""And down to so many orders of magnitude less."""
FARTHEST = 1.0
"""But at no larger relative change than this."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Task:
    """What all expansions share.

    Attributes:
        vectors: amounts of the chosen parameters along each direction, shape=(directions, p).
        sizes: largest relative change that a unit step along each makes.
        places: t → θ(t) of each.
    """

    vectors: np.ndarray
    sizes: np.ndarray
    places: Sequence[Place]
    known: np.ndarray


def second_order(
    equilibrium: Equilibrium,
    selection: Selection,
    force_field: ForceField,
    found: Parts,
    observables: Sequence[BoundObservable],
    undefined: Sequence[str],
    *,
    rebuild: Rebuild,
    samples: int = 0,
    seed: int = 0,
    solver: str = "auto",
    hessian: str = "auto",
    progress: Progress,
) -> SecondOrderInfo:
    """The equilibrium to second order along every chosen parameter and one random direction.

    Args:
        found: first order, in the forward mode.
        undefined: for each observable the reason why it has no derivative here, or "".
        rebuild: θ → energy built anew, for measurements.
        samples: perturbations of each parameter at which the predictions are measured by minimizing again.
        seed: of the random direction.
        solver, hessian: as for `parts`.
    """
    start = time.perf_counter()
    unit = next((o.unit for o in observables if o.kind.name == "energy"), "") or _energy_unit(equilibrium)
    if equilibrium.status != MINIMUM:
        return _nothing(unit, f"the structure is {equilibrium.status}: only a minimum has an expansion", start)
    task = _task(equilibrium, selection, force_field, seed)
    if not len(task.vectors):
        return _nothing(unit, "there is no parameter with respect to which a derivative exists", start)
    progress.update("second order", None)
    # What is right to first order only, as elastic constants are, has no second derivative; nor has what is measured from other structures,
    # whose own second order is not looked at.
    bound = [o for o, reason in zip(observables, undefined, strict=True) if not (reason or o.kind.local or o.kind.referred)]
    tree = force_field.table.unravel(np.array([selection.steps.combined(vector) for vector in task.vectors]))
    firsts = jax.tree.map(lambda leaf: np.tensordot(task.vectors, np.asarray(leaf), axes=1), found.response.value)
    consistent = force_field.consistent if len(force_field.relations) else None
    how: dict[str, Any] = {"solver": solver, "hessian": hessian, "like": int(np.sum(found.response.rhs > 0))}
    try:
        curvature = energy_hessian(equilibrium, tree, firsts, consistent=consistent, scales=1.0 / task.sizes)
        series = expansions(equilibrium, tree, firsts, bound, sizes=task.sizes, consistent=consistent, **how)
        ranges = validities(equilibrium, series, bound, places=task.places, **how)
    except ComputationError as error:
        return _nothing(unit, str(error), start)
    count = int(np.sum(task.known))
    infos: list[ExpansionInfo | None] = []
    stored = stored_of(equilibrium) if samples > 0 else None
    names = [*(name for name, there in zip(selection.names, task.known, strict=True) if there), RANDOM]
    for place, (each, valid) in enumerate(zip(series, ranges, strict=True)):
        checks = []
        for number, t in enumerate(_perturbations(each, valid, samples)):
            progress.update(f"second order, {names[place]}", (place + number / samples) / len(series))
            checks.append(measured(equilibrium, each, t, bound, rebuild, place=task.places[place], stored=stored))
        done = checks if samples else None
        infos.append(_expansion_info(names[place], equilibrium, each, valid, done, observables, single=place < count))
    own = iter(infos)
    ordered = [next(own) if there else _missing(name, selection) for name, there in zip(selection.names, task.known, strict=True)]
    return SecondOrderInfo(
        tolerance=TOLERANCE,
        energy_hessian=_spread(curvature.value[:count, :count], task.known),
        unit=unit,
        asymmetry=curvature.asymmetry,
        expansions=[info for info in (*ordered, *own) if info is not None],
        seconds=time.perf_counter() - start,
    )


def _task(equilibrium: Equilibrium, selection: Selection, force_field: ForceField, seed: int) -> _Task:
    """One direction for each parameter that has a derivative, and a random one over all of them."""
    scales, count = selection.scales, len(selection.rows)
    known = np.array([name not in selection.undefined for name in selection.names], dtype=bool)
    random = np.where(known, np.random.default_rng(seed).normal(size=count), 0.0)
    vectors = np.eye(count)[known]
    if known.any():
        vectors = np.concatenate([vectors, (random * scales / np.abs(random).max())[None]])
    sizes = np.max(np.abs(vectors) / scales, axis=1, initial=0.0)
    return _Task(vectors=vectors, sizes=sizes, places=[place_of(force_field, selection, vector) for vector in vectors], known=known)


def place_of(force_field: ForceField, selection: Selection, vector: np.ndarray) -> Place:
    """t → θ(t) along a vector of amounts of the chosen parameters, with what follows them; InputError beyond bounds."""
    table, change = force_field.table, selection.steps.combined(vector)
    own = list(selection.indices)

    def place(t: float) -> PyTree:
        values = table.values + t * change
        moved = values[own]
        if np.any((moved < table.lower[own]) | (moved > table.upper[own])):
            raise InputError("a parameter leaves its bounds")
        return force_field.with_parameters(table.unravel(values)).parameters

    return place


def _energy_unit(equilibrium: Equilibrium) -> str:
    system = getattr(equilibrium.energy, "system", None)
    return "eV" if system is None else system.units.inner_symbols()[0]


def _nothing(unit: str, reason: str, start: float) -> SecondOrderInfo:
    return SecondOrderInfo(
        tolerance=TOLERANCE,
        energy_hessian=None,
        unit=unit,
        asymmetry=None,
        expansions=[],
        seconds=time.perf_counter() - start,
        reason=reason,
    )


def _missing(name: str, selection: Selection) -> ExpansionInfo:
    """A parameter with respect to which no derivative exists."""
    return ExpansionInfo(
        parameter=name,
        energy=None,
        observables=[],
        position_norm=None,
        relative_residual=None,
        validity=None,
        reason=selection.undefined[name],
    )


def _spread(matrix: np.ndarray, known: np.ndarray) -> list[list[float | None]]:
    """The matrix over all parameters, null where derivatives do not exist."""
    places = np.cumsum(known) - 1
    pairs = [(int(place), bool(there)) for place, there in zip(places, known, strict=True)]
    return [[float(matrix[i, j]) if a and b else None for j, b in pairs] for i, a in pairs]


def _perturbations(expansion: Expansion, valid: Validity, samples: int) -> list[float]:
    """Steps at which predictions are measured, on a logarithmic scale, to the side that has more room."""
    if samples <= 0:
        return []
    down, up = (side.reach * expansion.size for side in valid.quadratic)
    side, reach = (1.0, up) if up >= 0.5 * down else (-1.0, down)
    top = min(FARTHER * reach, FARTHEST)
    if not top > 0:
        return []
    return [float(side * change / expansion.size) for change in np.geomspace(top * 10.0**-DECADES, top, samples)[-samples:]]


def _expansion_info(
    name: str,
    equilibrium: Equilibrium,
    expansion: Expansion,
    valid: Validity,
    checks: list[Measured] | None,
    observables: Sequence[BoundObservable],
    *,
    single: bool,
) -> ExpansionInfo:
    _, first, second, third = (float(number) for number in expansion.energy)
    series = {o.name: o for o in expansion.observables}
    return ExpansionInfo(
        parameter=name if single else msgspec.UNSET,
        direction=msgspec.UNSET if single else name,
        energy=EnergySeries(first=first, second=second, third=third),
        observables=[
            ObservableBend(
                name=o.name,
                unit=o.unit,
                first=np.asarray(series[o.name].first).tolist() if o.name in series else None,
                second=np.asarray(series[o.name].second).tolist() if o.name in series else None,
            )
            for o in observables
        ],
        position_norm=float(np.linalg.norm(second_motion(equilibrium, expansion.first, expansion.second))),
        relative_residual=expansion.relative_residual,
        validity=_validity_info(expansion, valid, single=single),
        measured=msgspec.UNSET if checks is None else [_measured_info(expansion, check) for check in checks],
    )


def _validity_info(expansion: Expansion, valid: Validity, *, single: bool) -> ValidityInfo:
    def sides(pair: tuple[Side, Side]) -> list[SideInfo]:
        return [SideInfo(relative=float(side.reach * expansion.size), limited_by=side.reason) for side in pair]

    def change(pair: tuple[Side, Side]) -> list[float] | None:
        return [-float(pair[0].reach), float(pair[1].reach)] if single else None

    return ValidityInfo(
        linear=sides(valid.linear),
        quadratic=sides(valid.quadratic),
        linear_change=change(valid.linear),
        quadratic_change=change(valid.quadratic),
        ranges=[RangeInfo(quantity=each.quantity, linear=sides(each.linear), quadratic=sides(each.quadratic)) for each in valid.ranges],
    )


def _measured_info(expansion: Expansion, check: Measured) -> MeasuredInfo:
    rows = zip(check.quantities, check.change, check.linear, check.quadratic, strict=True)
    errors = [MeasuredError(quantity=name, change=float(c), linear=float(a), quadratic=float(b)) for name, c, a, b in rows]
    return MeasuredInfo(
        relative=float(check.t * expansion.size), errors=[] if check.reason else errors, reason=check.reason or msgspec.UNSET
    )
