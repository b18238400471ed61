"""Structures that fit a force field by their elements, and are not the molecules that it speaks of: refused, or told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import charmm_files
import gromacs_files
import numpy as np
import pytest
from molecules import molecule
from small_systems import force_field as native

from md_sensitivity.errors import InputError
from md_sensitivity.fitting import Target, fit
from md_sensitivity.forcefields import ForceField, assignment_of, read_force_field
from md_sensitivity.forcefields.fixed_topology import FixedTopology
from md_sensitivity.forcefields.residue_names import letters_of, same_residue, standard_atom
from md_sensitivity.pipeline import Options, analyze, minimize_structure, plan
from md_sensitivity.remarks import remarks
from md_sensitivity.structures import read_structure
from md_sensitivity.types import Structure

FOLDER = Path(__file__).parent / "topologies"
INPUTS = Path(__file__).parent.parent.parent / "inputs"
ORACLES = Path(__file__).parent.parent / "oracles" / "openmm"


def amber(name: str = "dipeptide") -> tuple[ForceField, Structure]:
    force_field = read_force_field(FOLDER / f"{name}.prmtop")
    return force_field, force_field.completed(read_structure(FOLDER / f"{name}.rst7"))


def pair(kind: str, folder: Path) -> tuple[ForceField, Structure]:
    """A force field that lists its atoms, and a structure with names that fits."""
    if kind == "charmm":
        names = [name for name, _, _ in charmm_files.ATOMS]
        of = replace(charmm_files.structure(), atom_names=tuple(names), residue_names=("ALA",) * 22, residue_numbers=(1,) * 22)
        return read_force_field(charmm_files.write(folder)[0]), of
    if kind == "gromacs":
        return read_force_field(gromacs_files.INPUTS / "force_field.top"), read_structure(gromacs_files.INPUTS / "structure.gro")
    return amber()


def called(of: Structure, **names: str) -> Structure:
    """The structure with other names of some atoms, by the names that they have."""
    return replace(of, atom_names=tuple(names.get(name.replace("'", ""), name) for name in of.atom_names))


SWAPS = {
    "amber": ("CA", "CB", r"atom 8 is 'CB' of residue 'ALA 2', but .*dipeptide\.prmtop has 'CA' of residue 'ALA 2' there"),
    "gromacs": ("C1", "C2", r"atom 0 is 'C2' of residue 'EOH 1', but .*force_field\.top has 'C1' of residue 'EOH 1' there"),
    "charmm": ("CA", "CAT", r"atom 8 is 'CAT' of residue 'ALA 1', but .*ala\.psf has 'CA' of residue 'ALA 1' there"),
}


@pytest.mark.parametrize("kind", SWAPS)
def test_atoms_of_a_residue_in_another_order_are_refused(kind: str, tmp_path: Path) -> None:
    first, second, message = SWAPS[kind]
    force_field, of = pair(kind, tmp_path)
    swapped = called(of, **{first: second, second: first})
    with pytest.raises(InputError, match=f"{message}: .* in another order; sort the atoms"):
        assignment_of(force_field, force_field.completed(swapped))


@pytest.mark.parametrize("kind", SWAPS)
def test_strange_names_are_told(kind: str, tmp_path: Path) -> None:
    force_field, of = pair(kind, tmp_path)
    assert remarks(force_field, force_field.completed(of)) == ()
    name = SWAPS[kind][0]
    (note,) = remarks(force_field, force_field.completed(called(of, **{name: "CQX"})))
    assert " is 'CQX' of residue '" in note and f", not '{name}' of residue '" in note
    assert note.startswith("1 name of the structure is not as in ") and note.endswith("are the atoms in the same order?")
    (note,) = remarks(force_field, force_field.completed(replace(of, residue_names=("VAL",) * of.size)))
    assert " of residue 'VAL " in note and f" of residue '{'EOH' if kind == 'gromacs' else 'ALA'} " in note


def test_many_strange_names_are_counted() -> None:
    force_field, of = amber()
    names = tuple(f"Q{letter}" for letter in "ABCDEFGHIJKLMNOPQRSTUV")
    (note,) = remarks(force_field, replace(of, atom_names=names))
    assert note.startswith("10 names of the structure are not as in ") and "atom 8 is 'QI'" in note and "; and 7 more" in note


CONVENTIONS = {
    "digits first": {"HB1": "1HB", "HB2": "2HB", "HB3": "3HB", "HH31": "1HH3", "HH32": "2HH3", "HH33": "3HH3"},
    "other digits": {"HB1": "HB2", "HB2": "HB3", "HB3": "HB4"},
    "amide hydrogens": {"H": "HN"},
    "caps": {"CH3": "CAY", "HH31": "HY1", "HH32": "HY2", "HH33": "HY3"},
    "small letters": {"CA": "Ca", "CB": "Cb"},
    "elements alone": {name: name[0] for name in "HH31 CH3 HH32 HH33 C O N H CA HA CB HB1 HB2 HB3".split()},
}


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_conventions_of_names_are_no_news(convention: str) -> None:
    force_field, of = amber()
    assert remarks(force_field, called(of, **CONVENTIONS[convention])) == ()


def test_what_has_no_names_is_not_compared() -> None:
    force_field, of = amber()
    assert remarks(force_field, replace(of, atom_names=(), residue_names=())) == ()
    assert isinstance(force_field.typing, FixedTopology)
    nameless = replace(force_field, typing=replace(force_field.typing, named=False))
    assert remarks(nameless, called(of, CA="CB", CB="CA")) == ()


HEALTHY = {
    "villin": ("villin/structure.pdb", "villin/force_field.toml", True),
    "alanine dipeptide": ("alanine_dipeptide/structure.pdb", "alanine_dipeptide/force_field.toml", True),
    "ethanol": ("ethanol/structure.gro", "ethanol/force_field.top", False),
    "trans ethanol": ("ethanol_fit/trans.gro", "ethanol/force_field.top", False),
    "alanine dipeptide of AMBER": (ORACLES / "dipeptide.pdb", FOLDER / "dipeptide.prmtop", False),
    "alanine dipeptide of CHAMBER": (FOLDER / "chamber.rst7", FOLDER / "chamber.prmtop", False),
    "alanine dipeptide of CHARMM in GROMACS": (FOLDER / "chamber.rst7", FOLDER / "charmm.top", False),
    "alanine dipeptide of CHARMM": (ORACLES / "alad.pdb", ORACLES / "charmm36_dipeptide.xml", True),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_structures_have_no_remarks(name: str) -> None:
    structure, numbers, needs_openmm = HEALTHY[name]
    if needs_openmm:
        pytest.importorskip("openmm")
    force_field = read_force_field(INPUTS / numbers)
    assert remarks(force_field, force_field.completed(read_structure(INPUTS / structure))) == ()


def test_names_of_residues_of_all_conventions_mean_the_same() -> None:
    for group in ("HIS HIE HID HIP HSD NHIE CHIP", "CYS CYX NCYX", "HOH WAT SOL TIP3 TIP", "DA DA5 ADE RA3 A", "POPC POP", "LIG EOH"):
        first, *others = group.split()
        assert all(same_residue(first, other) and same_residue(other, first) for other in others), group
    standard = "ALA ARG ASN ASP CYS GLN GLU GLY HIS ILE LEU LYS MET PHE PRO SER THR TRP TYR VAL ACE NME HOH DA DC DG DT U".split()
    assert not any(same_residue(a, b) for a in standard for b in standard if a != b)
    assert [standard_atom(name) for name in ("1HB", "2hg1", "O5*", "CA")] == ["HB1", "HG12", "O5'", "CA"]
    assert letters_of("OP1") == letters_of("O1P") and letters_of("OXT") == letters_of("O") and letters_of("CA") != letters_of("C")


def test_names_of_openmms_templates_mean_the_residues_of_pdb_files() -> None:
    app = pytest.importorskip("openmm.app")
    app.PDBFile._loadNameReplacementTables()
    known = app.PDBFile._residueNameReplacements
    assert len(known) > 60 and all(same_residue(name, standard) for name, standard in known.items())


def test_a_residue_typed_as_another_is_told() -> None:
    pytest.importorskip("openmm")
    of, force_field = read_structure(ORACLES / "dipeptide.pdb"), read_force_field("amber14-all.xml")
    assert remarks(force_field, of) == ()
    of = replace(of, residue_names=tuple(name.replace("ALA", "SER") for name in of.residue_names))
    (note,) = remarks(force_field, of)
    assert note.startswith("residues that are, by elements and bonds, others in ") and "SER 2 as ALA;" in note


def broken(force_field: ForceField, of: Structure, shift: float) -> Structure:
    """The structure with its last residue pulled away, as where one before it is missing."""
    last = np.array(of.residue_numbers) == max(of.residue_numbers)
    direction = of.positions[last].mean(axis=0) - of.positions[~last].mean(axis=0)
    return replace(of, positions=of.positions + shift * last[:, None] * direction / np.linalg.norm(direction))


@pytest.mark.parametrize("name", ["dipeptide", "gromacs"])
def test_a_bond_across_a_gap_is_told(name: str) -> None:
    force_field, of = amber("dipeptide") if name == "dipeptide" else amber("chamber")
    if name == "gromacs":       # one residue
        of = replace(of, residue_numbers=(1,) * 16 + (2,) * 6)
        force_field = read_force_field(FOLDER / "charmm.top")
    assert remarks(force_field, of) == remarks(force_field, broken(force_field, of, 0.3)) == ()
    (note,) = [note for note in remarks(force_field, broken(force_field, of, 2.5)) if "too long" in note]
    assert note.startswith("a bond of the structure is far too long: atom 14 (C of ALA ") and "is a residue missing there" in note
    assert f"apart, at rest {'1.33' if name == 'dipeptide' else '1.35'} Å" in note


def test_a_smaller_stretch_counts_where_residue_numbers_jump() -> None:
    force_field, of = amber()
    of = broken(force_field, of, 0.65)
    jump = replace(of, residue_numbers=(1,) * 6 + (2,) * 10 + (5,) * 6)
    assert remarks(force_field, of) == ()
    (note,) = remarks(force_field, jump)
    assert "C of ALA 2) and atom 16 (N of NME 5)" in note
    assert remarks(force_field, replace(jump, chain_names=("A",) * 16 + ("B",) * 6)) == ()


@pytest.mark.parametrize("style", ["harmonic_bond", "morse_bond"])
@pytest.mark.parametrize("units", ["metal", "reduced"])
def test_bonds_of_native_files_are_measured_across_boundaries(style: str, units: str) -> None:
    numbers = {"harmonic_bond": "k = 20.0\nr0 = 1.45", "morse_bond": "D = 3.0\nalpha = 1.7\nr0 = 1.45"}[style]
    options = "factor = 1.0" if style == "harmonic_bond" else ""
    pairs = "".join(f"[potential.parameters.{types}]\n{numbers}\n" for types in ("A-A", "A-B", "B-B"))
    force_field = native(f'units = "{units}"\n[[potential]]\nstyle = "{style}"\n{options}\n{pairs}')
    of = molecule()
    cell = 12.0 * np.eye(3)
    wrapped = replace(of, positions=of.positions % 12.0, cell=cell, pbc=np.ones(3, dtype=bool))
    assert remarks(force_field, of) == remarks(force_field, wrapped) == ()
    positions = of.positions.copy()
    positions[6] += positions[6] - positions[5]
    (note,) = remarks(force_field, replace(wrapped, positions=positions % 12.0))
    unit = "reduced" if units == "reduced" else "Å"
    assert "atom 5 (" in note and "atom 6 (" in note and f"at rest 1.45 {unit}" in note


def test_remarks_reach_certificates_plans_minima_and_fits(tmp_path: Path) -> None:
    force_field, of = pair("gromacs", tmp_path)
    of = called(of, C1="CQX")
    options = Options(observables=("energy",), parameters=("HarmonicBond.*",), check=0)
    (note,) = remarks(force_field, of)
    certificate = analyze(of, force_field, options).document.certificate
    assert certificate is not None and note in certificate.warnings
    assert note in plan(of, force_field, options).notes
    assert note in minimize_structure(of, force_field, options).document.message
    result = fit([Target(of, "energy", -0.3, 0.1, relaxed=False)], force_field, parameters=["HarmonicBond.*.k"])
    assert note in result.notes
