"""Tables `types → parameter → number` → a term with its rows of the parameter table, every key and number checked."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from md_sensitivity.errors import InputError
from md_sensitivity.files import quotation, shortened
from md_sensitivity.forcefields.data import ForceField, ParameterRow, Parameters, ParameterTable, Term, TypeTuple, join_types, split_types
from md_sensitivity.potentials.base import Form, ManyBodyForm, Options, PairForm, ParameterSpec, default_label, types_of
from md_sensitivity.registry import did_you_mean
from md_sensitivity.units import UnitSystem

_LONG_KEYS = ("value", "std", "bounds", "fixed")


def tree_of(rows: list[ParameterRow]) -> Parameters:
    """θ of some rows of a parameter table."""
    return ParameterTable(rows=tuple(rows)).unravel(np.array([row.value for row in rows]))


def force_field_of(
    form: Form,
    entries: Mapping[TypeTuple, Mapping[str, Any]],
    options: Options,
    units: UnitSystem,
    *,
    name: str,
    source: str,
    label: str = "",
) -> ForceField:
    """Force field of one term with the values of a potential file."""
    tables = {join_types(types): dict(values) for types, values in entries.items()}
    settings = {"options": options_of(form, {}, options, source)}
    term, rows = assembled_term(form, label or default_label(form), tables, units, source=source, settings=settings)
    return ForceField(name=name, units=units, terms=(term,), parameters=tree_of(rows), table=ParameterTable(rows=tuple(rows)))


def options_of(form: Form, given: Mapping[str, Any], known: Options, where: str) -> dict[str, float]:
    """Values of a form's own options: what is given, else what a potential file says, else the default."""
    found = {}
    for option in form.options:
        if option.name in given and option.name in known:
            raise InputError(f"{where}: {option.name} is said by the file; remove it here")
        value = given.get(option.name, known.get(option.name, option.default))
        if value is None:
            raise InputError(f"{where}: {form.name} needs {option.name} = ... ({option.description})")
        above = option.lower if option.open_lower else None
        found[option.name] = number_of(value, f"{where}: {option.name}", at_least=option.lower, above=above)
        if found[option.name] > option.upper:
            raise InputError(f"{where}: {option.name} = {found[option.name]:g} must be at most {option.upper:g}")
        if option.whole and found[option.name] != int(found[option.name]):
            raise InputError(f"{where}: {option.name} = {found[option.name]:g} must be a whole number")
    for option in form.options:
        if option.below and not found[option.name] < found[option.below]:
            raise InputError(
                f"{where}: {option.name} = {found[option.name]:g} must be less than {option.below} = {found[option.below]:g}"
            )
    return found


def assembled_term(
    form: Form, label: str, tables: Mapping[str, Mapping[str, Any]], units: UnitSystem, *, source: str, settings: dict[str, Any]
) -> tuple[Term, list[ParameterRow]]:
    """Term and table rows from `types → parameter → number or long form`, types as written.

    Raises:
        InputError: with place and reason.
    """
    if units.reduced and isinstance(form, PairForm) and form.absolute:
        raise InputError(f"{source}: potential {label!r}: {form.name} holds lengths of nature and has no reduced units")
    specs = {spec.name: spec for spec in form.parameters}
    mixed = settings.get("mixing", "none") != "none"
    options = settings.get("options", {})
    seen: dict[tuple[str, TypeTuple], str] = {}
    rows: list[ParameterRow] = []
    tuples: dict[str, list[TypeTuple]] = {name: [] for name in specs}
    constants: dict[str, list[float]] = {spec.name: [] for spec in form.parameters if spec.option}
    for key, entry in tables.items():
        where = f"{source}: potential {label!r}: parameters.{shortened(key)}"
        types = _types(key, form, where)
        require_known(entry, specs, where)
        own: dict[str, float] = {}
        for spec, given in _given(form, types, entry, where, partial=mixed and len(types) == 2):
            _once(seen, spec, types, key, form, where)
            place = f"{where}.{spec.name}"
            if spec.option:
                constants[spec.name].append(_choice(number_of(given, place), spec, place))
            else:
                size = None if spec.count is None else spec.count(options)
                start = len(tuples[spec.name]) * (size or 1)
                rows += _rows(given, spec, units, size, start=start, label=label, types=types, where=place)
                own[spec.name] = rows[-1].value
            tuples[spec.name].append(types)
        _require_unlike(form, own, where)
    term = Term(
        form=form,
        label=label,
        rows={name: tuple(found) for name, found in tuples.items()},
        constants={name: tuple(values) for name, values in constants.items()},
        **settings,
    )
    return term, rows


def _require_unlike(form: Form, values: Mapping[str, float], where: str) -> None:
    """Refuses two parameters of one entry that are equal and may not be."""
    for spec in form.parameters:
        if spec.unlike in values and values.get(spec.name) == values[spec.unlike]:
            raise InputError(f"{where}: {spec.name} and {spec.unlike} are both {values[spec.name]:g}; {form.name} needs two numbers")


def _choice(value: float, spec: ParameterSpec, where: str) -> float:
    if spec.choices and value not in spec.choices:
        raise InputError(f"{where} = {value:g}: must be {' or '.join(f'{choice:g}' for choice in spec.choices)}")
    return value


