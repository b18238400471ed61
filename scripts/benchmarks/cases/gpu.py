"""A million atoms on a GPU, and a force evaluation against what the memory of the device allows."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from functools import partial

import jax
import jax.numpy as jnp

from benchmarks import ours
from benchmarks.measure import Measure, compared, skipped
from benchmarks.run import Case, Run
from benchmarks.systems import ALLOY, ARGON, ON_GPU, crystal
from benchmarks.timing import alternate, many, once

AT_MOST_SECONDS, AT_MOST_FLOOR = 60.0, 3.0
PARAMETERS = 8
_COPIED = 2**27
"""Numbers of 8 bytes that are copied to measure the bandwidth."""


def bytes_of_force(size: int, width: int) -> int:
    """What any force evaluation over a full neighbor table must move: the index table and the positions once in, the forces once out."""
    return size * (4 * width + 8 * 3 + 8 * 3)


def measure(run: Run) -> Iterator[Measure]:
    """Float64 throughout; programs are compiled before."""
    limits = {"gpu-million": AT_MOST_SECONDS, "gpu-force-floor": AT_MOST_FLOOR}
    if not run.gpu:
        for key, limit in limits.items():
            yield skipped(key, "on a GPU", "no GPU is at hand", limit)
        return
    size = run.sizes_of(ON_GPU)[-1]
    yield _million(run, size, limits["gpu-million"])
    yield _floor(run, size, limits["gpu-force-floor"])


def _million(run: Run, size: int, limit: float) -> Measure:
    run.say(f"  gpu-million: {size} atoms")
    bound = ours.bind(crystal(size, ALLOY))
    directions = ours.some(bound, PARAMETERS)

    def whole() -> jax.Array:
        return ours.all_parameters(ours.minimized(bound, ours.minimizers()[0]), directions).solution

    first = once(whole)()
    times = alternate({"minimization and derivatives": once(whole)}, min(2, run.repetitions), run.say)["minimization and derivatives"]
    return Measure(
        key="gpu-million", figure="minimization and 8 parameters [s]", values=times, limit=limit,
        ours=statistics.median(times), note=f"{size} atoms, four species; the first time, with compilation, {first:.3g} s",
    )  # fmt: skip


def _floor(run: Run, size: int, limit: float) -> Measure:
    run.say("  gpu-force-floor")
    single = ours.bind(crystal(size, ARGON))
    moved = bytes_of_force(size, single.energy.system.terms[0].neighbors.index.shape[1])
    block = jnp.zeros(_COPIED)
    copy = jax.jit(lambda values: values + 1.0)
    times = alternate({"force": many(ours.force(single)), "copy": many(partial(copy, block))}, run.repetitions, run.say)
    floor = tuple(moved / (16.0 * _COPIED / seconds) for seconds in times["copy"])
    return compared(
        "gpu-force-floor", "force / memory floor", ours=times["force"], peer=floor, limit=limit,
        note=f"{moved / 1e6:.0f} MB at {16e-9 * _COPIED / statistics.median(times['copy']):.0f} GB/s, measured by a copy",
    )  # fmt: skip


GPU = Case(name="gpu", description="a million atoms, and the memory floor of a force; on a GPU only", measure=measure)
