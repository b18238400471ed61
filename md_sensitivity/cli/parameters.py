"""`md-sensitivity parameters`: the parameter table of a force field."""

from __future__ import annotations

import math
from typing import Any

import click

from md_sensitivity.cli import options
from md_sensitivity.cli.runs import require


@click.command()
@click.argument("structure", required=False)
@options.options(options.force_field, options.parameters, options.reader, options.index, options.as_json)
@click.pass_context
def parameters(ctx: click.Context, **values: Any) -> int:
    """The parameter table: name, value, unit, bounds, standard deviation, and whether it is free, fixed, or follows others.

    With a STRUCTURE, a column says which of them act on it: these are what `analyze` differentiates by, but for the fixed ones.
    """
    require(ctx, values, "force_field")
    from md_sensitivity.cli.tables import print_json, print_table
    from md_sensitivity.forcefields import acting_rows, read_force_field

    force_field = read_force_field(values["force_field"])
    table = force_field.table
    chosen = table.matching(values["parameters"]) if values["parameters"] else list(range(len(table)))
    acting: set[int] | None = None
    if values["structure"]:
        from md_sensitivity.cli.single import read_one

        acting = set(acting_rows(force_field, read_one(values)))
    groups = _groups(table)
    documents = [_document(table.rows[i], groups.get(i, []), None if acting is None else i in acting) for i in chosen]
    if values["as_json"]:
        name, units = force_field.name, force_field.units.name
        print_json({"schema": "md-sensitivity/parameters/1", "force_field": name, "units": units, "parameters": documents})
        return 0
    told = [name for name in ("groups", "follows") if any(document[name] for document in documents)]
    headers = ["name", "value", "unit", "lower", "upper", "std", "state", *told, *(["acts"] if acting is not None else [])]
    print_table(headers, [[_cell(each, header) for header in headers] for each in documents], right=("value", "lower", "upper", "std"))
    return 0


def _groups(table: Any) -> dict[int, list[str]]:
    """Row → groups that it belongs to."""
    found: dict[int, list[str]] = {}
    for name, patterns in table.groups.items():
        for place in table.matching(patterns):
            found.setdefault(place, []).append(name)
    return found


def _document(row: Any, groups: list[str], acts: bool | None) -> dict[str, Any]:
    """One row as plain data; an infinite bound is null."""
    lower, upper = (bound if math.isfinite(bound) else None for bound in row.bounds)
    state = "tied" if row.follows else "fixed" if row.fixed else "free" if row.free else "pinned"
    plain = {"name": row.name, "value": row.value, "unit": row.unit, "lower": lower, "upper": upper, "std": row.std, "state": state}
    plain |= {"groups": groups, "follows": row.follows or None}
    return plain if acts is None else {**plain, "acts": acts}


def _cell(document: dict[str, Any], header: str) -> str:
    value = document[header]
    if value is None:
        return {"lower": "-inf", "upper": "inf"}.get(header, "")
    if isinstance(value, list):
        return ", ".join(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return repr(value) if isinstance(value, float) else str(value)
