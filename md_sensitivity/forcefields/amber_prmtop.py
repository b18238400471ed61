"""AMBER's prmtop as text: sections of fixed columns, which their own `%FORMAT` lines describe. Nothing is interpreted here.

Source: https://ambermd.org/prmtop.pdf.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from md_sensitivity.errors import InputError
from md_sensitivity.files import quotation, shortened

_FORMAT = re.compile(r"%FORMAT\(\s*(\d{1,4})\s*\(?([aAiIeEfFgG])\s*(\d{1,3})(?:\.\d{1,3})?\)?\s*\)\s*$")
_WIDEST = 1000
_KINDS = {"": "several kinds of data", "a": "words", "i": "whole numbers", "e": "numbers", "f": "numbers", "g": "numbers"}


@dataclass(frozen=True, kw_only=True)
class Section:
    """One section.

    Attributes:
        line: number of its first line with data, from 1.
        kind: letter of its format, in lower case; "" for a format of several, which only titles have.
        columns, width: fields on a line, and their characters.
        lines: its data.
    """

    line: int
    kind: str
    columns: int
    width: int
    lines: tuple[str, ...]

    def fields(self) -> Iterator[tuple[int, str]]:
        """All fields, with the numbers of their lines; those behind the end of a line are left out."""
        width = self.width
        for number, line in enumerate(self.lines, start=self.line):
            for start in range(0, min(len(line), width * self.columns), width):
                yield number, line[start : start + width]


@dataclass(frozen=True, kw_only=True)
class Prmtop:
    """Sections of a file.

    Attributes:
        where: the file, for messages.
        sections: flag → section.
    """

    where: str
    sections: dict[str, Section]

    def __contains__(self, flag: str) -> bool:
        return flag in self.sections

    def integers(self, flag: str, count: int | None = None) -> np.ndarray:
        """Whole numbers of a section, shape=(count,).

        Raises:
            InputError: where the section is missing, holds something else, or another number of them.
        """
        return self._numbers(flag, count, "i").astype(np.int64)

    def reals(self, flag: str, count: int | None = None) -> np.ndarray:
        """Numbers of a section, shape=(count,); raises as `integers` does."""
        return self._numbers(flag, count, "efg")

    def words(self, flag: str, count: int) -> list[str]:
        """Words of a section; empty ones where the file has blanks. Raises as `integers` does."""
        section = self._section(flag, "a")
        found: list[str] = []
        for line in section.lines:
            padded = line.ljust(section.width * section.columns)
            found += [padded[start : start + section.width].strip() for start in range(0, section.width * section.columns, section.width)]
        if len(found) < count or any(found[count:]):
            given = len(found) if len(found) < count else sum(map(bool, found))
            raise InputError(f"{self.where}: %FLAG {flag} (line {section.line}) holds {given} words, not {count}")
        return [re.sub(r"\s+", "_", word) for word in found[:count]]

    def _section(self, flag: str, kinds: str) -> Section:
        section = self.sections.get(flag)
        if section is None:
            raise InputError(f"{self.where}: there is no %FLAG {flag}, which this topology needs; write it again with tleap or ParmEd")
        if section.kind not in kinds:
            raise InputError(f"{self.where}: %FLAG {flag} (line {section.line}) is a section of {_KINDS[section.kind]}")
        return section

    def _numbers(self, flag: str, count: int | None, kinds: str) -> np.ndarray:
        section = self._section(flag, kinds)
        for line, text in enumerate(section.lines, start=section.line):
            if len(text) > section.columns * section.width:
                raise InputError(f"{self.where}, line {line}: longer than the columns that %FLAG {flag} announces; numbers are lost")
        texts = [(line, text) for line, text in section.fields() if text and not text.isspace()]
        if count is not None and len(texts) != count:
            raise InputError(f"{self.where}: %FLAG {flag} (line {section.line}) holds {len(texts)} numbers, not {count}")
        whole = kinds == "i"
        values = [_number(text, whole) for _, text in texts]
        for value, (line, text) in zip(values, texts, strict=True):
            if value is None:
                what = "a whole number" if whole else "a finite number"
                raise InputError(f"{self.where}, line {line}: {quotation(text.strip())} in %FLAG {flag} is not {what}")
        return np.array(values, dtype=np.int64 if whole else np.float64)


def _number(text: str, whole: bool) -> float | int | None:
    """The number of a field; None where it is none that a computer can hold."""
    if "_" in text or not text.isascii():
        return None
    try:
        value = int(text) if whole else float(text)
    except ValueError:
        return None
    return value if abs(value) < (2**53 if whole else np.inf) else None


def parse_prmtop(text: str, where: str) -> Prmtop:
    """Sections of a prmtop.

    Raises:
        InputError: with line and reason.
    """
    lines = text.splitlines()
    if not any(line.startswith("%FLAG") for line in lines[:50]):
        raise InputError(f"{where}: no prmtop of AMBER 7 or later (there is no %FLAG in it); convert it with ParmEd")
    for number, line in enumerate(lines, start=1):
        if line.startswith("%") and not line.startswith(("%VERSION", "%FLAG", "%COMMENT", "%FORMAT(")):
            raise InputError(f"{where}, line {number}: {quotation(line)} is neither %FLAG, %FORMAT(...), %COMMENT nor %VERSION")
    sections: dict[str, Section] = {}
    starts = [number for number, line in enumerate(lines) if line.startswith("%FLAG")]
    for first, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        words = lines[first].split()
        if len(words) != 2 or words[0] != "%FLAG":
            raise InputError(f"{where}, line {first + 1}: {quotation(lines[first])} is no %FLAG and a name")
        flag = words[1]
        if flag in sections:
            raise InputError(f"{where}, line {first + 1}: a second section %FLAG {shortened(flag)}; remove one of them")
        body = first + 1
        while body < end and lines[body].startswith("%COMMENT"):
            body += 1
        described = _FORMAT.match(lines[body]) if body < end else None
        columns, kind, width = (int(described[1]), described[2].lower(), int(described[3])) if described else (1, "", _WIDEST)
        if body >= end or not lines[body].startswith("%FORMAT(") or not columns or not width:
            raise InputError(f"{where}, line {body + 1}: %FLAG {shortened(flag)} must be followed by a line such as %FORMAT(5E16.8)")
        data = tuple(line.rstrip() for line in lines[body + 1 : end] if not line.startswith("%"))
        sections[flag] = Section(line=body + 2, kind=kind, columns=columns, width=width, lines=data)
    return Prmtop(where=where, sections=sections)
