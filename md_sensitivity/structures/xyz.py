"""XYZ and extended XYZ: one frame after another, each with its own count of atoms; read by ASE."""

from __future__ import annotations

import re
from functools import partial

from md_sensitivity.errors import InputError
from md_sensitivity.structures.ase import read_text, structure_of_frame
from md_sensitivity.structures.format import Frame
from md_sensitivity.structures.source import Source, printable
from md_sensitivity.types import Structure

EXTENDED = r"\A[^\n]*\n[^\n]*\b(Lattice|Properties|pbc)\s*="
"""What the second line of an extended XYZ file holds, and that of a plain one does not."""
COUNTED = r"\A\s*\d+\s*\n"


def extxyz_frames(source: Source) -> list[Frame]:
    """Frames of an extended XYZ file."""
    return [partial(_read_frame, source, block, "extxyz") for block in _blocks(source)]


def xyz_frames(source: Source) -> list[Frame]:
    """Frames of a plain XYZ file; the comment line says nothing."""
    blocks = _blocks(source)
    for block in blocks:
        if misspelt := re.search(r"\b(lattice|properties|pbc)\s*=", block[1], flags=re.IGNORECASE):
            raise InputError(f"{source.where}: {misspelt[1]}= in the comment line: extended XYZ writes Lattice=, Properties= and pbc=")
    return [partial(_read_frame, source, block, "xyz") for block in blocks]


def _blocks(source: Source) -> list[list[str]]:
    """Lines of each frame. Counts are compared with the lines that are there before any library sees them."""
    lines = source.text.split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    blocks, start = [], 0
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
        blocks.append(lines[start:end])
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


def _read_frame(source: Source, block: list[str], ase_format: str) -> Structure:
    if ase_format == "extxyz":
        _check_properties(source, block)
    notes: list[str] = []
    atoms = read_text(source, "\n".join(block) + "\n", ase_format, notes)
    return structure_of_frame(source, atoms, notes, species_are_elements=True)


def _check_properties(source: Source, block: list[str]) -> None:
    """Compare the columns that `Properties` announces with those of the first atom.

    ASE takes anything but T and F in a logical `move_mask` for F, and would freeze the atom.
    """
    properties = re.search(r'\bProperties\s*=\s*"?([^\s"]+)', block[1])
    fields = properties.group(1).split(":") if properties else []
    column, present = 0, len(block[2].split())
    for name, kind, width in zip(fields[::3], fields[1::3], fields[2::3], strict=False):
        if not re.fullmatch(r"[1-9][0-9]{0,8}", width) or column + int(width) > present:
            raise InputError(
                f"{source.where}: Properties announces {printable(name[:30])!r} with {printable(width[:12])} columns from column {column}, "
                f"but the first atom has {present} columns"
            )
        if name == "move_mask" and kind == "L":
            _check_logical(source, block, slice(column, column + int(width)))
        column += int(width)


def _check_logical(source: Source, block: list[str], columns: slice) -> None:
    for atom, line in enumerate(block[2:]):
        wrong = set(line.split()[columns]) - {"T", "F", "True", "False"}
        if wrong:
            raise InputError(f"{source.where}: atom {atom}: move_mask is {printable(wrong.pop()[:20])!r}; write T (free) or F (fixed)")
