"""A stored Hessian bordered by a few rows that belong to strains of the cell, and metrics bordered in the same way.

Vectors are packed as the inner Hessian packs those of the atoms, with the strains behind them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from md_sensitivity.energy import Deformed, Metric
from md_sensitivity.stored.hessian import StoredHessian


@partial(jax.tree_util.register_dataclass, data_fields=["inner", "stretch", "border", "corner"], meta_fields=[])
@dataclass(frozen=True, kw_only=True)
class BorderedHessian:
    """H of positions and strains at one geometry.

    Attributes:
        inner: H of the atoms in the cell at that geometry, with respect to where they are.
        stretch: 1 + ε, which takes displacements in the reference cell to those, shape=(3, 3).
        border: rows of the k strains, in the columns of the atoms, packed, shape=(k, d') [eV/Å²].
        corner: of the strains with each other, shape=(k, k) [eV/Å²].
    """

    inner: StoredHessian
    stretch: jax.Array
    border: jax.Array
    corner: jax.Array

    def pack(self, vectors: jax.Array) -> jax.Array:
        """Flat vectors of positions and strains, shape=(p, 3n + k), as packed ones."""
        k = len(self.corner)
        return jnp.concatenate([self.inner.pack(vectors[:, :-k]), vectors[:, -k:]], axis=1)

    def unpack(self, packed: jax.Array) -> jax.Array:
        """Packed vectors as flat ones, shape=(p, 3n + k)."""
        k = len(self.corner)
        return jnp.concatenate([self.inner.unpack(packed[:, :-k]), packed[:, -k:]], axis=1)

    def product(self, packed: jax.Array) -> jax.Array:
        """H v for packed vectors."""
        k = len(self.corner)
        atoms, strains = packed[:, :-k], packed[:, -k:]
        found = self._stretched(self.inner.product(self._stretched(atoms))) + strains @ self.border
        return jnp.concatenate([found, atoms @ self.border.T + strains @ self.corner], axis=1)

    def _stretched(self, atoms: jax.Array) -> jax.Array:
        """Displacements of atoms, packed, times the stretch, which is symmetric."""
        split = atoms.reshape(len(atoms), 3, -1)
        return jnp.einsum("ab,pbr->par", self.stretch.astype(atoms.dtype), split).reshape(atoms.shape)

    def springs(self, rows: jax.Array) -> tuple[tuple[jax.Array, jax.Array, tuple[jax.Array, ...]], ...]:
        """Springs between atoms."""
        return self.inner.springs(rows)

    @property
    def bordered(self) -> tuple[StoredHessian, jax.Array]:
        """The part of the atoms, and that of the strains."""
        return self.inner, self.corner

    def lowered(self) -> BorderedHessian:
        """The same in single precision."""
        rest = (leaf.astype(jnp.float32) for leaf in (self.stretch, self.border, self.corner))
        return BorderedHessian(inner=self.inner.lowered(), **dict(zip(("stretch", "border", "corner"), rest, strict=True)))


@partial(jax.tree_util.register_dataclass, data_fields=["inner", "corner"], meta_fields=[])
@dataclass(frozen=True)
class BorderedMetric:
    """An approximation of H⁻¹ that knows nothing of what joins atoms and strains.

    Attributes:
        inner: that of the atoms.
        corner: inverse of H of the strains, shape=(k, k) [Å²/eV].
    """

    inner: Metric
    corner: jax.Array

    def solve(self, v: jax.Array) -> jax.Array:
        """Its product with a flat vector of positions and strains."""
        k = len(self.corner)
        return jnp.concatenate([self.inner.solve(v[:-k]), self.corner @ v[-k:]])


def strain_rows(energy: Any, x: Deformed, theta: Any) -> Deformed:
    """∂²H of each strain with all positions and strains: leaves of shape=(k, n, 3) and (k, k), zero where coordinates are frozen."""
    k = x.strain.shape[0]
    free = energy.mobility(x)

    def row(direction: jax.Array) -> Deformed:
        def slope(strain: jax.Array) -> Deformed:
            return jax.grad(energy)(x._replace(strain=strain), theta)

        return jax.tree.map(jnp.multiply, jax.jvp(slope, (x.strain,), (direction,))[1], free)

    return jax.lax.map(row, jnp.eye(k))


def bordered_hessian(inner: StoredHessian | None, energy: Any, x: Deformed, theta: Any) -> BorderedHessian | None:
    """The Hessian of an enthalpy whose atoms have the stored Hessian `inner`; None where that is None."""
    if inner is None:
        return None
    rows = strain_rows(energy, x, theta)
    k = x.strain.shape[0]
    return BorderedHessian(
        inner=inner,
        stretch=jnp.eye(3) + energy.strain(x),
        border=inner.pack(rows.positions.reshape(k, -1)),
        corner=0.5 * (rows.strain + rows.strain.T),
    )


@jax.jit
def _corner(energy: Any, x: Deformed, theta: Any) -> jax.Array:
    return strain_rows(energy, x, theta).strain


def bordered_metric(inner: Metric | None, energy: Any, x: Deformed, theta: Any) -> BorderedMetric | None:
    """A metric for positions and strains, positive where that of the atoms is; None where that is None."""
    if inner is None:
        return None
    corner = _corner(energy, x, theta)
    values, vectors = jnp.linalg.eigh(0.5 * (corner + corner.T))
    # Far from a minimum a strain may have a negative curvature; its size is still a measure of how far to go.
    sizes = jnp.maximum(jnp.abs(values), 1e-3 * jnp.max(jnp.abs(values)))
    return BorderedMetric(inner, (vectors / sizes) @ vectors.T)
