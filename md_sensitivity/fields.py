"""Sums over all atoms without neighbors, such as the long-range part of Coulomb's law, differentiated automatically as they stand."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from md_sensitivity.bound import BoundTerm, coefficients
from md_sensitivity.potentials.base import FieldForm, Products, Site

Theta = Any


@partial(jax.tree_util.register_dataclass, data_fields=["term", "cell", "setup"], meta_fields=["form"])
@dataclass(frozen=True, kw_only=True)
class Field:
    """A sum over all atoms of one structure.

    Attributes:
        form: the term's own form, or the field of its pair form.
        term: without neighbors.
        cell: rows are lattice vectors, shape=(3, 3) [Å].
        setup: arrays that were fixed when the system was built.
    """

    form: FieldForm
    term: BoundTerm
    cell: Any
    setup: dict[str, Any]


def field_energy(field: Field, x: jax.Array, strain: jax.Array | None, theta: Theta, kinds: jax.Array) -> jax.Array:
    """Energy [eV]."""
    return _at(field, _deformed(x, strain), strain, theta, kinds)


def field_gradient(
    field: Field, x: jax.Array, strain: jax.Array | None, theta: Theta, kinds: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Energy [eV], and ∂E/∂x with respect to strained positions, shape=(n, 3) [eV/Å]."""
    return jax.value_and_grad(lambda y: _at(field, y, strain, theta, kinds))(_deformed(x, strain))


def field_gradients(
    field: Field, x: jax.Array, strain: jax.Array, theta: Theta, kinds: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The same, and ∂E/∂strain, shape=(3, 3) [eV]."""
    y = _deformed(x, strain)
    energy, (by_position, by_strain) = jax.value_and_grad(lambda y, s: _at(field, y, s, theta, kinds), argnums=(0, 1))(y, strain)
    # Positions are deformed with the cell: y = (1 + ε) x.
    return energy, by_position, by_strain + by_position.T @ x


def _deformed(vectors: jax.Array, strain: jax.Array | None) -> jax.Array:
    return vectors if strain is None else vectors + vectors @ strain.T


def field_products(field: Field, x: jax.Array, theta: Theta, kinds: jax.Array) -> Products | None:
    """How to multiply with the second derivatives at x, shape=(n, 3) [Å]; None where the form does not say."""
    return None if field.form.products is None else field.form.products(*_arguments(field, x, None, theta, kinds))


def _at(field: Field, y: jax.Array, strain: jax.Array | None, theta: Theta, kinds: jax.Array) -> jax.Array:
    return field.form.energy(*_arguments(field, y, strain, theta, kinds))


def _arguments(
    field: Field, y: jax.Array, strain: jax.Array | None, theta: Theta, kinds: jax.Array
) -> tuple[Site, dict[str, jax.Array], dict[str, Any], dict[str, Any]]:
    """What the functions of a form take, at strained positions."""
    real = jnp.arange(len(y)) < field.term.atoms
    site = Site(positions=y, cell=_deformed(field.cell, strain), kinds=kinds, real=real)
    return site, coefficients(field.term, theta), dict(field.term.options), field.setup
