"""Predictions of first and second order against structures that are minimized again at changed parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np
from jax.flatten_util import ravel_pytree

from md_sensitivity.analysis.differences import Rebuild
from md_sensitivity.analysis.expansion import ENERGY, Expansion
from md_sensitivity.analysis.sensitivity import evaluate
from md_sensitivity.analysis.validity import Place, quantities, without_turns
from md_sensitivity.errors import InputError
from md_sensitivity.minimization import Equilibrium, Stored, polish
from md_sensitivity.observables import BoundObservable

_RELAXED = 1e-9
"""Largest force component up to which a structure counts as relaxed again [eV/Å], or a thousand times that of the first minimum."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Errors of predictions at one t, in the order energy, observables, positions.

    Attributes:
        t: step along the direction.
        quantities: names.
        change: size of the true change of each, NaN where there is none.
        linear, quadratic: size of the error of each prediction.
        reason: why nothing could be measured.
    """

    t: float
    quantities: tuple[str, ...]
    change: np.ndarray
    linear: np.ndarray
    quadratic: np.ndarray
    reason: str = ""

    def holds(self, expansion: Expansion, tolerance: float, order: int) -> np.ndarray:
        """Whether the error of each prediction is at most `tolerance` of the change that it predicts."""
        sizes = [(abs(expansion.energy[1]), abs(expansion.energy[2]))]
        others = [o for o in expansion.observables if o.name != ENERGY]
        sizes += [(float(np.linalg.norm(o.first)), float(np.linalg.norm(o.second))) for o in others]
        sizes.append((_norm(expansion.first), _norm(expansion.second)))
        first, second = abs(self.t) * np.array(sizes).T[0], 0.5 * self.t**2 * np.array(sizes).T[1]
        return np.asarray(self.linear <= tolerance * first if order == 1 else self.quadratic <= tolerance * (first + second))


def measured(
    equilibrium: Equilibrium,
    expansion: Expansion,
    t: float,
    observables: Sequence[BoundObservable],
    rebuild: Rebuild,
    *,
    place: Place | None = None,
    stored: Stored | None = None,
) -> Measured:
    """The errors of an expansion at θ(t), by minimizing again from the predicted structure.

    Args:
        observables: those of the expansion.
        rebuild: θ → energy built anew for it.
        place: t → θ(t); default: the series.
        stored: the Hessian at x* from `stored_of`, which speeds the minimization up.
    """
    names = quantities(expansion)
    none = np.full(len(names), np.nan)

    def nothing(reason: str) -> Measured:
        return Measured(t=t, quantities=names, change=none, linear=none, quadratic=none, reason=reason)

    try:
        theta = jax.tree.map(np.asarray, expansion.parameters(equilibrium.theta, t) if place is None else place(t))
        energy = rebuild(theta)
    except InputError as error:
        return nothing(f"the changed force field is not admitted: {error}")
    start = replace(equilibrium, x=jax.tree.map(np.asarray, expansion.positions_at(equilibrium.x, t)))
    found = polish(start, energy, theta, goal=max(1e-4 * equilibrium.max_force, 1e-14), stored=stored)
    if not np.isfinite(found.value) or found.max_force > max(1e3 * equilibrium.max_force, _RELAXED):
        return nothing(f"the changed structure did not relax (largest force {found.max_force:.2g})")
    changes = [np.asarray(found.value - expansion.energy[0])]
    predicted = [(expansion.energy[1] * t, 0.5 * t * t * expansion.energy[2])]
    for series, value in zip(expansion.observables, evaluate(observables, found.energy, found.x, theta), strict=True):
        if series.name == ENERGY:
            continue
        changes.append(without_turns(value - series.value, series.unit))
        predicted.append((t * series.first, 0.5 * t * t * series.second))
    changes.append(_flat(found.x) - _flat(equilibrium.x))
    predicted.append((t * _flat(expansion.first), 0.5 * t * t * _flat(expansion.second)))
    pairs = list(zip(changes, predicted, strict=True))
    return Measured(
        t=t,
        quantities=names,
        change=np.array([np.linalg.norm(change) for change in changes]),
        linear=np.array([np.linalg.norm(change - first) for change, (first, _) in pairs]),
        quadratic=np.array([np.linalg.norm(change - first - second) for change, (first, second) in pairs]),
    )


def _flat(tree: Any) -> np.ndarray:
    return np.asarray(ravel_pytree(tree)[0])


def _norm(tree: Any) -> float:
    return float(np.linalg.norm(_flat(tree)))
