"""Products with the Hessian H = ∂²E/∂x² and the mixed derivative ∂²E/∂x∂θ, matrix-free, for any pytrees x and θ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from md_sensitivity.compilation import program
from md_sensitivity.curvature.zero_modes import ZeroModes
from md_sensitivity.energy import Energy, PyTree, positions_of, with_positions

Operator = Callable[[jax.Array], jax.Array]
"""A linear map of flat vectors, shape=(d,) → shape=(d,)."""


def gradient(energy: Energy, x: PyTree, theta: PyTree) -> PyTree:
    """∂E/∂x [eV/Å], zero where coordinates are frozen."""
    return jax.tree.map(jnp.multiply, jax.grad(energy)(x, theta), energy.mobility(x))


def hessian_product(energy: Energy, x: PyTree, theta: PyTree, v: PyTree) -> PyTree:
    """H v [eV/Å² times the unit of v], forward over the gradient, zero where coordinates are frozen."""
    return jax.jvp(lambda x: gradient(energy, x, theta), (x,), (v,))[1]


def mixed_product(energy: Energy, x: PyTree, theta: PyTree, theta_dot: PyTree) -> PyTree:
    """(∂²E/∂x∂θ) θ̇: how the gradient changes along a direction in parameter space, a tree like x."""
    return jax.jvp(lambda theta: gradient(energy, x, theta), (theta,), (theta_dot,))[1]


def mixed_adjoint(energy: Energy, x: PyTree, theta: PyTree, w: PyTree) -> PyTree:
    """(∂²E/∂x∂θ)ᵀ w, a tree like θ: the gradient of w·∂E/∂x, which takes a quarter of the time that the transposed gradient takes."""
    along = jax.tree.map(jnp.multiply, w, energy.mobility(x))
    return jax.grad(lambda theta: jax.jvp(lambda x: energy(x, theta), (x,), (along,))[1])(theta)


def flat_projector(modes: ZeroModes | None, energy: Energy, x: PyTree) -> Operator:
    """The projector onto motions that are neither rigid nor frozen, for flat vectors."""
    if modes is not None:
        projector = modes.projector(positions_of(x))
        _, unravel = ravel_pytree(x)

        def projected(v: jax.Array) -> jax.Array:
            vector = unravel(v)
            return ravel_pytree(with_positions(vector, projector(positions_of(vector))))[0]

        return projected
    mobile = ravel_pytree(energy.mobility(x))[0]
    return lambda v: v * mobile


def flat_hessian(energy: Energy, x: PyTree, theta: PyTree, project: Operator) -> Operator:
    """v → P H P v for flat vectors: symmetric, and exactly zero on the zero modes."""
    _, unravel = ravel_pytree(x)

    def product(v: jax.Array) -> jax.Array:
        return project(ravel_pytree(hessian_product(energy, x, theta, unravel(project(v))))[0])

    return product


def flat_gradient(energy: Energy, x: PyTree, theta: PyTree) -> jax.Array:
    """∂E/∂x as a flat vector."""
    return ravel_pytree(gradient(energy, x, theta))[0]


def unflattened(like: PyTree, flat: Any) -> PyTree:
    """A flat vector, or stacked ones with a leading axis, as trees like `like` on the host; no program is compiled for it."""
    leaves, tree = jax.tree.flatten(like)
    flat = np.asarray(flat)
    ends = np.cumsum([np.size(leaf) for leaf in leaves])[:-1]
    parts = np.split(flat, ends, axis=-1)
    return jax.tree.unflatten(tree, [part.reshape((*flat.shape[:-1], *np.shape(leaf))) for part, leaf in zip(parts, leaves, strict=True)])


@program
def force_residual(energy: Energy, x: PyTree, theta: PyTree) -> jax.Array:
    """Largest component of ∂E/∂x [eV/Å]."""
    return largest_component(gradient(energy, x, theta))


@program
def largest_component(vector: Any) -> jax.Array:
    """Largest absolute entry of a tree: the residual force max|F| where the tree is a gradient."""
    return jnp.max(jnp.abs(ravel_pytree(vector)[0]), initial=0.0)
