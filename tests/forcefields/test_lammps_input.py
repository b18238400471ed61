"""LAMMPS inputs as force fields: the same energies and forces as LAMMPS, names that a structure knows, and nothing dropped silently."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest
from small_systems import gradient, value

from md_sensitivity.building import build_system
from md_sensitivity.errors import InputError
from md_sensitivity.forcefields import ForceField, native_toml, parse_native, read_force_field, species_of
from md_sensitivity.forcefields.lammps_formula import evaluated
from md_sensitivity.structures.validate import validated
from md_sensitivity.system import energy_function
from md_sensitivity.types import Structure
from md_sensitivity.units import KILOCALORIE_PER_MOLE, LAMMPS_METAL_COULOMB

CASES = json.loads((Path(__file__).parent / "lammps_inputs.json").read_text())
"""Made by scripts/lammps_input_references.py with LAMMPS itself."""
AR = "units metal\npair_style lj/cut 8.5\n"
SI = "Si Si Si 2.1683 2.0951 1.80 21.0 1.20 -0.3333333 7.049556277 0.6022245584 4.0 0.0 0.0\n"
SI_C = "".join(f"{a} {b} {c} {SI[9:]}" for a in ("Si", "C") for b in ("Si", "C") for c in ("Si", "C"))


def read(folder: Path, text: str, name: str = "in.case", **files: str) -> ForceField:
    for other, content in files.items():
        (folder / other).write_text(content)
    (folder / name).write_text(text)
    return read_force_field(folder / name)


def atoms(types: tuple[str, ...], positions: np.ndarray | None = None, cell: np.ndarray | None = None, **more: object) -> Structure:
    n = len(types)
    places = np.arange(3.0 * n).reshape(n, 3) if positions is None else np.asarray(positions)
    plain = Structure(
        positions=places, types=types, numbers=np.zeros(n, dtype=int), cell=np.zeros((3, 3)) if cell is None else np.asarray(cell),
        pbc=np.full(3, cell is not None), masses=np.ones(n), fixed=np.zeros((n, 3), dtype=bool),
    )  # fmt: skip
    return validated(replace(plain, **more))


# What LAMMPS says.


@pytest.mark.parametrize("name", CASES)
def test_energies_and_forces_are_those_of_lammps(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    field = read(tmp_path, case["input"], **case["files"])
    energy = energy_function(build_system(atoms(tuple(map(str, case["types"])), case["positions"], case["cell"]), field))
    theta = jax.tree.map(np.asarray, field.parameters)
    unit = KILOCALORIE_PER_MOLE if field.units.name == "real" else 1.0
    assert float(value(energy, energy.system.positions, theta)) == pytest.approx(case["energy"] * unit, rel=1e-12)
    forces = np.array(case["forces"]) * unit
    np.testing.assert_allclose(-gradient(energy, energy.system.positions, theta), forces, rtol=0, atol=1e-12 * np.abs(forces).max())


@pytest.mark.parametrize("name", ["shifted and mixed", "lj/mdf", "overlay of sw and two lj/cut", "zbl", "hybrid with pairs of none"])
def test_they_are_the_same_as_native_toml(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    field = read(tmp_path, case["input"], **case["files"])
    again = parse_native(native_toml(field), "again.toml")
    assert again.table == field.table and again.aliases == field.aliases
    assert [replace(a, form=b.form) == b for a, b in zip(again.terms, field.terms, strict=True)] == [True] * len(field.terms)


# Names.


def test_types_are_numbers_where_nothing_says_more(tmp_path: Path) -> None:
    field = read(tmp_path, AR + "pair_coeff 1 1 0.0104 3.4\npair_coeff 2 2 0.01 3.0\n")
    assert field.table.names[:2] == ("lennard_jones.1-1.sigma", "lennard_jones.1-1.epsilon")
    assert field.terms[0].mixing == "geometric" and field.aliases == {} and field.units.name == "metal"
    assert species_of(field, atoms(("1", "2", "1"))) == ("1", "2", "1")


def test_masses_that_tell_elements_name_types(tmp_path: Path) -> None:
    text = AR + "mass 1 39.95\nmass 2 83.8\npair_coeff 1 1 0.0104 3.4\npair_coeff 2 2 0.01 3.0\n"
    field = read(tmp_path, text)
    assert field.species == {"Ar", "Kr"} and field.aliases == {"1": "Ar", "2": "Kr"}
    assert species_of(field, atoms(("2", "1"))) == ("Kr", "Ar")
    assert species_of(field, atoms(("x", "y"), numbers=np.array([18, 36]))) == ("Ar", "Kr")
    alike = read(tmp_path, text.replace("83.8", "39.95"))
    assert alike.species == {"1", "2"}
    assert read(tmp_path, text.replace("metal", "lj")).species == {"1", "2"}


def test_labels_name_types(tmp_path: Path) -> None:
    field = read(tmp_path, AR + "labelmap atom 1 Ar 2 Ar*\nmass * 39.95\npair_coeff Ar Ar 0.01 3.4\npair_coeff Ar* Ar* 0.02 3\n")
    assert field.species == {"Ar", "Ar*"} and field.aliases == {"1": "Ar", "2": "Ar*"}


def test_elements_of_files_name_types_first(tmp_path: Path) -> None:
    text = "units metal\nlabelmap atom 1 hollow 2 full\nmass 1 1.0\npair_style sw\npair_coeff * * SiC.sw C Si\n"
    field = read(tmp_path, text, **{"SiC.sw": SI_C})
    assert field.species == {"C", "Si"} and field.aliases == {"1": "C", "2": "Si", "hollow": "C", "full": "Si"}
    assert species_of(field, atoms(("hollow", "full"))) == ("C", "Si")
    assert len(read(tmp_path, text.replace("C Si", "Si Si")).table) == 10  # entries of carbon act on nothing


def test_one_numbered_type_is_the_one_type_of_a_structure(tmp_path: Path) -> None:
    field = read(tmp_path, AR + "pair_coeff * * 0.0104 3.4\n")
    assert species_of(field, atoms(("Ar", "Ar"))) == ("1", "1")
    assert species_of(field, atoms(("Ar", "Kr"))) == ("Ar", "Kr")
    with pytest.raises(InputError, match=r"no parameters for lennard_jones\.Ar"):
        build_system(atoms(("Ar", "Kr")), field)


def test_a_second_term_of_a_form_has_a_label_of_its_own(tmp_path: Path) -> None:
    field = read(tmp_path, "units metal\npair_style hybrid/overlay lj/cut 5 lj/cut 6\npair_coeff * * lj/cut 1 0.1 3\n"
                 "pair_coeff * * lj/cut 2 0.2 3\n")  # fmt: skip
    assert [term.label for term in field.terms] == ["lennard_jones", "lennard_jones_2"]


# Where things stand.


@pytest.mark.parametrize("name", ["in.argon", "argon.in", "argon.lmp", "ARGON.LAMMPS", "Ar06.snap", "argon.include"])
def test_inputs_are_told_by_their_names(name: str, tmp_path: Path) -> None:
    assert len(read(tmp_path, AR + "pair_coeff 1 1 0.0104 3.4\n", name).table) == 2


def test_files_are_included_and_data_files_read(tmp_path: Path) -> None:
    head = "LAMMPS data\n\n2 atoms\n1 atom types\n\nMasses\n\n1 39.95\n\n"
    data = f"{head}PairIJ Coeffs # lj/cut\n\n1 1 0.0104 3.4 7.5\n\nAtoms\n\n1 1 0 0 0\n"
    field = read(tmp_path, "include settings\nread_data argon.data\nrun 0\n", settings=AR, **{"argon.data": data})
    assert field.table.names == ("lennard_jones.Ar-Ar.sigma", "lennard_jones.Ar-Ar.epsilon") and field.terms[0].cutoff == 7.5
    alone = read(tmp_path, data.replace("LAMMPS data", "LAMMPS data file, units = metal"), "argon.data")
    assert alone.table == field.table and alone.terms[0].cutoff == 7.5


def test_the_tags_of_files_tell_units(tmp_path: Path) -> None:
    text = "# DATE: 2020-01-01 UNITS: metal\npair_style lj/cut 8.5\npair_coeff 1 1 0.0104 3.4\n"
    assert read(tmp_path, text).units.name == "metal"
    tagged = "# UNITS: real\n" + SI
    assert read(tmp_path, "pair_style sw\npair_coeff * * Si.sw Si\n", **{"Si.sw": tagged}).units.name == "real"
    with pytest.raises(InputError, match=r"different units \(.*in.case: metal, sw: real\)"):
        read(tmp_path, "units metal\npair_style sw\npair_coeff * * Si.sw Si\n")


def test_what_does_not_concern_energies_is_passed_over(tmp_path: Path) -> None:
    text = """log none
    dimension 3
    boundary p p p
    read_data ${somewhere}/not_here.data   # of a variable nobody knows
    """.replace("read_data ${somewhere}/not_here.data", "region box block 0 ${L} 0 ${L} 0 ${L}")
    text += AR + "pair_coeff 1 1 0.0104 3.4\nfix 1 all nve\nthermo_style custom step v_x\n"
    text += 'print """a\n# b"""\nrun 100\nprint "it\'s # done"\n'
    assert len(read(tmp_path, text).table) == 2


