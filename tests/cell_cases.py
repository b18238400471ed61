"""The relaxed cells under tests/oracles/cells, made by LAMMPS alone.

    @pytest.mark.parametrize("name", ELASTIC)
    def test_elastic_constants(name): case = load_cell(name); case.relaxed, case.columns, case.slopes("relaxed") ...
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from md_sensitivity.forcefields import ForceField, read_force_field
from md_sensitivity.structures import read_structure
from md_sensitivity.types import Structure

ROOT = Path(__file__).parent / "oracles" / "cells"
PRESSURE = "pressure"
"""The column that is no parameter of the force field [GPa]."""
_AT_ONCE = {
    "lj_argon_krypton_isotropic", "lj_argon_pressure", "lj_plane", "lj_slab", "morse_triclinic", "sw_silicon_primitive",
}  # fmt: skip
"""Cases that are looked at in each run of the tests, one of each kind; the others wait for `-m slow`."""
_ELASTIC_AT_ONCE = {"lj_argon_krypton_isotropic", "lj_argon_pressure"}
"""Of those, the ones whose elastic constants are; their programs take longest to compile."""


@dataclass(frozen=True)
class CellCase:
    """One case: what to read, and what LAMMPS says (`reference`: docs in tests/oracles/README.md).

    Attributes:
        structure: where the search starts; not the minimum.
        force_field: the native document beside it.
        reference: reference.json.
    """

    name: str
    structure: Structure
    force_field: ForceField
    reference: dict[str, Any]

    @property
    def relax_cell(self) -> str:
        """full or isotropic."""
        return str(self.reference["relax"])

    @property
    def pressure(self) -> float:
        """[GPa]."""
        return float(self.reference["pressure"])

    @property
    def dimensions(self) -> int:
        return int(self.reference["dimensions"])

    @property
    def cell(self) -> np.ndarray:
        """(3, 3) rows [Å] of the minimum, lower triangular."""
        return np.array(self.reference["cell"])

    @property
    def positions(self) -> np.ndarray:
        """(n, 3) [Å] of the minimum."""
        return np.array(self.reference["positions"])

    @property
    def at_minimum(self) -> Structure:
        """The structure that LAMMPS found: start here where axes must be the reference's own."""
        return replace(self.structure, positions=self.positions, cell=self.cell)

    def columns(self, *, pressure: bool = False) -> list[str]:
        """Names of the columns, in order; the pressure, where it is asked for, is the last."""
        names = [row["column"] for row in self.reference["derivatives"]]
        return [name for name in names if pressure or name != PRESSURE]

    def directions(self) -> Any:
        """The columns without the pressure as directions, like the parameters; names joined by ` + ` moved together."""
        names = self.force_field.table.names
        rows = np.zeros((len(self.columns()), len(names)))
        for row, column in zip(rows, self.columns(), strict=True):
            for name in column.split(" + "):
                row[names.index(name)] = 1.0
        return self.force_field.table.unravel(rows)

    def slopes(self, quantity: str, *, pressure: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """(p, ...) derivatives of a quantity by each column, and (p,) their absolute errors.

        Args:
            quantity: positions, cell, lattice, volume, energy, enthalpy, or relaxed and clamped (elastic constants).
            pressure: whether the pressure is among the columns.
        """
        rows = [row for row in self.reference["derivatives"] if pressure or row["column"] != PRESSURE]
        values = np.array([row[quantity] for row in rows])
        errors = np.array([row["errors"][quantity] for row in rows])
        if quantity in ("positions", "cell"):
            errors = np.maximum(errors, [row["linear_response_difference"] for row in rows])
        return values, errors


_REFERENCES = {path.parent.name: json.loads(path.read_text()) for path in sorted(ROOT.glob("*/reference.json"))}


def _named(chosen: list[str], at_once: set[str] = _AT_ONCE) -> list[Any]:
    """Names, those that take longer marked slow."""
    return [name if name in at_once else pytest.param(name, marks=pytest.mark.slow) for name in chosen]


NAMES = tuple(_REFERENCES)
CELLS = _named(list(NAMES))
"""All cases."""
ELASTIC = _named([name for name, reference in _REFERENCES.items() if "elastic" in reference], _ELASTIC_AT_ONCE)
"""Those with elastic constants."""
ELASTIC_SLOPES = _named([name for name, reference in _REFERENCES.items() if "relaxed" in reference["derivatives"][0]], _ELASTIC_AT_ONCE)
"""Those with derivatives of them as well."""


def load_cell(name: str) -> CellCase:
    """The case `name`."""
    folder = ROOT / name
    return CellCase(
        name=name,
        structure=read_structure(folder / "structure.extxyz"),
        force_field=read_force_field(folder / "force_field.toml"),
        reference=_REFERENCES[name],
    )
