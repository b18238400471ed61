"""Observables where a structure stands, without a minimization."""

from __future__ import annotations

import numpy as np

from md_sensitivity.building import build_system
from md_sensitivity.forcefields import ForceField
from md_sensitivity.minimization import Equilibrium
from md_sensitivity.observables import observable
from md_sensitivity.system import energy_function
from md_sensitivity.types import Structure


def at(of: Structure, field: ForceField, *, padded: bool = False) -> Equilibrium:
    """An equilibrium by decree: observables are functions of x, wherever it is."""
    energy = energy_function(build_system(of, field, padded=padded))
    return Equilibrium(
        x=energy.system.positions, theta=field.parameters, energy=energy, value=0.0, max_force=0.0, status="minimum", message="", steps=0,
        force_evaluations=0, hessian_products=0, minimizer="none", modes=None, zero_modes=0, rattlers=0, spectrum=None,
    )  # fmt: skip


def measured(spec: str, equilibrium: Equilibrium, of: Structure) -> np.ndarray:
    return np.asarray(observable(spec, of).bind(equilibrium)(equilibrium.energy, equilibrium.x, equilibrium.theta))
