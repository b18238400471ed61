"""Diagrams of a fit: predicted against wanted values, and the cost of each trial."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from md_sensitivity.fitting.document import StepInfo
from md_sensitivity.reports.html.svg import coordinate, polyline, round_step
from md_sensitivity.reports.text import pretty

SIZE, LEFT, BOTTOM, EDGE, TOP = 300.0, 74.0, 46.0, 12.0, 22.0
WIDTH, HEIGHT = 640.0, 250.0
MAX_DOTS = 3000
LETTER = 7.5
"""Width of a letter at an axis."""


class Dot(NamedTuple):
    """Wanted and predicted value, standard deviation, and the residual in standard deviations."""

    value: float
    predicted: float
    std: float
    residual: float


def parity(dots: Sequence[Dot], unit: str) -> Markup:
    """Predicted against wanted values; the line is where they are equal."""
    shown = dots[:: max(1, -(-len(dots) // MAX_DOTS))]
    numbers = [number for dot in shown for number in dot[:2]]
    low, high = min(numbers), max(numbers)
    margin = max(0.08 * (high - low), 3.0 * min(dot.std for dot in shown))
    low, high = low - margin, high + margin
    across = SIZE - LEFT - EDGE

    def x(value: float) -> float:
        return LEFT + across * (value - low) / (high - low)

    def y(value: float) -> float:
        return SIZE - BOTTOM - (SIZE - BOTTOM - TOP) * (value - low) / (high - low)

    parts = [f'<svg class="plot" viewBox="0 0 {coordinate(SIZE)} {coordinate(SIZE)}" role="img" aria-label="predicted against wanted">']
    step = round_step(high - low, 3)
    marks = {k: pretty(round(k * step, 12), 6) for k in range(math.ceil(low / step), math.floor(high / step) + 1)}
    apart = math.ceil(LETTER * max((len(text) + 1 for text in marks.values()), default=0) / (x(low + step) - x(low)))
    for k, text in marks.items():
        tick = k * step
        parts.append(f'<path class="grid" d="M{coordinate(LEFT)} {coordinate(y(tick))}H{coordinate(SIZE - EDGE)}"/>')
        parts.append(f'<text class="end" x="{coordinate(LEFT - 6)}" y="{coordinate(y(tick) + 4)}">{text}</text>')
        if k % apart == 0:  # numbers side by side need more room than those below each other
            parts.append(f'<text class="middle" x="{coordinate(x(tick))}" y="{coordinate(SIZE - BOTTOM + 16)}">{text}</text>')
    parts.append(f'<path class="ruler" d="{polyline([(x(low), y(low)), (x(high), y(high))])}"/>')
    for dot in shown:
        shade = "a5" if abs(dot.residual) > 3.0 else "a3" if abs(dot.residual) > 1.0 else "a1"
        place = f'cx="{coordinate(x(dot.value))}" cy="{coordinate(y(dot.predicted))}"'
        parts.append(f'<g class="scene {shade}"><circle {place} r="{4 if len(shown) < 100 else 2}"/></g>')
    label = f" [{Markup.escape(unit)}]" if unit not in ("", "1", "reduced") else ""
    parts.append(f'<text class="middle" x="{coordinate(LEFT + across / 2)}" y="{coordinate(SIZE - 8)}">wanted{label}</text>')
    parts.append('<text x="0" y="12">predicted</text>')
    return Markup("".join([*parts, "</svg>"]))  # numbers and an escaped unit


def convergence(history: Sequence[StepInfo]) -> Markup:
    """χ² of each trial on a logarithmic scale: full dots are steps taken, open ones steps rejected, crosses trials without residuals."""
    costs = [None if step.cost is None else 2.0 * step.cost for step in history]
    logs = [math.log10(max(cost, 1e-300)) for cost in costs if cost is not None]
    least = min((value for value in logs if value > -299), default=0.0)
    bottom, top = math.floor(least - 0.2), math.ceil(max(logs) + 0.2)
    across, down = WIDTH - LEFT - EDGE, HEIGHT - BOTTOM - TOP

    def x(number: float) -> float:
        return LEFT + across * (number + 0.5) / len(history)

    def y(value: float) -> float:
        return TOP + down * (top - max(value, bottom)) / (top - bottom)

    parts = [f'<svg class="plot" viewBox="0 0 {coordinate(WIDTH)} {coordinate(HEIGHT)}" role="img" aria-label="cost of each trial">']
    for power in range(bottom, top + 1, max(1, -(-(top - bottom) // 6))):
        parts.append(f'<path class="grid" d="M{coordinate(LEFT)} {coordinate(y(power))}H{coordinate(WIDTH - EDGE)}"/>')
        label = pretty(10.0**power, 3) if power >= -300 else "0"
        parts.append(f'<text class="end" x="{coordinate(LEFT - 6)}" y="{coordinate(y(power) + 4)}">{label}</text>')
    for k in range(0, len(history), max(1, len(history) // 12)):
        parts.append(f'<text class="middle" x="{coordinate(x(k))}" y="{coordinate(HEIGHT - BOTTOM + 16)}">{history[k].step}</text>')
    heights = [None if cost is None else y(math.log10(max(cost, 1e-300))) for cost in costs]
    taken = [(x(k), height) for k, height in enumerate(heights) if height is not None and history[k].accepted]
    parts.append(f'<path class="ruler" d="{polyline(taken)}"/>')
    for k, (step, height) in enumerate(zip(history, heights, strict=True)):
        if height is None:
            at, edge = coordinate(x(k)), coordinate(TOP + 8)
            parts.append(f'<text class="middle peak" x="{at}" y="{edge}">×</text>')
            continue
        place = f'cx="{coordinate(x(k))}" cy="{coordinate(height)}"'
        parts.append(f'<g class="scene {"a4" if step.accepted else "a0"}"><circle {place} r="4.5"/></g>')
    parts.append(f'<text class="middle" x="{coordinate(LEFT + across / 2)}" y="{coordinate(HEIGHT - 8)}">trial</text>')
    parts.append('<text x="0" y="12">χ²</text>')
    return Markup("".join([*parts, "</svg>"]))  # numbers only
