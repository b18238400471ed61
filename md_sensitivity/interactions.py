"""Terms bound to a structure, and the one rule by which all of them are differentiated.

Each form is a function of edge vectors r_ij = x_j − x_i + image. The energy carries a custom derivative rule: its gradient with
respect to positions is *gathered* over the full neighbor table (for pair and embedded forms −2 Σ_j g_ij; for many-body forms
Σ_j (g_ji − g_ij) through the table of opposite entries), where g is the gradient with respect to edges, which is local. Hessian
products and mixed derivatives are derivatives of that gather and hold no scatter. Strain derivatives are Σ g ⊗ r. The sums themselves
are in `kernels.py`, those over listed tuples of atoms in `listed.py`. Forms of all atoms at once are differentiated as they stand
(`whole.py`, `fields.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero

from md_sensitivity.blocks import laid_out
from md_sensitivity.bound import BoundTerm, coefficients, range_of, tables
from md_sensitivity.fields import Field, field_energy, field_gradient, field_gradients
from md_sensitivity.kernels import (
    Gradients,
    atoms_of,
    embedded_energy,
    embedded_gradient,
    embedded_gradients,
    many_body_energy,
    many_body_gradient,
    many_body_gradients,
    pair_energy,
    pair_gradient,
    pair_gradients,
)
from md_sensitivity.listed import Listed, listed_energy, listed_gradient, listed_gradients
from md_sensitivity.neighbors import room_left
from md_sensitivity.potentials.base import EmbeddedForm, ManyBodyForm, PairForm, WholeForm
from md_sensitivity.whole import whole_energy, whole_gradient, whole_gradients

Theta = Any
Part = BoundTerm | Listed | Field
"""What an energy is a sum of."""


class _Kernels(NamedTuple):
    """What a kind of part contributes.

    Each function takes (term, what its form reads of θ, rows, space) of a potential between neighbors, else (part, x, strain, θ, kinds).

    Attributes:
        energy: → energy [eV].
        gradient: → energy and ∂E/∂x of each row (or atom) with respect to strained edges, shape=(rows, 3) [eV/Å].
        gradients: → the same, and ∂E/∂strain, shape=(3, 3) [eV].
    """

    energy: Callable[..., jax.Array]
    gradient: Callable[..., tuple[jax.Array, jax.Array]]
    gradients: Callable[..., Gradients]


_KERNELS: dict[type, _Kernels] = {
    PairForm: _Kernels(pair_energy, pair_gradient, pair_gradients),
    EmbeddedForm: _Kernels(embedded_energy, embedded_gradient, embedded_gradients),
    ManyBodyForm: _Kernels(many_body_energy, many_body_gradient, many_body_gradients),
    WholeForm: _Kernels(whole_energy, whole_gradient, whole_gradients),
    Listed: _Kernels(listed_energy, listed_gradient, listed_gradients),
    Field: _Kernels(field_energy, field_gradient, field_gradients),
}


def _laid(
    parts: tuple[Part, ...], x: jax.Array, strain: jax.Array | None, theta: Theta, kinds: jax.Array
) -> Iterator[tuple[_Kernels, tuple[Any, ...]]]:
    """The kernels of each part, with what they take."""
    for part in parts:
        if isinstance(part, BoundTerm):
            rows, space = laid_out(part.neighbors, kinds, x, strain)
            yield _KERNELS[type(part.form)], (part, tables(part, theta), rows, space)
        else:
            yield _KERNELS[type(part)], (part, x, strain, theta, kinds)


# Jitted functions within traced code are traced once, and their derivatives are derived once, however many programs use them.
@jax.jit
def _raw_energy(x: jax.Array, strain: jax.Array | None, theta: Theta, parts: tuple[Part, ...], kinds: jax.Array) -> jax.Array:
    energies = (kernels.energy(*given) for kernels, given in _laid(parts, x, strain, theta, kinds))
    return sum(energies, start=_validity(x, strain, theta, parts) + _self_energies(parts, theta, kinds))


def _self_energies(parts: tuple[Part, ...], theta: Theta, kinds: jax.Array) -> jax.Array:
    """Energy of the atoms by themselves [eV], which is felt by derivatives with respect to θ only."""
    total = jnp.zeros(())
    for term in parts:
        if isinstance(term, BoundTerm) and isinstance(term.form, PairForm) and term.form.self_energy is not None:
            of_types = term.form.self_energy(coefficients(term, theta), dict(term.options))
            total = total + jnp.sum(jnp.where(atoms_of(term, jnp.arange(kinds.shape[0]), kinds), of_types[kinds], 0.0))
    return total


def _validity(x: jax.Array, strain: jax.Array | None, theta: Theta, parts: tuple[Part, ...]) -> jax.Array:
    """Zero where every table is complete at x, strain and θ, else NaN."""
    terms = tuple(part for part in parts if isinstance(part, BoundTerm))
    return jnp.where(jax.lax.stop_gradient(room(x, strain, theta, terms)) >= 0, 0.0, jnp.nan)


@jax.jit
def room(x: jax.Array, strain: jax.Array | None, theta: Theta, terms: tuple[BoundTerm, ...]) -> jax.Array:
    """How far each atom may still move before a neighbor could be missing from a table [Å]."""
    least = jnp.asarray(jnp.inf)
    for term in terms:
        reach = jnp.where(jnp.isinf(term.neighbors.radius), 0.0, range_of(term, theta))
        least = jnp.minimum(least, room_left(term.neighbors, x, strain, reach))
    return least


@jax.jit
def energy_and_gradient(
    x: jax.Array, strain: jax.Array | None, theta: Theta, parts: tuple[Part, ...], kinds: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """E [eV] and ∂E/∂x, shape=(n, 3) [eV/Å], at the given strain, in one pass over the neighbors."""
    valid = _validity(x, strain, theta, parts)
    energy, by_position = valid + _self_energies(parts, theta, kinds), jnp.zeros_like(x) + valid
    for kernels, given in _laid(parts, x, strain, theta, kinds):
        own, gradient = kernels.gradient(*given)
        energy, by_position = energy + own, by_position + gradient[: x.shape[0]]
    if strain is not None:
        by_position = by_position @ (jnp.eye(3) + strain)
    return energy, by_position


@jax.jit
def energy_and_gradients(
    x: jax.Array, strain: jax.Array, theta: Theta, parts: tuple[Part, ...], kinds: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The same, and ∂E/∂strain, shape=(3, 3) [eV]."""
    valid = _validity(x, strain, theta, parts)
    energy, by_position, by_strain = valid + _self_energies(parts, theta, kinds), jnp.zeros_like(x) + valid, jnp.zeros((3, 3)) + valid
    for kernels, given in _laid(parts, x, strain, theta, kinds):
        own, gradient, deformed = kernels.gradients(*given)
        energy, by_position, by_strain = energy + own, by_position + gradient[: x.shape[0]], by_strain + deformed
    return energy, by_position @ (jnp.eye(3) + strain), by_strain


