"""Wall times of several ways to one answer, taken in turns so that whatever slows the machine slows all of them."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax

Sample = Callable[[], float]
"""Does the work, perhaps many times, and gives the seconds of one time."""
Say = Callable[[str], None]

SHORTEST = 0.2
"""A sample repeats its work for about so long, because clocks and schedulers disturb shorter ones [s]."""


def once(work: Callable[[], Any]) -> Sample:
    """A sample that does the work once; waits for arrays that are still being computed."""

    def sample() -> float:
        start = time.perf_counter()
        jax.block_until_ready(work())
        return time.perf_counter() - start

    return sample


def many(work: Callable[[], Any], shortest: float = SHORTEST) -> Sample:
    """A sample that repeats short work, one after the other; how often is decided by a first, warm, call."""
    calls = 0

    def sample() -> float:
        nonlocal calls
        if not calls:
            jax.block_until_ready(work())
            calls = max(1, math.ceil(shortest / max(once(work)(), 1e-6)))
        start = time.perf_counter()
        for _ in range(calls):
            jax.block_until_ready(work())  # or independent calls would overlap on several processors
        return (time.perf_counter() - start) / calls

    return sample


def alternate(sides: Mapping[str, Sample], repetitions: int, say: Say) -> dict[str, tuple[float, ...]]:
    """Seconds of each side in each repetition: all sides once to warm up, then A B C, A B C, ..."""
    for sample in sides.values():
        sample()
    found: dict[str, list[float]] = {name: [] for name in sides}
    for repetition in range(repetitions):
        for name, sample in sides.items():
            found[name].append(sample())
        say(f"    {repetition + 1} of {repetitions}: " + ", ".join(f"{name} {duration(times[-1])}" for name, times in found.items()))
    return {name: tuple(times) for name, times in found.items()}


def duration(seconds: float) -> str:
    """Three digits and a unit."""
    for size, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def exponent(sizes: tuple[int, ...], times: tuple[float, ...]) -> float:
    """p of the least-squares fit time ∝ sizeᵖ."""
    x, y = [math.log(size) for size in sizes], [math.log(time) for time in times]
    return statistics.linear_regression(x, y).slope
