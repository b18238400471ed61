"""What every structure must fulfil before anything is computed with it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from md_sensitivity.errors import InputError
from md_sensitivity.files import printable, quotation
from md_sensitivity.types import Structure

MAX_ATOMS = 10_000_000
MAX_EXTENT = 1e7
"""Largest coordinate and cell length [Å]."""
MIN_DISTANCE = 1e-3
"""Atoms nearer than this, periodic images of other atoms included, are at one place [Å]."""
MIN_ANGLE = 1e-6
"""Periodic cell vectors, scaled to length one, must have a smallest singular value above this."""


def validated(structure: Structure, *, source: str = "", nameless: bool = False) -> Structure:
    """The structure itself, with arrays of the promised types and shapes, or a clear refusal.

    Checked: at least one atom and a sane number; finite positions, cell and masses of sane size, masses positive; elements known or
    types explicit; periodic cell vectors there and independent; no two atoms at one place (their periodic images included, within
    `MIN_DISTANCE`); bonds between atoms that exist.

    Args:
        structure: what a reader made.
        source: where it comes from, for messages; its path by default.
        nameless: whether atoms may be of no element and no type.

    Raises:
        InputError: with what is wrong, at which atom (0-based), and what to do.
    """
    where = f"{source or printable(structure.path) or structure.name}: "
    structure = _typed_arrays(structure, where)
    _check_numbers(structure, where)
    _check_species(structure, where, nameless)
    _check_cell(structure, where)
    _check_bonds(structure, where)
    _check_overlaps(structure, where)
    return structure


def _typed_arrays(structure: Structure, where: str) -> Structure:
    from dataclasses import replace

    n = len(structure.positions)
    if n == 0:
        raise InputError(f"{where}there are no atoms in it")
    if n > MAX_ATOMS:
        raise InputError(f"{where}{n} atoms are more than the limit of {MAX_ATOMS}; cut the structure")
    shapes = {"positions": (n, 3), "numbers": (n,), "cell": (3, 3), "pbc": (3,), "masses": (n,), "fixed": (n, 3)}
    kinds = {"positions": float, "numbers": np.int64, "cell": float, "pbc": bool, "masses": float, "fixed": bool}
    arrays = {name: np.asarray(getattr(structure, name), dtype=kind) for name, kind in kinds.items()}
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise InputError(f"{where}{name} has shape {arrays[name].shape} instead of {shape}")
    for name in ("types", "atom_names", "residue_names", "residue_numbers", "chain_names"):
        length = len(getattr(structure, name))
        if length != n and (length or name == "types"):
            raise InputError(f"{where}{length} entries of {name} for {n} atoms")
    bonds = np.asarray(structure.bonds, dtype=np.int64).reshape(-1, 2)
    return replace(structure, bonds=bonds, **arrays)    # type: ignore[arg-type]


def _check_numbers(structure: Structure, where: str) -> None:
    for name, values in (("coordinate", structure.positions), ("mass", structure.masses)):
        bad = ~np.isfinite(values) | (np.abs(values) > MAX_EXTENT)
        if bad.any():
            atom = int(np.argwhere(bad)[0, 0])
            value = values[bad][0]
            what = "is not finite" if not np.isfinite(value) else f"is beyond {MAX_EXTENT:g}"
            raise InputError(f"{where}atom {atom}: {name} {value:g} {what}; {int(bad.sum())} such values; correct the file")
    if (structure.masses <= 0).any():
        atom = int(np.argmax(structure.masses <= 0))
        raise InputError(f"{where}atom {atom}: mass {structure.masses[atom]:g} is not positive; correct or remove the masses")


def _check_species(structure: Structure, where: str, nameless: bool) -> None:
    from ase.data import chemical_symbols

    numbers = structure.numbers
    outside = (numbers < 0) | (numbers >= len(chemical_symbols))
    if outside.any():
        atom = int(np.argmax(outside))
        raise InputError(f"{where}atom {atom}: there is no element with number {numbers[atom]}")
    for atom, kind in enumerate(structure.types):
        if not kind or any(char.isspace() or not char.isprintable() for char in kind):
            raise InputError(f"{where}atom {atom}: {quotation(kind)} is no atom type; types are words without blanks")
        if numbers[atom] == 0 and kind == "X" and not nameless:
            name = f" ({printable(structure.atom_names[atom])})" if structure.atom_names else ""
            raise InputError(
                f"{where}atom {atom}{name} has no known chemical element and no type; correct its symbol, or give types "
                "(the column atom_types of an extxyz file)"
            )


def _check_cell(structure: Structure, where: str) -> None:
    cell, pbc = structure.cell, structure.pbc
    if not np.isfinite(cell).all() or np.abs(cell).max() > MAX_EXTENT:
        raise InputError(f"{where}the cell has an entry that is not finite, or beyond {MAX_EXTENT:g} Å: {_rows(cell)}")
    lengths = np.linalg.norm(cell, axis=1)
    for axis in np.flatnonzero(pbc):
        if lengths[axis] < MIN_DISTANCE:
            raise InputError(
                f"{where}periodic along cell vector {'abc'[axis]}, but that vector has length {lengths[axis]:g} Å; "
                "give the cell, or say that the structure is not periodic"
            )
    periodic = cell[pbc]
    if len(periodic):
        smallest = np.linalg.svd(periodic / lengths[pbc][:, None], compute_uv=False)[-1]
        if smallest < MIN_ANGLE:
            raise InputError(f"{where}the periodic cell vectors are linearly dependent: {_rows(periodic)}; correct the cell")


def _rows(cell: np.ndarray) -> str:
    return "; ".join(" ".join(f"{value:g}" for value in row) for row in cell)


def _check_bonds(structure: Structure, where: str) -> None:
    bonds, n = structure.bonds, structure.size
    if len(bonds) and (bonds.min() < 0 or bonds.max() >= n):
        raise InputError(f"{where}a bond names atom {int(np.abs(bonds).max())}, but there are {n} atoms; correct the bonds")
    if len(bonds) and (bonds[:, 0] == bonds[:, 1]).any():
        raise InputError(f"{where}a bond joins atom {int(bonds[bonds[:, 0] == bonds[:, 1]][0, 0])} to itself; correct the bonds")


def _check_overlaps(structure: Structure, where: str) -> None:
    pair = overlapping_pair(structure.positions, structure.cell, structure.pbc)
    if pair is not None:
        first, second = sorted(pair)
        images = " (one of them as a periodic image)" if structure.pbc.any() else ""
        raise InputError(f"{where}atoms {first} and {second} are at one place, within {MIN_DISTANCE} Å{images}; remove one of them")


def overlapping_pair(positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray) -> Sequence[int] | None:
    """Two atoms nearer than `MIN_DISTANCE`, one of them possibly as a periodic image; None where there are none. O(n log n).

    Args:
        positions: shape=(n, 3) [Å].
        cell: rows are lattice vectors, shape=(3, 3) [Å]; the periodic ones independent.
        pbc: shape=(3,).
    """
    from scipy.spatial import cKDTree

    points, owners = _with_nearby_images(positions, cell, pbc)
    order = np.lexsort(points.T)
    equal = np.flatnonzero((points[order[1:]] == points[order[:-1]]).all(axis=1))
    if len(equal):      # before the tree, which is slow for many equal points
        return [int(owners[order[equal[0]]]), int(owners[order[equal[0] + 1]])]
    distances, partners = cKDTree(points).query(points[: len(positions)], k=2, distance_upper_bound=MIN_DISTANCE)
    close = np.flatnonzero(np.isfinite(distances[:, 1]))
    return None if not len(close) else [int(close[0]), int(owners[partners[close[0], 1]])]


def _with_nearby_images(positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions wrapped into the cell, followed by the images of atoms at its lower faces beyond the upper ones; and who they are."""
    axes = np.flatnonzero(pbc)
    points, owners = positions, np.arange(len(positions))
    if not len(axes):
        return points, owners
    vectors = cell[axes]
    inverse = np.linalg.pinv(vectors)                       # columns are the reciprocal vectors: fraction = x · column
    points = points - np.floor(points @ inverse) @ vectors
    for axis, vector in enumerate(vectors):
        margin = MIN_DISTANCE * np.linalg.norm(inverse[:, axis])
        low = points @ inverse[:, axis] < margin
        points, owners = np.concatenate([points, points[low] + vector]), np.concatenate([owners, owners[low]])
    return points, owners
