"""CHARMM's PSF and parameter files: numbers, names, and energies against OpenMM's reader of the same files."""

from __future__ import annotations

import warnings
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import charmm_files
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from wrong_files import assert_refused, slip_in

from md_sensitivity.building import build_system
from md_sensitivity.errors import InputError
from md_sensitivity.forcefields import ForceField, read_force_field
from md_sensitivity.forcefields.charmm import read_charmm
from md_sensitivity.potentials.base import BondedForm, distance_of
from md_sensitivity.system import energy_function
from md_sensitivity.types import Structure
from md_sensitivity.units import COULOMB, KILOJOULE_PER_MOLE

NBFIX = "O   HA3   -0.15   2.9   -0.07   2.6\nNH1  HB1   -0.05   2.8"
GROUPS = {"HarmonicBond": 0, "HarmonicAngle": 1, "PeriodicTorsion": 2, "UreyBradley": 3, "HarmonicImproper": 4, "CMAP": 5}
"""Terms and the force groups that OpenMM's reader gives them; 6 is nonbonded."""


def plain_energies(field: ForceField, of: Structure) -> dict[str, float]:
    """Energy of each term [eV] by loops over what the typing lists, without neighbor tables."""
    assert field.typing is not None
    found = field.typing(of)
    energies = {}
    for term in field.terms:
        values = {}
        for spec in term.form.parameters:
            given = term.constants[spec.name] if spec.option else field.parameters[term.label][spec.name]
            array = np.asarray(given) * field.units.factor(spec.energy, spec.length, spec.angle)
            values[spec.name] = array if spec.count is None else array.reshape(len(term.rows["scale"]), -1)
        if isinstance(term.form, BondedForm):
            tuples = found.tuples[term.label]
            steps = np.diff(of.positions[tuples.atoms], axis=1)
            vectors = tuple(tuple(jnp.asarray(steps[:, k, c]) for c in range(3)) for k in range(steps.shape[1]))
            p = {name: jnp.asarray(array[tuples.rows]) for name, array in values.items()}
            energies[term.label] = float(jnp.sum(term.form.energy(vectors, p, term.options)))
            continue
        types = [found.names[term.label][kind] for kind in found.kinds]
        listed = found.pairs[term.label]
        special = {tuple(sorted(pair)): row for pair, row in zip(listed.atoms.tolist(), listed.rows, strict=True)}
        total = 0.0
        for i, j in special if term.listed_only else combinations(range(of.size), 2):
            row = special.get((i, j))
            share = 1.0 if row is None else 0.0 if row < 0 else field.parameters[term.label]["scale14"][row]
            d2 = float(np.sum((of.positions[i] - of.positions[j]) ** 2))
            total += share * _pair(term, values, types[i], types[j], d2)
        energies[term.label] = total
    return energies


def _pair(term: Any, values: dict[str, np.ndarray], a: str, b: str, d2: float) -> float:
    rows = {types: k for k, types in enumerate(next(iter(term.rows.values())))}
    if term.label == "Coulomb":
        return float(COULOMB * values["q"][rows[a,]] * values["q"][rows[b,]] / np.sqrt(d2))
    row = rows.get((a, b), rows.get((b, a)))
    if row is not None:
        rmin, epsilon = values["rmin_half"][row], values["epsilon"][row]
    else:
        one, two = rows[a,], rows[b,]
        rmin = 0.5 * (values["rmin_half"][one] + values["rmin_half"][two])
        epsilon = np.sqrt(values["epsilon"][one] * values["epsilon"][two])
    return float(term.form.energy(distance_of(jnp.asarray(d2)), {"rmin_half": rmin, "epsilon": epsilon}, {}))


