"""What ASE and MDTraj write, `read_structure` reads back: the same atoms at the same places, for every format of the table."""

import bz2
import gzip
import hashlib
import lzma

import ase
import ase.io
import mdtraj
import numpy as np
import pytest
from ase.build import bulk, molecule
from ase.constraints import FixAtoms, FixCartesian

from md_sensitivity.errors import InputError, UsageError
from md_sensitivity.structures import FORMATS, READERS, read_structure, read_structures
from md_sensitivity.types import Structure

TRICLINIC = np.array([[7.1, 0.0, 0.0], [1.3, 6.4, 0.0], [-0.9, 2.2, 8.3]])

# format → file name, how ASE calls it, tolerance of the digits it writes [Å]
WRITTEN_BY_ASE = {
    "extxyz": ("a.extxyz", "extxyz", 6e-9),
    "xyz": ("a.xyz", "xyz", 1e-14),
    "cif": ("a.cif", "cif", 1e-6),
    "vasp": ("POSCAR", "vasp", 1e-13),
    "lammps-data": ("a.data", "lammps-data", 1e-13),
    "pdb": ("a.pdb", "proteindatabank", 6e-4),
    "gro": ("a.gro", "gromacs", 6e-3),
    "traj": ("a.traj", "traj", 0.0),
    "sdf": ("a.sdf", "sdf", 6e-5),
    "xsf": ("a.xsf", "xsf", 1e-13),
    "cfg": ("a.cfg", "cfg", 2e-5),
    "res": ("a.res", "res", 6e-6),
    "aims": ("geometry.in", "aims", 1e-7),
    "gen": ("a.gen", "gen", 1e-13),
    "dlp4": ("a.config", "dlp4", 1e-9),
    "xdatcar": ("XDATCAR", "vasp-xdatcar", 1e-6),
}
CLUSTERS_ONLY = {"xyz", "sdf"}


def crystal() -> ase.Atoms:
    """Eight atoms of two elements in a triclinic cell, all inside it, sorted by element."""
    scaled = np.random.default_rng(5).permutation(np.stack(np.meshgrid(*[[0.2, 0.7]] * 3), axis=-1).reshape(-1, 3))
    atoms = ase.Atoms("Na4Cl4", cell=TRICLINIC, scaled_positions=scaled, pbc=True)
    atoms.positions += np.random.default_rng(6).uniform(-0.3, 0.3, (8, 3))
    return atoms


def write(folder, name, atoms, ase_format, **options):
    path = folder / name
    if ase_format == "lammps-data":
        options = {"specorder": ["Cl", "Na"], "masses": True, **options}
    ase.io.write(path, atoms, format=ase_format, **options)
    return path


@pytest.mark.parametrize("form", WRITTEN_BY_ASE)
def test_ase_round_trip(tmp_path, form):
    name, ase_format, tolerance = WRITTEN_BY_ASE[form]
    atoms = crystal()
    if form in CLUSTERS_ONLY:
        atoms.pbc, atoms.cell = False, None
    path = write(tmp_path, name, atoms, ase_format)
    for reader in [reader for reader in READERS if reader == "auto" or reader in FORMATS[form].readers]:
        structure = read_structure(path, reader=reader)
        assert structure.symbols == tuple(atoms.symbols)
        assert structure.positions.dtype == np.float64
        assert structure.pbc.tolist() == atoms.pbc.tolist()
        np.testing.assert_allclose(structure.cell, np.asarray(atoms.cell), atol=max(tolerance, 1e-12) * 10)
        difference = structure.positions - atoms.positions
        if form in ("cif", "cfg", "res", "xdatcar"):   # these wrap atoms into the cell
            difference = ase.geometry.find_mic(difference, atoms.cell)[0]
        assert np.abs(difference).max() <= tolerance
        np.testing.assert_allclose(structure.masses, atoms.get_masses(), rtol=2e-3)
        assert not structure.fixed.any()
        assert (structure.path, structure.name) == (str(path), path.stem)
        assert structure.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_every_format_of_the_table_is_tested():
    assert set(FORMATS) == {*WRITTEN_BY_ASE, "mol2", "mmcif", "lammps-dump", "inpcrd"}
    assert all(form.description and form.readers for form in FORMATS.values())


