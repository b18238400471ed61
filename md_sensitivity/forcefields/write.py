"""ForceField → native TOML text, from which `parse_native` makes the same force field again, bit by bit."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from md_sensitivity.errors import UsageError
from md_sensitivity.forcefields.data import ForceField, Origin, Term
from md_sensitivity.forcefields.expressions import Call, parse
from md_sensitivity.forcefields.molecules import name_from
from md_sensitivity.forcefields.table import VARIABLE, ParameterBlock, TypeTuple, join_types
from md_sensitivity.potentials.base import SCALE, ParameterSpec


def native_toml(force_field: ForceField, folder: Path | None = None) -> str:
    """The force field with its present values as a native TOML document.

    Values of potential files are written out. Files of molecules are named, with what differs from them.

    Args:
        folder: where the document will stand, and names of files begin; None for the current one.

    Raises:
        UsageError: where it holds a foreign model, or goes with a topology that no file says.
    """
    if force_field.foreign:
        raise UsageError(
            f"{force_field.name}: no force-field file can hold a foreign model, which is a function; keep its parameters, "
            "mds.model_parameters(force_field), as arrays"
        )
    if force_field.typing is not None:
        if force_field.origin is None:
            raise UsageError(f"{force_field.name}: gives its numbers to the atoms of a topology that no file says, and cannot be written")
        return _of_molecules(force_field, force_field.origin, folder or Path())
    lines = [f"name = {toml_text(force_field.name)}"]
    if force_field.reference:
        lines.append(f"reference = {toml_text(force_field.reference)}")
    lines.append(f"units = {toml_text(force_field.units.name)}")
    if force_field.aliases:
        pairs = (f"{toml_text(alias)} = {toml_text(name)}" for alias, name in force_field.aliases.items())
        lines.append(f"aliases = {{ {', '.join(pairs)} }}")
    lines += _shared_lines(force_field)
    blocks = force_field.table.blocks
    for term in force_field.terms:
        lines += ["", *_term_lines(term, [block for block in blocks if block.label == term.label])]
    return "\n".join(lines) + "\n"


def _shared_lines(force_field: ForceField) -> list[str]:
    """Variables and groups."""
    lines: list[str] = []
    variables = [block for block in force_field.table.blocks if block.label == VARIABLE]
    if variables:
        lines += ["", "[variables]"]
    for block in variables:
        lines += _lines(block, ParameterSpec(name=block.leaf), "" if force_field.units.reduced else block.unit)
    if force_field.table.groups:
        lines += ["", "[groups]"]
        lines += [f"{name} = [{', '.join(map(toml_text, patterns))}]" for name, patterns in force_field.table.groups.items()]
    return lines


def _of_molecules(force_field: ForceField, origin: Origin, folder: Path) -> str:
    """A document that names the files of molecules, and says what differs from them."""
    plain = origin.plain
    lines = []
    for key in ("name", "reference"):
        if (text := getattr(force_field, key)) != getattr(plain, key):
            lines.append(f"{key} = {toml_text(text)}")
    files = files_toml(origin, folder)
    lines += ["", "[molecules]", f"files = {files}"]
    lines += [f"{key} = {_setting(value)}" for key, value in origin.settings.items() if key != "files"]
    lines += _shared_lines(force_field)
    own = [block for block in force_field.table.blocks if block.label != VARIABLE]
    changed = [line for block, before in zip(own, plain.table.blocks, strict=True) for line in _differences(block, before)]
    lines += ["", "[parameters]", *changed] if changed else []
    return "\n".join(lines).lstrip("\n") + "\n"


def files_toml(origin: Origin, folder: Path) -> str:
    """Names of the files of a molecular force field, as a document in a folder gives them."""
    return f"[{', '.join(toml_text(name_from(folder, path)) for path in origin.settings['files'])}]"


def _setting(value: Any) -> str:
    """A setting of `[molecules]`."""
    if isinstance(value, list):
        return f"[{', '.join(map(_setting, value))}]"
    return toml_text(value) if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else repr(value)


def _differences(block: ParameterBlock, before: ParameterBlock) -> list[str]:
    """Lines of `[parameters]` for numbers of which something differs from what the files say."""
    if block is before:
        return []
    same = (block.lower == before.lower) & (block.upper == before.upper) & (block.fixed == before.fixed) & (block.values == before.values)
    same &= (block.std == before.std) | (np.isnan(block.std) & np.isnan(before.std))
    lines = []
    for k in range(len(same)):
        follows = block.follows.get(k, "")
        if follows == before.follows.get(k, "") and (same[k] or follows):
            continue
        said = ParameterSpec(
            name=block.leaf, lower=float(before.lower[k]), upper=float(before.upper[k]), fixed=bool(before.fixed[k])
        )
        lines.append(f"{toml_text(block.name(k))} = {_entry(block, k, repr(float(block.values[k])), said)}")
    return lines


def _term_lines(term: Term, blocks: list[ParameterBlock]) -> list[str]:
    lines = ["[[potential]]", f"style = {toml_text(term.form.name)}", f"name = {toml_text(term.label)}"]
    if term.cutoff is not None:
        lines += [f"cutoff = {term.cutoff!r}", f"truncation = {toml_text(term.truncation)}"]
    if term.switch_from is not None:
        lines.append(f"switch_from = {term.switch_from!r}")
    for key, table in (("cutoffs", term.cutoffs), ("switches", term.switches)):
        if table:
            lines.append(f"{key} = {{ {', '.join(f'{toml_text(join_types(pair))} = {value!r}' for pair, value in table.items())} }}")
    if term.mixing != "none":
        lines.append(f"mixing = {toml_text(term.mixing)}")
    if term.exclude:
        lines.append(f"exclude = {term.exclude}")
    lines += [line for block in blocks if block.leaf == SCALE.name for line in _lines(block, SCALE)]
    lines += [f"{name} = {value!r}" for name, value in term.options.items()]
    blocks = [block for block in blocks if block.leaf != SCALE.name]
    tables: dict[TypeTuple, list[ParameterBlock]] = {}
    for block in blocks:
        tables.setdefault(block.types, []).append(block)
    constants = _constants(term)
    for types, entry in tables.items():
        lines.append(f"[potential.parameters.{toml_text(join_types(types))}]")
        lines += [f"{_key(name)} = {value!r}" for name, value in constants.get(types, {}).items()]
        lines += [line for block in entry for line in _lines(block, term.form_spec(block.leaf).within(types))]
    return lines


def _constants(term: Term) -> dict[TypeTuple, dict[str, float]]:
    """Numbers of entries that are no parameters."""
    tables: dict[TypeTuple, dict[str, float]] = {}
    for name, values in term.constants.items():
        for types, value in zip(term.rows[name], values, strict=True):
            tables.setdefault(types, {})[name] = value
    return tables


def _lines(block: ParameterBlock, spec: ParameterSpec, unit: str = "") -> list[str]:
    """One parameter, or all numbers of a series, with lines of their own for those that differ from the first in more than value."""
    if not block.series:
        return [f"{_key(block.leaf)} = {_entry(block, 0, repr(float(block.values[0])), spec, unit)}"]
    free = [k for k in range(len(block.values)) if k not in block.follows]
    first = free[0] if free else 0
    same = (block.lower == block.lower[first]) & (block.upper == block.upper[first]) & (block.fixed == block.fixed[first])
    same &= (block.std == block.std[first]) | (np.isnan(block.std) & np.isnan(block.std[first]))
    plain = replace(block, follows={})
    lines = [f"{_key(block.leaf)} = {_entry(plain, first, repr(block.values.tolist()), spec, unit)}"]
    for k in sorted({*np.flatnonzero(~same).tolist(), *block.follows}):
        lines.append(f"{_key(f'{block.leaf}{k}')} = {_entry(block, k, repr(float(block.values[k])), spec, unit, full=True)}")
    return lines


def _entry(block: ParameterBlock, k: int, value: str, spec: ParameterSpec, unit: str = "", *, full: bool = False) -> str:
    """What is said of one number, or of all of a series, the first of which it is."""
    extra = [f"unit = {toml_text(unit)}"] if unit else []
    if k in block.follows:
        return f"{{ {', '.join([_followed(block.follows[k]), *extra])} }}"
    if not np.isnan(block.std[k]):
        extra.append(f"std = {float(block.std[k])!r}")
    if full or (block.lower[k], block.upper[k]) != (spec.lower, spec.upper):
        extra.append(f"bounds = [{_number(block.lower[k])}, {_number(block.upper[k])}]")
    if full or block.fixed[k] != spec.fixed:
        extra.append(f"fixed = {str(bool(block.fixed[k])).lower()}")
    return f"{{ value = {value}, {', '.join(extra)} }}" if extra else value


def _followed(expression: str) -> str:
    """The relation as a file says it: a tie where it is one."""
    node = parse(expression, lambda word: word)
    scale, name = node.operands if isinstance(node, Call) and node.operation == "*" else (1.0, node)
    if not isinstance(name, str) or not isinstance(scale, float):
        return f"expression = {toml_text(expression)}"
    return f"tie = {toml_text(name)}" + ("" if scale == 1.0 else f", scale = {scale!r}")


def _key(name: str) -> str:
    """A parameter's name as a TOML key."""
    return toml_text(name) if "." in name else name


def _number(value: float) -> str:
    return repr(float(value)) if math.isfinite(value) else ("inf" if value > 0 else "-inf")


def toml_text(text: str) -> str:
    """A TOML string."""
    # A JSON string is a TOML basic string, but for DEL, which TOML wants escaped.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
