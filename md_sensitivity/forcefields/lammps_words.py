"""What LAMMPS potential files have in common."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from md_sensitivity.errors import InputError
from md_sensitivity.files import quotation
from md_sensitivity.forcefields.table import TypeTuple


class Word(NamedTuple):
    """A word of a file without comments: the number of its line, from 0, and its place in the text."""

    line: int
    start: int
    end: int


class Token(NamedTuple):
    """A number of a file that is a parameter, or one of a series, and its place in the text."""

    types: TypeTuple
    parameter: str
    number: int
    start: int
    end: int


def words_of(text: str) -> Iterator[Word]:
    """All words of a file, comments left out."""
    start = 0
    for number, line in enumerate(text.splitlines(keepends=True)):
        for found in re.finditer(r"\S+", line.split("#", 1)[0]):
            yield Word(number, start + found.start(), start + found.end())
        start += len(line)


def number_in(word: str) -> float | None:
    """The number that a word of a file is, be it infinite; None where it is none.

    Python takes `1_0` and the digits of other scripts for numbers; nobody else does.
    """
    try:
        return float(word) if word.isascii() and "_" not in word else None
    except ValueError:
        return None


def finite_number(word: str, where: str) -> float:
    """The same.

    Raises:
        InputError: where the word is no number, or one that is not finite.
    """
    value = number_in(word)
    if value is None:
        raise InputError(f"{where} is {quotation(word)}, not a number")
    if not math.isfinite(value):
        raise InputError(f"{where} is {quotation(word)}, which is not finite")
    return value


def units_of(text: str) -> str:
    """Name after `UNITS:` in the first line, in lower case; "" where there is none."""
    found = re.search(r"UNITS:\s*(\S+)", text.split("\n", 1)[0])
    return found.group(1).lower() if found else ""


def triple_tokens(text: str, columns: Sequence[str], *, without: Sequence[str] = ()) -> Iterator[Token]:
    """Parameters of a file of entries that are three elements and a number for each column, those of columns that are options left out."""
    words = list(words_of(text))
    for first in range(0, len(words), 3 + len(columns)):
        types = tuple(text[word.start : word.end] for word in words[first : first + 3])
        for name, word in zip(columns, words[first + 3 : first + 3 + len(columns)], strict=True):
            if name not in without:
                yield Token(types, name, 0, word.start, word.end)