def test_a_charge_of_each_type(tmp_path: Path) -> None:
    text = ("units metal\nset type 1 charge 1.0\nset type 2 charge -1.0\npair_style hybrid/overlay born 6.0 coul/dsf 0.2 7.0\n"
            "pair_coeff * * coul/dsf\npair_coeff * * born 0.2 0.31 2.4 20 10\n")  # fmt: skip
    field = read(tmp_path, text)
    assert [row.value for row in field.table.rows if row.parameter == "q"] == [1.0, -1.0]
    assert field.terms[1].options == {"alpha": 0.2, "cutoff": 7.0, "coulomb_constant": LAMMPS_METAL_COULOMB}
    with pytest.raises(InputError, match=r"no charge of type 2; add `set type 2 charge \.\.\.`"):
        read(tmp_path, text.replace("set type 2 charge -1.0\n", "mass 2 1.0\n"))


# Variables.


@pytest.mark.parametrize(
    ("formula", "result"),
    [("-2^2", 4.0), ("2^3^2", 64.0), ("2*-3^2", 18.0), ("8/4/2", 1.0), ("7%4%2", 1.0), ("2^-1", 0.5), (".5+1.", 1.5),
     ("1e-3*(2-v_x)", -5e-3), ("ln(10)+log(100)", 4.302585092994046), ("PI", np.pi), ("sqrt(abs(-4))", 2.0), ("--2", 2.0)],
)  # fmt: skip
def test_formulas_mean_what_lammps_means(formula: str, result: float) -> None:
    assert evaluated(formula, {"x": 7.0}.__getitem__) == pytest.approx(result, rel=1e-15)


