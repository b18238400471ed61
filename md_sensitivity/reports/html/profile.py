"""The response of every atom along the sequence of atoms."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from md_sensitivity.reports.html.svg import coordinate, polyline, ticks
from md_sensitivity.reports.text import pretty

WIDTH, HEIGHT = 560.0, 230.0
LEFT, RIGHT, TOP, BOTTOM = 62.0, 12.0, 36.0, 34.0
MAX_STEMS, BINS = 500, 400


def profile(size: np.ndarray, unit: str, labels: list[str]) -> Markup:
    """|dx/dθ| against the atom index: one stem each for small structures, otherwise the largest and the mean of each bin.

    Args:
        size: |dx/dθ|, shape=(n,).
        unit: its unit.
        labels: what to call each atom.
    """
    n, top = len(size), float(size.max(initial=0.0)) or 1.0
    across, down = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x(index: float) -> float:
        return LEFT + across * (index + 0.5) / n

    def y(value: float) -> float:
        return TOP + down * (1 - value / (1.05 * top))

    parts = [f'<svg class="plot" viewBox="0 0 {coordinate(WIDTH)} {coordinate(HEIGHT)}" role="img">']
    for tick in ticks(top, 4):
        height = coordinate(y(tick))
        parts.append(f'<path class="grid" d="M{coordinate(LEFT)} {height}H{coordinate(WIDTH - RIGHT)}"/>')
        parts.append(f'<text class="end" x="{coordinate(LEFT - 6)}" y="{coordinate(y(tick) + 4)}">{pretty(tick, 3)}</text>')
    for mark in _index_ticks(n):
        parts.append(f'<text class="middle" x="{coordinate(x(mark))}" y="{coordinate(HEIGHT - BOTTOM + 16)}">{mark}</text>')
    parts.append(f'<text class="middle" x="{coordinate(LEFT + across / 2)}" y="{coordinate(HEIGHT - 3)}">atom index</text>')
    parts.append(f'<text x="4" y="13">|dx/dθ| [{Markup.escape(unit)}]</text>')
    if n <= MAX_STEMS:
        stems = "".join(f"M{coordinate(x(i))} {coordinate(y(0))}V{coordinate(y(float(value)))}" for i, value in enumerate(size))
        parts.append(f'<path class="stems" style="stroke-width:{max(1.0, min(9.0, 0.62 * across / n)):.1f}" d="{stems}"/>')
    else:
        parts.append(_envelope(size, x, y))
    peak = int(np.argmax(size))
    anchor = "end" if x(peak) > LEFT + across / 2 else "start"
    place = f'x="{coordinate(x(peak))}" y="{coordinate(TOP + 2)}"'
    parts.append(f'<text class="peak {anchor}" {place}>{Markup.escape(labels[peak])}</text>')
    return Markup("".join([*parts, "</svg>"]))  # numbers and escaped labels


def _envelope(size: np.ndarray, x: object, y: object) -> str:
    """Largest value of each bin of atoms as an area, the mean as a line."""
    assert callable(x) and callable(y)
    bins = np.array_split(np.arange(len(size)), min(len(size), BINS))
    middle = [x(float(members.mean())) for members in bins]
    upper = [(at, y(float(size[members].max()))) for at, members in zip(middle, bins, strict=True)]
    mean = [(at, y(float(size[members].mean()))) for at, members in zip(middle, bins, strict=True)]
    area = polyline([(middle[0], y(0.0)), *upper, (middle[-1], y(0.0))], closed=True)
    line = f'<path class="mean" d="{polyline(mean)}"/>' if len(size) > 4 * BINS else ""
    return f'<path class="area" d="{area}"/>{line}'


def _index_ticks(n: int) -> list[int]:
    """Round atom indices."""
    return sorted({round(tick) for tick in ticks(n - 1, 5) if abs(tick - round(tick)) < 1e-9})
