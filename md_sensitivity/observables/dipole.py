"""Dipole moment of the charges of the force field."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from md_sensitivity.bound import BoundTerm, coefficients
from md_sensitivity.errors import UsageError
from md_sensitivity.minimization import Equilibrium
from md_sensitivity.neighbors import on_device
from md_sensitivity.observables.base import Data, Observable, ObservableKind, geometry, system_of
from md_sensitivity.observables.molecules import whole_molecules
from md_sensitivity.potentials.base import types_of
from md_sensitivity.system import System

CHARGE = "q"
_NEUTRAL = 1e-4
"""Sum of charges [e] below which a molecule counts as neutral; files round charges to about six digits."""


def charged_term(system: System) -> BoundTerm:
    """The potential between charges, of which there must be one.

    Raises:
        UsageError: there is none, or several.
    """
    found = [
        term
        for term in system.terms
        if any(spec.name == CHARGE and spec.charge == 1 and types_of(spec, term.form) == 1 for spec in term.form.parameters)
    ]
    if len(found) != 1:
        labels = ", ".join(term.label for term in found)
        raise UsageError(f"a dipole needs one potential with charges q, and the force field has {labels or 'none'}")
    return found[0]


def charges(energy: Any, theta: Any) -> jax.Array:
    """Charge of each atom, shape=(n,) [e]; 0 of what pads a system."""
    system = energy.system
    term = charged_term(system)
    q = coefficients(term, theta)[CHARGE][system.kinds]
    return jnp.where(jnp.arange(len(q)) < term.atoms, q, 0.0)


def _bind(equilibrium: Equilibrium, asked: Observable) -> Data:
    system = system_of(equilibrium, asked.name)
    charged_term(system)
    molecule, image = whole_molecules(equilibrium, asked)
    q, masses = np.asarray(charges(equilibrium.energy, equilibrium.theta)), np.asarray(system.masses)
    if any(system.pbc):
        total = np.bincount(molecule, weights=q)
        if np.abs(total).max() > _NEUTRAL:
            atom = int(np.flatnonzero(molecule == int(np.argmax(np.abs(total))))[0])
            raise UsageError(
                f"observable {asked.name}: the molecule of atom {atom} has charge {total[molecule[atom]]:.4g} e; in a periodic structure "
                "only neutral molecules have a dipole moment"
            )
    weight = np.bincount(molecule, weights=masses)
    share = masses / np.where(weight > 0, weight, 1.0)[molecule]
    return on_device({"molecule": molecule, "image": image, "share": share})


def _vector(energy: Any, x: jax.Array, theta: Any, data: Data) -> jax.Array:
    """Σ q (r − R) [e·Å], R the center of mass of each molecule, which matters where it is charged, and for derivatives by one charge."""
    here = geometry(energy, x)
    whole = here.positions + here.lattice(data["image"])
    count = data["molecule"].shape[0]
    centers = jax.ops.segment_sum(data["share"][:, None] * whole, data["molecule"], num_segments=count)
    return charges(energy, theta) @ (whole - centers[data["molecule"]])


def _magnitude(energy: Any, x: jax.Array, theta: Any, data: Data) -> jax.Array:
    vector = _vector(energy, x, theta, data)
    square = jnp.sum(vector * vector)
    none = square == 0
    return jnp.where(none, 0.0, jnp.sqrt(jnp.where(none, 1.0, square)))


DIPOLE = ObservableKind(
    name="dipole",
    description="magnitude of the dipole moment about the center of mass; 1 e·Å = 4.80320471 Debye",
    unit="e·Å",
    evaluate=_magnitude,
    bind=_bind,
    undefined=lambda value: "the derivative of the magnitude of a dipole does not exist where it is zero" if float(value) < 1e-9 else "",
)
DIPOLE_VECTOR = ObservableKind(
    name="dipole_vector",
    description="dipole moment x y z about the center of mass; it turns with the structure",
    unit="e·Å",
    components=3,
    evaluate=_vector,
    bind=_bind,
)
