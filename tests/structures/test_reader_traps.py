"""Files that ASE or MDTraj, or both, accept and read wrongly; each was seen to happen."""

import ase
import ase.io
import mdtraj
import numpy as np
import pytest
from ase import spacegroup
from ase.build import molecule

from md_sensitivity.errors import InputError
from md_sensitivity.structures import READERS, read_structure
from md_sensitivity.structures.elements import element_symbol
from md_sensitivity.structures.lammps_types import elements_of_masses
from md_sensitivity.types import Structure


def read(folder, name, text, **options):
    path = folder / name
    path.write_text(text)
    return read_structure(path, **options)


# --- PDB ---


def pdb_line(serial, name, residue, number, place, element="", occupancy="1.00", altloc=" ", record="ATOM", chain="A"):
    x, y, z = place
    return (
        f"{record:<6s}{serial:5d} {name:4s}{altloc}{residue:>3s} {chain}{number:4d}    {x:8.3f}{y:8.3f}{z:8.3f}"
        f"{occupancy:>6s}  0.00          {element:>2s}"
    )


def pdb(*lines, end="END"):
    return "\n".join([*lines, end, ""])


GLYCINE = [(" N  ", (0, 0, 0)), (" CA ", (1.4, 0, 0)), (" C  ", (2, 1.4, 0)), (" O  ", (1.3, 2.4, 0))]
GLYCINE_IN_A_PLACEHOLDER = pdb(
    "CRYST1    1.000    1.000    1.000  90.00  90.00  90.00 P 1           1",
    *[pdb_line(i, name, "GLY", 1, place, name.strip()[0]) for i, (name, place) in enumerate(GLYCINE, 1)],
)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("shift", [False, True])
def test_alpha_carbon_without_element_is_carbon(tmp_path, reader, shift):
    lines = [pdb_line(i, name.strip().ljust(4) if shift else name, "GLY", 1, place) for i, (name, place) in enumerate(GLYCINE, 1)]
    calcium = pdb_line(5, "CA  ", "CA", 2, (9, 9, 9), record="HETATM")
    structure = read(tmp_path, "a.pdb", pdb(*lines, calcium), reader=reader)
    assert structure.symbols == ("N", "C", "C", "O", "Ca")
    assert any("elements follow from atom names: CA is C" in note for note in structure.notes)


def test_notes_quote_names_without_characters_that_reorder_a_line(tmp_path):
    structure = read(tmp_path, "a.pdb", pdb(pdb_line(1, "N\u202eX ", "LIG", 1, (0, 0, 0)), pdb_line(2, " C1 ", "LIG", 1, (2, 0, 0))))
    assert any(r"N\u202eX is N" in note for note in structure.notes) and all(note.isprintable() for note in structure.notes)


def test_element_columns_win_over_names(tmp_path):
    structure = read(tmp_path, "a.pdb", pdb(pdb_line(1, "CA  ", "LIG", 1, (0, 0, 0), "C"), pdb_line(2, " X1 ", "LIG", 1, (2, 0, 0), "CL")))
    assert structure.symbols == ("C", "Cl")
    assert not structure.notes


@pytest.mark.parametrize(
    ("name", "residue", "size", "aligned", "symbol"),
    [
        ("CA", "ALA", 5, False, "C"), ("CA", "CA", 1, False, "Ca"), ("CA", "UNK", 9, False, "C"), ("CA  ", "UNK", 9, True, "Ca"),
        (" CA ", "UNK", 9, True, "C"), ("HG21", "VAL", 16, True, "H"), ("HG11", "LIG", 16, True, "H"), ("1HB", "LIG", 5, False, "H"),
        ("CL1", "LIG", 9, False, "Cl"), ("NA", "NA", 1, False, "Na"), ("NA", "HEM", 43, False, "N"), ("FE", "HEM", 43, False, "Fe"),
        ("OW", "SOL", 3, False, "O"), ("HW1", "SOL", 3, False, "H"), ("MW", "SOL", 4, False, ""), ("SE", "MSE", 8, False, "Se"),
        ("SG", "CYS", 6, False, "S"), ("Si1", "QUA", 6, False, "Si"), ("AR", "AR", 1, False, "Ar"), ("Q", "UNK", 3, False, ""),
        ("", "UNK", 2, False, ""), ("123", "UNK", 2, False, ""), ("OXT", "ALA", 6, False, "O"), ("D1", "HOH", 3, False, "H"),
    ],
)  # fmt: skip
def test_elements_from_names(name, residue, size, aligned, symbol):
    assert element_symbol(name, residue, size, aligned) == symbol


