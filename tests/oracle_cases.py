"""The reference cases under tests/oracles, made by LAMMPS alone."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from md_sensitivity.forcefields import ForceField, read_force_field
from md_sensitivity.structures import read_structure
from md_sensitivity.types import Structure

ROOT = Path(__file__).parent / "oracles"
_AT_ONCE = {
    "argon_vacancy", "argon_vacancy_force_shift", "born_plus_coulomb_salt", "buckingham_cluster", "eam_alloy_copper_nickel",
    "gupta_cluster",
    "lj_binary_force_shift", "lj_binary_switch", "morse_binary", "silicon_interstitial", "soft_sphere_packing", "soft_sphere_rattlers",
    "tersoff_silicon_carbide",
}  # fmt: skip
"""Minima that are looked at in each run of the tests, one of each kind; the others wait for `-m slow`."""


def _kind(name: str) -> str:
    """What a static case is a case of: its potentials, their files, truncation and mixing."""
    potentials = tomllib.loads((ROOT / "static" / name / "force_field.toml").read_text())["potential"]
    return repr([[item.get(key) for key in ("style", "file", "truncation", "mixing")] for item in potentials])


def _static() -> list[Any]:
    """All static cases; of several of a kind, those in triclinic cells (or the first) are looked at in each run of the tests."""
    names = sorted(path.name for path in (ROOT / "static").iterdir())
    chosen = {_kind(name): name for name in reversed(names)} | {_kind(name): name for name in reversed(names) if "triclinic" in name}
    return [name if name in chosen.values() else pytest.param(name, marks=pytest.mark.slow) for name in names]


STATIC = _static()
_MINIMA = sorted(path.name for path in (ROOT / "relaxed").iterdir())
RELAXED = [name if name in _AT_ONCE else pytest.param(name, marks=pytest.mark.slow) for name in _MINIMA]


@dataclass(frozen=True)
class Case:
    """One case: what to read, and what LAMMPS says."""

    structure: Structure
    force_field: ForceField
    reference: dict[str, Any]
    arrays: dict[str, np.ndarray]


def load_case(kind: str, name: str) -> Case:
    """The case `name` of kind "static" or "relaxed"."""
    folder = ROOT / kind / name
    arrays = folder / "reference.npz"
    return Case(
        structure=read_structure(folder / "structure.extxyz"),
        force_field=read_force_field(folder / "force_field.toml"),
        reference=json.loads((folder / "reference.json").read_text()),
        arrays=dict(np.load(arrays)) if arrays.exists() else {},
    )
