"""What each parameter acts on is what the assignment says: all interactions are counted, and the first is one of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import gromacs_files
import msgspec
import numpy as np
import pytest

from md_sensitivity import read_structure
from md_sensitivity.analysis.document import parameter_infos
from md_sensitivity.analysis.parameters import select_parameters
from md_sensitivity.forcefields import acting_rows, assignment_of, read_force_field, uses_of

TOPOLOGIES = Path(__file__).parent / "topologies"
CASES = {
    "ethanol": (gromacs_files.INPUTS / "force_field.top", gromacs_files.INPUTS / "structure.gro"),
    "dipeptide": (TOPOLOGIES / "dipeptide.prmtop", TOPOLOGIES / "dipeptide.rst7"),
    "chamber": (TOPOLOGIES / "chamber.prmtop", TOPOLOGIES / "chamber.rst7"),
}


@pytest.mark.parametrize("case", CASES)
def test_uses_count_every_interaction_once(case: str) -> None:
    force_field = read_force_field(CASES[case][0])
    structure = force_field.completed(read_structure(CASES[case][1]))
    uses, found = uses_of(force_field, structure), assignment_of(force_field, structure)
    rows = force_field.table.rows
    assert set(uses) == set(acting_rows(force_field, structure))
    for label, leaf in {(row.label, row.place[1]) for row in rows} & {("HarmonicBond", "k"), ("PeriodicTorsion", "k"), ("Coulomb", "q")}:
        total = sum(use.count for i, use in uses.items() if (rows[i].label, rows[i].place[1]) == (label, leaf))
        assert total == (structure.size if label == "Coulomb" else len(found.tuples[label].atoms))
    for i, use in uses.items():
        row = rows[i]
        if row.label in found.tuples and row.place[1] != "scale14":
            assert list(use.atoms) in found.tuples[row.label].atoms.tolist()
        elif row.types:
            assert [found.names[row.label][found.kinds[atom]] for atom in use.atoms] == list(dict.fromkeys(row.types))
        assert len(use.names.split("-")) == len(use.atoms)


def test_uses_name_residues_and_atoms() -> None:
    force_field = read_force_field(CASES["ethanol"][0])
    structure = read_structure(CASES["ethanol"][1])
    names = force_field.table.names
    uses = {names[i]: use for i, use in uses_of(force_field, structure).items()}
    bond = uses["HarmonicBond.OH-HO.k"]
    assert bond.count == 1 and set(bond.names.split("-")) == {f"EOH1:{structure.atom_names[i]}" for i in bond.atoms}
    assert sorted(structure.symbols[i] for i in bond.atoms) == ["H", "O"]
    nameless = replace(structure, atom_names=(), residue_names=(), residue_numbers=())
    told = uses_of(force_field, nameless)[names.index("HarmonicBond.OH-HO.k")].names
    assert told == "-".join(f"{structure.types[i]}[{i}]" for i in bond.atoms)


def test_a_pair_of_types_counts_the_atoms_of_both(tmp_path: Path) -> None:
    path = gromacs_files.written(tmp_path, after="[ nonbond_params ]\n  hc oh 1 0.27 0.15\n")
    force_field = read_force_field(path)
    structure = read_structure(CASES["ethanol"][1])
    found = assignment_of(force_field, structure)
    own = np.array([found.names["LennardJones"][kind] for kind in found.kinds])
    use = uses_of(force_field, structure)[force_field.table.names.index("LennardJones.hc-oh.epsilon")]
    assert use.count == np.sum((own == "hc") | (own == "oh"))
    assert [own[atom] for atom in use.atoms] == ["hc", "oh"]


def test_results_say_what_parameters_of_molecules_act_on() -> None:
    force_field = read_force_field(CASES["ethanol"][0])
    structure = read_structure(CASES["ethanol"][1])
    selection = select_parameters(force_field, structure, ["HarmonicBond.OH-HO.k", "Coulomb.scale14"])
    infos = [msgspec.to_builtins(info) for info in parameter_infos(selection, force_field, structure)]
    assert [set(info) for info in infos] == [{"name", "value", "unit", "acts_on"}] * 2
    scaled = int(np.sum(assignment_of(force_field, structure).pairs["Coulomb"].rows >= 0))
    assert {info["name"]: info["acts_on"]["count"] for info in infos} == {"HarmonicBond.OH-HO.k": 1, "Coulomb.scale14": scaled}
    # A document without uses, as those of other force fields, stays as it was.
    argon = msgspec.convert({"name": "a", "value": 1.0, "unit": ""}, type(parameter_infos(selection, force_field, structure)[0]))
    assert set(msgspec.to_builtins(argon)) == {"name", "value", "unit"}
