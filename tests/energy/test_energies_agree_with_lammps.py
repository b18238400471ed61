"""Energies, forces and virials of every form, truncation and mixing rule against LAMMPS, in every kind of cell."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracle_cases import STATIC, load_case

from md_sensitivity.building import build_system
from md_sensitivity.system import energy_function
from md_sensitivity.voigt import VOIGT

value_and_gradient = jax.jit(lambda energy, x, theta: jax.value_and_grad(energy)(x, theta))
energy_alone = jax.jit(lambda energy, x, theta: energy(x, theta))
strain_derivative = jax.jit(lambda energy, x, theta: jax.grad(energy.strained, argnums=2)(x, theta, jnp.zeros((3, 3))))


@pytest.mark.parametrize("name", STATIC)
def test_energy_forces_and_virial_agree_with_lammps(name: str) -> None:
    case = load_case("static", name)
    system = build_system(case.structure, case.force_field, dimensions=case.reference.get("dimensions", 3))
    energy = energy_function(system)
    theta = case.force_field.parameters
    value, gradient = value_and_gradient(energy, system.positions, theta)
    virial = -np.asarray(strain_derivative(energy, system.positions, theta))
    scale = max(1.0, abs(case.reference["energy"]))
    forces = np.asarray(case.reference["forces"])
    free = np.asarray(system.free)
    # The energy alone and the energy that comes with a gradient are sums of their own.
    for found in (value, energy_alone(energy, system.positions, theta)):
        assert abs(float(found) - case.reference["energy"]) <= 1e-10 * scale
    assert np.abs(-np.asarray(gradient) - forces)[free > 0].max() <= 1e-10 * max(1.0, np.abs(forces).max())
    found = np.array([virial[a, b] for a, b in VOIGT])
    assert np.abs(found - np.asarray(case.reference["virial"])).max() <= 1e-10 * max(1.0, np.abs(found).max())
