"""Make the structures of the worked cases of molecules and ions, deterministically: `python inputs/make_molecules.py [FOLDER]`.

Needs numpy, and OpenMM's data for villin.

(alanine_dipeptide and ethanol were drawn by hand.)
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
from make_structures import DIAMOND, FCC, Array, extxyz, lattice_sites, rattle

OXYGEN_HYDROGEN = 0.9572
HALF_ANGLE = 0.5 * np.deg2rad(104.52)
ARM = OXYGEN_HYDROGEN * np.array([np.sin(HALF_ANGLE), 0, np.cos(HALF_ANGLE)])
WATER = np.array([np.zeros(3), ARM, ARM * np.array([-1, 1, 1])])
CHARGES = np.array([-0.834, 0.417, 0.417])
SIDE = 12.42
"""Of a cube with 64 waters at 0.999 g/cm³."""


def turned(molecules: Array, random: np.random.Generator, size: float) -> Array:
    """Molecules, (m, 3, 3), each turned about its first atom, by angles of about `size`; of any direction where that is large."""
    axes = random.normal(size=(len(molecules), 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    angles = size * random.normal(size=(len(molecules), 1, 1))
    arms = molecules - molecules[:, :1]
    along = np.einsum("mac,mc->ma", arms, axes)[:, :, None] * axes[:, None]
    return molecules[:, :1] + along + (arms - along) * np.cos(angles) + np.cross(axes[:, None], arms) * np.sin(angles)


def energy_with_others(molecule: Array, others: Array) -> float:
    """Of TIP3P [kJ/mol], with damped charges (Wolf's sum, 0.3/Å) up to half the cube; other molecules (m, 3, 3)."""
    arms = molecule[None, :, None] - others[:, None]
    shift = SIDE * np.round((molecule[0] - others[:, 0]) / SIDE)
    distances = np.linalg.norm(arms - shift[:, None, None], axis=-1)
    oxygens = (3.1507524 / distances[:, 0, 0]) ** 6
    # e^(-αr) is near enough to erfc(αr) for a start.
    damped = CHARGES[:, None] * CHARGES * np.exp(-0.3 * distances) / distances
    near = distances[:, 0, 0] < SIDE / 2
    return float(np.sum(4 * 0.635968 * (oxygens**2 - oxygens) * near) + 1389.354576 * np.sum(damped * near[:, None, None]))


def liquid(sweeps: int, seed: int) -> Array:
    """64 waters, (64, 3, 3): cubic ice without order of protons, melted at 600 K and cooled to 100 K by Metropolis's moves."""
    random = np.random.default_rng(seed)
    molecules = turned(lattice_sites(DIAMOND, 2, SIDE / 2)[:, None] + WATER, random, 100.0)
    temperatures = np.concatenate([np.full(sweeps // 3, 600.0), np.geomspace(600.0, 100.0, sweeps - sweeps // 3)])
    for temperature in temperatures:
        step = 0.25 * (temperature / 600.0) ** 0.5
        for index in range(len(molecules)):
            others = np.delete(molecules, index, axis=0)
            moved = turned(molecules[index : index + 1] + random.uniform(-step, step, 3), random, 1.2 * step)[0]
            rise = energy_with_others(moved, others) - energy_with_others(molecules[index], others)
            if rise < 0 or random.uniform() < np.exp(-rise / (0.00831446 * temperature)):
                molecules[index] = moved
    return molecules - SIDE * np.floor(molecules[:, :1] / SIDE)


def water_box() -> str:
    """The liquid as a PDB file, in a cube."""
    cell = f"CRYST1{SIDE:9.3f}{SIDE:9.3f}{SIDE:9.3f}{90:7.2f}{90:7.2f}{90:7.2f} P 1           1"
    lines = ["REMARK   64 waters, made by make_molecules.py", cell]
    serial = 0
    for number, molecule in enumerate(liquid(sweeps=600, seed=64)):
        for name, (x, y, z) in zip(("O", "H1", "H2"), molecule, strict=True):
            serial += 1
            lines.append(f"HETATM{serial:5d}  {name:<3s} HOH A{number + 1:4d}    {x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00{name[0]:>12s}")
    return "\n".join([*lines, "END", ""])


def sodium_chloride() -> str:
    """2 x 2 x 2 cubic cells of rock salt without one pair of neighbors, 62 ions, rattled."""
    constant = 5.64
    sites = lattice_sites(np.concatenate([FCC, FCC + np.array([0.5, 0, 0])]), 2, constant)
    names = (["Na"] * 4 + ["Cl"] * 4) * 8
    one = int(np.argmin(np.linalg.norm(sites - constant, axis=1)))
    other = int(np.argmin(np.linalg.norm(sites - sites[one] - [constant / 2, 0, 0], axis=1)))
    kept = [index for index in range(len(sites)) if index not in (one, other)]
    return extxyz([names[index] for index in kept], rattle(sites[kept], 0.05, 62), np.eye(3) * 2 * constant, "T T T")


def silica_cell() -> tuple[list[str], np.ndarray, np.ndarray]:
    """Symbols, fractional positions and cell of alpha-quartz (P3(2)21) as measured by Le Page and Donnay, Acta Cryst. B 32 (1976) 2456."""
    a, c = 4.9134, 5.4052
    cell = np.array([[a, 0, 0], [-a / 2, a * 3**0.5 / 2, 0], [0, 0, c]])
    u, x, y, z = 0.4697, 0.4133, 0.2672, 0.1188 + 2 / 3
    silicon = [(u, 0, 2 / 3), (0, u, 1 / 3), (-u, -u, 0)]
    oxygen = [(x, y, z), (-y, x - y, z + 2 / 3), (y - x, -x, z + 1 / 3), (y, x, -z), (x - y, -y, 1 / 3 - z), (-x, y - x, 2 / 3 - z)]
    return ["Si"] * 3 + ["O"] * 6, np.array(silicon + oxygen) % 1.0, cell


def silica() -> str:
    """2 x 2 x 2 cells of alpha-quartz, 72 atoms, rattled."""
    symbols, sites, cell = silica_cell()
    cells = np.array(list(np.ndindex(2, 2, 2)), dtype=float)
    positions = ((cells[:, None] + sites) @ cell).reshape(-1, 3)
    return extxyz(symbols * 8, rattle(positions, 0.03, 72), 2 * cell, "T T T")


def villin() -> str:
    """The 582 atoms of the protein in OpenMM's `test.pdb`, in free space."""
    found = importlib.util.find_spec("openmm")
    if found is None or found.origin is None:
        raise SystemExit("villin needs OpenMM: pip install openmm")
    text = (Path(found.origin).parent / "app" / "data" / "test.pdb").read_text()
    atoms = [line for line in text.splitlines() if line.startswith("ATOM")][:582]
    remark = "REMARK   Villin headpiece N68H, from test.pdb of OpenMM (MIT license) without water and ions"
    # Elements, which the file lacks: in proteins, the first letter of the name.
    with_elements = [f"{line.rstrip():<76s}{next(sign for sign in line[12:16] if sign.isalpha()):>2s}" for line in atoms]
    return "\n".join([remark, *with_elements, "TER", "END", ""])


CASES = {water_box: "pdb", sodium_chloride: "extxyz", silica: "extxyz", villin: "pdb"}

if __name__ == "__main__":
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent)
    for case, suffix in CASES.items():
        folder = root / case.__name__
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"structure.{suffix}").write_text(case())
