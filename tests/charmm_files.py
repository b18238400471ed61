"""Alanine dipeptide as CHARMM's files, written by hand with numbers of CHARMM36 (doi:10.1021/ct300400x), and an artificial map."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from md_sensitivity.types import Structure

ATOMS = (
    ("CAY", "CT3", -0.27), ("HY1", "HA3", 0.09), ("HY2", "HA3", 0.09), ("HY3", "HA3", 0.09), ("CY", "C", 0.51), ("OY", "O", -0.51),
    ("N", "NH1", -0.47), ("HN", "H", 0.31), ("CA", "CT1", 0.07), ("HA", "HB1", 0.09), ("CB", "CT3", -0.27), ("HB1", "HA3", 0.09),
    ("HB2", "HA3", 0.09), ("HB3", "HA3", 0.09), ("C", "C", 0.51), ("O", "O", -0.51), ("NT", "NH1", -0.47), ("HNT", "H", 0.31),
    ("CAT", "CT3", -0.11), ("HT1", "HA3", 0.09), ("HT2", "HA3", 0.09), ("HT3", "HA3", 0.09),
)  # fmt: skip
"""Name, type and charge of ALA with the patches ACE and CT3."""
MASSES = {"CT3": 12.011, "CT1": 12.011, "C": 12.011, "HA3": 1.008, "HB1": 1.008, "H": 1.008, "O": 15.999, "NH1": 14.007}
BONDS = (
    "CAY-HY1 CAY-HY2 CAY-HY3 CAY-CY CY-OY CY-N N-HN N-CA CA-HA CA-CB CB-HB1 CB-HB2 CB-HB3 CA-C C-O C-NT NT-HNT NT-CAT CAT-HT1 CAT-HT2 "
    "CAT-HT3"
)
IMPROPERS = "CY-CAY-N-OY N-CY-CA-HN C-CA-NT-O NT-C-CAT-HNT"
MAPS = "CY-N-CA-C-N-CA-C-NT"
_NAMES = [name for name, _, _ in ATOMS]

MASS_LINES = "".join(f"MASS {k + 1:5d} {name:6s} {mass:.5f}\n" for k, (name, mass) in enumerate(MASSES.items()))
PARAMETERS = f"""* Alanine dipeptide
*

ATOMS
{MASS_LINES}
BONDS
!
NH1  CT1   320.000     1.4300 ! peptide
CT1  C     250.000     1.4900
CT3  C     250.000     1.4900
CT3  CT1   222.500     1.5380
HA3  CT3   322.000     1.1110
HB1  CT1   330.000     1.0800
NH1  C     370.000     1.3450
NH1  CT3   320.000     1.4300
NH1  H     440.000     0.9970
O    C     620.000     1.2300

ANGLES
CT1  NH1  C     50.000   120.0000
CT3  NH1  C     50.000   120.0000
CT3  CT1  C     52.000   108.0000
H    NH1  C     34.000   123.0000
H    NH1  CT1   35.000   117.0000
H    NH1  CT3   35.000   117.0000
HA3  CT3  C     33.000   109.5000   30.00   2.16300
HA3  CT3  CT1   33.430   110.1000   22.53   2.17900
HA3  CT3  HA3   35.500   108.4000    5.40   1.80200
HB1  CT1  C     50.000   109.5000
HB1  CT1  CT3   35.000   111.0000
NH1  C    CT1   80.000   116.5000
NH1  C    CT3   80.000   116.5000
NH1  CT1  C     50.000   107.0000
NH1  CT1  CT3   70.000   113.5000
NH1  CT1  HB1   48.000   108.0000
NH1  CT3  HA3   51.500   109.5000
O    C    CT1   80.000   121.0000
O    C    CT3   80.000   121.0000
O    C    NH1   80.000   122.5000

