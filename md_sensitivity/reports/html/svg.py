"""A little SVG: compact coordinates and round tick marks. Colors come from the page's style sheet, so figures follow its theme."""

from __future__ import annotations

import math
from collections.abc import Iterable


def coordinate(value: float) -> str:
    """A pixel coordinate with one decimal at most."""
    text = f"{value:.1f}"
    text = text.removesuffix(".0")
    return "0" if text == "-0" else text


def polyline(points: Iterable[tuple[float, float]], *, closed: bool = False) -> str:
    """Path data through points."""
    return "M" + "L".join(f"{coordinate(x)} {coordinate(y)}" for x, y in points) + ("Z" if closed else "")


def round_step(span: float, count: int) -> float:
    """The largest of 1, 2, 5 × 10^k that divides `span` into at least `count` parts, roughly."""
    raw = span / max(1, count)
    power = 10.0 ** math.floor(math.log10(raw))
    return power * max(step for step in (1, 2, 5) if step * power <= raw * (1 + 1e-9))


def ticks(high: float, count: int) -> list[float]:
    """Round numbers from zero up to `high`."""
    if not high > 0:
        return [0.0]
    step = round_step(high, count)
    return [i * step for i in range(int(high / step * (1 + 1e-9)) + 1)]
