"""What a native document with `[molecules]` says of single parameters: other values, deviations, bounds, ties, variables and groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from md_sensitivity.errors import InputError
from md_sensitivity.files import quotation, shortened
from md_sensitivity.forcefields.assemble import completed
from md_sensitivity.forcefields.data import ForceField
from md_sensitivity.forcefields.groups import groups_of, named_groups
from md_sensitivity.forcefields.numbers import LONG_KEYS, Numbers, follows_of, numbers_of, require_known
from md_sensitivity.forcefields.table import VARIABLE, ParameterBlock, ParameterTable
from md_sensitivity.forcefields.variables import variables_of
from md_sensitivity.potentials.base import ParameterSpec
from md_sensitivity.registry import did_you_mean

_EXAMPLE = '"HarmonicBond.CT-HC.k" = 284512.0'


def overlaid(found: ForceField, document: Mapping[str, Any], source: str) -> ForceField:
    """A force field with what the tables `[parameters]`, `[variables]` and `[groups]` of a document lay over it.

    Args:
        found: as its files have it.
        document: keys of `[parameters]` are full names; an entry is a number in the file's own units, or a long form, in which what is
            not said stays as the files say.
        source: the document, for messages.

    Raises:
        InputError: with file, place, reason and remedy.
    """
    given = document.get("parameters", {})
    if not isinstance(given, dict):
        raise InputError(f"{source}: parameters must be a table such as [parameters], with lines such as {_EXAMPLE}")
    if not document.keys() & {"parameters", "variables", "groups"}:
        return found
    variables, dimensions = variables_of(document.get("variables", {}), found.units, source)
    blocks = [*variables, *_changed(found, given, source)]
    again = completed(
        blocks,
        found.terms,
        found.units,
        name=found.name,
        source=source,
        groups=groups_of(document.get("groups", {}), _grouped(document, given), blocks, source),
        dimensions=dimensions,
        entry=lambda row: f"parameters.{quotation(row.name)}",
    )
    return replace(found, table=again.table, parameters=again.parameters, relations=again.relations)


def _grouped(document: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield from named_groups(document.get("variables", {}), f"{VARIABLE}.")
    yield from named_groups(given)


def _changed(found: ForceField, given: Mapping[str, Any], source: str) -> list[ParameterBlock]:
    """All blocks, with what is said of their numbers."""
    table, terms = found.table, {term.label: term for term in found.terms}
    blocks = list(table.blocks)
    said: dict[int, dict[int, Any]] = {}
    for name, entry in given.items():
        position = table.position(name)
        if position is None:
            raise InputError(f"{source}: parameters.{quotation(name)}: {_unknown(table, name, entry)}")
        number, k = table.place(position)
        said.setdefault(number, {})[k] = entry
    for number, entries in said.items():
        block = blocks[number]
        blocks[number] = _with_entries(block, entries, terms[block.label].form_spec(block.leaf).within(block.types), source)
    return blocks


def _with_entries(block: ParameterBlock, entries: Mapping[int, Any], spec: ParameterSpec, source: str) -> ParameterBlock:
    """A block with what is said of some of its numbers; those of files share their arrays, which stay as they are."""
    arrays = {name: np.array(getattr(block, name), dtype=np.float64) for name in ("values", "lower", "upper", "std")}
    arrays["fixed"] = block.fixed.copy()
    follows = dict(block.follows)
    for k, entry in entries.items():
        numbers = _numbers(block, k, entry, spec, f"{source}: parameters.{quotation(block.name(k))}")
        for name, array in arrays.items():
            array[k] = getattr(numbers, name)[0]
        follows.pop(k, None)
        if numbers.follows:
            follows[k] = numbers.follows[0]
    return replace(block, **arrays, follows=follows)  # type: ignore[arg-type]


def _numbers(block: ParameterBlock, k: int, entry: Any, spec: ParameterSpec, where: str) -> Numbers:
    long = entry if isinstance(entry, dict) else {"value": entry}
    require_known(long, LONG_KEYS, where)
    if follows_of(long, where):
        return numbers_of(long, spec, None, {}, where=where)
    if k in block.follows and "value" not in long:
        raise InputError(f"{where}: follows {shortened(block.follows[k])}, as its files say; give it a value, or remove the entry")
    value = float(block.values[k])
    if k not in block.follows and not spec.admits(value):
        # Where the depth is zero files write any size, such as 0: what they say may stay.
        spec = replace(spec, lower=min(value, spec.lower), open_lower=False)
    whole = {"value": value, "fixed": bool(block.fixed[k]), "bounds": [float(block.lower[k]), float(block.upper[k])]}
    return numbers_of({**whole, **long}, spec, None, {}, where=where)


def _unknown(table: ParameterTable, name: str, entry: Any) -> str:
    """Why a key is no parameter's name, and what to write instead."""
    words = [name]
    while isinstance(entry, dict) and entry and not entry.keys() & set(LONG_KEYS):
        word, entry = next(iter(entry.items()))
        words.append(word)
    full = ".".join(words)
    if len(words) > 1 and table.position(full) is not None:
        return f"full names stand between quotation marks: {quotation(full)} = ..."
    if name.startswith(f"{VARIABLE}."):
        return f"variables stand in [variables], as {shortened(name.removeprefix(VARIABLE + '.'))} = ..."
    series = next((block for block in table.blocks if block.series and block.prefix == full), None)
    if series is not None:
        return f"is a series of {len(series.values)} numbers; name one of them, such as {quotation(series.name(0))}"
    hits = table.globbed(name)
    if len(hits):
        return f"is a pattern, and a key names one parameter; such as {quotation(table.rows.name(int(hits[0])))}"
    guess = did_you_mean(full, [block.name(0) for block in table.blocks])
    return f"no parameter has this name{guess}; `md-sensitivity parameters -f FORCE_FIELD` lists them"
