"""The section on second order: how far predictions hold, and their measured errors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from md_sensitivity.analysis.result import ExpansionInfo, MeasuredInfo, ResultDocument, ValidityInfo
from md_sensitivity.reports.html.svg import coordinate, polyline
from md_sensitivity.reports.second_order import BendRow, bend_rows, limits, percent, second_order_of, title_of, unexpanded
from md_sensitivity.reports.text import SUPERSCRIPTS, visible

MATRIX = 12
"""Parameters up to which d²E/dθ² is shown as a matrix."""
OPEN_ROWS = 40
PANELS = 9
WIDTH, HEIGHT = 340.0, 270.0
LEFT, RIGHT, TOP, BOTTOM = 58.0, 10.0, 24.0, 40.0
STRAIGHT, STILL = 1e-6, 1e-8
"""What changes by no more than this, or is straight but for this share of the change, has no errors worth a diagram."""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A diagram of errors against the perturbation."""

    title: str
    figure: Markup


@dataclass(frozen=True, kw_only=True)
class Bend:
    """The whole section.

    Attributes:
        reason: why there is nothing else, or "".
        tolerance: in percent.
        unexpanded: observables of which there is no second order, separated by commas.
        rows: one for each expansion; `left_out` more are only in the file.
        details: of each expansion the range of each quantity: name, linear, quadratic, what ends them.
        names, matrix: d²E/dθ², where it is small enough.
        panels: measured errors.
        unmeasured: reasons why perturbations could not be measured.
    """

    reason: str
    tolerance: float
    unexpanded: str
    unit: str
    asymmetry: float | None
    rows: list[BendRow]
    left_out: int
    details: list[tuple[str, list[tuple[str, str, str, str]]]]
    names: list[str]
    matrix: list[tuple[str, list[float | None]]]
    panels: list[Panel]
    unmeasured: list[str]


def bend_section(document: ResultDocument) -> Bend | None:
    """Everything that the section shows; None where nobody asked for it."""
    info = second_order_of(document)
    if info is None:
        return None
    rows = bend_rows(document)
    names = [parameter.name for parameter in document.parameters]
    length = "reduced" if document.force_field.units == "reduced" else "Å"
    few = info.energy_hessian is not None and len(names) <= MATRIX
    details = [(title_of(each), _quantities(each.validity)) for each in info.expansions if each.validity is not None]
    return Bend(
        reason=info.reason if isinstance(info.reason, str) else "",
        tolerance=100.0 * info.tolerance,
        unexpanded=unexpanded(info),
        unit=info.unit,
        asymmetry=info.asymmetry,
        rows=rows[:OPEN_ROWS],
        left_out=max(0, len(rows) - OPEN_ROWS),
        details=details[:OPEN_ROWS],
        names=names if few else [],
        matrix=list(zip(names, info.energy_hessian or [], strict=True)) if few else [],
        panels=[panel for each in info.expansions for panel in _panels(each, info.unit, length)][:PANELS],
        unmeasured=list(dict.fromkeys(text for each in info.expansions for text in _failures(each))),
    )


def _quantities(valid: ValidityInfo) -> list[tuple[str, str, str, str]]:
    return [(each.quantity, percent(each.linear), percent(each.quadratic), limits(each.quadratic)) for each in valid.ranges]


def _failures(expansion: ExpansionInfo) -> list[str]:
    checks = expansion.measured if isinstance(expansion.measured, list) else []
    return [f"{title_of(expansion)}: {check.reason}" for check in checks if isinstance(check.reason, str)]


def _panels(expansion: ExpansionInfo, unit: str, length: str) -> list[Panel]:
    """A diagram for each quantity whose predictions have errors beyond rounding."""
    checks = [check for check in expansion.measured if check.errors] if isinstance(expansion.measured, list) else []
    valid = expansion.validity
    if len(checks) < 2 or valid is None:
        return []
    units = {"energy": unit, "positions": length} | {each.name: each.unit for each in expansion.observables}
    found = []
    for place, error in enumerate(checks[-1].errors):
        if error.change > STILL and error.linear > STRAIGHT * error.change:
            side = 0 if checks[-1].relative < 0 else 1
            reach = next(each.quadratic[side].relative for each in valid.ranges if each.quantity == error.quantity)
            figure = errors_against_change(checks, place, reach, visible(units.get(error.quantity, "")))
            found.append(Panel(title=f"{error.quantity}, {title_of(expansion)}", figure=figure))
    return found


