"""One exact Jacobian of a fit (all targets, all parameters) against one by re-minimized central differences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import Measure, compared
from benchmarks.run import Case, Run
from benchmarks.timing import alternate, once

ROOT = Path(__file__).resolve().parents[3]
STEP = 1e-4
"""Relative change of a parameter in central differences."""
STUDIES = ("lj_fit", "silicon_fit")


def measure(run: Run) -> Iterator[Measure]:
    """The Jacobian of a later step of each study in inputs/; see docs/benchmarks/fit.md."""
    for name in STUDIES:
        run.say(f"  fit-step/{name}")
        yield _step(run, name)


def _step(run: Run, name: str) -> Measure:
    from md_sensitivity.fitting import problem as problems
    from md_sensitivity.fitting import sites
    from md_sensitivity.fitting.study import read_study
    from md_sensitivity.fitting.targets import checked

    study = read_study(ROOT / "inputs" / name / "study.toml")
    goals = [checked(target) for target in study.targets]
    problem = problems.problem_of(goals, study.force_field, patterns=(), priors=True, fmax=1e-8, dimensions=3)
    theta = problem.start
    place = problems.residuals(problem, theta, None, _silent).state
    # As in the second step of a fit: minima followed over a step of one percent.
    place = problems.jacobian(problem, place, _silent)[1]
    theta = 1.01 * theta
    place = problems.residuals(problem, theta, place, _silent).state
    place = replace(place, settled=tuple(replace(settled, parts=None, derivatives=()) for settled in place.settled))

    def exact() -> np.ndarray:
        """All that a step of the fit adds to its minimizations; of small structures also the eigenvalues, which the solver uses."""
        for settled in place.settled:
            if settled.equilibrium.spectrum is not None and not settled.stale:
                sites.with_spectrum(settled.equilibrium)
        return problems.jacobian(problem, place, _silent)[0]

    def differences() -> np.ndarray:
        """2p sets of minima, each started from the minima at θ."""
        columns = []
        for k, size in enumerate(problem.scales):
            step = np.zeros(len(theta))
            step[k] = STEP * size
            ends = [_reminimized(problem, place, theta + side * step) for side in (1.0, -1.0)]
            columns.append((ends[0] - ends[1]) / (2.0 * STEP * size))
        return np.stack(columns, axis=1)

    wanted, found = exact(), differences()
    times = alternate({"jacobian": once(exact), "differences": once(differences)}, run.repetitions, run.say)
    discrepancy = float(np.max(np.linalg.norm(found - wanted, axis=0) / np.linalg.norm(wanted, axis=0)))
    atoms = [site.structure.size for site in problem.sites]
    return compared(
        f"fit-step/{name}", "differences / Jacobian", ours=times["jacobian"], peer=times["differences"], limit=None, speedup=True,
        note=f"atoms {atoms}, {len(theta)} parameters, {len(wanted)} residuals, largest discrepancy {discrepancy:.0e}",
        details={"atoms": atoms, "parameters": len(theta), "residuals": len(wanted), "largest_discrepancy": discrepancy},
    )  # fmt: skip


def _reminimized(problem: Any, place: Any, theta: np.ndarray) -> np.ndarray:
    """Residuals with every structure minimized again from the minima of `place`, as somebody without derivatives does it."""
    from md_sensitivity.fitting import problem as problems
    from md_sensitivity.fitting import sites
    from md_sensitivity.minimization import minimize
    from md_sensitivity.system import energy_function

    tree = problem.fitted(theta).parameters
    settled = []
    for site, before in zip(problem.sites, place.settled, strict=True):
        if not site.relaxed:
            settled.append(sites.first(site, tree, fmax=problem.fmax))
            continue
        energy = energy_function(site.system)
        found = minimize(energy, before.equilibrium.x, tree, fmax=problem.fmax, curvature=False)
        settled.append(sites.read(site, found))
    moved = replace(place, theta=theta, settled=tuple(settled))
    rows = [goal.slope * problems.difference(goal, problems.prediction(problem, moved, k)) for k, goal in enumerate(problem.goals)]
    return np.concatenate(rows)


def _silent(stage: str) -> None:
    """Tell nobody."""


FIT_STEP = Case(
    name="fit-step", description="one Jacobian of a fit against re-minimized differences, for information", measure=measure, full_only=True
)
