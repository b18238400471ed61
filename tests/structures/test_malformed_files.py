"""Broken and hostile files: each is refused with one line that says what is wrong, quickly, and without a traceback of a library."""

import lzma
import os
import random
import time
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase.build import bulk

from md_sensitivity.errors import InputError, MdSensitivityError
from md_sensitivity.structures import read_structure, read_structures

LINE = "Ar 0.0 0.0 0.0\n"
XYZ = "2\n\nAr 0 0 0\nAr 0 0 3.8\n"
EXTXYZ = '2\nLattice="{lattice}" Properties=species:S:1:pos:R:3 pbc="T T T"\nAr 0 0 0\nAr {x} 0 3.8\n'
POSCAR = "x\n1\n5 0 0\n0 5 0\n{c}\nAr\n{n}\n{mode}0 0 0{flags}\n0.5 0.5 {z}{flags}\n"
PDB = "ATOM      1 AR   AR  A   1       0.000   0.000   {z:>5s}  1.00  0.00          {e}\n{end}"
GRO = "t\n {n}\n    1AR      AR    1   0.000   0.000   0.000\n    2AR      AR    2   0.000   0.000   {z}\n{box}\n"
DATA = "t\n\n{n} atoms\n1 atom types\n\n0 9 xlo xhi\n0 {y} ylo yhi\n0 9 zlo zhi\n\n{masses}Atoms{style}\n\n1 1 0 0 0\n{second}\n"
MOL2 = "@<TRIPOS>MOLECULE\nm\n {n} 1\nSMALL\n\n@<TRIPOS>ATOM\n1 C1 0 0 0 C.1\n2 O1 0 0 1.1 {t}\n@<TRIPOS>BOND\n1 1 {b} 3\n"
SDF = "t\n p\n\n  2  1  0  0  0  0  0  0  0  0999 V2000\n{a}    0.0000    1.1000    0.0000 O   0  0\n  1  {b}  3  0\n{end}\n"
SDF_ATOM = "    0.0000    0.0000    0.0000 C   0  0\n"
DUMP = "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n{n}\nITEM: BOX BOUNDS pp pp pp\n0 9\n0 9\n0 9\n"
DUMP += "ITEM: ATOMS id type x y z\n1 1 0 0 0\n{row}\n"
CIF = (
    "data_x\n{a}_cell_length_b 4\n_cell_length_c 4\n_cell_angle_alpha 90\n_cell_angle_beta 90\n_cell_angle_gamma {g}\nloop_\n"
    "_atom_site_label\n_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\n{rows}"
)
CFG = "Number of particles = {n}\nA = 1.0 Angstrom\n" + "".join(f"H0({i},{j}) = {4.0 * (i == j)} A\n" for i in (1, 2, 3) for j in (1, 2, 3))
CFG += ".NO_VELOCITY.\nentry_count = {m}\n39.9\nAr\n0 0 0\n"

MMCIF = (
    "data_x\n_cell.length_a {a}\n_cell.length_b 31.0\n_cell.length_c 32.0\n"
    "_cell.angle_alpha 90\n_cell.angle_beta 90\n_cell.angle_gamma 90\n"
    "loop_\n" + "".join(
        f"_atom_site.{name}\n" for name in (
            "group_PDB id type_symbol label_atom_id label_alt_id label_comp_id label_asym_id label_entity_id label_seq_id "
            "pdbx_PDB_ins_code Cartn_x Cartn_y Cartn_z occupancy B_iso_or_equiv auth_seq_id auth_asym_id pdbx_PDB_model_num"
        ).split()
    )
    + "ATOM 1 C C . CMO A 1 1 ? 0.000 0.000 0.000 1.00 0.0 1 A 1\n"
    + "ATOM 2 O O {alt} CMO A 1 1 ? {x} 0.000 0.000 {occ} 0.0 1 A 1\n{end}"
)  # fmt: skip
WHOLE_PDB = PDB.format(z="0.000", e="AR", end="END\n")

