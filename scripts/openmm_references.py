"""Make the reference data of tests/oracles/openmm/ with OpenMM: `python scripts/openmm_references.py [CASE ...]`.

Independent of md_sensitivity. Needs openmm, numpy, scipy. A few minutes; a second run on the same machine gives the same bytes.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # the machine is shared

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "oracles"))

import numpy as np  # noqa: E402
import openmm  # noqa: E402
from openmm_cases import FILES, Case, cases  # noqa: E402
from openmm_derivatives import Engine, derivative, energies_by_force, find_minimum, observables, relax_roughly  # noqa: E402


def make(case: Case) -> None:
    engine = Engine(case.model.system())
    start = case.start
    if case.moved:
        start = relax_roughly(engine, start).reshape(-1, 3)
        start = np.round(start + np.random.default_rng(2).uniform(-case.moved, case.moved, start.shape), 5)
    minimum = find_minimum(engine, start, case.zero_modes)
    lowest = float(minimum.eigenvalues[case.zero_modes])
    softest, stiffest = minimum.eigenvalues[: case.zero_modes], abs(minimum.eigenvalues).max()
    print(f"{case.name}: E {minimum.energy!r} |F| {minimum.force:.1e} lowest {lowest:.6g} largest {stiffest:.4g}", flush=True)
    assert lowest > 0 and abs(softest).max() < 1e-3 * lowest, "not a minimum"
    assert minimum.eigenvalues.min() > -1e-3 * lowest, "not a minimum"
    assert minimum.force < 1e-7, "not converged"
    values, errors = [], []
    for name in case.columns:
        value, error = derivative(case.model, name, case.observables, minimum)
        values.append(value.tolist())
        errors.append(error.tolist())
        relative = error / np.maximum(abs(value), 1e-12)
        shown = " ".join(f"{v:10.3g}({r:.0e})" for v, r in zip(value, relative, strict=True))
        print(f"    {name:50s} {case.model.value(name):12.6g}", shown, flush=True)
    document: dict[str, Any] = {
        "made_by": f"OpenMM {openmm.version.short_version}, platform Reference",
        "about": case.about,
        "units": "nm, kJ/mol, degrees, Da; parameters in units of the file",
        "structure": case.structure,
        "force_field": case.force_field,
        "start": np.round(start, 5).tolist(),
        "masses": engine.masses.tolist(),
        "positions": minimum.positions.reshape(-1, 3).tolist(),
        "energy": minimum.energy,
        "energies": energies_by_force(case.model.system(), minimum.positions),
        "force_residual": minimum.force,
        "lowest_eigenvalue": lowest,
        "zero_modes": case.zero_modes,
        "observables": list(case.observables),
        "values": observables(case.observables, engine, minimum.positions).tolist(),
        "columns": list(case.columns),
        "parameters": [case.model.value(name) for name in case.columns],
        "derivatives": values,
        "errors": errors,
    }
    (FILES / f"openmm_{case.name}.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    wanted = sys.argv[1:]
    for each in cases():
        if not wanted or each.name in wanted:
            make(each)