def openmm_results(topology: Path, numbers: Path, of: Structure) -> tuple[dict[int, float], np.ndarray]:
    """Energy of each force group [eV], and forces [eV/Å]; periodic structures by particle-mesh Ewald."""
    openmm = pytest.importorskip("openmm")
    from openmm import app, unit

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        molecule, settings = app.CharmmPsfFile(str(topology)), {}
        if of.pbc.all():
            molecule.setBox(*(np.diag(of.cell) / 10))
            settings = {"nonbondedMethod": app.PME, "nonbondedCutoff": 1.2, "switchDistance": 1.0, "ewaldErrorTolerance": 1e-8}
        system = molecule.createSystem(app.CharmmParameterSet(str(numbers)), **settings)
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference"))
    context.setPositions(of.positions / 10)
    states = {group: context.getState(getEnergy=True, groups={group}) for group in range(7)}
    per_mole = unit.kilojoule_per_mole
    energies = {group: state.getPotentialEnergy().value_in_unit(per_mole) * KILOJOULE_PER_MOLE for group, state in states.items()}
    forces = context.getState(getForces=True).getForces(asNumpy=True).value_in_unit(per_mole / unit.angstrom)
    return energies, np.asarray(forces) * KILOJOULE_PER_MOLE


@pytest.mark.parametrize("flavor", ["xplor", "charmm", "ext"])
@pytest.mark.parametrize("options", [{}, {"e14fac": 0.8, "nbfix": NBFIX}], ids=["plain", "nbfix"])
def test_each_term_agrees_with_openmm(flavor: str, options: dict[str, Any], tmp_path: Path) -> None:
    topology, numbers = charmm_files.write(tmp_path, flavor, **options)
    of = charmm_files.structure()
    ours, (theirs, _) = plain_energies(read_charmm(topology, [numbers]), of), openmm_results(topology, numbers, of)
    for label, group in GROUPS.items():
        assert ours[label] == pytest.approx(theirs[group], rel=1e-8, abs=1e-10)
    nonbonded = ours["LennardJones"] + ours["LennardJones14"] + ours["Coulomb"]
    assert nonbonded == pytest.approx(theirs[6], rel=1e-8)


@pytest.mark.parametrize("options", [{}, {"e14fac": 0.8, "nbfix": NBFIX}], ids=["plain", "nbfix"])
@pytest.mark.parametrize("periodic", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["molecule", "box"])
def test_energy_and_forces_agree_with_openmm(periodic: bool, options: dict[str, Any], tmp_path: Path) -> None:
    topology, numbers = charmm_files.write(tmp_path, **options)
    of = charmm_files.structure()
    if periodic:
        of = replace(of, cell=np.diag([25.0, 26.0, 27.0]), pbc=np.ones(3, dtype=bool))
    energies, forces = openmm_results(topology, numbers, of)
    field = read_force_field(topology)
    energy = energy_function(build_system(of, field))
    x, accuracy = energy.system.positions, 1e-7 if periodic else 1e-9
    assert float(energy(x, field.parameters)) == pytest.approx(sum(energies.values()), abs=accuracy)
    ours = -np.asarray(jax.grad(energy)(x, field.parameters))
    assert np.abs(ours - forces).max() < accuracy  # of single terms of some eV/Å, which cancel near the minimum


def read(folder: Path, flavor: str = "xplor", **options: Any) -> ForceField:
    topology, _ = charmm_files.write(folder, flavor, **options)
    return read_force_field(topology)


