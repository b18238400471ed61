"""dx*/dθ of 20 parameters, and the adjoint gradient of one observable, against the minimization before them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial

from benchmarks import ours
from benchmarks.measure import Measure, compared
from benchmarks.run import Case, Run, within
from benchmarks.systems import ALLOY, MIDDLE, SMALL, crystal
from benchmarks.timing import alternate, many, once
from md_sensitivity.errors import MdSensitivityError

LIMITS = {
    ("all-parameters", "minimization"): 1.0,
    ("all-parameters", "fire"): 0.4,
    ("adjoint", "minimization"): 0.5,
    ("adjoint", "fire"): 0.2,
}
"""(what of ours, against what) → largest ratio."""


def fastest_minimizer(bound: ours.Bound, say: Callable[[str], None]) -> str:
    """The name of our fastest minimizer from the rattled start, each one warmed up."""
    times = {}
    for name in ours.minimizers():
        try:
            ours.minimized(bound, name)
            start = time.perf_counter()
            found = ours.minimized(bound, name)
        except MdSensitivityError as error:
            say(f"    {name}: fails here ({error})")
            continue
        times[name] = time.perf_counter() - start
        say(f"    {name}: {times[name]:.3g} s, {found.force_evaluations} forces, {found.hessian_products} Hessian products")
    return min(times, key=lambda name: times[name])


def measure(run: Run) -> Iterator[Measure]:
    """Minimizations start from the rattle; derivatives start from a minimum and include everything after it."""
    fastest = ""
    for size in run.sizes_of((SMALL, MIDDLE)):
        run.say(f"  all-parameters/{size}, adjoint/{size}")
        bound = ours.bind(crystal(size, ALLOY))
        fastest = fastest or fastest_minimizer(bound, run.say)
        equilibrium = ours.minimized(bound, fastest)
        sides = {
            "force": many(ours.force(bound)),
            "minimization": once(partial(ours.minimized, bound, fastest)),
            "fire": once(partial(ours.minimized, bound, ours.FIRE)),
            "all-parameters": once(partial(ours.all_parameters, equilibrium, bound.directions)),
            "adjoint": once(ours.adjoint(equilibrium)),
        }
        times = alternate(sides, run.repetitions, run.say)
        forces = {
            name: statistics.median(a / b for a, b in zip(times[name], times["force"], strict=True)) for name in sides if name != "force"
        }
        for (what, against), limit in LIMITS.items():
            label = fastest if against == "minimization" else "plain FIRE"
            yield compared(
                f"{what}/{against}/{size}",
                f"{'20 parameters' if what == 'all-parameters' else 'adjoint'} / {against}",
                ours=times[what],
                peer=times[against],
                limit=within(size, limit),
                note=f"{len(bound.rows)} parameters, {label}; in force evaluations {forces[what]:.0f} and {forces[against]:.0f}",
                details={"minimizer": label, "force_equivalents": forces, "force_s": list(times["force"])},
            )


ALL_PARAMETERS = Case(
    name="all-parameters", description="20 parameters forward, and one observable adjoint, against minimization", measure=measure
)