@pytest.mark.parametrize("reader", READERS)
def test_placeholder_cell_is_no_cell(tmp_path, reader):
    structure = read(tmp_path, "a.pdb", GLYCINE_IN_A_PLACEHOLDER, reader=reader)
    assert not structure.pbc.any()
    assert not structure.cell.any()
    assert any("placeholder" in note for note in structure.notes)


def test_placeholder_cell_through_the_libraries(tmp_path):
    """`from_ase` and `from_mdtraj` meet the same cell; a unit box of a reduced system is none."""
    (tmp_path / "a.pdb").write_text(GLYCINE_IN_A_PLACEHOLDER)
    assert not Structure.from_ase(ase.io.read(tmp_path / "a.pdb")).pbc.any()
    assert not Structure.from_mdtraj(mdtraj.load_pdb(str(tmp_path / "a.pdb"), no_boxchk=True)).pbc.any()
    box = ase.Atoms("X2", scaled_positions=[[0, 0, 0], [0.5, 0.5, 0.5]], cell=[1, 1, 1], pbc=True)
    box.new_array("atom_types", np.array(["A", "B"]))
    assert Structure.from_ase(box).pbc.all()


def test_space_group_is_mentioned(tmp_path):
    cryst1 = "CRYST1   52.000   58.600   61.900  90.00  90.00  90.00 P 21 21 21    8"
    structure = read(tmp_path, "a.pdb", pdb(cryst1, pdb_line(1, " C  ", "LIG", 1, (0, 0, 0), "C")))
    assert structure.pbc.all()
    assert "P 21 21 21" in structure.notes[0]


def test_alternate_locations_and_occupancies(tmp_path):
    one = pdb_line(1, " CA ", "SER", 1, (0, 0, 0), "C", "0.60", "A")
    other = pdb_line(2, " CA ", "SER", 1, (1, 0, 0), "C", "0.40", "B")
    with pytest.raises(InputError, match="atoms 0 and 1 are alternate locations"):
        read(tmp_path, "a.pdb", pdb(one, other))
    with pytest.raises(InputError, match=r"atom 0 has occupancy 0.6"):
        read(tmp_path, "a.pdb", pdb(one))
    single = pdb_line(1, " CA ", "SER", 1, (0, 0, 0), "C", "1.00", "A")
    assert "marks are ignored" in read(tmp_path, "a.pdb", pdb(single)).notes[0]
    absent = pdb_line(1, " CA ", "SER", 1, (0, 0, 0), "C", "0.00")
    assert "occupancy 0" in read(tmp_path, "a.pdb", pdb(absent)).notes[0]


def test_equal_names_in_one_residue_stay_apart(tmp_path):
    lines = [pdb_line(i, "Ar  ", "MOL", 1, (3.8 * i, 0, 0), "AR") for i in range(1, 9)]
    assert read(tmp_path, "a.pdb", pdb(*lines)).size == 8


def test_explicit_bonds_and_serial_numbers(tmp_path):
    lines = [pdb_line(7, " C1 ", "LIG", 1, (0, 0, 0), "C"), pdb_line(9, " O1 ", "LIG", 1, (1.2, 0, 0), "O")]
    structure = read(tmp_path, "a.pdb", pdb(*lines, "CONECT    7    9    9", "CONECT    9    7    7", "CONECT    9   55"))
    assert structure.bonds.tolist() == [[0, 1]]


def test_deuterium_keeps_its_mass(tmp_path):
    oxygen, deuterium = pdb_line(1, " O  ", "DOD", 1, (0, 0, 0), "O"), pdb_line(2, " D1 ", "DOD", 1, (0.96, 0, 0), "D")
    structure = read(tmp_path, "a.pdb", pdb(oxygen, deuterium))
    assert structure.symbols == ("O", "H")
    assert structure.masses[1] == pytest.approx(2.0141, abs=1e-4)