@pytest.mark.parametrize(("suffix", "compress"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)])
def test_compressed_files(tmp_path, suffix, compress):
    plain = write(tmp_path, "a.extxyz", crystal(), "extxyz")
    packed = tmp_path / f"a.extxyz{suffix}"
    packed.write_bytes(compress(plain.read_bytes()))
    structure = read_structure(packed)
    assert structure.name == "a"
    assert structure.sha256 == hashlib.sha256(packed.read_bytes()).hexdigest()
    np.testing.assert_array_equal(structure.positions, read_structure(plain).positions)


@pytest.mark.parametrize("name", ["a@b.extxyz", "with space.extxyz", "übung-α.extxyz", "a:b,c.extxyz", "UPPER.EXTXYZ", "no_suffix"])
def test_odd_names(tmp_path, name):
    structure = read_structure(write(tmp_path, name, crystal(), "extxyz"))
    assert structure.size == 8


def test_windows_line_ends_and_byte_order_mark(tmp_path):
    path = write(tmp_path, "a.extxyz", crystal(), "extxyz")
    text = path.read_text()
    (tmp_path / "b.extxyz").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    np.testing.assert_array_equal(read_structure(tmp_path / "b.extxyz").positions, read_structure(path).positions)


@pytest.mark.parametrize("pbc", [(True, True, False), (True, False, False), (False, False, False), (False, True, True)])
@pytest.mark.parametrize("name", ["a.extxyz", "a.traj"])
def test_periodicity_per_axis(tmp_path, pbc, name):
    atoms = crystal()
    atoms.pbc = pbc
    structure = read_structure(write(tmp_path, name, atoms, name.split(".")[1]))
    assert tuple(structure.pbc) == pbc
    np.testing.assert_allclose(structure.cell, TRICLINIC, rtol=1e-12)


def test_slab_without_a_third_vector(tmp_path):
    atoms = crystal()
    atoms.cell[2], atoms.pbc = 0.0, (True, True, False)
    assert not read_structure(write(tmp_path, "a.extxyz", atoms, "extxyz")).cell[2].any()


@pytest.mark.parametrize("name", ["a.extxyz", "a.traj", "POSCAR", "geometry.in"])
def test_frozen_atoms(tmp_path, name):
    atoms = crystal()
    atoms.set_constraint(FixAtoms([1, 5]))
    fixed = read_structure(write(tmp_path, name, atoms, FORMAT_OF[name])).fixed
    assert fixed.all(axis=1).nonzero()[0].tolist() == [1, 5]
    assert fixed.sum() == 6


@pytest.mark.parametrize("name", ["a.extxyz", "a.traj", "geometry.in"])
def test_frozen_coordinates(tmp_path, name):
    atoms = crystal()
    atoms.set_constraint([FixCartesian(2, (True, False, True)), FixAtoms([6])])
    fixed = read_structure(write(tmp_path, name, atoms, FORMAT_OF[name])).fixed
    assert fixed[2].tolist() == [True, False, True]
    assert fixed[6].all()
    assert fixed.sum() == 5


FORMAT_OF = {"a.extxyz": "extxyz", "a.traj": "traj", "POSCAR": "vasp", "geometry.in": "aims"}


def test_selective_dynamics_along_axes_and_across(tmp_path):
    text = "x\n1\n5 0 0\n0 6 0\n{c}\nSi\n2\nSelective dynamics\nDirect\n0 0 0 T T F\n0.5 0.5 0.5 T T T\n"
    (tmp_path / "POSCAR").write_text(text.format(c="0 0 7"))
    assert read_structure(tmp_path / "POSCAR").fixed.tolist() == [[False, False, True], [False] * 3]
    (tmp_path / "CONTCAR").write_text(text.format(c="0 2 7"))      # c is tilted, but a and b span the xy plane: z stays frozen
    assert read_structure(tmp_path / "CONTCAR").fixed.tolist() == [[False, False, True], [False] * 3]
    (tmp_path / "POSCAR").write_text(text.format(c="0 2 7").replace("T T F", "T F T"))
    with pytest.raises(InputError, match="no Cartesian axis"):
        read_structure(tmp_path / "POSCAR")


