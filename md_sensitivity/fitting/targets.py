"""What a fit aims at: observables of relaxed structures, or of structures as they are given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from md_sensitivity.errors import UsageError
from md_sensitivity.fitting.kinds import FORCES, POSITIONS
from md_sensitivity.observables import OBSERVABLES, Observable, observable
from md_sensitivity.registry import did_you_mean
from md_sensitivity.types import Structure

GIVEN = ("energy", "forces", "stress", "pressure", "dipole", "dipole_vector", "interaction_energy")
"""Observables that depend on parameters where positions are given."""
MODERATE = 100
"""Powers of ten that √weight/std, and that times value or factor, may be away from 1: squares and sums of them stay finite, and above 0."""


@dataclass(frozen=True, eq=False)
class Target:
    """One observable of one structure with the value it should have.

    Attributes:
        structure: where a minimization starts, or the given geometry.
        observable: as on the command line, `distance:0-1`; also `positions` of a relaxed structure, compared after removing rigid
            motions, and `forces` at a given geometry.
        value: in the unit of the observable: a number, 6 numbers of a stress, shape=(n, 3) of forces [eV/Å] and positions [Å]. None, for
            positions only: those of the structure itself.
        std: standard deviation, a number or one for each component.
        weight: the squared residual counts this many times.
        relaxed: False: at the positions of the structure as they are.
        name: in reports; default: structure and observable.
        relative_to: another structure, treated alike, of which `factor` times the observable is subtracted first, so that energies
            known up to a constant can be fitted as differences.
        factor: for a difference of energies per atom, or of formation: atoms here over atoms there.
    """

    structure: Structure
    observable: str
    value: Any
    std: Any
    weight: float = 1.0
    relaxed: bool = True
    name: str = ""
    relative_to: Structure | None = None
    factor: float = 1.0

    @property
    def title(self) -> str:
        """Name in reports."""
        return self.name or f"{self.structure.name}: {self.observable}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Goal:
    """A checked target.

    Attributes:
        target: as given.
        asked: its observable.
        value, std: of shape=(k,), flat.
        count: shape of the value as reports show it.
    """

    target: Target
    asked: Observable
    value: np.ndarray
    std: np.ndarray
    shape: tuple[int, ...]

    @property
    def slope(self) -> np.ndarray:
        """Residual per unit of the observable, √weight/std, shape=(k,)."""
        return np.sqrt(self.target.weight) / self.std


def checked(target: Target) -> Goal:
    """The target with its numbers as arrays.

    Raises:
        UsageError: where it makes no sense; the message names it.
    """
    try:
        asked = _asked(target)
        if not (np.isfinite(target.weight) and target.weight > 0):
            raise UsageError(f"weight must be greater than zero, not {target.weight!r}")
        if not np.isfinite(target.factor):
            raise UsageError(f"factor must be a finite number, not {target.factor!r}")
        shape = _shape(asked, target.structure)
        given = target.structure.positions if target.value is None and asked.kind is POSITIONS else target.value
        value = _numbers(given, shape, "value")
        std = _numbers(target.std, shape, "std", spread=True)
        if not np.all(std > 0):
            raise UsageError("std must be greater than zero")
        _require_moderate(target, value, std)
        _require_something_left(target)
    except UsageError as error:
        raise UsageError(f"target {target.title!r}: {error}") from None
    return Goal(target=target, asked=asked, value=value.ravel(), std=std.ravel(), shape=shape)


def content(structure: Structure) -> tuple[Any, ...]:
    """What two structures must share to be the same in a fit."""
    arrays = (structure.positions, structure.cell, structure.pbc, structure.fixed, structure.masses)
    return (structure.types, structure.symbols, *(np.asarray(array).tobytes() for array in arrays))


def _require_moderate(target: Target, value: np.ndarray, std: np.ndarray) -> None:
    """Refuse numbers whose χ² would be infinite or vanish, before anything is computed from them."""
    value, std = value.ravel(), std.ravel()
    slope = 0.5 * np.log10(target.weight) - np.log10(std)  # logarithms, because the quotient itself may overflow
    size = slope + np.log10(np.maximum(np.abs(value), max(1.0, abs(target.factor))))
    least, most = int(np.argmin(slope)), int(np.argmax(size))
    if size[most] > MODERATE:
        given = _given(target, value[most], std[most])
        raise UsageError(f"{given}: a residual of {_power(size[most])} standard deviations has no finite square; check the units")
    if slope[least] < -MODERATE:
        given = _given(target, value[least], std[least])
        raise UsageError(f"{given}: counts for nothing (√weight/std = {_power(slope[least])}); check the units, or leave the target out")


def _given(target: Target, value: float, std: float) -> str:
    factor = "" if target.relative_to is None else f", factor = {target.factor:g}"
    return f"value = {value:g} with std = {std:g}, weight = {target.weight:g}{factor}"


def _power(logarithm: float) -> str:
    return f"1e{logarithm:+.0f}"


def _require_something_left(target: Target) -> None:
    """Refuse what is zero whatever the parameters are."""
    other = target.relative_to
    if other is not None and target.factor == 1.0 and content(other) == content(target.structure):
        raise UsageError("is relative to its own structure with factor = 1, and so zero whatever the parameters; give another relative_to")


def _asked(target: Target) -> Observable:
    name = target.observable.partition(":")[0]
    if target.observable == FORCES.name:
        if target.relaxed:
            raise UsageError("forces of a relaxed structure are zero; ask for them with relaxed = false")
        asked = Observable(kind=FORCES)
    elif target.observable == POSITIONS.name:
        if not target.relaxed:
            raise UsageError("positions that are given do not depend on parameters; ask for them with relaxed = true")
        if target.relative_to is not None:
            raise UsageError("positions cannot be taken relative to those of another structure")
        asked = Observable(kind=POSITIONS)
    elif name not in OBSERVABLES:
        known = (*OBSERVABLES, FORCES.name, POSITIONS.name)
        raise UsageError(f"unknown observable {name!r}{did_you_mean(name, known)}; available: {', '.join(known)}")
    else:
        asked = observable(target.observable, target.structure)
    if not target.relaxed and asked.kind.name not in GIVEN:
        raise UsageError(f"{asked.name} at given positions does not depend on parameters; relaxed = false goes with {', '.join(GIVEN)}")
    if asked.kind is FORCES and target.relative_to is not None and target.relative_to.size != target.structure.size:
        raise UsageError("forces relative to those of another structure need the same number of atoms")
    count = target.structure.size
    if any(atom >= count for atom in asked.atoms):
        raise UsageError(f"there is no atom {max(asked.atoms)} in {target.structure.name}; indices run from 0 to {count - 1}")
    return asked


def _shape(asked: Observable, structure: Structure) -> tuple[int, ...]:
    if asked.kind in (FORCES, POSITIONS):
        return (structure.size, 3)
    return (asked.kind.components,) if asked.kind.components > 1 else ()


def _numbers(given: Any, shape: tuple[int, ...], what: str, *, spread: bool = False) -> np.ndarray:
    """An array of this shape; a single number fills it where `spread`."""
    try:
        array = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise UsageError(f"{what} must be {_described(shape)}, not {given!r}") from None
    if array.shape != shape and not (spread and array.ndim == 0):
        found = "a number" if array.ndim == 0 else f"an array of shape {array.shape}"
        raise UsageError(f"{what} must be {_described(shape)}, not {found}")
    if not np.all(np.isfinite(array)):
        raise UsageError(f"{what} is not finite")
    return np.broadcast_to(array, shape).copy()


def _described(shape: tuple[int, ...]) -> str:
    return "a number" if not shape else f"numbers of shape {shape}"
