"""Values, ties, variables and groups that a document lays over files of molecular force fields; and such documents as they are written."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import charmm_files
import numpy as np
import pytest

from md_sensitivity.errors import InputError, UsageError
from md_sensitivity.forcefields import ForceField, native_toml, parse_native, read_force_field
from md_sensitivity.forcefields.rewrite import up_to_date
from md_sensitivity.reports.force_field import write_force_field

ROOT = Path(__file__).parents[2]
TOPOLOGIES = Path(__file__).parent / "topologies"
HEAD = '[molecules]\nfiles = ["ethanol.top"]\n'
TORSION = "FourierTorsion.CT-CT-OH-HO"
NEUTRAL = "-(opls_135.q + 3 * opls_140.q + opls_157.q + 2 * opls_156.q + opls_155.q)"
COUNTS = {"opls_135": 1, "opls_140": 3, "opls_157": 1, "opls_156": 2, "opls_154": 1, "opls_155": 1}
"""Atoms of each type in ethanol."""
WATER = """<ForceField>
 <AtomTypes>
  <Type name="O" class="OW" element="O" mass="15.99943"/>
  <Type name="H" class="HW" element="H" mass="1.007947"/>
 </AtomTypes>
 <Residues>
  <Residue name="HOH">
   <Atom name="O" type="O"/><Atom name="H1" type="H"/><Atom name="H2" type="H"/><Bond from="0" to="1"/><Bond from="0" to="2"/>
  </Residue>
 </Residues>
 <HarmonicBondForce><Bond class1="OW" class2="HW" length="0.09572" k="462750.4"/></HarmonicBondForce>
 <HarmonicAngleForce><Angle class1="HW" class2="OW" class3="HW" angle="1.82421813418" k="836.8"/></HarmonicAngleForce>
 <NonbondedForce coulomb14scale="0.833333" lj14scale="0.5">
  <Atom type="O" charge="-0.834" sigma="0.31507524" epsilon="0.635968"/><Atom type="H" charge="0.417" sigma="1" epsilon="0"/>
 </NonbondedForce>
</ForceField>
"""
SYSTEM = """<System openmmVersion="8.1" type="System" version="1">
 <PeriodicBoxVectors><A x="2" y="0" z="0"/><B x="0" y="2" z="0"/><C x="0" y="0" z="2"/></PeriodicBoxVectors>
 <Particles><Particle mass="15.999"/><Particle mass="1.008"/><Particle mass="1.008"/></Particles>
 <Constraints/>
 <Forces>
  <Force forceGroup="0" type="HarmonicBondForce" usesPeriodic="0" version="2">
   <Bonds><Bond d=".09572" k="462750.4" p1="0" p2="1"/><Bond d=".09572" k="462750.4" p1="0" p2="2"/></Bonds>
  </Force>
 </Forces>
</System>
"""
Read = Callable[[str], ForceField]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with ethanol as a GROMACS topology."""
    shutil.copy(ROOT / "inputs" / "ethanol" / "force_field.top", tmp_path / "ethanol.top")
    return tmp_path


@pytest.fixture
def read(place: Path) -> Read:
    """What stands behind `[molecules]` of ethanol → the force field."""

    def make(text: str) -> ForceField:
        (place / "x.toml").write_text(HEAD + text)
        return read_force_field(place / "x.toml")

    return make


def row(field: ForceField, name: str):
    return field.table.rows[field.table.position(name)]


def changed(field: ForceField, **seeds: int) -> ForceField:
    """Other values for some of the numbers."""
    rng = np.random.default_rng(seeds.get("seed", 0))
    table, size = field.table, len(field.table)
    chosen = (rng.uniform(size=size) < 0.3) & (table.values != 0)
    return field.with_parameters(table.unravel(np.where(chosen, table.values * rng.uniform(0.9, 1.1, size), table.values)))