def test_insertion_codes_and_odd_residue_numbers(tmp_path):
    first, second = pdb_line(1, " C  ", "GLY", 1, (0, 0, 0), "C"), pdb_line(2, " C  ", "GLY", 1, (4, 0, 0), "C")
    second = second[:26] + "A" + second[27:]
    third = pdb_line(3, " C  ", "GLY", 1, (8, 0, 0), "C").replace("   1    ", "A000    ")
    assert read(tmp_path, "a.pdb", pdb(first, second)).residue_numbers == (1, 1)
    assert read(tmp_path, "a.pdb", pdb(first, third)).residue_numbers == (1, 2)


def test_ions_of_gro_files_are_no_carbon(tmp_path):
    rows = [("NA", "NA"), ("CL", "CL"), ("MG", "MG"), ("SOL", "OW"), ("SOL", "HW1")]
    atoms = [f"{i:5d}{residue:<5s}{name:>5s}{i:5d}{0.3 * i:8.3f}{0:8.3f}{0:8.3f}" for i, (residue, name) in enumerate(rows, 1)]
    text = "\n".join(["ions", " 5", *atoms, " 0 0 0", ""])
    for reader in READERS:
        structure = read(tmp_path, "a.gro", text, reader=reader)
        assert structure.symbols == ("Na", "Cl", "Mg", "O", "H")
        assert not structure.pbc.any()


def test_virtual_sites_are_refused(tmp_path):
    text = "water\n 2\n    1SOL     OW    1   0.000   0.000   0.000\n    1SOL     MW    2   0.015   0.000   0.000\n 3 3 3\n"
    with pytest.raises(InputError, match=r"atom 1 \(MW\) has no known chemical element"):
        read(tmp_path, "a.gro", text)


# --- LAMMPS ---

HEADER = "{title}\n\n{n} atoms\n{types} atom types\n\n0.0 10.0 xlo xhi\n-1.0 9.0 ylo yhi\n0.0 12.0 zlo zhi\n{tilt}\n"


def data_file(atoms, *, title="LAMMPS data", types=2, tilt="", style=" # atomic", sections=""):
    rows = atoms.strip().split("\n")
    return HEADER.format(title=title, n=len(rows), types=types, tilt=tilt) + sections + f"\nAtoms{style}\n\n" + "\n".join(rows) + "\n"


MASSES = "\nMasses\n\n1 28.0855 # Si\n2 15.9994\n"
UNSORTED = "3 1 1 1 1\n1 2 2 2 2\n2 1 3 3 3\n"


@pytest.mark.parametrize("reader", ["auto", "ase"])
def test_lammps_masses_ids_and_order(tmp_path, reader):
    structure = read(tmp_path, "a.data", data_file(UNSORTED, sections=MASSES), reader=reader)
    assert structure.types == ("2", "1", "1")
    assert structure.symbols == ("O", "Si", "Si")
    assert structure.masses.tolist() == [15.9994, 28.0855, 28.0855]
    assert structure.positions[:, 0].tolist() == [2, 3, 1]
    assert structure.pbc.all()
    assert np.diag(structure.cell).tolist() == [10, 10, 12]
    assert any("1 = Si (mass 28.0855), 2 = O" in note for note in structure.notes)


def test_lammps_types_without_masses_are_no_hydrogen(tmp_path):
    structure = read(tmp_path, "a.data", data_file(UNSORTED))
    assert structure.types == ("2", "1", "1")
    assert structure.numbers.tolist() == [0, 0, 0]
    (tmp_path / "b.data").write_text(data_file(UNSORTED))
    via_ase = Structure.from_ase(ase.io.read(tmp_path / "b.data", format="lammps-data"))
    assert via_ase.types == ("2", "1", "1")
    assert via_ase.numbers.tolist() == [0, 0, 0]


def test_lammps_masses_through_ase(tmp_path):
    (tmp_path / "a.data").write_text(data_file(UNSORTED, sections=MASSES))
    structure = Structure.from_ase(ase.io.read(tmp_path / "a.data", format="lammps-data"))
    assert (structure.types, structure.symbols) == (("2", "1", "1"), ("O", "Si", "Si"))


