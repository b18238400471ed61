"""The rows of an expansion to second order, as terminal and report show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from md_sensitivity.analysis.result import ExpansionInfo, ResultDocument, SecondOrderInfo, SideInfo
from md_sensitivity.reports.text import number

LEAST = 1e-3
"""A range below this many percent is written as less than it."""


@dataclass(frozen=True, kw_only=True)
class BendRow:
    """One parameter (or direction).

    Attributes:
        name, unit: of the parameter; a direction has no unit.
        second: d²E*/dθ²; None where it does not exist.
        linear, quadratic: how far predictions hold, in percent, such as `−0.5 … +0.4`.
        limit: what ends the quadratic one.
        reason: why there is nothing.
    """

    name: str
    unit: str
    second: float | None
    linear: str
    quadratic: str
    limit: str
    reason: str


def second_order_of(document: ResultDocument) -> SecondOrderInfo | None:
    """The expansion, where it was asked for."""
    return document.second_order if isinstance(document.second_order, SecondOrderInfo) else None


def unexpanded(info: SecondOrderInfo) -> str:
    """Observables that ranges do not speak of, separated by commas; "" where there are none."""
    names = dict.fromkeys(each.name for expansion in info.expansions for each in expansion.observables if each.second is None)
    kept = {each.name for expansion in info.expansions for each in expansion.observables if each.second is not None}
    missing = [name for name in names if name not in kept]
    return ", ".join(missing)


def title_of(expansion: ExpansionInfo) -> str:
    """Name of the parameter, or what the direction is."""
    if isinstance(expansion.parameter, str):
        return expansion.parameter
    return str(expansion.direction).removesuffix(" over all parameters")


def bend_rows(document: ResultDocument) -> list[BendRow]:
    """One row for each expansion, parameters with the shortest range first and the direction over all of them last."""
    info = second_order_of(document)
    if info is None:
        return []
    units = {parameter.name: parameter.unit for parameter in document.parameters}
    expansions = sorted(info.expansions, key=_order)
    return [_row(expansion, units.get(title_of(expansion), "")) for expansion in expansions]


def _order(expansion: ExpansionInfo) -> tuple[bool, bool, float]:
    valid = expansion.validity
    least = 0.0 if valid is None else min(side.relative for side in valid.quadratic)
    return isinstance(expansion.direction, str), valid is None, least


def _row(expansion: ExpansionInfo, unit: str) -> BendRow:
    valid = expansion.validity
    return BendRow(
        name=title_of(expansion),
        unit=unit,
        second=None if expansion.energy is None else expansion.energy.second,
        linear="" if valid is None else percent(valid.linear),
        quadratic="" if valid is None else percent(valid.quadratic),
        limit="" if valid is None else limits(valid.quadratic),
        reason=expansion.reason if isinstance(expansion.reason, str) else "",
    )


def percent(sides: Sequence[SideInfo]) -> str:
    """How far down and up, in percent of the parameter: `−1.5 … +1.4 %`."""
    down, up = (_percent(side.relative) for side in sides)
    return f"−{down} … +{up} %"


def _percent(relative: float) -> str:
    value = 100.0 * relative
    return "0" if value == 0 else f"{LEAST:g}" if value < LEAST else number(value, 2) if value < 100 else f"{value:.0f}"


def limits(sides: Sequence[SideInfo]) -> str:
    """What ends a range, both sides where they differ."""
    return " / ".join(dict.fromkeys(side.limited_by for side in sides))
