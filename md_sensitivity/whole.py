"""Energies of forms that see all atoms at once, and their first derivatives, by automatic differentiation as they stand.

Positions, cell and neighbors are strained together, so that stresses are right whichever of them the form reads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from md_sensitivity.blocks import take
from md_sensitivity.errors import UsageError
from md_sensitivity.potentials.base import Coefficients, Neighbors, WholeForm

if TYPE_CHECKING:
    from md_sensitivity.interactions import BoundTerm


def whole_energy(
    term: BoundTerm, form: WholeForm, table: Coefficients, kinds: jax.Array, x: jax.Array, strain: jax.Array | None
) -> jax.Array:
    """Energy of all atoms [eV]."""
    return _at(term, form, table, kinds, _deformed(x, strain), strain)


def whole_gradient(
    term: BoundTerm, form: WholeForm, table: Coefficients, kinds: jax.Array, x: jax.Array, strain: jax.Array | None
) -> tuple[jax.Array, jax.Array]:
    """Energy [eV], and ∂E/∂x of each atom with respect to strained positions, shape=(n, 3) [eV/Å]."""
    return jax.value_and_grad(lambda y: _at(term, form, table, kinds, y, strain))(_deformed(x, strain))


def whole_strain(
    term: BoundTerm, form: WholeForm, table: Coefficients, kinds: jax.Array, x: jax.Array, strain: jax.Array | None
) -> jax.Array:
    """∂E/∂strain, shape=(3, 3) [eV]."""
    start = jnp.zeros((3, 3)) if strain is None else strain
    return jax.grad(lambda e: whole_energy(term, form, table, kinds, x, e))(start)


def _deformed(vectors: jax.Array, strain: jax.Array | None) -> jax.Array:
    return vectors if strain is None else vectors + vectors @ strain.T


def _at(
    term: BoundTerm, form: WholeForm, table: Coefficients, kinds: jax.Array, y: jax.Array, strain: jax.Array | None
) -> jax.Array:
    """Energy at strained positions y, shape=(n, 3) [Å]."""
    neighbors, count = term.neighbors, y.shape[0]
    if neighbors.mesh is not None:
        raise UsageError(f"potential {term.label}: a model of all atoms at once runs on one device; give it as one of atomic energies")
    assert term.cell is not None
    rows = neighbors.index.shape[0]
    entry = neighbors.index[:count]  # other rows only pad the table
    index = take(neighbors.atoms, entry)
    shift = jnp.concatenate([jnp.zeros((rows, 3)), _deformed(neighbors.shift, strain)])
    vectors = take(y, index) - y[:, None] + take(shift, entry)
    # The table reaches beyond the cutoff, which does not move with the strain of a derivative.
    reach = form.pair_range(table, dict(term.options))[kinds[:, None], kinds[index]]
    mask = neighbors.mask[:count] & (jnp.sum(vectors * vectors, axis=-1) < reach**2)
    safe = jnp.where(mask[..., None], vectors, jnp.array([1.0, 0.0, 0.0]))
    own = jnp.arange(count, dtype=index.dtype)[:, None]
    seen = Neighbors(vectors=safe, mask=mask, species=kinds[index], atom=jnp.where(mask, index, own))
    return form.energy(y, kinds, _deformed(term.cell, strain), seen, table)
