"""Hostile and broken OpenMM files are refused with file, line and reason; nothing of them is run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import peptides
import pytest
from wrong_files import assert_refused, slip_in

from md_sensitivity.errors import InputError
from md_sensitivity.forcefields import read_force_field
from md_sensitivity.forcefields.openmm_xml import read_openmm_xml

WATER = """\
<ForceField>
 <AtomTypes>
  <Type name="O" class="OW" element="O" mass="15.99943"/>
  <Type name="H" class="HW" element="H" mass="1.007947"/>
 </AtomTypes>
 <Residues>
  <Residue name="HOH">
   <Atom name="O" type="O"/>
   <Atom name="H1" type="H"/>
   <Atom name="H2" type="H"/>
   <Bond from="0" to="1"/>
   <Bond from="0" to="2"/>
  </Residue>
 </Residues>
 <HarmonicBondForce>
  <Bond class1="OW" class2="HW" length="0.09572" k="462750.4"/>
 </HarmonicBondForce>
 <HarmonicAngleForce>
  <Angle class1="HW" class2="OW" class3="HW" angle="1.82421813418" k="836.8"/>
 </HarmonicAngleForce>
 <NonbondedForce coulomb14scale="0.833333" lj14scale="0.5">
  <Atom type="O" charge="-0.834" sigma="0.31507524" epsilon="0.635968"/>
  <Atom type="H" charge="0.417" sigma="1" epsilon="0"/>
 </NonbondedForce>
