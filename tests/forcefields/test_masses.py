"""Masses of a force field weigh observables in place of those of elements; energies know none."""

from __future__ import annotations

from pathlib import Path

import charmm_files
import gromacs_files
import numpy as np
import pytest
from wrong_files import slip_in

from md_sensitivity.building import build_system
from md_sensitivity.forcefields import ForceField, assignment_of, read_force_field
from md_sensitivity.pipeline import Options, analyze
from md_sensitivity.structures import read_structure
from md_sensitivity.types import Structure

FOLDER = Path(__file__).parent / "topologies"
HEAVY = 3.024
"""Of hydrogens, by the file [amu]."""
TYPES = """
<ForceField>
 <AtomTypes>
  <Type name="o" class="O" element="O" mass="11.967"/>
  <Type name="h" class="H" element="H" mass="3.024"/>
 </AtomTypes>
 <Residues>
  <Residue name="HOH">
   <Atom name="O" type="o" charge="-0.8"/><Atom name="H1" type="h" charge="0.4"/><Atom name="H2" type="h" charge="0.4"/>
   <Bond atomName1="O" atomName2="H1"/><Bond atomName1="O" atomName2="H2"/>
  </Residue>
 </Residues>
 <HarmonicBondForce><Bond class1="O" class2="H" length="0.0957" k="462750.4"/></HarmonicBondForce>
 <NonbondedForce coulomb14scale="0.8333" lj14scale="0.5">
  <UseAttributeFromResidue name="charge"/>
  <Atom type="o" sigma="0.315" epsilon="0.63"/><Atom type="h" sigma="1" epsilon="0"/>
 </NonbondedForce>
</ForceField>
"""
WATER = """\
ATOM      1  O   HOH A   1       0.000   0.000   0.000  1.00  0.00           O
ATOM      2  H1  HOH A   1       0.957   0.000   0.000  1.00  0.00           H
ATOM      3  H2  HOH A   1      -0.240   0.927   0.000  1.00  0.00           H
END
"""
SYSTEM = """
<System openmmVersion="8.1" type="System" version="1">
 <Particles><Particle mass="11.967"/><Particle mass="3.024"/><Particle mass="3.024"/></Particles>
 <Constraints/>
 <Forces>
  <Force forceGroup="0" name="HarmonicBondForce" type="HarmonicBondForce" usesPeriodic="0" version="2">
   <Bonds><Bond d=".0957" k="462750.4" p1="0" p2="1"/><Bond d=".0957" k="462750.4" p1="0" p2="2"/></Bonds>
  </Force>
 </Forces>
</System>
"""


def written(kind: str, folder: Path) -> tuple[ForceField, Structure]:
    """A force field whose hydrogens are heavy, and a structure that knows elements alone."""
    if kind == "amber":
        text = (FOLDER / "dipeptide.prmtop").read_text()
        (folder / "heavy.prmtop").write_text(text.replace("1.00794700E+00", f"{HEAVY:.8E}"))
        return read_force_field(folder / "heavy.prmtop"), read_structure(FOLDER.parent.parent / "oracles" / "openmm" / "dipeptide.pdb")
    if kind == "gromacs":
        text = (gromacs_files.INPUTS / "force_field.top").read_text()
        (folder / "heavy.top").write_text(text.replace("1.00800", f"{HEAVY:.5f}"))
        return read_force_field(folder / "heavy.top"), read_structure(gromacs_files.INPUTS / "structure.gro")
    if kind == "charmm":
        path = charmm_files.write(folder)[0]
        path.write_text(path.read_text().replace("1.0080", f"{HEAVY:.4f}").replace("14.0070", "11.9910"))
        return read_force_field(path), charmm_files.structure()
    (folder / "water.pdb").write_text(WATER)
    (folder / "water.xml").write_text(TYPES if kind == "openmm" else SYSTEM)
    return read_force_field(folder / "water.xml"), read_structure(folder / "water.pdb")


@pytest.mark.parametrize("kind", ["amber", "gromacs", "charmm", "openmm", "system"])
def test_masses_are_those_of_the_force_field(kind: str, tmp_path: Path) -> None:
    if kind == "openmm":
        pytest.importorskip("openmm")
    force_field, of = written(kind, tmp_path)
    assert of.masses[of.numbers == 1] == pytest.approx(1.008, abs=1e-3)
    masses = np.asarray(build_system(of, force_field).masses)
    assert masses[of.numbers == 1].tolist() == [HEAVY] * int(np.sum(of.numbers == 1))
    if kind == "charmm":        # whose nitrogens are now as heavy as carbon
        assert masses[of.numbers == 7] == pytest.approx(11.991)
    padded = np.asarray(build_system(of, force_field, padded=True).masses)
    assert np.array_equal(padded[: of.size], masses) and not padded[of.size :].any()


@pytest.mark.slow
def test_they_weigh_the_radius_of_gyration(tmp_path: Path) -> None:
    force_field, of = written("gromacs", tmp_path)
    options = Options(observables=("radius_of_gyration",), parameters=("HarmonicBond.*.r0",), check=0)
    result = analyze(of, force_field, options)
    x, heavy = np.asarray(result.arrays["positions"]), np.where(of.numbers == 1, HEAVY, of.masses)
    masses = assignment_of(force_field, of).masses
    assert masses is not None
    np.testing.assert_allclose(masses, heavy, rtol=1e-3)
    weights = masses / masses.sum()
    expected = np.sqrt(weights @ np.sum((x - weights @ x) ** 2, axis=1))
    assert result.document.observables[0].value == pytest.approx(expected, rel=1e-12)


def test_a_type_without_mass_leaves_that_of_the_structure(tmp_path: Path) -> None:
    pytest.importorskip("openmm")
    _, of = written("openmm", tmp_path)
    slip_in(tmp_path / "water.xml", 'mass="11.967"', 'mass="0"')
    found = assignment_of(read_force_field(tmp_path / "water.xml"), of)
    assert found.masses is not None and found.masses.tolist() == [of.masses[0], HEAVY, HEAVY]
