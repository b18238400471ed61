"""Zero modes of many atoms and many fragments: right, and in little memory."""

from __future__ import annotations

import tracemalloc
from types import SimpleNamespace
from typing import cast

import jax
import numpy as np
import pytest
from small_systems import build, structure

from md_sensitivity.analysis.certificate import shortest_bond
from md_sensitivity.curvature.zero_modes import _found, count_zero_modes, zero_modes
from md_sensitivity.minimization import Equilibrium
from md_sensitivity.types import Structure

SHORT = """
[[potential]]
style = "lennard_jones"
cutoff = 1.5
[potential.parameters.A]
sigma = 1.0
epsilon = 0.01
"""


def dimers(cells: int, frozen: int) -> tuple[Structure, np.ndarray]:
    """Cubic lattice of dimers along x, those of the last layer across the boundary, some with one frozen atom."""
    places = np.array(list(np.ndindex(cells, cells, cells)), dtype=float) * 4.0
    positions = np.concatenate([places + np.array([3.5, 0.2, 0.3]), places + np.array([4.6, 0.3, 0.2])])
    edge = 4.0 * cells
    made = structure(np.mod(positions, edge), "A" * len(positions), edge * np.eye(3))
    held = np.zeros(len(positions), dtype=bool)
    held[:frozen] = True
    return made, held


@pytest.mark.parametrize("frozen", [0, 1, 40])
def test_each_of_a_thousand_dimers_moves_by_itself(frozen: int) -> None:
    made, held = dimers(10, frozen)
    energy, x, theta = build(SHORT, made, fixed=held)
    modes = zero_modes(energy, x, theta)
    assert modes is not None and len(modes.origin) == 1000
    # A dimer has three translations and two rotations; one that is held by an atom keeps its rotations.
    assert count_zero_modes(modes, x) == 5 * (1000 - frozen) + 2 * frozen
    whole = np.asarray(x) + np.asarray(modes.image)
    assert np.linalg.norm(whole[1000:] - whole[:1000], axis=1) == pytest.approx(np.sqrt(1.1**2 + 0.02))


def test_a_chain_through_several_cells_is_unwrapped_and_turns_about_its_axis() -> None:
    # A helix of pitch 3 cells' heights is one strand that closes on itself: it crosses the boundary many times on its way.
    angles = np.arange(60) * 2 * np.pi / 20
    helix = np.stack([4.0 * np.cos(angles), 4.0 * np.sin(angles), np.arange(60) * 0.6], axis=1) + np.array([6.0, 6.0, 0.0])
    cell = np.diag([14.0, 14.0, 36.0])
    inside = helix - np.floor((helix + np.array([3.0, 3.0, 20.0])) / np.diag(cell)) @ cell
    energy, x, theta = build(SHORT, structure(inside, "A" * 60, cell))
    modes = zero_modes(energy, x, theta)
    assert modes is not None and len(modes.origin) == 1
    assert count_zero_modes(modes, x) == 4
    whole = np.asarray(x) + np.asarray(modes.image)
    steps = np.linalg.norm(np.diff(whole, axis=0), axis=1)
    assert np.sum(steps > 2.0) <= 1, "one place at most, where the strand was cut"


@pytest.fixture(scope="module")
def crystal():  # type: ignore[no-untyped-def]
    """Energy, positions and θ of 4000 atoms with about eighty neighbors each."""
    base = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    sites = (np.array(list(np.ndindex(10, 10, 10)))[:, None, :] + base).reshape(-1, 3)
    return build(SHORT.replace("1.5", "1.6"), structure(sites, "A" * 4000, 10.0 * np.eye(3)))


def test_zero_modes_of_a_crystal_need_less_memory_than_its_neighbor_table(crystal) -> None:  # type: ignore[no-untyped-def]
    energy, x, theta = crystal
    frame, bonds = energy.frame(x), energy.bonds(x, theta)
    arguments = jax.tree.map(np.asarray, (x, frame.cell, frame.free, frame.atoms, bonds))
    assert bonds[0].index.nbytes > 300 * len(x)
    tracemalloc.start()
    found = _found(*arguments)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found.origin) == 1 and peak < 1500 * len(x), f"{peak / len(x):.0f} bytes for each atom"


def test_the_shortest_bond_is_found_without_vectors_of_all_pairs(crystal, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    energy, x, theta = crystal
    monkeypatch.setattr("md_sensitivity.analysis.certificate._ROWS", 256)
    x = np.asarray(x).copy()
    x[17] += [0.0, 0.05, 0.0]
    expected = min(np.linalg.norm(x[17] - x[k]) for k in range(len(x)) if k != 17)
    equilibrium = cast(Equilibrium, SimpleNamespace(x=x, positions=np.asarray(x), theta=theta, energy=energy))
    assert shortest_bond(equilibrium) == pytest.approx(expected, rel=1e-12)
    tracemalloc.start()
    shortest_bond(equilibrium)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1000 * len(x), f"{peak / len(x):.0f} bytes for each atom"