def test_each_number_of_the_files_is_a_parameter_of_its_name(tmp_path: Path) -> None:
    field = read(tmp_path, nbfix=NBFIX)
    table, theta = field.table, field.parameters
    values = dict(zip(table.names, table.values.tolist(), strict=True))
    for name, value, unit in (
        ("HarmonicBond.NH1-CT1.k", 320.0, "kcal/mol/Å²"),
        ("HarmonicAngle.HA3-CT3-HA3.theta0", 108.4, "degrees"),
        ("HarmonicAngle.HA3-CT3-HA3.k", 35.5, "kcal/mol/rad²"),
        ("UreyBradley.HA3-CT3-HA3.r0", 1.802, "Å"),
        ("PeriodicTorsion.CT3-C-NH1-CT1.k1", 1.6, "kcal/mol"),
        ("PeriodicTorsion.CT3-C-NH1-CT1.phase2", 180.0, "degrees"),
        ("PeriodicTorsion.X-CT1-CT3-X.k1", 0.2, "kcal/mol"),
        ("HarmonicImproper.NH1-X-X-H.k", 20.0, "kcal/mol/rad²"),
        ("CMAP.C-NH1-CT1-C-NH1-CT1-C-NH1.scale", 1.0, "1"),
        ("LennardJones.CT1.rmin_half", 2.0, "Å"),
        ("LennardJones.CT1.epsilon", 0.032, "kcal/mol"),
        ("LennardJones.O-HA3.rmin_half", 1.45, "Å"),
        ("LennardJones14.CT1.epsilon", 0.01, "kcal/mol"),
        ("LennardJones14.O-HA3.epsilon", 0.07, "kcal/mol"),
        ("LennardJones.scale14", 1.0, "1"),
        ("Coulomb.scale14", 1.0, "1"),
        ("Coulomb.ALA:CB.q", -0.27, "e"),
    ):
        assert values[name] == pytest.approx(value, rel=1e-12), name
        assert table.rows[table.names.index(name)].unit == unit
    free = {name for name, is_free in zip(table.names, table.free, strict=True) if is_free}
    assert "Coulomb.scale14" in free and "LennardJones.scale14" not in free and "LennardJones14.H.epsilon" not in free
    assert values["LennardJones14.H.epsilon"] == values["LennardJones.H.epsilon"]  # it has no number of its own there
    assert len(theta["CMAP"]["energy"]) == 576 and not any(name.startswith("CMAP") and "energy" in name for name in free)
    assert next(term.constants["n"] for term in field.terms if term.label == "PeriodicTorsion").count(3.0) == 5


def test_all_flavors_say_the_same(tmp_path: Path) -> None:
    one, *others = (read(tmp_path, flavor) for flavor in ("xplor", "charmm", "ext", "namd"))
    of = charmm_files.structure()
    for other in others:
        assert other.table.blocks == one.table.blocks
        found, expected = other.typing(of), one.typing(of)  # type: ignore[misc]
        assert np.array_equal(found.kinds, expected.kinds) and found.species == expected.species
        for label, tuples in expected.tuples.items():
            assert np.array_equal(found.tuples[label].atoms, tuples.atoms) and np.array_equal(found.tuples[label].rows, tuples.rows)


def test_a_second_charge_of_one_name_has_a_number(tmp_path: Path) -> None:
    topology, _ = charmm_files.write(tmp_path)
    lines = topology.read_text().splitlines(keepends=True)
    last = next(k for k, line in enumerate(lines) if " HT3 " in line)
    lines[last] = lines[last].replace("HT3", "HT2").replace("0.090000", "0.110000")
    topology.write_text("".join(lines))
    assert {"Coulomb.ALA:HT2.q", "Coulomb.ALA:HT2#2.q"} <= set(read_force_field(topology).table.names)


def test_further_exclusions_of_the_file_are_kept(tmp_path: Path) -> None:
    topology, _ = charmm_files.write(tmp_path)
    size = len(charmm_files.ATOMS)
    empty = "\n".join(charmm_files._written([[-1] * size], 8, 8))
    ends = " ".join(["2"] * size)
    topology.write_text(topology.read_text().replace(f"{0:8d} !NNB\n\n{empty}", f"{2:8d} !NNB\n {size - 1} {size}\n {ends}"))
    field = read_force_field(topology)
    assert field.typing is not None
    pairs = field.typing(charmm_files.structure()).pairs
    for label in ("LennardJones", "Coulomb"):
        rows = {tuple(pair): row for pair, row in zip(pairs[label].atoms.tolist(), pairs[label].rows.tolist(), strict=True)}
        assert rows[0, size - 2] == rows[0, size - 1] == -1
    assert [0, size - 1] not in pairs["LennardJones14"].atoms.tolist()


