"""Make the structures of the worked cases of materials, deterministically: `python inputs/make_materials.py [FOLDER]`. Needs numpy only.

(amorphous_silicon is made by make_amorphous.py.)
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from make_structures import DIAMOND, FCC, Array, extxyz, lattice_sites, rattle

BCC = np.array([[0, 0, 0], [0.5, 0.5, 0.5]])


def vacancy(basis: Array, repeat: int, constant: float, symbols: tuple[str, ...], size: float, seed: int) -> str:
    """A cubic crystal without the atom nearest the middle of the box, rattled; `symbols` of the basis."""
    sites = lattice_sites(basis, repeat, constant)
    middle = int(np.argmin(np.linalg.norm(sites - 0.5 * repeat * constant, axis=1)))
    names = [symbols[index % len(basis)] for index in range(len(sites)) if index != middle]
    return extxyz(names, rattle(np.delete(sites, middle, axis=0), size, seed), np.eye(3) * repeat * constant, "T T T")


def copper_vacancy() -> str:
    """4 x 4 x 4 cubic cells, 255 atoms."""
    return vacancy(FCC, 4, 3.615, ("Cu",) * 4, 0.02, 255)


def silicon_vacancy() -> str:
    """3 x 3 x 3 cubic cells, 215 atoms, at the lattice constant of Tersoff's 1988 potential; the site's neighbors begin apart."""
    return vacancy(DIAMOND, 3, 5.431, ("Si",) * 8, 0.05, 215)


def silicon_carbide() -> str:
    """2 x 2 x 2 cubic cells of zinc blende with one pair of neighbors exchanged, 64 atoms."""
    constant = 4.32
    sites = lattice_sites(DIAMOND, 2, constant)
    names = (["Si"] * 4 + ["C"] * 4) * 8
    one = int(np.argmin(np.linalg.norm(sites - constant, axis=1)))
    away = np.linalg.norm(sites - sites[one], axis=1)
    other = int(np.argmin(np.where(away > 0, away, np.inf)))
    names[one], names[other] = names[other], names[one]
    return extxyz(names, rattle(sites, 0.05, 64), np.eye(3) * 2 * constant, "T T T")


def tantalum_vacancy() -> str:
    """3 x 3 x 3 cubic cells, 53 atoms."""
    return vacancy(BCC, 3, 3.316, ("Ta",) * 2, 0.02, 53)


def gold_cluster() -> str:
    """The truncated octahedron of 38 atoms, cut from the crystal of a = 4.079 Å, rattled."""
    span = np.arange(-3, 4)
    points = np.array([(x, y, z) for x in span for y in span for z in span if (x + y + z) % 2 == 1], dtype=float)
    # Around the center of an octahedron of sites, the three nearest shells: 6 + 8 + 24 atoms.
    kept = points[np.sum(points**2, axis=1) <= 5]
    return extxyz(["Au"] * 38, rattle(kept * 4.079 / 2, 0.05, 38), None, "F F F")


def vacancy_formation() -> str:
    """2 x 2 x 2 cubic cells of diamond silicon without one atom, 63 atoms, as cut from the crystal and moved by up to 0.02 Å."""
    return vacancy(DIAMOND, 2, 5.43, ("Si",) * 8, 0.02, 63)


def crystal(basis: Array, constant: float, symbol: str) -> str:
    """The cubic cell."""
    return extxyz([symbol] * len(basis), lattice_sites(basis, 1, constant), np.eye(3) * constant, "T T T")


CASES = (copper_vacancy, silicon_vacancy, silicon_carbide, tantalum_vacancy, gold_cluster, vacancy_formation)

if __name__ == "__main__":
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent)
    for case in CASES:
        folder = root / case.__name__
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "structure.extxyz").write_text(case())
    for name, basis, constant, symbol in (("silicon", DIAMOND, 5.43, "Si"), ("copper", FCC, 3.615, "Cu")):
        (root / "vacancy_formation" / f"{name}.extxyz").write_text(crystal(basis, constant, symbol))