def test_atom_types_of_extended_xyz(tmp_path):
    atoms = ase.Atoms("X3", positions=np.eye(3) * 3)
    atoms.new_array("atom_types", np.array(["A", "B", "A"]))
    structure = read_structure(write(tmp_path, "a.extxyz", atoms, "extxyz"))
    assert structure.types == ("A", "B", "A")
    assert structure.numbers.tolist() == [0, 0, 0]
    assert structure.formula == "A2B"


def test_masses_of_extended_xyz(tmp_path):
    atoms = molecule("H2O")
    atoms.set_masses([16, 2, 2])
    assert read_structure(write(tmp_path, "a.extxyz", atoms, "extxyz")).masses.tolist() == [16, 2, 2]


def test_plain_xyz_ignores_its_comment(tmp_path):
    (tmp_path / "a.xyz").write_text('2\nE = -3 stress=nonsense "unbalanced\nAr 0 0 0\nAr 0 0 3.8\n')
    structure = read_structure(tmp_path / "a.xyz")
    assert structure.positions[1, 2] == 3.8
    assert not structure.pbc.any()


# --- frames ---


@pytest.mark.parametrize("ase_format", ["extxyz", "traj", "xyz", "proteindatabank"])
def test_frames(tmp_path, ase_format):
    name = {"proteindatabank": "t.pdb"}.get(ase_format, f"t.{ase_format}")
    images = []
    for frame in range(5):
        atoms = bulk("Cu", cubic=True)
        atoms.positions[0, 0] = 0.25 * frame
        images.append(atoms)
    ase.io.write(tmp_path / name, images, format=ase_format)

    def moved(index):
        return [round(float(structure.positions[0, 0]) / 0.25) for structure in read_structures(tmp_path / name, index=index)]

    assert moved(":") == [0, 1, 2, 3, 4]
    assert moved("1:4:2") == [1, 3]
    assert moved("-2:") == [3, 4]
    assert moved("::-2") == [4, 2, 0]
    assert moved("-1") == moved(None) == [4]
    assert moved(2) == [2]
    assert [one.name for one in read_structures(tmp_path / name, index="-2:")] == ["t-3", "t-4"]
    assert [one.name for one in read_structures(tmp_path / name, index="-2")] == ["t"]
    assert read_structure(tmp_path / name).positions[0, 0] == 1.0
    assert read_structure(tmp_path / name, index="0").positions[0, 0] == 0.0
    for wrong in ("5", "-6", "7:9", "x", "1:2:0", "1:2:3:4", "", "1.5"):
        with pytest.raises(UsageError):
            read_structures(tmp_path / name, index=wrong)
    with pytest.raises(UsageError, match="read_structures"):
        read_structure(tmp_path / name, index=":")


def test_frames_of_different_size(tmp_path):
    ase.io.write(tmp_path / "a.extxyz", [molecule("H2O"), molecule("C6H6")], format="extxyz")
    assert [one.size for one in read_structures(tmp_path / "a.extxyz")] == [3, 12]


# --- MDTraj ---


def alanine_dipeptide() -> mdtraj.Trajectory:
    """ACE-ALA-NME: 22 atoms with standard names, 21 bonds."""
    topology = mdtraj.Topology()
    chain = topology.add_chain("Q")
    names = {
        "ACE": "H1 CH3 H2 H3 C O".split(),
        "ALA": "N H CA HA CB HB1 HB2 HB3 C O".split(),
        "NME": "N H C H1 H2 H3".split(),
    }
    for number, (residue_name, atoms) in enumerate(names.items(), start=4):
        residue = topology.add_residue(residue_name, chain, resSeq=number)
        for atom in atoms:
            topology.add_atom(atom, mdtraj.element.get_by_symbol(atom[0]), residue)
    topology.create_standard_bonds()
    xyz = np.random.default_rng(3).uniform(-1, 1, (2, 22, 3)).round(3)
    return mdtraj.Trajectory(xyz, topology, unitcell_lengths=[[3, 3.1, 3.2]] * 2, unitcell_angles=[[80, 95, 100]] * 2)