def test_entries_say_what_they_say_and_all_else_stays(read: Read, place: Path) -> None:
    field = read(
        f'[parameters]\n"HarmonicBond.CT-HC.k" = 300000\n"{TORSION}.F1" = {{ std = 0.25, bounds = [-2.5, 0.5], group = "twist" }}\n'
        '"LennardJones.opls_135.epsilon" = { bounds = [0.1, 0.75] }\n[parameters."Coulomb.scale14"]\nvalue = 0.4\nfixed = true\n'
    )
    plain = read_force_field(place / "ethanol.top")
    assert field.table.names == plain.table.names
    names = ("HarmonicBond.CT-HC.k", "Coulomb.scale14")
    moved = np.flatnonzero(field.table.values != plain.table.values)
    assert sorted(field.table.names[i] for i in moved) == sorted(names)
    assert [row(field, name).value for name in names] == [300000.0, 0.4]
    assert row(field, "Coulomb.scale14").fixed and not row(plain, "Coulomb.scale14").fixed
    torsion = row(field, f"{TORSION}.F1")
    assert (torsion.value, torsion.std, torsion.bounds) == (-1.489504, 0.25, (-2.5, 0.5))
    assert row(field, "LennardJones.opls_135.epsilon").bounds == (0.1, 0.75)    # not the whole numbers that the files' bounds are
    assert row(field, "LennardJones.opls_140.epsilon").bounds == (0.0, np.inf)  # which shares nothing with it
    assert field.table.matching(["group:twist"]) == [field.table.position(f"{TORSION}.F1")]
    assert field.parameters["HarmonicBond"]["k"][0] == 300000.0 and plain.parameters["HarmonicBond"]["k"][0] == 284512.0
    assert field.typing is not None and [term.label for term in field.terms] == [term.label for term in plain.terms]


def test_what_the_files_fix_stays_fixed_and_may_be_freed(read: Read) -> None:
    name = "LennardJones.opls_155.sigma"    # zero, beside a depth of zero
    assert row(read(f'[parameters]\n"{name}" = {{ std = 0.1 }}\n'), name).fixed
    freed = row(read(f'[parameters]\n"{name}" = {{ value = 0.05, fixed = false }}\n'), name)
    assert (freed.value, freed.fixed) == (0.05, False)


def test_variables_ties_and_groups_are_those_of_native_documents(read: Read) -> None:
    field = read(
        '[variables]\nlength = { value = 0.14, unit = "nm", bounds = [0.1, 0.2] }\nshare = 0.5\n'
        '[parameters]\n"HarmonicBond.CT-OH.r0" = { tie = "length" }\n"HarmonicBond.CT-CT.r0" = { expression = "length + CT-HC.r0 / 8" }\n'
        '"LennardJones.scale14" = { tie = "variable.share" }\n"Coulomb.scale14" = { tie = "LennardJones.scale14", scale = 1.5 }\n'
        '[groups]\ntorsions = ["FourierTorsion.*"]\n'
    )
    assert field.table.names[:2] == ("variable.length", "variable.share") and row(field, "variable.length").unit == "nm"
    values = {name: row(field, name).value for name in ("HarmonicBond.CT-OH.r0", "HarmonicBond.CT-CT.r0", "Coulomb.scale14")}
    assert values == pytest.approx({"HarmonicBond.CT-OH.r0": 0.14, "HarmonicBond.CT-CT.r0": 0.14 + 0.109 / 8, "Coulomb.scale14": 0.75})
    assert len(field.relations) == 4 and len(field.table.matching(["group:torsions"])) == 16
    tree = field.table.unravel(np.where([name == "variable.length" for name in field.table.names], 0.15, field.table.values))
    assert row(field.with_parameters(tree), "HarmonicBond.CT-CT.r0").value == pytest.approx(0.15 + 0.109 / 8)


def test_the_charge_of_a_molecule_is_kept(read: Read) -> None:
    field = read(f'[parameters]\n"Coulomb.opls_154.q" = {{ expression = "{NEUTRAL}" }}\n')
    assert row(field, "Coulomb.opls_154.q").value == pytest.approx(-0.683, abs=1e-15)
    other = changed(field)
    assert np.any(other.parameters["Coulomb"]["q"] != field.parameters["Coulomb"]["q"])
    total = sum(count * row(other, f"Coulomb.{name}.q").value for name, count in COUNTS.items())
    assert total == pytest.approx(0.0, abs=1e-15)


