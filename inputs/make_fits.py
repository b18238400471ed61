"""Make the worked cases of fits, deterministically: `python inputs/make_fits.py [FOLDER]`. Needs numpy and the oracle data in `tests/`.

Structures are written unrelaxed. The values of the targets come from closed forms and from LAMMPS, never from this program.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from make_structures import extxyz, rattle

HERE = Path(__file__).parent
GOLDEN = (1 + 5**0.5) / 2

# For each cluster: how many pairs there are at c times the shortest distance, (number, c).
ICOSAHEDRON_EDGE = 4 / (10 + 2 * 5**0.5) ** 0.5
SHELLS = {
    "trimer": ((3, 1.0),),
    "octahedron": ((12, 1.0), (3, 2**0.5)),
    "icosahedron": ((12, 1.0), (30, ICOSAHEDRON_EDGE), (30, ICOSAHEDRON_EDGE * GOLDEN), (6, 2.0)),
}


def closed_form(shells: tuple[tuple[int, float], ...]) -> tuple[float, float]:
    """Energy [ε] and shortest distance [σ] of a Lennard-Jones cluster whose shape has one length d.

    E = 4 (a d⁻¹² − b d⁻⁶) with a = Σ m c⁻¹² and b = Σ m c⁻⁶ is lowest at d⁶ = 2a/b, where E = −b²/a.
    """
    a = sum(m * c**-12 for m, c in shells)
    b = sum(m * c**-6 for m, c in shells)
    return -(b**2) / a, (2 * a / b) ** (1 / 6)


def cluster(name: str) -> np.ndarray:
    """Corners at the shortest distance of one, the center of the icosahedron first."""
    if name == "trimer":
        return np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.5, 0.75**0.5, 0.0]])
    if name == "octahedron":
        return np.concatenate([np.eye(3), -np.eye(3)]) / 2**0.5
    corners = [np.roll([0.0, s, t * GOLDEN], k) for k in range(3) for s in (1, -1) for t in (1, -1)]
    return np.concatenate([np.zeros((1, 3)), np.array(corners) / np.hypot(1, GOLDEN)])


def target(**keys: object) -> str:
    """One [[target]] table; numbers with full precision."""
    lines = ["", "[[target]]"]
    for key, value in keys.items():
        lines.append(f"{key} = {json.dumps(value, ensure_ascii=False)}")
    return "\n".join(lines) + "\n"


def lj_fit(folder: Path) -> None:
    """Three rattled clusters; energies, and one length of each, in closed form with σ = ε = 1."""
    study = '# Recover the parameters of Lennard-Jones from three relaxed clusters; see README.md.\n\nforce_field = "force_field.toml"\n'
    for seed, (name, shells) in enumerate(SHELLS.items()):
        energy, distance = closed_form(shells)
        positions = rattle(1.15 * cluster(name), 0.04, seed)
        (folder / f"{name}.xyz").write_text(extxyz(["Ar"] * len(positions), positions, None, "F F F"))
        study += target(structure=f"{name}.xyz", observable="energy", value=energy, std=0.01)
        if name == "icosahedron":
            study += target(structure=f"{name}.xyz", observable="radius_of_gyration", value=distance * (12 / 13) ** 0.5, std=0.005)
        else:
            far = 1 if name == "trimer" else 2  # of the octahedron's corners 0 and 3 are opposite, all others are neighbors of 0
            study += target(structure=f"{name}.xyz", observable=f"distance:0-{far}", value=distance, std=0.005)
    (folder / "study.toml").write_text(study)


SILICON = {"epsilon": 2.0, "sigma": 2.12, "a": 1.8, "lambda": 23.0, "gamma": 1.15, "costheta0": -0.31}
"""Where the fit starts; the targets are LAMMPS's with 2.1683, 2.0951, 1.8, 21, 1.2, -1/3."""
FIXED = {"A": 7.049556277, "B": 0.6022245584, "p": 4.0, "q": 0.0}
GPA = 160.2176634
"""One eV/Å³."""


def silicon_fit(folder: Path) -> None:
    """Energy, pressure and positions of the relaxed interstitial, and forces in a rattled crystal, all by LAMMPS."""
    oracles = HERE.parent / "tests" / "oracles"
    relaxed, rattled = oracles / "relaxed" / "silicon_interstitial", oracles / "static" / "sw_orthogonal_64"
    answer = json.loads((relaxed / "reference.json").read_text())
    positions = np.load(relaxed / "reference.npz")["positions"]
    (folder / "relaxed.extxyz").write_text(extxyz(["Si"] * len(positions), positions, np.eye(3) * 3 * 5.430949778462, "T T T"))
    static = json.loads((rattled / "reference.json").read_text())
    head, *atoms = (rattled / "structure.extxyz").read_text().splitlines()[1:]
    lines = [f"{line} {' '.join(repr(f) for f in force)}" for line, force in zip(atoms, static["forces"], strict=True)]
    text = "\n".join([str(len(atoms)), head.replace("pos:R:3", "pos:R:3:forces:R:3"), *lines])
    (folder / "rattled.extxyz").write_text(text + "\n")
    study = "# Stillinger-Weber silicon from a relaxed interstitial and from forces; see README.md.\n\n"
    study += 'force_field = "force_field.toml"\n'
    start = "relaxed.extxyz"
    pressure = sum(answer["virial"][:3]) / (3 * answer["volume"]) * GPA
    study += target(structure=start, observable="energy", value=answer["energy"], std=0.05)
    study += target(structure=start, observable="pressure", value=pressure, std=0.05)
    study += target(structure=start, observable="positions", std=0.02)
    study += target(structure="rattled.extxyz", observable="energy", value=static["energy"], std=0.05, relaxed=False)
    study += target(structure="rattled.extxyz", observable="forces", file="rattled.extxyz", std=0.05, relaxed=False)
    (folder / "study.toml").write_text(study)
    field = 'name = "Stillinger-Weber silicon"\nreference = "doi:10.1103/PhysRevB.31.5262"\nunits = "metal"\n\n[[potential]]\n'
    field += 'style = "stillinger_weber"\n[potential.parameters.Si-Si-Si]\n'
    field += "".join(f"{name} = {value}\n" for name, value in SILICON.items())
    field += "".join(f"{name} = {{ value = {value}, fixed = true }}\n" for name, value in FIXED.items())
    (folder / "force_field.toml").write_text(field)


if __name__ == "__main__":
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    for case in (lj_fit, silicon_fit):
        folder = root / case.__name__
        folder.mkdir(parents=True, exist_ok=True)
        case(folder)
