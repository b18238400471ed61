"""Neighbor tables against ASE's, in every kind of cell."""

from __future__ import annotations

import numpy as np
import pytest
from ase.neighborlist import primitive_neighbor_list
from hypothesis import given, settings
from hypothesis import strategies as st

from md_sensitivity.energy import Bonds
from md_sensitivity.errors import InputError
from md_sensitivity.neighbors import MAX_ATOMS_ALL_PAIRS, ROWS, NeighborTable, build_table, complete_cell

Pairs = list[tuple[int, int, int, int, int]]


def pairs_of(table: NeighborTable) -> Pairs:
    """All (i, j, image) of a table."""
    i, j, images = Bonds(table.index, table.source, table.image, table.mask).pairs()
    return sorted(zip(i.tolist(), j.tolist(), *images.T.tolist(), strict=True))


def pairs_of_ase(positions: np.ndarray, cell: np.ndarray, pbc: tuple[bool, ...], radius: float) -> Pairs:
    i, j, images = primitive_neighbor_list("ijS", pbc, cell, positions, radius, self_interaction=False)
    return sorted(zip(i.tolist(), j.tolist(), *images.T.tolist(), strict=True))


@st.composite
def crystals(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, tuple[bool, ...], float]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    skew = draw(st.sampled_from([0.0, 0.3, 1.2]))
    cell = np.diag(rng.uniform(2.0, 6.0, size=3)) + skew * rng.normal(size=(3, 3))
    if abs(np.linalg.det(cell)) < 4.0:
        cell = np.diag(rng.uniform(2.0, 6.0, size=3))
    if draw(st.booleans()):
        cell = cell[[1, 0, 2]]  # left-handed
    pbc = draw(st.tuples(st.booleans(), st.booleans(), st.booleans()))
    fractions = rng.uniform(-1.7, 2.3, size=(draw(st.integers(1, 7)), 3))  # far outside the cell as well
    return fractions @ cell, cell, pbc, draw(st.floats(0.5, 7.0))


@settings(max_examples=120, deadline=None)
@given(case=crystals(), reverse=st.booleans(), width=st.sampled_from([0, 500]))
def test_tables_hold_exactly_the_pairs_of_ase(
    case: tuple[np.ndarray, np.ndarray, tuple[bool, ...], float], reverse: bool, width: int
) -> None:
    positions, cell, pbc, radius = case
    table = build_table(positions, cell, pbc, radius, reverse=reverse, width=width)
    assert pairs_of(table) == pairs_of_ase(positions, cell, pbc, radius)
    assert table.index.shape[1] >= width
    assert np.allclose(table.shift, table.image @ cell, atol=1e-12)
    padding = ~table.mask
    assert np.array_equal(table.index[padding], np.nonzero(padding)[0])
    assert table.index.shape[0] == len(positions) < ROWS and table.index.max() < len(table.index) + len(table.source)


@settings(max_examples=60, deadline=None)
@given(case=crystals())
def test_the_reverse_table_names_the_opposite_of_each_entry(case: tuple[np.ndarray, np.ndarray, tuple[bool, ...], float]) -> None:
    positions, cell, pbc, radius = case
    table = build_table(positions, cell, pbc, radius, reverse=True)
    rows, width = table.index.shape
    images = np.concatenate([np.zeros((rows, 3), dtype=int), table.image])
    for i, e in np.argwhere(table.mask):
        here = table.index[i, e]
        j, f = divmod(int(table.reverse[i, e]), width)
        back = table.index[j, f]
        assert table.mask[j, f] and (j, table.atoms[back]) == (table.atoms[here], i) and np.array_equal(images[back], -images[here])
    assert np.array_equal(np.sort(table.reverse.reshape(-1)), np.arange(table.reverse.size))


@settings(max_examples=30, deadline=None)
@given(n=st.integers(1, 12))
def test_without_a_radius_every_pair_is_there(n: int) -> None:
    table = build_table(np.random.default_rng(n).normal(size=(n, 3)) * 100, np.eye(3), (False,) * 3, np.inf, reverse=True)
    assert pairs_of(table) == [(i, j, 0, 0, 0) for i in range(n) for j in range(n) if i != j]


def test_too_many_pairs_are_refused_before_memory_is_asked_for() -> None:
    with pytest.raises(InputError, match="cutoff"):
        build_table(np.zeros((MAX_ATOMS_ALL_PAIRS + 1, 3)), np.eye(3), (False,) * 3, np.inf, reverse=False)


@pytest.mark.parametrize("rows", [(), (0,), (2,), (0, 1), (1, 2)])
def test_a_missing_cell_vector_is_completed_at_right_angles(rows: tuple[int, ...]) -> None:
    cell = np.zeros((3, 3))
    given_rows = np.array([[3.0, 0.2, 0.1], [0.3, 4.0, -0.5], [-0.2, 0.4, 5.0]])
    cell[list(rows)] = given_rows[list(rows)]
    whole = complete_cell(cell)
    for row in range(3):
        if row in rows:
            assert np.allclose(whole[row], given_rows[row], rtol=1e-15, atol=1e-15)
        else:
            assert np.linalg.norm(whole[row]) == pytest.approx(1.0)
            assert np.allclose(whole[row] @ cell.T, 0.0, atol=1e-12)
