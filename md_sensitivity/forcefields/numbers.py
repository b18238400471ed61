"""What a file says of one parameter, a number or a long form with standard deviation and bounds, as arrays; every number checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from md_sensitivity.errors import InputError
from md_sensitivity.files import quotation, shortened
from md_sensitivity.forcefields.expressions import plain
from md_sensitivity.potentials.base import ParameterSpec
from md_sensitivity.registry import did_you_mean

_OWN_KEYS = ("value", "std", "bounds", "fixed", "group")
_TIE_KEYS = ("tie", "scale")
LONG_KEYS = (*_OWN_KEYS, *_TIE_KEYS, "expression")
"""Keys of the long form of a parameter."""


class Numbers(NamedTuple):
    """As of `ParameterBlock`."""

    values: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    std: np.ndarray
    fixed: np.ndarray
    follows: dict[int, str]


def numbers_of(given: Any, spec: ParameterSpec, size: int | None, singles: Mapping[int, Any], *, where: str) -> Numbers:
    """The numbers of one parameter of one type tuple.

    Args:
        given: a number, a list of `size` numbers for a series, or a long form of either.
        singles: number of a series → what is said of it alone.
        where: file and place.

    Raises:
        InputError: with place and reason.
    """
    long = _long(given, where)
    if size is None:
        return _checked(_one(long, spec, where), spec, where, series=False)
    if follows_of(long, where):
        raise InputError(f"{where}: a series follows nothing as a whole; write {where.rpartition('.')[2]}0 = ... for its numbers")
    values, std = _listed(long.get("value"), size, where, "is a list of"), long.get("std")
    low, high = _bounds(long.get("bounds"), spec.lower, spec.upper, where)
    numbers = Numbers(
        values=values,
        lower=np.full(size, low),
        upper=np.full(size, high),
        std=_listed(std, size, f"{where}: std", "is one number, or") if isinstance(std, list) else np.full(size, _std(std, where)),
        fixed=np.full(size, _flag(long.get("fixed", spec.fixed), where)),
        follows={},
    )
    if np.any(numbers.std < 0):
        raise InputError(f"{where}: std must be at least 0")
    for k, said in singles.items():
        place = f"{where}{k}"
        whole = {"value": float(values[k]), "fixed": bool(numbers.fixed[k]), "std": _known(numbers.std[k]), "bounds": [low, high]}
        alone = _long(said, place)
        one = _one(alone if follows_of(alone, place) else {**whole, **alone}, spec, place)
        for name in ("values", "lower", "upper", "std", "fixed"):
            getattr(numbers, name)[k] = getattr(one, name)[0]
        if one.follows:
            numbers.follows[k] = one.follows[0]
    return _checked(numbers, spec, where, series=True)


def follows_of(long: Mapping[str, Any], where: str) -> str:
    """The expression that a long form says its value is; "" where it has a value of its own."""
    if "tie" not in long and "expression" not in long:
        if "scale" in long:
            raise InputError(f"{where}: scale belongs to tie = ...")
        return ""
    allowed = _TIE_KEYS if "tie" in long else ("expression",)
    for key in long:
        if key not in allowed:
            raise InputError(f"{where}: its value follows {allowed[0]} = ..., so that {key} has no place here; remove one of them")
    text = long[allowed[0]]
    if not isinstance(text, str) or not text.strip() or ("tie" in long and "`" in text):
        raise InputError(f"{where}: {allowed[0]} must be a text such as \"lennard_jones.Ar.sigma\"")
    if "tie" not in long:
        return text
    scale = number_of(long.get("scale", 1.0), f"{where}: scale")
    if scale == 0.0:
        raise InputError(f"{where}: scale = 0 ties nothing; give the value 0 itself")
    return plain(text) if scale == 1.0 else f"{scale!r} * {plain(text)}"


def _long(given: Any, where: str) -> dict[str, Any]:
    long = given if isinstance(given, dict) else {"value": given}
    require_known(long, LONG_KEYS, where)
    if "group" in long and (not isinstance(long["group"], str) or not long["group"]):
        raise InputError(f"{where}: group must be a text")
    return long


def _one(long: Mapping[str, Any], spec: ParameterSpec, where: str) -> Numbers:
    """A single number."""
    follows = follows_of(long, where)
    if "value" not in long and not follows:
        raise InputError(f"{where}: has no value")
    value = np.nan if follows else number_of(long["value"], where)
    low, high = _bounds(long.get("bounds"), spec.lower, spec.upper, where)
    return Numbers(
        values=np.array([value]),
        lower=np.array([low]),
        upper=np.array([high]),
        std=np.array([_std(long.get("std"), where)]),
        fixed=np.array([_flag(long.get("fixed", spec.fixed and not follows), where)]),
        follows={0: follows} if follows else {},
    )


def _checked(numbers: Numbers, spec: ParameterSpec, where: str, *, series: bool) -> Numbers:
    """Refuses values that are physically impossible, or outside the bounds that the file itself gives."""
    values = numbers.values
    above = values > spec.lower if spec.open_lower else values >= spec.lower
    below = values < spec.upper if spec.open_upper else values <= spec.upper
    own = np.ones(len(values), dtype=bool)
    own[list(numbers.follows)] = False
    for wrong, reason in (
        (own & ~(above & below), lambda k: f"must be {spec.bounds_text}"),
        (
            own & ~((numbers.lower <= values) & (values <= numbers.upper)),
            lambda k: f"lies outside its own bounds [{numbers.lower[k]:g}, {numbers.upper[k]:g}]",
        ),
    ):
        if np.any(wrong):
            k = int(np.argmax(wrong))
            raise InputError(f"{where}{k if series else ''} = {values[k]:g}: {reason(k)}")
    return numbers


def _listed(values: Any, size: int, where: str, phrase: str) -> np.ndarray:
    """A list of numbers of a given length, finite."""
    if not isinstance(values, list | tuple | np.ndarray) or len(values) != size:
        count = len(values) if isinstance(values, list | tuple | np.ndarray) else "no"
        raise InputError(f"{where}: {phrase} {size} numbers, and {count} are given")
    if isinstance(values, np.ndarray) and values.dtype == np.float64 and values.ndim == 1:
        found = values.copy()
    elif all(type(value) is float for value in values):
        found = np.array(values, dtype=np.float64)
    else:
        found = np.array([number_of(value, f"{where}{k}") for k, value in enumerate(values)], dtype=np.float64)
    if not np.all(np.isfinite(found)):
        k = int(np.argmin(np.isfinite(found)))
        raise InputError(f"{where}{k} = {found[k]} is not finite")
    return found


def _std(given: Any, where: str) -> float:
    return np.nan if given is None else number_of(given, f"{where}: std", at_least=0.0)


def _known(std: float) -> float | None:
    return None if np.isnan(std) else float(std)


def _flag(given: Any, where: str) -> bool:
    if not isinstance(given, bool):
        raise InputError(f"{where}: fixed must be true or false")
    return given


def _bounds(given: Any, lower: float, upper: float, where: str) -> tuple[float, float]:
    if given is None:
        return lower, upper
    if not isinstance(given, list) or len(given) != 2:
        raise InputError(f"{where}: bounds must be a pair such as [0, 1]")
    low, high = (number_of(end, f"{where}: bounds", finite=False) for end in given)
    if math.isnan(low) or math.isnan(high) or low > high:
        raise InputError(f"{where}: bounds [{low:g}, {high:g}] are not in ascending order")
    return max(low, lower), min(high, upper)


def require_known(entry: Mapping[str, Any], known: Any, where: str) -> None:
    """Raises InputError at the first key that nobody knows."""
    for key in entry:
        if key not in known:
            raise InputError(f"{where}: unknown key {quotation(key)}{did_you_mean(key, known)}; known: {', '.join(known)}")


def number_of(value: Any, where: str, *, at_least: float | None = None, above: float | None = None, finite: bool = True) -> float:
    """A number that TOML or a potential file gives, as a float.

    Raises:
        InputError: where it is no number, or none that is allowed.
    """
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.floating | np.integer):
        raise InputError(f"{where} must be a number, not {shortened(repr(value))}")
    try:
        number = float(value)
    except OverflowError:
        raise InputError(f"{where} is too large for a float") from None
    if finite and not math.isfinite(number):
        raise InputError(f"{where} = {number} is not finite")
    if at_least is not None and not number >= at_least:
        raise InputError(f"{where} = {number:g} must be at least {at_least:g}")
    if above is not None and not number > above:
        raise InputError(f"{where} = {number:g} must be greater than {above:g}")
    return number