DIHEDRALS
C    CT1  NH1  C      0.2000  1   180.00
CT1  C    NH1  CT1    1.6000  1     0.00
CT1  C    NH1  CT1    2.5000  2   180.00
CT3  C    NH1  CT1    1.6000  1     0.00
CT3  C    NH1  CT1    2.5000  2   180.00
CT3  NH1  C    CT1    1.6000  1     0.00
CT3  NH1  C    CT1    2.5000  2   180.00
CT3  CT1  NH1  C      1.8000  1     0.00
H    NH1  C    CT1    2.5000  2   180.00
H    NH1  C    CT3    2.5000  2   180.00
H    NH1  CT1  C      0.0000  1     0.00
H    NH1  CT1  CT3    0.0000  1     0.00
HA3  CT3  NH1  C      0.0000  3     0.00
HA3  CT3  NH1  H      0.0000  3     0.00
HB1  CT1  NH1  C      0.0000  1     0.00
HB1  CT1  NH1  H      0.0000  1     0.00
NH1  C    CT1  CT3    0.0000  1     0.00
NH1  C    CT1  HB1    0.0000  1     0.00
NH1  C    CT1  NH1    0.6000  1     0.00
NH1  C    CT3  HA3    0.0000  3     0.00
O    C    CT1  CT3    1.4000  1     0.00
O    C    CT1  HB1    0.0000  1     0.00
O    C    CT1  NH1    0.0000  1     0.00
O    C    CT3  HA3    0.0000  3   180.00
O    C    NH1  CT1    2.5000  2   180.00
O    C    NH1  CT3    2.5000  2   180.00
O    C    NH1  H      2.5000  2   180.00
X    CT1  CT3  X      0.2000  3     0.00

IMPROPER
NH1  X    X    H     20.0000  0     0.0000
O    X    X    C    120.0000  0     0.0000

