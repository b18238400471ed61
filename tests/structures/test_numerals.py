"""Words that Python takes for numbers and no structure format does: refused with their line where a number belongs, names elsewhere."""

import random
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from md_sensitivity.errors import InputError
from md_sensitivity.structures import numerals, read_structure

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

import fuzz_mutations
import fuzz_seeds

TEXTS = {name: data for name, data in fuzz_seeds.structures().items() if not name.endswith((".gz", ".bz2", ".xz", ".traj"))}
ARRAYS = ("positions", "cell", "masses", "numbers", "bonds", "fixed", "pbc")


def read(folder, name, text):
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_structure(folder / name)


@pytest.mark.parametrize("name", TEXTS)
def test_an_underscore_in_a_number_never_makes_another_number(tmp_path, name):
    """It is refused, or it was in a word that the structure does not depend on."""
    whole = read(tmp_path, name, TEXTS[name])
    draw = random.Random(name)
    refused = 0
    for _ in range(12):
        damaged = fuzz_mutations.join_digits(draw, TEXTS[name], b"")
        try:
            found = read(tmp_path, name, damaged)
        except InputError:
            refused += 1
            continue
        assert all(np.array_equal(getattr(found, array), getattr(whole, array)) for array in ARRAYS), damaged
    assert refused >= 3


POSCAR = "x\n1\n5 0 0\n0 5 0\n0 0 5\nAr\n1\nDirect\n{x} 0 0\n"
DATA = "t\n\n1 atoms\n1 atom types\n\n0 {x} xlo xhi\n0 9 ylo yhi\n0 9 zlo zhi\n\nAtoms\n\n1 1 {y} 0 0\n"
DUMP = "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n1\nITEM: BOX BOUNDS pp pp pp\n0 9\n0 9\n0 19\nITEM: ATOMS id type x y z\n1 1 {x} 1 1\n"
CIF = (
    "{head}_cell_length_a {a}\n_cell_length_b 4\n_cell_length_c 4\n_cell_angle_alpha 90\n_cell_angle_beta 90\n_cell_angle_gamma 90\n"
    "loop_\n_atom_site_label\n_atom_site_type_symbol\n_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\nAr1_1 Ar {x} 0 0\n"
)
RES = "TITL x\nCELL 1 4 4 4 90 90 90\nLATT -1\nSFAC Ar\nAr 1 0 0 {x} 1\nAr 1 0.5 0.5 0 1\nEND\n"
EXTXYZ = "2\n{lattice} Properties=species:S:1:pos:R:3\nAr 0 0 0\nAr {x} 0 0\n"
FLAT = 'pbc="F F F"'

