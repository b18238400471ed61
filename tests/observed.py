"""Observables where a structure stands, without a minimization, and at minima of other parameters."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import charmm_files
import jax
import jax.numpy as jnp
import numpy as np
from small_systems import random_like

from md_sensitivity.building import build_system
from md_sensitivity.forcefields import ForceField, read_force_field
from md_sensitivity.minimization import Equilibrium, minimize
from md_sensitivity.observables import observable
from md_sensitivity.system import energy_function
from md_sensitivity.types import Structure


@cache
def peptide() -> ForceField:
    """CHARMM's potentials of the peptide of `charmm_files`."""
    with TemporaryDirectory() as folder:
        return read_force_field(charmm_files.write(Path(folder))[0])


def at(of: Structure, field: ForceField, *, padded: bool = False) -> Equilibrium:
    """An equilibrium by decree: observables are functions of x, wherever it is."""
    energy = energy_function(build_system(of, field, padded=padded))
    return Equilibrium(
        x=energy.system.positions, theta=field.parameters, energy=energy, value=0.0, max_force=0.0, status="minimum", message="", steps=0,
        force_evaluations=0, hessian_products=0, minimizer="none", modes=None, zero_modes=0, rattlers=0, spectrum=None,
    )  # fmt: skip


def measured(spec: str, equilibrium: Equilibrium, of: Structure) -> np.ndarray:
    return np.asarray(observable(spec, of).bind(equilibrium)(equilibrium.energy, equilibrium.x, equilibrium.theta))


def direction_of(start: Equilibrium) -> Any:
    """A random direction of θ, relative to its values; shares of pairs stay."""
    tree = random_like(start.theta, 5, relative=True)
    return {label: {name: leaf * (name != "scale14") for name, leaf in leaves.items()} for label, leaves in tree.items()}


def minimum_along(start: Equilibrium, step: float) -> Equilibrium:
    """The minimum at θ + step × direction, found again from x*."""
    theta = jax.tree.map(lambda value, slope: jnp.asarray(value) + step * slope, start.theta, direction_of(start))
    # Newton's steps turn nothing: points on the spheres of `sasa` stand still in space.
    return minimize(start.energy, start.x, theta, fmax=1e-10, curvature=False, minimizer="newton")
