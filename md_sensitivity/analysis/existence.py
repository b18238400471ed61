"""Parameters along which a zero mode is lost: there an equilibrium has no derivative.

At an equilibrium the force ∂²E/∂x∂θ that a parameter exerts is orthogonal to every motion that costs no energy, as long as the
changed parameter leaves that motion free. Where it is not (a strength of zero that becomes finite ties atoms that nothing held before),
the structure does not move in proportion to the parameter: it goes somewhere else at once.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from md_sensitivity.analysis.directions import Directions
from md_sensitivity.analysis.parameters import Selection
from md_sensitivity.curvature.products import flat_projector, mixed_adjoint
from md_sensitivity.energy import Energy, PyTree
from md_sensitivity.minimization import Equilibrium

_SHARE = 1e-6
"""Share of a parameter's force that may lie along zero modes by rounding and by the force that is left at the minimum."""
_ROUNDING = 1e-10
"""Force along zero modes, as a share of the stiffness (times 1 Å), that counts as none."""


def losing_zero_modes(equilibrium: Equilibrium) -> PyTree:
    """Whether zero modes are lost along each parameter, so that no derivative with respect to it exists.

    One random motion tells: it is split into its part along zero modes and the rest, and each parameter's force is measured along both,
    where the parameter changes by its own size (by one unit where it is zero).

    Args:
        equilibrium: from `minimize`; of its zero modes, rigid motions of fragments are looked at.

    Returns:
        A tree like θ with leaves of booleans, on the host.
    """
    x, theta = equilibrium.x, equilibrium.theta
    if equilibrium.modes is None:
        return jax.tree.map(lambda leaf: np.zeros(np.shape(leaf), dtype=bool), theta)
    size = sum(np.size(leaf) for leaf in jax.tree.leaves(x))
    motion = np.random.default_rng(0).normal(size=size)
    along, whole = _forces(equilibrium.energy, x, theta, equilibrium.modes, motion)
    stiffness = 0.0 if equilibrium.spectrum is None else equilibrium.spectrum.largest
    least = _ROUNDING * stiffness * np.sqrt(size) + 10.0 * equilibrium.max_force

    def lost(value: Any, zero: jax.Array, total: jax.Array) -> np.ndarray:
        scale = np.where(np.asarray(value) != 0, np.abs(np.asarray(value)), 1.0)
        return np.abs(np.asarray(zero)) * scale > np.maximum(_SHARE * np.abs(np.asarray(total)) * scale, least)

    return jax.tree.map(lost, theta, along, whole)


def no_derivative(name: str) -> str:
    """Why there is no derivative with respect to a parameter along which zero modes are lost."""
    return f"the derivative with respect to {name} does not exist here: it acts along motions that cost no energy at its present value"


def lost_zero_modes(equilibrium: Equilibrium, selection: Selection) -> dict[str, str]:
    """Parameters of the selection along which zero modes are lost, with the reason why no derivative exists."""
    if not selection.rows:
        return {}
    lost = selection.steps.touching(losing_zero_modes(equilibrium))
    names = [selection.rows[int(place)].name for place in np.flatnonzero(lost)]
    return {name: no_derivative(name) for name in names}


def touching(lost: PyTree, directions: PyTree | Directions) -> np.ndarray:
    """Whether each of p directions changes a parameter along which zero modes are lost, shape=(p,).

    Args:
        lost: from `losing_zero_modes`.
        directions: of a table, or a tree like θ whose leaves have a leading axis p.
    """
    if isinstance(directions, Directions):
        return directions.touching(lost)
    leaves = zip(jax.tree.leaves(directions), jax.tree.leaves(lost), strict=True)
    return np.any([np.any((np.asarray(d) != 0) & flags, axis=tuple(range(1, np.ndim(d)))) for d, flags in leaves], axis=0)


@jax.jit
def _forces(energy: Energy, x: PyTree, theta: PyTree, modes: Any, motion: jax.Array) -> tuple[PyTree, PyTree]:
    """(∂²E/∂x∂θ)ᵀ along the part of a motion that is zero modes, and along all of it that is free to move."""
    _, unravel = ravel_pytree(x)
    mobile = motion * ravel_pytree(energy.mobility(x))[0]
    along = mobile - flat_projector(modes, energy, x)(mobile)
    both = jax.lax.map(lambda flat: mixed_adjoint(energy, x, theta, unravel(flat)), jnp.stack([along, mobile]))
    return jax.tree.map(lambda leaf: leaf[0], both), jax.tree.map(lambda leaf: leaf[1], both)