def test_impropers_with_a_periodicity_are_periodic(tmp_path: Path) -> None:
    topology, numbers = charmm_files.write(tmp_path)
    numbers.write_text(numbers.read_text().replace("O    X    X    C    120.0000  0     0.0000", "O    X    X    C    10.5  2     180.0"))
    field = read_force_field(topology)
    labels = {term.label: term for term in field.terms}
    assert labels["PeriodicImproper"].constants["n"] == (2.0,) and len(labels["HarmonicImproper"].rows["k"]) == 1


def test_lines_without_wildcards_come_first(tmp_path: Path) -> None:
    topology, numbers = charmm_files.write(tmp_path)
    own = "NH1  CT1  CT3  HA3    0.7  3     0.00\nX    CT1  CT3  X"
    numbers.write_text(numbers.read_text().replace("X    CT1  CT3  X", own).replace("IMPROPER\n", "IMPROPER\nNH1 C CT1 H 7.0 0 0.0\n"))
    names = read_force_field(topology).table.names
    assert {"PeriodicTorsion.NH1-CT1-CT3-HA3.k1", "PeriodicTorsion.X-CT1-CT3-X.k1", "HarmonicImproper.NH1-C-CT1-H.k"} <= set(names)


def test_stream_files_and_topology_files_are_read_for_what_they_hold(tmp_path: Path) -> None:
    topology, numbers = charmm_files.write(tmp_path, "charmm")
    expected = read_force_field(topology).table
    text = numbers.read_text()
    numbers.unlink()
    masses = "".join(line for line in charmm_files.MASS_LINES.splitlines(keepends=True))
    (tmp_path / "top.rtf").write_text(f"* residues\n*\n36 1\n{masses}\nDECL -CA\nRESI ALA 0.0\nGROUP\nATOM N NH1 -0.47\nEND\n")
    body = text.replace("* Alanine dipeptide\n*\n", "").replace(f"ATOMS\n{charmm_files.MASS_LINES}", "").replace("END\n", "")
    head = "* stream\n*\nset app\nread rtf card append\n* x\n*\nEND\nread para card flex append\n* x\n*\n"
    (tmp_path / "all.str").write_text(f"{head}{body}end\nreturn\n")
    assert read_force_field(topology).table == expected


def test_files_of_the_same_name_are_taken_and_contradictions_refused(tmp_path: Path) -> None:
    topology, numbers = charmm_files.write(tmp_path)
    other = tmp_path / "other.prm"
    other.write_text(numbers.read_text().replace("NH1  CT1   320.000", "NH1  CT1   321.000"))
    assert read_force_field(topology).parameters["HarmonicBond"]["k"].max() == 620.0
    numbers.rename(tmp_path / "first.prm")
    with pytest.raises(InputError, match=r"contradict each other: NH1-CT1 .*other\.prm, line \d+\) over .*first\.prm"):
        read_force_field(topology)
    chosen = read_charmm(topology, [tmp_path / "first.prm", other])
    assert chosen.table.values[chosen.table.names.index("HarmonicBond.NH1-CT1.k")] == 321.0
    assert chosen.typing is not None and "overrule" in chosen.typing(charmm_files.structure()).notes[0]


def test_cutoffs_are_those_of_the_files_unless_something_else_is_said(tmp_path: Path) -> None:
    topology, _ = charmm_files.write(tmp_path)
    own = {term.label: (term.cutoff, term.switch_from) for term in read_force_field(topology).terms}
    assert own["LennardJones"] == own["Coulomb"] == (12.0, 10.0) and own["HarmonicBond"] == (None, None)
    chosen = tmp_path / "chosen.toml"
    chosen.write_text('[molecules]\nfiles = ["ala.psf", "ala.prm"]\ncutoff = 8.5\nswitch_from = 7.0\n')
    said = {term.label: (term.cutoff, term.switch_from) for term in read_force_field(chosen).terms}
    assert said["LennardJones"] == said["Coulomb"] == (8.5, 7.0)