@pytest.mark.parametrize(("name", "decimals"), [("a.pdb", 3), ("a.gro", 2), ("a.cif", 3)])
def test_mdtraj_round_trip(tmp_path, name, decimals):
    trajectory = alanine_dipeptide()
    trajectory[0].save(str(tmp_path / name))
    structure = read_structure(tmp_path / name, reader="mdtraj")
    expected = (trajectory.xyz[0].astype(float) * 10).round(decimals)
    np.testing.assert_array_equal(structure.positions, expected)       # the digits of the text, not those of float32
    np.testing.assert_allclose(structure.cell, trajectory.unitcell_vectors[0] * 10, atol=2e-3)
    assert structure.pbc.all()
    assert structure.symbols == tuple(atom.element.symbol for atom in trajectory.topology.atoms)
    assert structure.atom_names == tuple(atom.name for atom in trajectory.topology.atoms)
    assert structure.residue_names[6] == "ALA"
    assert structure.residue_numbers[6] == (2 if name == "a.cif" else 5)       # MDTraj takes the running number of mmCIF
    bonds = {frozenset((bond.atom1.index, bond.atom2.index)) for bond in trajectory.topology.bonds}
    assert {frozenset(bond) for bond in structure.bonds.tolist()} == bonds
    assert len(structure.bonds) == 21
    assert structure.reader == "mdtraj"


def test_gro_with_many_decimals_keeps_them(tmp_path):
    (tmp_path / "a.gro").write_text(
        "t= nonsense\n 2\n    1LIG     C1    1   0.123456789   1.000000001   2.000000000\n"
        "    1LIG     O1    2   0.223456789   1.000000001   2.000000000\n   3.0 3.0 3.0\n"
    )
    structure = read_structure(tmp_path / "a.gro")
    assert structure.positions[0].tolist() == [1.23456789, 10.00000001, 20.0]
    assert structure.cell.tolist() == np.diag([30.0] * 3).tolist()
    with pytest.raises(InputError, match="three decimals"):
        read_structure(tmp_path / "a.gro", reader="ase")


def test_models_of_a_pdb_written_by_mdtraj(tmp_path):
    """ASE alone returns no atoms for such a file."""
    trajectory = alanine_dipeptide()
    trajectory.save(str(tmp_path / "a.pdb"))
    for reader in READERS:
        structures = read_structures(tmp_path / "a.pdb", reader=reader)
        assert [one.size for one in structures] == [22, 22]
        np.testing.assert_array_equal(structures[1].positions, (trajectory.xyz[1].astype(float) * 10).round(3))


def test_from_mdtraj_and_from_ase():
    trajectory = alanine_dipeptide()
    structure = Structure.from_mdtraj(trajectory, frame=0, name="dipeptide")
    np.testing.assert_array_equal(structure.positions, trajectory.xyz[0].astype(float) * 10)
    assert (structure.name, structure.size, len(structure.bonds), structure.chain_names[0]) == ("dipeptide", 22, 21, "Q")
    with pytest.raises(UsageError):
        Structure.from_mdtraj(trajectory, frame=2)
    atoms = crystal()
    structure = Structure.from_ase(atoms, name="salt")
    np.testing.assert_array_equal(structure.positions, atoms.positions)
    assert (structure.name, structure.reader, structure.types) == ("salt", "ase", tuple(atoms.symbols))
    atoms.positions[0, 0] = 99.0
    assert structure.positions[0, 0] != 99.0


@pytest.mark.parametrize(("name", "reader"), [("a.extxyz", "mdtraj"), ("a.mol2", "ase"), ("a.cif", "mdtraj")])
def test_the_other_reader_cannot(tmp_path, name, reader):
    (tmp_path / name).write_text(MOL2 if name == "a.mol2" else "")
    if name != "a.mol2":
        write(tmp_path, name, crystal(), name.split(".")[1])
    with pytest.raises(UsageError, match=f"reader {reader} does not read"):
        read_structure(tmp_path / name, reader=reader)
    with pytest.raises(UsageError, match="unknown reader"):
        read_structure(tmp_path / name, reader="openbabel")


# --- molecules ---

