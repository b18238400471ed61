"""Coordinates and restart files of AMBER as text: places alone, which only the topology beside them gives elements and names.

Source: https://ambermd.org/FileFormats.php. Numbers stand in columns of twelve characters, six on a line.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from md_sensitivity.errors import InputError
from md_sensitivity.structures.format import Frame
from md_sensitivity.structures.numerals import is_integer, real
from md_sensitivity.structures.residues import cell_of_parameters
from md_sensitivity.structures.source import Source, printable
from md_sensitivity.types import Structure

SIGNATURE = r"\A[^\n]*\n *\d{1,9}( +[-+.\dEeDd]+){0,2} *\n( *-?\d+\.\d{5,7}){3,6} *(\n|\Z)"
_WIDTH, _ON_A_LINE = 12, 6
_ANGLES = (30.0, 150.0)
"""Numbers that are angles of a cell rather than velocities, where a line could be either [degrees]."""


def native_frames(source: Source) -> list[Frame]:
    """The one frame of such a file; velocities are left out."""
    return [partial(_structure, source)]


def _structure(source: Source) -> Structure:
    lines = source.text.split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    words = lines[1].split() if len(lines) > 1 else []
    if not words or not is_integer(words[0]) or not 0 < int(words[0]) <= len(source.data) // _WIDTH:
        raise InputError(f"{source.where}: line 2 must begin with the number of atoms, at most as many as the file can hold")
    count = int(words[0])
    block = -(-3 * count // _ON_A_LINE)
    rest = len(lines) - 2 - block
    if rest < 0:
        raise InputError(f"{source.where}: line 2 announces {count} atoms, whose {block} lines do not follow; the file is truncated")
    if rest not in (0, 1, block, block + 1):
        raise InputError(
            f"{source.where}: {rest} lines follow the places of {count} atoms; velocities would be {block}, and a box one more; "
            "the count of atoms is wrong, or the file is no single frame"
        )
    positions = _numbers(source, lines, 2, block)
    if len(positions) != 3 * count:
        raise InputError(f"{source.where}: {len(positions)} coordinates for {count} atoms; the file is damaged")
    cell = _cell(source, lines) if rest in (1, block + 1) and (block > 1 or _is_box(lines[-1], rest)) else np.zeros((3, 3))
    return Structure(
        positions=positions.reshape(-1, 3),
        types=("X",) * count,
        numbers=np.zeros(count, dtype=np.int64),
        cell=cell,
        pbc=np.full(3, bool(cell.any())),
        masses=np.ones(count),
        fixed=np.zeros((count, 3), dtype=bool),
        reader="native",
    )


def _is_box(line: str, rest: int) -> bool:
    """Whether the last line of a file of one or two atoms is a box: velocities take one line, too."""
    words = line.split()
    return rest == 2 or (len(words) == 6 and all(_ANGLES[0] <= float(word) <= _ANGLES[1] for word in words[3:] if _is_plain(word)))


def _is_plain(word: str) -> bool:
    return word.replace(".", "", 1).isdecimal() and word.isascii()


def _numbers(source: Source, lines: list[str], first: int, count: int) -> np.ndarray:
    found = []
    for index, line in enumerate(lines[first : first + count], start=first + 1):
        text = line.rstrip()
        if len(text) > _WIDTH * _ON_A_LINE:
            raise InputError(f"{source.where}: line {index} is longer than six columns of twelve characters")
        fields = [text[start : start + _WIDTH] for start in range(0, len(text), _WIDTH)]
        words = text.split()
        if len(words) == len(fields) and words != [field.strip() for field in fields]:
            raise InputError(f"{source.where}: line {index}: its columns are shifted; they are twelve characters wide")
        for field in fields:
            try:
                found.append(real(field))
            except ValueError:
                raise InputError(
                    f"{source.where}: line {index}: {printable(field.strip()[:40])!r} is not a number; columns are twelve characters wide"
                ) from None
    return np.array(found)


def _cell(source: Source, lines: list[str]) -> np.ndarray:
    """Rows are lattice vectors, shape=(3, 3) [Å], of the last line: three lengths, and three angles that may be missing."""
    values = _numbers(source, lines, len(lines) - 1, 1)
    if len(values) == 3:
        values = np.append(values, [90.0] * 3)
    cell = cell_of_parameters(values.tolist()) if len(values) == 6 else None
    if cell is None:
        raise InputError(
            f"{source.where}: line {len(lines)} must be the box, three lengths and three angles, not {printable(lines[-1].strip()[:80])!r}"
        )
    return cell
