"""Observables of the cell: volume, density, lattice parameters, enthalpy."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from md_sensitivity.enthalpy import EnthalpyFunction
from md_sensitivity.errors import UsageError
from md_sensitivity.minimization import Equilibrium
from md_sensitivity.neighbors import on_device
from md_sensitivity.observables.base import Data, Observable, ObservableKind, system_of
from md_sensitivity.observables.stress import strained_along
from md_sensitivity.system import System
from md_sensitivity.units import GRAM_PER_CUBIC_CENTIMETER


def _bind(equilibrium: Equilibrium, asked: Observable) -> Data:
    """Refuses what has no volume."""
    system = system_of(equilibrium, asked.name)
    if not all(system.pbc) or system.dimensions != 3:
        raise UsageError(f"observable {asked.name} is offered where all three axes are periodic")
    return {}


def _volume(energy: Any, x: Any, theta: Any, data: Data) -> jax.Array:
    return energy.volume(x)


def _bind_density(equilibrium: Equilibrium, asked: Observable) -> Data:
    system = system_of(equilibrium, asked.name)
    unit = 1.0 if system.units.reduced else GRAM_PER_CUBIC_CENTIMETER
    return {**_bind(equilibrium, asked), **on_device({"mass": np.float64(unit * np.sum(np.asarray(system.masses)))})}


def _density(energy: Any, x: Any, theta: Any, data: Data) -> jax.Array:
    return data["mass"] / energy.volume(x)


def _bind_lattice(equilibrium: Equilibrium, asked: Observable) -> Data:
    """Refuses what has fewer than two lattice vectors, or others than the first two."""
    if _is_plane(system_of(equilibrium, asked.name)):
        return {}
    return _bind(equilibrium, asked)


def _is_plane(system: System) -> bool:
    return all(system.pbc[:2]) and (system.dimensions == 2 or not system.pbc[2])


def _lattice(energy: Any, x: Any, theta: Any, data: Data) -> jax.Array:
    """a, b, c and α, β, γ, the angles between b and c, a and c, a and b; of a plane a, b and γ."""
    cell, plane = energy.cell(x), _is_plane(energy.system)
    lengths = jnp.sqrt(jnp.sum(cell * cell, axis=1))[: 2 if plane else 3]
    angles = []
    for first, second in ((0, 1),) if plane else ((1, 2), (0, 2), (0, 1)):
        cross = jnp.cross(cell[first], cell[second])
        angles.append(jnp.degrees(jnp.arctan2(jnp.sqrt(jnp.sum(cross * cross)), jnp.dot(cell[first], cell[second]))))
    return jnp.concatenate([lengths, jnp.stack(angles)])


def _bind_enthalpy(equilibrium: Equilibrium, asked: Observable) -> Data:
    system = system_of(equilibrium, asked.name)
    d = system.dimensions
    if not all(system.pbc[:d]):
        raise UsageError(f"an enthalpy is offered where all {d} axes are periodic, not for clusters and slabs")
    return on_device({"dimensions": np.float64(d)})


def _enthalpy(energy: Any, x: Any, theta: Any, data: Data) -> jax.Array:
    if isinstance(energy, EnthalpyFunction):
        return energy(x, theta)
    return energy(x, theta) - strained_along(energy, x, theta, jnp.eye(3)) / data["dimensions"]


VOLUME = ObservableKind(name="volume", description="volume of the cell", unit="Å³", evaluate=_volume, bind=_bind, of_cell=True)
DENSITY = ObservableKind(
    name="density", description="mass of the atoms per volume", unit="g/cm³", evaluate=_density, bind=_bind_density, of_cell=True
)
LATTICE = ObservableKind(
    name="lattice",
    description="lattice parameters a b c [Å] and α β γ [degrees], angles between b and c, a and c, a and b; of a plane a b γ",
    unit="Å, degrees",
    components=6,
    evaluate=_lattice,
    bind=_bind_lattice,
    of_cell=True,
)
ENTHALPY = ObservableKind(
    name="enthalpy",
    description="E + PV, with the pressure asked for where the cell relaxes, else with the structure's own",
    unit="eV",
    evaluate=_enthalpy,
    bind=_bind_enthalpy,
)
