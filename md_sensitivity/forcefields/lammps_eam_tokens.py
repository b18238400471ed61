"""Where the numbers of embedded-atom tables stand in their files, and how scales are multiplied into them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from md_sensitivity.errors import UsageError
from md_sensitivity.forcefields.lammps_words import Token, Word, words_of
from md_sensitivity.forcefields.table import TypeTuple

_Values = dict[tuple[TypeTuple, str], np.ndarray]


class _Words:
    """Words of a text, read one after the other."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._words = list(words_of(text))
        self._place = 0

    def skip_to_line(self, number: int) -> None:
        """Go to the first word of a line, counted from 0, or behind it."""
        while self._words[self._place].line < number:
            self._place += 1

    def line(self) -> list[str]:
        """Words of the line of the next word."""
        first = self._words[self._place].line
        found = []
        while self._place < len(self._words) and self._words[self._place].line == first:
            found.append(self._shown(self._words[self._place]))
            self._place += 1
        return found

    def tokens(self, types: TypeTuple, parameter: str, count: int, used: int) -> Iterator[Token]:
        """The next numbers, of which the first ones are parameters."""
        for k, word in enumerate(self._words[self._place : self._place + count]):
            if k < used:
                yield Token(types, parameter, k, word.start, word.end)
        self._place += count

    def _shown(self, word: Word) -> str:
        return self.text[word.start : word.end]


def setfl_tokens(text: str, *, of_pairs: bool) -> Iterator[Token]:
    """Parameters of a file that `parse_setfl` reads."""
    words = _Words(text)
    words.skip_to_line(3)
    elements = words.line()[1:]
    nrho, _, nr = (float(word) for word in words.line()[:3])
    for element in elements:
        words.line()
        yield from words.tokens((element,), "embedding.knot", int(nrho), int(nrho))
        for types in [(center, element) for center in elements] if of_pairs else [(element,)]:
            yield from words.tokens(types, "density.knot", int(nr), int(nr))
    of_both = {(center, element) for element in elements for center in elements} if of_pairs else set()
    for i, first in enumerate(elements):
        for second in elements[: i + 1]:
            types = (first, second) if (first, second) in of_both else (second, first)
            yield from words.tokens(types, "pair.knot", int(nr), int(nr))


def funcfl_tokens(text: str) -> Iterator[Token]:
    """Parameters of the file of one element that `parse_funcfl` reads; LAMMPS's grid ends one knot before the file's."""
    from ase.data import chemical_symbols

    words = _Words(text)
    words.skip_to_line(1)
    types = (chemical_symbols[int(words.line()[0])],)
    nrho, _, nr = (float(word) for word in words.line()[:3])
    for name, count in (("embedding.knot", int(nrho)), ("charge.knot", int(nr)), ("density.knot", int(nr))):
        yield from words.tokens(types, name, count, count - 1)


def folded_setfl(values: Mapping[tuple[TypeTuple, str], np.ndarray]) -> _Values:
    """Tables times their scales."""
    found = {}
    for (types, name), numbers in values.items():
        function, _, kind = name.partition(".")
        if kind == "knot":
            found[types, name] = numbers * values[types, f"{function}.scale"]
    return found


def folded_funcfl(values: Mapping[tuple[TypeTuple, str], np.ndarray]) -> _Values:
    """The same of one element; the scale of the pair energy acts on the square of the charge."""
    found = folded_setfl({**values, **{(types, "charge.scale"): _root(values, types) for types, name in values if name == "charge.knot"}})
    if len({types for types, _ in found}) > 1:
        raise UsageError("tables of several elements cannot be written to one .eam file; write a .toml file")
    return found


def _root(values: Mapping[tuple[TypeTuple, str], np.ndarray], types: TypeTuple) -> np.ndarray:
    scale = values[types, "pair.scale"]
    if np.any(scale < 0):
        raise UsageError(f"a pair energy with scale {scale[0]:g} has no effective charge; write a .toml file")
    return np.sqrt(scale)
