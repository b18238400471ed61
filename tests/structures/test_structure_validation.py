"""The checks that every structure passes, whoever made it."""

import time
from dataclasses import replace

import ase
import numpy as np
import pytest
from ase.build import bulk
from hypothesis import given, settings
from hypothesis import strategies as st

from md_sensitivity.errors import InputError
from md_sensitivity.structures.validate import MIN_DISTANCE, overlapping_pair, validated
from md_sensitivity.types import Structure


def copper() -> Structure:
    return Structure.from_ase(bulk("Cu", cubic=True))


def test_a_good_structure_comes_back_equal():
    structure = copper()
    again = validated(structure)
    assert again.positions.dtype == again.cell.dtype == again.masses.dtype == np.float64
    np.testing.assert_array_equal(again.positions, structure.positions)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"positions": np.zeros((0, 3))}, "no atoms"),
        ({"positions": np.full((4, 3), np.nan)}, "atom 0: coordinate nan is not finite; 12 such values"),
        ({"positions": np.full((4, 3), 1e9)}, "is beyond"),
        ({"types": ("Cu",) * 3}, "3 entries of types for 4 atoms"),
        ({"types": ("Cu", "C u", "Cu", "Cu")}, "atom 1: 'C u' is no atom type"),
        ({"types": ("Cu", "", "Cu", "Cu")}, "atom 1: '' is no atom type"),
        ({"numbers": np.array([29, 29, 999, 29])}, "atom 2: there is no element with number 999"),
        ({"numbers": np.array([0, 29, 29, 29]), "types": ("X", "Cu", "Cu", "Cu")}, "atom 0 has no known chemical element"),
        ({"masses": np.array([1.0, np.inf, 1, 1])}, "atom 1: mass inf is not finite"),
        ({"masses": np.array([1.0, 1, 0, 1])}, "atom 2: mass 0 is not positive"),
        ({"masses": np.ones(3)}, "masses has shape"),
        ({"fixed": np.zeros(4, dtype=bool)}, "fixed has shape"),
        ({"cell": np.zeros((3, 3))}, "periodic along cell vector a"),
        ({"cell": np.array([[4.0, 0, 0], [0, 4, 0], [4, 4, 0]])}, "linearly dependent"),
        ({"cell": np.full((3, 3), np.inf)}, "not finite"),
        ({"bonds": np.array([[0, 4]])}, "a bond names atom 4"),
        ({"bonds": np.array([[1, 1]])}, "joins atom 1 to itself"),
        ({"atom_names": ("A",)}, "1 entries of atom_names"),
        ({"residue_numbers": (1,)}, "1 entries of residue_numbers"),
    ],
)
def test_refusals(change, message):
    with pytest.raises(InputError) as caught:
        validated(replace(copper(), **change), source="file.x")
    assert message in str(caught.value)
    assert str(caught.value).startswith("file.x: ")


def test_particles_without_element_need_types():
    atoms = ase.Atoms("X2", positions=[[0, 0, 0], [2, 0, 0]])
    with pytest.raises(InputError, match="no known chemical element"):
        Structure.from_ase(atoms)
    atoms.new_array("atom_types", np.array(["bead", "bead"]))
    assert Structure.from_ase(atoms).types == ("bead", "bead")


def test_dependent_vectors_matter_only_where_periodic():
    flat = np.array([[4.0, 0, 0], [0, 4, 0], [4, 4, 0]])
    assert validated(replace(copper(), cell=flat, pbc=np.array([True, True, False]))).size == 4


CELLS = st.sampled_from([
    np.diag([5.0, 6.0, 7.0]), np.array([[5.0, 0, 0], [2.4, 6, 0], [-2.3, 2.9, 7]]), np.array([[5.0, 1, -1], [14, 6, 0], [-2, 9, 7]]),
    np.array([[0.0, 3, 3], [3, 0, 3], [3, 3, 0]]),
])  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(
    cell=CELLS,
    pbc=st.tuples(*[st.booleans()] * 3),
    seed=st.integers(0, 2**32 - 1),
    image=st.tuples(*[st.integers(-3, 3)] * 3),
    factor=st.sampled_from([0.0, 0.5, 0.98, 1.02, 3.0]),
    on_a_face=st.booleans(),
)
def test_overlaps_through_periodic_boundaries(cell, pbc, seed, image, factor, on_a_face):
    """A copy of one atom, shifted by a lattice vector and a little more, is found where that vector is periodic, and only there."""
    draw = np.random.default_rng(seed)
    scaled = draw.permutation(np.stack(np.meshgrid(*[[0.1, 0.4, 0.7]] * 3), axis=-1).reshape(-1, 3))[:9]
    if on_a_face:
        scaled[0, seed % 3] = 0.0
    positions = scaled @ cell + draw.uniform(-1e-12, 1e-12, (9, 3))
    direction = draw.normal(size=3)
    offset = factor * MIN_DISTANCE * direction / np.linalg.norm(direction)
    shift = (np.array(image) * np.array(pbc)) @ cell
    pair = overlapping_pair(np.concatenate([positions, positions[:1] + shift + offset]), cell, np.array(pbc))
    assert (pair is not None and set(pair) == {0, 9}) if factor < 1 else pair is None
    if any(np.array(image)[~np.array(pbc)]):
        apart = overlapping_pair(np.concatenate([positions, positions[:1] + np.array(image) @ cell]), cell, np.array(pbc))
        assert apart is None


def test_many_atoms_are_checked_quickly():
    lattice = np.stack(np.meshgrid(*[np.arange(50.0)] * 3), axis=-1).reshape(-1, 3)
    started = time.perf_counter()
    assert overlapping_pair(lattice, np.diag([50.0] * 3), np.ones(3, dtype=bool)) is None
    assert overlapping_pair(np.zeros((125_000, 3)), np.eye(3), np.zeros(3, dtype=bool)) is not None
    assert overlapping_pair(np.repeat(lattice[:60_000], 2, axis=0), np.eye(3), np.zeros(3, dtype=bool)) is not None
    assert time.perf_counter() - started < 10