@pytest.mark.parametrize(
    "formula",
    ["", "1+", "(1", "1)", "+3", "1 2", "c_pe", "temp", "sqrt(-1)", "1/0", "2^5000", "random(1,2,3)", "1_0", "٢", "(" * 99, "-" * 9999],
)
def test_what_is_no_formula_here_is_refused(formula: str) -> None:
    with pytest.raises(ValueError):
        evaluated(formula, {}.__getitem__)


def test_an_index_variable_keeps_its_first_definition(tmp_path: Path) -> None:
    text = "units metal\nvariable r index 8.5\nvariable r index 9.5\nvariable s string 3.3\nvariable s string 3.4\npair_style lj/cut $r\n"
    field = read(tmp_path, text + "pair_coeff 1 1 0.0104 ${s}\n")
    assert field.terms[0].cutoff == 8.5 and field.table.rows[0].value == 3.4


# What is refused.

BAD: dict[str, tuple[str, str]] = {
    "no style": ("units metal\n", "no pair_style command"),
    "no units": ("pair_style lj/cut 8.5\npair_coeff 1 1 0.01 3.4\n", "no units; add a line `units metal`"),
    "other units": ("units si\n", "line 1: units must be one of metal, real, lj: 'units si'"),
    "a style nobody knows": ("units metal\npair_style lj/cutt 5\n", "line 2: pair style 'lj/cutt' is not supported, did you mean 'lj/cut'"),
    "a style without its cutoff": ("units metal\npair_style lj/cut\n", "line 2: cutoff should follow pair style lj/cut"),
    "a cutoff that is no number": ("units metal\npair_style lj/cut x\n", "cutoff must be a number, not 'x'"),
    "a cutoff below zero": ("units metal\npair_style lj/cut -1\n", "cutoff = -1 must be positive"),
    "a cutoff that is not finite": ("units metal\npair_style lj/cut inf\n", "cutoff must be a number, not 'inf'"),
    "coefficients before their style": ("pair_coeff 1 1 0.01 3.4\n", "line 1: pair_coeff stands before pair_style"),
    "too few numbers": (AR + "pair_coeff 1 1 0.01\n", r"line 3: pair style lj/cut wants epsilon sigma \[cutoff\] after the types"),
    "too many numbers": (AR + "pair_coeff 1 1 0.01 3.4 5.0 6.0\n", "here are 4 words"),
    "a number that is none": (AR + "pair_coeff 1 1 0.01 3_4\n", "sigma must be a number, not '3_4'"),
    "a value that is impossible": (AR + "pair_coeff 1 1 0.01 0.0\n", "line 3: sigma = 0 must be > 0: 'pair_coeff 1 1 0.01 0.0'"),
    "a type that is none": (AR + "pair_coeff x 1 0.01 3.4\n", "'x' is no type"),
    "type 0": (AR + "pair_coeff 0 1 0.01 3.4\n", "types are numbered from 1"),
    "a type beyond all": (AR + "pair_coeff 1 99999 0.01 3.4\n", "types are numbered from 1"),
    "a pair without numbers": (
        "units metal\npair_style morse 5\npair_coeff 1 1 1 1 1\npair_coeff 2 2 1 1 1\n", "no pair_coeff for types 1 2; add it"
    ),
    "a type without numbers": (AR + "mass 2 1.0\npair_coeff 1 1 0.01 3.4\n", "no pair_coeff for types 2 2"),
    "mixing by sixth powers": (
        AR + "pair_modify mix sixthpower\npair_coeff 1 1 0.01 3.4\npair_coeff 2 2 0.01 3\n", "types 1 and 2 would be mixed by sixth powers"
    ),
    "a tail correction": (AR + "pair_modify tail yes\n", "line 3: pair_modify tail must be no here, not 'yes'"),
    "an unknown setting": (AR + "pair_modify shft yes\n", "pair_modify 'shft' is not supported, did you mean 'shift'"),
    "an unknown command": (AR + "pair_coef 1 1 0.01 3.4\n", "line 3: the command 'pair_coef' .*did you mean 'pair_coeff'"),
    "a fix with an energy": (AR + "fix 1 all addforce 1 0 0\n", "line 3: fix 'addforce' is not represented"),
    "a fix that freezes": (AR + "fix 1 all setforce 0 0 0\n", "said with --fix"),
    "long-range sums": (AR + "kspace_style pppm 1e-4\n", "line 3: long-range sums"),
    "bonds": (AR + "bond_style harmonic\n", "line 3: bonds, angles"),
    "pairs left out by groups": (AR + "neigh_modify exclude type 1 1\n", "line 3: pairs that are left out"),
    "charges of atoms": (AR + "set atom 1 charge 0.5\n", "charges belong to types here"),
    "a loop": (AR + "next a\njump SELF loop\n", "line 3: next is not followed"),
    "a condition": ('if "1 > 2" then "pair_style lj/cut 3"\n', "line 1: if is not followed"),
    "a second style": (AR + "pair_style morse 3\n", "line 3: a second pair_style command"),
    "a change after a run": (AR + "pair_coeff 1 1 0.01 3.4\nrun 5\npair_coeff 1 1 0.02 3.4\n", "line 5: the potential changes after a run"),
    "an unknown variable": ("units metal\npair_style lj/cut ${rc}\n", "line 2: variable 'rc' is not defined"),
    "a variable without end": ("units metal\npair_style lj/cut ${rc\n", r"a variable `\$\{` does not end"),
    "a formula without end": ("units metal\npair_style lj/cut $(1+2\n", "does not end"),
    "a formula of a run": ("units metal\nvariable t equal temp\npair_style lj/cut $t\n", "formula of variable 't' asks for 'temp'"),
    "a variable of a run": ("variable t loop 3\npair_style lj/cut $t\n", "style loop, which only a run can evaluate"),
    "variables in a circle": ("variable a equal v_b\nvariable b equal v_a\npair_style lj/cut $a\n", "too many other variables"),
    "a quotation without end": ("units metal\npair_style 'lj/cut 8.5\n", "a quotation does not end"),
    "an include in a circle": ("include in.case\n", "files include one another"),
    "an include that is not there": ("include gone\n", "gone: no such file"),
    "a file that is not there": ("units metal\npair_style sw\npair_coeff * * gone.sw Si\n", "line 3: .*gone.sw: no such file"),
    "a style of hybrid nobody named": (
        "units metal\npair_style hybrid/overlay lj/cut 5\npair_coeff * * morse 1 1 1\n", "line 3: 'morse' is none of the styles"
    ),
    "one of two styles, but which": (
        "units metal\npair_style hybrid/overlay lj/cut 5 lj/cut 6\npair_coeff * * lj/cut 0.1 3\n", "which of the 2 styles lj/cut"
    ),
    "nuclear charges that differ": (
        "units metal\npair_style zbl 3 4\npair_coeff 1 1 14 14\npair_coeff 1 2 13 6\npair_coeff 2 2 6 6\n",
        "Z of type 1 is 13 here and 14 before",
    ),
    "hybrid/scaled": ("units metal\npair_style hybrid/scaled 0.5 lj/cut 5\n", "pair style 'hybrid/scaled' is not supported"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_represented_is_refused_with_its_line(name: str, tmp_path: Path) -> None:
    text, message = BAD[name]
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path, text)
    assert "in.case" in str(caught.value) and str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pair_coeff * * SiC.sw Si Ge\n", "line 3: the file knows no 'Ge'; it knows C, Si"),
        ("pair_coeff * * SiC.sw\n", "line 3: sw wants 1 file and an element"),
        ("pair_coeff 1 1 SiC.sw Si\n", r"line 3: pair style sw is for `pair_coeff \* \*`"),
        ("mass 3 1.0\npair_coeff * * SiC.sw Si C\n", "for each of the 3 types, and here are 2"),
        ("pair_coeff * * SiC.sw Si NULL\n", "no pair_coeff for types 1 2"),
    ],
)
def test_files_and_types_must_fit(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path, "units metal\npair_style sw\n" + text, **{"SiC.sw": SI_C})


