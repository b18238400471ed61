"""Σ c_k O_k over other relaxed structures, which some observables are measured from (`observables/formation.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from md_sensitivity.analysis.sensitivity import evaluate
from md_sensitivity.minimization import Equilibrium
from md_sensitivity.neighbors import on_device
from md_sensitivity.observables import BoundObservable, Observable
from md_sensitivity.observables.base import OFFSET, ObservableKind


def offset(kind: ObservableKind, equilibria: Sequence[Equilibrium], coefficients: Sequence[float]) -> float:
    """The sum, of the kind that another refers to, in its unit.

    Raises:
        UsageError: where that is not offered for one of the structures.
    """
    total = 0.0
    for equilibrium, coefficient in zip(equilibria, coefficients, strict=True):
        bound = (Observable(kind=kind).bind(equilibrium),)
        total += coefficient * float(evaluate(bound, equilibrium.energy, equilibrium.x, equilibrium.theta)[0])
    return total


def referring(
    observables: Sequence[BoundObservable], equilibria: Sequence[Equilibrium], coefficients: Sequence[float]
) -> tuple[BoundObservable, ...]:
    """The observables, measured from these structures where they refer to some."""
    kinds = {kind for observable in observables if (kind := observable.kind.referred) is not None}
    sums = {kind: on_device(np.float64(offset(kind, equilibria, coefficients))) for kind in kinds}

    def measured(observable: BoundObservable) -> BoundObservable:
        kind = observable.kind.referred
        return observable if kind is None else replace(observable, data={**observable.data, OFFSET: sums[kind]})

    return tuple(map(measured, observables))
