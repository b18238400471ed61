"""A structure with interactions assigned, and its energy E(x, θ)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from md_sensitivity.bound import BoundTerm, acting, endless, has_kinks, kink_gaps, range_of
from md_sensitivity.collapse import bottomless, deepest
from md_sensitivity.energy import Bonds, Frame, require_double_precision
from md_sensitivity.fields import Field
from md_sensitivity.interactions import Part, room, total_energy
from md_sensitivity.listed import Listed
from md_sensitivity.local_response import local_response
from md_sensitivity.neighbors import on_device
from md_sensitivity.potentials.base import is_contact
from md_sensitivity.sharding import mesh_of
from md_sensitivity.stiffness import Stiffness, stiffness
from md_sensitivity.stored import StoredHessian, storable, stored_hessian
from md_sensitivity.tables import SKIN, TIGHT_SKIN, narrowed, shared_by, with_neighbors, without_contacts
from md_sensitivity.units import UnitSystem
from md_sensitivity.voigt import determinant

_ROOMY = 0.6
"""Share of the skin that tables must have left to serve for another stage of a minimization."""

Theta = Any


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["positions", "kinds", "cell", "masses", "free", "terms", "listed", "fields", "links", "atoms"],
    meta_fields=["pbc", "dimensions", "species", "units"],
)
@dataclass(frozen=True, kw_only=True)
class System:
    """A structure with interactions assigned: who interacts is integers, how strongly is θ.

    Attributes:
        positions: of the structure, shape=(n, 3) [Å].
        kinds: index into `species` of each atom, shape=(n,).
        cell: rows are lattice vectors, completed where the structure has none, shape=(3, 3) [Å].
        masses: shape=(n,) [amu].
        free: 1 where a coordinate may move, shape=(n, 3).
        terms: the bound potentials between neighbors.
        listed: bonded potentials, and what is left between pairs that are no neighbors.
        fields: sums over all atoms.
        links: which atoms `listed` and `fields` join; None where there are none.
        pbc: periodic axes.
        dimensions: 3, or 2 where z is frozen.
        species: names of the types, or kinds of atoms, present.
        units: of the force field.
        atoms: where the system is padded, how many of the n are atoms: the first ones. The others are frozen, interact with nothing and
            have no mass. None where there is no padding.
    """

    positions: jax.Array
    kinds: jax.Array
    cell: jax.Array
    masses: jax.Array
    free: jax.Array
    terms: tuple[BoundTerm, ...]
    pbc: tuple[bool, bool, bool]
    dimensions: int
    species: tuple[str, ...]
    units: UnitSystem
    listed: tuple[Listed, ...] = ()
    fields: tuple[Field, ...] = ()
    links: Bonds | None = None
    atoms: jax.Array | None = None

    @property
    def parts(self) -> tuple[Part, ...]:
        """All that the energy is a sum of."""
        return (*self.terms, *self.listed, *self.fields)

    @property
    def size(self) -> int:
        """Number of atoms, padding not counted; of a concrete system only."""
        return len(self.positions) if self.atoms is None else int(self.atoms)

    @property
    def mesh(self) -> Mesh | None:
        """The devices that share the neighbor tables; None where one has them."""
        return self.terms[0].neighbors.mesh if self.terms else None


@partial(jax.tree_util.register_dataclass, data_fields=["system"], meta_fields=[])
@dataclass(frozen=True)
class EnergyFunction:
    """E(x, θ) of a system: a callable pytree, and an `md_sensitivity.energy.Energy`.

    Valid while no neighbor can be missing from its tables; beyond that it is NaN, and `updated` makes a valid one.
    """

    system: System

    def __call__(self, x: jax.Array, theta: Theta) -> jax.Array:
        """Energy [eV] at positions x, shape=(n, 3) [Å], with parameters θ in the force field's own units."""
        return total_energy(x, None, theta, self.system.parts, self.system.kinds)

    def strained(self, x: jax.Array, theta: Theta, strain: jax.Array) -> jax.Array:
        """Energy [eV] with all edge vectors deformed by 1 + strain, strain symmetric of shape=(3, 3)."""
        return total_energy(x, strain, theta, self.system.parts, self.system.kinds)

    def strain(self, x: jax.Array) -> None:
        """None: the cell is fixed."""
        return None

    def cell(self, x: jax.Array) -> jax.Array:
        """Lattice vectors at x, as rows, shape=(3, 3) [Å]."""
        return self.system.cell

    def volume(self, x: jax.Array) -> jax.Array:
        """Of the cell [Å³], in two dimensions its area [Å²]; axes that are not periodic count as one Å."""
        return jnp.abs(determinant(self.system.cell))

    def updated(self, x: jax.Array, theta: Theta, strain: jax.Array | None = None) -> Self:
        """The same energy with neighbor tables built at x; where x is traced, the tables keep their width and overflow to NaN.

        Args:
            strain: that all vectors have there, shape=(3, 3); None for none.
        """
        terms = tuple(with_neighbors(self.system, term, x, theta, strain) for term in self.system.terms)
        return replace(self, system=replace(self.system, terms=terms))

    def tightened(self, x: jax.Array, theta: Theta, strain: jax.Array | None = None) -> Self:
        """The same energy with neighbor tables that reach little farther than the interaction at x; x must be concrete.

        Terms whose curvature jumps somewhere keep their wider tables, which say how far away the next jump is.
        """
        terms = [
            term if has_kinks(term) else with_neighbors(self.system, term, x, theta, strain, skin=TIGHT_SKIN, widen=False)
            for term in self.system.terms
        ]
        return replace(self, system=replace(self.system, terms=tuple(terms)))

    def narrowed(self, x: jax.Array, theta: Theta) -> EnergyFunction:
        """The same energy at x alone, which must be concrete: its tables hold the pairs that interact there, and no skin."""
        return narrowed_to(self, self.term_bonds(x, theta))

    def stabilized(self, x: jax.Array, theta: Theta) -> EnergyFunction:
        """The same energy without the contacts of rattlers: recursively, free atoms with fewer than d + 1 contacts."""
        return without_rattlers(self, lambda: self.term_bonds(x, theta))

    def recentered(self, x: jax.Array) -> tuple[Self, jax.Array]:
        """Itself: positions need no reference."""
        return self, x

    def beside(self, other: Self) -> Self:
        """Itself."""
        return self

    def located(self, other: Self, x: jax.Array) -> jax.Array:
        """The same point."""
        return x

    def sharded(self, devices: Sequence[Any] | None = None) -> Self:
        """The same energy with its neighbor tables split over devices, each of which holds the rows of an equal part of the atoms.

        Positions, parameters and all vectors like positions stand on each device. Where a table is too large for one device,
        `build_system(..., devices=...)` splits it from the start. Concrete only.

        Args:
            devices: such as `jax.devices("gpu")[:4]`; default: all that jax computes on in this process.
        """
        mesh = mesh_of(jax.local_devices() if devices is None else devices)
        return replace(self, system=shared_by(self.system, mesh))

    def room(self, x: jax.Array, theta: Theta, strain: jax.Array | None = None) -> jax.Array:
        """How far each atom may move from x before the energy is no longer valid [Å]."""
        return room(x, strain, theta, self.system.terms)

    def roomy(self, x: jax.Array, theta: Theta) -> bool:
        """Whether the tables, at a concrete x, still have the larger part of the skin that new ones would have."""
        for term in self.system.terms:
            reach, radius = float(range_of(term, theta)), float(term.neighbors.radius)
            if np.isinf(radius):
                continue
            if term.neighbors.frame is not None:
                # As in `room_left`: a cell that was deformed, or turned, since the table was built leaves less of it.
                radius *= 1.0 - float(np.linalg.norm(np.linalg.inv(np.asarray(term.neighbors.frame)) - np.eye(3)))
            moved = np.asarray(x) - np.asarray(term.neighbors.reference)
            left = 0.5 * (radius - reach) - float(np.sqrt(np.max(np.sum(moved * moved, axis=1), initial=0.0)))
            if not left > _ROOMY * 0.5 * SKIN * reach:
                return False
        return True

    def mobility(self, x: jax.Array) -> jax.Array:
        """1 where a coordinate is free, shape=(n, 3)."""
        return self.system.free

    def bonds(self, x: jax.Array, theta: Theta) -> tuple[Bonds, ...]:
        """Pairs that interact at x: one table for each term, and one for what the topology joins."""
        found = self.term_bonds(x, theta)
        return found if self.system.links is None else (*found, self.system.links)

    def term_bonds(self, x: jax.Array, theta: Theta) -> tuple[Bonds, ...]:
        """Pairs that interact at x, a table for each term."""
        return _bonds(self.system, x, theta)

    def like(self, other: EnergyFunction) -> EnergyFunction:
        """This energy without the contacts that are removed in `other`, for the same atoms, on the same devices; both concrete."""
        terms = []
        system = self.system if self.system.mesh == other.system.mesh else shared_by(self.system, other.system.mesh)
        for term, model in zip(system.terms, other.system.terms, strict=True):
            removed = np.asarray(model.neighbors.removed)
            host = jax.tree.map(np.asarray, term.neighbors) if np.any(removed) else None
            terms.append(term if host is None else replace(term, neighbors=on_device(without_contacts(host, removed))))
        return replace(self, system=replace(system, terms=tuple(terms)))

    def kink_gaps(self, x: jax.Array, theta: Theta) -> tuple[jax.Array, ...]:
        """For each term that has one: distance of each pair from where its curvature jumps, shape=(rows, e) [Å], negative inside."""
        if not any(has_kinks(term) and not endless(term) for term in self.system.terms):
            return ()  # without a program for nothing
        return _gaps(self.system, x, theta)

    def fallen(self, x: jax.Array, theta: Theta) -> str:
        """Which two atoms are, at a concrete x, behind the maximum of a pair energy that falls to −∞ there; "" where none are."""
        if not any(bottomless(term) for term in self.system.terms) or not np.all(np.isfinite(np.asarray(x))):
            return ""
        fresh = self if self.roomy(x, theta) else self.updated(x, theta)
        pair = deepest(fresh.system.terms, fresh.system.kinds, x, theta)
        if not float(pair.distance) < float(pair.wall):
            return ""
        unit = self.system.units.inner_symbols()[1]
        first, second = (f"{atom} ({self.system.species[self.system.kinds[atom]]})" for atom in sorted((int(pair.first), int(pair.second))))
        return (
            f"atoms {first} and {second} are {float(pair.distance):.4g} {unit} apart, and below {float(pair.wall):.4g} {unit} the energy "
            "of this pair falls to −∞"
        )

    def assembled(self, x: jax.Array, theta: Theta) -> StoredHessian | None:
        """H at x as stored blocks, where all terms are pair potentials or, in `narrowed` energies, have few neighbors."""
        if not storable(self.system.parts):
            return None
        return stored_hessian(self.system.parts, self.system.kinds, self.system.free, x, theta)

    @property
    def stiff(self) -> bool:
        """Whether atoms are bonded; bonds are a thousand times stiffer than what else holds molecules."""
        return self.system.mesh is None and any(listed.scales is None for listed in self.system.listed)

    def stiffness(self, x: jax.Array, theta: Theta) -> Stiffness | None:
        """An approximation of H⁻¹ for molecules; None where nothing is bonded, or curvatures are not finite."""
        return stiffness(self.system, x, theta) if self.stiff else None

    def local_response(self, x: jax.Array, theta: Theta) -> Stiffness | None:
        """An approximation of H⁻¹ for molecules near a minimum; None where nothing is bonded."""
        return local_response(self.system, x, theta) if self.stiff else None

    def frame(self, x: jax.Array) -> Frame:
        """Cell and free coordinates, for rigid motions."""
        return Frame(x, self.system.cell, self.system.free, self.system.atoms, self.system.pbc)


