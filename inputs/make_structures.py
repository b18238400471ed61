"""Make the structures of the worked cases, deterministically: `python inputs/make_structures.py [FOLDER]`. Needs numpy only.

Every file is written with 17 significant digits, unrelaxed: finding the minimum is the program's work.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

Array = np.ndarray


def extxyz(symbols: list[str], positions: Array, cell: Array | None, pbc: str, types: list[str] | None = None) -> str:
    """Extended XYZ text; `types` becomes the string column `atom_types`."""
    lattice = "" if cell is None else 'Lattice="' + " ".join(repr(float(v)) for v in cell.ravel()) + '" '
    columns = "species:S:1:pos:R:3" + (":atom_types:S:1" if types else "")
    lines = [str(len(symbols)), f'{lattice}Properties={columns} pbc="{pbc}"']
    for index, (symbol, row) in enumerate(zip(symbols, positions, strict=True)):
        numbers = " ".join(f"{float(v):.17g}" for v in row)
        lines.append(f"{symbol} {numbers}" + (f" {types[index]}" if types else ""))
    return "\n".join(lines) + "\n"


def lattice_sites(basis: Array, repeat: int, constant: float) -> Array:
    """Sites of a cubic crystal, cells in C order."""
    cells = np.array(list(np.ndindex(repeat, repeat, repeat)), dtype=float)
    return ((cells[:, None] + basis[None]) * constant).reshape(-1, 3)


FCC = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
DIAMOND = np.concatenate([FCC, FCC + 0.25])


def rattle(positions: Array, size: float, seed: int) -> Array:
    """Uniform random displacement of each coordinate in (-size, size)."""
    return positions + np.random.default_rng(seed).uniform(-size, size, positions.shape)


def lj13_cluster() -> str:
    """The icosahedron (center and twelve corners), corners at 1.0818 sigma, rattled by 0.05."""
    golden = (1 + 5**0.5) / 2
    corners = [np.roll([0.0, s, t * golden], k) for k in range(3) for s in (1, -1) for t in (1, -1)]
    positions = np.concatenate([np.zeros((1, 3)), np.array(corners) * 1.0818 / np.hypot(1, golden)])
    return extxyz(["Ar"] * 13, rattle(positions, 0.05, 13), None, "F F F")


def argon_vacancy() -> str:
    """5 x 5 x 5 cubic cells, the atom nearest the middle of the box removed."""
    constant = 5.26
    sites = lattice_sites(FCC, 5, constant)
    middle = np.argmin(np.linalg.norm(sites - 2.5 * constant, axis=1))
    positions = rattle(np.delete(sites, middle, axis=0), 0.02, 499)
    return extxyz(["Ar"] * 499, positions, np.eye(3) * 5 * constant, "T T T")


def silicon_interstitial() -> str:
    """3 x 3 x 3 cubic cells; one atom near the middle becomes a pair along [110]."""
    constant = 5.430949778462
    sites = lattice_sites(DIAMOND, 3, constant)
    chosen = np.argmin(np.linalg.norm(sites - 1.5 * constant, axis=1))
    half = 1.2 * np.array([1.0, 1.0, 0.0]) / 2**0.5
    lift = np.array([0.0, 0.0, 0.8])
    pair = np.stack([sites[chosen] - half + lift, sites[chosen] + half + lift])
    positions = rattle(np.concatenate([np.delete(sites, chosen, axis=0), pair]), 0.02, 217)
    return extxyz(["Si"] * 217, positions, np.eye(3) * 3 * constant, "T T T")


def soft_sphere_packing() -> str:
    """128 discs at random in a square, 64 of diameter 1 (A), 64 of diameter 0.6 (B), packing fraction 0.98."""
    types = ["A"] * 64 + ["B"] * 64
    area = 64 * np.pi * (1.0**2 + 0.6**2) / 4
    side = (area / 0.98) ** 0.5
    positions = np.zeros((128, 3))
    positions[:, :2] = np.random.default_rng(128).uniform(0, side, (128, 2))
    return extxyz(["X"] * 128, positions, np.diag([side, side, 1.0]), "T T F", types)


CASES = (lj13_cluster, argon_vacancy, silicon_interstitial, soft_sphere_packing)

if __name__ == "__main__":
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent)
    for case in CASES:
        folder = root / case.__name__
        folder.mkdir(parents=True, exist_ok=True)
        suffix = "xyz" if case is lj13_cluster else "extxyz"
        (folder / f"structure.{suffix}").write_text(case())
