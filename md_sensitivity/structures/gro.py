"""GRO files of GROMACS: fixed columns in nm. The text gives atoms, places and cell with all digits; MDTraj adds the bonds."""

from __future__ import annotations

from functools import partial

import numpy as np

from md_sensitivity.errors import InputError
from md_sensitivity.structures.ase import read_text
from md_sensitivity.structures.boundary import same_places
from md_sensitivity.structures.format import Frame
from md_sensitivity.structures.mdtraj import bonds_of, load
from md_sensitivity.structures.numerals import integer, real
from md_sensitivity.structures.residues import NamedAtoms, residue_labels, structure_of_residues, unique_bonds
from md_sensitivity.structures.source import Source, printable
from md_sensitivity.types import Structure

_ANGSTROM_PER_NANOMETER = 10
_NUMBERS_START = 20


def mdtraj_frames(source: Source) -> list[Frame]:
    """Frames of a GRO file, with the bonds that MDTraj knows for standard residues."""
    known: dict[object, np.ndarray] = {}
    return [partial(_with_mdtraj, source, start, block, known) for start, block in _blocks(source)]


def ase_frames(source: Source) -> list[Frame]:
    """Frames of a GRO file as ASE reads them, without bonds."""
    return [partial(_with_ase, source, start, block) for start, block in _blocks(source)]


def _with_mdtraj(source: Source, start: int, block: list[str], known: dict[object, np.ndarray]) -> Structure:
    atoms = _named_atoms(source, start, block)
    if atoms.signature not in known:
        trajectory = load(source.where, _retitled(block), ".gro", atoms.notes)
        same_places(source.where, "MDTraj", atoms.positions, trajectory.xyz[0] * 10.0)
        known[atoms.signature] = bonds_of(trajectory.topology)
    return structure_of_residues(atoms, unique_bonds(known[atoms.signature]), reader="mdtraj")


def _with_ase(source: Source, start: int, block: list[str]) -> Structure:
    atoms = _named_atoms(source, start, block)
    if _width(block[2]) == 8:       # ASE knows no other precision
        image = read_text(source, _retitled(block), "gromacs", atoms.notes)
        same_places(source.where, "ASE", atoms.positions, image.positions)
        return structure_of_residues(atoms, unique_bonds(), reader="ase")
    raise InputError(f"{source.where}: ASE reads GRO files with three decimals only; use --reader auto")


def _retitled(block: list[str]) -> str:
    """A frame whose title no reader can misunderstand (MDTraj looks for a time in it), without velocities, in a cell that is one."""
    end = _NUMBERS_START + 3 * _width(block[2])
    return "\n".join(["structure", block[1], *(line[:end] for line in block[2:-1]), "   9.00000   9.00000   9.00000", ""])


def _blocks(source: Source) -> list[tuple[int, list[str]]]:
    """Index of the first line, and the lines, of each frame; counts are compared with the lines that are there."""
    lines = source.text.split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    blocks, start = [], 0
    while start < len(lines):
        count = lines[start + 1].strip() if start + 1 < len(lines) else ""
        if not (count.isascii() and count.isdecimal()) or len(count) > 15 or int(count) == 0:
            hint = "; the count of the frame before is wrong, or the file is truncated" if start else ""
            raise InputError(f"{source.where}: line {start + 2} must be the number of atoms, not {printable(count[:40])!r}{hint}")
        end = start + int(count) + 3
        if end > len(lines):
            raise InputError(
                f"{source.where}: line {start + 2} announces {count} atoms, but {max(len(lines) - start - 3, 0)} and a cell follow; "
                "the file is truncated, or the count is wrong"
            )
        blocks.append((start, lines[start:end]))
        start = end
    return blocks


def _width(line: str) -> int:
    """Characters of each coordinate: the distance of their decimal points (GROMACS writes more digits on request)."""
    first = line.find(".", _NUMBERS_START)
    second = line.find(".", first + 1)
    return second - first if 0 <= first < second else 8


def _named_atoms(source: Source, start: int, block: list[str]) -> NamedAtoms:
    width = _width(block[2])
    positions, numbers = [], []
    for index, line in enumerate(block[2:-1]):
        fields = [line[_NUMBERS_START + width * k : _NUMBERS_START + width * (k + 1)] for k in range(3)]
        try:
            positions.append([_angstrom(field) for field in fields])
            numbers.append(integer(line[:5]))
        except ValueError:
            raise InputError(
                f"{source.where}: line {start + index + 3}: no atom with three coordinates: {printable(line[:60])!r}; "
                "the columns are shifted, or the count of atoms is wrong"
            ) from None
    residue_names = [line[5:10].strip() for line in block[2:-1]]
    return NamedAtoms(
        names=[line[10:15].strip() for line in block[2:-1]],
        residue_names=residue_names,
        residue_numbers=numbers,
        chain_names=[""] * len(numbers),
        residues=residue_labels(numbers, residue_names),
        symbols=[""] * len(numbers),
        positions=np.array(positions),
        cell=_cell(source, start + len(block), block[-1]),
    )


def _angstrom(nanometers: str) -> float:
    """Tenfold, as the number that the digits of the text spell with the point moved by one: 1.234 nm is 12.34 Å exactly."""
    value = real(nanometers) * _ANGSTROM_PER_NANOMETER
    decimals = len(nanometers.strip().partition(".")[2]) - 1
    return round(value, decimals) if decimals > 0 and "e" not in nanometers.lower() else value


def _cell(source: Source, number: int, line: str) -> np.ndarray:
    """Rows are lattice vectors, shape=(3, 3) [Å]; the file orders v1x v2y v3z v1y v1z v2x v2z v3x v3y."""
    try:
        values = [_angstrom(field) for field in line.split()]
    except ValueError:
        values = []
    if len(values) not in (3, 9):
        raise InputError(
            f"{source.where}: line {number} must be the cell, three or nine numbers, not {printable(line[:60])!r}; "
            "the file is truncated, or the count of atoms is wrong"
        )
    xx, yy, zz, xy, xz, yx, yz, zx, zy = values if len(values) == 9 else [*values, *[0.0] * 6]
    return np.array([[xx, xy, xz], [yx, yy, yz], [zx, zy, zz]])