# What the corpus of tests/hostile has too (not finite, announced beyond reason, empty, binary, growing …) is not said again here.
CORPUS = {
    # any format
    "blank.pdb": ("\n \n", "empty"),
    "what.unknown": ("hello\n", "unknown structure format"),
    "no_bzip2.xyz.bz2": (XYZ, "decompressed"),
    "no_xz.xyz.xz": (XYZ, "decompressed"),
    # xyz, extxyz
    "header_only.xyz": ("3", "announces 3 atoms, but 0"),
    "too_many_lines.xyz": ("1\n\n" + LINE * 3, "number of atoms"),
    "inf.xyz": (XYZ.replace("3.8", "-inf"), "not finite"),
    "huge.xyz": (XYZ.replace("3.8", "1e300"), "beyond"),
    "nearly.xyz": (XYZ.replace("3.8", "0.0009"), "atoms 0 and 1"),
    "no_element.xyz": (XYZ.replace("Ar 0 0 3.8", "X 0 0 3.8"), "no known chemical element"),
    "words.xyz": (XYZ.replace("3.8", "far"), "far"),
    "short_line.xyz": (XYZ.replace("Ar 0 0 3.8", "Ar 0 0"), "cannot read"),
    "text.xyz": ("once upon a time\n" * 5, "number of atoms"),
    "html.xyz": ("<!DOCTYPE html><html><script>alert(1)</script></html>\n", "number of atoms"),
    "flat.extxyz": (EXTXYZ.format(lattice="5 0 0 0 5 0 0 0 0", x=0), "vector c"),
    "short_cell.extxyz": (EXTXYZ.format(lattice="5 0 0 0 5 0", x=0), "Lattice"),
    "image.extxyz": (EXTXYZ.format(lattice="5 0 0 0 5 0 0 0 3.8", x=5), "periodic image"),
    "pbc.extxyz": (EXTXYZ.format(lattice="5 0 0 0 5 0 0 0 5", x=0).replace("T T T", "T T"), "cannot read"),
    "mass.extxyz": ('1\nProperties=species:S:1:pos:R:3:masses:R:1 pbc="F F F"\nAr 0 0 0 nan\n', "mass nan is not finite"),
    "lower_case.xyz": ('1\nlattice="5 0 0 0 5 0 0 0 5"\n' + LINE, "writes Lattice="),
    # vasp
    "truncated.POSCAR": (POSCAR.format(c="0 0 5", n=3, mode="Direct\n", flags="", z=0.5), "announces 3 atoms, but 2"),
    "no_atoms.POSCAR": (POSCAR.format(c="0 0 5", n=0, mode="Direct\n", flags="", z=0.5), "0 atoms"),
    "flags.POSCAR": (POSCAR.format(c="0 0 5", n=2, mode="Selective\nDirect\n", flags=" .F. .F. .F.", z=0.5), "T (free) or F (fixed)"),
    "element.POSCAR": (POSCAR.format(c="0 0 5", n=2, mode="Direct\n", flags="", z=0.5).replace("Ar", "Qq"), "Qq"),
    "no_elements.POSCAR": (POSCAR.format(c="0 0 5", n=2, mode="Direct\n", flags="", z=0.5).replace("Ar\n", ""), "chemical elements"),
    "short.POSCAR": ("x\n1\n5 0 0\n", "numbers of atoms"),
    # pdb
    "cut.pdb": (PDB.format(z="0.000", e="AR", end="ATOM      2 AR   AR  A   2     "), "no END"),
    "short.pdb": (PDB.format(z="0.000", e="AR", end="ATOM      2 AR   AR  A   2     \nEND\n"), "columns 31 to 60"),
    "element.pdb": (PDB.format(z="0.000", e="QQ", end="END\n"), "no known chemical element"),
    "master.pdb": (PDB.format(z="0.000", e="AR", end=f"MASTER    {'':40s}   77\nEND\n"), "announces 77"),
    "cell.pdb": ("CRYST1   10.000      nan   10.000  90.00  90.00  90.00 P 1\n" + WHOLE_PDB, "no cell has"),
    "twice.pdb": (PDB.format(z="0.000", e="AR", end="") + PDB.format(z="0.000", e="AR", end="END\n"), "at one place"),
    # gro
    "count.gro": (GRO.format(n=3, z="1.000", box=" 5 5 5"), "announces 3 atoms"),
    "fewer.gro": (GRO.format(n=1, z="1.000", box=" 5 5 5"), "count of the frame before is wrong"),
    "no_box.gro": (GRO.format(n=2, z="1.000", box=""), "announces 2 atoms"),
    "box.gro": (GRO.format(n=2, z="1.000", box=" 5 5"), "must be the cell"),
    "singular.gro": (GRO.format(n=2, z="1.000", box=" 5 5 0 0 0 0 0 0 0"), "vector c"),
    # lammps
    "truncated.data": (DATA.format(n=2, y=9, masses="", style="", second=""), "announces 2 atoms, but section Atoms has 1"),
    "no_box.data": ("t\n\n1 atoms\n\nAtoms\n\n1 1 0 0 0\n", "no box"),
    "label.data": (DATA.format(n=2, y=9, masses="", style=" # atomic", second="2 Si 1 1 1"), "atom type Si"),
    "id.data": (DATA.format(n=2, y=9, masses="", style="", second="1 1 1 1 1"), "same id"),
    "nan.data": (DATA.format(n=2, y=9, masses="", style="", second="2 1 nan 1 1"), "not finite"),
    "ragged.data": (DATA.format(n=2, y=9, masses="", style="", second="2 1 1 1"), "columns"),
    "style.data": (DATA.format(n=2, y=9, masses="", style=" # tri", second="2 1 1 1 1"), "not supported"),
    "masses.data": (DATA.format(n=2, y=9, masses="Masses\n\n1 heavy\n\n", style="", second="2 1 1 1 1"), "Masses"),
    "nan_mass.data": (DATA.format(n=2, y=9, masses="Masses\n\n1 nan\n\n", style="", second="2 1 1 1 1"), "mass nan"),
    "overlap.data": (DATA.format(n=2, y=9, masses="", style="", second="2 1 9 9 9"), "periodic image"),
    "atoms.data": ("t\n\n3 atoms\n\n0 9 xlo xhi\n", "section Atoms has 0"),
    "truncated.dump": (DUMP.format(n=3, row="2 1 1 1 1"), "announces '3' atoms, but lists 2"),
    "ragged.dump": (DUMP.format(n=2, row="2 1 1 1"), "differ in number"),
    # molecules
    "count.mol2": (MOL2.format(n=3, t="O.2", b=2), "announces 3 atoms"),
    "bond.mol2": (MOL2.format(n=2, t="O.2", b=7), "does not join"),
    "nan.mol2": (MOL2.format(n=2, t="O.2", b=2).replace("1.1", "nan"), "not finite"),
    "fields.mol2": (MOL2.format(n=2, t="", b=2), "lacks fields"),
    "section.mol2": ("@<TRIPOS>ATOM\n", "before"),
    "truncated.sdf": (SDF.format(a="", b=2, end=""), "truncated"),
    "no_end.sdf": (SDF.format(a=SDF_ATOM, b=2, end=""), "M  END"),
    "self.sdf": (SDF.format(a=SDF_ATOM, b=1, end="M  END"), "to itself"),
    "element.sdf": (SDF.format(a=SDF_ATOM.replace(" C ", " R#"), b=2, end="M  END"), "no known chemical element"),
    "v3000.sdf": (SDF.format(a="", b=1, end="").replace("V2000", "V3000"), "V3000"),
    # crystals
    "no_length.cif": (CIF.format(a="", g=90, rows="Ar 0 0 0\n"), "no cell"),
    "no_cell.cif": ("data_x\nloop_\n_atom_site_label\n_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\nAr 0 0 0\n", "no cell"),
    "no_atoms.cif": (CIF.format(a="_cell_length_a 4\n", g=90, rows="").partition("loop_")[0], "no atoms"),
    "angle.cif": (CIF.format(a="_cell_length_a 4\n", g=200, rows="Ar 0 0 0\n"), "between 0 and 180"),
    "element.cif": (CIF.format(a="_cell_length_a 4\n", g=90, rows="Qq 0 0 0\n"), "Q"),
    "question.cif": (CIF.format(a="_cell_length_a 4\n", g=90, rows="Ar ? ? ?\n"), "question.cif"),
    "cut.cif": (CIF.format(a="_cell_length_a 4\n", g=90, rows="Ar 0 0\n"), "cannot read"),
    "alternate.cif": (MMCIF.format(a=30.0, alt="B", x=1.1, occ=1.0, end=""), "alternate locations"),
    "occupancy.cif": (MMCIF.format(a=30.0, alt=".", x=1.1, occ=0.5, end=""), "atom 1 has occupancy 0.5"),
    "nan.mmcif": (MMCIF.format(a=30.0, alt=".", x="nan", occ=1.0, end=""), "nan.mmcif"),
    "place.mmcif": (MMCIF.format(a=30.0, alt=".", x="?", occ=1.0, end=""), "no numbers"),
    "cell.mmcif": (MMCIF.format(a=-30.0, alt=".", x=1.1, occ=1.0, end=""), "no cell has"),
    "cut.mmcif": (MMCIF.format(a=30.0, alt=".", x=1.1, occ=1.0, end="ATOM 3 C C"), "incomplete row"),
    "truncated.cfg": (CFG.format(n=2, m=3), "announces 2 particles, but lists 1"),
    "absurd.cfg": (CFG.format(n=10**12, m=3), "announces 1000000000000"),
    "truncated.xsf": ("CRYSTAL\nPRIMVEC\n4 0 0\n0 4 0\n0 0 4\nPRIMCOORD\n2 1\n18 0 0 0\n", "cannot read"),
    "truncated.gen": ("2 C\nAr\n1 1 0 0 0\n", "announces 2 atoms"),
    "truncated.res": ("TITL x\nCELL 1 4 4 4 90 90 90\nLATT -1\nSFAC Ar\nAr 1 0 0 0 1\n", "no END"),
    "truncated.config": ("t\n 0 0 2\nAr 1\n0 0 0\n", "truncated"),
    "absurd.xdatcar": ("t\n1\n4 0 0\n0 4 0\n0 0 4\nAr\n999999999999\nDirect configuration= 1\n0 0 0\n", "announces 999999999999"),
    "unknown.in": ("atom 0 0 0 Qq\n", "cannot read"),
}


