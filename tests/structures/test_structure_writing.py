"""Relaxed structures as text: extended XYZ loses no bit, PDB no atom."""

import io
from dataclasses import replace

import ase.io
import mdtraj
import numpy as np
import pytest
from ase.build import bulk, molecule
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from md_sensitivity.errors import ComputationError
from md_sensitivity.structures import read_structure
from md_sensitivity.structures.write import bfactor_pdb, bfactor_scale, column_names, relaxed_extxyz
from md_sensitivity.types import Structure

TRICLINIC = np.array([[7.1, 0.3, 0.0], [1.3, 6.4, -0.2], [-0.9, 2.2, 8.3]])
FINITE = st.floats(allow_nan=False, allow_infinity=False, width=64)


def salt(**changes) -> Structure:
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    return replace(Structure.from_ase(atoms), **changes)


def reread(text: str) -> ase.Atoms:
    return ase.io.read(io.StringIO(text), format="extxyz")


@settings(max_examples=100, deadline=None)
@given(
    positions=hnp.arrays(np.float64, (8, 3), elements=FINITE),
    cell=hnp.arrays(np.float64, (3, 3), elements=FINITE),
    scalar=hnp.arrays(np.float64, 8, elements=FINITE),
    vector=hnp.arrays(np.float64, (8, 3), elements=FINITE),
    pbc=hnp.arrays(bool, 3),
)
def test_every_bit_survives_ase(positions, cell, scalar, vector, pbc):
    text = relaxed_extxyz(salt(pbc=pbc), positions, cell, {"scalar": scalar, "MDS_d_lj.Ar-Kr.sigma": vector})
    atoms = reread(text)
    np.testing.assert_array_equal(atoms.positions, positions)
    np.testing.assert_array_equal(atoms.cell.array, cell)
    np.testing.assert_array_equal(atoms.arrays["scalar"], scalar)
    np.testing.assert_array_equal(atoms.arrays["MDS_d_lj.Ar-Kr.sigma"], vector)
    assert atoms.pbc.tolist() == pbc.tolist()
    assert np.signbit(atoms.positions).tolist() == np.signbit(positions).tolist()       # minus zero included


@settings(max_examples=150, deadline=None)
@given(
    names=st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=6, unique=True),
    widths=st.lists(st.sampled_from([1, 3]), min_size=6, max_size=6),
)
def test_any_column_name_is_carried(names, widths):
    columns = {name: np.arange(8.0 * width).reshape((8, 3) if width == 3 else 8) for name, width in zip(names, widths, strict=False)}
    structure = salt()
    atoms = reread(relaxed_extxyz(structure, structure.positions, structure.cell, columns))
    written = column_names({name: 1 if values.ndim == 1 else 3 for name, values in columns.items()})
    assert len(set(written)) == len(names)
    assert all(name.isascii() for name in written)
    for name, values in zip(written, columns.values(), strict=True):
        if name in atoms.arrays:        # `forces` and the like become results of a calculator
            np.testing.assert_array_equal(atoms.arrays[name], values)
        else:
            np.testing.assert_array_equal(atoms.calc.results[name], values)
    np.testing.assert_array_equal(atoms.positions, structure.positions)


def test_column_names():
    assert column_names({"MDS_d_lennard_jones.Ar-Kr.sigma": 3}) == ["MDS_d_lennard_jones.Ar-Kr.sigma"]
    assert column_names({"a b": 1, "a:b": 1, 'a"b': 1}) == ["a_b", "a_b_2", "a_b_3"]
    assert column_names({"pos": 3, "pos0": 1, "species": 1, "": 1}) == ["pos_2", "pos0_2", "species_2", "_"]
    assert column_names({"v": 3, "v1": 1, "ε": 1}) == ["v", "v1_2", "_"]


