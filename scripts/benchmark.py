#!/usr/bin/env python3
"""Ratios of times within one run: `python scripts/benchmark.py [CASE ...] [-o FILE.json]`; without a case all are run.

A ratio compares two ways to one answer, on one machine, one after the other, compiled programs warm, best of several repetitions.
Absolute times belong to the machine that is stated with them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
STEP = 1e-4
"""Relative change of a parameter in central differences."""


def best(work: Callable[[], Any], repetitions: int) -> float:
    """Shortest time of several repetitions after one that warms up [s]."""
    work()
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def fit_step(repetitions: int) -> list[dict[str, Any]]:
    """One exact Jacobian of a fit (all targets, all parameters) against one by re-minimized central differences."""
    return [_fit_step(name, repetitions) for name in ("lj_fit", "silicon_fit")]


def _fit_step(name: str, repetitions: int) -> dict[str, Any]:
    from dataclasses import replace

    from md_sensitivity.fitting import problem as problems
    from md_sensitivity.fitting import sites
    from md_sensitivity.fitting.study import read_study
    from md_sensitivity.fitting.targets import checked

    study = read_study(ROOT / "inputs" / name / "study.toml")
    goals = [checked(target) for target in study.targets]
    problem = problems.problem_of(goals, study.force_field, patterns=(), priors=True, fmax=1e-8, dimensions=3)
    theta = problem.start
    place = problems.residuals(problem, theta, None, print_nothing).state
    # As in the second step of a fit: minima followed over a step of one percent.
    place = problems.jacobian(problem, place, print_nothing)[1]
    theta = 1.01 * theta
    place = problems.residuals(problem, theta, place, print_nothing).state

    def exact() -> np.ndarray:
        """All that a step of the fit adds to its minimizations; of small structures also the eigenvalues, which the solver uses."""
        for settled in place.settled:
            if settled.equilibrium.spectrum is not None and not settled.stale:
                sites.with_spectrum(settled.equilibrium)
        return problems.jacobian(problem, place, print_nothing)[0]

    def differences() -> np.ndarray:
        """2p sets of minima, each started from the minima at θ."""
        columns = []
        for k, size in enumerate(problem.scales):
            step = np.zeros(len(theta))
            step[k] = STEP * size
            ends = [_reminimized(problem, place, theta + side * step) for side in (1.0, -1.0)]
            columns.append((ends[0] - ends[1]) / (2.0 * STEP * size))
        return np.stack(columns, axis=1)

    place = replace(place, settled=tuple(replace(settled, parts=None, derivatives=()) for settled in place.settled))
    wanted, found = exact(), differences()
    implicit, numerical = best(exact, repetitions), best(differences, repetitions)
    return {
        "case": name,
        "structures": len(problem.sites),
        "atoms": [site.structure.size for site in problem.sites],
        "parameters": len(theta),
        "residuals": len(wanted),
        "jacobian_s": implicit,
        "differences_s": numerical,
        "ratio": numerical / implicit,
        "largest_discrepancy": float(np.max(np.linalg.norm(found - wanted, axis=0) / np.linalg.norm(wanted, axis=0))),
    }


def _reminimized(problem: Any, place: Any, theta: np.ndarray) -> np.ndarray:
    """Residuals with every structure minimized again from the minima of `place`, as somebody without derivatives does it."""
    from dataclasses import replace

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


def print_nothing(stage: str) -> None:
    """Tell nobody."""


CASES: Mapping[str, Callable[[int], list[dict[str, Any]]]] = {"fit-step": fit_step}
"""Name → function of the number of repetitions, which gives one row for each system; a new benchmark is a function and a line."""


def machine() -> dict[str, Any]:
    """Hardware and versions, which every result states."""
    from md_sensitivity.versions import installed_versions

    names = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    device = jax.devices()[0]
    return {
        "processor": names[0] if names else platform.processor(),
        "processors": os.cpu_count(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "platform": platform.platform(),
        "device": f"{device.platform} ({device.device_kind})",
        "versions": installed_versions(),
    }


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def table(rows: list[dict[str, Any]]) -> str:
    """Rows as a Markdown table."""
    titles = list(rows[0])
    lines = ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
    return "\n".join([*lines, *("| " + " | ".join(_cell(row[title]) for title in titles) + " |" for row in rows)])


def _cell(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def main() -> None:
    """Run the chosen cases, print their tables, write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}")
    parser.add_argument("-o", "--output", metavar="FILE.json")
    parser.add_argument("--repetitions", type=int, default=5)
    chosen = parser.parse_args()
    unknown = [name for name in chosen.cases if name not in CASES]
    if unknown:
        parser.error(f"no case {unknown[0]}; there are {', '.join(CASES)}")
    jax.config.update("jax_enable_x64", True)
    found: dict[str, Any] = {"schema": "md-sensitivity/benchmark/1", "machine": machine(), "cases": {}}
    for name in chosen.cases or CASES:
        rows = CASES[name](max(1, chosen.repetitions))
        found["cases"][name] = rows
        print(f"{name}: {(CASES[name].__doc__ or '').splitlines()[0]}\n\n{table(rows)}\n")
    print(f"{found['machine']['processor']}, {found['machine']['processors']} processors, {found['machine']['device']}")
    if chosen.output:
        Path(chosen.output).parent.mkdir(parents=True, exist_ok=True)
        Path(chosen.output).write_text(json.dumps(found, indent=2, allow_nan=False) + "\n")


if __name__ == "__main__":
    main()
