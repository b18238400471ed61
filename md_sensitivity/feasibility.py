"""Which requests are refused before memory and time are spent on them: ranges against cells, planar structures."""

from __future__ import annotations

import math

import numpy as np

from md_sensitivity.errors import InputError
from md_sensitivity.footprint import Size, require_memory
from md_sensitivity.types import Structure

_WIDER = 1.1
"""Neighbor tables reach farther than the interaction by this factor, and are wider than the mean row by about as much."""
_MOST_IMAGES = 1e6


def require_feasible_range(
    structure: Structure, cell: np.ndarray, pbc: tuple[bool, ...], reach: float, where: str, *, shares: int = 1
) -> None:
    """Refuses ranges that reach absurdly many images of a small cell, or more pairs than fit into memory.

    Args:
        structure: its positions tell the density.
        cell, pbc: completed cell, and the periodic axes.
        reach: range of the interaction [Å].
        where: file and potential, for the message.
        shares: number of memories that the neighbor table is split over.

    Raises:
        InputError: where the range has no proportion to the cell.
        DeviceError: where the neighbor table and a minimization would not fit into memory.
    """
    if math.isinf(reach) or not any(pbc):
        return
    heights = 1.0 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    images = np.prod([2.0 * reach / height + 1.0 for height, periodic in zip(heights, pbc, strict=True) if periodic])
    if images > _MOST_IMAGES:
        raise InputError(
            f"{where} reaches {reach:g} Å, {images:.1e} images of the structure's cell; check the units of cutoff and cell"
        )
    _require_memory(structure, cell, pbc, reach, where, shares)


def _require_memory(structure: Structure, cell: np.ndarray, pbc: tuple[bool, ...], reach: float, where: str, shares: int) -> None:
    """Refuses what would not fit into memory even without derivatives, from the mean density of atoms."""
    radius = _WIDER * reach
    fractions = structure.positions @ np.linalg.inv(cell)
    extents = [1.0 if periodic else float(np.ptp(fractions[:, axis])) for axis, periodic in enumerate(pbc)]
    heights = 1.0 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    filled = [extent if periodic else extent + radius / height for extent, periodic, height in zip(extents, pbc, heights, strict=True)]
    volume = abs(np.linalg.det(cell)) * float(np.prod(filled))
    pairs = structure.size**2 * 4.0 / 3.0 * math.pi * radius**3 / volume
    size = Size(atoms=structure.size, pairs=int(pairs), entries=int(_WIDER * pairs), edges=0, solves=0, stored=False, shares=shares)
    require_memory(size, structure.size, f"{where} reaches {reach:.4g} Å")


def require_planar(structure: Structure) -> None:
    z = structure.positions[:, 2]
    if np.ptp(z) > 1e-6:
        raise InputError(
            f"{structure.path or structure.name}: two dimensions were asked for, but z is not the same for all atoms (atom "
            f"{int(np.argmax(np.abs(z - z[0])))} is {np.ptp(z):.3g} off)"
        )
    tilt = np.abs(np.asarray(structure.cell)[:2, 2])[np.asarray(structure.pbc)[:2]]
    if np.any(tilt > 1e-6):
        raise InputError(
            f"{structure.path or structure.name}: two dimensions were asked for, but the first two cell vectors leave the plane"
        )
