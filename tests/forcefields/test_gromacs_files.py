"""GROMACS topologies: the preprocessor, lookups of types, names of rows, energies against OpenMM's reader, and slips."""

from __future__ import annotations

import gc
import warnings
from dataclasses import replace
from pathlib import Path

import gromacs_files
import numpy as np
import pytest
from listed_energies import term_energies
from wrong_files import assert_refused, slip_in

import md_sensitivity as mds
from md_sensitivity.errors import InputError
from md_sensitivity.forcefields import ForceField, acting_rows, read_force_field
from md_sensitivity.forcefields.gromacs import read_gromacs
from md_sensitivity.structures import read_structure
from md_sensitivity.types import Structure

FOLDER = Path(__file__).parent / "topologies"
OPENMM_TERMS = {
    "HarmonicBondForce": ("HarmonicBond", "UreyBradley"),
    "HarmonicAngleForce": ("HarmonicAngle",),
    "PeriodicTorsionForce": ("PeriodicTorsion", "PeriodicImproper"),
    "RBTorsionForce": ("RBTorsion", "FourierTorsion"),
    "HarmonicTorsionForce": ("HarmonicImproper",),
    "CMAPTorsionForce": ("CMAP",),
}
"""Forces of OpenMM and what they are here; all others are not bonded."""


def ethanol() -> Structure:
    return read_structure(gromacs_files.INPUTS / "structure.gro")


def energies_of(path: Path, of: Structure) -> dict[str, float]:
    force_field = read_force_field(path)
    return term_energies(force_field.completed(of), force_field)


def openmm_terms(path: Path, of: Structure) -> dict[str, float]:
    app = pytest.importorskip("openmm.app")
    from openmm_terms import openmm_energies

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)    # OpenMM leaves files open
        topology = app.GromacsTopFile(str(path))
        gc.collect()
    return openmm_energies(topology.createSystem(constraints=None, rigidWater=False), of.positions)


def require_equal(own: dict[str, float], theirs: dict[str, float]) -> None:
    own, total = dict(own), sum(own.values())
    for force, labels in OPENMM_TERMS.items():
        if force in theirs:
            assert sum(own.pop(label, 0.0) for label in labels) == pytest.approx(theirs[force], rel=1e-11, abs=1e-13), force
    assert set(own) <= {"LennardJones", "LennardJones14", "Coulomb"}
    of_openmm = sum(value for name, value in theirs.items() if name not in ("LennardJones", "Coulomb"))
    assert total == pytest.approx(of_openmm, rel=1e-11)


def test_ethanol_of_the_inputs_has_openmms_energies() -> None:
    path = gromacs_files.INPUTS / "force_field.top"
    require_equal(energies_of(path, ethanol()), openmm_terms(path, ethanol()))


@pytest.mark.parametrize("rule", [1, 2, 3])
def test_all_kinds_of_lines_have_openmms_energies(rule: int, tmp_path: Path) -> None:
    path = gromacs_files.written(tmp_path, rule)
    require_equal(energies_of(path, ethanol()), openmm_terms(path, ethanol()))


def test_maps_and_urey_bradley_terms_have_openmms_energies() -> None:
    path = FOLDER / "charmm.top"
    of = replace(read_structure(FOLDER / "chamber.rst7"), name="dipeptide")
    own = energies_of(path, of)
    assert own["CMAP"] == pytest.approx(-0.045953999492403384, rel=1e-9)
    assert own["UreyBradley"] == pytest.approx(0.0051287522782376, rel=1e-9)
    require_equal(own, openmm_terms(path, of))


def test_numbers_of_pairs_replace_mixed_ones_also_three_bonds_apart(tmp_path: Path) -> None:
    text = (gromacs_files.INPUTS / "force_field.top").read_text().replace("1       3          yes", "1       2          yes")
    pair = "[ nonbond_params ]\n  opls_140 opls_156 1 0.31 0.4\n  opls_140 opls_154 1 0.29 0.3\n"
    path = tmp_path / "pairs.top"
    path.write_text(text.replace("[ bondtypes ]", pair + "[ bondtypes ]"))
    force_field = read_force_field(path)
    assert {"LennardJones.opls_140-opls_156.sigma", "LennardJones.opls_140.sigma"} <= set(force_field.table.names)
    theirs = openmm_terms(path, ethanol())
    require_equal(energies_of(path, ethanol()), theirs)