CMAP
C    NH1  CT1  C    NH1  CT1  C    NH1   24
{{grid}}
NONBONDED nbxmod  5 atom cdiel fshift vatom vdistance vfswitch -
cutnb 14.0 ctofnb 12.0 ctonnb 10.0 eps 1.0 e14fac {{e14fac}} wmin 1.5
!     ignored   epsilon     Rmin/2        ignored  eps,1-4   Rmin/2,1-4
H      0.0       -0.0460    0.2245
HB1    0.0       -0.0220    1.3200
HA3    0.0       -0.0240    1.3400
C      0.0       -0.1100    2.0000
CT1    0.0       -0.0320    2.0000   0.0   -0.0100    1.9000
CT3    0.0       -0.0780    2.0400   0.0   -0.0100    1.9000
NH1    0.0       -0.2000    1.8500   0.0   -0.2000    1.5500
O      0.0       -0.1200    1.7000   0.0   -0.1200    1.4000
{{nbfix}}
HBOND CUTHB 0.5  ! no hydrogen bonds
END
"""


def grid(size: int = 24) -> str:
    """An artificial map [kcal/mol], without symmetry, five values in a line."""
    angles = 2 * math.pi * np.arange(size) / size - math.pi
    values = (0.7 * np.sin(angles + 0.3)[:, None] + 0.4 * np.cos(2 * angles)[None, :] - 0.3 * np.sin(angles[:, None] - 2 * angles)).ravel()
    return "\n".join(" ".join(f"{value:.6f}" for value in values[k : k + 5]) for k in range(0, size * size, 5)) + "\n"


def parameters(*, e14fac: float = 1.0, nbfix: str = "") -> str:
    """A parameter file."""
    return PARAMETERS.replace("{grid}", grid()).replace("{e14fac}", str(e14fac)).replace("{nbfix}", nbfix and f"NBFIX\n{nbfix}\n")


def _indices(words: str) -> list[list[int]]:
    return [[_NAMES.index(name) for name in word.split("-")] for word in words.split()]


def paths(order: int) -> list[tuple[int, ...]]:
    """Chains of so many bonded atoms, each once."""
    near: dict[int, list[int]] = {i: [] for i in range(len(ATOMS))}
    for i, j in _indices(BONDS):
        near[i].append(j)
        near[j].append(i)
    found: list[tuple[int, ...]] = [(i,) for i in near]
    for _ in range(order - 1):
        found = [(*path, j) for path in found for j in near[path[-1]] if j not in path]
    return [path for path in found if path[0] < path[-1]]


def psf(flavor: str = "xplor", *, cmap: bool = True) -> str:
    """The PSF; flavors: xplor, charmm (numbers of types), ext, namd."""
    wide = flavor == "ext"
    flags = {"xplor": "PSF CMAP XPLOR", "charmm": "PSF CMAP CHEQ", "ext": "PSF EXT CMAP XPLOR", "namd": "PSF NAMD CMAP"}[flavor]
    numbers = {name: k + 1 for k, name in enumerate(MASSES)}
    lines = [flags, "", f"{1:8d} !NTITLE", "* written by hand ! 5 !NATOM", "", f"{len(ATOMS):8d} !NATOM"]
    for k, (name, kind, charge) in enumerate(ATOMS):
        word = str(numbers[kind]) if flavor == "charmm" else kind
        if wide:
            lines.append(f"{k + 1:10d} {'PEP':8s} {'1':8s} {'ALA':8s} {name:8s} {word:6s} {charge:14.6f}{MASSES[kind]:14.4f}{0:8d}")
        else:
            lines.append(f"{k + 1:8d} {'PEP':4s} {'1':4s} {'ALA':4s} {name:4s} {word:4s} {charge:14.6f}{MASSES[kind]:14.4f}{0:12d}")
    bonds, impropers, maps = _indices(BONDS), _indices(IMPROPERS), _indices(MAPS) if cmap else []
    lists = {"NBOND: bonds": bonds, "NTHETA: angles": paths(3), "NPHI: dihedrals": paths(4), "NIMPHI: impropers": impropers}
    for title, tuples in lists.items():
        lines += ["", f"{len(tuples):8d} !{title}", *_written(tuples, 9 if "angles" in title else 8, 10 if wide else 8)]
    lines += ["", f"{0:8d} !NDON: donors", "", "", f"{0:8d} !NACC: acceptors", "", "", f"{0:8d} !NNB", ""]
    lines += _written([[-1] * len(ATOMS)], 8, 8)
    lines += ["", f"{1:8d}{0:8d} !NGRP NST2", f"{0:8d}{1:8d}{0:8d}", "", f"{0:8d}{0:8d} !NUMLP NUMLPH", "", ""]
    lines += [f"{len(maps):8d} !NCRTERM: cross-terms", *_written(maps, 8, 8), ""]
    return "\n".join(lines) + "\n"


def _written(tuples: list, per_line: int, width: int) -> list[str]:
    flat = [i + 1 for each in tuples for i in each]
    return ["".join(f"{i:{width}d}" for i in flat[k : k + per_line]) for k in range(0, len(flat), per_line)]


def write(folder: Path, flavor: str = "xplor", **options: object) -> tuple[Path, Path]:
    """PSF and parameter file."""
    topology, numbers = folder / "ala.psf", folder / "ala.prm"
    topology.write_text(psf(flavor))
    numbers.write_text(parameters(**options))  # type: ignore[arg-type]
    return topology, numbers


POSITIONS = np.array(
    [
        [2.189, 1.61, 1.64], [2.015, 1.152, 2.636], [3.239, 1.429, 1.327], [2.023, 2.707, 1.717], [1.252, 1.042, 0.644],
        [0.449, 1.761, 0.063], [1.343, -0.282, 0.44], [2.01, -0.796, 0.965], [0.54, -1.05, -0.499], [0.939, -2.053, -0.463],
        [0.699, -0.566, -1.96], [0.174, -1.25, -2.66], [0.289, 0.457, -2.093], [1.775, -0.543, -2.234], [-0.923, -1.212, -0.092],
        [-1.35, -2.297, 0.294], [-1.72, -0.131, -0.174], [-1.297, 0.748, -0.403], [-3.126, -0.173, 0.148], [-3.586, 0.831, 0.011],
        [-3.659, -0.896, -0.51], [-3.278, -0.486, 1.205],
    ]
)  # fmt: skip
"""Near a minimum (C7eq, with an internal hydrogen bond) [Å]."""


def structure() -> Structure:
    """The molecule in space."""
    numbers = np.array([{"H": 1, "C": 6, "N": 7, "O": 8}[name[0]] for name in _NAMES])
    size = len(numbers)
    return Structure(
        positions=POSITIONS.copy(), types=tuple(name[0] for name in _NAMES), numbers=numbers,
        cell=np.zeros((3, 3)), pbc=np.zeros(3, dtype=bool), masses=np.array([MASSES[kind] for _, kind, _ in ATOMS]),
        bonds=np.array(_indices(BONDS)), fixed=np.zeros((size, 3), dtype=bool), atom_names=tuple(_NAMES),
        residue_names=("ALA",) * size, residue_numbers=(1,) * size, chain_names=("",) * size,
    )  # fmt: skip


WATER = """* TIP3P with flexible bonds, doi:10.1063/1.445869
*
ATOMS
MASS -1 HT 1.008
MASS -1 OT 15.999