# What does not fit.

PSF_SLIPS = {
    "no PSF": ("PSF CMAP XPLOR", "PFS CMAP XPLOR", "first line is no PSF"),
    "Drude": ("PSF CMAP XPLOR", "PSF CMAP XPLOR DRUDE", "Drude particles are not there"),
    "unknown flag": ("PSF CMAP XPLOR", "PSF CMAP XPLOR QCM", "unknown flag 'QCM'"),
    "unknown section": ("!NDON: donors", "!NPOLAR: x", "unknown section '!NPOLAR'"),
    "second section": ("!NDON: donors", "!NACC: x", "second section !NACC"),
    "lone pairs": (f"{0:8d}{0:8d} !NUMLP NUMLPH", f"{1:8d}{3:8d} !NUMLP NUMLPH", "lone pairs are not there"),
    "no atoms": ("22 !NATOM", "0 !NATOM", "0 atoms; from 1"),
    "many atoms": ("22 !NATOM", "20000000 !NATOM", "20000000 atoms; from 1"),
    "one atom too many": ("22 !NATOM", "23 !NATOM", "should be atom 23 of 23"),
    "words for numbers": ("-0.270000", "minus", "the charge is 'minus', not a number"),
    "infinite charge": ("-0.270000", "inf", "not finite"),
    "no mass": ("12.0110", "0.0000", "mass 0 of ALA CAY"),
    "a wrong number of bonds": ("21 !NBOND", "20 !NBOND", "of 20 entries should hold 40 atoms, and holds 42"),
    "an atom that is not there": ("       2       1       3", "       2       1      33", "names atom 33; atoms run from 1 to 22"),
    "an atom bonded to itself": ("       2       1       3", "       2       1       1", "entry 2 names an atom twice"),
    "half an atom": ("       2       1       3", "       2       1     3.0", "'3.0', not a whole number"),
    "a type without numbers": ("CAY  CT3 ", "CAY  CT9 ", "no parameters in BONDS for CT9 HA3"),
    "a number without a type": ("CAY  CT3 ", "CAY  99  ", "the number 99, which no MASS line"),
    "many bonds": ("21 !NBOND", "99999999999 !NBOND", "entries; at most"),
    "exclusions": ("0 !NNB", "3 !NNB", "should hold 3 atoms and 22 ends of lists"),
}


@pytest.mark.parametrize("slip", PSF_SLIPS)
def test_a_wrong_psf_is_refused_with_place_and_reason(slip: str, tmp_path: Path) -> None:
    *change, message = PSF_SLIPS[slip]
    topology, _ = charmm_files.write(tmp_path)
    slip_in(topology, *change)
    assert_refused(topology, r"ala\.psf", message)


