"""ASE constraints as a mask of frozen Cartesian coordinates."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from md_sensitivity.errors import InputError


def fixed_coordinates(constraints: Iterable[Any], size: int, cell: np.ndarray) -> np.ndarray:
    """Which coordinates are frozen, shape=(n, 3).

    `FixAtoms` and `FixCartesian` are taken as they are. `FixScaled` (selective dynamics of VASP), `FixedPlane` and `FixedLine` leave
    an atom a plane or a line to move in; where that is spanned by Cartesian axes it is a mask too, and else it is refused.

    Args:
        constraints: ASE constraint objects.
        size: number of atoms.
        cell: rows are lattice vectors, shape=(3, 3) [Å].

    Raises:
        InputError: a constraint that freezes no set of Cartesian coordinates.
    """
    from ase import constraints as kinds

    fixed = np.zeros((size, 3), dtype=bool)
    for constraint in constraints:
        if isinstance(constraint, kinds.FixAtoms):
            fixed[constraint.index] = True
        elif isinstance(constraint, kinds.FixCartesian):
            fixed[constraint.index] |= np.asarray(constraint.mask, dtype=bool)
        elif isinstance(constraint, kinds.FixScaled):
            fixed[constraint.index] |= _mask(np.asarray(cell)[~np.asarray(constraint.mask, dtype=bool)], constraint)
        elif isinstance(constraint, kinds.FixedPlane):
            fixed[constraint.index] |= ~_mask(np.atleast_2d(constraint.dir), constraint)
        elif isinstance(constraint, kinds.FixedLine):
            fixed[constraint.index] |= _mask(np.atleast_2d(constraint.dir), constraint)
        else:
            name = type(constraint).__name__
            raise InputError(f"constraint {name} is not supported; use FixAtoms or FixCartesian, or remove it and freeze atoms with --fix")
    return fixed


def _mask(free: np.ndarray, constraint: object) -> np.ndarray:
    """Axes that are frozen where motion is confined to the span of the rows of `free`, shape=(3,)."""
    projector = np.linalg.pinv(free) @ free if len(free) else np.zeros((3, 3))
    if not np.allclose(projector, np.diag(np.round(np.diag(projector))), atol=1e-9):
        raise InputError(f"constraint {type(constraint).__name__} freezes a direction that is no Cartesian axis; rotate the structure")
    return np.round(np.diag(projector)) == 0
