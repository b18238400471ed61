"""ForceField → native TOML text, from which `parse_native` makes the same force field again, bit by bit."""

from __future__ import annotations

import json
import math

from md_sensitivity.forcefields.data import ForceField, ParameterRow, Term, TypeTuple, join_types


def native_toml(force_field: ForceField) -> str:
    """The force field with its present values as a native TOML document; values of potential files are written out."""
    lines = [f"name = {_text(force_field.name)}"]
    if force_field.reference:
        lines.append(f"reference = {_text(force_field.reference)}")
    lines.append(f"units = {_text(force_field.units.name)}")
    if force_field.aliases:
        lines.append(f"aliases = {{ {', '.join(f'{_text(alias)} = {_text(name)}' for alias, name in force_field.aliases.items())} }}")
    for term in force_field.terms:
        lines += ["", *_term_lines(term, [row for row in force_field.table.rows if row.label == term.label])]
    return "\n".join(lines) + "\n"


def _term_lines(term: Term, rows: list[ParameterRow]) -> list[str]:
    lines = ["[[potential]]", f"style = {_text(term.form.name)}", f"name = {_text(term.label)}"]
    if term.cutoff is not None:
        lines += [f"cutoff = {term.cutoff!r}", f"truncation = {_text(term.truncation)}"]
    if term.switch_from is not None:
        lines.append(f"switch_from = {term.switch_from!r}")
    for key, table in (("cutoffs", term.cutoffs), ("switches", term.switches)):
        if table:
            lines.append(f"{key} = {{ {', '.join(f'{_text(join_types(pair))} = {value!r}' for pair, value in table.items())} }}")
    if term.mixing != "none":
        lines.append(f"mixing = {_text(term.mixing)}")
    lines += [f"{name} = {value!r}" for name, value in term.options.items()]
    tables: dict[TypeTuple, dict[str, list[ParameterRow]]] = {}
    for row in rows:
        tables.setdefault(row.types, {}).setdefault(row.place[1], []).append(row)
    constants = _constants(term)
    for types, entry in tables.items():
        lines.append(f"[potential.parameters.{_text(join_types(types))}]")
        lines += [f"{_key(name)} = {value!r}" for name, value in constants.get(types, {}).items()]
        lines += [f"{_key(name)} = {_value(found, term)}" for name, found in entry.items()]
    return lines


def _constants(term: Term) -> dict[TypeTuple, dict[str, float]]:
    """Numbers of entries that are no parameters."""
    tables: dict[TypeTuple, dict[str, float]] = {}
    for name, values in term.constants.items():
        for types, value in zip(term.rows[name], values, strict=True):
            tables.setdefault(types, {})[name] = value
    return tables


def _value(rows: list[ParameterRow], term: Term) -> str:
    """One parameter, or all numbers of a series."""
    row, spec = rows[0], term.spec(rows[0])
    series = spec.count is not None
    extra = []
    stds = [row.std for row in rows]
    if any(std is not None for std in stds):
        alike = len(set(stds)) == 1
        extra.append(f"std = {stds[0]!r}" if alike else f"std = {[0.0 if std is None else std for std in stds]!r}")
    if row.bounds != (spec.lower, spec.upper):
        extra.append(f"bounds = [{_number(row.bounds[0])}, {_number(row.bounds[1])}]")
    if row.fixed != spec.fixed:
        extra.append(f"fixed = {str(row.fixed).lower()}")
    text = repr([each.value for each in rows]) if series else repr(row.value)
    return f"{{ value = {text}, {', '.join(extra)} }}" if extra else text


def _key(name: str) -> str:
    """A parameter's name as a TOML key."""
    return _text(name) if "." in name else name


def _number(value: float) -> str:
    return repr(float(value)) if math.isfinite(value) else ("inf" if value > 0 else "-inf")


def _text(text: str) -> str:
    # A JSON string is a TOML basic string, but for DEL, which TOML wants escaped.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