def _types(key: str, form: Form, where: str) -> TypeTuple:
    types = split_types(key)
    lengths = {types_of(spec, form) for spec in form.parameters} | ({1} if form.order == 2 else set())
    if len(types) not in lengths or not all(types):
        example = " or ".join("-".join((["Ar", "Kr", "Xe"] if form.order == 2 else ["Si"] * 3)[:length]) for length in sorted(lengths))
        raise InputError(f"{where}: types of {form.name} are written like {example}")
    if any(char.isspace() or not char.isprintable() for char in key):
        raise InputError(f"{where}: types are words without blanks")
    return types


def _given(
    form: Form, types: TypeTuple, entry: Mapping[str, Any], where: str, *, partial: bool
) -> Iterator[tuple[ParameterSpec, Any]]:
    """The parameters that an entry gives, or has defaults for; those of one function of as many types are given together or not at all."""
    found = 0
    wanted: list[str] = []
    groups: dict[tuple[int, str], list[ParameterSpec]] = {}
    for spec in form.parameters:
        groups.setdefault((types_of(spec, form), spec.name.rpartition(".")[0]), []).append(spec)
    for (count, _), specs in groups.items():
        applies = count == len(types) or (len(types) == 1 and count == 2)  # `Ar` is short for `Ar-Ar`
        named = [spec.name for spec in specs if spec.name in entry]
        missing = [spec.name for spec in specs if spec.name not in entry and spec.default is None]
        if named and not applies:
            raise InputError(f"{where}: {', '.join(named)} of {form.name} speak of {count} type{'s' if count > 1 else ''}")
        if named and missing and not partial:
            raise InputError(f"{where}: misses {', '.join(missing)}")
        wanted += missing if applies else []
        if not named and (missing or count != len(types)):
            continue
        for spec in specs if applies else ():
            if spec.name in entry or not (partial or spec.default is None):
                found += 1
                yield spec, entry.get(spec.name, spec.default)
    if not found and not partial:
        raise InputError(f"{where}: misses {', '.join(wanted)}")


def _once(seen: dict[tuple[str, TypeTuple], str], spec: ParameterSpec, types: TypeTuple, key: str, form: Form, where: str) -> None:
    """Refuses a second entry for the same types, in whichever order or spelling."""
    order = types_of(spec, form)
    same = types * order if len(types) == 1 else types
    unordered = not isinstance(form, ManyBodyForm) and not spec.ordered
    identity = (spec.name, tuple(sorted(same)) if unordered else same)
    if identity in seen:
        raise InputError(f"{where}: speaks of the same types as parameters.{seen[identity]}; keep one of them")
    seen[identity] = key


def _rows(
    given: Any, spec: ParameterSpec, units: UnitSystem, size: int | None, *, start: int, label: str, types: TypeTuple, where: str
) -> list[ParameterRow]:
    """The row of a parameter, or the rows of a series of `size`, the first of which stands at `start` in its array of θ."""
    long = given if isinstance(given, dict) else {"value": given}
    require_known(long, _LONG_KEYS, where)
    if "value" not in long:
        raise InputError(f"{where}: has no value")
    values = long["value"]
    if size is not None:
        if not isinstance(values, list | tuple | np.ndarray) or len(values) != size:
            count = len(values) if isinstance(values, list | tuple | np.ndarray) else "no"
            raise InputError(f"{where}: is a list of {size} numbers, and {count} are given")
    spec = spec.within(types)
    bounds = _bounds(long.get("bounds"), spec, where)
    fixed = long.get("fixed", spec.fixed)
    if not isinstance(fixed, bool):
        raise InputError(f"{where}: fixed must be true or false")
    unit = units.symbol(spec.energy, spec.length, spec.charge)
    rows = []
    for k, entry in enumerate([values] if size is None else values):
        place = where if size is None else f"{where}{k}"
        value = number_of(entry, place)
        if not spec.admits(value):
            raise InputError(f"{place} = {value:g}: must be {spec.bounds_text}")
        if not bounds[0] <= value <= bounds[1]:
            raise InputError(f"{place} = {value:g}: lies outside its own bounds [{bounds[0]:g}, {bounds[1]:g}]")
        std = long.get("std")
        if isinstance(std, list) and size is not None:
            if len(std) != size:
                raise InputError(f"{where}: std is one number, or {size}, and {len(std)} are given")
            std = std[k]
        rows.append(
            ParameterRow(
                label=label,
                types=types,
                parameter=spec.name if size is None else f"{spec.name}{k}",
                leaf=spec.name,
                index=start + k,
                value=value,
                unit=unit,
                bounds=bounds,
                std=None if std is None else number_of(std, f"{place}: std", at_least=0.0),
                fixed=fixed,
            )
        )
    return rows


def _bounds(given: Any, spec: ParameterSpec, where: str) -> tuple[float, float]:
    if given is None:
        return spec.lower, spec.upper
    if not isinstance(given, list) or len(given) != 2:
        raise InputError(f"{where}: bounds must be a pair such as [0, 1]")
    low, high = (number_of(end, f"{where}: bounds", finite=False) for end in given)
    if math.isnan(low) or math.isnan(high) or low > high:
        raise InputError(f"{where}: bounds [{low:g}, {high:g}] are not in ascending order")
    return max(low, spec.lower), min(high, spec.upper)


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