REFUSED = {
    "a.xyz": ("2\nt\nAr 0 0 0\nAr 1_1 0 0\n", "line 4: atom 1: '1_1' is not a number"),
    "fortran.xyz": ("2\nt\nAr 0 0 0\nAr 0.0D0 1 0\n", "line 4: atom 1: '0.0D0' is not a number"),
    "comma.xyz": ("2\nt\nAr 0 0 0\nAr 0,0 1 0\n", "line 4: atom 1: '0,0' is not a number"),
    "hexadecimal.xyz": ("2\nt\nAr 0 0 0\nAr 0x1p0 1 0\n", "line 4: atom 1: '0x1p0' is not a number"),
    "arabic.xyz": ("2\nt\nAr 0 0 0\nAr ١ 1 0\n", "line 4: atom 1: '١' is not a number"),
    "second_frame.xyz": ("1\n1_1\nAr 0 0 0\n" * 2 + "1\nt\nAr 1_1 0 0\n", "line 9: atom 0: '1_1' is not a number"),
    "vector.xyz": ("1\nt\nAr 0 0 0\nVEC1 5_0 0 0\nVEC2 0 5 0\nVEC3 0 0 5\n", "line 4"),
    "a.extxyz": (EXTXYZ.format(lattice=FLAT, x="1_1"), "line 4: atom 1: '1_1' is not a number"),
    "comma.extxyz": (EXTXYZ.format(lattice=FLAT, x="0,0"), "line 4: atom 1: '0,0' is not a number"),
    "quoted.extxyz": (EXTXYZ.format(lattice='Lattice="5 0 0 0 5_0 0 0 0 5"', x=1), "line 2: '5_0' in Lattice is not a number"),
    "braces.extxyz": (EXTXYZ.format(lattice="Lattice={5 0 0 0 5_0 0 0 0 5}", x=1), "line 2: '5_0' in Lattice is not a number"),
    "nested.extxyz": (EXTXYZ.format(lattice="Lattice=[[5,0,0],[0,5_0,0],[0,0,5]]", x=1), "line 2: '5_0' in Lattice is not a number"),
    "integer.extxyz": ("1\nProperties=species:S:1:pos:R:3:q:I:1\nAr 0 0 0 1_1\n", "line 3: atom 0: '1_1' is not an integer"),
    "119.extxyz": ("2\nProperties=Z:I:1:pos:R:3\n18 0 0 0\n119 1 0 0\n", "line 4: atom 1: there is no element with number 119"),
    "negative.extxyz": ("2\nProperties=Z:I:1:pos:R:3\n18 0 0 0\n-1 1 0 0\n", "line 4: atom 1: there is no element with number -1"),
    "119.xyz": ("2\nt\nAr 0 0 0\n119 1 0 0\n", "unknown element '119'"),
    "no_pos.extxyz": ("2\nProperties=species:S:1:foo:R:3\nAr 0 0 0\nAr 1 0 0\n", "announces no column of positions; write it as pos:R:3"),
    "escape.xyz": ("2\n\x1b[31mt\nAr 0 0 0\nAr 1 0 0\n", r"line 2 holds the control character '\x1b'"),
    "bell.xyz": ("2\r\nt\r\nAr 0 0 0\x07\r\nAr 1 0 0\r\n", r"line 3 holds the control character '\x07'"),
    "POSCAR": (POSCAR.format(x="0.1_1"), "line 9: '0.1_1' is not a number"),
    "arabic.POSCAR": (POSCAR.format(x="٠"), "line 9: '٠' is not a number"),
    "box.data": (DATA.format(x="1_1", y=0), "line 6: not a number in '0 1_1 xlo xhi'"),
    "atom.data": (DATA.format(x=9, y="1_1"), "line 12: section Atoms (style atomic): not an atom: '1 1 1_1 0 0'"),
    "empty_box.data": (DATA.format(x=0, y=0), "not: 0 0 xlo xhi, 0 9 ylo yhi, 0 9 zlo zhi"),
    "a.dump": (DUMP.format(x="1_1"), "line 10: '1_1' is not a number"),
    "place.cif": (CIF.format(head="data_x\n", a=4, x="0.1_1"), "line 14: '0.1_1' is not a number (_atom_site_fract_x)"),
    "cell.cif": (CIF.format(head="data_x\n", a="4_0", x=0), "line 2: '4_0' is not a number (_cell_length_a)"),
    "cell.mmcif": (fuzz_seeds.MMCIF.replace("31.0", "3_1.0"), "line 3: '3_1.0' is not a number"),
    "place.mmcif": (fuzz_seeds.MMCIF.replace("0.757", "0.75_7", 1), "line 28: '0.75_7'"),
    "a.res": (RES.format(x="0.1_1"), "line 5 is not an atom"),
    "exponent.res": (RES.format(x="1e-3"), "line 5 is not an atom"),
    "a.gen": ("1 C\nAr\n1 1 0 1_1 0\n", "line 3: '1_1' is not a number"),
    "geometry.in": ("atom 0 1_1 0 Ar\n", "line 1: '1_1' is not a number"),
    "a.xsf": ("ATOMS\n18 0 1_1 0\n", "line 2: '1_1' is not a number"),
    "a.config": ("t\n 0 0 1\nAr 1\n0 1_1 0\n", "line 4: '1_1' is not a number"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_the_message_names_the_line_and_what_is_wrong(tmp_path, name):
    text, said = REFUSED[name]
    with pytest.raises(InputError) as caught:
        read(tmp_path, name, text)
    message = str(caught.value)
    assert message.startswith(str(tmp_path / name)) and said in message
    assert message.isprintable() and "x01" not in message and "x02" not in message


def test_names_and_titles_may_look_like_numbers(tmp_path):
    title = "1_1 run 1_2 ١"
    assert read(tmp_path, "a.xyz", f"1\n{title}\nAr 11 0 0 1_1\n").positions[0, 0] == 11
    assert read(tmp_path, "POSCAR", POSCAR.format(x=0).replace("x\n", f"{title}\n", 1)).size == 1
    assert read(tmp_path, "a.data", DATA.format(x=9, y=0).replace("t\n", f"{title} # 1_1\n", 1)).size == 1
    types = "1\nrun=1_1 Properties=species:S:1:pos:R:3:atom_types:S:1\nAr 0 0 0 {}\n"
    assert [read(tmp_path, "a.extxyz", types.format(kind)).types for kind in ("1_1", "A1_2", "A٣")] == [("1_1",), ("A1_2",), ("A٣",)]
    labels = DUMP.replace("id type x", "id typelabel x").replace("\n1 1 {x}", "\n1 1_1 {x}")
    assert read(tmp_path, "a.dump", labels.format(x=0)).types == ("1_1",)
    bonds = "loop_\n_geom_bond_atom_site_label_1\n_geom_bond_site_symmetry_2\nAr1_1 1_555\n"
    assert read(tmp_path, "a.cif", CIF.format(head="data_run_1_1\n_journal_page 11_12\n", a="4.0(1)", x="0.5(2)") + bonds).size == 1


def test_a_shelx_file_with_instructions_among_its_atoms_is_read(tmp_path):
    text = RES.format(x="0.25").replace("SFAC Ar\n", "SFAC Ar C H\nUNIT 1 2 3\nFVAR 1.0\nREM 1 a 2 b 3\nL.S. 4 a b\n")
    assert read(tmp_path, "a.res", text + "Q1 1 0 0 zz\n").size == 2


@pytest.mark.parametrize("word", ["1", "-1.5", "+.5e-3", "2.", " 7 ", "nan", "-inf", "Infinity"])
def test_numbers_are_what_python_reads(word):
    assert np.array_equal(numerals.real(word), float(word), equal_nan=True)


@pytest.mark.parametrize("word", ["1_1", "1.0_0", "١", "1１", "", "1d5", "0x1", "1,5"])
def test_what_no_format_writes_is_no_number(word):
    assert not numerals.is_number(word) and not numerals.is_integer(word)
    with pytest.raises(ValueError, match="convert"):
        numerals.real(word)
    with pytest.raises(ValueError, match=r"convert|invalid literal"):
        numerals.integer(word)


@pytest.mark.parametrize("text", ["1_1", "a_1 1_a _1 1_ 1__1", "1_2_3", "A1_2 ٣ é ² 原", "no marks"])
def test_marks_spoil_numbers_and_are_taken_off_again(text):
    marked = numerals.marked(text)
    assert numerals.restored(marked) == numerals.restored(repr(marked)[1:-1]) == text
    for word in marked.split():
        assert re.fullmatch(r"[^\d]*", word) or not _is_python_number(word)


def _is_python_number(word):
    try:
        float(word)
    except ValueError:
        return False
    return True
