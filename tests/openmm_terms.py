"""Energies of OpenMM's reference platform, by the labels of our terms."""

from __future__ import annotations

from typing import Any

import numpy as np

from md_sensitivity.units import KILOJOULE_PER_MOLE


def openmm_energies(system: Any, positions: np.ndarray) -> dict[str, float]:
    """Name of a force → its energy [eV]; of a NonbondedForce without its charges as LennardJones, the rest as Coulomb.

    Args:
        system: of OpenMM, without periodic boundaries; its forces get groups.
        positions: shape=(n, 3) [Å].
    """
    import openmm
    from openmm_derivatives import without_charges

    for group, force in enumerate(system.getForces()):
        force.setForceGroup(group)
    found: dict[str, float] = {}
    for group, force in enumerate(system.getForces()):
        value = _energy(system, positions, group)
        found[force.getName()] = found.get(force.getName(), 0.0) + value
        if isinstance(force, openmm.NonbondedForce):
            found["LennardJones"] = _energy(without_charges(system, group), positions, group)
            found["Coulomb"] = value - found["LennardJones"]
    return found


def _energy(system: Any, positions: np.ndarray, group: int) -> float:
    import openmm
    from openmm import unit

    context = openmm.Context(system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference"))
    context.setPositions(positions * 0.1)
    energy = context.getState(getEnergy=True, groups={group}).getPotentialEnergy()
    return float(energy.value_in_unit(unit.kilojoule_per_mole)) * KILOJOULE_PER_MOLE