</ForceField>
"""
BOND = '<Bond class1="OW" class2="HW" length="0.09572" k="462750.4"/>'
END = "</ForceField>"
TORSION = '<PeriodicTorsionForce{}><Proper class1="OW" class2="HW" class3="" class4="" {}/></PeriodicTorsionForce></ForceField>'

FORCE_FIELDS = {
    "a document type": ("<ForceField>", '<!DOCTYPE a [<!ENTITY b "c">]><ForceField>', "document type or entity"),
    "a script": (END, "<Script>open('owned', 'w')</Script></ForceField>", "line 25: <Script>: a script"),
    "an initialization script": (END, "<InitializationScript>1</InitializationScript></ForceField>", "a script"),
    "a script after those of OpenMM": (END, "<PostProcessScript>1</PostProcessScript></ForceField>", "'PostProcessScript' is not read"),
    "a custom force": (END, '<CustomBondForce energy="k*r^2"/></ForceField>', "'CustomBondForce' is not read"),
    "a polarizable force": (END, "<DrudeForce/></ForceField>", "polarizable"),
    "an unknown force": (END, "<HarmonicBondForces/></ForceField>", "did you mean"),
    "an expression that is another": (END, '<CustomTorsionForce energy="k*theta"/></ForceField>', "only k*(theta-theta0)^2"),
    "a program as a switch": ('lj14scale="0.5"', 'lj14scale="0.5" useDispersionCorrection="exit()"', "write True or False"),
    "no number": ('k="462750.4"', 'k="stiff"', "k is 'stiff', not a number"),
    "not a number": ('k="462750.4"', 'k="nan"', "not finite"),
    "a negative stiffness": ('k="462750.4"', 'k="-1"', "must be ≥ 0"),
    "a negative depth": ('epsilon="0.635968"', 'epsilon="-0.6"', "must be ≥ 0"),
    "a length beyond any molecule": ('length="0.09572"', 'length="95.72"', "line 16: <Bond>: length at rest r0 = 95.72 nm of OW-HW is"),
    "a size beyond any atom": ('sigma="0.31507524"', 'sigma="1e30"', "sigma = 1e+30 nm of O is more than 10 nm"),
    "an angle beyond a turn": ('angle="1.82421813418"', 'angle="104.52"', "theta0 = 104.52 rad of HW-OW-HW is more than 6.28319 rad"),
    "a missing number": (' k="462750.4"', "", "misses the attribute k"),
    "an unknown attribute": (BOND, BOND.replace("/>", ' K="2"/>'), "'K' is not known"),
    "type and class": (BOND, BOND.replace("/>", ' type1="O"/>'), "both type and class"),
    "neither type nor class": (BOND, BOND.replace('class1="OW" ', ""), "neither type nor class"),
    "an unknown type": ('name="H1" type="H"', 'name="H1" type="Hx"', "which no <Type> defines"),
    "no such element": ('element="O"', 'element="Ooo"', "no chemical symbol"),
    "an atom twice": ('name="H2"', 'name="H1"', "a second atom H1"),
    "a bond to nowhere": ('from="0" to="2"', 'from="0" to="3"', "must be from 0 to 2"),
    "a bond to an atom that is not there": ('from="0" to="2"', 'atomName1="O" atomName2="H3"', "no atom 'H3'"),
    "a residue twice": ("</Residues>", '<Residue name="HOH"/></Residues>', "override level"),
    "a virtual site": ("</Residue>", '<VirtualSite type="average2"/></Residue>', "virtual site"),
    "types twice": (END, "<AtomTypes/></ForceField>", "a second <AtomTypes>"),
    "other scales": (END, '<NonbondedForce coulomb14scale="1" lj14scale="0.5"/></ForceField>', "do not go together"),
    "an unknown ordering": (END, TORSION.format(' ordering="x"', 'periodicity1="1" phase1="0" k1="1"'), "known: default, charmm"),
    "a torsion without a phase": (END, TORSION.format("", 'periodicity1="1" k1="1"'), "is not known here"),
    "half a periodicity": (END, TORSION.format("", 'periodicity1="1.5" phase1="0" k1="1"'), "not a whole number"),
    "a map that is no square": (END, "<CMAPTorsionForce><Map>1 2 3</Map></CMAPTorsionForce></ForceField>", "n × n"),
    "a map that is not there": (END, '<CMAPTorsionForce><Torsion map="0"/></CMAPTorsionForce></ForceField>', "neither type nor class"),
    "an inclusion of anything": (END, '<Include file="/etc/passwd"/></ForceField>', "leaves the folder"),
    "an inclusion of what is above": (END, '<Include file="../water.xml"/></ForceField>', "leaves the folder"),
    "an inclusion of itself": (END, '<Include file="water.xml"/></ForceField>', "includes itself"),
    "an inclusion of nothing": (END, '<Include file="nothing.xml"/></ForceField>', "no such file"),
    "another root": ("ForceField>", "Forcefield>", "whose root is <ForceField>"),
    "no end": (END, "", "line 26: not valid XML"),
    "deep nesting": (END, "<a>" * 50 + "</a>" * 50 + END, "nested deeper"),
    "a name with blanks": ('name="O" class="OW"', 'name="O O" class="OW"', "a word without blanks"),
    "no forces": (WATER, "<ForceField/>", "no forces"),
}


@pytest.mark.parametrize("case", FORCE_FIELDS)
def test_bad_force_fields_are_refused_with_a_reason(case, tmp_path, monkeypatch):
    *change, message = FORCE_FIELDS[case]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "water.xml").write_text(WATER)
    slip_in(tmp_path / "water.xml", *change, count=-1)
    assert_refused(tmp_path / "water.xml", r"water\.xml", message)
    assert [path.name for path in tmp_path.iterdir()] == ["water.xml"]


SYSTEM = """\
<?xml version="1.0" ?>
<System openmmVersion="8.6" type="System" version="1">
 <PeriodicBoxVectors><A x="2" y="0" z="0"/><B x="0" y="2" z="0"/><C x="0" y="0" z="2"/></PeriodicBoxVectors>
 <Particles><Particle mass="15.999"/><Particle mass="1.008"/><Particle mass="1.008"/></Particles>
 <Constraints/>
 <Forces>
  <Force forceGroup="0" name="a" type="HarmonicBondForce" usesPeriodic="0" version="2">
   <Bonds><Bond d=".09572" k="462750.4" p1="0" p2="1"/><Bond d=".09572" k="462750.4" p1="0" p2="2"/></Bonds>
  </Force>
  <Force cutoff="1" dispersionCorrection="1" ewaldTolerance="5e-4" method="0" switchingDistance="-1" type="NonbondedForce" version="4">
   <GlobalParameters/>
   <Particles><Particle eps=".6" q="-.8" sig=".3"/><Particle eps="0" q=".4" sig="1"/><Particle eps="0" q=".4" sig="1"/></Particles>
   <Exceptions><Exception eps="0" p1="0" p2="1" q="0" sig="1"/><Exception eps="0" p1="0" p2="2" q="0" sig="1"/></Exceptions>
  </Force>
 </Forces>