@jax.custom_jvp
def total_energy(
    x: jax.Array, strain: jax.Array | None, theta: Theta, parts: tuple[Part, ...], kinds: jax.Array
) -> jax.Array:
    """Energy of all parts [eV], whose gradient *is* the gathered one; NaN where a table may be incomplete.

    Args:
        x: positions, shape=(n, 3) [Å].
        strain: shape=(3, 3), or None for no strain.
        theta: parameters in the file's own units.
        parts, kinds: constants; derivatives with respect to their floats are not taken.
    """
    return _raw_energy(x, strain, theta, parts, kinds)


@partial(total_energy.defjvp, symbolic_zeros=True)
def _total_energy_jvp(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[jax.Array, jax.Array]:
    x, strain, theta, parts, kinds = primals
    x_dot, strain_dot, theta_dot, _, _ = tangents
    if strain is not None and not isinstance(strain_dot, SymbolicZero):
        energy, by_position, by_strain = energy_and_gradients(x, strain, theta, parts, kinds)
        tangent = jnp.sum(by_strain * strain_dot)
        if not isinstance(x_dot, SymbolicZero):
            tangent = tangent + jnp.sum(by_position * x_dot)
    elif isinstance(x_dot, SymbolicZero):
        energy = total_energy(x, strain, theta, parts, kinds)
        tangent = jnp.zeros_like(energy)
    else:
        energy, by_position = energy_and_gradient(x, strain, theta, parts, kinds)
        tangent = jnp.sum(by_position * x_dot)
    direction = direction_of(theta, theta_dot)
    if direction is not None:
        tangent = tangent + jax.jvp(lambda t: _raw_energy(x, strain, t, parts, kinds), (theta,), (direction,))[1]
    return energy, tangent


def direction_of(theta: Theta, tangents: Theta) -> Theta | None:
    """Tangents that a derivative rule with symbolic zeros was given, as a tree like θ; None where all are zero."""
    leaves, tree = jax.tree.flatten(theta)
    dots = jax.tree.leaves(tangents, is_leaf=lambda leaf: isinstance(leaf, SymbolicZero))
    if all(isinstance(dot, SymbolicZero) for dot in dots):
        return None
    dense = (jnp.zeros_like(leaf) if isinstance(dot, SymbolicZero) else dot for leaf, dot in zip(leaves, dots, strict=True))
    return jax.tree.unflatten(tree, dense)