def narrowed_to(energy: EnergyFunction, bonds: tuple[Bonds, ...]) -> EnergyFunction:
    """The energy with tables that hold the given pairs of each term alone."""
    pairs = zip(energy.system.terms, bonds, strict=True)
    terms = tuple(replace(term, neighbors=narrowed(term.neighbors, bond.acting)) for term, bond in pairs)
    return replace(energy, system=replace(energy.system, terms=terms))


def without_rattlers(energy: EnergyFunction, bonds: Callable[[], tuple[Bonds, ...]]) -> EnergyFunction:
    """The energy without the contacts of rattlers; itself, with the pairs of each term unasked for, where it has none."""
    system = energy.system
    if system.links is not None or not all(is_contact(term.form) for term in system.terms):
        return energy
    held = _held(bonds(), jnp.any(system.free > 0, axis=1), system.dimensions)
    terms = (replace(term, neighbors=without_contacts(term.neighbors, ~held)) for term in system.terms)
    return replace(energy, system=replace(system, terms=tuple(terms)))


@jax.jit
def _bonds(system: System, x: jax.Array, theta: Theta) -> tuple[Bonds, ...]:
    found = []
    for term in system.terms:
        table = term.neighbors
        found.append(Bonds(table.index, table.source, table.image, acting(term, x, system.kinds, theta)))
    return tuple(found)


