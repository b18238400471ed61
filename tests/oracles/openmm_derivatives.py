"""Minima and their derivatives from OpenMM forces: L-BFGS, then Newton with a Hessian of force differences; then differences of
re-minimized molecules. Units are OpenMM's: nm, kJ/mol; angles in degrees.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import openmm
from openmm import unit
from openmm_models import Model
from scipy.optimize import minimize as scipy_minimize

Array = np.ndarray
RELATIVE_STEPS = (2e-2, 7e-3, 2e-3, 7e-4)
"""Of which the one is taken that changes least when it is halved."""


class Engine:
    """Energy [kJ/mol] and forces [kJ/mol/nm] of a system on the reference platform, which is double precision throughout."""

    def __init__(self, system: Any):
        platform = openmm.Platform.getPlatformByName("Reference")
        self.context = openmm.Context(system, openmm.VerletIntegrator(0.001), platform)
        self.masses = np.array([system.getParticleMass(k).value_in_unit(unit.dalton) for k in range(system.getNumParticles())])
        vectors = [vector.value_in_unit(unit.nanometer) for vector in system.getDefaultPeriodicBoxVectors()]
        self.edges = np.array([vectors[k][k] for k in range(3)]) if system.usesPeriodicBoundaryConditions() else None

    def __call__(self, flat: Array, groups: int = -1) -> tuple[float, Array]:
        self.context.setPositions(flat.reshape(-1, 3))
        state = self.context.getState(getEnergy=True, getForces=True, groups=groups)
        energy = state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)
        forces = state.getForces(asNumpy=True).value_in_unit(unit.kilojoule_per_mole / unit.nanometer)
        return float(energy), np.asarray(forces, dtype=float).ravel()


@dataclass(frozen=True, kw_only=True)
class Minimum:
    """A minimum with the spectrum of its Hessian [kJ/mol/nm²]."""

    positions: Array
    energy: float
    force: float
    inverse: Array
    eigenvalues: Array
    zero_modes: int


def relax_roughly(engine: Engine, positions: Array) -> Array:
    options = {"maxiter": 20000, "maxfun": 40000, "gtol": 1e-6, "ftol": 0.0, "maxcor": 20}

    def objective(x: Array) -> tuple[float, Array]:
        energy, forces = engine(x)
        return energy, -forces

    return scipy_minimize(objective, positions.ravel(), jac=True, method="L-BFGS-B", options=options).x


def hessian(engine: Engine, x: Array, step: float = 1e-4) -> Array:
    """By the five-point difference of forces, symmetrized."""
    rows = []
    for index in range(x.size):
        total = np.zeros(x.size)
        for factor, weight in ((1, 8), (-1, -8), (2, -1), (-2, 1)):
            y = x.copy()
            y[index] += factor * step
            total -= weight * engine(y)[1]
        rows.append(total / (12 * step))
    matrix = np.array(rows)
    return 0.5 * (matrix + matrix.T)


def pseudo_inverse(matrix: Array, zero_modes: int) -> tuple[Array, Array]:
    values, vectors = np.linalg.eigh(matrix)
    order = np.argsort(abs(values))
    real = order[zero_modes:]
    return (vectors[:, real] / values[real]) @ vectors[:, real].T, values[order]


def chord(engine: Engine, x: Array, inverse: Array, steps: int = 200) -> Array:
    """Newton iterations with a fixed inverse Hessian, until the force stops falling; the best iterate is returned."""
    best, size, stalled = x, np.inf, 0
    for _ in range(steps):
        forces = engine(x)[1]
        now = float(abs(forces).max())
        stalled = 0 if now < 0.7 * size else stalled + 1
        if now < size:
            best, size = x, now
        if stalled > 4:
            break
        x = x + inverse @ forces
    return best


def find_minimum(engine: Engine, start: Array, zero_modes: int, rounds: int = 3) -> Minimum:
    x = relax_roughly(engine, start)
    for _ in range(rounds):
        inverse, values = pseudo_inverse(hessian(engine, x), zero_modes)
        x = chord(engine, x, inverse)
    energy, forces = engine(x)
    force = float(abs(forces).max())
    return Minimum(positions=x, energy=energy, force=force, inverse=inverse, eigenvalues=values, zero_modes=zero_modes)


def observables(specs: Sequence[str], engine: Engine, flat: Array) -> Array:
    """Energies [kJ/mol], lengths [nm], angles [degrees]."""
    x, found = flat.reshape(-1, 3), []
    for spec in specs:
        name, _, atoms = spec.partition(":")
        places = [int(word) for word in atoms.split("-")] if atoms else []
        steps = [x[b] - x[a] for a, b in pairwise(places)]
        if engine.edges is not None:
            steps = [step - engine.edges * np.round(step / engine.edges) for step in steps]
        if name == "energy":
            found.append(engine(flat)[0])
        elif name == "radius_of_gyration":
            weights = engine.masses / engine.masses.sum()
            found.append(np.sqrt(weights @ np.sum((x - weights @ x) ** 2, axis=1)))
        elif name == "distance":
            found.append(np.linalg.norm(steps[0]))
        elif name == "angle":
            back, ahead = -steps[0], steps[1]
            found.append(np.degrees(np.arctan2(np.linalg.norm(np.cross(back, ahead)), back @ ahead)))
        elif name == "dihedral":
            axis = steps[1] / np.linalg.norm(steps[1])
            near, far = (v - (v @ axis) * axis for v in (-steps[0], steps[2]))
            found.append(np.degrees(np.arctan2(np.cross(axis, near) @ far, near @ far)))
        else:
            raise ValueError(spec)
    return np.array(found)


def romberg(sample: Callable[[float], Array], value: float, step: float) -> Array:
    """From central differences with h, h/2, h/4."""
    levels = [(sample(value + h) - sample(value - h)) / (2 * h) for h in (step, step / 2, step / 4)]
    first, second = ((4 * fine - coarse) / 3 for coarse, fine in pairwise(levels))
    return (16 * second - first) / 15


def derivative(model: Model, name: str, specs: Sequence[str], minimum: Minimum) -> tuple[Array, Array]:
    """d(observables)/d(parameter) of re-minimized molecules, and an estimate of its error: how much it changes with half the step, and
    with the step that does second best."""
    base = model.value(name)
    remembered: dict[float, Array] = {}

    def sample(value: float) -> Array:
        if value not in remembered:
            engine = Engine(model.system(name, value))
            remembered[value] = observables(specs, engine, chord(engine, minimum.positions, minimum.inverse))
        return remembered[value]

    found, changes = [], []
    for relative in RELATIVE_STEPS:
        step = relative * (abs(base) or 1.0)
        whole, half = romberg(sample, base, step), romberg(sample, base, step / 2)
        found.append(half)
        changes.append(abs(whole - half))
    values, errors = np.array(found), np.array(changes)
    order = np.argsort(errors, axis=0)
    best, second = (np.take_along_axis(values, order[k : k + 1], axis=0)[0] for k in (0, 1))
    return best, np.maximum(np.min(errors, axis=0), abs(best - second))


def without_charges(system: Any, group: int) -> Any:
    """A copy of a system whose force of this number, a NonbondedForce, has no charges."""
    neutral = openmm.XmlSerializer.clone(system)
    force = neutral.getForce(group)
    for k in range(force.getNumParticles()):
        force.setParticleParameters(k, 0.0, *force.getParticleParameters(k)[1:])
    for k in range(force.getNumExceptions()):
        first, second, _, sigma, epsilon = force.getExceptionParameters(k)
        force.setExceptionParameters(k, first, second, 0.0, sigma, epsilon)
    return neutral


def energies_by_force(system: Any, x: Array) -> dict[str, float]:
    """Energy of each kind of force; of charges apart from the rest."""
    for group, force in enumerate(system.getForces()):
        force.setForceGroup(group)
    engine = Engine(system)
    found: dict[str, float] = {}
    for group, force in enumerate(system.getForces()):
        value = engine(x, groups=1 << group)[0]
        if isinstance(force, openmm.NonbondedForce):
            rest = Engine(without_charges(system, group))(x, groups=1 << group)[0]
            found["Coulomb"] = value - rest
            value, name = rest, "LennardJones"
        else:
            name = type(force).__name__
            if name in ("CustomNonbondedForce", "CustomBondForce"):
                name = "LennardJones"  # of readers that write its mixing rules out
        found[name] = found.get(name, 0.0) + value
    return found
