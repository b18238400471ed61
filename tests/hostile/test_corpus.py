"""The corpus of malformed and hostile files: each is refused with one clear line, or read right where it is in fact fine."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from hostile_folder import CORPUS, XYZ, Run, brought

STRUCTURES = {
    "absurd.POSCAR": "line 7 announces 1000000000000 atoms, but 2 follow",
    "absurd.cfg": "announces 1000000000000 entries",
    "absurd.data": "the header announces 1000000000000 atoms",
    "absurd.dump": "snapshot 0 announces '1000000000000' atoms",
    "absurd.gro": "line 2 announces 999999999999 atoms",
    "absurd.mol2": "molecule 0 announces 999999999999 atoms",
    "absurd.xsf": "announces 999999999999 entries",
    "absurd_columns.extxyz": "'pos' with 3000000000 columns",
    "absurd_count.xyz": "line 1 announces 1000000000000 atoms",
    "beyond_floats.xyz": "atom 1: coordinate inf is not finite",
    "blank.cif": "the file is empty",
    "bond_to_nobody.sdf": "a bond names atom 8",
    "control_codes.xyz": r"line 2 holds the control character '\x1b'",
    "cut.pdb": "line 2: no coordinates",
    "cut_in_a_number.extxyz": "cannot read it",
    "duplicate.xyz": "atoms 0 and 1 are at one place",
    "empty.xyz": "the file is empty",
    "endless_model.pdb": "the MODEL of line 1 has no ENDMDL",
    "escape_in_a_type.extxyz": r"atom 0: 'A\u202er' is no atom type",
    "garbage.traj": "cannot read it",
    "garbage.xyz": "binary data",
    "gzip_called_xyz.xyz": "binary data",
    "html_page.pdb": "no ATOM or HETATM",
    "huge_integer.xyz": "line 1 must be the number of atoms",
    "impossible_cell.pdb": "no cell has the lengths",
    "inf.extxyz": "atom 1: coordinate inf is not finite",
    "inverted_box.data": "box bounds",
    "many_species.POSCAR": "announces 5000 atoms, but 2 follow",
    "missing_cell.extxyz": "periodic along cell vector a",
    "nan.POSCAR": "atom 1: coordinate nan",
    "nan.dump": "atom 1: coordinate nan",
    "nan.gro": "atom 0: coordinate nan",
    "nan.pdb": "atom 0: coordinate nan",
    "nan.xyz": "atom 1: coordinate nan",
    "nan_cell.cif": "nan",
    "nan_cell.extxyz": "the cell has an entry that is not finite",
    "negative_count.xyz": "line 1 must be the number of atoms",
    "negative_mass.extxyz": "atom 0: mass -39.9 is not positive",
    "no_atoms.pdb": "no ATOM or HETATM",
    "no_end.pdb": "no END follows",
    "no_gzip.xyz.gz": "cannot be decompressed",
    "no_places.cif": "cannot read it",
    "nul_bytes.xyz": "binary data",
    "numpy.gro": "binary data",
    "numpy_objects.traj": "cannot read it",
    "pickle.cfg": "Number of particles",
    "pickle.traj": "cannot read it",
    "scale_zero.POSCAR": "cell vector a",
    "shell_script.xyz": "line 1 must be the number of atoms",
    "singular.POSCAR": "linearly dependent",
    "singular_cell.extxyz": "linearly dependent",
    "tar_archive.pdb": "binary data",
    "truncated.xyz": "line 1 announces 7 atoms, but 2 lines follow",
    "truncated.xyz.gz": "cannot be decompressed",
    "twice.xyz.gz": "binary data",
    "unclosed_text.cif": "cannot read it",
    "units.data": "mass -39.95 is not positive",
    "unknown_column_type.extxyz": "Q",
    "unknown_element.xyz": "unknown element 'Zz'",
    "unknown_type.data": "atom type 7",
    "utf16.xyz": "binary data",
    "wrong_type.extxyz": "east",
    "zero_atoms.xyz": "line 1 announces a frame without atoms",
    "zip_archive.xyz": "binary data",
}
FORCE_FIELDS = {
    "beyond_floats.toml": "parameters.Ar.sigma = inf is not finite",
    "bomb.in": "line 2: more than 8 files include one another",
    "continued.in": "no pair_style command",
    "date.toml": "parameters.Ar.sigma must be a number",
    "deep.toml": "nested too deeply",
    "deep_formula.in": "line 2: the formula is nested too deeply",
    "deep_tables.toml": "nested too deeply",
    "device.in": "line 3: /dev/zero: not a regular file",
    "device.toml": "file = '/dev/zero': /dev/zero: not a regular file",
    "empty.sw": "no Stillinger-Weber entry",
    "empty.toml": "the file is empty",
    "escape.in": r"line 2: the command '\x1b[31mpair_style' is not part of a force field",
    "escape.sw": r"line 1: '\x1b[31mSi Si Si'",
    "escape_type.toml": r"parameters.\x1b[31mAr: types are words without blanks",
    "folder.toml": "file = '..': ..: is a directory",
    "garbage.in": "not UTF-8 text",
    "garbage.sw": "not UTF-8 text",
    "garbage.toml": "not UTF-8 text",
    "huge_integer.toml": "a whole number of thousands of digits",
    "inf.toml": "parameters.Ar.epsilon = inf is not finite",
    "itself.toml": "files of stillinger_weber end with .sw",
    "key_of_many_parts.toml": "a key of more than 32 parts",
    "key_twice.toml": "Cannot overwrite a value",
    "laughs.in": "line 6: variables make a line of more than 100000 characters",
    "long_file.toml": "cannot be opened: File name too long",
    "many_types.in": "line 3: types are numbered from 1 to 200",
    "nan.sw": "line 1: sigma of Si Si Si is 'nan', which is not finite",
    "nan.toml": "parameters.Ar.sigma = nan is not finite",
    "negative.toml": "parameters.Ar.sigma = -3.4: must be > 0",
    "newline_type.toml": r"parameters.A\nr: types are words without blanks",
    "no_pairs.data": "no section of coefficients",
    "no_potential.toml": "needs at least one [[potential]] table",
    "nul.toml": "not valid TOML",
    "nul_in_file.toml": r"file = 'a\x00b'",
    "passwd.toml": "file = '../../../../../../../../etc/passwd'",
    "power.in": "the formula has no finite value",
    "quote.in": "no pair_style command",
    "script_label.toml": "name = '<script>'",
    "shell.in": "line 2: shell is not followed",
    "truncated.sw": "line 1: the last entry has 9 of 14 words",
    "truncated.toml": "not valid TOML",
    "undefined.in": "line 2: variable 'a' is not defined",
    "unknown.ff": "unknown kind of force-field file",
    "unknown_key.toml": "unknown key 'cutof', did you mean 'cutoff'",
    "unknown_style.toml": "did you mean 'lennard_jones'",
    "unknown_units.toml": "units = 'furlong'",
    "utf16.toml": "not UTF-8 text",
    "windows_1252.toml": "not UTF-8 text (byte 14)",
    "words.sw": "line 1: epsilon of once upon a is 'time', not a number",
    "wrong_type.toml": "parameters.Ar.sigma must be a number",
    "wrong_units.sw": "units 'stone'",
}
STUDIES = {
    "bad_shard.toml": "--shard '9/2'",
    "beyond_floats.toml": "fmax = inf is not finite",
    "big_integer.toml": "max-steps: -999",
    "big_seed.toml": "seed: 99999999999999999999 is not in the range",
    "config_in_config.toml": "unknown key 'config'",
    "deep.toml": "nested too deeply",
    "device_as_force_field.toml": "/dev/zero: not a regular file",
    "device_as_structure.toml": "/dev/zero: not a regular file",
    "empty.toml": "the file is empty",
    "flag_as_number.toml": "strict must be true or false",
    "garbage.toml": "not UTF-8 text",
    "huge_integer.toml": "a whole number of thousands of digits",
    "inf.toml": "fmax = inf is not finite",
    "infinite_verbosity.toml": "verbose must be a whole number",
    "key_of_many_parts.toml": "a key of more than 32 parts",
    "key_twice.toml": "Cannot overwrite a value",
    "list_for_one.toml": "fmax must be a number",
    "missing_structure.toml": "gone.xyz: no such file",
    "nan.toml": "fmax = nan is not finite",
    "negative.toml": "fmax: -1.0 is not in the range",
    "no_home.toml": "output: '~nobody-at-all/out' names a home folder that is not there",
    "nul.toml": "not valid TOML",
    "nul_in_output.toml": r"output: 'o\x00ut'",
    "nul_in_path.toml": r"structures: 'a\x00b.xyz'",
    "passwd.toml": "etc/passwd: unknown structure format",
    "script_key.toml": r"unknown key '<script>alert(1)</script>\x1b[31m'",
    "stars.toml": "more than one `**`",
    "table_for_one.toml": "check must be a number",
    "threads.toml": "threads: 1000000000 is not in the range",
    "truncated.toml": "Unclosed array",
    "unknown_choice.toml": "mode: 'sideways'",
    "unknown_format.toml": "unknown format 'exe'",
    "unknown_key.toml": "unknown key 'fmx', did you mean 'fmax'",
    "unknown_minimizer.toml": "unknown minimizer 'magic'",
    "unknown_observable.toml": "unknown observable 'enrgy', did you mean 'energy'",
    "unknown_parameter.toml": "no parameter matches 'lennard_jones.Xe.*'",
    "utf16.toml": "not UTF-8 text",
    "wrong_type.toml": "fmax must be a number",
}
OF_ANOTHER_FILE = {"device_as_force_field.toml", "device_as_structure.toml", "missing_structure.toml", "passwd.toml"}
"""Studies that name a file which is refused under its own name."""


def test_every_file_of_the_corpus_has_its_expectation() -> None:
    for kind, expected in (("structures", STRUCTURES), ("force_fields", FORCE_FIELDS), ("studies", STUDIES)):
        found = {path.name for path in (CORPUS / kind).iterdir()}
        assert {name for name in found if not name.startswith("fine_")} == set(expected)
    assert len(STRUCTURES) + len(FORCE_FIELDS) + len(STUDIES) >= 120


@pytest.mark.parametrize("name", STRUCTURES)
def test_a_hostile_structure_is_refused(run: Run, folder: Path, name: str) -> None:
    run("analyze", brought("structures", name, folder), "-f", "argon.toml", "-o", "out").refused(STRUCTURES[name], name)


@pytest.mark.parametrize("name", FORCE_FIELDS)
def test_a_hostile_force_field_is_refused(run: Run, folder: Path, name: str) -> None:
    run("analyze", "dimer.xyz", "-f", brought("force_fields", name, folder), "-o", "out").refused(FORCE_FIELDS[name], name)
    run("parameters", "-f", name).refused(FORCE_FIELDS[name], name)


@pytest.mark.parametrize("name", STUDIES)
def test_a_hostile_study_is_refused(run: Run, folder: Path, name: str) -> None:
    brought("studies", name, folder)
    run("analyze", "--config", name).refused(STUDIES[name], "" if name in OF_ANOTHER_FILE else name)


@pytest.mark.parametrize("command", [["minimize"], ["verify"], ["analyze", "--dry-run"], ["parameters"]], ids=" ".join)
@pytest.mark.parametrize("name", ["absurd_count.xyz", "nan.pdb", "garbage.traj", "truncated.xyz.gz"])
def test_every_command_refuses_them(run: Run, folder: Path, command: list[str], name: str) -> None:
    run(*command, brought("structures", name, folder), "-f", "argon.toml").refused(STRUCTURES[name], name)


def test_one_bad_file_among_others_is_named(run: Run, folder: Path) -> None:
    brought("structures", "nan.xyz", folder)
    ran = run("analyze", "nan.xyz", "gone.xyz", "-f", "argon.toml", "-o", "out")
    assert ran.code == 3 and len(ran.err.splitlines()) == 2 and "nan.xyz: atom 1" in ran.err and "gone.xyz: no such file" in ran.err


# --- what cannot be committed ---


def plan(run: Run, name: str) -> dict[str, object]:
    (one,) = run("analyze", name, "-f", "argon.toml", "-o", "out", "--dry-run", "--json").document()["plans"]
    return dict(one)


@pytest.mark.parametrize("kind", ["structure.xyz", "force_field.toml", "force_field.sw", "study.toml"])
def test_what_is_no_file_is_refused_at_once(run: Run, folder: Path, kind: str) -> None:
    """Missing, folder, named pipe, socket, device, links that dangle or turn in circles."""
    suffix = Path(kind).suffix
    (folder / f"folder{suffix}").mkdir()
    os.mkfifo(folder / f"pipe{suffix}")
    server = socket.socket(socket.AF_UNIX)
    server.bind(f"socket{suffix}")
    server.close()
    links = {"dangling": "nowhere", "circle": f"circle{suffix}", "device": "/dev/zero", "terminal": "/dev/tty", "tree": "."}
    for name, target in links.items():
        (folder / f"{name}{suffix}").symlink_to(target)
    for name in ("gone", "folder", "pipe", "socket", *links):
        path = f"{name}{suffix}"
        words = {"structure": [path, "-f", "argon.toml"], "force_field": ["dimer.xyz", "-f", path], "study": ["--config", path]}
        run("analyze", *words[Path(kind).stem]).refused(name=path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
@pytest.mark.parametrize("name", ["a.xyz", "a.toml"])
def test_what_may_not_be_read_is_refused(run: Run, folder: Path, name: str) -> None:
    (folder / name).write_text(XYZ)
    (folder / name).chmod(0)
    words = ["analyze", name, "-f", "argon.toml"] if name == "a.xyz" else ["analyze", "dimer.xyz", "-f", name]
    run(*words).refused("no permission", name)


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz"])
def test_what_grows_a_thousandfold_is_refused(run: Run, folder: Path, suffix: str) -> None:
    import bz2
    import gzip
    import lzma

    compress = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}[suffix]
    name = f"bomb.xyz{suffix}"
    (folder / name).write_bytes(compress(b"0" * 60_000_000))
    run("analyze", name, "-f", "argon.toml").refused("grows to more than", name)
    (folder / name).write_bytes(compress(compress(compress(XYZ.encode() * 1000))))
    run("analyze", name, "-f", "argon.toml").refused("binary data", name)


@pytest.mark.parametrize("name", ["sparse.xyz", "sparse.toml", "sparse.sw", "study.toml"])
def test_what_is_too_large_is_refused_unread(run: Run, folder: Path, name: str) -> None:
    with (folder / name).open("wb") as file:
        file.truncate(2**40)
    words = {"study.toml": ["--config", name], "sparse.xyz": [name, "-f", "argon.toml"]}
    run("analyze", *words.get(name, ["dimer.xyz", "-f", name])).refused("1099511627776 bytes, more than the limit", name)


def test_what_takes_too_long_is_refused(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MD_SENSITIVITY_READ_TIMEOUT", "0.01")
    (folder / "large.xyz").write_text("30000\n\n" + "".join(f"Ar {3 * i} 0 0\n" for i in range(30000)))
    run("analyze", "large.xyz", "-f", "argon.toml").refused("takes longer than the limit of 0.01 s; set MD_SENSITIVITY_READ_TIMEOUT")


@pytest.mark.parametrize(
    "name",
    [
        "a@b.xyz",
        "a@1.xyz",
        "two words.xyz",
        "übung-α-原子.xyz",
        "new\nline.xyz",
        "\x1b[31mred.xyz",
        "<script>alert(1)<!.xyz",
        "=1+1.xyz",
        "..xyz",
        "....xyz",
        "a:b*c?.xyz",
        "quote'\"`.xyz",
        "$(touch owned).xyz",
        "%s%n{0}.xyz",
        os.fsdecode(b"\xff\xfe.xyz"),
        "CON.xyz",
        "x" * 240 + ".xyz",
    ],
)
def test_a_hostile_name_is_no_reason_to_refuse(run: Run, folder: Path, name: str) -> None:
    (folder / name).write_text(XYZ)
    found = plan(run, name)
    assert found["atoms"] == 2
    written = Path(str(found["output"]))
    assert written.parent == Path("out") and written.name not in ("", ".", "..") and written.name.isascii() and written.name.isprintable()


@pytest.mark.parametrize("name", ["new\nline.xyz", "\x1b[31mred\x07.xyz", os.fsdecode(b"\xff.xyz"), "-f.xyz", "x" * 240 + ".xyz"])
def test_a_hostile_name_is_told_on_one_line(run: Run, folder: Path, name: str) -> None:
    (folder / name).write_text("nonsense")
    run("analyze", "-f", "argon.toml", "-o", "out", "--", name).refused("number of atoms")
    force_field = name.replace(".xyz", ".toml")
    (folder / force_field).write_text("nonsense")
    run("analyze", "dimer.xyz", "--force-field", force_field).refused("not valid TOML")
    run("analyze", "dimer.xyz", "--config", force_field).refused("not valid TOML")


def test_a_hostile_output_folder_is_told_on_one_line(run: Run) -> None:
    ran = run("analyze", "dimer.xyz", "-f", "argon.toml", "-o", "dimer.xyz/new\nline\x1b[31m")
    assert ran.code == 2 and ran.out == "" and len(ran.err.splitlines()) == 1 and "\x1b" not in ran.err and not ran.written


def test_names_that_no_file_can_have(run: Run) -> None:
    run("analyze", "x" * 5000, "-f", "argon.toml").refused("cannot be opened")
    run("analyze", "a\0b.xyz", "-f", "argon.toml").refused("cannot be opened")
    run("analyze", "dimer.xyz", "-f", "a\0b.toml").refused("cannot be opened")
    run("analyze", "dimer.xyz", "-f", "x" * 5000 + ".toml").refused("cannot be opened")
    run("analyze", "--config", "a\0b.toml").refused("cannot be opened")
    run("analyze", "dimer.xyz/other.xyz", "-f", "argon.toml").refused("dimer.xyz/other.xyz")


# --- what is fine ---


def test_the_last_of_several_models_is_read(run: Run, folder: Path) -> None:
    from md_sensitivity.structures.sandbox import read_safely

    brought("structures", "fine_models.pdb", folder)
    (last,) = read_safely("fine_models.pdb")
    assert last.positions[0].tolist() == [0.0, 0.0, 2.0]
    assert plan(run, "fine_models.pdb")["atoms"] == 2


@pytest.mark.parametrize("name", ["fine_bom_crlf.xyz", "fine_windows_1252.xyz", "fine_script_in_title.xyz"])
def test_a_fine_structure_is_read(run: Run, folder: Path, name: str) -> None:
    assert plan(run, brought("structures", name, folder))["atoms"] == 2


@pytest.mark.parametrize("name", ["fine_bom_crlf.toml", "fine_hostile_name.toml", "fine_crlf.in"])
def test_a_fine_force_field_is_read(run: Run, folder: Path, name: str) -> None:
    brought("force_fields", name, folder)
    document = run("parameters", "-f", name, "--json").document()
    assert [each["value"] for each in document["parameters"]] == [3.4, 0.01]


def test_a_fine_study_is_read(run: Run, folder: Path) -> None:
    ran = run("analyze", "--config", brought("studies", "fine_bom_crlf.toml", folder))
    assert ran.code == 0 and "dimer.xyz: 2 atoms" in ran.out