@jax.jit
def _gaps(system: System, x: jax.Array, theta: Theta) -> tuple[jax.Array, ...]:
    return tuple(gap for term in system.terms for gap in kink_gaps(term, x, system.kinds, theta))


@partial(jax.jit, static_argnames="dimensions")
def _held(bonds: tuple[Bonds, ...], mobile: jax.Array, dimensions: int) -> jax.Array:
    """Atoms that are frozen or have at least d + 1 contacts with held atoms, shape=(n,)."""
    size = mobile.shape[0]

    def contacts(bond: Bonds, held: jax.Array) -> jax.Array:
        rows = jnp.pad(held, (0, bond.index.shape[0] - size))
        there = jnp.concatenate([rows, held[bond.source]])[bond.index]
        return jnp.sum(bond.acting & there, axis=1)[:size]

    def count(held: jax.Array) -> jax.Array:
        return held & (~mobile | (sum(contacts(bond, held) for bond in bonds) >= dimensions + 1))

    start = jnp.ones(mobile.shape, dtype=bool)
    return jax.lax.while_loop(lambda s: jnp.any(s[0] != s[1]), lambda s: (s[1], count(s[1])), (start, count(start)))[1]


def energy_function(system: System) -> EnergyFunction:
    """E(x, θ) of the system; positions x of shape=(n, 3) [Å], θ the tree `force_field.parameters`, value in eV.

    Raises:
        PrecisionError: where JAX works in single precision.
    """
    require_double_precision()
    return EnergyFunction(system)
