"""mmCIF (PDBx) files: biomolecules with many-columned atom tables. MDTraj gives atoms and bonds, the table the digits."""

from __future__ import annotations

import io
from functools import partial
from typing import Any

import numpy as np

from md_sensitivity.errors import InputError
from md_sensitivity.structures.ase import refuse_partial
from md_sensitivity.structures.boundary import guarded, same_places
from md_sensitivity.structures.format import Frame
from md_sensitivity.structures.mdtraj import load, structure_from_trajectory
from md_sensitivity.structures.source import Source
from md_sensitivity.types import Structure

SIGNATURE = r"^_atom_site\."


def frames(source: Source) -> list[Frame]:
    """Models of an mmCIF file."""
    notes: list[str] = []
    tables = guarded(source.where, "ASE", notes, lambda: _tables(source))
    if len(tables) != 1:
        raise InputError(f"{source.where}: {len(tables)} data blocks with atoms (_atom_site.Cartn_x); one is needed")
    positions = _positions(source, tables[0])
    trajectory = load(source.where, source.text, ".cif", notes)
    if trajectory.n_frames * trajectory.n_atoms != len(positions):
        found = f"{trajectory.n_atoms} in {trajectory.n_frames} models"
        raise InputError(f"{source.where}: {len(positions)} atoms in the table, but MDTraj finds {found}")
    models = positions.reshape(trajectory.n_frames, trajectory.n_atoms, 3)
    return [partial(_read_model, source, trajectory, index, model, notes) for index, model in enumerate(models)]


def _tables(source: Source) -> list[Any]:
    """Data blocks with atoms."""
    from ase.io.cif import parse_cif

    return [block for block in parse_cif(io.BytesIO(source.data)) if "_atom_site.cartn_x" in block]


def _read_model(source: Source, trajectory: Any, index: int, positions: np.ndarray, notes: list[str]) -> Structure:
    from dataclasses import replace

    structure = structure_from_trajectory(trajectory, frame=index)
    same_places(source.where, "MDTraj", positions, structure.positions)
    return replace(structure, positions=positions, notes=(*structure.notes[1:], *notes))


def _positions(source: Source, table: Any) -> np.ndarray:
    """Coordinates of all models, shape=(m, 3) [Å], with the digits of the text; alternates and partial occupancy are refused."""
    try:
        positions = np.array([table[f"_atom_site.cartn_{axis}"] for axis in "xyz"], dtype=np.float64).T.reshape(-1, 3)
        occupancies = np.array(table.get("_atom_site.occupancy", []), dtype=np.float64).ravel()
    except (KeyError, ValueError, TypeError):
        raise InputError(f"{source.where}: coordinates or occupancies of the atom table are no numbers; the file is damaged") from None
    alternates = table.get("_atom_site.label_alt_id", [])
    if any(mark not in (".", "?") for mark in (alternates if isinstance(alternates, list) else [alternates])):
        raise InputError(f"{source.where}: there are alternate locations (_atom_site.label_alt_id); keep one of each")
    try:
        refuse_partial(occupancies)
    except InputError as error:
        raise InputError(f"{source.where}: {error}") from None
    return positions
