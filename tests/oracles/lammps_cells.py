"""Minima over positions and strain together, and their derivatives, from LAMMPS energies, forces and virials alone.

The unknowns y are displacements u (n, 3) of a reference and the components of a symmetric strain e: positions (X0 + u)(1 + e), cell
rows A0 (1 + e). What is minimized is the enthalpy E + P V. Pressures are energies per volume here: the virial is divided by LAMMPS's
own pressure constant in `lammps_engine`, so that none of its digits are in the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from lammps_derivatives import changed, moving, pseudo_inverse
from lammps_engine import Array, Engine, Evaluation, Model, System
from scipy.optimize import minimize as scipy_minimize

GPA = 160.2176634
"""One eV/Å^3 in GPa, exact (SI 2019); LAMMPS has 160.21765."""
PAIRS = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
"""Voigt xx yy zz yz xz xy."""
PRESSURE = "pressure"
"""A column that is no parameter of the model [GPa]."""


def tensor(voigt: Array) -> Array:
    """The symmetric matrix of six components."""
    xx, yy, zz, yz, xz, xy = voigt
    return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])


def voigt(matrix: Array) -> Array:
    """Six components of a matrix, symmetrized."""
    return np.array([0.5 * (matrix[i, j] + matrix[j, i]) for i, j in PAIRS])


def unit_strain(k: int) -> Array:
    """The strain whose k-th engineering component is 1."""
    matrix = np.zeros((3, 3))
    i, j = PAIRS[k]
    matrix[i, j] += 0.5
    matrix[j, i] += 0.5
    return matrix


def strains(system: System, relax: str) -> Array:
    """(m, 3, 3): the strains that are free: one, or all between periodic axes, which lie along x, y, z here."""
    periodic = np.array(system.pbc)
    if relax == "isotropic":
        return np.diag(periodic.astype(float))[None]
    return np.array([unit_strain(k) for k, (i, j) in enumerate(PAIRS) if periodic[i] and periodic[j]])


def upright(cell: Array) -> tuple[Array, Array]:
    """A lower-triangular cell L with positive diagonal, and the rotation with cell = L @ rotation."""
    if not np.triu(cell, 1).any():
        return cell, np.eye(3)
    q, r = np.linalg.qr(cell.T)
    sign = np.sign(np.diag(r))
    return (r.T * sign), (q * sign).T


class CellEngine:
    """LAMMPS at any cell, position and parameter value; crystals may be turned as they like."""

    def __init__(self, system: System, model: Model) -> None:
        self.engine, self.model = Engine(system, model), model
        self.engine.lmp.command("change_box all triclinic")
        self.periodic = np.array(system.pbc)
        whole = np.where(self.periodic[:, None], system.cell, np.eye(3))
        self.images = np.where(self.periodic, np.floor(system.positions @ np.linalg.inv(whole)), 0.0)

    def set_model(self, model: Model) -> None:
        """Give LAMMPS other parameter values."""
        if model is not self.model:
            self.engine.set_model(model)
            self.model = model

    def __call__(self, positions: Array, cell: Array) -> Evaluation:
        lower, rotation = upright(cell)
        assert np.linalg.det(rotation) > 0
        words = [f"{axis} final 0 {lower[i, i]!r}" for i, axis in enumerate("xyz") if self.periodic[i]]
        words += [f"{name} final {lower[i, j]!r}" for name, i, j in (("xy", 1, 0), ("xz", 2, 0), ("yz", 2, 1)) if self.periodic[i]]
        self.engine.lmp.command(f"change_box all {' '.join(words)} units box".replace("np.float64(", "").replace(")", ""))
        self.engine.offset = -self.images @ np.where(self.periodic[:, None], lower, 0.0)
        value = self.engine(positions @ rotation.T)
        turned = rotation.T @ tensor(value.virial) @ rotation
        return replace(value, forces=value.forces @ rotation, virial=voigt(turned))

    def close(self) -> None:
        self.engine.close()


@dataclass(frozen=True, kw_only=True)
class Frame:
    """What y = (u, e) is measured from. `scale` [length] makes strains displacements; `pressure` in energy per volume."""

    system: System
    positions: Array
    cell: Array
    strains: Array
    pressure: float
    scale: float

    @classmethod
    def of(cls, system: System, positions: Array, cell: Array, relax: str, pressure: float) -> Frame:
        """`pressure` in GPa."""
        n = len(positions)
        scale = (n**0.5) * (abs(np.linalg.det(cell)) / n) ** (1 / 3)
        return cls(system=system, positions=positions, cell=cell, strains=strains(system, relax), pressure=pressure / GPA, scale=scale)

    @property
    def size(self) -> int:
        return int(moving(self.system).sum())

    def place(self, y: Array) -> tuple[Array, Array]:
        """Positions and cell at y."""
        u = np.zeros(self.positions.size)
        u[moving(self.system)] = y[: self.size]
        deformation = np.eye(3) + self.strain(y)
        return (self.positions + u.reshape(-1, 3)) @ deformation, self.cell @ deformation

    def strain(self, y: Array) -> Array:
        return np.tensordot(y[self.size :] / self.scale, self.strains, axes=1)

    def gradient(self, engine: CellEngine, y: Array) -> tuple[float, Array, Evaluation, float]:
        """Enthalpy, its gradient by y, LAMMPS's answer, and the largest deviation of a free stress component from -P [energy/volume]."""
        positions, cell = self.place(y)
        value = engine(positions, cell)
        volume = abs(float(np.linalg.det(cell)))
        deformation = np.eye(3) + self.strain(y)
        by_u = -(value.forces @ deformation).ravel()[moving(self.system)]
        excess = self.pressure * volume * np.eye(3) - tensor(value.virial)  # minus the work of the virial, plus P dV
        inverse = np.linalg.inv(deformation)
        by_strain = np.array([np.sum((inverse @ strain) * excess) for strain in self.strains])
        off = max(abs(np.sum(strain * excess)) / volume for strain in self.strains)
        return value.energy + self.pressure * volume, np.concatenate([by_u, by_strain / self.scale]), value, off