@pytest.mark.parametrize("rule", [1, 2])
def test_the_engine_sums_the_terms(rule: int, tmp_path: Path) -> None:
    path = gromacs_files.written(tmp_path, rule)
    force_field = read_force_field(path)
    energy = mds.energy_function(mds.build_system(ethanol(), force_field))
    value = float(energy(energy.system.positions, force_field.parameters))
    assert value == pytest.approx(sum(energies_of(path, ethanol()).values()), rel=1e-12)


def rows_of(force_field: ForceField) -> dict[str, float]:
    return {row.name: row.value for row in force_field.table.rows}


def test_a_row_is_a_line_whoever_uses_it(tmp_path: Path) -> None:
    rows = rows_of(read_force_field(gromacs_files.written(tmp_path)))
    assert rows["HarmonicBond.c3-hc.k"] == 284512.0 and rows["HarmonicBond.c3-hc.k#2"] == 290000.0
    assert rows["HarmonicBond.stiff.r0"] == 0.0945
    assert rows["PeriodicTorsion.twist.k1"] == 0.4 and rows["PeriodicTorsion.twist.phase1"] == 5.0
    assert [rows[f"PeriodicTorsion.hc-c3-c3-oh.k{k}"] for k in (1, 2)] == [0.5, 0.25]
    assert [rows[f"PeriodicTorsion.X-c3-c3-X.k{k}"] for k in (1, 2)] == [0.65, 0.2]
    assert rows["RBTorsion.hc-c3-c3-hc.c3"] == -2.51 and rows["RBTorsion.hc-c3-c3-hc.c3#2"] == -0.4
    assert rows["FourierTorsion.c3-c3-oh-ho.F3"] == 2.0585
    assert rows["UreyBradley.c3-c3-oh.r0"] == 0.239 and "UreyBradley.oh-c3-hc.r0" not in rows
    assert rows["LennardJones14.hc-oh.sigma"] == 0.27 and rows["LennardJones14.c3-ho.sigma"] == 0.22
    assert rows["LennardJones.scale14"] == 0.5 and rows["Coulomb.scale14"] == 0.8333
    assert rows["Coulomb.EOH:C1.q"] == -0.18 and rows["Coulomb.hc.q"] == 0.06 and rows["Coulomb.EOH:H13.q"] == 0.07


def test_units_are_those_of_gromacs(tmp_path: Path) -> None:
    units = {row.name: row.unit for row in read_force_field(gromacs_files.written(tmp_path)).table.rows}
    assert units["HarmonicBond.c3-hc.k"] == "kJ/mol/nm²" and units["HarmonicAngle.c3-c3-hc.k"] == "kJ/mol/rad²"
    assert units["HarmonicAngle.c3-c3-hc.theta0"] == "degrees" and units["LennardJones.c3.sigma"] == "nm"
    powers = {row.name: row.unit for row in read_force_field(gromacs_files.written(tmp_path, 1)).table.rows}
    assert powers["LennardJones.c3.C6"] == "kJ/mol·nm⁶"


def test_all_rows_act_and_those_without_interaction_are_fixed() -> None:
    force_field = read_force_field(gromacs_files.INPUTS / "force_field.top")
    assert len(acting_rows(force_field, ethanol())) == len(force_field.table)
    fixed = [row.name for row in force_field.table.rows if row.fixed]
    assert fixed == ["LennardJones.opls_155.sigma", "LennardJones.opls_155.epsilon"]


def test_macros_decide_which_lines_count(tmp_path: Path) -> None:
    path = gromacs_files.written(tmp_path)
    text = path.read_text()
    assert "HarmonicImproper.c3-hc-hc-oh.k" in read_gromacs(text, path).table.names
    assert "HarmonicImproper.c3-hc-hc-oh.k" not in read_gromacs(text, path, define=["PLAIN"]).table.names
    inside = gromacs_files.written(tmp_path, define="#define PLAIN\n#define BARE")
    assert "HarmonicImproper.c3-hc-hc-oh.k" not in read_force_field(inside).table.names
    wrapper = tmp_path / "wrapper.toml"
    wrapper.write_text('name = "ethanol"\n[molecules]\nfiles = ["topol.top"]\ndefine = ["PLAIN"]\n')
    gromacs_files.written(tmp_path)
    assert "HarmonicImproper.c3-hc-hc-oh.k" not in read_force_field(wrapper).table.names