DATA = "units = metal\n\n1 atoms\n1 atom types\n\nPair Coeffs # lj/cut\n\n1 0.01 3.4 8.5\n\nAtoms\n\n1 1 0 0 0\n"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (" # lj/cut", "", "line 6: which pair style?"),
        ("lj/cut", "sw", "coefficients of pair style 'sw' are not read from a data file"),
        ("lj/cut", "lj/cut lj/mdf", "does not name one pair style"),
        (" 8.5", "", "line 8: no cutoff is given for this pair"),
        ("Pair Coeffs", "Bond Coeffs", "line 6: bonds, angles"),
        ("Pair Coeffs # lj/cut\n\n1 0.01 3.4 8.5", "", "has no section of coefficients"),
        ("1 0.01 3.4 8.5", "1", "line 8: a row of Pair Coeffs begins with 1 type"),
        ("Atoms", "Masses\n\n1 x\n\nAtoms", "a row of Masses is a type and a number"),
    ],
)  # fmt: skip
def test_what_data_files_do_not_say_is_asked_for(old: str, new: str, message: str, tmp_path: Path) -> None:
    assert len(read(tmp_path, DATA, "argon.data").table) == 2
    with pytest.raises(InputError, match=message):
        read(tmp_path, DATA.replace(old, new), "argon.data")