def errors_against_change(checks: Sequence[MeasuredInfo], place: int, reach: float, unit: str) -> Markup:
    """Errors of the linear and the quadratic prediction of one quantity, both axes logarithmic.

    Args:
        place: of the quantity among the errors of each check.
        reach: relative change up to which the quadratic prediction is said to hold, a vertical line.
    """
    across, down = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    changes = [abs(check.relative) for check in checks]
    curves = {
        kind: [
            (x, getattr(check.errors[place], kind))
            for x, check in zip(changes, checks, strict=True)
            if getattr(check.errors[place], kind) > 0
        ]
        for kind in ("linear", "quadratic")
    }
    values = [math.log10(y) for points in curves.values() for _, y in points]
    low, high = math.floor(min(values) - 0.05), math.ceil(max(values) + 0.05)
    first, last = math.log10(min(changes)) - 0.08, math.log10(max(changes)) + 0.08

    def x(value: float) -> float:
        return LEFT + across * (math.log10(value) - first) / (last - first)

    def y(value: float) -> float:
        return TOP + down * (high - math.log10(value)) / (high - low)

    parts = [f'<svg class="plot" viewBox="0 0 {coordinate(WIDTH)} {coordinate(HEIGHT)}" role="img" aria-label="error against change">']
    for power in range(low, high + 1, max(1, -(-(high - low) // 6))):
        height = y(10.0**power)
        parts.append(f'<path class="grid" d="M{coordinate(LEFT)} {coordinate(height)}H{coordinate(WIDTH - RIGHT)}"/>')
        parts.append(f'<text class="end" x="{coordinate(LEFT - 5)}" y="{coordinate(height + 4)}">{_power(power)}</text>')
    for power in range(math.ceil(first - 2), math.floor(last + 2) + 1):
        for factor in (1, 3):
            mark = factor * 10.0**power
            if first <= math.log10(mark) <= last:
                label = f"{100.0 * mark:g}"
                parts.append(f'<text class="middle" x="{coordinate(x(mark))}" y="{coordinate(HEIGHT - BOTTOM + 16)}">{label}</text>')
                parts.append(f'<path class="grid" d="M{coordinate(x(mark))} {coordinate(TOP)}V{coordinate(HEIGHT - BOTTOM)}"/>')
    if 0 < reach and first <= math.log10(reach) <= last:
        parts.append(f'<path class="cell" d="M{coordinate(x(reach))} {coordinate(TOP)}V{coordinate(HEIGHT - BOTTOM)}"/>')
    for shade, kind, slope in (("a2", "linear", 2), ("a5", "quadratic", 3)):
        points = curves[kind]
        if not points:
            continue
        start, level = points[len(points) // 4]
        span = (min(p for p, _ in points), max(p for p, _ in points))
        guide = [(x(edge), y(min(max(level * (edge / start) ** slope, 10.0**low), 10.0**high))) for edge in span]
        parts.append(f'<path class="bonds" d="{polyline(guide)}"/>')
        dots = "".join(f'<circle cx="{coordinate(x(px))}" cy="{coordinate(y(py))}" r="3.4"/>' for px, py in points)
        parts.append(f'<g class="scene {shade}">{dots}</g>')
        at_x, at_y = points[len(points) // 2]
        above = kind == "linear"  # and the other below its dots, so that both stand free
        anchor, right, down_by = ("end", -4.0, -9.0) if above else ("start", 8.0, 14.0)
        spot = f'x="{coordinate(x(at_x) + right)}" y="{coordinate(y(at_y) + down_by)}"'
        parts.append(f'<text class="{anchor}" {spot}>{kind}</text>')
    middle = coordinate(LEFT + across / 2)
    parts.append(f'<text class="middle" x="{middle}" y="{coordinate(HEIGHT - 5)}">change of the parameter [%]</text>')
    label = f" [{Markup.escape(unit)}]" if unit not in ("", "reduced") else ""
    parts.append(f'<text x="0" y="12">error{label}</text>')
    return Markup("".join([*parts, "</svg>"]))  # numbers, our own words, and an escaped unit


def _power(power: int) -> str:
    return "1" if power == 0 else f"10{str(power).translate(SUPERSCRIPTS)}"
