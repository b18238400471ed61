"""Rows and values of OpenMM force fields are those of the System that OpenMM makes of the same files."""

from __future__ import annotations

import pickle
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("openmm")

import peptides
from openmm import app

from md_sensitivity.errors import InputError
from md_sensitivity.forcefields import read_force_field
from md_sensitivity.forcefields.data import ForceField
from md_sensitivity.forcefields.openmm_xml import read_openmm_xml
from md_sensitivity.forcefields.topology import Assignment
from md_sensitivity.structures import read_structure
from md_sensitivity.types import Structure


def openmm_system(files: list[str], structure: Structure) -> Any:
    """What OpenMM itself makes of the files."""
    from md_sensitivity.forcefields.openmm_topology import topology_of

    force_field = app.ForceField(*files)
    return force_field.createSystem(topology_of(structure), rigidWater=False, removeCMMotion=False)


def plain(values: Any) -> tuple[float, ...]:
    return tuple(float(v.value_in_unit(v.unit)) if hasattr(v, "unit") else float(v) for v in values)


def ours(force_field: ForceField, found: Assignment, label: str, names: tuple[str, ...], zero: str = "k") -> Counter[Any]:
    """Interactions of one potential with their numbers; those without any energy are left out, as OpenMM does."""
    if label not in found.tuples:
        return Counter()
    term = next(term for term in force_field.terms if term.label == label)
    numbers = {**force_field.parameters[label], **{name: np.array(values) for name, values in term.constants.items()}}
    tuples = found.tuples[label]
    return Counter(
        (tuple(atoms), *(float(numbers[name][row]) for name in names))
        for atoms, row in zip(tuples.atoms.tolist(), tuples.rows.tolist(), strict=True)
        if not zero or numbers[zero][row] != 0.0
    )


def theirs(system: Any) -> dict[str, Counter[Any]]:
    """The same of OpenMM's forces: by kind."""
    found: dict[str, Counter[Any]] = {}
    for force in system.getForces():
        kind = type(force).__name__
        own = found.setdefault(kind, Counter())
        if kind == "HarmonicBondForce":
            own.update((tuple(p[:2]), *plain((p[3], p[2]))) for p in map(force.getBondParameters, range(force.getNumBonds())))
        elif kind == "HarmonicAngleForce":
            own.update((tuple(p[:3]), *plain((p[4], p[3]))) for p in map(force.getAngleParameters, range(force.getNumAngles())))
        elif kind == "PeriodicTorsionForce":
            items = map(force.getTorsionParameters, range(force.getNumTorsions()))
            own.update((tuple(p[:4]), *plain((p[6], p[5], p[4]))) for p in items)
        elif kind == "RBTorsionForce":
            own.update((tuple(p[:4]), *plain(p[4:])) for p in map(force.getTorsionParameters, range(force.getNumTorsions())))
        elif kind == "CustomTorsionForce":
            own.update((tuple(p[:4]), *plain(p[4])) for p in map(force.getTorsionParameters, range(force.getNumTorsions())))
        elif kind == "CMAPTorsionForce":
            for k in range(force.getNumTorsions()):
                number, *atoms = force.getTorsionParameters(k)
                size, values = force.getMapParameters(number)
                own[(tuple(atoms), size, plain(values))] += 1
    return found


