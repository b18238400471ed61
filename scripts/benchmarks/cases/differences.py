"""LAMMPS central differences, re-minimized for each parameter, against our derivatives, at equal error."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from benchmarks import lammps_peer, ours
from benchmarks.measure import Measure, compared, skipped
from benchmarks.run import Case, Run, within
from benchmarks.systems import ALLOY, MIDDLE, SMALL, SMALLEST, crystal
from benchmarks.timing import alternate, once

COUNTS = (1, 5, 20)
"""Numbers of parameters."""
AT_LEAST = 20.0
LARGEST_ERROR = 1e-6
"""Of a derivative, relative, in the norm over all atoms."""
DISAGREE = 1e-5
"""A discrepancy beyond this is none of small errors; below it, an error of LAMMPS only makes the measured speed-up a lower bound."""
STEPS = {"sigma": 2e-4, "epsilon": 1e-3}
"""Relative changes of parameters: about the largest whose truncation error is below `LARGEST_ERROR` (σ 4e-7, ε 3e-7)."""
START_STAGES = (("fire", 1e-4), ("hftn", 1e-9))
"""LAMMPS's way from the rattled start to its minimum."""
WARM_STAGES = (("hftn", 1e-9),)
"""From there to a displaced minimum: of fire, cg, hftn and their pairs the fastest that gives the error; cg stalls at 1e-7 eV/Å. The
last step of hftn goes far below its goal."""
_SAMPLED = {(True, SMALL): (0, 1, 2, 3, 4), (True, MIDDLE): (0, 1), (False, MIDDLE): (0, 1, 7)}
"""(--quick, size) → parameters that are timed where all would take too long; the others are counted like their mean."""
_REFERENCE_UP_TO = {True: SMALLEST, False: SMALL}
"""Largest system for which --quick, and the full run, make an independent Richardson reference of one column."""


@dataclass
class Differences:
    """LAMMPS at its minimum, and what it has found so far.

    Attributes:
        seconds: parameter → time of its last column.
        columns: parameter → dx*/dθ, shape=(n, 3).
        force: largest force component that any minimization left [eV/Å].
    """

    peer: lammps_peer.Lammps
    parameters: list[tuple[str, int]]
    minimum: np.ndarray
    seconds: dict[int, float] = field(default_factory=dict)
    columns: dict[int, np.ndarray] = field(default_factory=dict)
    force: float = 0.0

    def column(self, k: int, factor: float = 1.0, stages: tuple[tuple[str, float], ...] = WARM_STAGES) -> np.ndarray:
        """dx*/dθ of one parameter with its own step times the factor, without the mean translation [Å per unit]."""
        name, index = self.parameters[k]
        made, ends = self.peer.made, []
        change = factor * STEPS[name] * getattr(made, name)[index]
        for side in (1.0, -1.0):
            values = {"sigma": made.sigma.copy(), "epsilon": made.epsilon.copy()}
            values[name][index] += side * change
            self.peer.set_parameters(values["sigma"], values["epsilon"])
            self.peer.place(self.minimum)
            self.force = max(self.force, self.peer.minimize(*stages))
            ends.append(self.peer.positions())
        found = (ends[0] - ends[1]) / (2.0 * change)
        return found - found.mean(axis=0)

    def timed(self, chosen: tuple[int, ...]) -> float:
        """Columns of the chosen parameters; the mean seconds of one."""
        for k in chosen:
            start = time.perf_counter()
            self.columns[k] = self.column(k)
            self.seconds[k] = time.perf_counter() - start
        return statistics.mean(self.seconds[k] for k in chosen)

    def cost(self, count: int) -> float:
        """Seconds of the first parameters; those that were not timed count like the mean of the others."""
        mean = statistics.mean(self.seconds.values())
        return sum(self.seconds.get(k, mean) for k in range(count))


def richardson(differences: Differences, k: int) -> np.ndarray:
    """A column without its h² error, from minimizations down to rounding."""
    coarse, fine = (differences.column(k, factor, (("fire", 1e-13),)) for factor in (4.0, 2.0))
    return (4.0 * fine - coarse) / 3.0


def relative(found: np.ndarray, wanted: np.ndarray) -> float:
    """‖found − wanted‖ / ‖wanted‖."""
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))


