"""The sparse one-parameter-at-a-time route in numpy and scipy against ours."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from benchmarks import ours, sparse_peer
from benchmarks.measure import Measure, compared
from benchmarks.run import Case, Run
from benchmarks.systems import ALLOY, SMALL, SMALLEST, crystal
from benchmarks.timing import alternate, once

SAME = 1e-6
"""Largest relative discrepancy of a column."""


def measure(run: Run) -> Iterator[Measure]:
    """20 parameters from one minimum; the peer assembles its Hessian each time, as somebody does who needs it once."""
    for size in run.sizes_of((SMALLEST, SMALL), (SMALLEST,)):
        run.say(f"  sparse/{size}")
        bound = ours.bind(crystal(size, ALLOY))
        equilibrium = ours.minimized(bound, ours.minimizers()[0])
        x, parameters = np.asarray(equilibrium.x), [(row.parameter, row.index) for row in bound.rows]
        theirs = partial(sparse_peer.derivatives, bound.made, x, parameters)
        mine = partial(ours.all_parameters, equilibrium, bound.directions)
        times = alternate({"ours": once(mine), "sparse": once(theirs)}, run.repetitions, run.say)
        wanted = np.asarray(mine().value)
        wanted = wanted - wanted.mean(axis=1, keepdims=True)
        error = float(np.max(np.linalg.norm(theirs() - wanted, axis=(1, 2)) / np.linalg.norm(wanted, axis=(1, 2))))
        yield compared(
            f"sparse/{size}", "sparse, one by one / ours", ours=times["ours"], peer=times["sparse"], limit=None, speedup=True,
            note=f"{len(parameters)} parameters, largest discrepancy {error:.0e}",
            fault="" if error <= SAME else "the two disagree",
            details={"discrepancy": error},
        )  # fmt: skip


SPARSE = Case(name="sparse", description="the sparse one-parameter-at-a-time route against ours, for information", measure=measure)