def roughly(engine: CellEngine, frame: Frame) -> Array:
    """L-BFGS from the frame itself. Its first step has length 1 in its own variables, which are made small so that no atom jumps."""
    start, unit = np.zeros(frame.size + len(frame.strains)), 0.05

    def objective(z: Array) -> tuple[float, Array]:
        enthalpy, slope, _, _ = frame.gradient(engine, unit * z)
        return enthalpy, unit * slope

    options = {"maxiter": 20000, "maxfun": 40000, "gtol": 1e-8, "ftol": 0.0, "maxcor": 20, "maxls": 50}
    return unit * np.asarray(scipy_minimize(objective, start, jac=True, method="L-BFGS-B", options=options).x)


def curvature(engine: CellEngine, frame: Frame, y: Array, step: float) -> Array:
    """Second derivatives of the enthalpy by y, by the five-point difference of gradients, symmetrized."""
    rows = []
    for index in range(len(y)):
        total = np.zeros(len(y))
        for factor, weight in ((1, 8), (-1, -8), (2, -1), (-2, 1)):
            moved = y.copy()
            moved[index] += factor * step
            total += weight * frame.gradient(engine, moved)[1]
        rows.append(total / (12 * step))
    matrix = np.array(rows)
    return 0.5 * (matrix + matrix.T)


def chord(gradient: Callable[[Array], Array], y: Array, inverse: Array, steps: int = 60) -> Array:
    """Newton iterations with a fixed inverse until the gradient stops falling; the best iterate is returned."""
    best: tuple[float, Array] | None = None
    stalled = 0
    for _ in range(steps):
        slope = gradient(y)
        size = float(abs(slope).max())
        better = best is None or size < 0.5 * best[0]
        if best is None or size < best[0]:
            best = (size, y)
        stalled = 0 if better else stalled + 1
        if stalled > 2:
            break
        y = y - inverse @ slope
    assert best is not None
    return best[1]


@dataclass(frozen=True, kw_only=True)
class CellMinimum:
    """A minimum; `frame` is the minimum itself, so y = 0 there."""

    frame: Frame
    evaluation: Evaluation
    hessian: Array
    inverse: Array
    eigenvalues: Array
    zero_modes: int
    max_force: float
    max_stress: float

    @property
    def volume(self) -> float:
        return abs(float(np.linalg.det(self.frame.cell)))

    @property
    def stress(self) -> Array:
        """Cauchy stress, Voigt [GPa]."""
        return -self.evaluation.virial / self.volume * GPA


def find_cell_minimum(engine: CellEngine, system: System, relax: str, pressure: float, step: float) -> CellMinimum:
    """L-BFGS, then chord Newton from the minimum so far, then the same again from there, in the lower-triangular cell."""
    frame = Frame.of(system, system.positions, system.cell, relax, pressure)
    for _ in range(3):
        positions, cell = frame.place(roughly(engine, frame))
        frame = Frame.of(system, positions, cell, relax, pressure)
    zero = np.zeros(frame.size + len(frame.strains))
    for _ in range(3):
        inverse, _, _ = pseudo_inverse(curvature(engine, frame, zero, step))
        here = frame
        y = chord(lambda point, at=here: at.gradient(engine, point)[1], zero, inverse)  # type: ignore[misc]
        positions, cell = frame.place(y)
        cell, rotation = upright(cell)
        frame = Frame.of(system, positions @ rotation.T, cell, relax, pressure)
    matrix = curvature(engine, frame, zero, step)
    inverse, values, count = pseudo_inverse(matrix)
    _, slope, evaluation, off = frame.gradient(engine, zero)
    return CellMinimum(
        frame=frame, evaluation=evaluation, hessian=matrix, inverse=inverse, eigenvalues=values, zero_modes=count,
        max_force=float(abs(slope[: frame.size]).max(initial=0.0)), max_stress=float(off) * GPA,
    )  # fmt: skip


