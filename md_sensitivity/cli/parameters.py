"""`md-sensitivity parameters`: the parameter table of a force field."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

import click

from md_sensitivity.cli import options
from md_sensitivity.cli.runs import require
from md_sensitivity.cli.tables import print_json, print_table, without_rounding
from md_sensitivity.errors import UsageError

ACTS_ON = "acts on"
"""Column that a narrow terminal is spared."""
_LONG = 20
"""Fixed numbers of a series that a terminal is spared beyond."""


@click.command()
@click.argument("structure", required=False)
@options.options(
    options.force_field,
    options.parameters,
    click.option("--set", "values", metavar="NAME=VALUE", multiple=True, help="Another value for one parameter; repeatable."),
    click.option(
        "-o", "--output", metavar="FILE", default=None, help="Write the force field: a .toml file, or one of the kind it was read from."
    ),
    options.reader,
    options.index,
    options.as_json,
)
@click.pass_context
def parameters(ctx: click.Context, **values: Any) -> int:
    """The parameter table: name, value, unit, bounds, standard deviation, and whether it is free, fixed, or follows others.

    With a STRUCTURE, a column says which of them act on it: these are what `analyze` differentiates by, but for the fixed ones. For
    molecules another says on how many atoms, bonds, angles and so on, and which is the first.

    A force field is written with the values that --set gives, and all that follows them; its comments and their order stay.

    \b
    md-sensitivity parameters -f Si.sw --set stillinger_weber.Si-Si-Si.lambda=22.1 -o Si_stiff.sw
    """
    require(ctx, values, "force_field")
    from md_sensitivity.forcefields import acting_rows, read_force_field, uses_of

    read = read_force_field(values["force_field"])
    force_field = _changed(read, values["values"])
    table = force_field.table
    chosen = table.matching(values["parameters"]) if values["parameters"] else list(range(len(table)))
    acting: set[int] | None = None
    uses: dict[int, Any] | None = None
    if values["structure"]:
        from md_sensitivity.cli.single import read_one

        structure = force_field.completed(read_one(values))
        acting = set(acting_rows(force_field, structure))
        uses = uses_of(force_field, structure) if force_field.typing is not None else None
    groups = _groups(table)
    documents = [_document(table.rows[i], groups.get(i, []), None if acting is None else i in acting) for i in chosen]
    if uses is not None:
        for document, place in zip(documents, chosen, strict=True):
            use = uses.get(place)
            document["acts_on"] = use and {"count": use.count, "atoms": list(use.atoms), "names": use.names}
    if values["output"]:
        from md_sensitivity.reports.force_field import write_force_field

        write_force_field(force_field, values["output"], like=read)
    if values["as_json"]:
        name, units = force_field.name, force_field.units.name
        print_json({"schema": "md-sensitivity/parameters/1", "force_field": name, "units": units, "parameters": documents})
        return 0
    documents = _without_long_series(documents) if not values["parameters"] else documents
    told = [name for name in ("groups", "follows") if any(document[name] for document in documents)]
    headers = ["name", "value", "unit", "lower", "upper", "std", "state", *told, *(["acts"] if acting is not None else [])]
    spared = [] if uses is None else [ACTS_ON]
    rows = [[_cell(each, header) for header in (*headers, *spared)] for each in documents]
    print_table([*headers, *spared], rows, right=("value", "lower", "upper", "std"), spared=len(spared))
    return 0


def _without_long_series(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """On a terminal, without the fixed numbers of long series, such as knots; a pipe gets all of it."""
    if not sys.stdout.isatty():
        return documents
    series = Counter(str(each["name"]).rstrip("0123456789") for each in documents if each["state"] == "fixed")
    kept = [each for each in documents if each["state"] != "fixed" or series[str(each["name"]).rstrip("0123456789")] <= _LONG]
    if len(kept) < len(documents):
        click.echo(f"{len(documents) - len(kept)} fixed numbers of series are left out; -p '*' shows them", err=True)
    return kept


def _changed(force_field: Any, settings: Sequence[str]) -> Any:
    """The force field with the values that `NAME=VALUE` give."""
    table, vector = force_field.table, force_field.table.values.copy()
    terms = {term.label: term for term in force_field.terms}
    for setting in settings:
        name, _, text = setting.rpartition("=")
        if not name:
            raise UsageError(f"--set {setting}: is written NAME=VALUE")
        places = table.choosable([name])
        if len(places) > 1:
            raise UsageError(f"--set {setting}: {len(places)} parameters match; name one")
        row = table.rows[places[0]]
        try:
            value = float(text)
        except ValueError:
            raise UsageError(f"--set {setting}: {text!r} is no number") from None
        low, high = row.bounds
        spec = terms[row.label].spec(row) if row.label in terms else None
        if not math.isfinite(value) or not low <= value <= high or (spec is not None and not spec.admits(value)):
            raise UsageError(f"--set {setting}: must be a number from {low:g} to {high:g}")
        vector[places[0]] = value
    return force_field.with_parameters(table.unravel(vector)) if settings else force_field


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
    value = document["acts_on" if header == ACTS_ON else header]
    if isinstance(value, dict):
        return str(value["names"] if value["count"] == 1 else f"{value['count']}, first {value['names']}")
    if value is None:
        return {"lower": "-inf", "upper": "inf"}.get(header, "")
    if isinstance(value, list):
        return ", ".join(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if header == "unit" and value == "1":
        return ""       # of a plain number
    return without_rounding(value) if isinstance(value, float) else str(value)