</System>
"""
FORCES = " </Forces>"
SYSTEMS = {
    "a custom force": (FORCES, '<Force type="CustomBondForce" energy="k*r"/></Forces>', "'CustomBondForce' are not read"),
    "a polarizable force": (FORCES, '<Force type="DrudeForce"/></Forces>', "'DrudeForce' are not read"),
    "no kind": ('type="HarmonicBondForce"', "", "misses the attribute type"),
    "two nonbonded forces": (FORCES, '<Force type="NonbondedForce"/></Forces>', "a second NonbondedForce"),
    "a particle without mass": ('<Particle mass="15.999"/>', '<Particle mass="0"/>', "has no mass"),
    "a virtual site": ('<Particle mass="15.999"/>', '<Particle mass="0"><TwoParticleAverageSite/></Particle>', "virtual site"),
    "no such particle": ('p1="0" p2="1"/><Bond', 'p1="0" p2="7"/><Bond', "must be from 0 to 2"),
    "a bond of one atom": ('p1="0" p2="1"/><Bond', 'p1="0" p2="0"/><Bond', "an atom twice"),
    "no number": ('k="462750.4" p1="0" p2="1"', 'k="x" p1="0" p2="1"', "not a number"),
    "a negative stiffness": ('k="462750.4" p1="0" p2="1"', 'k="-1" p1="0" p2="1"', "must be ≥ 0"),
    "a length beyond any molecule": ('d=".09572" k="462750.4" p1="0" p2="1"', 'd="1e9" k="1" p1="0" p2="1"', "r0 = 1e+09 nm of"),
    "an unknown attribute": ('k="462750.4" p1="0" p2="1"', 'k="1" k2="1" p1="0" p2="1"', "'k2' is not known"),
    "a reaction field": ('method="0"', 'method="2"', "CutoffPeriodic"),
    "waves of dispersion": ('method="0"', 'method="5"', "LJPME"),
    "parameters of charges": ("<GlobalParameters/>", '<GlobalParameters><Parameter name="l"/></GlobalParameters>', "not read"),
    "a particle too few": ('<Particle eps=".6" q="-.8" sig=".3"/>', "", "2 particles, and the system has 3"),
    "an exception of one atom": ('p1="0" p2="1" q="0"', 'p1="0" p2="0" q="0"', "itself"),
    "an exception twice": ('p1="0" p2="2" q="0"', 'p1="1" p2="0" q="0"', "same pair"),
    "a cutoff of nothing": ('cutoff="1" dispersionCorrection="1" ewaldTolerance="5e-4" method="0"', 'cutoff="0" method="4"', "must be > 0"),
    "an unknown part": (FORCES, "</Forces><Script>1</Script>", "<Script>: has no place"),
    "a document type": ("<System ", "<!DOCTYPE a><System ", "document type"),
    "a solvent with a cutoff": (FORCES, '<Force type="GBSAOBCForce" method="1"/></Forces>', "take NoCutoff"),
    "no particles": (SYSTEM, "<System/>", "without particles"),
    "no forces": (SYSTEM, '<System><Particles><Particle mass="1"/></Particles></System>', "no forces"),
}


@pytest.mark.parametrize("case", SYSTEMS)
def test_bad_systems_are_refused_with_a_reason(case, tmp_path):
    *change, message = SYSTEMS[case]
    (tmp_path / "system.xml").write_text(SYSTEM)
    slip_in(tmp_path / "system.xml", *change, count=-1)
    assert_refused(tmp_path / "system.xml", r"system\.xml", message)


def test_a_system_fits_only_its_own_atoms(tmp_path):
    (tmp_path / "system.xml").write_text(SYSTEM)
    force_field = read_force_field(tmp_path / "system.xml")
    assert len(force_field.typing(peptides.waters(1)).tuples["HarmonicBond"].atoms) == 2
    with pytest.raises(InputError, match=r"6 atoms, but .* lists 3"):
        force_field.typing(peptides.waters(2))


def test_a_system_and_a_force_field_do_not_go_together(tmp_path):
    (tmp_path / "system.xml").write_text(SYSTEM)
    (tmp_path / "water.xml").write_text(WATER)
    with pytest.raises(InputError, match="give it alone"):
        read_openmm_xml([tmp_path / "system.xml", tmp_path / "water.xml"])


class TestStructures:
    """Structures that do not fit."""

    @pytest.fixture(autouse=True)
    def _needs_openmm(self):
        pytest.importorskip("openmm")

    @pytest.fixture
    def water(self, tmp_path):
        (tmp_path / "water.xml").write_text(WATER)
        return read_force_field(tmp_path / "water.xml")

    def test_water_is_typed(self, water):
        found = water.typing(peptides.waters(2))
        assert found.names["Coulomb"] == ("O", "H")
        assert [len(found.tuples[label].atoms) for label in ("HarmonicBond", "HarmonicAngle")] == [4, 2]

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"bonds": np.zeros((0, 2), dtype=np.int64)}, "which has 2 bonds, and it has 0"),
            ({"bonds": np.array([[0, 1], [1, 2]])}, "bonds"),
            ({"numbers": np.array([8, 1, 0])}, "atom 2 is no element"),
            ({"numbers": np.array([16, 1, 1])}, "no template has the element S"),
            ({"numbers": np.array([8, 8, 1])}, "it lacks 1 H; it has in excess 1 O"),
        ],
    )
    def test_a_residue_without_template_is_named_with_what_differs(self, water, change, message):
        with pytest.raises(InputError) as caught:
            water.typing(replace(peptides.waters(1), **change))
        assert message in str(caught.value)

    def test_missing_atoms_are_named(self, water):
        whole = peptides.waters(1)
        fields = ("positions", "types", "numbers", "masses", "fixed", "atom_names", "residue_names", "residue_numbers", "chain_names")
        cut = replace(whole, bonds=np.array([[0, 1]]), **{name: getattr(whole, name)[:2] for name in fields})
        with pytest.raises(InputError, match=r"residue HOH 1 of chain A fits no.*lacks 1 H \(HOH has also H2\); add the hydrogens"):
            water.typing(cut)

    def test_a_residue_of_unknown_name_is_named_first(self, water):
        renamed = replace(peptides.waters(1), residue_names=("XYZ",) * 3, bonds=np.zeros((0, 2), dtype=np.int64))
        with pytest.raises(InputError, match=r"residue XYZ 1 of chain A: .* has no template of that name, .*; if it is HOH, call it so"):
            water.typing(renamed)
        with pytest.raises(InputError, match=r"lacks 1 O; .*; add a file with a template of it, or call it by the name that it has there"):
            water.typing(replace(renamed, numbers=np.array([1, 1, 1])))

    def test_a_molecule_that_fits_several_templates_as_a_whole_is_said(self):
        from openmm import app

        dipeptide = peptides.chain_of(app.ForceField("amber14-all.xml"), ("ACE", "ALA", "NME"))
        with pytest.raises(InputError, match=r"a molecule of several residues, as a whole, fits several templates of .* \(ALAD, AANM\)"):
            read_force_field("charmm36.xml").typing(dipeptide)

    def test_a_residue_of_unknown_name_is_at_fault_where_the_one_before_lacks_a_bond(self):
        from openmm import app

        chain = peptides.chain_of(app.ForceField("amber14-all.xml"), ("NALA", "GLY", "LYS", "CALA"))
        names = tuple({"NALA": "ALA", "LYS": "XYZ", "CALA": "ALA"}.get(name, name) for name in chain.residue_names)
        bonds = [pair for pair in chain.bonds.tolist() if "XYZ" not in (names[pair[0]], names[pair[1]])]
        with pytest.raises(InputError, match=r"residue XYZ 3 of chain A: .* its atoms are those of LYS, which has 21 bonds, and it has 0;"):
            read_force_field("amber14-all.xml").typing(replace(chain, residue_names=names, bonds=np.array(bonds)))

    @pytest.mark.slow
    def test_a_cap_that_is_a_patch_is_told_from_missing_hydrogens(self):
        from openmm import app

        chain = peptides.chain_of(app.ForceField("amber14-all.xml"), ("ACE", "SER", "NME"))
        force_field = read_force_field("charmm36.xml")
        with pytest.raises(InputError, match=r"residue ACE 1 of chain A: .* has no template of that.* a patch then completes") as caught:
            force_field.typing(chain)
        assert "add the hydrogens" not in str(caught.value)
        # What the message advises helps.
        merged = replace(chain, residue_names=("SER",) * chain.size, residue_numbers=(2,) * chain.size)
        assert len(force_field.typing(merged).tuples["HarmonicBond"].atoms) == chain.size - 1

    def test_a_type_without_line_is_named(self, tmp_path):
        (tmp_path / "water.xml").write_text(WATER.replace('<Atom type="H" charge="0.417" sigma="1" epsilon="0"/>', ""))
        with pytest.raises(InputError, match=r"no Lennard-Jones line for type H of atom 1 \(HOH 1 H1"):
            read_force_field(tmp_path / "water.xml").typing(peptides.waters(1))

    def test_an_atom_without_charge_is_named(self, tmp_path):
        text = WATER.replace('<Atom type="O" charge="-0.834"', '<UseAttributeFromResidue name="charge"/><Atom type="O"')
        text = text.replace('charge="0.417" ', "").replace('name="O" type="O"', 'name="O" type="O" charge="1"')
        (tmp_path / "water.xml").write_text(text)
        with pytest.raises(InputError, match="atom H1 of residue HOH has no charge"):
            read_force_field(tmp_path / "water.xml").typing(peptides.waters(1))

    def test_two_templates_that_differ_are_named(self, tmp_path):
        other = WATER[WATER.index("  <Residue name") : WATER.index(" </Residues>")]
        other = other.replace('"HOH"', '"WAT"').replace('type="O"', 'type="P"')
        text = WATER.replace(" </Residues>", other + " </Residues>")
        text = text.replace(" </AtomTypes>", '<Type name="P" class="OW" element="O" mass="16"/></AtomTypes>')
        (tmp_path / "water.xml").write_text(text)
        with pytest.raises(InputError, match=r"fits several templates of .* \(HOH, WAT\)"):
            read_force_field(tmp_path / "water.xml").typing(peptides.waters(1))

    def test_bonds_without_line_are_noted(self, tmp_path):
        (tmp_path / "water.xml").write_text(WATER.replace('class2="HW" length', 'class2="HX" length'))
        notes = read_force_field(tmp_path / "water.xml").typing(peptides.waters(1)).notes
        assert any("2 bonds of the structure have no line" in note for note in notes)


def test_what_is_missing_without_openmm_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("md_sensitivity.forcefields.openmm_files.openmm_data", lambda: None)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="pip install 'md-sensitivity"):
        read_force_field("amber14-all.xml")


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("charmm36_2024.xml", "Use charmm36.xml, an older version"),
        ("amber14/GLYCAM_06j-1.xml", "Leave out amber14/GLYCAM_06j-1.xml; of carbohydrates OpenMM has no other"),
        ("implicit/gbn2.xml", 'Leave out implicit/gbn2.xml; for an implicit solvent, write implicit_solvent = "obc2"'),
        ("amber19/opc.xml", "such as amber19/tip3p.xml"),
        ("charmm36/tip4pew.xml", "such as charmm36/water.xml"),
        ("tip5p.xml", "such as tip3p.xml"),
        ("amber99_obc.xml", "has an implicit solvent and nothing else; name the force field"),
        ("amoeba2018.xml", "use one of fixed charges"),
    ],
)
def test_a_refused_file_of_openmm_names_what_to_take_instead(name, advice):
    pytest.importorskip("openmm")
    with pytest.raises(InputError) as caught:
        read_force_field(name)
    assert advice in str(caught.value) and "emove" not in str(caught.value)


def test_files_that_include_each_other_once_are_read_once(tmp_path):
    (tmp_path / "all.xml").write_text('<ForceField><Include file="water.xml"/><Include file="more.xml"/></ForceField>')
    (tmp_path / "more.xml").write_text('<ForceField><Include file="water.xml"/></ForceField>')
    (tmp_path / "water.xml").write_text(WATER)
    assert len(read_force_field(tmp_path / "all.xml").parameters["HarmonicBond"]["k"]) == 1


def test_a_long_chain_of_inclusions_is_refused(tmp_path):
    for k in range(30):
        (tmp_path / f"f{k}.xml").write_text(f'<ForceField><Include file="f{k + 1}.xml"/></ForceField>')
    with pytest.raises(InputError, match="too deeply"):
        read_force_field(tmp_path / "f0.xml")
