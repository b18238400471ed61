"""LAMMPS `.sw` files: Stillinger–Weber parameters for triples of elements."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from md_sensitivity.errors import InputError
from md_sensitivity.files import quotation, shortened
from md_sensitivity.forcefields.data import TypeTuple
from md_sensitivity.forcefields.lammps_words import Token, triple_tokens, units_of

_COLUMNS = ("epsilon", "sigma", "a", "lambda", "gamma", "costheta0", "A", "B", "p", "q", "tol")
_WORDS = 3 + len(_COLUMNS)


@dataclass(frozen=True, kw_only=True)
class TripletFile:
    """Content of a file of element triples.

    Attributes:
        units: name after `UNITS:` in the first line, or "" where there is none.
        entries: type tuple → parameter → value, in the order of the file.
    """

    units: str
    entries: dict[TypeTuple, dict[str, float]]


def parse_sw(text: str, source: str) -> TripletFile:
    """Entries of a LAMMPS `.sw` file; each has 14 words, which may run over several lines.

    Raises:
        InputError: where an entry is incomplete, no number, given twice, or uses `tol` > 0, which shortens the range in a way
            that depends on the other parameters and is not represented here.
    """
    words: list[tuple[str, int]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        words += [(word, number) for word in line.split("#", 1)[0].split()]
    if not words:
        raise InputError(f"{source}: no Stillinger-Weber entry in this file")
    entries: dict[TypeTuple, dict[str, float]] = {}
    for start in range(0, len(words), _WORDS):
        entry = words[start : start + _WORDS]
        where = f"{source}, line {entry[0][1]}"
        if len(entry) < _WORDS:
            raise InputError(f"{where}: the last entry has {len(entry)} of {_WORDS} words (three elements, {', '.join(_COLUMNS)})")
        types = tuple(word for word, _ in entry[:3])
        if not all(word.isprintable() for word in types):
            raise InputError(f"{where}: {quotation(' '.join(types))} are no elements")
        if types in entries:
            raise InputError(f"{where}: a second entry for {shortened(' '.join(types))}")
        values = {
            name: _number(word, f"{source}, line {line}: {name} of {shortened(' '.join(types))}")
            for name, (word, line) in zip(_COLUMNS, entry[3:], strict=True)
        }
        tol = values.pop("tol")
        if not math.isfinite(tol):
            raise InputError(f"{where}: tol of {shortened(' '.join(types))} is not finite; set it to 0.0")
        if tol != 0.0:
            raise InputError(f"{where}: tol of {shortened(' '.join(types))} is not 0; a shortened range is not supported, set it to 0.0")
        entries[types] = values
    return TripletFile(units=units_of(text), entries=entries)


def _number(word: str, where: str) -> float:
    try:
        if not word.isascii() or "_" in word:   # Python takes `1_0` and the digits of other scripts for numbers; nobody else does
            raise ValueError
        return float(word)
    except ValueError:
        raise InputError(f"{where} is {quotation(word)}, not a number") from None


def sw_tokens(text: str) -> Iterator[Token]:
    """Parameters of a file that `parse_sw` reads."""
    return triple_tokens(text, _COLUMNS, without=("tol",))
