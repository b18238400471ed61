"""P H⁺ P b through the eigenvalues of H, or of an H nearby."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from md_sensitivity.compilation import program
from md_sensitivity.curvature.products import flat_hessian, flat_projector
from md_sensitivity.curvature.solvers.dense import eigen_solve
from md_sensitivity.curvature.zero_modes import ZeroModes
from md_sensitivity.energy import Energy, PyTree

REFINED = 1e-11
"""Relative residual at which solutions from eigenvalues are good enough."""
_MAX_IMPROVED, _ENOUGH = 4, 1e-15
"""Improvements at most, and the residual at which none is tried; each costs one product."""
_STALE = 10.0
"""Residuals above `REFINED` by this factor mean that eigenvalues are not those of this H, rather than rounding of an H nearly singular."""
_MAX_REFINED = 60
"""Iterations for which eigenvalues of a nearby Hessian are worth while."""


class _Improved(NamedTuple):
    found: jax.Array
    error: jax.Array
    trial: jax.Array
    open: jax.Array
    count: jax.Array


class _Refined(NamedTuple):
    x: jax.Array
    r: jax.Array
    p: jax.Array
    rz: jax.Array
    error: jax.Array
    count: jax.Array
    convex: jax.Array


def solve_by_eigenvalues(
    energy: Energy, x: PyTree, theta: PyTree, modes: ZeroModes | None, b: jax.Array, values: np.ndarray, vectors: jax.Array
) -> tuple[jax.Array, np.ndarray, np.ndarray]:
    """Solutions for right-hand sides of shape=(p, d), their recomputed relative residuals, and the norms of the right-hand sides.

    Args:
        values, vectors: eigenvalues and eigenvectors of P H P, at this x or nearby.
    """
    found, error, size = _from_eigenvalues(energy, x, theta, modes, b, values, vectors)
    if np.any(np.asarray(error) > REFINED * _STALE):
        # Eigenvalues of this very H need no more; these are of a nearby one.
        found, error = _from_nearby_eigenvalues(energy, x, theta, modes, b, values, vectors, found, error)
    return found, np.asarray(error), np.asarray(size)


@program
def _from_eigenvalues(
    energy: Energy, x: PyTree, theta: PyTree, modes: ZeroModes | None, b: jax.Array, values: jax.Array, vectors: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Solutions, their residuals and the norms of the right-hand sides, refined through the matrix-free product.

    The product stands in one place, the loop, because it is what takes long to compile.
    """
    project = flat_projector(modes, energy, x)
    product = flat_hessian(energy, x, theta, project)
    b = jax.vmap(project)(b)
    size = jnp.linalg.norm(b, axis=1)
    scale = jnp.where(size == 0, 1.0, size)

    def improved(r: jax.Array) -> jax.Array:
        return jax.vmap(project)(eigen_solve(values, vectors, r))

    def going(c: _Improved) -> jax.Array:
        return jnp.any(c.open) & (c.count < _MAX_IMPROVED)

    def iterate(c: _Improved) -> _Improved:
        rest = b - jax.lax.map(product, c.trial)
        error = jnp.linalg.norm(rest, axis=1) / scale
        better = error < c.error
        open_ = c.open & better & (error > _ENOUGH)
        trial = jnp.where(open_[:, None], c.trial + improved(rest), c.trial)
        return _Improved(
            jnp.where(better[:, None], c.trial, c.found), jnp.where(better, error, c.error), trial, open_, c.count + 1
        )

    unknown = jnp.full(size.shape, jnp.inf)
    none = jnp.zeros((), dtype=jnp.int32)
    start = _Improved(jnp.zeros_like(b), unknown, improved(b), jnp.ones(size.shape, dtype=bool), none)
    last = jax.lax.while_loop(going, iterate, start)
    # What is not finite was never better than anything.
    return last.found, jnp.where(size == 0, 0.0, jnp.where(jnp.isinf(last.error), 1.0, last.error)), size


@program
def _from_nearby_eigenvalues(
    energy: Energy,
    x: PyTree,
    theta: PyTree,
    modes: ZeroModes | None,
    b: jax.Array,
    values: jax.Array,
    vectors: jax.Array,
    found: jax.Array,
    error: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Better solutions by conjugate gradients, preconditioned by the eigenvalues of a Hessian that is not quite this one.

    Args:
        found, error: solutions so far, with their relative residuals.
    """
    project = flat_projector(modes, energy, x)
    product = flat_hessian(energy, x, theta, project)
    b = jax.vmap(project)(b)
    size = jnp.linalg.norm(b, axis=1)
    scale = jnp.where(size == 0, 1.0, size)
    useful = (error < 1.0)[:, None]
    begun = jnp.where(useful, found, 0.0)
    rest = b - jax.lax.map(product, begun)

    def preconditioned(r: jax.Array) -> tuple[jax.Array, jax.Array]:
        z = jax.vmap(project)(eigen_solve(values, vectors, r))
        return z, jnp.sum(r * z, axis=1)

    def going(c: _Refined) -> jax.Array:
        return (jnp.max(c.error, initial=0.0) > REFINED) & (c.count < _MAX_REFINED) & c.convex

    def iterate(c: _Refined) -> _Refined:
        hp = jax.lax.map(product, c.p)
        curvature = jnp.sum(c.p * hp, axis=1)
        active = (c.error > REFINED) & (curvature > 0)
        alpha = jnp.where(active, c.rz / jnp.where(active, curvature, 1.0), 0.0)[:, None]
        x, r = c.x + alpha * c.p, c.r - alpha * hp
        z, rz = preconditioned(r)
        p = z + (rz / jnp.where(c.rz > 0, c.rz, 1.0))[:, None] * c.p
        convex = ~jnp.any((c.error > REFINED) & (curvature <= 0))
        return _Refined(x, r, p, rz, jnp.linalg.norm(r, axis=1) / scale, c.count + 1, convex)

    z, rz = preconditioned(rest)
    start = _Refined(begun, rest, z, rz, jnp.linalg.norm(rest, axis=1) / scale, jnp.zeros((), dtype=jnp.int32), jnp.ones((), dtype=bool))
    last = jax.lax.while_loop(going, iterate, start)
    better = jax.vmap(project)(last.x)
    after = jnp.linalg.norm(b - jax.lax.map(product, better), axis=1) / scale
    return jnp.where((after < error)[:, None], better, found), jnp.minimum(after, error)
