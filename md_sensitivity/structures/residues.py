"""Atoms of formats that speak of residues (PDB, GRO, mol2), as their text has them, and the same as a `Structure`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from md_sensitivity.structures.elements import element_numbers
from md_sensitivity.types import Structure

ELEMENTS_OF_NAMES = "elements follow from atom names"
"""What the note says where a file has names in place of elements."""
DEUTERIUM = 2.014101778
"""[amu]"""


@dataclass(frozen=True, kw_only=True)
class NamedAtoms:
    """One frame of such a file.

    Attributes:
        names: atom names with the blanks of their column, n strings.
        residue_names, residue_numbers, chain_names: n entries each.
        residues: n labels, equal for atoms of one residue.
        symbols: chemical symbols as the file has them, n strings; "" where it has none, so that the name must tell.
        positions: shape=(n, 3) [Å], with all digits of the text.
        cell: rows are lattice vectors, shape=(3, 3) [Å]; zero where there is none.
        notes: remarks for a person.
    """

    names: Sequence[str]
    residue_names: Sequence[str]
    residue_numbers: Sequence[int]
    chain_names: Sequence[str]
    residues: Sequence[int]
    symbols: Sequence[str]
    positions: np.ndarray
    cell: np.ndarray
    notes: list[str] = field(default_factory=list)

    @property
    def signature(self) -> tuple[object, ...]:
        """What decides about bonds between residues."""
        return tuple(self.names), tuple(self.residue_names), tuple(self.residues)


def residue_labels(*columns: Sequence[object]) -> list[int]:
    """A running number for each atom that grows where any column changes; n entries."""
    labels: list[int] = []
    previous: object = None
    for row in zip(*columns, strict=True):
        labels.append(labels[-1] + (row != previous) if labels else 0)
        previous = row
    return labels


def atomic_numbers_of(atoms: NamedAtoms) -> tuple[np.ndarray, list[str]]:
    """Atomic numbers from the symbols of the file, from names where there are none; and a note about the latter. shape=(n,)."""
    from ase.data import atomic_numbers, chemical_symbols

    symbols = ("H" if symbol.upper() == "D" else symbol.capitalize() for symbol in atoms.symbols)
    numbers = np.array([atomic_numbers.get(symbol, 0) for symbol in symbols], dtype=np.int64)
    unnamed = np.array([not symbol for symbol in atoms.symbols], dtype=bool)
    if not unnamed.any():
        return numbers, []
    guesses = np.array(element_numbers(atoms.names, atoms.residues, atoms.residue_names))
    numbers = np.where(unnamed, guesses, numbers)
    guessed = {atoms.names[atom].strip(): chemical_symbols[numbers[atom]] for atom in np.flatnonzero(unnamed).tolist()}
    unclear = [f"{name} is {symbol}" for name, symbol in guessed.items() if name.rstrip("0123456789") != symbol]
    note = f"{ELEMENTS_OF_NAMES}: {', '.join(unclear[:8])}{' …' if len(unclear) > 8 else ''}"
    return numbers, [note] if unclear else []


def structure_of_residues(atoms: NamedAtoms, bonds: np.ndarray, *, reader: str, types: Sequence[str] = ()) -> Structure:
    """Atoms and their bonds, shape=(m, 2), as a structure that is not yet validated; periodic where it has a cell."""
    from ase.data import atomic_masses, chemical_symbols

    numbers, notes = atomic_numbers_of(atoms)
    masses = np.array(atomic_masses)[numbers]
    masses[[symbol.upper() == "D" for symbol in atoms.symbols]] = DEUTERIUM
    return Structure(
        positions=atoms.positions,
        types=tuple(types) or tuple(chemical_symbols[number] for number in numbers),
        numbers=numbers,
        cell=atoms.cell,
        pbc=np.full(3, bool(atoms.cell.any())),
        masses=masses,
        bonds=bonds,
        fixed=np.zeros((len(numbers), 3), dtype=bool),
        atom_names=tuple(name.strip() for name in atoms.names),
        residue_names=tuple(atoms.residue_names),
        residue_numbers=tuple(atoms.residue_numbers),
        chain_names=tuple(atoms.chain_names),
        reader=reader,
        notes=(*atoms.notes, *notes),
    )


def cell_of_parameters(parameters: Sequence[float]) -> np.ndarray | None:
    """Rows are lattice vectors, shape=(3, 3) [Å], a along x and b in the xy plane; None where no cell has such lengths and angles.

    Args:
        parameters: three lengths [Å] and three angles [degrees].
    """
    from ase.geometry import cellpar_to_cell

    lengths, angles = parameters[:3], parameters[3:]
    if not (np.isfinite(parameters).all() and min(lengths) > 0 and 0 < min(angles) and max(angles) < 180):
        return None
    try:
        cell = np.array(cellpar_to_cell(parameters), dtype=np.float64)
    except AssertionError:      # angles that enclose no volume
        return None
    return cell if np.isfinite(cell).all() else None


def unique_bonds(*groups: np.ndarray) -> np.ndarray:
    """Bonds of all groups, each once, lower atom first, sorted; shape=(m, 2)."""
    bonds = np.concatenate([np.zeros((0, 2), dtype=np.int64), *(group.reshape(-1, 2) for group in groups)])
    return np.unique(np.sort(bonds, axis=1), axis=0) if len(bonds) else bonds
