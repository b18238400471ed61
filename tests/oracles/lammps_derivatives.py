"""Minima and their derivatives from LAMMPS forces: L-BFGS, then Newton with a Hessian of force differences; then differences of
re-minimized structures, with the linear response of the same forces beside them as a second opinion.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from lammps_engine import Array, Engine, Evaluation, Model, System
from scipy.optimize import minimize as scipy_minimize


@dataclass(frozen=True, kw_only=True)
class Minimum:
    """A minimum with its Hessian's spectrum. `inverse` is the pseudo-inverse over the moving coordinates."""

    positions: Array
    evaluation: Evaluation
    hessian: Array
    inverse: Array
    eigenvalues: Array
    zero_modes: int

    @property
    def max_force(self) -> float:
        return float(abs(self.evaluation.forces).max())


def moving(system: System) -> Array:
    """Mask of coordinates that move, flat."""
    return np.tile(np.arange(3) < system.dimension, len(system.positions))


def relax_roughly(engine: Engine, positions: Array, tolerance: float = 1e-6) -> Array:
    mask = moving(engine.system)

    def objective(flat: Array) -> tuple[float, Array]:
        x = positions.ravel().copy()
        x[mask] = flat
        value = engine(x.reshape(-1, 3))
        return value.energy, -value.forces.ravel()[mask]

    options = {"maxiter": 20000, "maxfun": 40000, "gtol": tolerance, "ftol": 0.0, "maxcor": 20}
    found = scipy_minimize(objective, positions.ravel()[mask], jac=True, method="L-BFGS-B", options=options)
    result = positions.ravel().copy()
    result[mask] = found.x
    return result.reshape(-1, 3)


def hessian(engine: Engine, positions: Array, step: float) -> Array:
    """Hessian over the moving coordinates by the five-point difference of LAMMPS forces, symmetrized."""
    mask = moving(engine.system)
    rows = []
    for index in np.flatnonzero(mask):
        total = np.zeros(mask.sum())
        for factor, weight in ((1, 8), (-1, -8), (2, -1), (-2, 1)):
            x = positions.ravel().copy()
            x[index] += factor * step
            total -= weight * engine(x.reshape(-1, 3)).forces.ravel()[mask]
        rows.append(total / (12 * step))
    matrix = np.array(rows)
    return 0.5 * (matrix + matrix.T)


def pseudo_inverse(matrix: Array, threshold: float = 1e-7) -> tuple[Array, Array, int]:
    values, vectors = np.linalg.eigh(matrix)
    zero = abs(values) < threshold * abs(values).max()
    inverse = (vectors[:, ~zero] / values[~zero]) @ vectors[:, ~zero].T
    return inverse, values, int(zero.sum())


def chord(engine: Engine, positions: Array, inverse: Array, steps: int = 40) -> tuple[Array, Evaluation]:
    """Newton iterations with a fixed inverse Hessian, until the force stops falling; the best iterate is returned."""
    mask = moving(engine.system)
    best: tuple[float, Array, Evaluation] | None = None
    x, stalled = positions.copy(), 0
    for _ in range(steps):
        value = engine(x)
        size = float(abs(value.forces).max())
        if best is None or size < best[0]:
            stalled = 0 if best is None or size < 0.5 * best[0] else stalled + 1
            best = (size, x, value)
        else:
            stalled += 1
        if stalled > 2:
            break
        flat = x.ravel().copy()
        flat[mask] += inverse @ value.forces.ravel()[mask]
        x = flat.reshape(-1, 3)
    assert best is not None
    return best[1], best[2]


def find_minimum(engine: Engine, start: Array, step: float = 2e-3, rounds: int = 2) -> Minimum:
    """L-BFGS, then chord Newton; `rounds` Hessians, the last one at the minimum."""
    positions = relax_roughly(engine, start)
    for _ in range(rounds):
        matrix = hessian(engine, positions, step)
        inverse, values, zero = pseudo_inverse(matrix)
        positions, evaluation = chord(engine, positions, inverse)
    return Minimum(
        positions=positions,
        evaluation=evaluation,
        hessian=matrix,
        inverse=inverse,
        eigenvalues=values,
        zero_modes=zero,
    )