def lattice(cell: Array) -> Array:
    """a, b, c, alpha, beta, gamma [length, degrees]."""
    lengths = np.linalg.norm(cell, axis=1)
    cosines = [cell[i] @ cell[j] / (lengths[i] * lengths[j]) for i, j in ((1, 2), (0, 2), (0, 1))]
    return np.concatenate([lengths, np.degrees(np.arccos(cosines))])


# ------------------------------------------------------------------------------------------------------------ derivatives


def at(engine: CellEngine, model: Model, minimum: CellMinimum, names: tuple[str, ...], value: float) -> Frame:
    """The frame (LAMMPS's parameters set) with one column at another value; y is still measured from the minimum."""
    if names == (PRESSURE,):
        engine.set_model(model)
        return replace(minimum.frame, pressure=value / GPA)
    engine.set_model(changed(model, names, value))
    return minimum.frame


def base_value(model: Model, minimum: CellMinimum, names: tuple[str, ...]) -> float:
    return minimum.frame.pressure * GPA if names == (PRESSURE,) else model.value(names[0])


def romberg(sample: Callable[[float], Array], value: float, step: float) -> tuple[Array, Array]:
    """Derivative of `sample` by central differences with h, h/2, h/4, h/8: extrapolated from the last three, and by how much that
    differs from the first three."""
    levels = [(sample(value + h) - sample(value - h)) / (2 * h) for h in (step, step / 2, step / 4, step / 8)]
    first = [(4 * fine - coarse) / 3 for coarse, fine in pairwise(levels)]
    coarse, fine = ((16 * second - one) / 15 for one, second in pairwise(first))
    return fine, abs(fine - coarse)


@dataclass(frozen=True, kw_only=True)
class CellDerivative:
    """Derivatives by one column, and absolute errors of each: dictionaries of positions (n, 3), cell (3, 3), lattice (6,), volume, energy,
    enthalpy. `response_difference` [length]: against -inverse @ d(gradient)/d(column), which re-minimizes nothing; cell and positions."""

    values: dict[str, Array]
    errors: dict[str, float]
    response_difference: float
    step: float


def response(engine: CellEngine, model: Model, minimum: CellMinimum, names: tuple[str, ...], step: float) -> Array:
    """dy/d(column) = -inverse @ d(gradient)/d(column), in which nothing is re-minimized."""
    zero = np.zeros(len(minimum.hessian))

    def slope(value: float) -> Array:
        return at(engine, model, minimum, names, value).gradient(engine, zero)[1]

    return np.asarray(-minimum.inverse @ romberg(slope, base_value(model, minimum, names), step)[0])


def gentle_step(engine: CellEngine, model: Model, minimum: CellMinimum, names: tuple[str, ...], relative: float, limit: float) -> float:
    """A step of `relative` of the value (a strain of `limit` for the pressure, whatever its value), less where strains would go beyond
    `limit`, or displacements beyond as much of 2.5 Å."""
    base = base_value(model, minimum, names)
    step = float(relative * (abs(base) or 1.0))
    y = response(engine, model, minimum, names, step)
    engine.set_model(model)
    size = max(abs(minimum.frame.strain(y)).max(), abs(y[: minimum.frame.size]).max(initial=0.0) / 2.5, 1e-30)
    return float(limit / size) if names == (PRESSURE,) else float(min(step, limit / size))


def cell_derivative(engine: CellEngine, model: Model, minimum: CellMinimum, names: tuple[str, ...], step: float) -> CellDerivative:
    zero = np.zeros(len(minimum.hessian))
    n = len(minimum.frame.positions)

    def minimized(value: float) -> Array:
        frame = at(engine, model, minimum, names, value)
        y = chord(lambda point: frame.gradient(engine, point)[1], zero, minimum.inverse)
        enthalpy, _, evaluation, _ = frame.gradient(engine, y)
        positions, cell = frame.place(y)
        volume = abs(float(np.linalg.det(cell)))
        return np.concatenate([positions.ravel(), cell.ravel(), lattice(cell), [volume, evaluation.energy, enthalpy]])

    found, error = romberg(minimized, base_value(model, minimum, names), step)
    y = response(engine, model, minimum, names, step)
    engine.set_model(model)
    parts = dict(zip(("positions", "cell", "lattice", "volume", "energy", "enthalpy"), _split(found, n), strict=True))
    errors = dict(zip(parts, (float(abs(part).max()) for part in _split(error, n)), strict=True))
    strain = minimum.frame.strain(y)
    u = np.zeros(3 * n)
    u[moving(minimum.frame.system)] = y[: minimum.frame.size]
    expected = np.concatenate([(u.reshape(-1, 3) + minimum.frame.positions @ strain).ravel(), (minimum.frame.cell @ strain).ravel()])
    difference = float(abs(found[: len(expected)] - expected).max())
    return CellDerivative(values=parts, errors=errors, step=step, response_difference=difference)


def _split(values: Array, n: int) -> list[Array]:
    positions, cell, lengths, rest = np.split(values, np.cumsum([3 * n, 9, 6]))
    return [positions.reshape(-1, 3), cell.reshape(3, 3), lengths, *rest]