BONDS
HT OT 450.0 0.9572
HT HT 0.0 1.5139

ANGLES
HT OT HT 55.0 104.52

NONBONDED nbxmod 5 atom cdiel switch vatom vdistance vswitch cutnb 14.0 ctofnb 9.0 ctonnb 8.0 eps 1.0 e14fac 1.0 wmin 1.5
OT 0.0 -0.1521 1.7682
HT 0.0 -0.0460 0.2245
END
"""


_WATER = (("OH2", "OT", -0.834, 15.999), ("H1", "HT", 0.417, 1.008), ("H2", "HT", 0.417, 1.008))


def write_waters(folder: Path, count: int) -> Path:
    """PSF and parameter file of some molecules of water."""
    atoms, bonds, angles = [], [], []
    for m in range(count):
        for k, (name, kind, charge, mass) in enumerate(_WATER):
            atoms.append(f"{3 * m + k + 1} WAT {m + 1} TIP3 {name} {kind} {charge} {mass} 0")
        bonds += [[3 * m, 3 * m + 1], [3 * m, 3 * m + 2], [3 * m + 1, 3 * m + 2]]
        angles.append([3 * m + 1, 3 * m, 3 * m + 2])
    lines = ["PSF CMAP XPLOR", "", "1 !NTITLE", "* water", "", f"{3 * count} !NATOM", *atoms]
    lines += ["", f"{len(bonds)} !NBOND: bonds", *_written(bonds, 8, 8), "", f"{count} !NTHETA: angles", *_written(angles, 9, 8), ""]
    path = folder / "water.psf"
    path.write_text("\n".join(lines))
    (folder / "water.prm").write_text(WATER)
    return path


def waters(oxygens: np.ndarray, turns: np.ndarray) -> Structure:
    """Molecules of water in space.

    Args:
        oxygens: shape=(m, 3) [Å].
        turns: rotation of each molecule, shape=(m, 3, 3).
    """
    half = math.radians(104.52) / 2
    molecule = 0.9572 * np.array([[0, 0, 0], [math.sin(half), 0, math.cos(half)], [-math.sin(half), 0, math.cos(half)]])
    count = len(oxygens)
    return Structure(
        positions=(oxygens[:, None] + np.einsum("mab,kb->mka", turns, molecule)).reshape(-1, 3), types=("O", "H", "H") * count,
        numbers=np.tile([8, 1, 1], count), cell=np.zeros((3, 3)), pbc=np.zeros(3, dtype=bool),
        masses=np.tile([15.999, 1.008, 1.008], count),
        fixed=np.zeros((3 * count, 3), dtype=bool), atom_names=("OH2", "H1", "H2") * count, residue_names=("TIP3",) * (3 * count),
        residue_numbers=tuple(np.repeat(np.arange(1, count + 1), 3).tolist()), chain_names=("",) * (3 * count),
    )  # fmt: skip
