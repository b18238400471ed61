"""Observables of one structure against others: energies and volumes of formation, energies of surfaces and of binding.

All are functions of this structure's x and θ and of one number, the `offset` Σ c_k O_k of the relaxed references, with c_k from
composition. References respond to θ as well: what that adds to derivatives is ∂O/∂offset times theirs (`analysis/formation.py`).
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from md_sensitivity.errors import UsageError
from md_sensitivity.minimization import Equilibrium
from md_sensitivity.neighbors import on_device
from md_sensitivity.observables.base import OFFSET, Data, Observable, ObservableKind, system_of
from md_sensitivity.observables.cell import VOLUME
from md_sensitivity.units import NEWTON_PER_METER


def _formed(energy: Any, x: Any, theta: Any, data: Data) -> jax.Array:
    return energy(x, theta) - data[OFFSET]


def _bound(energy: Any, x: Any, theta: Any, data: Data) -> jax.Array:
    return data[OFFSET] - energy(x, theta)


def _grown(energy: Any, x: Any, theta: Any, data: Data) -> jax.Array:
    return energy.volume(x) - data[OFFSET]


def _bind_slab(equilibrium: Equilibrium, asked: Observable) -> Data:
    """The two periodic axes, and the unit of an energy per area."""
    system = system_of(equilibrium, asked.name)
    axes = np.flatnonzero(system.pbc)
    if len(axes) != 2 or system.dimensions != 3:
        raise UsageError(
            f"observable {asked.name} is for slabs, which are periodic along two axes of three, not {len(axes)}; say so in the file "
            '(pbc="T T F")'
        )
    unit = 1.0 if system.units.reduced else NEWTON_PER_METER
    return on_device({"axes": axes, "unit": np.float64(unit)})


def _of_surface(energy: Any, x: Any, theta: Any, data: Data) -> jax.Array:
    sides = energy.cell(x)[data["axes"]]
    normal = jnp.cross(sides[0], sides[1])
    return data["unit"] * (energy(x, theta) - data[OFFSET]) / (2.0 * jnp.sqrt(jnp.sum(normal * normal)))


_ENTHALPY = ObservableKind(
    name="energy",
    description="what was minimized: the energy, under pressure the enthalpy",
    unit="eV",
    evaluate=lambda energy, x, theta, data: energy(x, theta),
)

FORMATION_ENERGY = ObservableKind(
    name="formation_energy",
    description="energy less that of the same atoms in relaxed references; enthalpies under pressure",
    unit="eV",
    evaluate=_formed,
    referred=_ENTHALPY,
)
FORMATION_VOLUME = ObservableKind(
    name="formation_volume",
    description="volume less that of the same atoms in relaxed references",
    unit="Å³",
    evaluate=_grown,
    bind=VOLUME.bind,
    of_cell=True,
    referred=VOLUME,
)
SURFACE_ENERGY = ObservableKind(
    name="surface_energy",
    description="formation energy of a slab by the area of both its faces",
    unit="J/m²",
    evaluate=_of_surface,
    bind=_bind_slab,
    referred=_ENTHALPY,
)
BINDING_ENERGY = ObservableKind(
    name="binding_energy",
    description="energy of the references, the relaxed parts, less that of the whole; positive where they hold together",
    unit="eV",
    evaluate=_bound,
    referred=_ENTHALPY,
)
