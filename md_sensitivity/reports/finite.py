"""Nothing that is not finite is ever written: JSON would turn NaN into null silently, so look first."""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec
import numpy as np

from md_sensitivity.analysis.result import Result
from md_sensitivity.errors import ComputationError


def require_finite(result: Result) -> None:
    """Raise ComputationError naming the first place of the result that holds NaN or an infinity."""
    for place, value in not_finite(msgspec.to_builtins(result.document), ""):
        raise ComputationError(f"{result.name}: {place} is {value}, not a finite number; nothing was written")
    for name, array in result.arrays.items():
        if array.dtype.kind == "O":
            raise ComputationError(f"{result.name}: array {name} holds Python objects, which only pickle could write; nothing was written")
        if array.dtype.kind in "fc" and not np.all(np.isfinite(array)):
            index = ", ".join(map(str, np.argwhere(~np.isfinite(array))[0]))
            raise ComputationError(f"{result.name}: array {name}[{index}] is not a finite number; nothing was written")


def not_finite(item: object, place: str) -> Iterator[tuple[str, float]]:
    """Places of a document of plain containers where a number is not finite, as `observables[0].total[2]`."""
    if isinstance(item, float):
        if not math.isfinite(item):
            yield place, item
    elif isinstance(item, dict):
        for key, value in item.items():
            yield from not_finite(value, f"{place}.{key}" if place else str(key))
    elif isinstance(item, list | tuple):
        for index, value in enumerate(item):
            yield from not_finite(value, f"{place}[{index}]")
