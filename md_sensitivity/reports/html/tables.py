"""Which parameters matter most: ranked tables with bars, and a map of all of them."""

from __future__ import annotations

import os
from dataclasses import dataclass

from md_sensitivity.analysis.result import ParameterInfo, ResultDocument
from md_sensitivity.reports.components import Component, distinct
from md_sensitivity.reports.ranking import ranked
from md_sensitivity.reports.text import magnitude

OPEN_ROWS = 12
"""Rows of a table that stand open; the others unfold."""
ROW_BUDGET = 1800
"""Rows of all tables together, so that the file stays small; each table keeps at least its open rows."""
MAP_ROWS, MAP_COLUMNS, SHADES = 30, 60, 5


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A horizontal bar in percent of the width: where it starts, how long it is, and to which side it goes."""

    start: float
    width: float
    negative: bool


@dataclass(frozen=True, kw_only=True)
class Row:
    """One parameter in the table of one component."""

    parameter: ParameterInfo
    direct: float | None
    relaxation: float | None
    total: float | None
    logarithmic: float | None
    bar: Bar | None


@dataclass(frozen=True, kw_only=True)
class SensitivityTable:
    """One scalar of an observable: its value and its ranked sensitivities.

    Attributes:
        component: the scalar.
        rows, more: what stands open, and what unfolds.
        left_out: number of rows that only `summary.csv` has.
        zero: position of the zero line of the bars [percent].
        low, high: values at both ends of the bars.
        scaled: whether the bars are θ dO/dθ because the value is zero and has no logarithmic sensitivity.
        top: parameters with the largest bars, with those values.
    """

    component: Component
    rows: list[Row]
    more: list[Row]
    left_out: int
    zero: float
    low: float
    high: float
    scaled: bool
    top: list[tuple[str, float]]


@dataclass(frozen=True, kw_only=True)
class Influence:
    """The whole section.

    Attributes:
        common: so many letters at the start of every parameter name are the same and end with a dot; summaries leave them out.
        groups: tables, one list for each observable.
        map_columns, map_rows: components, and for each parameter a logarithmic sensitivity with its CSS class for each of them.
        map_complete: whether the map shows all parameters and components.
    """

    common: int
    groups: list[list[SensitivityTable]]
    map_columns: list[str]
    map_rows: list[tuple[str, list[tuple[float | None, str]]]]
    map_complete: bool

    @property
    def summary(self) -> list[SensitivityTable]:
        """All tables."""
        return [table for group in self.groups for table in group]


def influence_section(document: ResultDocument) -> Influence:
    """Everything that the section shows, ranked."""
    scalars = distinct(document)
    budget = max(OPEN_ROWS, ROW_BUDGET // max(1, len(scalars)))
    groups: dict[str, list[SensitivityTable]] = {}
    for scalar in scalars:
        groups.setdefault(scalar.observable, []).append(sensitivity_table(scalar, document, budget))
    shown = [scalar for scalar in scalars if not scalar.constant][:MAP_COLUMNS] if len(scalars) > 1 and len(document.parameters) > 1 else []
    rows = _map(shown, document)
    return Influence(
        common=_common_prefix([parameter.name for parameter in document.parameters]),
        groups=list(groups.values()),
        map_columns=[scalar.title for scalar in shown],
        map_rows=rows[:MAP_ROWS],
        map_complete=len(rows) <= MAP_ROWS and len(scalars) <= MAP_COLUMNS,
    )


def _common_prefix(names: list[str]) -> int:
    """Length of the dotted beginning that all names share; 0 for a single name."""
    same = os.path.commonprefix(names)  # noqa: RUF071  (letter by letter is meant)
    return same.rfind(".") + 1 if len(names) > 1 else 0


def without_logarithms(component: Component) -> bool:
    """Whether there are derivatives but, because the value is zero, no logarithmic ones."""
    return any(total is not None for total in component.total) and all(entry is None for entry in component.logarithmic)


def sensitivity_table(component: Component, document: ResultDocument, budget: int) -> SensitivityTable:
    """Ranked rows of one scalar, at most `budget` of them."""
    order = [] if component.constant else ranked(component, document)
    scaled = without_logarithms(component)
    sizes = zip(document.parameters, component.total, component.logarithmic, strict=True)
    bars = [(None if total is None else parameter.value * total) if scaled else entry for parameter, total, entry in sizes]
    values = [bars[p] for p in order]
    low, high = min((0.0, *(v for v in values if v))), max((0.0, *(v for v in values if v)))
    span = (high - low) or 1.0
    rows = [
        Row(
            parameter=document.parameters[p],
            direct=component.direct[p],
            relaxation=component.relaxation[p],
            total=component.total[p],
            logarithmic=component.logarithmic[p],
            bar=None if value is None else _bar(value, low, span),
        )
        for p, value in zip(order[:budget], values, strict=False)
    ]
    opened = len(rows) if len(rows) <= OPEN_ROWS + 3 else OPEN_ROWS
    return SensitivityTable(
        component=component,
        rows=rows[:opened],
        more=rows[opened:],
        left_out=len(order) - len(rows),
        zero=round(-100 * low / span, 2),
        low=low,
        high=high,
        scaled=scaled,
        top=[(document.parameters[p].name, value) for p, value in zip(order[:3], values, strict=False) if value],
    )


def _bar(value: float, low: float, span: float) -> Bar:
    start, end = sorted((100 * -low / span, 100 * (value - low) / span))
    return Bar(start=round(start, 2), width=round(end - start, 2), negative=value < 0)


def _map(scalars: list[Component], document: ResultDocument) -> list[tuple[str, list[tuple[float | None, str]]]]:
    """Parameter → (logarithmic sensitivity, CSS class) for each scalar; parameters by their largest share of any column."""
    largest = [max((magnitude(value) for value in scalar.logarithmic), default=0.0) or 1.0 for scalar in scalars]
    rows = []
    for p, parameter in enumerate(document.parameters):
        cells = [scalar.logarithmic[p] for scalar in scalars]
        shares = [magnitude(value) / scale for value, scale in zip(cells, largest, strict=True)]
        shaded = [(value, _shade(value, share)) for value, share in zip(cells, shares, strict=True)]
        rows.append((max(shares, default=0.0), sum(shares), parameter.name, shaded))
    rows.sort(key=lambda row: row[:2], reverse=True)
    return [(name, cells) for _, _, name, cells in rows]


def _shade(value: float | None, share: float) -> str:
    """Sign and strength as a class: `n1` … `n5`, `p1` … `p5`; nothing below two percent of the column's largest."""
    if value is None or share < 0.02:
        return ""
    return ("n" if value < 0 else "p") + str(min(SHADES, 1 + int(share * SHADES)))
