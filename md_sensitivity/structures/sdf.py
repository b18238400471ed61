"""MDL molfiles and SDF (V2000): atoms and bonds of molecules, in fixed columns. ASE reads the first molecule and no bonds."""

from __future__ import annotations

from functools import partial

import numpy as np

from md_sensitivity.errors import InputError
from md_sensitivity.structures.ase import read_text
from md_sensitivity.structures.boundary import same_places
from md_sensitivity.structures.format import Frame
from md_sensitivity.structures.numerals import integer, real
from md_sensitivity.structures.residues import NamedAtoms, structure_of_residues, unique_bonds
from md_sensitivity.structures.source import Source, printable
from md_sensitivity.types import Structure

SIGNATURE = r"^.{33} V[23]000"


def native_frames(source: Source) -> list[Frame]:
    """Molecules of a file."""
    return [partial(_read_molecule, source, start, lines) for start, lines in _molecules(source)]


def ase_frames(source: Source) -> list[Frame]:
    """Molecules of a file, their places confirmed by ASE."""
    return [partial(_with_ase, source, start, lines) for start, lines in _molecules(source)]


def _with_ase(source: Source, start: int, lines: list[str]) -> Structure:
    from dataclasses import replace

    notes: list[str] = []
    structure = _read_molecule(source, start, lines)
    image = read_text(source, "\n".join([*lines, ""]), "sdf", notes)
    same_places(source.where, "ASE", structure.positions, image.positions)
    return replace(structure, reader="ase", notes=(*structure.notes, *notes))


def _molecules(source: Source) -> list[tuple[int, list[str]]]:
    """Index of the first line, and the lines, of each molecule."""
    molecules: list[tuple[int, list[str]]] = []
    start, lines = 0, source.text.split("\n")
    for index, line in enumerate([*lines, "$$$$"]):
        if line.startswith("$$$$"):
            if any(one.strip() for one in lines[start:index]):
                molecules.append((start, lines[start:index]))
            start = index + 1
    return molecules


def _read_molecule(source: Source, start: int, lines: list[str]) -> Structure:
    head = lines[3] if len(lines) > 3 else ""
    if "V3000" in head:
        raise InputError(f"{source.where}: line {start + 4}: V3000 molfiles are not read; convert it to V2000, mol2 or extxyz")
    try:
        atoms, bonds = integer(head[0:3]), integer(head[3:6])
    except ValueError:
        found = printable(head[:40])
        raise InputError(f"{source.where}: line {start + 4} must hold the counts of atoms and bonds, not {found!r}") from None
    rows, links = lines[4 : 4 + atoms], lines[4 + atoms : 4 + atoms + bonds]
    complete = atoms > 0 and bonds >= 0 and len(rows) == atoms and len(links) == bonds
    if not complete or not any(line.startswith("M  END") for line in lines[4 + atoms + bonds :]):
        raise InputError(
            f"{source.where}: line {start + 4} announces {atoms} atoms and {bonds} bonds; they and an `M  END` must follow; "
            "the file is truncated, or the counts are wrong"
        )
    positions, symbols, pairs = [], [], []
    for index, line in enumerate(rows + links):
        try:
            if index < atoms:
                positions.append([real(line[k : k + 10]) for k in (0, 10, 20)])
                symbols.append(line[30:34].strip())
            else:
                pairs.append((integer(line[0:3]) - 1, integer(line[3:6]) - 1))
        except ValueError:
            what = "an atom" if index < atoms else "a bond"
            raise InputError(f"{source.where}: line {start + index + 5} is not {what}: {printable(line[:60])!r}") from None
    named = NamedAtoms(
        names=symbols,
        residue_names=["MOL"] * atoms,
        residue_numbers=[1] * atoms,
        chain_names=[""] * atoms,
        residues=[0] * atoms,
        symbols=[symbol or "X" for symbol in symbols],
        positions=np.array(positions),
        cell=np.zeros((3, 3)),
    )
    return structure_of_residues(named, unique_bonds(np.array(pairs, dtype=np.int64)), reader="native")