MOL2 = """@<TRIPOS>MOLECULE
ion and methanol
 7 5 2
SMALL
USER_CHARGES

@<TRIPOS>ATOM
 1 NA     5.0  0.1234567891 0.0 Na+   1 NA   1.0
 2 C1     0.0  0.0  0.0 c3    2 MET  0.1
 3 O1     1.41 0.0  0.0 oh    2 MET -0.6
 4 H1    -0.5  0.9  0.0 h1    2 MET  0.0
 5 H2    -0.5 -0.4  0.8 h1    2 MET  0.0
 6 H3    -0.5 -0.4 -0.8 h1    2 MET  0.0
 7 HO     1.7  0.9  0.0 ho    2 MET  0.4
@<TRIPOS>BOND
 1 2 3 1
 2 2 4 1
 3 2 5 1
 4 2 6 1
 5 3 7 1 BACKBONE|DICT
"""


def test_mol2_types_bonds_and_residues(tmp_path):
    (tmp_path / "a.mol2").write_text(MOL2)
    structure = read_structure(tmp_path / "a.mol2")
    assert structure.types == ("Na+", "c3", "oh", "h1", "h1", "h1", "ho")
    assert structure.symbols == ("Na", "C", "O", "H", "H", "H", "H")
    assert structure.bonds.tolist() == [[1, 2], [1, 3], [1, 4], [1, 5], [2, 6]]
    assert structure.residue_names == ("NA", *["MET"] * 6)
    assert structure.positions[0].tolist() == [5.0, 0.1234567891, 0.0]
    assert structure.reader == "native"


def test_mol2_of_several_molecules(tmp_path):
    (tmp_path / "a.mol2").write_text(MOL2 + MOL2.replace("1.41", "1.42"))
    first, second = read_structures(tmp_path / "a.mol2")
    assert (first.positions[2, 0], second.positions[2, 0]) == (1.41, 1.42)
    with pytest.raises(InputError, match="one molecule"):
        read_structure(tmp_path / "a.mol2", reader="mdtraj")


def test_mol2_confirmed_by_mdtraj(tmp_path):
    path = carbon_monoxide(tmp_path)
    native, confirmed = read_structure(path), read_structure(path, reader="mdtraj")
    np.testing.assert_array_equal(native.positions, confirmed.positions)
    np.testing.assert_array_equal(native.bonds, confirmed.bonds)
    assert (native.reader, confirmed.reader) == ("native", "mdtraj")


def carbon_monoxide(folder):
    """A mol2 file with nothing in it that MDTraj cannot read."""
    path = folder / "co.mol2"
    path.write_text(
        "@<TRIPOS>MOLECULE\nco\n 2 1 1\nSMALL\nUSER_CHARGES\n@<TRIPOS>ATOM\n"
        " 1 C1 0.0 0.0 0.0 C.2 1 CMO 0.1\n 2 O1 1.128 0.0 0.0 O.2 1 CMO -0.1\n@<TRIPOS>BOND\n 1 1 2 2\n"
    )
    return path


def test_mol2_cell(tmp_path):
    (tmp_path / "a.mol2").write_text(MOL2 + "@<TRIPOS>CRYSIN\n 10 11 12 90 90 90 1 1\n")
    assert np.diag(read_structure(tmp_path / "a.mol2").cell).tolist() == [10, 11, 12]
    (tmp_path / "a.mol2").write_text(MOL2 + "@<TRIPOS>CRYSIN\n 10 11 12 90 90 90 14 1\n")
    with pytest.raises(InputError, match="space group"):
        read_structure(tmp_path / "a.mol2")


def test_sdf_bonds_and_several_molecules(tmp_path):
    atoms = molecule("CH3OH")
    connectivity = np.zeros((6, 6), dtype=int)
    for i, j in [(0, 1), (0, 2), (0, 4), (0, 5), (1, 3)]:
        connectivity[i, j] = connectivity[j, i] = 1
    ase.io.write(tmp_path / "one.sdf", atoms, format="sdf", connectivity=connectivity)
    text = (tmp_path / "one.sdf").read_text()
    (tmp_path / "two.sdf").write_text(text + text)
    assert [one.size for one in read_structures(tmp_path / "two.sdf", reader="ase")] == [6, 6]
    assert read_structure(tmp_path / "two.sdf").bonds.tolist() == [[0, 1], [0, 2], [0, 4], [0, 5], [1, 3]]