def compare(files: list[str], structure: Structure, force_field: ForceField | None = None) -> Assignment:
    """Asserts that each interaction of OpenMM's System is one of ours, with the same numbers; ours that are left over have no energy."""
    force_field = force_field or read_openmm_xml(files)
    assert force_field.typing is not None
    found = force_field.typing(structure)
    system = openmm_system(files, structure)
    expected = theirs(system)
    bonds = ours(force_field, found, "HarmonicBond", ("k", "r0"))
    for (first, _, last), k, d in ours(force_field, found, "UreyBradley", ("k", "r0")).elements():
        bonds[((first, last), 2 * k, d)] += 1
    assert bonds == expected.get("HarmonicBondForce", Counter())
    assert ours(force_field, found, "HarmonicAngle", ("k", "theta0")) == expected.get("HarmonicAngleForce", Counter())
    torsions = sum((ours(force_field, found, f"Periodic{end}", ("k", "phase", "n")) for end in ("Torsion", "Improper")), Counter())
    assert torsions == expected.get("PeriodicTorsionForce", Counter())
    assert ours(force_field, found, "RBTorsion", tuple(f"c{i}" for i in range(6)), "") == expected.get("RBTorsionForce", Counter())
    assert ours(force_field, found, "HarmonicImproper", ("k", "phi0"), "") == expected.get("CustomTorsionForce", Counter())
    compare_maps(force_field, found, expected.get("CMAPTorsionForce", Counter()))
    compare_pairs(force_field, found, system)
    return found


