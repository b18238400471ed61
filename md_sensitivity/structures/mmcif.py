"""mmCIF (PDBx) files: biomolecules with many-columned atom tables. MDTraj gives atoms and bonds, the table the digits."""

from __future__ import annotations

import io
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from md_sensitivity.errors import InputError
from md_sensitivity.structures.ase import DUMMY_CELL, is_dummy_cell, refuse_partial
from md_sensitivity.structures.boundary import guarded, same_places
from md_sensitivity.structures.format import Frame
from md_sensitivity.structures.mdtraj import load, structure_from_trajectory
from md_sensitivity.structures.numerals import is_number, marked, place_of, restored, with_restored_names
from md_sensitivity.structures.residues import cell_of_parameters
from md_sensitivity.structures.source import Source, printable
from md_sensitivity.types import Structure

SIGNATURE = r"^_atom_site\."


def frames(source: Source) -> list[Frame]:
    """Models of an mmCIF file."""
    notes: list[str] = []
    tables = guarded(source.where, "ASE", notes, lambda: _tables(source))
    if len(tables) != 1:
        raise InputError(f"{source.where}: {len(tables)} data blocks with atoms (_atom_site.Cartn_x); one is needed")
    positions = _positions(source, tables[0])
    trajectory = load(source.where, marked(source.text), ".cif", notes, text=source.text)
    if trajectory.n_frames * trajectory.n_atoms != len(positions):
        found = f"{trajectory.n_atoms} in {trajectory.n_frames} models"
        raise InputError(f"{source.where}: {len(positions)} atoms in the table, but MDTraj finds {found}")
    models, cell = positions.reshape(trajectory.n_frames, trajectory.n_atoms, 3), _cell(source, tables[0])
    trajectory.unitcell_vectors = None
    return [partial(_read_model, source, trajectory, index, model, cell, notes) for index, model in enumerate(models)]


def _tables(source: Source) -> list[Any]:
    """Data blocks with atoms."""
    from ase.io.cif import parse_cif

    return [block for block in parse_cif(io.BytesIO(marked(source.text).encode())) if "_atom_site.cartn_x" in block]


def _read_model(source: Source, trajectory: Any, index: int, positions: np.ndarray, cell: np.ndarray, notes: list[str]) -> Structure:
    own_notes = list(notes)
    structure = with_restored_names(
        guarded(source.where, "MDTraj", own_notes, lambda: structure_from_trajectory(trajectory, frame=index))
    )
    same_places(source.where, "MDTraj", positions, structure.positions)
    if is_dummy_cell(cell):
        cell, own_notes = np.zeros((3, 3)), [*own_notes, DUMMY_CELL]
    return replace(structure, positions=positions, cell=cell, pbc=np.full(3, bool(cell.any())), notes=tuple(own_notes))


def _cell(source: Source, table: Any) -> np.ndarray:
    """Rows are lattice vectors, shape=(3, 3) [Å], with the digits of the text; zero where there are none."""
    names = [*(f"_cell.length_{axis}" for axis in "abc"), *(f"_cell.angle_{angle}" for angle in ("alpha", "beta", "gamma"))]
    values = [table.get(name, ".") for name in names]
    if all(value in (".", "?") for value in values):
        return np.zeros((3, 3))
    try:
        cell = cell_of_parameters([float(value) for value in values])
    except (ValueError, TypeError, OverflowError):
        cell = None
    if cell is None:
        place = f"{source.where}: {_misspelt(source, values)}"
        raise InputError(f"{place}no cell has the lengths and angles {printable(restored(str(values))[:80])} (_cell.length_a …)")
    return cell


def _positions(source: Source, table: Any) -> np.ndarray:
    """Coordinates of all models, shape=(m, 3) [Å], with the digits of the text; alternates and partial occupancy are refused."""
    try:
        positions = np.array([table[f"_atom_site.cartn_{axis}"] for axis in "xyz"], dtype=np.float64).T.reshape(-1, 3)
        occupancies = np.array(table.get("_atom_site.occupancy", []), dtype=np.float64).ravel()
    except (KeyError, ValueError, TypeError, OverflowError):
        names = ("cartn_x", "cartn_y", "cartn_z", "occupancy")
        place = f"{source.where}: {_misspelt(source, [table.get(f'_atom_site.{name}', []) for name in names])}"
        raise InputError(f"{place}coordinates or occupancies of the atom table are no numbers; the file is damaged") from None
    alternates = table.get("_atom_site.label_alt_id", [])
    if any(mark not in (".", "?") for mark in (alternates if isinstance(alternates, list) else [alternates])):
        raise InputError(f"{source.where}: there are alternate locations (_atom_site.label_alt_id); keep one of each")
    try:
        refuse_partial(occupancies)
    except InputError as error:
        raise InputError(f"{source.where}: {error}") from None
    return positions


def _misspelt(source: Source, columns: list[Any]) -> str:
    """Line and word of the first value that is no number."""
    values = [restored(str(value)) for column in columns for value in (column if isinstance(column, list) else [column])]
    word = next((value for value in values if not is_number(value)), None)
    return "" if word is None else f"{place_of([word], source.text)}{printable(word[:40])!r}: "
