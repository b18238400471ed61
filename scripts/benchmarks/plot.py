"""A picture of one run: growth with the number of atoms, and how far each figure is from its limit."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.measure import Measure


def missing() -> str:
    """Why no picture can be made; "" where it can."""
    import importlib.util

    return "" if importlib.util.find_spec("matplotlib") else "--plot needs matplotlib (pip install '.[figures]')"


def draw(measures: Sequence[Measure], path: Path) -> bool:
    """Write the picture, the end of whose name tells its format; False, and no picture, where no measure has anything to draw."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    grown = [measure for measure in measures if "sizes" in measure.details]
    judged = [measure for measure in measures if measure.values and measure.limit]
    panels = [panel for panel, content in ((_growth, grown), (_against_limits, judged)) if content]
    if not panels:
        return False
    figure, axes = pyplot.subplots(1, len(panels), figsize=(6.5 * len(panels), 6), layout="constrained", squeeze=False)
    for axis, panel in zip(axes[0], panels, strict=True):
        panel(axis, grown if panel is _growth else judged)
    figure.savefig(path, dpi=150)
    pyplot.close(figure)
    return True


def _growth(axis: Any, measures: Sequence[Measure]) -> None:
    for measure in measures:
        seconds = [statistics.median(times) for times in measure.details["seconds"]]
        axis.loglog(measure.details["sizes"], seconds, "o-", label=f"{measure.details['solver']}, p = {measure.median or 0:.2f}")
    axis.set(xlabel="atoms", ylabel="derivatives of 8 parameters [s]", title="growth")
    axis.legend()


def _against_limits(axis: Any, measures: Sequence[Measure]) -> None:
    for row, measure in enumerate(reversed(measures)):
        shares = [limit_share(measure, value) for value in measure.values]
        color = "tab:blue" if measure.within else "tab:red"
        axis.plot([min(shares), max(shares)], [row, row], "-", color=color)
        axis.plot([statistics.median(shares)], [row], "o", color=color)
    axis.axvline(1.0, color="black", linewidth=0.8)
    axis.set(xscale="log", xlabel="figure / limit (limit / figure for speed-ups); left of 1 is good", title="figures against limits")
    axis.set_yticks(range(len(measures)), [measure.key for measure in reversed(measures)])


def limit_share(measure: Measure, value: float) -> float:
    """The figure in units of its limit, so that below 1 is good for either kind of limit."""
    assert measure.limit
    return measure.limit / value if measure.at_least else value / measure.limit