def measure(run: Run) -> Iterator[Measure]:
    """Both sides start from a minimum; measures named `...-from-start` add each side's own minimization."""
    for size in run.sizes_of((SMALLEST, SMALL, MIDDLE), (SMALLEST, SMALL)):
        if "lammps" in run.missing:
            limit = within(size, AT_LEAST, SMALLEST)
            yield skipped(f"differences/P{max(COUNTS)}/{size}", "LAMMPS differences / ours", run.missing["lammps"], limit)
            continue
        run.say(f"  differences/P{'|'.join(map(str, COUNTS))}/{size}")
        bound = ours.bind(crystal(size, ALLOY))
        with lammps_peer.lammps(bound.made, ours.LIST_SKIN) as peer:
            yield from _at(run, bound, peer)


def _at(run: Run, bound: ours.Bound, peer: lammps_peer.Lammps) -> Iterator[Measure]:
    size, most = bound.made.size, max(COUNTS)
    chosen = _SAMPLED.get((run.quick, size), tuple(range(len(bound.rows))))
    minimizer = ours.minimizers()[0]
    equilibrium = ours.minimized(bound, minimizer)

    def from_start() -> float:
        peer.set_parameters(bound.made.sigma, bound.made.epsilon)
        peer.place(bound.made.positions)
        return peer.minimize(*START_STAGES)

    from_start()
    differences = Differences(peer, [(row.parameter, row.index) for row in bound.rows], peer.positions())
    costs: dict[int, list[float]] = {count: [] for count in COUNTS}
    warm = False

    def columns() -> float:
        # Warming up takes one column only: nothing is compiled here.
        nonlocal warm
        mean = differences.timed(chosen if warm else chosen[:1])
        if warm:
            for count in COUNTS:
                costs[count].append(differences.cost(count))
        warm = True
        return mean

    sides = {f"P{count}": once(partial(ours.all_parameters, equilibrium, ours.some(bound, count))) for count in COUNTS}
    sides |= {"LAMMPS per parameter": columns, "LAMMPS minimization": once(from_start)}
    sides["minimization"] = once(partial(ours.minimized, bound, minimizer))
    times = alternate(sides, run.repetitions, run.say)
    notes, fault, details = _errors(run, bound, equilibrium, differences)
    for count in COUNTS:
        last = count == most
        yield compared(
            f"differences/P{count}/{size}", "LAMMPS differences / ours", ours=times[f"P{count}"], peer=tuple(costs[count]),
            limit=within(size, AT_LEAST, SMALLEST) if last else None, speedup=True,
            note=notes if last else "", fault=fault if last else "", details=details if last else {},
        )  # fmt: skip
    yield compared(
        f"differences/P{most}-from-start/{size}",
        "the same with minimizations",
        ours=_sums(times[f"P{most}"], times["minimization"]),
        peer=_sums(tuple(costs[most]), times["LAMMPS minimization"]),
        limit=None,
        speedup=True,
    )


def _sums(one: tuple[float, ...], two: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(a + b for a, b in zip(one, two, strict=True))


def _errors(run: Run, bound: ours.Bound, equilibrium: ours.Equilibrium, differences: Differences) -> tuple[str, str, dict[str, Any]]:
    """What is to be said about the errors of both sides, what is wrong with them, and the numbers."""
    response = ours.all_parameters(equilibrium, bound.directions)
    exact = np.asarray(response.value)
    exact = exact - exact.mean(axis=1, keepdims=True)
    errors = {bound.rows[k].name: relative(column, exact[k]) for k, column in differences.columns.items()}
    worst = max(errors.values())
    details: dict[str, Any] = {
        "discrepancies": errors,
        "lammps_force_residual": differences.force,
        "linear_residual": float(np.max(response.residual)),
        "timed_parameters": len(differences.columns),
    }
    notes = [f"largest discrepancy of {len(errors)} columns {worst:.1e}"]
    if worst > LARGEST_ERROR:
        notes.append(f"LAMMPS would need longer for {LARGEST_ERROR:.0e}")
    if bound.made.size <= _REFERENCE_UP_TO[run.quick]:
        reference = richardson(differences, 0)
        details |= {"error_of_ours": relative(exact[0], reference), "error_of_lammps": relative(differences.columns[0], reference)}
        notes.append(f"errors against Richardson's extrapolation: ours {details['error_of_ours']:.0e}")
        notes[-1] += f", LAMMPS {details['error_of_lammps']:.0e}"
    if len(errors) < len(bound.rows):
        notes.append(f"LAMMPS scaled from {len(errors)} of {len(bound.rows)} parameters")
    return "; ".join(notes), "" if worst <= DISAGREE else "the two disagree", details


DIFFERENCES = Case(name="differences", description="LAMMPS central differences at equal error against our derivatives", measure=measure)
