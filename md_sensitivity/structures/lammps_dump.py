"""LAMMPS text dumps: a trajectory of `ITEM:` sections; read by ASE after the counts were checked."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from md_sensitivity.errors import InputError
from md_sensitivity.structures.ase import read_text, structure_of_frame
from md_sensitivity.structures.format import Frame
from md_sensitivity.structures.numerals import integer, real
from md_sensitivity.structures.source import Source, printable
from md_sensitivity.types import Structure

SIGNATURE = r"^ITEM: TIMESTEP"
_UNREADABLE_UNITS = ("si", "cgs", "micro", "nano", "electron")


def frames(source: Source) -> list[Frame]:
    """Snapshots of a dump. Types are type labels, or else LAMMPS type numbers; elements come from a column `element` or `mass`."""
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
    head, *lines = items.get("ATOMS", "").rstrip().split("\n")
    columns, rows = head.split(), [line.split() for line in lines]
    if not re.fullmatch(r"[0-9]{1,15}", declared) or int(declared) != len(rows):
        raise InputError(f"{where} announces {printable(declared[:30])!r} atoms, but lists {len(rows)}; the file is truncated or damaged")
    if {len(row) for row in rows} != {len(columns)} or len(set(columns)) != len(columns):
        raise InputError(f"{where}: rows of atoms and the names of columns ({printable(head.strip()[:80])}) differ in number")
    labels = _numbered_labels(columns, rows)
    atoms_text = "\n".join(["ITEM: ATOMS " + " ".join(columns), *map(" ".join, rows), ""])
    notes: list[str] = []
    atoms = read_text(source, re.split(r"^ITEM: ATOMS", block, flags=re.MULTILINE)[0] + atoms_text, "lammps-dump-text", notes)
    if "type" in columns and "type" not in atoms.arrays:
        raise InputError(f"{where}: column `type` holds words; write type numbers, and symbols in a column `element`")
    if "type" in columns:
        atoms.arrays.setdefault("id", atoms.arrays["type"])     # marks the types as those of LAMMPS
        _set_masses(where, atoms, columns, rows)
    structure = structure_of_frame(source, atoms, notes, species_are_elements="type" not in columns)
    return _labelled(structure, [labels[int(kind)] for kind in structure.types]) if labels else structure


def _numbered_labels(columns: list[str], rows: list[list[str]]) -> dict[int, str]:
    """Labels by number, for a column `typelabel`, which ASE cannot read; the column then holds numbers and is called `type`."""
    if "typelabel" not in columns:
        return {}
    place = columns.index("typelabel")
    labels = sorted({row[place] for row in rows})
    for row in rows:
        row[place] = str(labels.index(row[place]) + 1)
    if "type" in columns:
        columns[columns.index("type")] = "i_number"
    columns[place] = "type"
    return dict(enumerate(labels, start=1))


def _labelled(structure: Structure, types: list[str]) -> Structure:
    """The structure with other types; elements are those that the labels name, where nothing else told them."""
    from ase.data import atomic_masses, atomic_numbers

    if structure.numbers.any() or not all(kind in atomic_numbers for kind in types):
        return replace(structure, types=tuple(types))
    numbers = np.array([atomic_numbers[kind] for kind in types])
    return replace(structure, types=tuple(types), numbers=numbers, masses=np.array(atomic_masses)[numbers])


def _set_masses(where: str, atoms: Any, columns: list[str], rows: list[list[str]]) -> None:
    """ASE guesses elements from a column `mass` [amu] and forgets the masses."""
    if "mass" not in columns:
        return
    try:
        masses = np.array([real(row[columns.index("mass")]) for row in rows])
        ids = [integer(row[columns.index("id")]) for row in rows] if "id" in columns else list(range(len(rows)))
    except ValueError:
        raise InputError(f"{where}: columns `mass` and `id` must hold numbers") from None
    atoms.arrays["masses"] = masses[np.argsort(ids, kind="stable")]
