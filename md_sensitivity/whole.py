"""Energies of forms that see all atoms at once, and their first derivatives, by automatic differentiation as they stand.

Positions, cell and neighbors are strained together, so that stresses are right whichever of them the form reads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from md_sensitivity.blocks import Block, Space, take
from md_sensitivity.errors import UsageError
from md_sensitivity.potentials.base import Coefficients, Neighbors, WholeForm

if TYPE_CHECKING:
    from md_sensitivity.bound import BoundTerm


def whole_energy(term: BoundTerm, table: Coefficients, rows: Block, space: Space) -> jax.Array:
    """Energy of all atoms [eV]."""
    return _at(term, table, rows, _deformed(_positions(term, rows), space.strain), space.strain)


def whole_gradient(term: BoundTerm, table: Coefficients, rows: Block, space: Space) -> tuple[jax.Array, jax.Array]:
    """Energy [eV], and ∂E/∂x of each atom with respect to strained positions, shape=(n, 3) [eV/Å]."""
    return jax.value_and_grad(lambda y: _at(term, table, rows, y, space.strain))(_deformed(_positions(term, rows), space.strain))


def whole_gradients(
    term: BoundTerm, table: Coefficients, rows: Block, space: Space
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The same, and ∂E/∂strain, shape=(3, 3) [eV]."""
    x = _positions(term, rows)
    y = _deformed(x, space.strain)
    energy, (by_position, by_strain) = jax.value_and_grad(lambda y, s: _at(term, table, rows, y, s), argnums=(0, 1))(y, space.strain)
    # Positions are deformed with the cell: y = (1 + ε) x.
    return energy, by_position, by_strain + by_position.T @ x


def _positions(term: BoundTerm, rows: Block) -> jax.Array:
    """Positions of the atoms, without rows that only pad the table, shape=(n, 3) [Å]."""
    return jnp.stack(rows.center, axis=1)[: term.neighbors.reference.shape[0]]


def _deformed(vectors: jax.Array, strain: jax.Array | None) -> jax.Array:
    return vectors if strain is None else vectors + vectors @ strain.T


def _at(term: BoundTerm, table: Coefficients, rows: Block, y: jax.Array, strain: jax.Array | None) -> jax.Array:
    """Energy at strained positions y, shape=(n, 3) [Å]."""
    form, neighbors, count = term.form, term.neighbors, y.shape[0]
    assert isinstance(form, WholeForm)
    if neighbors.mesh is not None:
        raise UsageError(f"potential {term.label}: a model of all atoms at once runs on one device; give it as one of atomic energies")
    assert term.cell is not None
    kinds, entry = rows.kind[:count], rows.index[:count]  # other rows only pad the table
    index = take(neighbors.atoms, entry)
    shift = jnp.concatenate([jnp.zeros((len(rows.index), 3)), _deformed(neighbors.shift, strain)])
    vectors = take(y, index) - y[:, None] + take(shift, entry)
    # The table reaches beyond the cutoff, which does not move with the strain of a derivative.
    reach = form.pair_range(table, dict(term.options))[kinds[:, None], kinds[index]]
    mask = neighbors.mask[:count] & (jnp.sum(vectors * vectors, axis=-1) < reach**2)
    safe = jnp.where(mask[..., None], vectors, jnp.array([1.0, 0.0, 0.0]))
    own = jnp.arange(count, dtype=index.dtype)[:, None]
    seen = Neighbors(vectors=safe, mask=mask, species=kinds[index], atom=jnp.where(mask, index, own))
    return form.energy(y, kinds, _deformed(term.cell, strain), seen, table)
