"""The native TOML force field (docs/reference.md): a document of plain data → ForceField, every key and number checked."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from md_sensitivity.errors import InputError
from md_sensitivity.files import parse_toml, quotation, shortened, shown
from md_sensitivity.forcefields.data import ForceField, ParameterRow, Parameters, ParameterTable, Term, TypeTuple, join_types, split_types
from md_sensitivity.forcefields.lammps_sw import parse_sw
from md_sensitivity.potentials import POTENTIALS
from md_sensitivity.potentials.base import Form, ManyBodyForm, PairForm, ParameterSpec
from md_sensitivity.potentials.mixing import MIXING_RULES
from md_sensitivity.potentials.truncation import TRUNCATIONS
from md_sensitivity.registry import did_you_mean
from md_sensitivity.units import UNIT_SYSTEMS, UnitSystem

_TOP_KEYS = ("name", "reference", "units", "potential")
_TERM_KEYS = ("style", "name", "cutoff", "truncation", "switch_from", "mixing", "file", "parameters")
_LONG_KEYS = ("value", "std", "bounds", "fixed")


def parse_native(text: str, source: str, folder: Path | None = None) -> ForceField:
    """Force field from TOML text; `folder` is where relative `file` entries are looked up.

    Raises:
        InputError: with file, place and reason.
    """
    document = parse_toml(text, source)
    _known(document, _TOP_KEYS, source)
    units_name = _text(document.get("units", "metal"), f"{source}: units")
    if units_name not in UNIT_SYSTEMS:
        guess = did_you_mean(units_name, UNIT_SYSTEMS)
        raise InputError(f"{source}: units = {quotation(units_name)}{guess}; one of {', '.join(UNIT_SYSTEMS)}")
    units = UNIT_SYSTEMS[units_name]
    potentials = document.get("potential", [])
    if not isinstance(potentials, list) or not potentials or not all(isinstance(item, dict) for item in potentials):
        raise InputError(f"{source}: needs at least one [[potential]] table")
    terms: list[Term] = []
    rows: list[ParameterRow] = []
    for number, item in enumerate(potentials):
        term, term_rows = _term(item, units, source=source, number=number, folder=folder)
        if any(term.label == other.label for other in terms):
            raise InputError(f"{source}: two potentials are called {term.label!r}; give one of them a `name`")
        terms.append(term)
        rows += term_rows
    return ForceField(
        name=_text(document.get("name", Path(source).stem), f"{source}: name"),
        reference=_text(document.get("reference", ""), f"{source}: reference"),
        units=units,
        terms=tuple(terms),
        parameters=_tree(rows),
        table=ParameterTable(rows=tuple(rows)),
    )


def force_field_from_entries(
    form: Form, entries: Mapping[TypeTuple, Mapping[str, float]], units: UnitSystem, *, name: str, source: str
) -> ForceField:
    """Force field of one many-body term with the values of a potential file."""
    tables = {join_types(types): dict(values) for types, values in entries.items()}
    term, rows = _assemble(form, form.name, tables, units, source=source, settings={})
    return ForceField(name=name, units=units, terms=(term,), parameters=_tree(rows), table=ParameterTable(rows=tuple(rows)))


def _tree(rows: list[ParameterRow]) -> Parameters:
    return ParameterTable(rows=tuple(rows)).unravel(np.array([row.value for row in rows]))


def _term(
    item: dict[str, Any], units: UnitSystem, *, source: str, number: int, folder: Path | None
) -> tuple[Term, list[ParameterRow]]:
    where = f"{source}: potential {number + 1}"
    if "style" not in item:
        raise InputError(f"{where}: has no style; one of {', '.join(POTENTIALS)}")
    form = POTENTIALS.find(_text(item["style"], f"{where}: style"), lambda message: InputError(f"{where}: {message}"))
    label = _text(item.get("name", form.name), f"{where}: name")
    if not re.fullmatch(r"[A-Za-z0-9_-]+", label):
        raise InputError(f"{where}: name = {quotation(label)} starts parameter names and may hold letters, digits, `_` and `-` only")
    where = f"{source}: potential {label!r}"
    _known(item, (*_TERM_KEYS, *(option.name for option in form.options)), where)
    settings = {**_truncation(item, form, where), "mixing": _mixing(item, form, where)}
    settings["options"] = {
        option.name: _number(item.get(option.name, option.default), f"{where}: {option.name}", at_least=option.lower)
        for option in form.options
    }
    tables = item.get("parameters", {})
    if not isinstance(tables, dict) or not all(isinstance(entry, dict) for entry in tables.values()):
        raise InputError(f"{where}: parameters must be tables such as [potential.parameters.{'-'.join(['Si'] * form.order)}]")
    if "file" in item:
        tables = _merged(tables, _file_tables(item["file"], form, units, where, folder), where)
    if not tables:
        raise InputError(f"{where}: has no parameters; add [potential.parameters.TYPES] tables")
    return _assemble(form, label, tables, units, source=source, settings=settings)


def _assemble(
    form: Form, label: str, tables: Mapping[str, Mapping[str, Any]], units: UnitSystem, *, source: str, settings: dict[str, Any]
) -> tuple[Term, list[ParameterRow]]:
    """Term and table rows from `types → parameter → number or long form`, types as written."""
    specs = {spec.name: spec for spec in form.parameters}
    mixed = settings.get("mixing", "none") != "none"
    seen: dict[TypeTuple, str] = {}
    rows: list[ParameterRow] = []
    counts: dict[str, list[TypeTuple]] = {name: [] for name in specs}
    for key, entry in tables.items():
        where = f"{source}: potential {label!r}: parameters.{shortened(key)}"
        types = _types(key, form, where)
        _once(seen, types, key, form, where)
        _known(entry, specs, where)
        partial = isinstance(form, PairForm) and mixed and len(types) == 2
        missing = [name for name in specs if name not in entry]
        if missing and not partial:
            raise InputError(f"{where}: misses {', '.join(missing)}")
        for name, spec in specs.items():
            if name in entry:
                rows.append(_row(entry[name], spec, units, label=label, types=types, index=len(counts[name]), where=f"{where}.{name}"))
                counts[name].append(types)
    return Term(form=form, label=label, rows={name: tuple(found) for name, found in counts.items()}, **settings), rows


def _types(key: str, form: Form, where: str) -> TypeTuple:
    types = split_types(key)
    allowed = (1, 2) if isinstance(form, PairForm) else (form.order,)
    if len(types) not in allowed or not all(types):
        example = "Ar or Ar-Kr" if isinstance(form, PairForm) else "-".join(["Si"] * form.order)
        raise InputError(f"{where}: types of {form.name} are written like {example}")
    if any(char.isspace() or not char.isprintable() for char in key):
        raise InputError(f"{where}: types are words without blanks")
    return types


def _once(seen: dict[TypeTuple, str], types: TypeTuple, key: str, form: Form, where: str) -> None:
    """Refuses a second entry for the same types, in whichever order or spelling."""
    same = types * 2 if len(types) == 1 else types
    identity = tuple(sorted(same)) if isinstance(form, PairForm) else same
    if identity in seen:
        raise InputError(f"{where}: speaks of the same types as parameters.{seen[identity]}; keep one of them")
    seen[identity] = key


def _row(
    entry: Any, spec: ParameterSpec, units: UnitSystem, *, label: str, types: TypeTuple, index: int, where: str
) -> ParameterRow:
    long = entry if isinstance(entry, dict) else {"value": entry}
    _known(long, _LONG_KEYS, where)
    if "value" not in long:
        raise InputError(f"{where}: has no value")
    value = _number(long["value"], where)
    spec = spec.within(types)
    if not spec.admits(value):
        raise InputError(f"{where} = {value:g}: must be {spec.bounds_text}")
    bounds = _bounds(long.get("bounds"), spec, where)
    if not bounds[0] <= value <= bounds[1]:
        raise InputError(f"{where} = {value:g}: lies outside its own bounds [{bounds[0]:g}, {bounds[1]:g}]")
    std = long.get("std")
    fixed = long.get("fixed", False)
    if not isinstance(fixed, bool):
        raise InputError(f"{where}: fixed must be true or false")
    return ParameterRow(
        label=label,
        types=types,
        parameter=spec.name,
        index=index,
        value=value,
        unit=units.symbol(spec.energy, spec.length),
        bounds=bounds,
        std=None if std is None else _number(std, f"{where}: std", at_least=0.0),
        fixed=fixed,
    )


def _bounds(given: Any, spec: ParameterSpec, where: str) -> tuple[float, float]:
    if given is None:
        return spec.lower, spec.upper
    if not isinstance(given, list) or len(given) != 2:
        raise InputError(f"{where}: bounds must be a pair such as [0, 1]")
    low, high = (_number(end, f"{where}: bounds", finite=False) for end in given)
    if math.isnan(low) or math.isnan(high) or low > high:
        raise InputError(f"{where}: bounds [{low:g}, {high:g}] are not in ascending order")
    return max(low, spec.lower), min(high, spec.upper)


def _truncation(item: dict[str, Any], form: Form, where: str) -> dict[str, Any]:
    if isinstance(form, ManyBodyForm) or form.natural_range is not None:
        for key in ("cutoff", "truncation", "switch_from"):
            if key in item:
                raise InputError(f"{where}: {form.name} ends at a natural range of its own and takes no {key}; remove it")
        return {"cutoff": None, "truncation": "none", "switch_from": None}
    if "cutoff" not in item:
        for key in ("truncation", "switch_from"):
            if key in item and item[key] != "none":
                raise InputError(f"{where}: {key} needs a cutoff")
        return {"cutoff": None, "truncation": "none", "switch_from": None}
    cutoff = _number(item["cutoff"], f"{where}: cutoff", above=0.0)
    truncation = _text(item.get("truncation", "switch"), f"{where}: truncation")
    if truncation not in TRUNCATIONS:
        guess = did_you_mean(truncation, TRUNCATIONS)
        raise InputError(f"{where}: truncation = {quotation(truncation)}{guess}; one of {', '.join(TRUNCATIONS)}")
    if truncation != "switch":
        if "switch_from" in item:
            raise InputError(f"{where}: switch_from belongs to truncation = \"switch\", not {truncation!r}")
        return {"cutoff": cutoff, "truncation": truncation, "switch_from": None}
    switch_from = _number(item.get("switch_from", 0.9 * cutoff), f"{where}: switch_from", at_least=0.0)
    if switch_from >= cutoff:
        raise InputError(f"{where}: switch_from = {switch_from:g} must be less than cutoff = {cutoff:g}")
    return {"cutoff": cutoff, "truncation": "switch", "switch_from": switch_from}


def _mixing(item: dict[str, Any], form: Form, where: str) -> str:
    mixing = _text(item.get("mixing", "none"), f"{where}: mixing")
    if mixing == "none":
        return mixing
    if mixing not in MIXING_RULES:
        known = ("none", *MIXING_RULES)
        raise InputError(f"{where}: mixing = {quotation(mixing)}{did_you_mean(mixing, known)}; one of {', '.join(known)}")
    if not form.mixable:
        raise InputError(f"{where}: mixing rules speak of sigma and epsilon, which {form.name} has not; give each type tuple")
    return mixing


def _file_tables(entry: Any, form: Form, units: UnitSystem, where: str, folder: Path | None) -> dict[str, dict[str, float]]:
    """Values of the potential file that a term names."""
    from md_sensitivity.forcefields.files import read_text

    name = _text(entry, f"{where}: file")
    if form.name != "stillinger_weber":
        raise InputError(f"{where}: {form.name} is not read from a file")
    path = (folder or Path()) / name
    try:
        content = parse_sw(read_text(path).text, shown(path))
    except InputError as error:
        raise InputError(f"{where}: file = {quotation(name)}: {error}") from None
    if content.units and content.units != units.name:
        raise InputError(f"{where}: {quotation(name)} is in units {quotation(content.units)}, this file in {units.name!r}")
    return {join_types(types): values for types, values in content.entries.items()}


def _merged(tables: Mapping[str, Mapping[str, Any]], base: Mapping[str, Mapping[str, float]], where: str) -> dict[str, dict[str, Any]]:
    """Values of a file, with standard deviations, bounds, `fixed` or other values from the TOML laid over them."""
    merged: dict[str, dict[str, Any]] = {types: dict(values) for types, values in base.items()}
    for types, entry in tables.items():
        if types not in merged:
            raise InputError(f"{where}: parameters.{shortened(types)} is not in the file{did_you_mean(types, merged)}")
        for name, long in entry.items():
            value = merged[types].get(name)
            merged[types][name] = {"value": value, **long} if isinstance(long, dict) and value is not None else long
    return merged


def _known(entry: Mapping[str, Any], known: Any, where: str) -> None:
    for key in entry:
        if key not in known:
            raise InputError(f"{where}: unknown key {quotation(key)}{did_you_mean(key, known)}; known: {', '.join(known)}")


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or (not value and not where.endswith("reference")):
        raise InputError(f"{where} must be a text, not {shortened(repr(value))}")
    return value


def _number(value: Any, where: str, *, at_least: float | None = None, above: float | None = None, finite: bool = True) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
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
