"""What makes conjugate gradients converge in fewer iterations, chosen by what the structure shows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import jax
import numpy as np

from md_sensitivity.curvature.coarse import Coarse, coarse_space
from md_sensitivity.curvature.lattice import Lattice, lattice_response
from md_sensitivity.energy import Assembled, Energy, Metric, PyTree

WAVES = 13
"""Wave vectors of the coarse space: in a cube, all up to the face diagonals. They save two iterations of five; more save little more."""
_WORTH_WAVES = 6
"""Right-hand sides for which the set-up of a coarse space, about 80 products with H, is worth while."""


@partial(jax.tree_util.register_dataclass, data_fields=["metric", "stored"], meta_fields=[])
@dataclass(frozen=True)
class Metrical:
    """The response of groups of near atoms, for vectors packed as a stored Hessian packs them."""

    metric: Metric
    stored: Assembled

    def __call__(self, r: jax.Array) -> jax.Array:
        """An approximation of H⁻¹ r for vectors of shape=(p, d')."""
        return self.stored.pack(jax.lax.map(self.metric.solve, self.stored.unpack(r)))


Preconditioner = Coarse | Lattice | Metrical


def choose_preconditioner(
    stored: Assembled | None, energy: Energy, x: PyTree, theta: PyTree, count: int
) -> tuple[Preconditioner | None, str]:
    """A preconditioner for `count` right-hand sides, or None, and a phrase that names it.

    Args:
        stored: the stored Hessian; without one there is no preconditioner.
        x: positions, shape=(n, 3) [Å], where there is a stored Hessian.
    """
    frame = None if stored is None else energy.frame(x)
    if stored is None or frame is None or count == 0:
        return None, "no preconditioner"
    if energy.stiff:
        metric = energy.narrowed(x, theta).local_response(x, theta)
        assert metric is not None
        return Metrical(metric, stored), "preconditioned by groups of near atoms"
    positions = np.asarray(x)
    lattice = lattice_response(stored, positions, frame)
    if lattice is not None:
        return lattice, "preconditioned by the average crystal of {} × {} × {} sites".format(*lattice.shape)
    if count >= _WORTH_WAVES:
        return coarse_space(stored, positions, frame, WAVES), f"preconditioned by {WAVES} long waves"
    return None, "no preconditioner"