def test_files_are_found_in_the_library_of_gromacs(tmp_path: Path, own_environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    gromacs_files.written(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    path = elsewhere / "topol.top"
    path.write_text((tmp_path / "topol.top").read_text())
    with pytest.raises(InputError, match=r"there is no file 'ff/types\.itp' beside the topology; .*GMXLIB"):
        read_force_field(path)
    monkeypatch.setenv("GMXLIB", f"/nowhere:{tmp_path}")
    assert len(read_force_field(path).table) > 50


WATER = """
[ moleculetype ]
  SOL 2
[ atoms ]
  1 OW 1 SOL OW 1 -0.834 15.9994
  2 HW 1 SOL HW1 1 0.417 1.008
  3 HW 1 SOL HW2 1 0.417 1.008
#ifdef FLEXIBLE
[ bonds ]
  1 2 1 0.09572 502416.0
  1 3 1 0.09572 502416.0
[ angles ]
  2 1 3 1 104.52 628.02
#endif
[ settles ]
  1 1 0.09572 0.15139
[ exclusions ]
  1 2 3
  2 1 3
  3 1 2
"""
WATERS = f"""
[ defaults ]
  1 2 yes
[ atomtypes ]
  OW 8 15.9994 0 A 0.315061 0.6364
  HW 1 1.008 0 A 0 0
{WATER}
[ system ]
water
[ molecules ]
SOL 2
SOL 1
"""


def test_rigid_water_is_released_where_bonds_hold_it(tmp_path: Path) -> None:
    path = tmp_path / "water.top"
    path.write_text(WATERS)
    with pytest.raises(InputError, match=r"line 22: .*SOL is rigid, and nothing else holds it together; define FLEXIBLE"):
        read_force_field(path)
    force_field = read_gromacs(WATERS, path, define=["FLEXIBLE"])
    typing = force_field.typing
    assert typing is not None
    rng = np.random.default_rng(0)
    waters = replace(
        ethanol(), positions=rng.uniform(0, 9, (9, 3)), numbers=np.array([8, 1, 1] * 3), atom_names=(), residue_names=()
    )
    found = typing(waters)
    assert "released" in found.notes[0]
    assert found.tuples["HarmonicAngle"].atoms.tolist() == [[1, 0, 2], [4, 3, 5], [7, 6, 8]]
    assert found.pairs["Coulomb"].atoms.tolist() == [[0, 1], [0, 2], [1, 2], [3, 4], [3, 5], [4, 5], [6, 7], [6, 8], [7, 8]]
    assert "Coulomb.SOL:OW.q" in force_field.table.names and found.species == ("OW/SOL:OW", "HW/SOL:HW1", "HW/SOL:HW2")


def test_molecules_of_one_kind_share_their_rows(tmp_path: Path) -> None:
    few, many = (WATERS.replace("SOL 2\nSOL 1", f"SOL {count}") for count in (1, 30_000))
    one, all_of_them = (read_gromacs("#define FLEXIBLE\n" + text, tmp_path / "water.top") for text in (few, many))
    assert one.table.names == all_of_them.table.names
    assert one.species == all_of_them.species


def test_elements_that_names_hide_follow_the_topology(tmp_path: Path) -> None:
    path = gromacs_files.INPUTS / "force_field.top"
    force_field = read_force_field(path)
    hidden = replace(ethanol(), numbers=np.where(np.arange(9) == 8, 67, ethanol().numbers), bonds=np.zeros((0, 2), dtype=np.int64))
    assert force_field.completed(hidden).symbols[8] == "H" and len(force_field.completed(hidden).bonds) == 8
    with pytest.raises(InputError, match=r"atom 8 is Ho, but .* has H \(atom 'HO' of residue 'EOH 1'\) there"):
        force_field.completed(replace(hidden, atom_names=()))


SLIPS = {
    "no defaults": ("  1 2 yes 0.5 0.8333", "", "there is no [ defaults ]"),
    "Buckingham": ("  1 2 yes 0.5", "  2 2 yes 0.5", "Buckingham is not supported"),
    "a rule that is none": ("  1 2 yes 0.5", "  1 4 yes 0.5", "a combination rule 1, 2 or 3"),
    "defaults twice": ("  1 2 yes 0.5 0.8333", "  1 2 yes 0.5 0.8333\n 1 2 yes 0.5 0.5", "a second line of [ defaults ]"),
    "a word": ("0.1526 260000.0", "0.1526 stiff", "a parameter is 'stiff', not a number"),
    "not finite": ("0.1526 260000.0", "0.1526 inf", "not finite"),
    "digits with underscores": ("0.1526 260000.0", "0.1526 26_0", "not a number"),
    "negative stiffness": ("0.1526 260000.0", "0.1526 -1", "stiffness k = -1 of c3-c3 must be ≥ 0"),
    "a length beyond any molecule": ("0.1526 260000.0", "1526 260000.0", "r0 = 1526 nm of c3-c3 is more than 10 nm, which no molecule has"),
    "an angle beyond a turn": ("1 110.7 313.8", "1 1107 313.8", "theta0 = 1107 degrees of c3-c3-hc is more than 360 degrees"),
    "negative well": ("[ pairtypes ]\n  hc oh 1 0.27 0.15", "[ pairtypes ]\n  hc oh 1 0.27 -0.15", "epsilon = -0.15 of hc-oh must be ≥ 0"),
    "too few parameters": ("0.1526 260000.0", "0.1526", "2 parameters are needed, not 1"),
    "another state B": ("0.1526 260000.0", "0.1526 260000.0 0.16 260000.0", "states B that differ"),
    "no type of bond": ("  c3 c3 1 0.1526 260000.0\n", "", "[ bondtypes ] has none of function 1 for c3-c3"),
    "no type of torsion": ("  X  c3 oh X  9   0.0 0.70 3\n", "", "[ dihedraltypes ] has none of function 9 for hc-c3-oh-ho"),
    "types that contradict": ("  c3 hc 1", "  c3 c3 1 0.2 1.0\n  c3 hc 1", "about the same types; keep one of them"),
    "terms that do not follow one another": ("  X  c3 oh X  9", "  X c3 oh X 9 0 1 1\n  hc c3 oh hc 9 0 1 1\n X  c3 oh X  9", "same"),
    "an atom beyond": ("  1 5 1\n", "  1 15 1\n", "there is no atom 15; the molecule has 9"),
    "an atom twice": ("  1 5 1\n", "  1 1 1\n", "an atom occurs twice"),
    "half an atom": ("  1 5 1\n", "  1 5.0 1\n", "not a whole number"),
    "an unknown function": ("  1 5 1\n", "  1 5 7\n", "function 7 of [ bonds ] is not supported"),
    "an unknown type": ("  5 c2 1 EOH", "  5 c9 1 EOH", "there is no type c9 in [ atomtypes ]"),
    "atoms out of order": ("  5 c2 1 EOH", "  6 c2 1 EOH", "atom 5 of ethanol must be"),
    "a perturbed atom": ("C1  1 -0.18 12.011", "C1  1 -0.18 12.011 c2 0.1 12.011", "a perturbed atom (state B)"),
    "no mass": ("C1  1 -0.18 12.011", "C1  1 -0.18 0.0", "a particle 'A' of mass 0"),
    "a virtual site": ("[ pairs ]", "[ virtual_sites3 ]\n 9 1 2 3 1 0.1 0.1\n[ pairs ]", "virtual sites are not supported"),
    "restraints": ("[ pairs ]", "[ position_restraints ]\n 1 1 1000 1000 1000\n[ pairs ]", "leave out the macro"),
    "polarization": ("[ pairs ]", "[ polarization ]\n 1 2 1 0.001\n[ pairs ]", "polarization is not supported"),
    "molecules that interact by bonds": ("[ system ]", "[ intermolecular_interactions ]\n[ system ]", "no section that is supported"),
    "a misspelt section": ("[ angles ]", "[ angels ]", "did you mean 'angles'"),
    "a section without end": ("[ angles ]", "[ angles", "no section that is supported"),
    "a section too early": ("#define stiff", "[ bonds ]\n 1 2\n#define stiff", "[ bonds ] stands before any [ moleculetype ]"),
    "a line too early": ("#include", "1 2 3\n#include", "stands before any section"),
    "no molecules": ("[ molecules ]\nethanol 1", "", "there is no [ molecules ]"),
    "an unknown molecule": ("ethanol 1\n", "methanol 1\n", "there is no [ moleculetype ] methanol, did you mean 'ethanol'?"),
    "too many molecules": ("ethanol 1\n", "ethanol 9999999\n", "at most 10000000"),
    "minus molecules": ("ethanol 1\n", "ethanol -1\n", "must be from 0"),
    "no atoms": ("ethanol 1\n", "ethanol 0\n", "there must be at least one"),
    "another pair function": ("  6 9 1\n", "  6 9 2 0.8333 0.1 0.1 0.2 0.2\n", "function 2 of [ pairs ]"),
    "a pair twice": ("  6 9 1\n", "  6 9 1\n  9 6 1\n", "the pair is listed twice"),
    "a pair that is no neighbor": ("  ethanol 3", "  ethanol 2", "the atoms interact as neighbors, too"),
    "pairs without numbers": ("  1 2 yes 0.5", "  1 2 no 0.5", "gen-pairs is no"),
    "a constraint alone": ("[ pairs ]", "[ constraints ]\n 2 9 1 0.2\n[ pairs ]", "no bond or angle holds together"),
    "an open condition": ("#ifndef PLAIN", "#ifndef PLAIN\n#ifdef MORE", "has no #endif"),
    "a condition never opened": ("#ifndef PLAIN", "#endif\n#ifndef PLAIN", "#endif without #ifdef"),
    "else twice": ("#endif\n\n[ pairs ]", "#else\n#else\n#endif\n\n[ pairs ]", "#else without #ifdef"),
    "an unknown directive": ("#define stiff", "#if 1\n#define stiff", "'#if 1' is not supported"),
    "a file that includes itself": ("[ atomtypes ]", '#include "more.itp"\n[ atomtypes ]', "include one another"),
    "a missing file": ("#include \"ff/types.itp\"", "#include <amber99sb.ff/forcefield.itp>", "there is no file"),
    "an include of a file that is none": ("#include \"ff/types.itp\"", "#include \"/etc/passwd\"", "'/etc/passwd' is not read"),
    "an include without name": ("#include \"ff/types.itp\"", "#include", "#include must name one file"),
    "a folder": ("#include \"ff/types.itp\"", "#include \"ff\"", "there is no file"),
    "macros without end": ("#define stiff", "#define a b b\n#define b a a\n[ system ]\na\n#define stiff", "macros that hold macros"),
    "a backslash at the end": ("[ molecules ]\nethanol 1\n", "[ molecules ]\nethanol 1 \\", "ends with a backslash"),
    "a broken multiplicity": ("180.0 1.5 2", "180.0 1.5 2.5", "2.5 is no whole number"),
    "a map without types": ("[ pairs ]", "[ cmap ]\n 2 1 5 8 9 1\n[ pairs ]", "[ cmaptypes ] has none of function 1 for hc-c3-c3-oh-ho"),
}


def test_nothing_of_a_file_that_is_no_topology_is_read_or_told(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("a token of mine\n")
    (tmp_path / "innocent.itp").symlink_to(tmp_path / "secret")
    (tmp_path / "innocent.ff").symlink_to(tmp_path)
    (tmp_path / "ff.ff").mkdir()
    for name in ("secret", "innocent.itp", "innocent.ff/secret", "ff.ff/../secret"):
        path = tmp_path / "topol.top"
        path.write_text(f'#include "{name}"\n')
        with pytest.raises(InputError, match="is not read: files that a topology includes have names") as caught:
            read_force_field(path)
        assert "token" not in str(caught.value)


def test_files_above_and_elsewhere_are_included(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = gromacs_files.written(tmp_path)
    for folder in ("toppar", "library", "run", "library/mine.ff"):
        (tmp_path / folder).mkdir()
    (tmp_path / "ff" / "types.itp").rename(tmp_path / "toppar" / "types.itp")
    (tmp_path / "ff" / "more.itp").rename(tmp_path / "library" / "mine.ff" / "more")
    slip_in(tmp_path / "toppar" / "types.itp", '"more.itp"', "<mine.ff/more>")
    moved = path.rename(tmp_path / "run" / "topol.top")
    monkeypatch.setenv("GMXLIB", str(tmp_path / "library"))
    slip_in(moved, '"ff/types.itp"', '"../toppar/types.itp"')
    read_force_field(moved)
    slip_in(moved, '"../toppar/types.itp"', f'"{tmp_path}/toppar/types.itp"')
    read_force_field(moved)


@pytest.mark.parametrize("slip", SLIPS)
def test_a_wrong_topology_is_refused_with_place_and_reason(slip: str, tmp_path: Path) -> None:
    before, after, message = SLIPS[slip]
    path = gromacs_files.written(tmp_path)
    slip_in(next(one for one in (path, *(tmp_path / "ff").iterdir()) if before in one.read_text()), before, after)
    assert_refused(path, r"\.(top|itp)", message)
