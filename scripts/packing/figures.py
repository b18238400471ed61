"""The two figures of the paper: sensitivity arrows over a packing, and norms over all seeds."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from md_sensitivity.reports.atomic import write_atomic
from packing.experiment import CERTIFIED, Packing
from packing.setup import FOLLOWS, Setup

# Okabe and Ito's colors, which color-blind readers tell apart.
BLUE, ORANGE, GREEN, VERMILION, GRAY = "#56B4E9", "#E69F00", "#009E73", "#D55E00", "#777777"
_TYPICAL_ARROW = 0.6
"""Length at which the ninetieth percentile of the arrows is drawn, in diameters of the large discs."""
_NEGLIGIBLE = 0.02
"""Arrows shorter than this are left out, in the same unit."""


def draw_arrows(setup: Setup, packings: Sequence[Packing], path: Path) -> Path | None:
    """Discs to scale with dx*/dθ as arrows, for the first certified seed; None where no seed has a derivative."""
    drawable = [p for p in packings if p.response is not None]
    if not drawable:
        return None
    chosen = next((p for p in drawable if p.record.status == CERTIFIED), drawable[0])
    figure, axes = _canvas(6.4, 7.0)
    assert chosen.positions is not None and chosen.response is not None and chosen.rattlers is not None
    positions = chosen.positions % setup.side
    radii = np.where(np.arange(setup.particles) < setup.large, 0.5, 0.5 * setup.diameter)
    _discs(axes, setup, positions, radii, chosen.rattlers)
    step = _nice(_TYPICAL_ARROW / np.percentile(np.linalg.norm(chosen.response, axis=1), 90))
    moves = step * chosen.response
    shown = np.linalg.norm(moves, axis=1) > _NEGLIGIBLE
    axes.quiver(
        *positions[shown].T, *moves[shown].T, angles="xy", scale_units="xy", scale=1, width=0.0042, headwidth=3.6, headlength=4, zorder=3
    )
    axes.set(xlim=(0, setup.side), ylim=(0, setup.side), aspect="equal", xticks=[], yticks=[])
    box = "box fixed" if setup.box != FOLLOWS else "relative to the box, which follows θ"
    axes.set_title(
        f"How discs move when the small ones grow ({box})\n"
        f"packing fraction {setup.packing_fraction:g}, seed {chosen.record.seed}; arrows: dx*/dθ × {step:g}",
        fontsize=12,
    )
    axes.legend(handles=_disc_legend(setup, bool(chosen.rattlers.any())), **_BELOW, ncol=3)
    return _saved(figure, path)


def _canvas(width: float, height: float) -> tuple[Any, Any]:
    """A figure without any global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


_BELOW: dict[str, Any] = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.01), "frameon": False, "fontsize": 11}


def _discs(axes: Any, setup: Setup, positions: np.ndarray, radii: np.ndarray, rattlers: np.ndarray) -> None:
    """All discs, and those images of them that reach into the box."""
    from matplotlib.patches import Circle

    for position, radius, color, loose in zip(positions, radii, _colors(setup), rattlers, strict=True):
        for shift in product((-1, 0, 1), repeat=2):
            image = position + np.array(shift) * setup.side
            if np.all((image > -radius) & (image < setup.side + radius)):
                axes.add_patch(Circle(tuple(image), radius, **_look(color, bool(loose))))


def _colors(setup: Setup) -> list[str]:
    return [BLUE] * setup.large + [ORANGE] * (setup.particles - setup.large)


def _look(color: str, loose: bool) -> dict[str, Any]:
    if loose:
        return {"facecolor": "white", "edgecolor": color, "linestyle": (0, (2, 1.5)), "linewidth": 1.4}
    return {"facecolor": color, "edgecolor": "white", "linewidth": 0.6, "alpha": 0.75}


def _disc_legend(setup: Setup, any_loose: bool) -> list[Any]:
    from matplotlib.lines import Line2D

    entries = [(BLUE, "diameter 1", False), (ORANGE, f"diameter θ = {setup.diameter:g}", False)]
    if any_loose:
        entries.append((GRAY, "rattlers", True))
    dot: dict[str, Any] = {"marker": "o", "linestyle": "", "markersize": 10}
    return [
        Line2D([], [], **dot, label=label, markerfacecolor="white" if loose else color, markeredgecolor=color)
        for color, label, loose in entries
    ]


def _nice(value: float) -> float:
    """The largest of 1, 1.5, 2, 3, 5, 7 × 10ᵏ that is not larger."""
    power = 10.0 ** np.floor(np.log10(value))
    return float(max(m for m in (1, 1.5, 2, 3, 5, 7) if m * power <= value * (1 + 1e-12)) * power)


