"""Derivatives of energy and forces with respect to every line of a force field, against OpenMM with that line changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

pytest.importorskip("openmm")

from openmm_cases import cases
from openmm_derivatives import Engine, romberg
from openmm_models import XmlModel, lines_of

from md_sensitivity.analysis.directions import directions_of
from md_sensitivity.building import build_system
from md_sensitivity.forcefields import acting_rows, read_force_field
from md_sensitivity.structures import read_structure
from md_sensitivity.system import energy_function
from md_sensitivity.units import OPENMM

FOLDER = Path(__file__).parent.parent / "oracles" / "openmm"
STEP = 4e-3
"""Relative to a value."""


def names_of(model: Any) -> set[str]:
    """All numbers of a model's file, and its radii."""
    if isinstance(model, XmlModel):
        return set(lines_of(model.root))
    return names_of(model.inner) | {f"GBSA.{kind}.{parameter}" for kind in model.numbers for parameter in ("radius", "scale")}


@pytest.mark.parametrize("name", [*(pytest.param(name, marks=pytest.mark.slow) for name in ("amber14_obc2", "charmm36")), "three_waters"])
def test_every_line_acts_as_in_openmm(name: str) -> None:
    case = next(case for case in cases() if case.name == name)
    force_field = read_force_field(FOLDER / case.force_field)
    x = case.start + np.random.default_rng(4).uniform(-0.003, 0.003, case.start.shape)
    structure = replace(read_structure(FOLDER / case.structure), positions=10.0 * x)
    table = force_field.table
    rows = [row for row in acting_rows(force_field, structure) if table.free[row]]  # what follows others, and values of maps, is not
    assert {table.names[row] for row in rows} <= names_of(case.model)

    def line(row: int) -> np.ndarray:
        """dE/dθ, then dF/dθ."""
        base = case.model.value(table.names[row])
        assert table.values[row] == pytest.approx(base, rel=1e-12)

        def sample(value: float) -> np.ndarray:
            energy, forces = Engine(case.model.system(table.names[row], value))(x.ravel())
            return np.array([energy, *forces])

        return romberg(sample, base, STEP * (abs(base) or 1.0))

    theirs = np.array([line(row) for row in rows]) * OPENMM.energy
    theirs[:, 1:] /= OPENMM.length
    energy = energy_function(build_system(structure, force_field))
    gradient = jax.value_and_grad(energy)
    theta = jax.tree.map(jnp.asarray, force_field.parameters)

    @jax.jit
    def along(direction: Any) -> jax.Array:
        value, slope = jax.jvp(lambda t: gradient(energy.system.positions, t), (theta,), (direction,))[1]
        return jnp.concatenate([value[None], -slope[: structure.size].ravel()])

    ours = np.asarray(jax.lax.map(along, directions_of(force_field, rows).tree))
    scale = np.maximum(np.abs(table.values[rows]), 1.0)[:, None]
    size = np.abs(theirs).max(axis=1, keepdims=True)
    wrong = np.abs(ours - theirs) > 1e-7 * size + 1e-9 / scale
    assert not wrong.any(), [(table.names[rows[p]], k, ours[p, k], theirs[p, k]) for p, k in np.argwhere(wrong)[:10]]
    assert np.median(np.abs(ours - theirs).max(axis=1) / np.maximum(size[:, 0], 1e-9)) < 1e-9
