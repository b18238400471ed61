"""What makes conjugate gradients converge in fewer iterations, chosen by what the structure shows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from md_sensitivity.curvature.coarse import Coarse, coarse_space
from md_sensitivity.curvature.lattice import Lattice, lattice_response
from md_sensitivity.energy import Assembled, Energy, Frame, Metric, PyTree

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


@partial(jax.tree_util.register_dataclass, data_fields=["inner", "corner"], meta_fields=[])
@dataclass(frozen=True)
class Bordered:
    """A preconditioner of the atoms, with the inverse of H of the k coordinates that are packed behind them.

    Attributes:
        inner: None for none.
        corner: shape=(k, k) [Å²/eV].
    """

    inner: Coarse | Lattice | None
    corner: jax.Array

    def __call__(self, r: jax.Array) -> jax.Array:
        """An approximation of H⁻¹ r for vectors of shape=(p, d' + k)."""
        k = len(self.corner)
        # Coordinates behind the atoms are about as stiff as these.
        atoms = r[:, :-k] * (jnp.trace(self.corner) / k) if self.inner is None else self.inner(r[:, :-k])
        return jnp.concatenate([atoms, r[:, -k:] @ self.corner], axis=1)


Preconditioner = Coarse | Lattice | Metrical | Bordered


def choose_preconditioner(
    stored: Assembled | None, energy: Energy, x: PyTree, theta: PyTree, count: int
) -> tuple[Preconditioner | None, str]:
    """A preconditioner for `count` right-hand sides, or None, and a phrase that names it.

    Args:
        stored: the stored Hessian; without one there is no preconditioner.
        x: positions, with strains if there are any, where there is a stored Hessian.
    """
    frame = None if stored is None else energy.frame(x)
    if stored is None or frame is None or count == 0:
        return None, "no preconditioner"
    if energy.stiff:
        metric = energy.narrowed(x, theta).local_response(x, theta)
        assert metric is not None
        return Metrical(metric, stored), "preconditioned by groups of near atoms"
    bordered = stored.bordered
    if bordered is None:
        return _of_atoms(stored, frame, count)
    found, phrase = _of_atoms(bordered[0], frame, count)
    return Bordered(found, jnp.linalg.inv(bordered[1])), phrase


def _of_atoms(stored: Assembled, frame: Frame, count: int) -> tuple[Coarse | Lattice | None, str]:
    positions = np.asarray(frame.positions)
    lattice = lattice_response(stored, positions, frame)
    if lattice is not None:
        return lattice, "preconditioned by the average crystal of {} × {} × {} sites".format(*lattice.shape)
    if count >= _WORTH_WAVES:
        return coarse_space(stored, positions, frame, WAVES), f"preconditioned by {WAVES} long waves"
    return None, "no preconditioner"