def test_lammps_reduced_units(tmp_path):
    declared = read(tmp_path, "a.data", data_file(UNSORTED, title="LAMMPS data file via write_data, units = lj", sections=MASSES))
    evident = read(tmp_path, "a.data", data_file(UNSORTED, sections="\nMasses\n\n1 1.0\n2 1.0\n"))
    assert declared.numbers.tolist() == evident.numbers.tolist() == [0, 0, 0]
    with pytest.raises(InputError, match="units si"):
        read(tmp_path, "a.data", data_file(UNSORTED, title="via write_data, units = si"))


def test_elements_of_masses():
    assert elements_of_masses([12.011, 1.008, 15.9994, 195.08]) == [6, 1, 8, 78]
    assert elements_of_masses([1.0, 15.9994]) == [1, 8]
    assert elements_of_masses([1.0]) == [0]
    assert elements_of_masses([1.0, 2.0]) == [0, 0]
    assert elements_of_masses([39.948, 39.0983, 40.078]) == [18, 19, 20]
    assert elements_of_masses([58.6934, 58.9332]) == [28, 27]
    assert elements_of_masses([72.0]) == [0]       # a Martini bead


LABELS = "\nAtom Type Labels\n\n1 CT\n2 HC\n"


def test_lammps_type_labels(tmp_path):
    """ASE gives unsorted atoms the labels of others."""
    atoms = "3 CT 1 1 1\n1 HC 2 2 2\n2 CT 3 3 3\n"
    structure = read(tmp_path, "a.data", data_file(atoms, sections=LABELS + "\nMasses\n\nCT 12.011\nHC 1.008\n"))
    assert structure.types == ("HC", "CT", "CT")
    assert structure.symbols == ("H", "C", "C")
    numeric = read(tmp_path, "a.data", data_file(UNSORTED, sections=LABELS + "\nMasses\n\n1 12.011\n2 1.008\n"))
    assert numeric.types == ("HC", "CT", "CT")
    elements = read(tmp_path, "a.data", data_file(UNSORTED, sections="\nAtom Type Labels\n\n1 Si\n2 O\n"))
    assert elements.symbols == ("O", "Si", "Si")
    assert elements.masses[0] == pytest.approx(15.999)


def test_lammps_triclinic_box_images_and_bonds(tmp_path):
    text = data_file("2 1 2 -0.5 1 1 1 0 0 -1\n1 1 1 0.5 2 2 2 1 0 0\n", tilt="1.0 2.0 -3.0 xy xz yz", style="", sections=MASSES)
    text = text.replace("2 atom types", "2 atom types\n1 bonds") + "\nVelocities\n\n1 0 0 0\n2 0 0 0\n\nBonds\n\n1 1 2 1\n"
    for reader in ("auto", "ase"):
        structure = read(tmp_path, "a.data", text, reader=reader)
        assert structure.cell.tolist() == [[10, 0, 0], [1, 10, 0], [2, -3, 12]]
        np.testing.assert_array_equal(structure.positions, [[2 + 10, 2, 2], [1 - 2, 1 + 3, 1 - 12]])
        assert structure.bonds.tolist() == [[1, 0]]
        assert any("style full" in note for note in structure.notes)


def test_lammps_general_triclinic_box(tmp_path):
    box = "5 1 0 avec\n-1 6 0 bvec\n0.5 0.5 7 cvec\n0 0 0 abc origin"
    text = data_file(UNSORTED).replace("0.0 10.0 xlo xhi\n-1.0 9.0 ylo yhi\n0.0 12.0 zlo zhi", box)
    assert read(tmp_path, "a.data", text, reader="ase").cell.tolist() == [[5, 1, 0], [-1, 6, 0], [0.5, 0.5, 7]]


