"""`summary.csv`: one row for each structure, observable component and parameter."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Protocol

from md_sensitivity.analysis.result import Result, ResultDocument
from md_sensitivity.reports.components import Component, components

COLUMNS = (
    "structure",
    "status",
    "observable",
    "component",
    "unit",
    "value",
    "parameter",
    "parameter_value",
    "parameter_unit",
    "direct",
    "relaxation",
    "total",
    "logarithmic",
    "standard_deviation",
)

Cell = str | float | None


class Documented(Protocol):
    """Whatever has a name and a document: a Result, or a document read alone."""

    @property
    def name(self) -> str: ...

    @property
    def document(self) -> ResultDocument: ...


def summary_rows(result: Documented) -> list[dict[str, Cell]]:
    """Rows of one structure; what has no parameters gets rows without derivatives, a failed analysis one row with its status.

    Numbers stay numbers, in the units named in the row; None where a derivative does not exist.
    """
    document = result.document
    head: dict[str, Cell] = {**dict.fromkeys(COLUMNS), "structure": result.name, "status": document.status}
    rows = []
    for component in components(document):
        start = {**head, **_value_cells(component)}
        if not component.total:
            rows.append(start)
        for p, parameter in enumerate(document.parameters[: len(component.total)]):
            rows.append(
                start
                | {"parameter": parameter.name, "parameter_value": parameter.value, "parameter_unit": parameter.unit}
                | {"direct": component.direct[p], "relaxation": component.relaxation[p]}
                | {"total": component.total[p], "logarithmic": component.logarithmic[p]}
            )
    return rows or [head]


def _value_cells(component: Component) -> dict[str, Cell]:
    return {
        "observable": component.observable,
        "component": component.label,
        "unit": component.unit,
        "value": component.value,
        "standard_deviation": component.standard_deviation,
    }


def summary_csv(results: Iterable[Documented]) -> str:
    """The table of many structures with its header; numbers with full precision, empty cells for None."""
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator="\n")
    table.writerow(COLUMNS)
    for result in results:
        for row in summary_rows(result):
            table.writerow([guarded(row[column]) for column in COLUMNS])
    return stream.getvalue()


def result_csv(result: Result) -> str:
    """The table of one structure."""
    return summary_csv([result])


def guarded(cell: Cell) -> Cell:
    """Text that a spreadsheet would take for a formula gets an apostrophe; names come from files. Numbers are left alone."""
    if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")):
        return "'" + cell
    return cell