@pytest.mark.parametrize("name", CORPUS)
def test_refused_with_a_clear_message(tmp_path, name):
    content, expected = CORPUS[name]
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    started = time.perf_counter()
    with pytest.raises(InputError) as caught:
        read_structures(path)
    message = str(caught.value)
    assert time.perf_counter() - started < 5
    assert expected in message
    assert message.startswith(str(path))
    assert "\n" not in message and len(message) < 500 + len(str(path))


def test_paths_that_are_no_files(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_structure(tmp_path / "missing.xyz")
    with pytest.raises(InputError, match="is a directory"):
        read_structure(tmp_path)
    with pytest.raises(InputError, match="not a regular file"):
        read_structure("/dev/zero")
    os.mkfifo(tmp_path / "pipe.xyz")
    with pytest.raises(InputError, match="not a regular file"):
        read_structure(tmp_path / "pipe.xyz")
    with pytest.raises(InputError, match="cannot be opened"):
        read_structure("a\0b.xyz")
    with pytest.raises(InputError, match="cannot be opened"):
        read_structure("x" * 5000)
    with pytest.raises(InputError, match=r"cannot be opened|no such file"):
        read_structure(tmp_path / "a.xyz" / "b.xyz")


def test_messages_stay_on_one_line_whatever_the_name(tmp_path):
    path = tmp_path / "evil\nname\x1b[31m.xyz"
    path.write_text("nonsense")
    with pytest.raises(InputError) as caught:
        read_structure(path)
    assert str(caught.value).isprintable()


def test_names_never_start_a_download(tmp_path, monkeypatch):
    """MDTraj opens a name such as http://host/file.pdb as an address."""
    monkeypatch.chdir(tmp_path)
    folder = Path("http:/127.0.0.1:9")
    folder.mkdir(parents=True)
    (folder / "a.pdb").write_text(PDB.format(z="0.000", e="AR", end="END\n"))
    assert read_structure("http://127.0.0.1:9/a.pdb").size == 1


def test_a_file_in_the_limit_of_growth_is_read(tmp_path):
    atoms = bulk("Cu", cubic=True) * (8, 8, 8)
    ase.io.write(tmp_path / "a.extxyz", atoms)
    (tmp_path / "b.extxyz.xz").write_bytes(lzma.compress((tmp_path / "a.extxyz").read_bytes()))
    assert read_structure(tmp_path / "b.extxyz.xz").size == 2048


SEEDS = {
    "a.xyz": XYZ,
    "a.extxyz": EXTXYZ.format(lattice="5 0 0 0 5 0 0 0 5", x=0),
    "POSCAR": POSCAR.format(c="0 0 5", n=2, mode="Selective\nDirect\n", flags=" T T F", z=0.5),
    "a.pdb": "CRYST1    9.000    9.000    9.000  90.00  90.00  90.00 P 1\n" + PDB.format(z="0.000", e="AR", end="END\n"),
    "a.gro": GRO.format(n=2, z="1.000", box=" 5 5 5"),
    "a.data": DATA.format(n=2, y=9, masses="Masses\n\n1 39.95\n\n", style=" # atomic", second="2 1 1 1 1"),
    "a.dump": DUMP.format(n=2, row="2 1 1 1 1"),
    "a.mol2": MOL2.format(n=2, t="O.2", b=2),
    "a.sdf": SDF.format(a=SDF_ATOM, b=2, end="M  END"),
    "a.cif": CIF.format(a="_cell_length_a 4\n", g=90, rows="Ar 0 0 0\n"),
    "a.mmcif": MMCIF.format(a=30.0, alt=".", x=1.128, occ=1.0, end=""),
    "a.cfg": CFG.format(n=1, m=3),
    "a.xsf": "CRYSTAL\nPRIMVEC\n4 0 0\n0 4 0\n0 0 4\nPRIMCOORD\n1 1\n18 0 0 0\n",
    "a.gen": "1 C\nAr\n1 1 0 0 0\n",
    "a.res": "TITL x\nCELL 1 4 4 4 90 90 90\nLATT -1\nSFAC Ar\nAr 1 0 0 0 1\nEND\n",
    "a.config": "t\n 0 0 1\nAr 1\n0 0 0\n",
    "a.xdatcar": "t\n1\n4 0 0\n0 4 0\n0 0 4\nAr\n1\nDirect configuration= 1\n0 0 0\n",
    "geometry.in": "lattice_vector 4 0 0\nlattice_vector 0 4 0\nlattice_vector 0 0 4\natom 0 0 0 Ar\n",
}
TOKENS = ["nan", "inf", "-1", "0", "999999999999", "1e400", "", "X", "Zz", '"', "#", "=", "\x00", "ü", "9" * 400, "END", "\n\n", "1_0", "٣"]


@pytest.mark.parametrize("name", SEEDS)
def test_seeds_are_fine(tmp_path, name):
    (tmp_path / name).write_text(SEEDS[name])
    assert read_structure(tmp_path / name).size in (1, 2)


@pytest.mark.parametrize("name", SEEDS)
def test_mutations_are_read_or_refused(tmp_path, name):
    """Random damage: an `InputError` of one line, or a finite structure with atoms; nothing else gets out."""
    draw = random.Random(name)
    for _ in range(200):
        path = tmp_path / name
        path.write_bytes(mutated(SEEDS[name].encode(), draw))
        try:
            structures = read_structures(path)
        except MdSensitivityError as error:
            assert isinstance(error, InputError), path.read_bytes()
            assert "\n" not in str(error)
        else:
            assert all(one.size > 0 and np.isfinite(one.positions).all() for one in structures)


def mutated(content: bytes, draw: random.Random) -> bytes:
    for _ in range(draw.choice([1, 1, 2, 4])):
        place = draw.randrange(len(content) + 1)
        token = draw.choice(TOKENS).encode()
        words, lines = content.split(b" "), content.split(b"\n")
        words[draw.randrange(len(words))] = token
        draw.shuffle(lines)
        content = draw.choice([
            content[:place],
            content[:place] + bytes([draw.randrange(256)]) + content[place + 1 :],
            content[:place] + content[place + draw.choice([1, 5, 40]) :],
            content[:place] + token + content[place:],
            content[:place] + content[place : place + 30] * 2 + content[place + 30 :],
            b" ".join(words),
            b"\n".join(lines),
        ])  # fmt: skip
    return content
