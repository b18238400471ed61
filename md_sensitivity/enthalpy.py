"""H(x, θ) = E + PV, where x is positions and the strain of the cell: the cell as one more leaf of x.

A point is `Deformed(positions, strain)`: positions in a reference cell, and amounts of strain in a basis of symmetric strains, times a
length. All vectors between atoms, and lattice vectors, are deformed by 1 + ε. That length makes stiffnesses of both leaves alike: H
along a coordinate of an atom is about C·v^(1/3), C an elastic constant and v the volume of an atom, and along a strain C·n·v, so that
√n · v^(1/3) balances them.

All else that the mathematics needs to know of an energy follows from the energy at the geometry that a point stands for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from md_sensitivity.cells import FULL, extent, in_cell, strain_basis, with_frames
from md_sensitivity.energy import Bonds, Deformed, Frame, require_double_precision
from md_sensitivity.errors import UsageError
from md_sensitivity.neighbors import on_device
from md_sensitivity.stored.bordered import BorderedHessian, BorderedMetric, bordered_hessian, bordered_metric
from md_sensitivity.system import EnergyFunction, System, narrowed_to, without_rattlers
from md_sensitivity.units import NEWTON_PER_METER
from md_sensitivity.voigt import determinant

Theta = Any
_SMALLEST = 0.1
"""Volume, as a share of the reference, below which nothing is computed."""


@partial(
    jax.tree_util.register_dataclass, data_fields=["energy", "basis", "length", "pressure", "origin"], meta_fields=[]
)
@dataclass(frozen=True, kw_only=True)
class EnthalpyFunction:
    """H(x, θ) of a system whose cell relaxes: a callable pytree, and an `md_sensitivity.energy.Energy`.

    Attributes:
        energy: E of the reference cell, `energy.system.cell`.
        basis: orthonormal symmetric strains, shape=(k, 3, 3).
        length: by which amounts of strain are multiplied, to be coordinates [Å].
        pressure: [eV/Å³], in two dimensions [eV/Å²].
        origin: the cell of the input; cells are turned such that the deformation from there is symmetric.
    """

    energy: EnergyFunction
    basis: jax.Array
    length: jax.Array
    pressure: jax.Array
    origin: jax.Array

    @property
    def system(self) -> System:
        """The system in its reference cell."""
        return self.energy.system

    @property
    def force_of_stress(self) -> float:
        """Gradient along a coordinate of strain [eV/Å] that a stress of one unit of reports (GPa, N/m, reduced) makes."""
        return extent(self.system) / pressure_unit(self.system) / float(self.length)

    @property
    def start(self) -> Deformed:
        """The geometry of the structure, without strain."""
        return Deformed(self.system.positions, jnp.zeros(self.basis.shape[0]))

    def strain(self, x: Deformed) -> jax.Array:
        """ε, symmetric, shape=(3, 3)."""
        return jnp.tensordot(x.strain / self.length, self.basis, axes=1)

    def cell(self, x: Deformed) -> jax.Array:
        """Lattice vectors at x, as rows, shape=(3, 3) [Å]."""
        cell = self.system.cell
        return cell + cell @ self.strain(x)

    def positions(self, x: Deformed) -> jax.Array:
        """Where the atoms are at x, shape=(n, 3) [Å]."""
        return x.positions + x.positions @ self.strain(x)

    def __call__(self, x: Deformed, theta: Theta) -> jax.Array:
        """Enthalpy [eV] at positions and strain x, with parameters θ in the force field's own units."""
        strain = self.strain(x)
        scale = determinant(jnp.eye(3) + strain)
        # A cell that would shrink to nothing within one stage of a minimization is refused, before it turns inside out.
        shrunk = jnp.where(jax.lax.stop_gradient(scale) > _SMALLEST, 0.0, jnp.nan)
        return self.energy.strained(x.positions, theta, strain) + self.pressure * self._reference_volume() * scale + shrunk

    def _reference_volume(self) -> jax.Array:
        return jnp.abs(determinant(self.system.cell))

    def volume(self, x: Deformed) -> jax.Array:
        """Of the cell at x [Å³], in two dimensions its area [Å²]; axes that are not periodic count as one Å."""
        return self._reference_volume() * determinant(jnp.eye(3) + self.strain(x))

    def strained(self, x: Deformed, theta: Theta, strain: jax.Array | None) -> jax.Array:
        """Energy [eV], without PV, of the geometry at x deformed once more by 1 + strain."""
        here = self.strain(x)
        both = here if strain is None else here + strain + strain @ here
        return self.energy.strained(x.positions, theta, both)

    def updated(self, x: Deformed, theta: Theta) -> Self:
        """The same enthalpy with neighbor tables built at x."""
        return replace(self, energy=self.energy.updated(x.positions, theta, self.strain(x)))

    def tightened(self, x: Deformed, theta: Theta) -> Self:
        """The same with neighbor tables that reach little farther than the interaction at x; x must be concrete."""
        return replace(self, energy=self.energy.tightened(x.positions, theta, self.strain(x)))

    def narrowed(self, x: Deformed, theta: Theta) -> Self:
        """The same at x alone: its tables hold the pairs that interact there."""
        here, positions = self.placed(x)
        return replace(self, energy=narrowed_to(self.energy, here.term_bonds(positions, theta)))

    def stabilized(self, x: Deformed, theta: Theta) -> Self:
        """The same without the contacts of rattlers."""
        here, positions = self.placed(x)
        return replace(self, energy=without_rattlers(self.energy, lambda: here.term_bonds(positions, theta)))

    def placed(self, x: Deformed) -> tuple[EnergyFunction, jax.Array]:
        """E in the cell at x, and where the atoms are there."""
        return replace(self.energy, system=in_cell(self.system, self.cell(x))), self.positions(x)

    def recentered(self, x: Deformed) -> tuple[Self, Deformed]:
        """The same enthalpy with the cell at a concrete x as its reference, and x there, without strain.

        All is turned such that the deformation of the input's cell, as a whole, is symmetric: strains do not add up to rotations.
        """
        if not np.any(np.asarray(x.strain)):
            return self, x
        cell, positions = np.asarray(self.cell(x)), np.asarray(self.positions(x))
        turn = _turn_back(np.asarray(self.origin), cell)
        system = in_cell(self.system, on_device(cell @ turn))
        there = Deformed(*on_device((positions @ turn, np.zeros(x.strain.shape))))
        return replace(self, energy=EnergyFunction(system)), there

    def room(self, x: Deformed, theta: Theta) -> jax.Array:
        """How far each atom, and each coordinate of strain, may move before the enthalpy is no longer valid [Å]."""
        reaches = [term.neighbors.radius for term in self.system.terms]
        left = self.energy.room(x.positions, theta, self.strain(x))
        if not reaches:
            return left
        # A move δ of the coordinates of strain deforms what is near the end of a table by at most so much.
        by_strain = 0.5 * jnp.max(jnp.stack(reaches)) * jnp.sqrt(self.basis.shape[0] / 3.0) / self.length
        return left / (1.0 + by_strain)

    def roomy(self, x: Deformed, theta: Theta) -> bool:
        """Whether the tables, at a concrete x, still have the larger part of the skin that new ones would have."""
        here, positions = self.placed(x)
        return here.roomy(positions, theta)

    def mobility(self, x: Deformed) -> Deformed:
        """1 where a coordinate is free; strains all are."""
        return Deformed(self.system.free, jnp.ones(self.basis.shape[0]))

    def bonds(self, x: Deformed, theta: Theta) -> tuple[Bonds, ...]:
        """Pairs that interact at x."""
        here, positions = self.placed(x)
        return here.bonds(positions, theta)

    def of(self, system: System) -> EnthalpyFunction:
        """The enthalpy of another system, such as the same structure with other parameters, with the same coordinates of strain."""
        return replace(self, energy=EnergyFunction(with_frames(system)))

    def beside(self, other: Self) -> Self:
        """This enthalpy in the reference cell of another, of the same atoms."""
        return replace(other, energy=EnergyFunction(in_cell(self.system, other.system.cell)))

    def located(self, other: Self, x: Deformed) -> Deformed:
        """A concrete point of another reference cell in coordinates of this one, turned as the strain of this one wants it."""
        cell, positions = np.asarray(other.cell(x)), np.asarray(other.positions(x))
        turn = _turn_back(np.asarray(self.system.cell), cell)
        stretch = np.linalg.solve(np.asarray(self.system.cell), cell @ turn)
        amounts = float(self.length) * np.tensordot(np.asarray(self.basis), stretch - np.eye(3), axes=2)
        return Deformed(*on_device((np.linalg.solve(stretch, (positions @ turn).T).T, amounts)))

    def like(self, other: EnthalpyFunction) -> EnthalpyFunction:
        """The same, without the contacts that are removed there."""
        return replace(other, energy=self.beside(other).energy.like(other.energy))

    def kink_gaps(self, x: Deformed, theta: Theta) -> tuple[jax.Array, ...]:
        """Distances of pairs from where their curvature jumps, negative inside [Å]."""
        here, positions = self.placed(x)
        return here.kink_gaps(positions, theta)

    def fallen(self, x: Deformed, theta: Theta) -> str:
        """Which two atoms are, at a concrete x, behind the maximum of a pair energy that falls to −∞ there; "" where none are."""
        here, positions = self.placed(x)
        return here.fallen(positions, theta)

    def assembled(self, x: Deformed, theta: Theta) -> BorderedHessian | None:
        """H at x: stored blocks of the atoms, bordered by the rows of the strains."""
        here, positions = self.placed(x)
        return bordered_hessian(here.assembled(positions, theta), self, x, theta)

    @property
    def stiff(self) -> bool:
        """Whether atoms are bonded."""
        return self.energy.stiff

    def stiffness(self, x: Deformed, theta: Theta) -> BorderedMetric | None:
        """An approximation of H⁻¹ for molecules; None where nothing is bonded."""
        here, positions = self.placed(x)
        return bordered_metric(here.stiffness(positions, theta), self, x, theta)

    def local_response(self, x: Deformed, theta: Theta) -> BorderedMetric | None:
        """An approximation of H⁻¹ for molecules near a minimum; None where nothing is bonded."""
        here, positions = self.placed(x)
        return bordered_metric(here.local_response(positions, theta), self, x, theta)

    def frame(self, x: Deformed) -> Frame:
        """The space of rigid motions at x."""
        here, positions = self.placed(x)
        return here.frame(positions)


