"""Numbers of one parameter of one type tuple → a block of the table: what each kind of force-field file ends in."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache

import numpy as np

from md_sensitivity.errors import InputError
from md_sensitivity.forcefields.numbers import Numbers
from md_sensitivity.forcefields.table import ParameterBlock, TypeTuple, join_types
from md_sensitivity.potentials.base import ParameterSpec
from md_sensitivity.units import UnitSystem


def block_of(
    spec: ParameterSpec,
    numbers: Numbers,
    row: int,
    units: UnitSystem,
    *,
    label: str,
    types: TypeTuple = (),
    tag: str = "",
    separator: str = "",
) -> ParameterBlock:
    """A block of the table.

    Args:
        row: position among the rows of this parameter.
        label, types, tag, separator: as of `ParameterBlock`.
    """
    return ParameterBlock(
        label=label,
        types=types,
        leaf=spec.name,
        start=row * len(numbers.values),
        values=numbers.values,
        unit=_unit(units, spec.energy, spec.length, spec.charge, spec.angle, spec.radian),
        lower=numbers.lower,
        upper=numbers.upper,
        std=numbers.std,
        fixed=numbers.fixed,
        series=spec.count is not None,
        separator=separator,
        follows=numbers.follows,
        tag=tag,
    )


def plain_numbers(spec: ParameterSpec, values: np.ndarray, *, fixed: bool = False, follows: str = "") -> Numbers:
    """Numbers of which a file says the value and no more.

    Args:
        values: shape=(size,).
        fixed: whether they are, whatever the form says.
        follows: expression that a single number is; "" for none.
    """
    common = _common(spec.lower, spec.upper, len(values), fixed or spec.fixed)
    return Numbers(values, *common, {0: follows} if follows else {})


def require_admitted(spec: ParameterSpec, values: Iterable[float], place: str, of: TypeTuple | str, *, idle: bool = False) -> None:
    """Refuses numbers that are not finite, or physically impossible.

    Args:
        place: file and line.
        of: types or label that they belong to.
        idle: whether they mean that there is no interaction, and may have any size.
    """
    for value in values:
        if not (math.isfinite(value) and (idle or spec.admits(value))):
            name = of if isinstance(of, str) else join_types(of)
            wanted = "a finite number" if idle else spec.bounds_text
            raise InputError(f"{place}: {spec.description} {spec.name} = {value:g} of {name} must be {wanted}")


_unit = lru_cache(maxsize=1024)(UnitSystem.symbol)


@lru_cache(maxsize=1024)
def _common(lower: float, upper: float, size: int, fixed: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What blocks have in common, read-only; a force field has tens of thousands of them, and they share these arrays."""
    first, second, third = (np.broadcast_to(np.float64(number), size) for number in (lower, upper, np.nan))
    return first, second, third, np.broadcast_to(np.bool_(fixed), size)
