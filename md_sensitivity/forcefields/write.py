"""ForceField → native TOML text, from which `parse_native` makes the same force field again, bit by bit."""

from __future__ import annotations

import json
import math

from md_sensitivity.forcefields.data import ForceField, ParameterRow, Term, join_types


def native_toml(force_field: ForceField) -> str:
    """The force field with its present values as a native TOML document; values of potential files are written out."""
    lines = [f"name = {_text(force_field.name)}"]
    if force_field.reference:
        lines.append(f"reference = {_text(force_field.reference)}")
    lines.append(f"units = {_text(force_field.units.name)}")
    for term in force_field.terms:
        lines += ["", *_term_lines(term, [row for row in force_field.table.rows if row.label == term.label])]
    return "\n".join(lines) + "\n"


def _term_lines(term: Term, rows: list[ParameterRow]) -> list[str]:
    lines = ["[[potential]]", f"style = {_text(term.form.name)}", f"name = {_text(term.label)}"]
    if term.cutoff is not None:
        lines += [f"cutoff = {term.cutoff!r}", f"truncation = {_text(term.truncation)}"]
    if term.switch_from is not None:
        lines.append(f"switch_from = {term.switch_from!r}")
    if term.mixing != "none":
        lines.append(f"mixing = {_text(term.mixing)}")
    lines += [f"{name} = {value!r}" for name, value in term.options.items()]
    types = None
    for row in rows:
        if row.types != types:
            types = row.types
            lines.append(f"[potential.parameters.{_text(join_types(types))}]")
        lines.append(f"{row.parameter} = {_value(row, term)}")
    return lines


def _value(row: ParameterRow, term: Term) -> str:
    spec = next(spec for spec in term.form.parameters if spec.name == row.parameter).within(row.types)
    extra = [f"std = {row.std!r}"] if row.std is not None else []
    if row.bounds != (spec.lower, spec.upper):
        extra.append(f"bounds = [{_number(row.bounds[0])}, {_number(row.bounds[1])}]")
    if row.fixed:
        extra.append("fixed = true")
    return f"{{ value = {row.value!r}, {', '.join(extra)} }}" if extra else repr(row.value)


def _number(value: float) -> str:
    return repr(float(value)) if math.isfinite(value) else ("inf" if value > 0 else "-inf")


def _text(text: str) -> str:
    # A JSON string is a TOML basic string, but for DEL, which TOML wants escaped.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
