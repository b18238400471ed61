"""What LAMMPS potential files have in common."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

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
