"""AMBER's prmtop and coordinates: numbers, names, energies against OpenMM's reader of the same files, and slips."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest
from listed_energies import term_energies
from wrong_files import assert_refused, slip_in

import md_sensitivity as mds
from md_sensitivity.errors import InputError
from md_sensitivity.forcefields import ForceField, acting_rows, assignment_of, read_force_field
from md_sensitivity.forcefields.bonding import neighbors_of
from md_sensitivity.forcefields.molecules import molecular_force_field
from md_sensitivity.structures import read_structure
from md_sensitivity.types import Structure

FOLDER = Path(__file__).parent / "topologies"
OPENMM_TERMS = {
    "HarmonicBondForce": ("HarmonicBond",),
    "UreyBradleyForce": ("UreyBradley",),
    "HarmonicAngleForce": ("HarmonicAngle",),
    "PeriodicTorsionForce": ("PeriodicTorsion", "PeriodicImproper"),
    "ImproperTorsionForce": ("HarmonicImproper",),
    "CMAPTorsionForce": ("CMAP",),
    "LennardJones": ("LennardJones", "LennardJones14"),
    "Coulomb": ("Coulomb",),
}
"""Forces of OpenMM and what they are here."""


def files(name: str = "dipeptide") -> tuple[ForceField, Structure]:
    force_field = read_force_field(FOLDER / f"{name}.prmtop")
    return force_field, force_field.completed(read_structure(FOLDER / f"{name}.rst7"))


def moved(structure: Structure) -> Structure:
    """The structure away from symmetry, where every term has a force."""
    rng = np.random.default_rng(3)
    return replace(structure, positions=structure.positions + rng.uniform(-0.05, 0.05, structure.positions.shape))


def changed(folder: Path, before: str, after: str, name: str = "dipeptide") -> Path:
    path = folder / "changed.prmtop"
    shutil.copy(FOLDER / f"{name}.prmtop", path)
    slip_in(path, before, after)
    return path


@pytest.mark.parametrize("name", ["dipeptide", "chamber"])
def test_terms_have_openmms_energies(name: str) -> None:
    app = pytest.importorskip("openmm.app")
    from openmm_terms import openmm_energies

    force_field, structure = files(name)
    structure = moved(structure)
    own = term_energies(structure, force_field)
    system = app.AmberPrmtopFile(str(FOLDER / f"{name}.prmtop")).createSystem(constraints=None, rigidWater=False)
    theirs = openmm_energies(system, structure.positions)
    for force, labels in OPENMM_TERMS.items():
        if force in theirs:
            assert sum(own.pop(label, 0.0) for label in labels) == pytest.approx(theirs[force], rel=2e-9, abs=1e-12), force
    assert not own


def test_energies_are_those_that_openmm_gave() -> None:
    expected = {
        "dipeptide": {"HarmonicBond": 0.0008799833440655695, "LennardJones": 0.33930987352541375, "Coulomb": -1.3521891335812168},
        "chamber": {"UreyBradley": 0.0051287522782376, "HarmonicImproper": 0.0016704655439708077, "CMAP": -0.04595393681959499},
    }
    for name, energies in expected.items():
        force_field, structure = files(name)
        own = term_energies(structure, force_field)
        assert {label: own[label] for label in energies} == pytest.approx(energies, rel=2e-9)
    assert own["LennardJones"] + own["LennardJones14"] == pytest.approx(0.014048891702489887, rel=1e-8)


def test_the_engine_sums_the_terms() -> None:
    force_field, structure = files()
    energy = mds.energy_function(mds.build_system(structure, force_field))
    value, forces = jax.value_and_grad(energy)(energy.system.positions, force_field.parameters)
    assert float(value) == pytest.approx(sum(term_energies(structure, force_field).values()), rel=1e-12)
    assert np.all(np.isfinite(forces))


def test_rows_speak_of_entries_of_the_file() -> None:
    force_field, _ = files()
    rows = {row.name: row for row in force_field.table.rows}
    assert len(rows) == len(force_field.table)
    assert rows["HarmonicBond.C1-H1.k"].value == 340.0 and rows["HarmonicBond.C1-H1.k"].unit == "kcal/mol/Å²"
    assert rows["HarmonicBond.C1-H1.r0"].unit == "Å" and rows["HarmonicAngle.H1-C1-H1.theta0"].unit == "rad"
    assert rows["Coulomb.ALA:CB.q"].value == pytest.approx(-0.1825, abs=1e-8)
    scales = {row.value for name, row in rows.items() if name.startswith("LennardJones.scale14")}
    assert scales == {0.5}
    assert [row.value for name, row in rows.items() if name.startswith("Coulomb.scale14")] == pytest.approx([1 / 1.2])
    n = next(term for term in force_field.terms if term.label == "PeriodicTorsion").constants["n"]
    assert set(n) <= {1.0, 2.0, 3.0, 4.0}


def test_all_rows_act_on_the_structure_of_the_file() -> None:
    force_field, structure = files()
    assert len(acting_rows(force_field, structure)) == len(force_field.table)


def test_atoms_of_one_name_with_other_charges_have_rows_of_their_own(tmp_path: Path) -> None:
    path = changed(tmp_path, "CB  HB1 HB2 HB3", "CB  HB  HB  CB ")
    names = read_force_field(path).table.names
    assert "Coulomb.ALA:HB.q" in names and "Coulomb.ALA:CB#2.q" in names and "Coulomb.ALA:HB#2.q" not in names


def test_coordinates_are_completed_by_the_force_field() -> None:
    raw = read_structure(FOLDER / "dipeptide.rst7")
    assert set(raw.types) == {"X"} and not raw.numbers.any()
    force_field, structure = files()
    assert force_field.completed(structure) is structure
    assert structure.formula == "C6H12N2O2" and structure.residue_names[6] == "ALA" and structure.atom_names[8] == "CA"
    assert len(structure.bonds) == 21 and structure.masses[0] == pytest.approx(1.00794700)


def test_numbers_of_pairs_replace_mixed_ones(tmp_path: Path) -> None:
    path = changed(tmp_path, "9.71708117E+04", "1.71708117E+05")
    force_field = read_force_field(path)
    structure = moved(files()[1])
    assert "LennardJones.H1-C1.sigma" in force_field.table.names
    app = pytest.importorskip("openmm.app")
    from openmm_terms import openmm_energies

    system = app.AmberPrmtopFile(str(path)).createSystem(constraints=None, rigidWater=False)
    theirs = openmm_energies(system, structure.positions)
    own = term_energies(structure, force_field)["LennardJones"]
    assert own == pytest.approx(theirs["CustomNonbondedForce"] + theirs["LennardJones"], rel=2e-9)


@pytest.mark.parametrize("given", [True, False])
def test_an_implicit_solvent_takes_the_radii_of_the_file_where_it_has_some(given: bool, tmp_path: Path) -> None:
    _, structure = files()
    head, _ = (FOLDER / "dipeptide.prmtop").read_text().split("%FLAG RADII\n%FORMAT(5E16.8)\n")
    values = np.where(structure.numbers == 1, 1.1, 1.6) if given else np.zeros(structure.size)
    values[0] *= 1.05
    blocks = (values, 0.5 * values)
    lines = ["\n".join("".join(f"{v:16.8E}" for v in block[i : i + 5]) for i in range(0, len(block), 5)) for block in blocks]
    tail = f"%FLAG RADII\n%FORMAT(5E16.8)\n{lines[0]}\n%FLAG SCREEN\n%FORMAT(5E16.8)\n{lines[1]}\n"
    (tmp_path / "own.prmtop").write_text(head + tail)
    field = molecular_force_field({"files": "own.prmtop", "implicit_solvent": "obc2"}, "test.toml", tmp_path)
    found = assignment_of(field, structure)
    of_type = {block.types[0]: float(block.values[0]) for block in field.table.blocks if block.label == "GBSA" and block.leaf == "radius"}
    ours = np.array([of_type[found.names["GBSA"][kind]] for kind in found.kinds])
    standard = {1: 1.2, 6: 1.7, 7: 1.55, 8: 1.5}
    expected = values if given else np.array([standard[number] for number in structure.numbers.tolist()])
    amide = np.array([any(structure.numbers[j] == 7 for j in near) for near in neighbors_of(structure.size, structure.bonds)])
    expected = expected if given else np.where((structure.numbers == 1) & amide, 1.3, expected)
    np.testing.assert_allclose(ours, expected, rtol=1e-12)
    assert ("GBSA.H2.radius" in field.table.names) == given


def test_another_structure_is_refused() -> None:
    force_field, structure = files()
    assert force_field.typing is not None
    assert force_field.typing(structure) is force_field.typing(structure)
    numbers = structure.numbers.copy()
    numbers[[4, 5]] = numbers[[5, 4]]
    strange = replace(structure, numbers=numbers, atom_names=())
    with pytest.raises(InputError, match=r"atom 4 is O, but .*dipeptide.prmtop has C \(atom 'C' of residue 'ACE 1'\) there"):
        force_field.typing(strange)
    with pytest.raises(InputError, match=r"21 atoms, but .* lists 22"):
        force_field.typing(replace(structure, positions=structure.positions[1:]))


def test_a_box_that_only_one_side_has_is_told() -> None:
    force_field, structure = files()
    assert force_field.typing is not None
    assert not force_field.typing(structure).notes
    periodic = replace(structure, cell=40.0 * np.eye(3), pbc=np.ones(3, dtype=bool))
    assert "no periodic box, the structure has one" in force_field.typing(periodic).notes[0]


SLIPS = {
    "no flags": ("%FLAG", "%FLAK", "line 2: '%FLAK TITLE' is neither"),
    "no sizes": ("%FLAG POINTERS", "%FLAG POINTS", "there is no %FLAG POINTERS"),
    "few sizes": ("%FLAG POINTERS\n%FORMAT(10I8)\n", "%FLAG POINTERS\n%FORMAT(10I8)\n       1\n%FLAG IROTAX\n%FORMAT(10I8)\n", "31 sizes"),
    "a negative size": ("      22       7      12", "      22       7     -12", "none of them negative"),
    "another size": ("      22       7      12", "      23       7      12", "not 23"),
    "a huge size": ("      22       7      12", "99999999       7      12", "not 99999999"),
    "a water cap": ("0       0       0      10       0", "0       0       0      10       1", "a water cap (IFCAP = 1)"),
    "extra points": ("      10       0\n       0\n", "      10       0\n       2\n", "extra points"),
    "perturbed atoms": ("51       1       0\n       0       0", "51       1       0\n       1       0", "perturbed atoms"),
    "an unknown section": ("%FLAG SOLTY", "%FLAG LENNARD_JONES_CCOEF", "LENNARD_JONES_CCOEF (line "),
    "a section twice": ("%FLAG SOLTY", "%FLAG MASS", "a second section %FLAG MASS"),
    "no format": ("%FLAG MASS\n%FORMAT(5E16.8)", "%FLAG MASS\n%FORMULA(5E16.8)", "'%FORMULA(5E16.8)' is neither"),
    "a section without format": ("%FLAG MASS\n%FORMAT(5E16.8)\n", "%FLAG MASS\n", "must be followed by a line such as %FORMAT"),
    "a format of no width": ("%FLAG MASS\n%FORMAT(5E16.8)", "%FLAG MASS\n%FORMAT(5E0.8)", "must be followed by"),
    "a format of words": ("%FLAG MASS\n%FORMAT(5E16.8)", "%FLAG MASS\n%FORMAT(20a4)", "is a section of words"),
    "a word": ("  1.00794700E+00  1.2", "  one             1.2", "line 29: 'one' in %FLAG MASS is not a finite number"),
    "an overflow": ("  1.00794700E+00  1.2", "****************  1.2", "is not a finite number"),
    "not finite": ("  1.00794700E+00  1.2", "             nan  1.2", "is not a finite number"),
    "no mass": ("  1.00794700E+00  1.2", "  0.00000000E+00  1.2", "atom 1 has mass 0"),
    "a line too long": ("  1.00794700E+00  1.2", "      1.00794700E+00  1.2", "longer than the columns"),
    "a fraction of an atom": ("       3       0       3       3", "       3       1       3       3", "1 stands for none of the 22 atoms"),
    "an atom beyond": ("       3       0       3       3", "       3      99       3       3", "99 stands for none of the 22 atoms"),
    "a negative atom": ("       3       0       3       3", "       3      -3       3       3", "an atom is negative"),
    "an entry beyond": ("       3       0       3       3", "       3       0      88       3", "there is no entry 88 among the 7"),
    "negative stiffness": ("  3.40000000E+02", " -3.40000000E+02", "stiffness k = -340 of C1-H1 must be ≥ 0"),
    "an atom of any size": ("  1.04308023E+06", "         9.9E+90", "LENNARD_JONES_ACOEF of C1: distance where φ vanishes sigma = 4.9"),
    "a length beyond any molecule": ("  1.09000000E+00", "        1.09E+09", "BOND_EQUIL_VALUE: length at rest r0 = 1.09e+09 Å of"),
    "a type beyond": ("       1       2       1       1       3", "       1       9       1       1       3", "numbered from 1 to 7"),
    "half a Lennard-Jones": ("  9.71708117E+04", "  0.00000000E+00", "must both be positive, or both zero"),
    "exclusions lost": ("       6       7       4       3       7", "       5       7       4       3       7", "the list has 99 entries"),
    "a pair not excluded": ("       2       3       4       5       6 ", "       2       3       4       5      16 ", "EXCLUDED_ATOMS"),
    "residues": ("       1       7      17\n", "       1      17       7\n", "increasing numbers of first atoms"),
    "a broken periodicity": ("  3.00000000E+00  2.0", "  2.50000000E+00  2.0", "2.5 is no whole number"),
    "polarizable": ("%FLAG SOLTY", "%FLAG POLARIZABILITY", "POLARIZABILITY"),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_a_wrong_prmtop_is_refused_with_flag_and_reason(slip: str, tmp_path: Path) -> None:
    before, after, message = SLIPS[slip]
    assert_refused(changed(tmp_path, before, after), r"changed\.prmtop", message)


COORDINATE_SLIPS = {
    "a word": ("2.0000000   1.0", "two         1.0", "'two' is not a number"),
    "too few lines": ("   22  0.0", "   33  0.0", "do not follow"),
    "a huge count": ("   22  0.0", "99999999  0.0", "at most as many as the file can hold"),
    "no count": ("   22  0.0", "   x2  0.0", "must begin with the number of atoms"),
    "too many lines": ("   22  0.0", "   12  0.0", "lines follow the places of 12 atoms"),
    "shifted columns": ("   2.0000000   1.0000000", "       2.0000000   1.0000000", "columns"),
    "digits of another script": ("2.0000000   1.0", "٢.0000000   1.0", "is not a number"),
    "not finite": ("   2.0000000   1.0", "         nan   1.0", "is not finite"),
}


@pytest.mark.parametrize("slip", COORDINATE_SLIPS)
def test_wrong_coordinates_are_refused(slip: str, tmp_path: Path) -> None:
    *change, message = COORDINATE_SLIPS[slip]
    path = tmp_path / "changed.rst7"
    shutil.copy(FOLDER / "dipeptide.rst7", path)
    slip_in(path, *change)
    with pytest.raises(InputError, match=r"changed\.rst7") as caught:
        read_structure(path)
    assert message in str(caught.value)


def test_netcdf_restarts_are_refused_with_advice(tmp_path: Path) -> None:
    path = tmp_path / "run.rst7"
    path.write_bytes(b"CDF\x02" + bytes(100))
    with pytest.raises(InputError, match=r"NetCDF file.*cpptraj"):
        read_structure(path)


@pytest.mark.parametrize("velocities", [False, True])
def test_boxes_and_velocities_are_told_apart(velocities: bool, tmp_path: Path) -> None:
    lines = (FOLDER / "dipeptide.rst7").read_text().rstrip("\n").split("\n")
    lines += lines[2:] if velocities else []
    path = tmp_path / "boxed.inpcrd"
    path.write_text("\n".join([*lines, "".join(f"{value:12.7f}" for value in (30, 31, 32, 109.4712190, 109.4712190, 109.4712190)), ""]))
    structure = read_structure(path)
    assert np.linalg.norm(structure.cell, axis=1) == pytest.approx([30, 31, 32]) and structure.pbc.all()
    assert np.array_equal(structure.positions, read_structure(FOLDER / "dipeptide.rst7").positions)