def test_what_a_file_ties_may_be_a_number_again(tmp_path: Path) -> None:
    topology, _ = charmm_files.write(tmp_path)
    plain = read_force_field(topology)
    tied = plain.table.rows[int(np.flatnonzero(plain.table.dependent)[0])]
    text = f'[molecules]\nfiles = ["{topology.name}"]\n[parameters]\n"{tied.name}" = '
    (tmp_path / "x.toml").write_text(f"{text}1.5\n")
    field = read_force_field(tmp_path / "x.toml")
    assert (row(field, tied.name).value, row(field, tied.name).follows) == (1.5, "")
    assert len(field.relations) == len(plain.relations) - 1
    (tmp_path / "x.toml").write_text(f"{text}{{ std = 0.1 }}\n")
    with pytest.raises(InputError, match="as its files say; give it a value"):
        read_force_field(tmp_path / "x.toml")


def test_single_numbers_of_a_series_have_entries(tmp_path: Path) -> None:
    topology, _ = charmm_files.write(tmp_path)
    series = next(block for block in read_force_field(topology).table.blocks if block.series)
    (tmp_path / "x.toml").write_text(
        f'[molecules]\nfiles = ["{topology.name}"]\n[parameters]\n"{series.name(7)}" = 0.3\n"{series.name(11)}" = {{ fixed = false }}\n'
    )
    field = read_force_field(tmp_path / "x.toml")
    assert row(field, series.name(7)).value == 0.3 and row(field, series.name(6)).value == series.values[6]
    assert [k for k in range(len(series.values)) if not row(field, series.name(k)).fixed] == [11]
    (tmp_path / "x.toml").write_text(f'[molecules]\nfiles = ["{topology.name}"]\n[parameters]\n"{series.prefix}" = 0.3\n')
    with pytest.raises(InputError, match=r"is a series of 576 numbers; name one of them, such as 'CMAP\..*energy0'"):
        read_force_field(tmp_path / "x.toml")


