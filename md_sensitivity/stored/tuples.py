"""The part of listed tuples of atoms, and of sums over all atoms, in a stored Hessian.

The energy of a tuple is a function of the vectors between its atoms; its second derivatives by these are stored for each tuple. Of a sum
over all atoms nothing is stored: its products are derivatives of its gradient.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from md_sensitivity.fields import Field, field_gradient
from md_sensitivity.listed import Listed, TupleList, edges, local_energy


class TupleBlocks(NamedTuple):
    """Second derivatives of one potential.

    Attributes:
        tuples: atoms, and where each atom occurs.
        block: by components of the vectors between the atoms, x y z of the first one first, shape=(q, q, m) [eV/Å²].
    """

    tuples: TupleList
    block: jax.Array

    def product(self, v: jax.Array) -> jax.Array:
        """Their part of H v, for vectors of shape=(p, 3, rows)."""
        atoms, count = self.tuples.atoms, self.tuples.places.shape[0]
        there = [take_last(v, atoms[:, j]) for j in range(atoms.shape[1])]
        moved = jnp.concatenate([b - a for a, b in pairwise(there)], axis=1)
        pulled = jnp.einsum("qrm,prm->pqm", self.block, moved).reshape(v.shape[0], -1, 3, moved.shape[2])
        none = jnp.zeros_like(pulled[:, :1])
        slopes = jnp.concatenate([none, pulled], axis=1) - jnp.concatenate([pulled, none], axis=1)
        flat = jnp.moveaxis(slopes, 2, 1).reshape(v.shape[0], 3, -1)
        flat = jnp.concatenate([flat, jnp.zeros_like(flat[:, :, :1])], axis=2)
        sums = jnp.sum(take_last(flat, self.tuples.places.reshape(-1)).reshape(*flat.shape[:2], count, -1), axis=-1)
        return jnp.pad(sums, ((0, 0), (0, 0), (0, v.shape[2] - count)))


def take_last(values: jax.Array, index: jax.Array) -> jax.Array:
    """values[..., index], for indices that are known to be valid."""
    return values.at[..., index].get(mode="promise_in_bounds")


class FieldProducts(NamedTuple):
    """What is needed to multiply with the second derivatives of a sum over all atoms."""

    field: Field
    x: jax.Array
    theta: Any
    kinds: jax.Array

    def product(self, v: jax.Array) -> jax.Array:
        """Its part of H v, for vectors of shape=(p, 3, rows)."""
        count = len(self.x)

        def one(direction: jax.Array) -> jax.Array:
            moved = jax.jvp(
                lambda x: field_gradient(self.field, x, None, self.theta, self.kinds)[1], (self.x,), (direction[:, :count].T,)
            )[1]
            return jnp.pad(moved.T, ((0, 0), (0, direction.shape[1] - count)))

        return jax.vmap(one)(v)


def tuple_blocks(listed: Listed, kinds: jax.Array, x: jax.Array, theta: Any) -> TupleBlocks:
    """Blocks at positions x, shape=(n, 3) [Å]."""
    local, mask = local_energy(listed, theta, kinds), listed.tuples.mask
    vectors = edges(listed.tuples, x)
    flat = jnp.stack([part for vector in vectors for part in vector])

    def slopes(flat: jax.Array) -> jax.Array:
        def total(flat: jax.Array) -> jax.Array:
            parts = tuple((flat[k], flat[k + 1], flat[k + 2]) for k in range(0, len(flat), 3))
            return jnp.sum(jnp.where(mask, local(parts), 0.0))

        return jax.grad(total)(flat)

    def column(component: jax.Array) -> jax.Array:
        return jax.jvp(slopes, (flat,), (jnp.broadcast_to(component[:, None], flat.shape),))[1]

    return TupleBlocks(listed.tuples, jax.vmap(column)(jnp.eye(len(flat))))
