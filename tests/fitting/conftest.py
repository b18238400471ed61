"""Small Lennard-Jones clusters whose relaxed answers are known in closed form, and fits of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from md_sensitivity.forcefields import ForceField, parse_native
from md_sensitivity.structures.validate import validated
from md_sensitivity.types import Structure

SIZE = 4
CORNERS = np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 1.0]]) / 2**0.5


def lennard_jones(sigma: str, epsilon: str) -> ForceField:
    text = f'units = "reduced"\n[[potential]]\nstyle = "lennard_jones"\n[potential.parameters.A]\nsigma = {sigma}\nepsilon = {epsilon}\n'
    return parse_native(text, "lj.toml")


@pytest.fixture
def force_field() -> Callable[[str, str], ForceField]:
    """Lennard-Jones with these entries for σ and ε."""
    return lennard_jones


def structure_of(positions: np.ndarray, name: str = "cluster") -> Structure:
    n = len(positions)
    return validated(
        Structure(
            positions=positions,
            types=("A",) * n,
            numbers=np.zeros(n, dtype=int),
            cell=np.zeros((3, 3)),
            pbc=np.zeros(3, dtype=bool),
            masses=np.ones(n),
            fixed=np.zeros((n, 3), dtype=bool),
            name=name,
        )
    )


@pytest.fixture
def tetrahedron() -> Callable[..., Structure]:
    """Four atoms; relaxed, all six distances are 2^(1/6) σ and the energy is −6 ε."""

    def make(edge: float = 1.2, seed: int = 1, name: str = "tetrahedron") -> Structure:
        return structure_of(edge * CORNERS + np.random.default_rng(seed).uniform(-0.04, 0.04, (4, 3)), name)

    return make
