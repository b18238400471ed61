"""What a person should know of a structure in a force field before any number is believed: what its typing says, and strange bonds."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from md_sensitivity.files import printable
from md_sensitivity.forcefields.assignment import assignment_of
from md_sensitivity.forcefields.data import ForceField, Term
from md_sensitivity.forcefields.topology import Tuples
from md_sensitivity.listed import nearest_images
from md_sensitivity.neighbors import complete_cell
from md_sensitivity.potentials.base import BondedForm
from md_sensitivity.types import Structure

_LONG, _SLACK = 1.4, 0.25
"""A bond may be this many times its length at rest, and so much longer [Å, or that length itself in reduced units].

Crystal structures with added hydrogens, and other poor starts, stretch bonds by some tenths of an ångström. Atoms whose places are
exchanged with a neighbor's are 1.6 times their bond apart or more, and those beside a gap in a chain 2 Å farther than bonded ones."""
_LONG_ACROSS_GAP = 1.3
"""The same where residue numbers say that a residue is missing."""
_LISTED = 3


def remarks(force_field: ForceField, structure: Structure) -> tuple[str, ...]:
    """Notes of the typing, and about bonds that are far from their length at rest in the structure as it was read.

    Args:
        structure: completed by the force field.

    Raises:
        InputError: where the structure does not fit.
    """
    lengths = [term for term in force_field.terms if _is_bond(term)]
    if force_field.typing is None and not lengths:
        return ()
    found = assignment_of(force_field, structure)
    stretched = [bond for term in lengths if term.label in found.tuples for bond in _stretched(force_field, structure, term, found.tuples)]
    return (*found.notes, *_told(structure, force_field, sorted(stretched, key=lambda bond: -bond[2] / bond[3])))


def _is_bond(term: Term) -> bool:
    """Whether it is about atoms that are bonded, and knows at which distance they rest."""
    form = term.form
    bond = isinstance(form, BondedForm) and form.order == 2 and any(spec.name == "r0" for spec in form.parameters)
    return bond and not term.label.startswith("UreyBradley")     # between ends of angles, in topologies of AMBER


_Bond = tuple[int, int, float, float]


def _stretched(force_field: ForceField, structure: Structure, term: Term, tuples: Mapping[str, Tuples]) -> list[_Bond]:
    """Bonds of a potential that are far too long: atoms, length and length at rest [Å]."""
    atoms, rows = tuples[term.label]
    units = force_field.units
    rest = np.asarray(force_field.parameters[term.label]["r0"])[rows] * (1.0 if units.reduced else units.length)
    pbc = (bool(structure.pbc[0]), bool(structure.pbc[1]), bool(structure.pbc[2]))
    cell = complete_cell(np.where(np.asarray(structure.pbc)[:, None], structure.cell, 0.0))
    ends = np.asarray(structure.positions)[atoms]
    vectors = ends[:, 1] - ends[:, 0] + nearest_images(ends, cell, pbc)[:, 1] @ cell
    length = np.sqrt(np.sum(vectors * vectors, axis=1))
    most = _LONG * rest + _SLACK * (rest if units.reduced else 1.0)
    most = np.where(_across_gap(structure, atoms), _LONG_ACROSS_GAP * rest, most)
    return [(*atoms[k].tolist(), float(length[k]), float(rest[k])) for k in np.flatnonzero((length > most) & (rest > 0)).tolist()]


def _across_gap(structure: Structure, atoms: np.ndarray) -> np.ndarray:
    """Whether a bond joins residues of a chain that follow each other in the file and not in their numbers, shape=(m,)."""
    if not structure.residue_numbers:
        return np.zeros(len(atoms), dtype=bool)
    numbers = np.array(structure.residue_numbers)
    chains = np.unique(np.array(structure.chain_names or ("",) * structure.size), return_inverse=True)[1]
    first, second = np.sort(atoms, axis=1).T
    return (chains[first] == chains[second]) & (numbers[second] - numbers[first] > 1)


def _told(structure: Structure, force_field: ForceField, bonds: list[_Bond]) -> tuple[str, ...]:
    if not bonds:
        return ()
    unit = force_field.units.inner_symbols()[1]
    parts = [
        f"{_atom(structure, i)} and {_atom(structure, j)} are {length:.3g} apart, at rest {rest:.3g} {unit}"
        for i, j, length, rest in bonds[:_LISTED]
    ]
    more = f"; and {len(bonds) - _LISTED} more" if len(bonds) > _LISTED else ""
    what = "a bond of the structure is" if len(bonds) == 1 else f"{len(bonds)} bonds of the structure are"
    return (f"{what} far too long: {'; '.join(parts)}{more}; is a residue missing there, or are atoms in another order?",)


def _atom(structure: Structure, atom: int) -> str:
    name = structure.atom_names[atom] if structure.atom_names else structure.types[atom]
    if not (structure.residue_names and structure.residue_numbers):
        return f"atom {atom} ({printable(name)})"
    return f"atom {atom} ({printable(f'{name} of {structure.residue_names[atom]} {structure.residue_numbers[atom]}')})"
