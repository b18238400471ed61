"""How the cost of all derivatives grows with the number of atoms."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from benchmarks import ours
from benchmarks.measure import Measure
from benchmarks.run import Case, Run
from benchmarks.systems import ALLOY, LARGE, MIDDLE, ON_GPU, SMALL, SMALLEST, crystal
from benchmarks.timing import alternate, duration, exponent, once

AT_MOST_PLAIN, AT_MOST_PRECONDITIONED = 1.35, 1.15
PARAMETERS = 8


def measure(run: Run) -> Iterator[Measure]:
    """8 parameters at each size, sizes in turns; the exponent is that of a least-squares fit over 4000 atoms and more."""
    sizes = run.sizes_of((SMALLEST, SMALL, MIDDLE, LARGE, *(ON_GPU if run.gpu else ())), (SMALL, MIDDLE))
    sides, iterations = {}, {}
    for size in sizes:
        run.say(f"  growth: minimizing {size} atoms")
        bound = ours.bind(crystal(size, ALLOY))
        equilibrium = ours.minimized(bound, ours.minimizers()[0])
        directions = ours.some(bound, PARAMETERS)
        for solver in (ours.PLAIN_SOLVER, *ours.PRECONDITIONED_SOLVERS):
            sides[f"{solver}/{size}"] = once(partial(ours.all_parameters, equilibrium, directions, solver))
            iterations[f"{solver}/{size}"] = int(ours.all_parameters(equilibrium, directions, solver).iterations)
    times = alternate(sides, run.repetitions, run.say)
    fitted = tuple(size for size in sizes if size >= SMALL) if len(sizes) > 2 else sizes
    yield _measure("growth/plain", ours.PLAIN_SOLVER, sizes, fitted, times, iterations, AT_MOST_PLAIN)
    better = [
        _measure("growth/preconditioned", solver, sizes, fitted, times, iterations, AT_MOST_PRECONDITIONED)
        for solver in ours.PRECONDITIONED_SOLVERS
    ]
    yield min(better, key=lambda found: found.median or 0.0) if better else _NONE


_NONE = Measure(
    key="growth/preconditioned",
    figure="exponent of time over atoms",
    limit=AT_MOST_PRECONDITIONED,
    unit="",
    fault="md_sensitivity offers no preconditioned solver for large systems",
)


def _measure(
    key: str,
    solver: str,
    sizes: tuple[int, ...],
    fitted: tuple[int, ...],
    times: dict[str, tuple[float, ...]],
    iterations: dict[str, int],
    limit: float,
) -> Measure:
    rounds = len(times[f"{solver}/{sizes[0]}"])
    each = [tuple(times[f"{solver}/{size}"][k] for size in fitted) for k in range(rounds)]
    values = tuple(exponent(fitted, seconds) for seconds in each) if len(fitted) > 1 else ()
    middle = {size: sorted(times[f"{solver}/{size}"])[rounds // 2] for size in sizes}
    text = ", ".join(f"{size}: {duration(middle[size])} in {iterations[f'{solver}/{size}']} iterations" for size in sizes)
    return Measure(
        key=key,
        figure="exponent of time over atoms",
        values=values,
        limit=limit,
        unit="",
        note=f"{solver}, {PARAMETERS} parameters, fitted from {fitted[0]} to {fitted[-1]} atoms: {text}",
        skipped="" if values else "one size gives no exponent",
        details={"solver": solver, "sizes": list(sizes), "seconds": [list(times[f"{solver}/{size}"]) for size in sizes]},
    )


GROWTH = Case(name="growth", description="growth of the cost of all derivatives with the number of atoms", measure=measure)
