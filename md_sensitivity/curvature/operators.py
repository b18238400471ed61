"""Ways to multiply with the Hessian, in one table: stored blocks, or derivatives of the gradient.

A solver works with packed vectors, many at once. Its sweeps use P H, P removing rigid motions: vectors that start without them stay so,
where sweeps with H alone let rounding grow along them until soft clusters no longer converge. Residuals are judged with P H P.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from md_sensitivity.compilation import program
from md_sensitivity.curvature.preconditioners import Preconditioner
from md_sensitivity.curvature.products import flat_projector, hessian_product
from md_sensitivity.curvature.zero_modes import ZeroModes
from md_sensitivity.energy import Assembled, Energy, PyTree
from md_sensitivity.errors import UsageError
from md_sensitivity.footprint import memory
from md_sensitivity.sharding import memories, mesh_within

BLOCKS, PRODUCTS = "blocks", "products"
HESSIANS = {
    BLOCKS: "assembled blocks of all interacting pairs and of environments; pair and many-body potentials of few neighbors",
    PRODUCTS: "matrix-free, by differentiating the gathered gradient; any energy",
}
"""Name → description."""
SHARE_OF_MEMORY = 0.25
"""Blocks may take so much of the memory."""

Columns = Callable[[jax.Array], jax.Array]
"""A linear map of several vectors, shape=(p, d) → shape=(p, d)."""


@dataclass(frozen=True)
class HessianOperator:
    """H for a solver, of packed vectors.

    Attributes:
        columns: v → P H v, for v without rigid motions, shape=(p, d') → shape=(p, d').
        exact: v → P H P v.
        project: v → P v.
        pack, unpack: between flat vectors, shape=(p, d), and packed ones.
        lowered: `columns` in single precision; None where there is none.
        preconditioner: an approximation of H⁻¹ for packed vectors; None where there is none.
    """

    columns: Columns
    exact: Columns
    project: Columns
    pack: Columns
    unpack: Columns
    lowered: Columns | None = None
    preconditioner: Preconditioner | None = None

    def __call__(self, v: jax.Array) -> jax.Array:
        """P H P v of one vector, shape=(d',)."""
        return self.exact(v[None])[0]


@program
def _assembled(energy: Energy, x: PyTree, theta: PyTree) -> Assembled | None:
    return energy.assembled(x, theta)


def choose_hessian(energy: Energy, x: PyTree, theta: PyTree, name: str = "auto") -> tuple[Assembled | None, str, str]:
    """The stored Hessian or None for derivatives, the name of the way in `HESSIANS`, and why it was chosen.

    Raises:
        UsageError: for an unknown name, or where stored blocks are asked of an energy that has none.
    """
    if name not in ("auto", *HESSIANS):
        raise UsageError(f"unknown way {name!r} to multiply with the Hessian; one of auto, {', '.join(HESSIANS)}")
    if name == PRODUCTS:
        return None, PRODUCTS, "asked for"
    # Solvers read the blocks many times: what only the skin of the neighbor tables holds costs more than leaving it out.
    energy = energy.narrowed(x, theta)
    needed = _stored_bytes(energy, x, theta)
    if needed is None:
        if name == BLOCKS:
            raise UsageError(
                "the Hessian can be stored in blocks where all terms are pair potentials, or many-body potentials of few neighbors; "
                "use products"
            )
        return None, PRODUCTS, "the energy has terms that are neither pair potentials nor many-body potentials of few neighbors"
    if name == "auto" and needed > SHARE_OF_MEMORY * memory():
        return None, PRODUCTS, f"blocks would take {needed / 2**30:.1f} GiB"
    return _assembled(energy, x, theta), BLOCKS, "asked for" if name == BLOCKS else "they fit into memory"


def _stored_bytes(energy: Energy, x: PyTree, theta: PyTree) -> int | None:
    """Memory that a stored Hessian takes, on each device; None where there is none."""
    shapes = _assembled.eval_shape(energy, x, theta)
    if shapes is None:
        return None
    shares = memories(mesh_within(jax.tree.leaves(energy)))
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(shapes)) // shares


def worth_storing(energy: Energy, x: PyTree, theta: PyTree) -> bool:
    """Whether the energy has a stored Hessian that fits into memory."""
    needed = _stored_bytes(energy, x, theta)
    return needed is not None and needed <= SHARE_OF_MEMORY * memory()


def hessian_operator(
    energy: Energy,
    x: PyTree,
    theta: PyTree,
    modes: ZeroModes | None,
    stored: Assembled | None,
    preconditioner: Preconditioner | None = None,
) -> HessianOperator:
    """The operator for packed vectors; within traced code."""
    projector = flat_projector(modes, energy, x)
    project: Columns = jax.vmap(projector)
    if stored is None:
        _, unravel = ravel_pytree(x)

        def product(v: jax.Array) -> jax.Array:
            return ravel_pytree(hessian_product(energy, x, theta, unravel(v)))[0]

        columns = jax.vmap(product)
        return HessianOperator(lambda v: project(columns(v)), lambda v: project(columns(project(v))), project, _same, _same)

    def packed_project(v: jax.Array) -> jax.Array:
        return stored.pack(project(stored.unpack(v)))

    def exact(v: jax.Array) -> jax.Array:
        return packed_project(stored.product(packed_project(v)))

    def swept(v: jax.Array) -> jax.Array:
        return packed_project(stored.product(v))

    return HessianOperator(swept, exact, packed_project, stored.pack, stored.unpack, stored.lowered().product, preconditioner)


def _same(vectors: Any) -> Any:
    return jnp.asarray(vectors)
