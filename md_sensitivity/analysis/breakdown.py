"""Where an expansion must end, whatever its terms say: soft modes that vanish, contacts that change, parameters that leave their bounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import numpy as np
from jax.flatten_util import ravel_pytree

from md_sensitivity.analysis.expansion import Expansion
from md_sensitivity.compilation import program
from md_sensitivity.curvature.products import flat_hessian, flat_projector, unflattened
from md_sensitivity.curvature.solvers.dense import RELATIVE_ZERO
from md_sensitivity.curvature.zero_modes import ZeroModes
from md_sensitivity.energy import Energy, PyTree
from md_sensitivity.implicit.equilibrium import equilibrium_solve
from md_sensitivity.implicit.second_order import Path, second_forces
from md_sensitivity.minimization import Equilibrium

SOFTEST = 4
"""Modes whose eigenvalues are watched."""
_ROUNDS = 4
"""Inverse iterations towards them where a minimization did not compute them."""
_ROUGH = 1e-3
"""Relative residual of solves that only iterate."""
_FOLD = 0.5
"""Near a fold an eigenvalue falls like √(t₀ − t): its square is linear, and reaches zero at half the distance that λ itself points to."""
_BISECTIONS = 40


class SoftModes(NamedTuple):
    """The softest modes at an equilibrium.

    Attributes:
        values: eigenvalues, or Ritz values, rising, shape=(k,) [eV/Å²].
        vectors: orthonormal, flat, shape=(k, d).
    """

    values: np.ndarray
    vectors: np.ndarray


@program
def ritz(energy: Energy, x: PyTree, theta: PyTree, modes: ZeroModes | None, vectors: jax.Array) -> jax.Array:
    """Uᵀ P H P U of orthonormal rows U, shape=(k, k)."""
    product = flat_hessian(energy, x, theta, flat_projector(modes, energy, x))
    return vectors @ jax.lax.map(product, vectors).T


@program
def _rid_of_zero_modes(energy: Energy, x: PyTree, modes: ZeroModes | None, vectors: jax.Array) -> jax.Array:
    return jax.vmap(flat_projector(modes, energy, x))(vectors)


def soft_modes(equilibrium: Equilibrium, *, seed: int = 0, like: int = 0) -> SoftModes:
    """The softest nonzero modes: from all eigenvectors where they are known, else by a few inverse iterations of a random block."""
    spectrum = equilibrium.spectrum
    size = sum(np.size(leaf) for leaf in jax.tree.leaves(equilibrium.x))
    none = SoftModes(np.zeros(0), np.zeros((0, size)))
    if spectrum is None or spectrum.lowest is None:
        return none
    if spectrum.eigenvectors is not None and spectrum.eigenvalues is not None:
        values = np.asarray(spectrum.eigenvalues)
        chosen = np.flatnonzero(np.abs(values) > RELATIVE_ZERO * spectrum.largest)[:SOFTEST]
        return SoftModes(values[chosen], np.asarray(spectrum.eigenvectors)[:, chosen].T)
    block = np.random.default_rng(seed).normal(size=(SOFTEST, size))
    if spectrum.mode is not None:
        block[0] = np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(spectrum.mode)])
    e, x, theta, modes = equilibrium.energy, equilibrium.x, equilibrium.theta, equilibrium.modes
    block = _orthonormal(np.asarray(_rid_of_zero_modes(e, x, modes, block)))
    values = np.zeros(len(block))
    for _ in range(_ROUNDS if len(block) else 0):
        found = equilibrium_solve(equilibrium, jax.numpy.asarray(block), tolerance=_ROUGH, like=like, throw=False).solution
        if not np.all(np.isfinite(np.asarray(found))):
            return none
        block = _orthonormal(np.asarray(found))
        matrix = np.asarray(ritz(e, x, theta, modes, block))
        values, turned = np.linalg.eigh(0.5 * (matrix + matrix.T))
        block = turned.T @ block
    return SoftModes(values, block)


def _orthonormal(vectors: np.ndarray) -> np.ndarray:
    """Orthonormal rows that span the same; fewer where some depend on others."""
    _, sizes, basis = np.linalg.svd(vectors, full_matrices=False)
    return np.asarray(basis[sizes > 1e-10 * sizes.max(initial=0.0)]) if sizes.max(initial=0.0) > 0 else vectors[:0]


def softening(equilibrium: Equilibrium, soft: SoftModes, found: Sequence[Expansion]) -> np.ndarray:
    """Uᵀ (dH/dt) U along the path of each expansion, shape=(p, k, k).

    dH/dt u is the mixed second derivative of the force along (x′, θ′) and along u: a quarter of the difference of its second derivatives
    along their sum and difference, for which the program of the second response serves.
    """
    k, p = len(soft.values), len(found)
    if k == 0 or p == 0:
        return np.zeros((p, k, k))
    moves, paths, amounts = [], [], []
    for expansion in found:
        first = np.asarray(ravel_pytree(expansion.first)[0])
        amount = float(np.abs(first).max(initial=0.0)) or 1.0
        for vector in soft.vectors:
            scaled = amount / float(np.abs(vector).max())
            moves += [first + scaled * vector, first - scaled * vector]
            paths += [expansion.path, expansion.path]
            amounts.append(scaled)
    parts = []
    for begin in range(0, len(moves), p):  # as many at a time as there are paths: their program is compiled already
        stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *paths[begin : begin + p])
        trees = unflattened(equilibrium.x, np.array(moves[begin : begin + p]))
        parts.append(np.asarray(second_forces(equilibrium.energy, equilibrium.x, equilibrium.theta, trees, Path(*stacked))[0]))
    forces = np.concatenate(parts)
    mixed = (forces[0::2] - forces[1::2]) / (4.0 * np.array(amounts)[:, None])
    rates = mixed.reshape(p, k, -1) @ soft.vectors.T
    return np.asarray(0.5 * (rates + np.swapaxes(rates, 1, 2)))


def vanishing(soft: SoftModes, rate: np.ndarray) -> tuple[float, float]:
    """How far one may go down and up before an eigenvalue reaches zero, as far as its first derivative tells; infinite where none falls.

    Args:
        rate: Uᵀ (dH/dt) U, shape=(k, k).
    """
    if len(soft.values) == 0 or not np.all(np.isfinite(rate)) or soft.values[0] <= 0:
        return np.inf, np.inf
    weight = 1.0 / np.sqrt(soft.values)
    relative = np.linalg.eigvalsh(weight[:, None] * rate * weight)  # of (Λ + t M) v = 0
    down = _FOLD / relative[-1] if relative[-1] > 0 else np.inf
    up = -_FOLD / relative[0] if relative[0] < 0 else np.inf
    return float(down), float(up)


def crossing(here: np.ndarray, before: np.ndarray, after: np.ndarray, step: float) -> tuple[float, float]:
    """How far one may go down and up before one of several gaps closes, from their values at 0, −step and +step; else infinite."""
    finite = np.isfinite(here) & np.isfinite(before) & np.isfinite(after)
    gap, below, above = here[finite], before[finite], after[finite]
    rate, bend = (above - below) / (2.0 * step), (above - 2.0 * gap + below) / step**2
    nearest = []
    for side in (-1.0, 1.0):
        # gap + s t + ½ b t² = 0 for t > 0, in a form without cancellation.
        slope = side * rate
        root = slope**2 - 2.0 * bend * gap
        q = -(slope + np.where(slope >= 0, 1.0, -1.0) * np.sqrt(np.where(root >= 0, root, np.nan)))
        with np.errstate(divide="ignore", invalid="ignore"):
            both = np.concatenate([q / bend, 2.0 * gap / q])
        nearest.append(float(np.min(both[np.isfinite(both) & (both > 0)], initial=np.inf)))
    return nearest[0], nearest[1]


def room_within(admitted: Callable[[float], bool], furthest: float) -> float:
    """The largest t up to `furthest` for which all parameters are admitted; `furthest` where none leaves its bounds."""
    if admitted(furthest):
        return furthest
    low, high = 0.0, furthest
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if admitted(middle) else (low, middle)
    return low
