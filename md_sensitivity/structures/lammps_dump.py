"""LAMMPS text dumps: a trajectory of `ITEM:` sections; read by ASE after the counts were checked."""

from __future__ import annotations

import re
from functools import partial

from md_sensitivity.errors import InputError
from md_sensitivity.structures.ase import read_text, structure_of_frame
from md_sensitivity.structures.format import Frame
from md_sensitivity.structures.source import Source, printable
from md_sensitivity.types import Structure

SIGNATURE = r"^ITEM: TIMESTEP"
_UNREADABLE_UNITS = ("si", "cgs", "micro", "nano", "electron")


def frames(source: Source) -> list[Frame]:
    """Snapshots of a dump. Types are LAMMPS type numbers; elements come from a column `element` or `mass`."""
    blocks = re.split(r"^(?=ITEM: TIMESTEP)", source.text, flags=re.MULTILINE)
    snapshots = [block for block in blocks if block.startswith("ITEM: TIMESTEP")]
    if not snapshots:
        raise InputError(f"{source.where}: there is no `ITEM: TIMESTEP` in it")
    units = re.search(r"^ITEM: UNITS\n(\w+)", source.text, flags=re.MULTILINE)
    if units and units[1] in _UNREADABLE_UNITS:
        raise InputError(f"{source.where}: LAMMPS units {units[1]} are not in Å; write the dump in units metal or real")
    return [partial(_read_snapshot, source, index, block) for index, block in enumerate(snapshots)]


def _read_snapshot(source: Source, index: int, block: str) -> Structure:
    where = f"{source.where}: snapshot {index}"
    items = dict(re.findall(r"^ITEM: (NUMBER OF ATOMS|ATOMS)([^\n]*\n(?:(?!ITEM:)[^\n]*\n?)*)", block, flags=re.MULTILINE))
    declared = items.get("NUMBER OF ATOMS", "").strip()
    columns, *rows = items.get("ATOMS", "").rstrip().split("\n")
    if not re.fullmatch(r"[0-9]{1,15}", declared) or int(declared) != len(rows):
        raise InputError(f"{where} announces {printable(declared[:30])!r} atoms, but lists {len(rows)}; the file is truncated or damaged")
    if len({len(row.split()) for row in rows} | {len(columns.split())}) != 1:
        raise InputError(f"{where}: rows of atoms and the names of columns ({printable(columns.strip()[:80])}) differ in number")
    notes: list[str] = []
    atoms = read_text(source, block, "lammps-dump-text", notes)
    if "type" in columns.split() and "type" not in atoms.arrays:
        raise InputError(f"{where}: column `type` holds words; write type numbers, and symbols in a column `element`")
    if "type" in atoms.arrays:
        atoms.arrays.setdefault("id", atoms.arrays["type"])     # marks the types as those of LAMMPS
        if "mass" in columns.split():
            _set_masses(atoms, columns.split(), rows)
    return structure_of_frame(source, atoms, notes, species_are_elements="element" in columns.split() and "type" not in columns.split())


def _set_masses(atoms: object, columns: list[str], rows: list[str]) -> None:
    """ASE guesses elements from the column `mass` [amu] and forgets the masses."""
    import numpy as np

    table = [row.split() for row in rows]
    if "id" in columns:
        table.sort(key=lambda row: int(row[columns.index("id")]))
    atoms.arrays["masses"] = np.array([float(row[columns.index("mass")]) for row in table])     # type: ignore[attr-defined]
