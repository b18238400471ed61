"""Contacts of rattlers stay removed, and only those, where an energy is built anew for other positions."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from small_systems import force_field, soft_discs

from md_sensitivity.building import build_system
from md_sensitivity.system import EnergyFunction, energy_function
from md_sensitivity.types import Structure

SPACING, ROWS = 0.98, 4
FIELD = force_field(soft_discs(0.8))
CELL = np.diag([ROWS * SPACING, ROWS * SPACING * np.sqrt(0.75), 1.0])
RATTLER = 5


def discs(positions: np.ndarray) -> Structure:
    n = len(positions)
    return Structure(
        positions=positions,
        types=tuple("B" if i == RATTLER else "A" for i in range(n)),
        numbers=np.zeros(n, dtype=np.int64),
        cell=CELL,
        pbc=np.array([True, True, False]),
        masses=np.ones(n),
        fixed=np.zeros((n, 3), dtype=bool),
    )


def packing() -> np.ndarray:
    """A compressed triangular lattice, one site of which holds a small disc that touches one neighbor."""
    i, j = np.divmod(np.arange(ROWS * ROWS), ROWS)
    x = np.stack([(j + 0.5 * (i % 2)) * SPACING, i * np.sqrt(0.75) * SPACING, 0.0 * i], axis=1)
    x[RATTLER, 0] += 0.1
    return x


def elsewhere(pair: tuple[int, ...]) -> np.ndarray:
    """All discs in one corner, but for some in the middle, where they meet each other only."""
    x = np.zeros((ROWS * ROWS, 3))
    x[:, 0] = 0.01 * np.arange(len(x))
    x[list(pair), :2] = 0.5 * np.diag(CELL)[:2] + 0.1 * np.arange(len(pair))[:, None]
    return x


def built(positions: np.ndarray) -> EnergyFunction:
    return energy_function(build_system(discs(positions), FIELD, dimensions=2))


@pytest.mark.parametrize(
    "company", [(RATTLER,), (RATTLER, 9), (RATTLER, 9, 10)], ids=["rattler alone", "rattler with one disc", "rattler with two discs"]
)
def test_an_energy_built_anywhere_has_the_contacts_of_its_model(company: tuple[int, ...]) -> None:
    x, theta = packing(), FIELD.parameters
    full = built(x)
    model = full.stabilized(x, theta)
    assert float(model(x, theta)) < float(full(x, theta)), "the small disc is to touch, and to be a rattler"
    again = built(elsewhere(company)).like(model).updated(x, theta).updated(x, theta)
    assert np.allclose(float(again(x, theta)), float(model(x, theta)), rtol=1e-13)
    assert np.allclose(np.asarray(jax.grad(again)(x, theta)), np.asarray(jax.grad(model)(x, theta)), atol=1e-13)