def draw_norms(setup: Setup, packings: Sequence[Packing], path: Path) -> Path | None:
    """L1 norms of dx*/dθ over seeds, implicit and unrolled; None where there is none at all."""
    columns = _columns(packings)
    if not any(value is not None for _, values, _ in columns for value in values):
        return None
    figure, axes = _canvas(7.2, 4.8)
    spread = np.random.default_rng(0).uniform(-0.16, 0.16, len(packings))
    if len(columns) == 4:
        _links(axes, spread, columns[2][1], columns[3][1])
    for place, (_, values, colors) in enumerate(columns):
        found = [k for k, value in enumerate(values) if value is not None]
        heights, shades = [values[k] for k in found], [colors[k] for k in found]
        axes.scatter(place + spread[found], heights, s=34, c=shades, edgecolor="white", linewidth=0.5, zorder=3)
    axes.set_yscale("log")
    axes.set_ylim(*_limits([value for _, values, _ in columns for value in values if value is not None]))
    _missing(axes, spread, columns)
    axes.set_xticks(range(len(columns)), [name for name, _, _ in columns])
    axes.set(xlim=(-0.5, len(columns) - 0.5), ylabel="L1 norm of dx*/dθ")
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=10)
    box = "box follows θ" if setup.box == FOLLOWS else "box fixed"
    title = f"{setup.particles} discs, packing fraction {setup.packing_fraction:g}, {box}, {len(packings)} random starts"
    axes.set_title(title, fontsize=12)
    if len(columns) == 4:
        axes.legend(handles=_norm_legend(), frameon=False, fontsize=10, loc="upper left")
    return _saved(figure, path)


def _limits(values: Sequence[float]) -> tuple[float, float]:
    """At least two decades, with space for the legend above."""
    low, high = min(values) / 1.6, max(values) * 3.0
    return low, max(high, 100.0 * low)


_Column = tuple[str, list[float | None], list[str]]


def _columns(packings: Sequence[Packing]) -> list[_Column]:
    """(label, values, colors) of each column: one value for each seed, None where there is none."""
    records = [packing.record for packing in packings]
    blue = [BLUE] * len(records)
    columns: list[_Column] = [
        ("implicit\nCG", [r.implicit.cg_l1 if r.implicit else None for r in records], blue),
        ("implicit\nBiCGSTAB", [r.implicit.bicgstab_l1 if r.implicit else None for r in records], blue),
    ]
    if any(r.unrolled for r in records):
        right = [GREEN if r.unrolled and r.unrolled.agrees else VERMILION for r in records]
        columns += [
            ("implicit, CG,\nat FIRE's minimum", [r.unrolled.implicit_l1 if r.unrolled else None for r in records], blue),
            ("unrolled FIRE", [r.unrolled.l1 if r.unrolled else None for r in records], right),
        ]
    return columns


def _links(axes: Any, spread: np.ndarray, left: Sequence[float | None], right: Sequence[float | None]) -> None:
    """Thin lines from the implicit to the unrolled derivative of the same minimum."""
    for k, (a, b) in enumerate(zip(left, right, strict=True)):
        if a is not None and b is not None:
            axes.plot([2 + spread[k], 3 + spread[k]], [a, b], color="#bbbbbb", linewidth=0.7, zorder=1)


def _missing(axes: Any, spread: np.ndarray, columns: Sequence[_Column]) -> None:
    """Crosses above the axes for what is not finite, or does not exist."""
    above = axes.get_xaxis_transform()
    for place, (_, values, _) in enumerate(columns):
        absent = [k for k, value in enumerate(values) if value is None]
        if absent:
            axes.scatter(place + spread[absent], [1.0] * len(absent), transform=above, marker="x", color=VERMILION, clip_on=False, zorder=4)
            axes.text(place, 0.95, f"{len(absent)} without a number", transform=above, ha="center", va="top", fontsize=9, color=VERMILION)


def _norm_legend() -> list[Any]:
    from matplotlib.lines import Line2D

    entries = [(BLUE, "implicit"), (GREEN, "unrolled, right to 10⁻³"), (VERMILION, "unrolled, wrong")]
    dots = [Line2D([], [], marker="o", linestyle="", markersize=7, color=color, label=label) for color, label in entries]
    return [*dots, Line2D([], [], color="#bbbbbb", linewidth=1.0, label="same minimum")]


def _saved(figure: Any, path: Path) -> Path:
    from PIL import Image

    drawn, small = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=110, bbox_inches="tight", pad_inches=0.08, facecolor="white")
    # Few colors make a file of a third of the size; nothing is left in it that changes from day to day.
    Image.open(drawn).convert("RGB").quantize(128, dither=Image.Dither.NONE).save(small, format="png", optimize=True)
    return write_atomic(path, small.getvalue())
