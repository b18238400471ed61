"""XYZ and extended XYZ: one frame after another, each with its own count of atoms; read by ASE."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial

from md_sensitivity.errors import InputError
from md_sensitivity.structures.ase import read_text, structure_of_frame
from md_sensitivity.structures.format import Frame
from md_sensitivity.structures.numerals import is_integer, is_number
from md_sensitivity.structures.source import Source, printable
from md_sensitivity.types import Structure

EXTENDED = r"\A[^\n]*\n[^\n]*\b(Lattice|Properties|pbc)\s*="
"""What the second line of an extended XYZ file holds, and that of a plain one does not."""
COUNTED = r"\A\s*\d+\s*\n"
LAST_ELEMENT = 118
_PLAIN = re.compile(r"-?[0-9]+\.[0-9]+")


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column, or several of one name, of the rows of atoms.

    Attributes:
        name: `pos`, `species`, `move_mask` or whatever the file calls it.
        kind: R (real), I (integer), S (text) or L (logical).
        places: where its words stand in a row.
    """

    name: str
    kind: str
    places: slice


def extxyz_frames(source: Source) -> list[Frame]:
    """Frames of an extended XYZ file."""
    return [partial(_read_frame, source, start, block, "extxyz") for start, block in _blocks(source)]


def xyz_frames(source: Source) -> list[Frame]:
    """Frames of a plain XYZ file; the comment line says nothing."""
    blocks = _blocks(source)
    for _, block in blocks:
        if misspelt := re.search(r"\b(lattice|properties|pbc)\s*=", block[1], flags=re.IGNORECASE):
            raise InputError(f"{source.where}: {misspelt[1]}= in the comment line: extended XYZ writes Lattice=, Properties= and pbc=")
    return [partial(_read_frame, source, start, block, "xyz") for start, block in blocks]


def _blocks(source: Source) -> list[tuple[int, list[str]]]:
    """First line (from 0) and lines of each frame. Counts are compared with the lines that are there before a library sees them."""
    lines = source.text.split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    blocks: list[tuple[int, list[str]]] = []
    start = 0
    while start < len(lines):
        count = _count(source, lines, start)
        end = start + 2 + count
        if end > len(lines):
            raise InputError(
                f"{source.where}: line {start + 1} announces {count} atoms, but {max(len(lines) - start - 2, 0)} lines follow its "
                "comment; the file is truncated, or the count is wrong"
            )
        while end < len(lines) and lines[end].lstrip().startswith("VEC"):   # cell vectors as pseudo-atoms
            end += 1
        blocks.append((start, lines[start:end]))
        start = end
    return blocks


def _count(source: Source, lines: list[str], start: int) -> int:
    text = lines[start].strip()
    if not re.fullmatch(r"[0-9]{1,15}", text):
        raise InputError(
            f"{source.where}: line {start + 1} must be the number of atoms of a frame, not {printable(text[:40])!r}"
            + ("; there are more atoms than the first line announces, or blank lines" if start else "")
        )
    if int(text) == 0:
        raise InputError(f"{source.where}: line {start + 1} announces a frame without atoms")
    return int(text)


def _read_frame(source: Source, start: int, block: list[str], ase_format: str) -> Structure:
    columns = [Column(name="pos", kind="R", places=slice(1, 4))]
    if ase_format == "extxyz":
        columns = _columns(source, block) or columns
        _check_lattice(source, start, block[1])
    _check_rows(source, start, block, columns)
    notes: list[str] = []
    atoms = read_text(source, "\n".join(block) + "\n", ase_format, notes)
    return structure_of_frame(source, atoms, notes, species_are_elements=True)


def _columns(source: Source, block: list[str]) -> list[Column]:
    """What `Properties` announces, compared with the columns of the first atom; nothing where there is no `Properties`."""
    properties = re.search(r'\bProperties\s*=\s*"?([^\s"]+)', block[1])
    fields = properties.group(1).split(":") if properties else []
    column, present = 0, len(block[2].split())
    columns: list[Column] = []
    for name, kind, width in zip(fields[::3], fields[1::3], fields[2::3], strict=False):
        if not re.fullmatch(r"[1-9][0-9]{0,8}", width) or column + int(width) > present:
            raise InputError(
                f"{source.where}: Properties announces {printable(name[:30])!r} with {printable(width[:12])} columns from column {column}, "
                f"but the first atom has {present} columns"
            )
        columns.append(Column(name=name, kind=kind, places=slice(column, column + int(width))))
        column += int(width)
    if properties and "pos" not in [one.name for one in columns]:
        raise InputError(f"{source.where}: Properties announces no column of positions; write it as pos:R:3")
    return columns


def _check_rows(source: Source, start: int, block: list[str], columns: list[Column]) -> None:
    """Words must be what their columns promise.

    ASE names no line; and it takes anything but T and F in a logical `move_mask` for F, and would freeze the atom.
    """
    columns = [column for column in columns if column.kind in ("R", "I", "L")]
    for atom, row in enumerate(map(str.split, block[2:])):
        for column in columns:
            for word in row[column.places]:
                if column.kind == "R" and _PLAIN.fullmatch(word):       # nearly all; the rest in full, which takes longer
                    continue
                if fault := _fault(column, word):
                    raise InputError(f"{source.where}: line {start + atom + 3}: atom {atom}: {fault}")


def _fault(column: Column, word: str) -> str:
    shown = printable(word[:40])
    if column.kind == "R" and not is_number(word):
        return f"{shown!r} is not a number (column {printable(column.name[:30])})"
    if column.kind == "I" and not is_integer(word):
        return f"{shown!r} is not an integer (column {printable(column.name[:30])})"
    if column.kind == "I" and column.name in ("Z", "numbers") and not 0 <= int(word) <= LAST_ELEMENT:
        return f"there is no element with number {shown}"
    if column.kind == "L" and column.name == "move_mask" and word not in ("T", "F", "True", "False"):
        return f"move_mask is {shown!r}; write T (free) or F (fixed)"
    return ""


def _check_lattice(source: Source, start: int, comment: str) -> None:
    lattice = re.search(r"""\bLattice\s*=\s*(?:["'{]([^"'}]*)|\[([^=]*)\])""", comment)
    words = re.split(r"[\s,\[\]]+", lattice[1] or lattice[2] or "") if lattice else []
    for word in filter(None, words):
        if not is_number(word):
            raise InputError(f"{source.where}: line {start + 2}: {printable(word[:40])!r} in Lattice is not a number")
