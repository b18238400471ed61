"""The reference cases under tests/oracles, made by LAMMPS alone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from md_sensitivity.forcefields import ForceField, read_force_field
from md_sensitivity.structures import read_structure
from md_sensitivity.types import Structure

ROOT = Path(__file__).parent / "oracles"
STATIC = sorted(path.name for path in (ROOT / "static").iterdir())
RELAXED = sorted(path.name for path in (ROOT / "relaxed").iterdir())


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
