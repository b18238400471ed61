"""Products with the Hessian in units of one force evaluation."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import ours
from benchmarks.measure import Measure, compared
from benchmarks.run import Case, Run, within
from benchmarks.systems import MIDDLE, SMALL, crystal
from benchmarks.timing import alternate, many

AT_MOST, AT_MOST_EACH = 1.2, 0.2
TOGETHER = 16
"""Right-hand sides of the batched product."""


def measure(run: Run) -> Iterator[Measure]:
    """H v, and H V for 16 vectors at once per vector, against ∂E/∂x at the same positions; all on one species."""
    for size in run.sizes_of((SMALL, MIDDLE)):
        run.say(f"  hessian-product/{size}, hessian-batch/{size}")
        bound = ours.bind(crystal(size))
        force = many(ours.force(bound))
        single = alternate({"force": force, "product": many(ours.hessian_products(bound, 1))}, run.repetitions, run.say)
        # Not in one round with the single product: what large batches leave in the caches is no business of that.
        batch = alternate({"force": force, "batch": many(ours.hessian_products(bound, TOGETHER))}, run.repetitions, run.say)
        each = tuple(time / TOGETHER for time in batch["batch"])
        yield compared(
            f"hessian-product/{size}", "product / force", ours=single["product"], peer=single["force"], limit=within(size, AT_MOST)
        )
        yield compared(
            f"hessian-batch/{size}",
            "batched product per vector / force",
            ours=each,
            peer=batch["force"],
            limit=within(size, AT_MOST_EACH),
            note=f"{TOGETHER} vectors at once",
        )


HESSIAN = Case(name="hessian", description="Hessian products, single and batched, in force evaluations", measure=measure)
