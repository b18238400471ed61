"""A picture of one run: growth with the number of atoms, and how far each figure is from its limit."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measure import Measure


def missing() -> str:
    """Why no picture can be made; "" where it can."""
    import importlib.util

    return "" if importlib.util.find_spec("matplotlib") else "--plot needs matplotlib (pip install '.[figures]')"


def draw(measures: Sequence[Measure], path: Path) -> None:
    """Write the picture; the end of the name tells its format."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(13, 6), layout="constrained", width_ratios=(1, 1.4))
    for measure in measures:
        if "sizes" in measure.details:
            seconds = [statistics.median(times) for times in measure.details["seconds"]]
            left.loglog(measure.details["sizes"], seconds, "o-", label=f"{measure.details['solver']}, p = {measure.median or 0:.2f}")
    left.set(xlabel="atoms", ylabel="derivatives of 8 parameters [s]", title="growth")
    if left.lines:
        left.legend()
    judged = [measure for measure in measures if measure.values and measure.limit]
    for row, measure in enumerate(reversed(judged)):
        shares = [limit_share(measure, value) for value in measure.values]
        middle = statistics.median(shares)
        color = "tab:blue" if measure.within else "tab:red"
        right.plot([min(shares), max(shares)], [row, row], "-", color=color)
        right.plot([middle], [row], "o", color=color)
    right.axvline(1.0, color="black", linewidth=0.8)
    right.set(xscale="log", xlabel="figure / limit (limit / figure for speed-ups); left of 1 is good", title="figures against limits")
    right.set_yticks(range(len(judged)), [measure.key for measure in reversed(judged)])
    figure.savefig(path, dpi=150)
    pyplot.close(figure)


def limit_share(measure: Measure, value: float) -> float:
    """The figure in units of its limit, so that below 1 is good for either kind of limit."""
    assert measure.limit
    return measure.limit / value if measure.at_least else value / measure.limit
