"""How long work tells where it stands, without knowing who listens."""

from __future__ import annotations

import math
from typing import Protocol


class Progress(Protocol):
    """Whoever listens: a bar on a terminal, a log, nobody."""

    def update(self, stage: str, fraction: float | None) -> None:
        """The work is in `stage`, a short phrase; `fraction` of it is done, None where nobody can tell."""


class Silent:
    """Listens to nothing."""

    def update(self, stage: str, fraction: float | None) -> None:
        """Ignore it."""


SILENT: Progress = Silent()


class Fall:
    """How far a quantity has fallen from its first value to a goal, as a share of the logarithms; never back.

    Args:
        goal: where it is to go.
    """

    def __init__(self, *, goal: float) -> None:
        self._goal = goal
        self._first: float | None = None
        self.share: float | None = None

    def to(self, value: float) -> float | None:
        """The share when it has fallen to `value`; None before anybody can tell."""
        if not (math.isfinite(value) and value > 0):
            return self.share
        if self._first is None:
            self._first = value
        way = math.log(self._first / self._goal) if self._first > self._goal > 0 else 0.0
        if way > 0:
            self.share = min(1.0, max(self.share or 0.0, math.log(self._first / value) / way))
        return self.share


def time_left(elapsed: float, share: float) -> str:
    """What remains of some work, as a phrase; "" as long as nobody can tell.

    Args:
        elapsed: time that the work has taken [s].
        share: how much of it is done.
    """
    if elapsed < 2.0 or not 0.05 <= share < 1.0:
        return ""
    left = elapsed * (1.0 - share) / share
    if left < 90:
        return f"about {max(1, round(left))} s left"
    return f"about {round(left / 60)} min left" if left < 5400 else f"about {left / 3600:.1f} h left"