def test_everything_that_a_structure_says_comes_back(tmp_path):
    fixed = np.zeros((8, 3), dtype=bool)
    fixed[1], fixed[4, 2] = True, True
    structure = salt(
        types=("A", "B") * 4, numbers=np.array([0, 17] * 4), masses=np.linspace(1, 2, 8) / 3, fixed=fixed, cell=TRICLINIC,
        pbc=np.array([True, False, True]),
    )  # fmt: skip
    positions = np.random.default_rng(1).normal(size=(8, 3))
    path = tmp_path / "relaxed.extxyz"
    path.write_text(relaxed_extxyz(structure, positions, TRICLINIC * 1.01, {}))
    again = read_structure(path)
    np.testing.assert_array_equal(again.positions, positions)
    np.testing.assert_array_equal(again.cell, TRICLINIC * 1.01)
    np.testing.assert_array_equal(again.masses, structure.masses)
    np.testing.assert_array_equal(again.fixed, fixed)
    np.testing.assert_array_equal(again.pbc, structure.pbc)
    assert (again.types, again.symbols) == (structure.types, structure.symbols)
    whole = replace(structure, fixed=np.arange(8)[:, None] == np.array([[3, 3, 3]]))
    path.write_text(relaxed_extxyz(whole, positions, TRICLINIC, {}))
    assert ":move_mask:L:1" in path.read_text()
    np.testing.assert_array_equal(read_structure(path).fixed, whole.fixed)


def test_seventeen_digits_and_no_needless_columns():
    text = relaxed_extxyz(salt(), salt().positions, salt().cell, {})
    header, first = text.splitlines()[1:3]
    assert "Properties=species:S:1:pos:R:3 pbc" in header
    assert len(first.split()[1].partition("e")[0].replace(".", "").replace("-", "")) == 17
    assert "Lattice" not in relaxed_extxyz(salt(pbc=np.zeros(3, dtype=bool)), salt().positions, np.zeros((3, 3)), {})


@pytest.mark.parametrize("columns", [{"x": np.array([0, 1, 2, np.nan, 4, 5, 6, 7])}, {"x": np.full((8, 3), np.inf)}])
def test_what_is_not_finite_is_never_written(columns):
    with pytest.raises(ComputationError, match="x: a number is not finite"):
        relaxed_extxyz(salt(), salt().positions, salt().cell, columns)
    with pytest.raises(ComputationError, match="not finite"):
        relaxed_extxyz(salt(), salt().positions * np.nan, salt().cell, {})
    with pytest.raises(ComputationError, match="not finite"):
        bfactor_pdb(salt(), salt().positions, salt().cell, columns["x"].ravel()[:8], "t")


# --- PDB ---


def test_pdb_is_read_by_everyone(tmp_path):
    structure = replace(
        Structure.from_ase(molecule("CH3OH")), atom_names=("C1", "O1", "H1", "HO1", "H2", "H3"), residue_names=("MET",) * 6,
        residue_numbers=(17,) * 6, chain_names=("Q",) * 6,
    )  # fmt: skip
    bfactors = np.array([0.001, 0.002, 0.0005, 0.0, 0.009, 0.0099])
    path = tmp_path / "response.pdb"
    path.write_text(bfactor_pdb(structure, structure.positions, structure.cell, bfactors, "methanol"))
    again = read_structure(path)
    np.testing.assert_allclose(again.positions, structure.positions, atol=5.1e-4)
    assert (again.atom_names, again.residue_names, again.chain_names) == (structure.atom_names, structure.residue_names, ("Q",) * 6)
    assert (again.residue_numbers, again.symbols) == ((17,) * 6, structure.symbols)
    assert not again.pbc.any()
    scale = float(next(line for line in path.read_text().splitlines() if "TIMES" in line).split()[-1])
    assert scale == 1e5
    np.testing.assert_allclose(ase.io.read(path).arrays["bfactor"] / scale, bfactors, atol=0.0051 / scale)
    assert mdtraj.load(str(path)).n_atoms == 6