BAD = {
    "an unknown name": ('[parameters]\n"HarmonicBond.CT-HC.kk" = 1', r"parameters\.'Harm.*HC\.kk': no .*did you mean 'Harm.*HC\.k'"),
    "types in another order": ('[parameters]\n"HarmonicBond.HC-CT.k" = 1', "no parameter has this name, did you mean"),
    "a name without quotation marks": ("[parameters]\nHarmonicBond.CT-HC.k = 1", "between quotation marks: 'HarmonicBond.CT-HC.k' = "),
    "a wrong one without": ("[parameters]\nHarmonicBond.CT-HC.K = 1", "no parameter has this name, did you mean 'HarmonicBond.CT-HC.k'"),
    "a pattern": ('[parameters]\n"Coulomb.*.q" = 1', r"is a pattern, .* such as 'Coulomb\.opls_135\.q'"),
    "a group": ('[groups]\na = ["*.q"]\n[parameters]\n"group:a" = 1', "no parameter has this name"),
    "a variable": ('[variables]\na = 1\n[parameters]\n"variable.a" = 1', r"variables stand in \[variables\], as a = "),
    "no table": ("\nparameters = 3", "unknown key 'parameters'"),
    "a text": ('[parameters]\n"Coulomb.scale14" = "0.5"', r"parameters\.'Coulomb\.scale14' must be a number"),
    "a list": ('[parameters]\n"Coulomb.scale14" = [0.5]', "must be a number"),
    "a truth": ('[parameters]\n"Coulomb.scale14" = true', "must be a number"),
    "not finite": ('[parameters]\n"Coulomb.scale14" = nan', "is not finite"),
    "physically impossible": ('[parameters]\n"HarmonicBond.CT-HC.r0" = -0.1', r"r0' = -0\.1: must be"),
    "a size of nothing": ('[parameters]\n"LennardJones.opls_135.sigma" = 0', "= 0: must be > 0"),
    "an impossible size where there is none": ('[parameters]\n"LennardJones.opls_155.sigma" = -1', "= -1: must be"),
    "bounds that exclude the value": ('[parameters]\n"Coulomb.scale14" = { bounds = [0.6, 1] }', r"= 0\.5: lies outside its own bounds"),
    "bounds upside down": ('[parameters]\n"Coulomb.scale14" = { bounds = [1, 0] }', "not in ascending order"),
    "three bounds": ('[parameters]\n"Coulomb.scale14" = { bounds = [0, 1, 2] }', "must be a pair"),
    "a negative deviation": ('[parameters]\n"Coulomb.scale14" = { std = -1 }', "std = -1 must be at least 0"),
    "fixed by a number": ('[parameters]\n"Coulomb.scale14" = { fixed = 1 }', "fixed must be true or false"),
    "an unknown key": ('[parameters]\n"Coulomb.scale14" = { values = 1 }', "unknown key 'values', did you mean 'value'"),
    "a group that is no text": ('[parameters]\n"Coulomb.scale14" = { group = 1 }', "group must be a text"),
    "a value and a tie": ('[parameters]\n"Coulomb.scale14" = { value = 1, tie = "LennardJones.scale14" }', "value has no place here"),
    "a tie to nothing": ('[parameters]\n"Coulomb.scale14" = { tie = "Coulomb.scale15" }', "scale14' = .*no parameter is"),
    "a tie to itself": ('[parameters]\n"Coulomb.scale14" = { tie = "Coulomb.scale14" }', "follows itself"),
    "a circle": (
        '[parameters]\n"Coulomb.scale14" = { tie = "LennardJones.scale14" }\n"LennardJones.scale14" = { tie = "Coulomb.scale14" }',
        "follows itself: .* → ",
    ),
    "another unit": ('[parameters]\n"HarmonicBond.CT-HC.r0" = { tie = "Coulomb.opls_135.q" }', "another unit"),
    "a tie to what is impossible": ('[parameters]\n"HarmonicBond.CT-HC.r0" = { tie = "HarmonicBond.CT-CT.r0", scale = -1 }', "must be"),
    "a name that wants backticks": ('[parameters]\n"Coulomb.scale14" = { expression = "2 * EOH:O.q" }', "between backticks: `EOH:O.q`"),
    "a scale alone": ('[parameters]\n"Coulomb.scale14" = { scale = 2 }', "scale belongs to tie"),
    "a potential beside": ('[[potential]]\nstyle = "morse"', r"potential cannot stand beside \[molecules\]"),
    "units beside": ("[units]\na = 1", "units must be a text"),
    "variables that are no table": ("[[variables]]\na = 1", r"variables must be a table"),
    "a group of nothing": ('[groups]\na = ["Morse.*"]', "groups.a: no parameter matches"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_entries_are_refused_with_place_and_remedy(case: str, read: Read) -> None:
    text, message = BAD[case]
    with pytest.raises(InputError, match=message) as caught:
        read(text + "\n")
    assert "x.toml: " in str(caught.value) and "\n" not in str(caught.value)


def test_parameters_belong_to_molecules_and_are_a_table(place: Path) -> None:
    potential = '[[potential]]\nstyle = "lennard_jones"\n[potential.parameters.Ar]\nsigma = 3.4\nepsilon = 0.01\n'
    with pytest.raises(InputError, match=r"\[parameters\] belongs to \[molecules\]; values of potentials stand in"):
        parse_native(f'[parameters]\n"lennard_jones.Ar.sigma" = 3.5\n{potential}', "x.toml")
    for said in ("parameters = 3", "parameters = []"):
        with pytest.raises(InputError, match=r"parameters must be a table such as \[parameters\], with lines such as"):
            parse_native(f"{said}\n{HEAD}", "x.toml", place)


# Written documents.


def prepared(kind: str, folder: Path) -> Path:
    """A force field of each format."""
    if kind == "psf":
        return charmm_files.write(folder)[0]
    if kind == "prmtop":
        return Path(shutil.copy(TOPOLOGIES / "chamber.prmtop", folder / "x.prmtop"))
    if kind == "top":
        return Path(shutil.copy(ROOT / "inputs" / "ethanol" / "force_field.top", folder / "x.top"))
    (folder / "x.xml").write_text({"xml": WATER, "system": SYSTEM}[kind])
    return folder / "x.xml"


@pytest.mark.parametrize("kind", ["xml", "system", "prmtop", "top", "psf"])
def test_every_format_is_written_as_a_document_that_gives_it_again_bit_by_bit(kind: str, tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "there").mkdir()
    field = read_force_field(prepared(kind, tmp_path / "files"))
    other = changed(field)
    assert np.any(other.table.values != field.table.values)
    first = write_force_field(other, tmp_path / "there" / "a.toml")
    again = read_force_field(first)
    assert again.table == other.table and again.relations == other.relations and again.name == other.name
    for label, leaf in ((block.label, block.leaf) for block in other.table.blocks):
        assert np.array_equal(again.parameters[label][leaf], other.parameters[label][leaf])
    # The document itself with other values, beside it and elsewhere.
    first.write_text("# a comment\n" + first.read_text() + "# the end\n")
    third = changed(read_force_field(first), seed=1)
    for folder in (tmp_path / "there", tmp_path, tmp_path / "files"):
        written = write_force_field(third, folder / "b.toml")
        assert read_force_field(written).table == third.table
        assert written.read_text().startswith("# a comment\n") and "# the end\n" in written.read_text()
    assert parse_native(native_toml(third, tmp_path), "x.toml", tmp_path).table == third.table


def test_files_of_openmm_keep_their_names(tmp_path: Path) -> None:
    pytest.importorskip("openmm")
    field = changed(read_force_field("tip3p.xml"))
    written = write_force_field(field, tmp_path / "a.toml")
    assert 'files = ["tip3p.xml"]' in written.read_text() and read_force_field(written).table == field.table
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "tip3p.xml").write_text(WATER)      # another file of this name
    elsewhere = write_force_field(field, tmp_path / "own" / "a.toml")
    assert 'files = ["tip3p.xml"]' not in elsewhere.read_text() and read_force_field(elsewhere).table == field.table


def test_what_did_not_change_is_written_as_the_same_bytes(read: Read, place: Path) -> None:
    field = read('cutoff = 8.5\n[parameters] # some\n"Coulomb.scale14" = 0.4_5 # shares\n[groups]\na = ["*.q"]\n')
    assert write_force_field(field, place / "y.toml").read_bytes() == (place / "x.toml").read_bytes()
    (place / "there").mkdir()
    elsewhere = write_force_field(field, place / "there" / "y.toml").read_text()
    assert elsewhere == (place / "x.toml").read_text().replace("ethanol.top", "../ethanol.top")


LAYOUTS = {
    "nothing": "",
    "a table": '[parameters] # some\n"Coulomb.opls_135.q" = -0.2 # one\n',
    "a table without the number": "[parameters] # some\n",
    "a table in another one's place": '[parameters]\n# none\n[groups]\na = ["*.q"] # group\n',
    "a long form": '[parameters]\n"Coulomb.scale14" = { std = 0.1, value = 0.25 } # long\n',
    "a long form without value": '[parameters]\n"Coulomb.scale14" = {std = 0.1}\n',
    "an empty long form": '[parameters]\n"Coulomb.scale14" = {}\n',
    "a table of its own": '[parameters."Coulomb.scale14"]\nstd = 0.1 # deviation\n',
    "a table of its own, and others": "[parameters.'Coulomb.scale14']\nvalue = 0.25\n[parameters]\n\"HarmonicBond.CT-HC.k\" = 3e5\n",
    "a table of another number": '[parameters."Coulomb.opls_135.q"]\nbounds = [-1, 0]\n',
    "dotted keys": '[parameters]\n"Coulomb.scale14".value = 0.25\n"Coulomb.scale14".std = 0.125 # both\n',
    "no end of the line": '[parameters]\n"Coulomb.scale14" = 0.25',
    "variables and a tie": '[variables]\na = 0.3 # a\n[parameters]\n"LennardJones.scale14" = { tie = "a" }\n',
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_documents_are_rewritten_in_place_however_they_are_laid_out(layout: str, read: Read, place: Path) -> None:
    field = read(LAYOUTS[layout])
    names = ("Coulomb.scale14", "variable.a", "HarmonicBond.OH-HO.k")
    values = np.where([name in names for name in field.table.names], 1.0 / 3.0 * field.table.values, field.table.values)
    other = field.with_parameters(field.table.unravel(values))
    written = write_force_field(other, place / "y.toml")
    assert read_force_field(written).table == other.table
    comments = [line.partition("#")[2] for line in LAYOUTS[layout].splitlines() if "#" in line]
    assert all(f"#{comment}" in written.read_text() for comment in comments)
    assert written.read_text().startswith(HEAD)


def test_what_cannot_be_placed_is_written_out_anew(place: Path) -> None:
    text = (
        'name = "mine"\nreference = "a book"\nparameters = { "Coulomb.opls_135.q" = -0.2, "HarmonicBond.CT-HC.k" = { std = 9.5 } }\n'
        'variables.a = { value = 0.5, std = 0.1 }\ngroups = { b = ["*.q"] }\n[molecules]\nfiles = "ethanol.top"\n'
        'define = ["FLEXIBLE", "other"]\n'
        "switch_from = false\ncutoff = 8\ndispersion_correction = false\norder = 6\ntolerance = 1e-6\n"
    )
    (place / "x.toml").write_text(text)
    field = changed(read_force_field(place / "x.toml"))
    again = read_force_field(write_force_field(field, place / "y.toml"))
    assert "x.toml" not in again.path and (again.name, again.reference) == ("mine", "a book")
    assert again.table == field.table and again.terms == field.terms


def test_a_tie_that_is_written_anew_is_the_same(read: Read, place: Path) -> None:
    field = read(
        f'[parameters]\n"Coulomb.opls_154.q" = {{ expression = "{NEUTRAL}" }}\n'
        '"Coulomb.opls_140.q" = { tie = "opls_156.q", scale = 0.5 }\n'
    )
    again = parse_native(native_toml(field, place), "y.toml", place)
    assert again.table == field.table and again.relations == field.relations
    assert 'tie = "opls_156.q", scale = 0.5' in native_toml(field, place)


def test_all_that_differs_is_written_anew_and_nothing_else(read: Read, place: Path, tmp_path: Path) -> None:
    entries = (
        '"HarmonicBond.CT-HC.k" = { value = 284512.0, bounds = [0.5, inf] }',
        '"LennardJones.opls_135.epsilon" = { value = 0.276144, bounds = [0.0, 0.5] }',
        '"LennardJones.opls_155.epsilon" = { value = 0.0, fixed = false }',
        '"Coulomb.scale14" = { value = 0.5, fixed = true }',
        '"Coulomb.opls_135.q" = { value = -0.18, std = 0.0 }',
    )
    text = HEAD + "\n[parameters]\n" + "\n".join(entries) + "\n"
    field = read(text.removeprefix(HEAD))
    assert native_toml(field, place) == text
    topology, _ = charmm_files.write(tmp_path)
    plain = read_force_field(topology)
    relation = plain.relations.items[0]
    (master,) = relation.sources
    values = np.where([name == master for name in plain.table.names], 1.5 * plain.table.values, plain.table.values)
    moved = plain.with_parameters(plain.table.unravel(values))
    assert row(moved, relation.name).value != row(plain, relation.name).value
    anew = native_toml(moved, tmp_path)
    assert f'"{master}" = ' in anew and f'"{relation.name}"' not in anew
    assert parse_native(anew, "y.toml", tmp_path).table == moved.table


def test_other_kinds_of_files_and_changed_ones_are_refused(place: Path, read: Read) -> None:
    plain = read_force_field(place / "ethanol.top")
    for name in ("y.top", "y.xml", "y"):
        with pytest.raises(UsageError, match=r"write a file that ends with \.toml"):
            write_force_field(plain, place / name)
    document = read("")
    (place / "x.toml").write_text(HEAD + "# more\n")
    (place / "ethanol.top").write_text((place / "ethanol.top").read_text() + "; more\n")
    for field in (plain, document):
        with pytest.raises(InputError, match="has changed since it was read"):
            write_force_field(field, place / "y.toml")
    assert not (place / "y.toml").exists()


def test_files_that_changed_behind_a_document_are_noticed(place: Path, read: Read) -> None:
    field = changed(read('[parameters]\n"HarmonicBond.CT-HC.k" = 300000\n'))
    topology = place / "ethanol.top"
    topology.write_text(topology.read_text().replace("462750.4", "462750.5"))
    with pytest.raises(InputError, match=r"x\.toml: the files that it names have changed since they were read"):
        write_force_field(field, place / "y.toml")
    text = native_toml(up_to_date(field), place)    # as a fit does that has no other way to keep its values
    assert np.array_equal(parse_native(text, "y.toml", place).table.values, field.table.values)
    assert row(field, "HarmonicBond.OH-HO.k").value != 462750.5 and '"HarmonicBond.OH-HO.k" = ' in text