def compare_maps(force_field: ForceField, found: Assignment, expected: Counter[Any]) -> None:
    own: Counter[Any] = Counter()
    for label in (label for label in found.tuples if label.startswith("CMAP")):
        term = next(term for term in force_field.terms if term.label == label)
        size = int(term.options["size"])
        maps = force_field.parameters[label]["energy"].reshape(-1, size, size)
        for atoms, row in zip(found.tuples[label].atoms.tolist(), found.tuples[label].rows.tolist(), strict=True):
            from_zero = np.roll(maps[row], (size // 2, size // 2), axis=(0, 1))
            own[(tuple(atoms), size, tuple(from_zero.T.reshape(-1).tolist()))] += 1
    assert own == expected


def numbers_of_atoms(force_field: ForceField, found: Assignment, label: str, names: tuple[str, ...]) -> np.ndarray:
    """Numbers of each atom, shape=(n, len(names))."""
    term = next(term for term in force_field.terms if term.label == label)
    rows = {types: row for row, types in enumerate(term.rows[names[0]])}
    at = np.array([rows[(found.names[label][kind],)] for kind in found.kinds])
    return np.stack([force_field.parameters[label][name][at] for name in names], axis=1)


def table_of_pairs(force_field: ForceField, found: Assignment, label: str) -> tuple[np.ndarray, np.ndarray]:
    """σ and ε of each pair of atoms, by mixing or from a line of their own, shape=(n, n) each."""
    own = numbers_of_atoms(force_field, found, label, ("sigma", "epsilon"))
    sigma = 0.5 * (own[:, None, 0] + own[None, :, 0])
    epsilon = np.sqrt(own[:, None, 1] * own[None, :, 1])
    names = np.array([found.names[label][kind] for kind in found.kinds])
    term = next(term for term in force_field.terms if term.label == label)
    for row, types in enumerate(term.rows["sigma"]):
        if len(types) == 2:
            mask = (names[:, None] == types[0]) & (names[None, :] == types[1])
            mask |= mask.T
            sigma[mask] = force_field.parameters[label]["sigma"][row]
            epsilon[mask] = force_field.parameters[label]["epsilon"][row]
    return sigma, epsilon


def scales(force_field: ForceField, found: Assignment, label: str) -> dict[tuple[int, int], float]:
    """Pair that is no neighbor → its scale."""
    values = force_field.parameters[label].get("scale14", np.zeros(0))
    pairs = found.pairs[label]
    return {tuple(pair): 0.0 if row < 0 else values[row] for pair, row in zip(pairs.atoms.tolist(), pairs.rows.tolist(), strict=True)}


def compare_pairs(force_field: ForceField, found: Assignment, system: Any) -> None:
    forces = {type(force).__name__: force for force in system.getForces()}
    nonbonded = forces["NonbondedForce"]
    n = len(found.kinds)
    particles = np.array([plain(nonbonded.getParticleParameters(i)) for i in range(n)])
    charges = numbers_of_atoms(force_field, found, "Coulomb", ("q",))[:, 0]
    assert np.array_equal(charges, particles[:, 0])
    exceptions = {}
    for k in range(nonbonded.getNumExceptions()):
        first, second, *numbers = nonbonded.getExceptionParameters(k)
        exceptions[first, second] = plain(numbers)
    coulomb = scales(force_field, found, "Coulomb")
    assert coulomb.keys() == exceptions.keys()
    for (i, j), scale in coulomb.items():
        assert scale * charges[i] * charges[j] == pytest.approx(exceptions[i, j][0], rel=1e-14, abs=1e-300)
    sigma, epsilon = table_of_pairs(force_field, found, "LennardJones")
    lj = scales(force_field, found, "LennardJones")
    if "CustomNonbondedForce" not in forces:
        assert np.array_equal(numbers_of_atoms(force_field, found, "LennardJones", ("sigma", "epsilon")), particles[:, 1:])
        assert lj.keys() == exceptions.keys()
        for (i, j), scale in lj.items():
            assert scale * epsilon[i, j] == pytest.approx(exceptions[i, j][2], rel=1e-14)
            assert sigma[i, j] == pytest.approx(exceptions[i, j][1], rel=1e-14) or exceptions[i, j][2] == 0.0
        return
    custom, extra = forces["CustomNonbondedForce"], forces.get("CustomBondForce")
    size, _, acoef = custom.getTabulatedFunction(0).getFunctionParameters()
    acoef = np.array(acoef).reshape(size, size)
    bcoef = np.array(custom.getTabulatedFunction(1).getFunctionParameters()[2]).reshape(size, size)
    kinds = np.array([int(custom.getParticleParameters(i)[0]) for i in range(n)])
    assert 4 * epsilon * sigma**12 == pytest.approx(acoef[kinds[:, None], kinds[None]], rel=1e-13)
    assert 4 * epsilon * sigma**6 == pytest.approx(bcoef[kinds[:, None], kinds[None]], rel=1e-13)
    excluded = {tuple(sorted(custom.getExclusionParticles(k))) for k in range(custom.getNumExclusions())}
    assert {tuple(sorted(pair)) for pair in lj} == excluded
    if extra is not None and "LennardJones14" in found.pairs:
        assert not any(lj.values())
        sigma, epsilon = table_of_pairs(force_field, found, "LennardJones14")
        lj = scales(force_field, found, "LennardJones14")
        bonds = {}
        for k in range(extra.getNumBonds()):
            first, second, numbers = extra.getBondParameters(k)
            bonds[tuple(sorted((first, second)))] = numbers
        assert {tuple(sorted(pair)) for pair in lj} == bonds.keys()
        for (i, j), scale in lj.items():
            assert scale == 1.0
            assert (sigma[i, j], epsilon[i, j]) == pytest.approx(bonds[tuple(sorted((i, j)))], rel=1e-14)


@pytest.fixture
def dipeptide(tmp_path):
    (tmp_path / "dipeptide.pdb").write_text(peptides.ALANINE_DIPEPTIDE)
    return read_structure(tmp_path / "dipeptide.pdb")


@pytest.mark.parametrize("name", ["amber99sb.xml", "amber14/protein.ff14SB.xml", "amber96.xml", "amberfb15.xml"])
def test_rows_of_a_dipeptide_are_those_of_openmm(name, dipeptide):
    found = compare([name], dipeptide)
    assert len(found.tuples["HarmonicBond"].atoms) == 21
    assert len(found.tuples["HarmonicAngle"].atoms) == 36
    assert not found.notes


def test_names_speak_of_lines_and_of_atoms_of_templates(dipeptide):
    force_field = read_force_field("amber14/protein.ff14SB.xml")
    names = set(force_field.table.names)
    assert {"Coulomb.ALA:CB.q", "HarmonicBond.protein-C~protein-N.k", "LennardJones.scale14", "Coulomb.scale14"} <= names
    assert "PeriodicTorsion.X~protein-C~protein-C~X.k1" in names
    found = force_field.typing(dipeptide)
    assert found.names["Coulomb"][found.kinds[dipeptide.atom_names.index("CB")]] == "ALA:CB"


def test_a_native_file_names_several_files_and_settings(tmp_path):
    (tmp_path / "mine.xml").write_text(FORMALDEHYDE.replace("ORDERING", "amber"))
    (tmp_path / "force_field.toml").write_text('[molecules]\nfiles = ["tip3p.xml", "mine.xml"]\ncutoff = 7.0\n')
    with pytest.raises(InputError, match=r"coulomb14scale = 0\.8, and another"):
        read_force_field(tmp_path / "force_field.toml")
    (tmp_path / "mine.xml").write_text(FORMALDEHYDE.replace("ORDERING", "amber").replace('"0.8"', '"0.833333"'))
    force_field = read_force_field(tmp_path / "force_field.toml")
    assert {"HarmonicBond.OW-HW.k", "HarmonicBond.C-H.k"} <= set(force_field.table.names)
    assert {term.cutoff for term in force_field.terms if term.label in ("LennardJones", "Coulomb")} == {0.7}


def test_the_same_structure_is_typed_once(dipeptide):
    force_field = read_force_field("amber99sb.xml")
    assert force_field.typing(dipeptide) is force_field.typing(dipeptide)


def test_molecules_of_a_file_without_residues_are_residues():
    named = peptides.waters(3)
    plain_file = replace(named, atom_names=(), residue_names=(), residue_numbers=(), chain_names=())
    force_field = read_openmm_xml(["tip3p.xml"])
    assert np.array_equal(force_field.typing(plain_file).kinds, force_field.typing(named).kinds)


def test_a_typing_goes_to_other_processes():
    structure = peptides.waters(1)
    force_field = read_openmm_xml(["tip3p.xml"])
    assert np.array_equal(pickle.loads(pickle.dumps(force_field.typing))(structure).kinds, force_field.typing(structure).kinds)


def test_flexible_water_says_that_constraints_are_released():
    found = compare(["tip3p.xml"], peptides.waters(3))
    assert any("released" in note for note in found.notes)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["amber99sb.xml", "amber14-all.xml", "amber19-all.xml", "amber10.xml"])
def test_rows_of_all_standard_residues_are_those_of_openmm(name):
    structure = peptides.chain_of(app.ForceField(name), ["ACE", *peptides.STANDARD, "NME"])
    compare([name], structure)
    compare([name], peptides.chain_of(app.ForceField(name), ["NSER", "ASH", "GLH", "HIP", "HID", "LYN", "CTRP"]))


@pytest.mark.slow
def test_rows_of_a_peptide_in_charmm36_are_those_of_openmm():
    names = ["ALA" if name == "HIE" else name for name in peptides.STANDARD]
    structure = peptides.charmm_chain(app.ForceField("charmm36.xml"), names)
    found = compare(["charmm36.xml"], structure)
    assert len(found.tuples["CMAP"].atoms) == 18


@pytest.mark.slow
@pytest.mark.parametrize("files", [["amber14-all.xml", "amber14/tip3pfb.xml"], ["charmm36.xml", "charmm36/water.xml"]])
def test_rows_of_several_files_are_those_of_openmm(files):
    compare(files, peptides.waters(2))


@pytest.mark.slow
def test_what_the_script_of_lipid21_does_is_done_without_running_it():
    structure = peptides.chain_of(app.ForceField("amber19-all.xml"), ["DLPC"])
    found = compare(["amber19-all.xml"], structure)
    assert np.sum(found.pairs["LennardJones"].rows == 1) == 16


@pytest.mark.slow
def test_patches_of_several_residues_are_those_of_openmm():
    force_field = app.ForceField("charmm36.xml")
    whole = peptides.charmm_chain(force_field, ["ALA", "CYS", "GLY", "GLY", "CYS", "ALA"])
    names = list(zip(whole.atom_names, whole.numbers.tolist(), whole.residue_names, whole.residue_numbers, strict=True))
    kept = [i for i, atom in enumerate(names) if (atom[0], atom[2]) != ("HG1", "CYS")]
    place = {old: new for new, old in enumerate(kept)}
    bridge = [i for i, atom in enumerate(names) if atom[0] == "SG"]
    bonds = [[place[i], place[j]] for i, j in [*whole.bonds.tolist(), bridge] if i in place and j in place]
    found = compare(["charmm36.xml"], peptides.structure_of([names[i] for i in kept], bonds))
    assert {"DISU:1:SG", "DISU:2:SG"} <= set(found.names["Coulomb"])


@pytest.mark.parametrize("ordering", ["default", "charmm", "amber", "smirnoff"])
def test_impropers_and_overrides_are_those_of_openmm(ordering, tmp_path):
    (tmp_path / "force_field.xml").write_text(FORMALDEHYDE.replace("ORDERING", ordering))
    structure = peptides.structure_of(
        [("C", 6, "CH2O", 1), ("O", 8, "CH2O", 1), ("H1", 1, "CH2O", 1), ("H2", 1, "CH2O", 1)], [[0, 1], [0, 2], [0, 3]]
    )
    found = compare([str(tmp_path / "force_field.xml")], structure)
    assert len(found.tuples["PeriodicImproper"].atoms) == (6 if ordering == "smirnoff" else 2)
    assert len(found.tuples["RBTorsion"].atoms) == 1
    force_field = read_openmm_xml([tmp_path / "force_field.xml"])
    assert {"PeriodicImproper.C-X-X-O.k1", "PeriodicImproper.C-X-X-O.k2", "HarmonicBond.C-H.k#2"} <= set(force_field.table.names)
    # Rows without energy are rows nevertheless: their derivative is not zero.
    assert len(found.tuples["HarmonicAngle"].atoms) == 3


FORMALDEHYDE = """\
<ForceField>
 <AtomTypes>
  <Type name="c" class="C" element="C" mass="12.011"/>
  <Type name="o" class="O" element="O" mass="15.999"/>
  <Type name="h" class="H" element="H" mass="1.008"/>
 </AtomTypes>
 <Residues>
  <Residue name="CH2O" override="1">
   <Atom name="C" type="c"/><Atom name="O" type="o"/><Atom name="H1" type="h"/><Atom name="H2" type="h"/>
   <Bond atomName1="C" atomName2="O"/><Bond from="0" to="2"/><Bond from="0" to="3"/>
  </Residue>
 </Residues>
 <HarmonicBondForce>
  <Bond class1="C" class2="H" length="0.11" k="1000"/>
  <Bond type1="c" type2="o" length="0.12" k="2000"/>
  <Bond class1="C" class2="H" length="0.13" k="3000"/>
 </HarmonicBondForce>
 <HarmonicAngleForce><Angle class1="" class2="C" class3="" angle="2.09" k="0"/></HarmonicAngleForce>
 <PeriodicTorsionForce ordering="ORDERING">
  <Improper class1="C" class2="" class3="" class4="O" periodicity1="2" phase1="3.14" k1="4.6" periodicity2="0" phase2="0.1" k2="-1"/>
  <Improper class1="C" class2="" class3="" class4="" periodicity1="2" phase1="3.14" k1="9"/>
 </PeriodicTorsionForce>
 <RBTorsionForce ordering="default">
  <Improper class1="C" class2="H" class3="H" class4="O" c0="0" c1="1" c2="2" c3="3" c4="4" c5="5"/>
 </RBTorsionForce>
 <NonbondedForce coulomb14scale="0.8" lj14scale="0.5">
  <Atom class="" charge="0" sigma="0.3" epsilon="0.1"/>
  <Atom type="c" charge="0.5" sigma="0.34" epsilon="0.36"/>
  <Atom class="O" charge="-0.5" sigma="0.3" epsilon="0.8"/>
 </NonbondedForce>
</ForceField>
"""
