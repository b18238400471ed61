"""`--fix`: indices, elements, types, MDTraj expressions."""

import ase
import numpy as np
import pytest

from md_sensitivity.errors import UsageError
from md_sensitivity.structures.mdtraj import bonds_of, topology_of
from md_sensitivity.structures.select import select
from md_sensitivity.types import Structure


def structure() -> Structure:
    atoms = ase.Atoms("Si4OX", positions=3.0 * np.arange(18).reshape(6, 3))
    atoms.new_array("atom_types", np.array(["A", "A", "B", "B", "O", "bead"]))
    return Structure.from_ase(atoms)


def protein() -> Structure:
    names = [("N", "N"), ("CA", "C"), ("C", "C"), ("O", "O")] * 3
    return Structure(
        positions=np.arange(36.0).reshape(12, 3),
        types=tuple(symbol for _, symbol in names),
        numbers=np.array([{"N": 7, "C": 6, "O": 8}[symbol] for _, symbol in names]),
        cell=np.zeros((3, 3)),
        pbc=np.zeros(3, dtype=bool),
        masses=np.full(12, 12.0),
        fixed=np.zeros((12, 3), dtype=bool),
        bonds=np.array([[0, 1], [1, 2], [2, 3]]),
        atom_names=tuple(name for name, _ in names),
        residue_names=("GLY",) * 4 + ("ALA",) * 4 + ("GLY",) * 4,
        residue_numbers=(1,) * 4 + (2,) * 4 + (3,) * 4,
        chain_names=("A",) * 8 + ("B",) * 4,
    )


@pytest.mark.parametrize(
    ("expression", "atoms"),
    [
        ("0", [0]), ("0,3", [0, 3]), ("1-3", [1, 2, 3]), (" 0 , 2 - 4 ,5", [0, 2, 3, 4, 5]), ("3,3,3-3", [3]), ("0,1,", [0, 1]),
        ("element:Si", [0, 1, 2, 3]), ("element:O,X", [4, 5]), ("element: X", [5]), ("type:A", [0, 1]), ("type:B,bead", [2, 3, 5]),
        ("index 1 to 3", [1, 2, 3]), ("element Si and index > 1", [2, 3]), ("name bead", [5]), ("all", [0, 1, 2, 3, 4, 5]),
    ],
)  # fmt: skip
def test_atoms_of_an_expression(expression, atoms):
    mask = select(structure(), expression)
    assert mask.dtype == bool
    assert np.flatnonzero(mask).tolist() == atoms


@pytest.mark.parametrize(
    ("expression", "atoms"),
    [
        ("name CA", [1, 5, 9]), ("resname ALA", [4, 5, 6, 7]), ("residue 3", [8, 9, 10, 11]), ("chainid 1", [8, 9, 10, 11]),
        ("backbone and resid 0", [0, 1, 2, 3]),
    ],
)  # fmt: skip
def test_residues_are_known(expression, atoms):
    assert np.flatnonzero(select(protein(), expression)).tolist() == atoms


def test_topology_keeps_order_and_bonds():
    topology = topology_of(protein())
    assert [atom.name for atom in topology.atoms] == list(protein().atom_names)
    assert (topology.n_chains, topology.n_residues) == (2, 3)
    np.testing.assert_array_equal(bonds_of(topology), protein().bonds)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("", "empty"), ("  ", "empty"), ("6", "there is no atom 6; atoms are numbered from 0 to 5"), ("3-9", "there is no atom 9"),
        ("4-2", "runs backwards"), ("9" * 5000, "there is no atom"), ("element:Ge", "there is no element 'Ge'"),
        ("type:beat", "did you mean 'bead'"), ("type:", "means none"), ("-1", "neither indices"), ("1,,2", "neither indices"),
        ("name ZZ", "means none"), ("nonsense here", "neither indices"), ("element:", "means none"), ("((", "neither indices"),
    ],
)  # fmt: skip
def test_refusals_say_why(expression, message):
    with pytest.raises(UsageError) as caught:
        select(structure(), expression)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
