"""Peak memory of a process that minimizes and differentiates."""

from __future__ import annotations

import json
from collections.abc import Iterator

from benchmarks.child import call
from benchmarks.measure import Measure
from benchmarks.run import Case, Run
from benchmarks.systems import LARGE

AT_MOST_GB = 2.0
PARAMETERS = 8


def measure(run: Run) -> Iterator[Measure]:
    """One child process: it imports, minimizes and takes the derivatives of 8 parameters; memory does not vary, so once is enough."""
    for size in run.sizes_of((LARGE,)):
        run.say(f"  memory/{size}")
        done = call(["-m", "benchmarks.memory_child", str(size), str(PARAMETERS)])
        found = json.loads(done.text.splitlines()[-1])
        peak = found["all_gb"]
        yield Measure(
            key=f"memory/{size}",
            figure="peak memory [GB]",
            values=(peak,),
            limit=AT_MOST_GB if size == LARGE else None,
            ours=peak,
            unit="GB",
            note=(
                f"{PARAMETERS} parameters; {peak - found['jax_gb']:.2f} GB above an interpreter with jax imported, of which "
                f"{peak - found['minimized_gb']:.2f} GB come with the derivatives; the child took {done.seconds:.0f} s with compilation"
            ),
            details=found,
        )


MEMORY = Case(name="memory", description="peak memory of minimization and derivatives of 108,000 atoms", measure=measure, full_only=True)
