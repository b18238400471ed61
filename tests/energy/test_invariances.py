"""What must not change the energy of any potential: motions of space, names of atoms, images, supercells and the choice of the cell."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_systems import (
    ANYWHERE,
    CELL,
    FORCE_FIELDS,
    SPACING,
    STRUCTURES,
    build,
    close,
    crystal,
    force_field,
    gradient,
    sampled,
    shaped,
    structure,
    value,
)

from md_sensitivity.building import build_system
from md_sensitivity.neighbors import build_table
from md_sensitivity.system import EnergyFunction, energy_function
from md_sensitivity.types import Structure

SEEDS = st.integers(0, 2**32 - 1)
WIDTH = 64
"""One table width for all crystals here, so that programs are shared whatever the numbers of neighbors."""


def evaluated(potential: str, of: Structure) -> tuple[float, np.ndarray]:
    """Energy and its gradient, with tables of one width."""
    field = force_field(FORCE_FIELDS[potential])
    energy = widened(energy_function(build_system(of, field)), WIDTH if potential not in ("stillinger_weber", "snap") else 24)
    x = jnp.asarray(of.positions)
    return float(value(energy, x, field.parameters)), np.asarray(gradient(energy, x, field.parameters))


def widened(energy: EnergyFunction, width: int) -> EnergyFunction:
    """The same energy with at least `width` places for neighbors of an atom."""
    system = energy.system
    terms = []
    for term in system.terms:
        old = term.neighbors
        space = (np.asarray(system.positions), np.asarray(system.cell), system.pbc, float(old.radius))
        table = build_table(*space, reverse=old.reverse is not None, width=width)
        terms.append(replace(term, neighbors=table))
    return replace(energy, system=replace(system, terms=tuple(terms)))


def rotation(rng: np.random.Generator) -> np.ndarray:
    """A random rotation, or a reflection, which leaves energies the same too."""
    return np.linalg.qr(rng.normal(size=(3, 3)))[0]


def assert_same(found: tuple[float, Any], expected: tuple[float, Any]) -> None:
    assert found[0] == pytest.approx(expected[0], rel=1e-11, abs=1e-11)
    assert close(found[1], expected[1], 1e-10)


@pytest.mark.parametrize(("potential", "shape"), shaped())
@settings(max_examples=6, deadline=None)
@given(seed=SEEDS)
def test_moving_turning_and_renumbering_atoms_changes_nothing(potential: str, shape: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    of = STRUCTURES[shape]()
    e, g = evaluated(potential, of)
    turn, order = rotation(rng), rng.permutation(of.size)
    moved = replace(
        of,
        positions=(of.positions @ turn + rng.normal(scale=30.0, size=3))[order],
        cell=of.cell @ turn,
        types=tuple(of.types[i] for i in order),
    )
    assert_same(evaluated(potential, moved), (e, (g @ turn)[order]))


@pytest.mark.parametrize("potential", sampled(FORCE_FIELDS))
@settings(max_examples=6, deadline=None)
@given(seed=SEEDS)
def test_images_and_the_choice_of_lattice_vectors_change_nothing(potential: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    of = crystal()
    expected = evaluated(potential, of)
    basis = np.eye(3, dtype=int)
    for _ in range(3):
        i, j = rng.permutation(3)[:2]
        basis[i] += rng.integers(-2, 3) * basis[j]
    basis = basis[rng.permutation(3)]
    images = rng.integers(-3, 4, size=(of.size, 3))
    assert_same(evaluated(potential, replace(of, positions=of.positions + images @ CELL, cell=basis @ CELL)), expected)


@pytest.mark.parametrize("potential", sampled(FORCE_FIELDS))
def test_a_supercell_has_that_many_times_the_energy_and_the_same_forces(potential: str) -> None:
    of = crystal()
    e, g = evaluated(potential, of)
    double = structure(np.concatenate([of.positions, of.positions + CELL[1]]), "ABBA" * 2, CELL * np.array([[1], [2], [1]]))
    assert_same(evaluated(potential, double), (2 * e, np.concatenate([g, g])))


@pytest.mark.parametrize("potential", sampled(ANYWHERE))
@pytest.mark.parametrize("pbc", [(True, True, False), (False, False, True)])
def test_a_slab_or_wire_is_a_crystal_with_a_wide_gap(potential: str, pbc: tuple[bool, bool, bool]) -> None:
    of = replace(crystal(), pbc=np.array(pbc))
    # The direction that is not periodic does not matter: nor do its length and its being there at all.
    wide = np.where(np.array(pbc)[:, None], CELL, 40.0 * np.eye(3))
    expected = evaluated(potential, replace(of, cell=wide, pbc=np.array((True,) * 3)))
    assert_same(evaluated(potential, of), expected)
    assert_same(evaluated(potential, replace(of, cell=np.where(np.array(pbc)[:, None], CELL, 0.0))), expected)
    assert not np.isclose(expected[0], evaluated(potential, crystal())[0])


@pytest.mark.parametrize("potential", sampled(ANYWHERE))
def test_far_clusters_add_up(potential: str) -> None:
    of = STRUCTURES["cluster"]()
    energy, x, theta = build(FORCE_FIELDS[potential], of)
    two = structure(np.concatenate([of.positions, of.positions + 20 * SPACING]), "ABAABBA" * 2)
    both, y, _ = build(FORCE_FIELDS[potential], two)
    assert float(value(both, y, theta)) == pytest.approx(2 * float(value(energy, x, theta)), rel=1e-12)
