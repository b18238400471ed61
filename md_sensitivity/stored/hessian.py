"""The Hessian of a whole system at one geometry, from the blocks of its terms."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from md_sensitivity.blocks import laid_out
from md_sensitivity.bound import BoundTerm, tables
from md_sensitivity.fields import Field, field_products
from md_sensitivity.interactions import Part
from md_sensitivity.listed import Listed
from md_sensitivity.potentials.base import EmbeddedForm, ManyBodyForm, PairForm, Products, WholeForm
from md_sensitivity.sharding import gathered
from md_sensitivity.stored.densities import DensityBlocks, embedded_blocks
from md_sensitivity.stored.environments import WIDEST, EnvironmentBlocks, environment_blocks
from md_sensitivity.stored.pairs import PairBlocks, pair_blocks
from md_sensitivity.stored.tuples import FieldProducts, TupleBlocks, tuple_blocks
from md_sensitivity.voigt import PLACES


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["pairs", "densities", "environments", "tuples", "fields", "diagonal", "free"],
    meta_fields=["size", "mesh"],
)
@dataclass(frozen=True, kw_only=True)
class StoredHessian:
    """H at one geometry; exactly zero for frozen coordinates.

    Vectors are packed as shape=(p, 3 · rows), all x first, because each component is read by itself.

    Attributes:
        pairs: blocks of each pair potential, and of each embedded form.
        densities: the rest of each embedded form.
        environments: blocks of each many-body potential.
        tuples: blocks of bonded potentials and of listed pairs.
        fields: sums over all atoms, of which nothing is stored but how to multiply.
        diagonal: H_ii of the pair potentials, six arrays of shape=(rows,) [eV/Å²]; empty where there are none.
        free: 1 where a coordinate may move, shape=(3, rows).
        size: number of atoms n.
        mesh: devices that share the rows of the blocks; None where one has all. Vectors are on each of them.
    """

    pairs: tuple[PairBlocks, ...]
    densities: tuple[DensityBlocks, ...]
    environments: tuple[EnvironmentBlocks, ...]
    tuples: tuple[TupleBlocks, ...]
    fields: tuple[Products, ...]
    diagonal: tuple[jax.Array, ...]
    free: jax.Array
    size: int
    mesh: Mesh | None = None

    def pack(self, vectors: jax.Array) -> jax.Array:
        """Flat vectors of positions, shape=(p, 3n), as packed ones."""
        p, rows = vectors.shape[0], self.free.shape[1]
        split = jnp.moveaxis(vectors.reshape(p, self.size, 3), 2, 1)
        return jnp.pad(split, ((0, 0), (0, 0), (0, rows - self.size))).reshape(p, 3 * rows)

    def unpack(self, packed: jax.Array) -> jax.Array:
        """Packed vectors as flat ones, shape=(p, 3n)."""
        split = packed.reshape(packed.shape[0], 3, -1)[:, :, : self.size]
        return jnp.moveaxis(split, 1, 2).reshape(packed.shape[0], -1)

    def product(self, packed: jax.Array) -> jax.Array:
        """H v for packed vectors."""
        v = packed.reshape(packed.shape[0], 3, -1)
        d = self.diagonal
        total = jnp.stack([sum(d[place] * v[:, c] for c, place in enumerate(row)) for row in PLACES], axis=1) if d else jnp.zeros_like(v)
        for term in self.pairs:
            total = total - term.neighbor_sums(v, self.mesh)
        for densities in self.densities:
            total = total + densities.product(v, self.mesh)
        for environments in self.environments:
            total = total + environments.product(v)
        for tuples in self.tuples:
            total = total + tuples.product(v)
        for field in self.fields:
            total = total + field.product(v)
        return (total * self.free).reshape(packed.shape)

    def springs(self, rows: jax.Array) -> tuple[tuple[jax.Array, jax.Array, tuple[jax.Array, ...]], ...]:
        """Springs that some atoms answer for; averaged over all atoms, Σ S (1 − cos q·(r_j − r_i)) is what H does to a wave q.

        Args:
            rows: atoms, shape=(s,).

        Returns:
            For each term the rows i and j and S, xx yy zz yz xz xy, symmetric, shape=(s, k) each [eV/Å²]; zeros fill up.
        """
        stored: tuple[PairBlocks | DensityBlocks | EnvironmentBlocks, ...] = (*self.pairs, *self.densities, *self.environments)
        return tuple(term.springs(rows) for term in stored)

    @property
    def bordered(self) -> None:
        """Atoms are all there is."""
        return None

    def lowered(self) -> StoredHessian:
        """The same in single precision."""
        return jax.tree.map(lambda leaf: leaf.astype(jnp.float32) if leaf.dtype == jnp.float64 else leaf, self)


def storable(parts: tuple[Part, ...]) -> bool:
    """Whether no part is a model of all atoms, or a many-body potential whose tables hold many neighbors."""
    return bool(parts) and all(
        not isinstance(part, BoundTerm)
        or not isinstance(part.form, ManyBodyForm | WholeForm)
        or (isinstance(part.form, ManyBodyForm) and part.neighbors.index.shape[1] <= WIDEST)
        for part in parts
    )


def stored_hessian(parts: tuple[Part, ...], kinds: jax.Array, free: jax.Array, x: jax.Array, theta: Any) -> StoredHessian:
    """H of a system of `storable` parts at positions x, shape=(n, 3) [Å]."""
    terms = [part for part in parts if isinstance(part, BoundTerm)]
    rows, mesh = (terms[0].neighbors.index.shape[0], terms[0].neighbors.mesh) if terms else (len(x), None)
    pairs: list[PairBlocks] = []
    densities: list[DensityBlocks] = []
    environments: list[EnvironmentBlocks] = []
    for term in terms:
        if isinstance(term.form, PairForm):
            pairs.append(pair_blocks(term, tables(term, theta), *laid_out(term.neighbors, kinds, x, None)))
        elif isinstance(term.form, EmbeddedForm):
            both = embedded_blocks(term, kinds, x, theta)
            pairs.append(both[0])
            densities.append(both[1])
        else:
            environments.append(environment_blocks(term, kinds, x, theta))
    diagonals = [blocks.diagonal() for blocks in pairs]
    return StoredHessian(
        pairs=tuple(pairs),
        densities=tuple(densities),
        environments=tuple(environments),
        tuples=tuple(tuple_blocks(part, kinds, x, theta) for part in parts if isinstance(part, Listed)),
        fields=tuple(_products(part, kinds, x, theta) for part in parts if isinstance(part, Field)),
        diagonal=gathered(mesh, tuple(sum(parts) for parts in zip(*diagonals, strict=True))) if pairs else (),
        free=jnp.pad(free.T, ((0, 0), (0, rows - len(x)))),
        size=len(x),
        mesh=mesh,
    )


def _products(field: Field, kinds: jax.Array, x: jax.Array, theta: Any) -> Products:
    return field_products(field, x, theta, kinds) or FieldProducts(field, x, theta, kinds)
