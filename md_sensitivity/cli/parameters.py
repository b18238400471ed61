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
    """The parameter table: name, value, unit, bounds, free or fixed.

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
    documents = [_document(table.rows[place], None if acting is None else place in acting) for place in chosen]
    if values["as_json"]:
        name, units = force_field.name, force_field.units.name
        print_json({"schema": "md-sensitivity/parameters/1", "force_field": name, "units": units, "parameters": documents})
        return 0
    headers = ["name", "value", "unit", "lower", "upper", "std", "state", *(["acts"] if acting is not None else [])]
    print_table(headers, [[_cell(each, header) for header in headers] for each in documents], right=("value", "lower", "upper", "std"))
    return 0


def _document(row: Any, acts: bool | None) -> dict[str, Any]:
    """One row as plain data; an infinite bound is null."""
    lower, upper = (bound if math.isfinite(bound) else None for bound in row.bounds)
    state = "fixed" if row.fixed else "free" if row.free else "pinned"
    plain = {"name": row.name, "value": row.value, "unit": row.unit, "lower": lower, "upper": upper, "std": row.std, "state": state}
    return plain if acts is None else {**plain, "acts": acts}


def _cell(document: dict[str, Any], header: str) -> str:
    value = document[header]
    if value is None:
        return {"lower": "-inf", "upper": "inf"}.get(header, "")
    if isinstance(value, bool):
        return "yes" if value else "no"
    return repr(value) if isinstance(value, float) else str(value)
