"""Tripos mol2 files: atoms with force-field types, bonds, residues. The text holds it all; MDTraj and ASE each lose a part.

MDTraj guesses the element of AMBER's upper-case types wrongly (CA is calcium to it), shifts bonds where the first atom has none, and
reads only one molecule; ASE reads none. So the text is parsed here, and MDTraj only on request, as a second opinion on the places.
"""

from __future__ import annotations

import re
from functools import partial

import numpy as np

from md_sensitivity.errors import InputError
from md_sensitivity.structures.boundary import same_places
from md_sensitivity.structures.elements import element_symbol
from md_sensitivity.structures.format import Frame
from md_sensitivity.structures.mdtraj import load
from md_sensitivity.structures.numerals import is_number, place_of, real
from md_sensitivity.structures.residues import NamedAtoms, cell_of_parameters, residue_labels, structure_of_residues, unique_bonds
from md_sensitivity.structures.source import Source, printable
from md_sensitivity.types import Structure

SIGNATURE = r"^@<TRIPOS>MOLECULE"
_MARK = "@<TRIPOS>"
_NO_ELEMENT = frozenset({"Du", "LP", "Any", "Hal", "Het", "Hev", "Du.C"})


def native_frames(source: Source) -> list[Frame]:
    """Molecules of a mol2 file."""
    return [partial(_read_molecule, source, index, sections) for index, sections in enumerate(_molecules(source))]


def mdtraj_frames(source: Source) -> list[Frame]:
    """The single molecule of a mol2 file, its places confirmed by MDTraj."""
    molecules = _molecules(source)
    if len(molecules) > 1:
        raise InputError(f"{source.where}: MDTraj reads mol2 files of one molecule, this has {len(molecules)}; use --reader auto")
    return [partial(_with_mdtraj, source, molecules[0])]


def _with_mdtraj(source: Source, sections: dict[str, list[str]]) -> Structure:
    from dataclasses import replace

    notes: list[str] = []
    structure = _read_molecule(source, 0, sections)
    trajectory = load(source.where, source.text, ".mol2", notes)
    same_places(source.where, "MDTraj", structure.positions, trajectory.xyz[0] * 10.0)
    return replace(structure, reader="mdtraj", notes=(*structure.notes, *notes))


def _molecules(source: Source) -> list[dict[str, list[str]]]:
    """Lines of each section of each molecule."""
    molecules: list[dict[str, list[str]]] = []
    section: list[str] = []
    for line in source.text.split("\n"):
        if line.startswith(_MARK):
            name = line[len(_MARK) :].strip().upper()
            if name == "MOLECULE":
                molecules.append({})
            elif not molecules:
                raise InputError(f"{source.where}: section {printable(name)} comes before {_MARK}MOLECULE")
            section = molecules[-1].setdefault(name, [])
        elif not line.startswith("#"):
            section.append(line)
    if not molecules:
        raise InputError(f"{source.where}: there is no {_MARK}MOLECULE in it")
    return molecules


def _read_molecule(source: Source, index: int, sections: dict[str, list[str]]) -> Structure:
    where = f"{source.where}: molecule {index}"
    head = sections.get("MOLECULE", [])
    counts = [int(field[:18]) for field in (head[1] if len(head) > 1 else "").split() if field.isdecimal()]
    rows = [line.split() for line in sections.get("ATOM", []) if line.strip()]
    links = [line.split() for line in sections.get("BOND", []) if line.strip()]
    for name, count, found in zip(("atoms", "bonds"), (*counts, 0, 0), (len(rows), len(links)), strict=False):
        if count != found:
            raise InputError(f"{where} announces {count} {name}, but lists {found}; the file is truncated, or the count is wrong")
    atoms = _named_atoms(where, rows, _cell(where, sections.get("CRYSIN", []), source.text), source.text)
    ids = {row[0]: position for position, row in enumerate(rows)}
    if len(ids) != len(rows):
        raise InputError(f"{where}: two atoms have the same number")
    types = tuple(row[5] for row in rows)
    return structure_of_residues(atoms, unique_bonds(_bonds(where, links, ids)), reader="native", types=types)


def _named_atoms(where: str, rows: list[list[str]], cell: np.ndarray, text: str) -> NamedAtoms:
    wrong = next((index for index, row in enumerate(rows) if len(row) < 6 or not all(map(is_number, row[2:5]))), None)
    if wrong is not None:
        row = printable(" ".join(rows[wrong])[:60])
        raise InputError(
            f"{where}: {place_of(rows[wrong], text)}atom {wrong} lacks fields or coordinates: {row!r}; an atom is `number name x y z type`"
        )
    positions = np.array([[real(value) for value in row[2:5]] for row in rows]).reshape(-1, 3)
    numbers = [int(row[6]) if len(row) > 6 and re.fullmatch(r"-?[0-9]{1,9}", row[6]) else 1 for row in rows]
    residue_names = [row[7] if len(row) > 7 else "MOL" for row in rows]
    return NamedAtoms(
        names=[row[1] for row in rows],
        residue_names=residue_names,
        residue_numbers=numbers,
        chain_names=[""] * len(rows),
        residues=residue_labels(numbers, residue_names),
        symbols=[symbol_of_type(row[5], row[1]) for row in rows],
        positions=positions,
        cell=cell,
    )


def symbol_of_type(kind: str, name: str) -> str:
    """Chemical symbol of a Sybyl type (`C.3`, `Cl`), a GAFF type (`c3`, `cl`), or else of the atom's name; "X" where there is none."""
    from ase.data import atomic_numbers

    if kind in _NO_ELEMENT:
        return "X"
    base = kind.partition(".")[0].rstrip("0123456789+-")
    if base in atomic_numbers and ("." in kind or len(base) == 1 or base[1].islower()):
        return base
    if base.islower() or base[:1].islower():
        return base[:2].capitalize() if base[:2] in ("cl", "br") else base[:1].upper()
    return element_symbol(name, "MOL", residue_size=2) or "X"


def _bonds(where: str, links: list[list[str]], ids: dict[str, int]) -> np.ndarray:
    for link in links:
        if len(link) < 4 or link[1] not in ids or link[2] not in ids:
            raise InputError(f"{where}: bond {printable(' '.join(link)[:40])!r} does not join two atoms of the molecule")
    return np.array([(ids[link[1]], ids[link[2]]) for link in links], dtype=np.int64).reshape(-1, 2)


def _cell(where: str, lines: list[str], text: str) -> np.ndarray:
    """The CRYSIN section: lengths [Å], angles, space group, setting."""
    fields = next((line.split() for line in lines if line.strip()), [])
    if not fields:
        return np.zeros((3, 3))
    try:
        cell = cell_of_parameters([real(field) for field in fields[:6]]) if len(fields) >= 6 else None
    except ValueError:
        cell = None
    if cell is None:
        place = f"{where}: {place_of(fields, text)}"
        raise InputError(f"{place}CRYSIN has no valid cell: {printable(' '.join(fields)[:60])!r}; correct or remove it")
    if fields[6:7] not in ([], ["1"]):
        raise InputError(f"{where}: space group {printable(fields[6])} of CRYSIN: only 1 is read; remove CRYSIN to read the molecule alone")
    return cell
