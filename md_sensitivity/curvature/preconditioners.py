"""What makes conjugate gradients converge in fewer iterations, chosen by what the structure shows."""

from __future__ import annotations

import numpy as np

from md_sensitivity.curvature.coarse import Coarse, coarse_space
from md_sensitivity.curvature.lattice import Lattice, lattice_response
from md_sensitivity.energy import Assembled, Frame, PyTree

WAVES = 13
"""Wave vectors of the coarse space: in a cube, all up to the face diagonals. They save two iterations of five; more save little more."""
_WORTH_WAVES = 6
"""Right-hand sides for which the set-up of a coarse space, about 80 products with H, is worth while."""

Preconditioner = Coarse | Lattice


def choose_preconditioner(stored: Assembled | None, x: PyTree, frame: Frame | None, count: int) -> tuple[Preconditioner | None, str]:
    """A preconditioner for `count` right-hand sides, or None, and a phrase that names it.

    Args:
        stored: the stored Hessian; without one there is no preconditioner.
        x: positions, shape=(n, 3) [Å], where there is a stored Hessian.
    """
    if stored is None or frame is None or count == 0:
        return None, "no preconditioner"
    positions = np.asarray(x)
    lattice = lattice_response(stored, positions, frame)
    if lattice is not None:
        return lattice, "preconditioned by the average crystal of {} × {} × {} sites".format(*lattice.shape)
    if count >= _WORTH_WAVES:
        return coarse_space(stored, positions, frame, WAVES), f"preconditioned by {WAVES} long waves"
    return None, "no preconditioner"