@pytest.mark.parametrize(
    ("style", "row", "kind"),
    [
        ("atomic", "{id} 2 {x} 0 0", "2"), ("charge", "{id} 2 -0.5 {x} 0 0", "2"), ("molecular", "{id} 7 1 {x} 0 0", "1"),
        ("full", "{id} 7 1 0.5 {x} 0 0", "1"), ("sphere", "{id} 1 1.5 2.5 {x} 0 0", "1"), ("dipole", "{id} 1 0.5 {x} 0 0 1 0 0.5", "1"),
        ("spin", "{id} 1 {x} 0 0 0 0 1.0 2.2", "1"), ("hybrid sphere", "{id} 1 {x} 0 0 1.5 2.5", "1"),
        ("full", "{id} 7 1 0.5 {x} 0 0 0 0 0", "1"),
    ],
)  # fmt: skip
def test_lammps_atom_styles(tmp_path, style, row, kind):
    atoms = "\n".join(row.format(id=i, x=1.5 * i) for i in (1, 2, 3))
    structure = read(tmp_path, "a.data", data_file(atoms, style=f" # {style}"))
    assert structure.types == (kind,) * 3
    assert structure.positions.tolist() == [[1.5, 0, 0], [3, 0, 0], [4.5, 0, 0]]


def test_lammps_atom_style_from_columns(tmp_path):
    assert read(tmp_path, "a.data", data_file("1 1 0.5 1 1 1\n2 2 -0.5 3 3 3", style="")).types == ("1", "2")       # charge
    assert read(tmp_path, "a.data", data_file("1 9 1 1 1 1\n2 9 2 3 3 3", style="")).types == ("1", "2")            # molecular
    with pytest.raises(InputError, match="charge or molecular"):
        read(tmp_path, "a.data", data_file("1 1 1 1 1 1\n2 2 2 3 3 3", style=""))


DUMP = """ITEM: TIMESTEP
5
ITEM: NUMBER OF ATOMS
2
ITEM: BOX BOUNDS xy xz yz pp pp ff
0 11 1
-1 9 0
0 12 0
ITEM: ATOMS {columns}
{rows}
"""


def test_lammps_dump(tmp_path):
    structure = read(tmp_path, "a.dump", DUMP.format(columns="id type x y z", rows="2 1 1 1 1\n1 2 2 2 2"))
    assert structure.types == ("2", "1")
    assert structure.numbers.tolist() == [0, 0]
    assert structure.pbc.tolist() == [True, True, False]
    assert structure.cell.tolist() == [[10, 0, 0], [1, 10, 0], [0, 0, 12]]
    with_mass = read(tmp_path, "a.dump", DUMP.format(columns="id type mass x y z", rows="2 1 28.0855 1 1 1\n1 2 15.9994 2 2 2"))
    assert (with_mass.types, with_mass.symbols) == (("2", "1"), ("O", "Si"))
    assert with_mass.masses.tolist() == [15.9994, 28.0855]
    with_element = read(tmp_path, "a.dump", DUMP.format(columns="id type element x y z", rows="2 1 Si 1 1 1\n1 2 O 2 2 2"))
    assert (with_element.types, with_element.symbols) == (("2", "1"), ("O", "Si"))
    element_alone = read(tmp_path, "a.dump", DUMP.format(columns="id element x y z", rows="2 H 1 1 1\n1 He 2 2 2"))
    assert element_alone.types == element_alone.symbols == ("He", "H")


def test_lammps_dump_with_type_labels(tmp_path):
    labels = read(tmp_path, "a.dump", DUMP.format(columns="id typelabel x y z", rows="2 CT 1 1 1\n1 HC 2 2 2"))
    assert (labels.types, labels.numbers.tolist()) == (("HC", "CT"), [0, 0])
    symbols = read(tmp_path, "a.dump", DUMP.format(columns="id type typelabel xs ys zs", rows="2 1 C 0.5 0.5 0.5\n1 2 H 0.1 0 0"))
    assert symbols.types == symbols.symbols == ("H", "C")
    assert symbols.masses[1] == pytest.approx(12.011)
    np.testing.assert_allclose(symbols.positions[1], [5.5, 5, 6])
    masses = read(tmp_path, "a.dump", DUMP.format(columns="typelabel mass xu yu zu", rows="CT 12.011 1 1 1\nHC 1.008 2 2 2"))
    assert (masses.types, masses.symbols) == (("CT", "HC"), ("C", "H"))


# --- others ---


