"""Energy between two groups of atoms."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from md_sensitivity.bound import BoundTerm, coefficients
from md_sensitivity.energy import positions_of
from md_sensitivity.errors import UsageError
from md_sensitivity.fields import Field
from md_sensitivity.interactions import total_energy
from md_sensitivity.listed import Listed
from md_sensitivity.minimization import Equilibrium
from md_sensitivity.neighbors import on_device
from md_sensitivity.observables.base import Data, Geometry, Observable, ObservableKind, geometry, system_of
from md_sensitivity.potentials.base import PairForm, Site


def _bind(equilibrium: Equilibrium, asked: Observable) -> Data:
    system = system_of(equilibrium, asked.name)
    a, b = asked.masks(len(system.positions))
    if np.any(a & b):
        raise UsageError(f"observable {asked.name}: atom {int(np.flatnonzero(a & b)[0])} is in both selections; they must share none")
    others = [term.label for term in system.terms if not isinstance(term.form, PairForm)]
    if others:
        raise UsageError(f"observable {asked.name} is for sums over pairs, and {', '.join(others)} is none")
    return on_device({"a": a, "b": b})


def _between(first: Any, second: Any, data: Data) -> jax.Array:
    """Whether one end is in each group; arguments are functions of the flags of atoms."""
    return (first(data["a"]) & second(data["b"])) | (first(data["b"]) & second(data["a"]))


def _neighbors(term: BoundTerm, data: Data) -> BoundTerm:
    """A pair potential between the groups alone."""
    table = term.neighbors
    rows = table.index.shape[0]

    def centers(flags: jax.Array) -> jax.Array:
        return jnp.pad(flags, (0, rows - flags.shape[0]))[:, None]

    def others(flags: jax.Array) -> jax.Array:
        return jnp.concatenate([jnp.pad(flags, (0, rows - flags.shape[0])), flags[table.source]])[table.index]

    own = jnp.arange(rows, dtype=table.index.dtype)[:, None]
    return replace(term, neighbors=replace(table, index=jnp.where(_between(centers, others, data), table.index, own)))


def _pairs(listed: Listed, data: Data) -> Listed:
    """Listed pairs between the groups alone."""
    atoms = listed.tuples.atoms
    crossing = _between(lambda flags: flags[atoms[:, 0]], lambda flags: flags[atoms[:, 1]], data)
    return replace(listed, tuples=replace(listed.tuples, mask=listed.tuples.mask & crossing))


def _of_field(field: Field, here: Geometry, theta: Any, kinds: jax.Array, atoms: jax.Array) -> jax.Array:
    """A sum over all atoms, taken over some [eV]."""
    site = Site(positions=here.positions, cell=here.lattice(field.cell), kinds=kinds, real=atoms)
    return field.form.energy(site, coefficients(field.term, theta), dict(field.term.options), field.setup)


def _evaluate(energy: Any, x: jax.Array, theta: Any, data: Data) -> jax.Array:
    """E of both groups less that of each, without bonded potentials [eV]: for sums over pairs, those between the groups."""
    system = energy.system
    terms = tuple(_neighbors(term, data) for term in system.terms)
    pairs = tuple(_pairs(each, data) for each in system.listed if each.scales is not None)
    here, point = geometry(energy, x), (positions_of(x), energy.strain(x))
    total = total_energy(*point, theta, (*terms, *pairs), system.kinds)
    if any(isinstance(term.form, PairForm) and term.form.self_energy is not None for term in terms):
        nobody = {name: jnp.zeros_like(flags) for name, flags in data.items()}
        total = total - total_energy(*point, theta, tuple(_neighbors(term, nobody) for term in system.terms), system.kinds)
    for field in system.fields:
        for atoms, sign in ((data["a"] | data["b"], 1.0), (data["a"], -1.0), (data["b"], -1.0)):
            total = total + sign * _of_field(field, here, theta, system.kinds, atoms)
    return total


INTERACTION_ENERGY = ObservableKind(
    name="interaction_energy",
    description="nonbonded energy of two groups of atoms together less that of each, at the relaxed geometry",
    unit="eV",
    selections=2,
    evaluate=_evaluate,
    bind=_bind,
)
