"""Make the crystals whose cells relax, deterministically: `python inputs/make_crystals.py [FOLDER]`. Needs numpy only.

Cells are off by a few percent, or as measured: finding lattice constants is the program's work.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from make_molecules import silica_cell
from make_structures import DIAMOND, FCC, extxyz, lattice_sites, rattle


def silicon_primitive() -> str:
    """The two atoms of the primitive cell, lattice vectors 1.3 % too long."""
    half = 5.5 / 2
    cell = half * np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    return extxyz(["Si"] * 2, np.array([[0.0, 0.0, 0.0], [half / 2] * 3]), cell, "T T T")


def silicon_cubic() -> str:
    """The eight atoms of the cubic cell, 1.3 % too long, rattled."""
    return extxyz(["Si"] * 8, rattle(lattice_sites(DIAMOND, 1, 5.5), 0.02, 8), 5.5 * np.eye(3), "T T T")


def argon_crystal() -> str:
    """The four atoms of the cubic cell as measured at 4 K (Peterson, Batchelder and Simmons, doi:10.1103/PhysRev.150.703)."""
    return extxyz(["Ar"] * 4, lattice_sites(FCC, 1, 5.311), 5.311 * np.eye(3), "T T T")


def quartz() -> str:
    """Alpha-quartz as measured, nine atoms."""
    symbols, sites, cell = silica_cell()
    return extxyz(symbols, sites @ cell, cell, "T T T")


CASES = {
    "silicon_crystal/primitive": silicon_primitive,
    "silicon_crystal/cubic": silicon_cubic,
    "argon_crystal/structure": argon_crystal,
    "quartz/structure": quartz,
}

if __name__ == "__main__":
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent)
    for name, case in CASES.items():
        path = root / f"{name}.extxyz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(case())
