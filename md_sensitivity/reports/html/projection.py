"""How to look at a structure: which atoms to draw, and on which plane."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

AXES = "xyz"


@dataclass(frozen=True, kw_only=True)
class View:
    """A direction of view.

    Attributes:
        axes: rows are the unit vectors right, up and toward the reader, shape=(3, 3).
        right, up: names of the first two.
        planar: whether all atoms lie in the plane of the picture.
    """

    axes: np.ndarray
    right: str
    up: str
    planar: bool


def choose_view(positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray) -> View:
    """The plane of largest spread: of Cartesian axes for periodic or roundish structures, of principal axes for others.

    Args:
        positions: shape=(n, 3) [Å].
        cell: rows are lattice vectors, shape=(3, 3) [Å].
        pbc: shape=(3,).
    """
    centered = positions - positions.mean(axis=0)
    extent = np.ptp(positions, axis=0) if not pbc.any() else np.maximum(np.ptp(positions, axis=0), np.abs(cell[pbc]).max(axis=0))
    if np.ptp(positions[:, 2]) <= 1e-6 * max(1.0, extent.max()):
        return _cartesian(2, planar=True)
    variances, vectors = np.linalg.eigh(centered.T @ centered)
    if pbc.any() or variances[0] > 0.5 * variances[2]:
        rounded = np.round(extent / extent.max(), 2)  # equal extents look along z
        return _cartesian(2 - int(np.argmin(rounded[::-1])), planar=False)
    right, up = (vector * np.sign(vector[np.argmax(np.abs(vector))]) for vector in (vectors[:, 2], vectors[:, 1]))
    axes = np.stack([right, up, np.cross(right, up)])
    return View(axes=axes, right="first principal axis", up="second principal axis", planar=False)


def _cartesian(toward: int, *, planar: bool) -> View:
    right, up = [axis for axis in range(3) if axis != toward]
    if toward == 1:
        right, up = 0, 2
    axes = np.zeros((3, 3))
    axes[0, right] = axes[1, up] = 1.0
    axes[2] = np.cross(axes[0], axes[1])
    return View(axes=axes, right=AXES[right], up=AXES[up], planar=planar)


def wrapped(positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray) -> np.ndarray:
    """Positions moved into the cell along periodic directions, with a little tolerance at its faces."""
    if not pbc.any() or abs(np.linalg.det(cell)) < 1e-12:
        return positions
    fractional = np.linalg.solve(cell.T, positions.T).T
    shift = np.where(pbc, np.floor(fractional + 0.03), 0.0)
    return positions - shift @ cell


def cell_edges(cell: np.ndarray, pbc: np.ndarray) -> np.ndarray:
    """Edges of the cell spanned by the periodic lattice vectors, shape=(m, 2, 3); none where nothing is periodic."""
    vectors = [cell[k] for k in range(3) if pbc[k]]
    edges = []
    for k, vector in enumerate(vectors):
        others = vectors[:k] + vectors[k + 1 :]
        for flags in product((0, 1), repeat=len(others)):
            origin = sum((flag * other for flag, other in zip(flags, others, strict=True)), np.zeros(3))
            edges.append((origin, origin + vector))
    return np.array(edges).reshape(-1, 2, 3)


def drawn_atoms(size: np.ndarray, limit: int) -> np.ndarray:
    """Indices of the atoms to draw: all, or half of `limit` by response and the other half evenly picked."""
    n = len(size)
    if n <= limit:
        return np.arange(n)
    strongest = np.argsort(-size, kind="stable")[: limit // 2]
    even = np.linspace(0, n - 1, limit - limit // 2).astype(int)
    return np.union1d(strongest, even)


def radii(numbers: np.ndarray, positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray) -> np.ndarray:
    """Drawn radius of each atom, shape=(n,) [Å]: part of the covalent radius, or of the mean spacing where it is no element."""
    from ase.data import covalent_radii

    extent = np.ptp(positions, axis=0)
    spans = extent[extent > 1e-6 * max(1.0, extent.max())]
    spacing = 2.0 if len(positions) < 2 or not len(spans) else float((np.prod(spans) / len(positions)) ** (1 / len(spans)))
    return np.where(numbers > 0, 0.5 * covalent_radii[np.clip(numbers, 0, len(covalent_radii) - 1)], 0.38 * spacing)