def test_pdb_rotates_a_general_cell(tmp_path):
    structure = salt(cell=TRICLINIC)
    path = tmp_path / "a.pdb"
    path.write_text(bfactor_pdb(structure, structure.positions, TRICLINIC, np.zeros(8), "general"))
    again = read_structure(path)
    assert again.pbc.all()
    np.testing.assert_allclose(np.linalg.norm(again.cell, axis=1), np.linalg.norm(TRICLINIC, axis=1), atol=1e-3)
    before = np.linalg.solve(TRICLINIC.T, (structure.positions - structure.positions[0]).T)
    after = np.linalg.solve(again.cell.T, (again.positions - again.positions[0]).T)
    np.testing.assert_allclose(after, before, atol=1e-3)


def test_pdb_of_slabs_and_clusters():
    slab = bfactor_pdb(salt(pbc=np.array([True, True, False])), salt().positions, salt().cell, np.zeros(8), "slab")
    assert "CRYST1" in slab
    assert "PERIODIC ALONG a b ONLY" in slab
    assert "CRYST1" not in bfactor_pdb(salt(pbc=np.zeros(3, dtype=bool)), salt().positions, salt().cell, np.zeros(8), "cluster")
    flat = np.diag([5.0, 5.0, 0.0])
    assert "CRYST1" not in bfactor_pdb(salt(pbc=np.array([True, True, False])), salt().positions, flat, np.zeros(8), "flat")


@settings(max_examples=200, deadline=None)
@given(hnp.arrays(np.float64, 8, elements=FINITE), st.text(max_size=100))
def test_pdb_columns_hold_any_bfactor_and_title(bfactors, title):
    structure = salt(pbc=np.zeros(3, dtype=bool))
    lines = bfactor_pdb(structure, structure.positions, structure.cell, bfactors, title).splitlines()
    atoms = [line for line in lines if line.startswith("ATOM")]
    assert len(lines) == 8 + 4
    assert {len(line) for line in atoms} == {78}
    scale = bfactor_scale(bfactors)
    np.testing.assert_allclose([float(line[60:66]) for line in atoms], bfactors * scale, atol=0.51)
    assert all(line.isascii() and len(line) <= 80 for line in lines)


def test_pdb_scale_is_the_largest_power_of_ten_that_fits():
    assert bfactor_scale(np.array([0.0, 0.0])) == 1.0
    assert bfactor_scale(np.array([0.5])) == 1e3
    assert bfactor_scale(np.array([99.99, 3.0])) == 1.0
    assert bfactor_scale(np.array([9.9])) == 100.0
    assert bfactor_scale(np.array([999.0])) == 1.0
    assert bfactor_scale(np.array([1000.0])) == 0.1
    assert bfactor_scale(np.array([-99.0])) == 1.0
    assert bfactor_scale(np.array([-100.0, 5.0])) == 0.1


def test_pdb_far_coordinates_lose_decimals_and_absurd_ones_are_refused():
    structure = salt(pbc=np.zeros(3, dtype=bool))
    text = bfactor_pdb(structure, structure.positions + 123456.0, structure.cell, np.zeros(8), "far")
    assert float(text.splitlines()[2][30:38]) == pytest.approx(123456.0)
    with pytest.raises(ComputationError, match="does not fit"):
        bfactor_pdb(structure, structure.positions + 1e9, structure.cell, np.zeros(8), "too far")


def test_pdb_of_many_atoms_with_long_names(tmp_path):
    n = 100_005
    positions = 2.0 * np.stack(np.unravel_index(np.arange(n), (50, 50, 50)), axis=1)
    structure = Structure(
        positions=positions, types=("a_long_bead_type",) * n, numbers=np.full(n, 18), cell=np.zeros((3, 3)), pbc=np.zeros(3, dtype=bool),
        masses=np.ones(n), fixed=np.zeros((n, 3), dtype=bool), residue_names=("POPCX",) * n, residue_numbers=tuple(range(n)),
    )  # fmt: skip
    lines = bfactor_pdb(structure, positions, structure.cell, np.linspace(0, 1, n), "many").splitlines()
    atoms = [line for line in lines if line.startswith("ATOM")]
    assert len(atoms) == n
    assert {len(line) for line in atoms} == {78}
    assert atoms[99_999][6:11] == "    0"
