"""What a table `[molecules]` says of files that do not go together is refused, with the file and the reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import gromacs_files
import pytest

from md_sensitivity import read_structure
from md_sensitivity.errors import InputError
from md_sensitivity.forcefields import read_force_field

TOPOLOGIES = Path(__file__).parent / "topologies"
XML = """<ForceField><AtomTypes><Type name="Ar" class="Ar" element="Ar" mass="39.9"/></AtomTypes>
<Residues><Residue name="AR"><Atom name="AR" type="Ar" charge="0"/></Residue></Residues>
<NonbondedForce coulomb14scale="1" lj14scale="1"><UseAttributeFromResidue name="charge"/><Atom type="Ar" sigma="0.34" epsilon="1"/>
</NonbondedForce></ForceField>"""
TABLES = {
    "macros beside XML": ('files = "argon.xml"\ndefine = ["FLEXIBLE"]', "of kind openmm-xml has no macros; remove it"),
    "macros beside a prmtop": ('files = "water.prmtop"\ndefine = ["FLEXIBLE"]', "of kind amber-prmtop has no macros"),
    "macros beside a prmtop of another name": ('files = "water.top"\ndefine = ["FLEXIBLE"]', "an AMBER topology has no macros"),
    "a file twice": ('files = ["argon.xml", "argon.xml"]', "'argon.xml' is listed twice"),
    "a file twice by two names": ('files = ["argon.xml", "link.xml"]', "'link.xml' is listed twice"),
    "XML and prmtop": ('files = ["argon.xml", "water.prmtop"]', "'water.prmtop' of kind amber-prmtop; kinds cannot be mixed"),
    "prmtop and XML": ('files = ["water.prmtop", "argon.xml"]', "'argon.xml' of kind openmm-xml; kinds cannot be mixed"),
    "two prmtops": ('files = ["water.prmtop", "water2.prmtop"]', "is one file, not 2"),
    "a switch behind the cutoff": ('files = "argon.xml"\ncutoff = 8\nswitch_from = 9', "switch_from = 9 Å must be less than cutoff = 8 Å"),
}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "argon.xml").write_text(XML)
    (tmp_path / "link.xml").symlink_to("argon.xml")
    for name in ("water.prmtop", "water2.prmtop", "water.top"):
        (tmp_path / name).write_text((TOPOLOGIES / "dipeptide.prmtop").read_text())
    return tmp_path


@pytest.mark.parametrize("case", TABLES)
def test_a_table_of_files_that_do_not_go_together_is_refused(case: str, place: Path) -> None:
    table, message = TABLES[case]
    (place / "x.toml").write_text(f'name = "x"\n[molecules]\n{table}\n')
    with pytest.raises(InputError, match=r"x\.toml: molecules: ") as caught:
        read_force_field(place / "x.toml")
    assert message in str(caught.value)


def test_elements_that_the_topology_tells_are_no_guess() -> None:
    structure = read_structure(gromacs_files.INPUTS / "structure.gro")
    guess = "elements follow from atom names: CX is C"
    noted = replace(structure, notes=("another", guess))
    assert read_force_field(gromacs_files.INPUTS / "force_field.top").completed(noted).notes == ("another",)
