"""Reference forces from an extended XYZ file: the one column that structures do not carry."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from md_sensitivity.errors import InputError
from md_sensitivity.files import shortened
from md_sensitivity.forcefields.files import read_text
from md_sensitivity.structures.numerals import real

NAMES = ("forces", "force")


def read_forces(path: Path, symbols: Sequence[str]) -> np.ndarray:
    """The column `forces` (or `force`) of a file with one frame, shape=(n, 3) [eV/Å].

    Args:
        path: extended XYZ, `Properties=species:S:1:pos:R:3:forces:R:3`.
        symbols: the chemical elements that the atoms must be, in order.

    Raises:
        InputError: with file, line and reason.
    """
    lines = read_text(path).text.splitlines()
    count = int(lines[0]) if re.fullmatch(r"\s*\d{1,9}\s*", lines[0]) else None
    if count is None or len(lines) < 2:
        raise InputError(f"{path}: is no extended XYZ file: it must begin with the number of atoms")
    atoms = [line.split() for line in lines[2:] if line.strip()]
    if len(atoms) != count:
        raise InputError(f"{path}: has {len(atoms)} atom lines, and {count} atoms in its first line; one frame is read")
    if count != len(symbols):
        raise InputError(f"{path}: has {count} atoms, and the structure has {len(symbols)}")
    columns = _columns(lines[1], path)
    name = next((name for name in NAMES if name in columns), None)
    if name is None:
        raise InputError(f"{path}: has no column forces:R:3; its columns are {shortened(', '.join(columns))}")
    start, width = columns[name]
    if width != 3:
        raise InputError(f"{path}: column {name} has {width} numbers for each atom, not 3")
    return np.array([_vector(words, start, columns, symbols[k], f"{path}: line {k + 3}") for k, words in enumerate(atoms)])


def _columns(comment: str, path: Path) -> dict[str, tuple[int, int]]:
    """Name → (first word, number of words)."""
    found = re.search(r'Properties="?([^\s"]+)', comment)
    words = found.group(1).split(":") if found else []
    if not words or len(words) % 3 or not all(re.fullmatch(r"\d{1,3}", word) for word in words[2::3]):
        raise InputError(f"{path}: line 2 has no Properties=species:S:1:pos:R:3:forces:R:3 that names the columns")
    columns, start = {}, 0
    for name, width in zip(words[::3], words[2::3], strict=True):
        columns[name] = (start, int(width))
        start += int(width)
    return columns


def _vector(words: list[str], start: int, columns: dict[str, tuple[int, int]], symbol: str, where: str) -> list[float]:
    if len(words) < start + 3:
        raise InputError(f"{where}: has {len(words)} words, too few for its columns")
    if "species" in columns and words[columns["species"][0]] != symbol:
        raise InputError(f"{where}: is {shortened(words[columns['species'][0]])}, and the structure's atom is {symbol}")
    try:
        vector = [real(word) for word in words[start : start + 3]]
    except ValueError:
        raise InputError(f"{where}: forces are no numbers: {shortened(' '.join(words[start : start + 3]))}") from None
    if not all(map(math.isfinite, vector)):
        raise InputError(f"{where}: a force is not finite")
    return vector
