"""What a measurement says: two sides, their ratios in each repetition, the limit, and the verdict."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PASS, SHORT, RECORDED, SKIPPED, INFORMATION = "pass", "short", "short (recorded)", "skipped", "for information"
VERDICTS = (PASS, SHORT, RECORDED, SKIPPED, INFORMATION)


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One row of the table.

    Attributes:
        key: name by which `docs/benchmarks.md` speaks of it, like `force-lammps/4000`.
        figure: what the judged figure is, like "ours / LAMMPS".
        values: the figure in each repetition; empty where nothing was measured.
        limit: None where the figure is for information.
        at_least: whether the figure must be at least the limit, instead of at most.
        ours, peer: medians of the two sides; None where there is none.
        unit: of the two sides: s, GB or "" for none.
        note: what a person should know about this row.
        fault: why the row falls short whatever the figure says; "" for nothing.
        skipped: why it was not measured; "" where it was.
        details: further numbers, which the file keeps.
    """

    key: str
    figure: str
    values: tuple[float, ...] = ()
    limit: float | None = None
    at_least: bool = False
    ours: float | None = None
    peer: float | None = None
    unit: str = "s"
    note: str = ""
    fault: str = ""
    skipped: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def median(self) -> float | None:
        """The judged figure; None where nothing was measured."""
        return statistics.median(self.values) if self.values else None

    @property
    def within(self) -> bool:
        """Whether the figure keeps the limit and nothing else is wrong."""
        if self.fault or self.median is None:
            return False
        return self.limit is None or (self.median >= self.limit if self.at_least else self.median <= self.limit)


def verdict(measure: Measure, recorded: Mapping[str, str]) -> str:
    """One of `VERDICTS`.

    Args:
        recorded: keys of the measures whose shortfall is known, with the reason.
    """
    if measure.skipped:
        return SKIPPED
    if measure.within:
        return INFORMATION if measure.limit is None else PASS
    return RECORDED if recorded.get(measure.key) else SHORT


def compared(
    key: str,
    figure: str,
    *,
    ours: tuple[float, ...],
    peer: tuple[float, ...],
    limit: float | None,
    speedup: bool = False,
    **more: Any,
) -> Measure:
    """A measure of two sides, pair by pair: ours / peer at most the limit, or with `speedup` peer / ours at least the limit."""
    values = tuple(b / a if speedup else a / b for a, b in zip(ours, peer, strict=True))
    return Measure(
        key=key, figure=figure, values=values, limit=limit, at_least=speedup,
        ours=statistics.median(ours), peer=statistics.median(peer), **more,
    )  # fmt: skip


def skipped(key: str, figure: str, reason: str, limit: float | None = None) -> Measure:
    """A measure that could not be made."""
    return Measure(key=key, figure=figure, limit=limit, skipped=reason)