@dataclass(frozen=True, kw_only=True)
class Derivative:
    """d(positions, energy, virial)/d(parameter), with an error estimate for each."""

    positions: Array
    energy: float
    virial: Array
    positions_error: float
    energy_error: float
    virial_error: float
    response_difference: float
    step: float


def extrapolate(sample: Callable[[float], Array], value: float, step: float, one_sided: bool) -> Array:
    """Derivative of `sample` at `value`: Romberg from central differences with h, h/2, h/4, or, at a bound, the seven-point
    forward formula."""
    if one_sided:
        nodes = step * np.arange(7)
        table = np.array([sample(value + node) for node in nodes])
        return np.tensordot(_weights(nodes), table, axes=1)
    levels = [(sample(value + h) - sample(value - h)) / (2 * h) for h in (step, step / 2, step / 4)]
    first, second = ((4 * fine - coarse) / 3 for coarse, fine in pairwise(levels))
    return (16 * second - first) / 15


def _weights(nodes: Array) -> Array:
    """Weights of the derivative at nodes[0] of the interpolating polynomial."""
    scale = nodes[1] - nodes[0]
    powers = np.vander((nodes - nodes[0]) / scale, increasing=True).T
    right = np.zeros(len(nodes))
    right[1] = 1.0 / scale
    return np.linalg.solve(powers, right)


def pack(positions: Array, value: Evaluation) -> Array:
    return np.concatenate([positions.ravel(), [value.energy], value.virial])


def changed(model: Model, names: tuple[str, ...], value: float) -> Model:
    """Several names that have one and the same value, set together."""
    base = model.value(names[0])
    assert all(model.value(name) == base for name in names), names
    for name in names:
        model = model.with_value(name, value)
    return model


def energy_derivative(engine: Engine, model: Model, names: tuple[str, ...], relative: float, positions: Array) -> tuple[float, float]:
    """The energy's derivative at fixed positions, and how much it changes with half the step."""
    base = model.value(names[0])
    step = relative * (abs(base) or 1.0)

    def sample(value: float) -> Array:
        engine.set_model(changed(model, names, value))
        return np.array(engine(positions).energy)

    total, half = (float(extrapolate(sample, base, size, False)) for size in (step, step / 2))
    engine.set_model(model)
    return half, abs(total - half)


def derivative(engine: Engine, model: Model, minimum: Minimum, names: tuple[str, ...], relative: float) -> Derivative:
    """Differences of re-minimized structures; beside them the linear response from LAMMPS's own force differences.

    Several names move together by the same amount: entries of a .sw file that speak of one and the same pair.
    """
    base = model.value(names[0])
    step = relative * (abs(base) or 1.0)
    one_sided = base == 0.0 and model.style == "stillinger_weber"
    mask, size = moving(engine.system), minimum.positions.size

    def minimized(value: float) -> Array:
        engine.set_model(changed(model, names, value))
        return pack(*chord(engine, minimum.positions, minimum.inverse))

    def frozen(value: float) -> Array:
        engine.set_model(changed(model, names, value))
        return engine(minimum.positions).forces.ravel()[mask]

    total = extrapolate(minimized, base, step, one_sided)
    half = extrapolate(minimized, base, step / 2, one_sided)
    mixed_derivative = extrapolate(frozen, base, step, one_sided)
    response = np.zeros(size)
    response[mask] = minimum.inverse @ mixed_derivative
    change = abs(total - half)
    engine.set_model(model)
    return Derivative(
        positions=half[:size].reshape(-1, 3),
        energy=float(half[size]),
        virial=half[size + 1 :],
        positions_error=float(change[:size].max()),
        energy_error=float(change[size]),
        virial_error=float(change[size + 1 :].max()),
        response_difference=float(abs(half[:size] - response).max()),
        step=step,
    )