PARAMETER_SLIPS = {
    "missing bond": ("HA3  CT3   322.000     1.1110\n", "", "no parameters in BONDS for CT3 HA3"),
    "missing angle": ("HA3  CT3  HA3   35.500   108.4000    5.40   1.80200\n", "", "no parameters in ANGLES for HA3 CT3 HA3"),
    "missing torsion": ("X    CT1  CT3  X      0.2000  3     0.00\n", "", "no parameters in DIHEDRALS for"),
    "missing improper": ("NH1  X    X    H     20.0000  0     0.0000\n", "", "no parameters in IMPROPER for NH1 C CT1 H"),
    "missing Lennard-Jones": ("HB1    0.0       -0.0220    1.3200\n", "", "no parameters in NONBONDED for HB1"),
    "missing map": ("C    NH1  CT1  C    NH1  CT1  C    NH1   24", "C    NH1  CT1  C    NH1  CT1  C    C   24", "no parameters in CMAP"),
    "a short map": ("NH1   24\n", "NH1   24\n!", "has 571 values"),
    "a map of no size": ("NH1   24\n", "NH1   1e9\n", "must be a whole number from 4 to 360"),
    "a word for a number": ("320.000", "stiff", "k of NH1-CT1 is 'STIFF', not a number"),
    "not finite": ("320.000", "nan", "not finite"),
    "negative stiffness": ("320.000", "-320.0", "k = -320 of NH1-CT1 must be ≥ 0"),
    "a length beyond any molecule": ("HA3  CT3   322.000     1.1110", "HA3  CT3   322.000   111.1", "r0 = 111.1 Å of HA3-CT3 is more than"),
    "half a Urey-Bradley": ("5.40   1.80200", "5.40", "is 3 types and 2 or 4 numbers"),
    "a broken periodicity": ("0.2000  3     0.00", "0.2000  2.5   0.00", "periodicity 2.5 must be a whole number"),
    "a wildcard in a bond": ("NH1  CT1   320", "NH1  X   320", "wildcards X cannot stand in NH1 X of BONDS"),
    "a positive epsilon": ("-0.0460", "0.0460", "a positive epsilon"),
    "groups": ("nbxmod  5 atom", "nbxmod  5 group", "electrostatics between groups"),
    "another exclusion": ("nbxmod  5", "nbxmod  3", "nbxmod 3 is not there"),
    "a dielectric constant": ("eps 1.0", "eps 4.0", "eps 4 is not there"),
    "an unknown option": ("wmin 1.5", "wmin 1.5 acecut 3", "unknown option 'ACECUT'"),
    "a switch beyond the cutoff": ("ctonnb 10.0", "ctonnb 13.0", "ctonnb 13 and ctofnb 12"),
    "an option without number": ("wmin 1.5", "wmin", "WMIN has no number"),
    "explicit hydrogen bonds": ("END\n", "N* O* -3.5 2.9\nEND\n", "explicit hydrogen bonds (HBOND) are not there"),
    "a command": ("ATOMS\n", "goto here\nATOMS\n", "'goto here' is not understood"),
    "a word without section": ("ATOMS\n", "NH1 C 1 2\nATOMS\n", "it stands in no section"),
    "a line that goes on for ever": ("END\n", "BONDS\nNH1 C -\n", "the file ends where"),
    "a mass without type": ("MASS     1 CT3", "MASS     1", "should be MASS, number, atom type, mass"),
    "binary": ("ATOMS\n", "\x00\x01\nATOMS\n", "not understood"),
}


@pytest.mark.parametrize("slip", PARAMETER_SLIPS)
def test_a_wrong_parameter_file_is_refused_with_place_and_reason(slip: str, tmp_path: Path) -> None:
    *change, message = PARAMETER_SLIPS[slip]
    topology, numbers = charmm_files.write(tmp_path)
    slip_in(numbers, *change)
    assert_refused(topology, r"ala\.(psf|prm)", message)


def test_a_psf_alone_says_which_files_it_wants(tmp_path: Path) -> None:
    topology, numbers = charmm_files.write(tmp_path)
    numbers.unlink()
    with pytest.raises(InputError, match=r"no parameter file .* lies beside it.*ala\.prm"):
        read_force_field(topology)
    with pytest.raises(InputError, match=r"ala\.txt: unknown kind of parameter file"):
        read_charmm(topology, [tmp_path / "ala.txt"])
    with pytest.raises(InputError, match=r"ala\.prm: no such file"):
        read_charmm(topology, [numbers])


def test_another_structure_is_refused(tmp_path: Path) -> None:
    field, of = read(tmp_path), charmm_files.structure()
    assert field.typing is not None
    assert field.typing(of) is field.typing(of)
    swapped = of.numbers.copy()
    swapped[[4, 5]] = swapped[[5, 4]]
    with pytest.raises(InputError, match=r"atom 4 is O, and .*has atom 4 \(ALA 1 CY\) of mass 12\.011 there, not 'CY'"):
        field.typing(replace(of, numbers=swapped))
    with pytest.raises(InputError, match=r"has 21 atoms, and .* has 22"):
        field.typing(replace(of, positions=of.positions[:-1]))