def test_hydrogen_with_a_type_column_stays_hydrogen(tmp_path):
    text = '2\nProperties=species:S:1:pos:R:3:id:I:1:type:I:1 pbc="F F F"\nH 0 0 0 1 1\nH 0 0 0.74 2 1\n'
    assert read(tmp_path, "a.xyz", text).symbols == ("H", "H")


@pytest.mark.parametrize("mask", ["1", "0", "t", "yes", "FALSE"])
def test_move_mask_of_unknown_words_is_refused(tmp_path, mask):
    text = f'2\nProperties=species:S:1:pos:R:3:move_mask:L:1 pbc="F F F"\nH 0 0 0 T\nH 0 0 0.74 {mask}\n'
    with pytest.raises(InputError, match="atom 1: move_mask"):
        read(tmp_path, "a.xyz", text)


def test_partial_occupancy_of_cif(tmp_path):
    atoms = ase.Atoms("NaCl", cell=[4, 4, 4], pbc=True, scaled_positions=[[0, 0, 0], [0.5, 0.5, 0.5]])
    ase.io.write(tmp_path / "a.cif", atoms)
    text = (tmp_path / "a.cif").read_text()
    assert read_structure(tmp_path / "a.cif").size == 2
    with pytest.raises(InputError, match=r"atom 0 has occupancy 0.5"):
        read(tmp_path, "a.cif", text.replace("1.0000", "0.5000", 1))


def test_symmetry_of_cif_is_expanded(tmp_path):
    salt = spacegroup.crystal(["Na", "Cl"], [(0, 0, 0), (0.5, 0.5, 0.5)], spacegroup=225, cellpar=[5.64] * 3 + [90] * 3)
    ase.io.write(tmp_path / "a.cif", salt)
    text = (tmp_path / "a.cif").read_text()
    entries = [*(f"length_{axis} 5.64" for axis in "abc"), *(f"angle_{angle} 90" for angle in ("alpha", "beta", "gamma"))]
    cell = "".join(f"_cell_{entry}\n" for entry in entries)
    sites = "loop_\n_atom_site_label\n_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\nNa1 0 0 0\nCl1 0.5 0.5 0.5\n"
    expanded = read(tmp_path, "b.cif", f"data_x\n{cell}_symmetry_Int_Tables_number 225\n{sites}")
    assert (expanded.size, expanded.formula) == (8, "Cl4Na4")
    assert read(tmp_path, "a.cif", text).size == 8
    assert read(tmp_path, "c.cif", f"data_x\n{cell}{sites}").size == 2


def test_a_missing_line_end_is_mentioned(tmp_path):
    text = "2\n\nAr 0 0 0\nAr 0 0 3.8"
    assert any("last line" in note for note in read(tmp_path, "a.xyz", text).notes)
    assert not read(tmp_path, "a.xyz", text + "\n").notes


def test_unsupported_constraints_are_refused():
    atoms = molecule("H2O")
    atoms.set_constraint(ase.constraints.FixBondLength(0, 1))
    with pytest.raises(InputError, match=r"FixBondLengths? is not supported"):
        Structure.from_ase(atoms)
    atoms.set_constraint(ase.constraints.FixedPlane([0], (0, 0, 1)))
    assert Structure.from_ase(atoms).fixed[0].tolist() == [False, False, True]
    atoms.set_constraint(ase.constraints.FixedLine([0], (0, 0, 1)))
    assert Structure.from_ase(atoms).fixed[0].tolist() == [True, True, False]
    atoms.set_constraint(ase.constraints.FixedPlane([0], (0, 1, 1)))
    with pytest.raises(InputError, match="no Cartesian axis"):
        Structure.from_ase(atoms)


def test_library_warnings_become_notes(tmp_path, recwarn):
    ase.io.write(tmp_path / "a.cif", ase.Atoms("Ar", cell=[4, 4, 4], pbc=True))
    text = (tmp_path / "a.cif").read_text().replace("_cell_length_a", "_space_group_crystal_system nonsense\n_cell_length_a")
    structure = read(tmp_path, "b.cif", text)
    assert any(note.startswith("ASE: ") for note in structure.notes)
    assert not recwarn.list