def enthalpy_function(system: System, *, relax: str = FULL, pressure: float = 0.0) -> EnthalpyFunction:
    """H(x, θ) of a system whose cell relaxes with its atoms; minimize it from its `start`.

    Args:
        relax: "full" for all strains of the periodic axes, "isotropic" for one that keeps the shape.
        pressure: positive in compression [GPa; N/m in two dimensions; reduced units: as is].

    Raises:
        UsageError: where no axis is periodic, or a pressure is asked of a structure that is open along some axis.
        PrecisionError: where JAX works in single precision.
    """
    require_double_precision()
    if not np.isfinite(pressure):
        raise UsageError(f"a pressure must be a finite number, not {pressure}")
    if pressure and not all(system.pbc[: system.dimensions]):
        raise UsageError(f"a pressure is that of a structure with {system.dimensions} periodic axes, not of slabs and wires; leave it out")
    volume = extent(system)
    length = np.sqrt(system.size) * (volume / system.size) ** (1.0 / system.dimensions)
    basis = strain_basis(system, relax)
    values = on_device((basis, np.float64(length), np.float64(pressure / pressure_unit(system)), np.asarray(system.cell)))
    return EnthalpyFunction(
        energy=EnergyFunction(with_frames(system)), basis=values[0], length=values[1], pressure=values[2], origin=values[3]
    )


def _turn_back(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """The rotation, multiplied from the right, after which lattice vectors come from those before by a symmetric deformation."""
    left, _, right = np.linalg.svd(np.linalg.solve(before, after))
    return np.asarray(right.T @ left.T)


def pressure_unit(system: System) -> float:
    """One eV/Å³, in two dimensions one eV/Å², in the unit of reports."""
    return 1.0 if system.units.reduced else NEWTON_PER_METER if system.dimensions == 2 else system.units.pressure


def pressure_symbol(system: System) -> str:
    """The unit of pressures in reports."""
    return "reduced" if system.units.reduced else "N/m" if system.dimensions == 2 else "GPa"
