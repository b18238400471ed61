"""LAMMPS files of embedded-atom tables: funcfl (`.eam`), setfl (`.eam.alloy`) and its Finnis–Sinclair kind (`.eam.fs`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from md_sensitivity.errors import InputError
from md_sensitivity.files import quotation, shortened
from md_sensitivity.forcefields.data import TypeTuple
from md_sensitivity.forcefields.lammps_words import finite_number, units_of

_MOST_KNOTS = 10**6
_MOST_ELEMENTS = 30


@dataclass(frozen=True, kw_only=True)
class EamFile:
    """Tables of one file.

    Attributes:
        units: name after `UNITS:` in the first line, or "".
        entries: type tuple → parameter → value or knots, as the forms of `potentials/eam.py` name them.
        options: numbers of knots, their distances, and the cutoff.
    """

    units: str
    entries: dict[TypeTuple, dict[str, Any]]
    options: dict[str, float]


@dataclass
class _Lines:
    """Lines of a file, read one after the other."""

    lines: list[str]
    where: str
    number: int = field(default=0)

    @property
    def place(self) -> str:
        """The line that was read last."""
        return f"{self.where}, line {self.number}"

    def words(self, what: str, least: int) -> list[str]:
        """Words of the next line."""
        if self.number >= len(self.lines):
            raise InputError(f"{self.where}: ends where {what} should stand")
        words = self.lines[self.number].split("#", 1)[0].split()
        self.number += 1
        if len(words) < least:
            raise InputError(f"{self.place}: {what} should stand here, {least} words at least")
        return words

    def numbers(self, what: str, count: int) -> np.ndarray:
        """The next numbers, which may run over several lines and end with one."""
        found: list[float] = []
        while len(found) < count:
            words = self.words(f"{what} ({count} numbers, {len(found)} so far)", 0)
            found += [finite_number(word, f"{self.place}: one of {what}") for word in words]
            if len(found) > count:
                raise InputError(f"{self.place}: {what} are {count} numbers and should end with a line; here are {len(found) - count} more")
        return np.array(found)

    def nothing_more(self) -> None:
        """Raises InputError where text follows."""
        for number in range(self.number, len(self.lines)):
            rest = self.lines[number].split("#", 1)[0].strip()
            if rest:
                raise InputError(f"{self.where}, line {number + 1}: {quotation(shortened(rest))} after the last table of the file")


def _grid(lines: _Lines) -> dict[str, float]:
    """The line `Nrho drho Nr dr cutoff`."""
    words = lines.words("Nrho drho Nr dr cutoff", 5)
    names = ("Nrho", "drho", "Nr", "dr", "cutoff")
    values = [finite_number(word, f"{lines.place}: {name}") for name, word in zip(names, words, strict=False)]
    for name, value in (("Nrho", values[0]), ("Nr", values[2])):
        if value != int(value) or not 5 <= value <= _MOST_KNOTS:
            raise InputError(f"{lines.place}: {name} = {value:g} must be a whole number from 5 to {_MOST_KNOTS}")
    for name, value in (("drho", values[1]), ("dr", values[3]), ("cutoff", values[4])):
        if not value > 0:
            raise InputError(f"{lines.place}: {name} = {value:g} must be positive")
    return dict(zip(("nrho", "drho", "nr", "dr", "cutoff"), values, strict=True))


def parse_setfl(text: str, where: str, *, of_pairs: bool) -> EamFile:
    """A file of `eam/alloy` or, with `of_pairs`, of `eam/fs`.

    Raises:
        InputError: with the line and the reason.
    """
    lines = _Lines(text.splitlines(), where)
    lines.number = min(3, len(lines.lines))
    names = lines.words("the number of elements and their symbols", 2)
    count = int(names[0]) if names[0].isascii() and names[0].isdecimal() else 0
    if not 1 <= count <= _MOST_ELEMENTS or len(names) != count + 1 or len(set(names[1:])) != count:
        raise InputError(f"{lines.place}: {quotation(shortened(' '.join(names)))} are not a number of elements and so many symbols")
    elements = names[1:]
    if not all(re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) for name in elements):
        raise InputError(f"{lines.place}: {quotation(shortened(' '.join(elements)))} are no symbols of elements")
    options = _grid(lines)
    nrho, nr = int(options["nrho"]), int(options["nr"])
    entries: dict[TypeTuple, dict[str, Any]] = {}
    for element in elements:
        lines.words(f"atomic number, mass, lattice constant and lattice of {element}", 1)
        own = entries.setdefault((element,), {})
        own["embedding.knot"] = lines.numbers(f"the embedding energies of {element}", nrho)
        if not of_pairs:
            own["density.knot"] = lines.numbers(f"the densities of {element}", nr)
            continue
        for center in elements:
            # The file says what an element gives to each center; names say (center, neighbor).
            pair = entries.setdefault((center, element), {})
            pair["density.knot"] = lines.numbers(f"the densities that {element} gives to {center}", nr)
    for i, first in enumerate(elements):
        for second in elements[: i + 1]:
            key = (first, second) if (first, second) in entries else (second, first)
            entries.setdefault(key, {})["pair.knot"] = lines.numbers(f"r φ of {first} and {second}", nr)
    lines.nothing_more()
    return EamFile(units=units_of(text), entries=entries, options=options)


@dataclass(frozen=True, kw_only=True)
class _Element:
    symbol: str
    options: dict[str, float]
    embedding: np.ndarray
    charge: np.ndarray
    density: np.ndarray


def parse_funcfl(texts: Mapping[str, str]) -> EamFile:
    """Files of `eam`, one for each element.

    LAMMPS lays the tables of all files on one grid, which ends a knot before the longest of them; so do we. Knots of files whose grid is
    the common one are the file's own numbers, others are interpolated by cubics through four of them.

    Args:
        texts: name for messages → text.

    Raises:
        InputError: with file, line and reason.
    """
    found = [_element(text, where) for where, text in texts.items()]
    symbols = [element.symbol for element in found]
    if len(set(symbols)) < len(symbols):
        raise InputError(f"{', '.join(texts)}: two files speak of the same element ({', '.join(symbols)})")
    units = {units_of(text) for text in texts.values()}
    if len(units) > 1:
        raise InputError(f"{', '.join(texts)}: the files' first lines name different units")
    options = {name: max(element.options[name] for element in found) for name in ("drho", "dr", "cutoff")}
    for count, step in (("nrho", "drho"), ("nr", "dr")):
        longest = max((element.options[count] - 1) * element.options[step] for element in found)
        options[count] = float(int(longest / options[step] + 0.5))
    entries: dict[TypeTuple, dict[str, Any]] = {}
    for element in found:
        entries[(element.symbol,)] = {
            "embedding.knot": _laid(element.embedding, element.options["drho"], options["drho"], int(options["nrho"])),
            "density.knot": _laid(element.density, element.options["dr"], options["dr"], int(options["nr"])),
            "charge.knot": _laid(element.charge, element.options["dr"], options["dr"], int(options["nr"])),
        }
    for i, first in enumerate(symbols):
        for second in symbols[: i + 1]:
            entries.setdefault((first,) if first == second else (second, first), {})["pair.scale"] = 1.0
    return EamFile(units=units.pop(), entries=entries, options=options)


def _element(text: str, where: str) -> _Element:
    from ase.data import chemical_symbols

    lines = _Lines(text.splitlines(), where)
    lines.number = min(1, len(lines.lines))
    words = lines.words("atomic number, mass, lattice constant and lattice", 2)
    number = int(words[0]) if words[0].isascii() and words[0].isdecimal() else 0
    if not 1 <= number < len(chemical_symbols):
        raise InputError(f"{lines.place}: {quotation(words[0])} is no atomic number, which tells the element of the file")
    options = _grid(lines)
    nrho, nr = int(options["nrho"]), int(options["nr"])
    element = _Element(
        symbol=chemical_symbols[number],
        options=options,
        embedding=lines.numbers("the embedding energies", nrho),
        charge=lines.numbers("the effective charges", nr),
        density=lines.numbers("the densities", nr),
    )
    lines.nothing_more()
    return element


def _laid(values: np.ndarray, own: float, step: float, count: int) -> np.ndarray:
    """A table of spacing `own` on a grid of another spacing."""
    if own == step and count <= len(values):
        return values[:count]
    t = np.arange(count) * step / own
    k = np.clip(t.astype(int), 1, len(values) - 3)
    p = np.minimum(t - k, 2.0)
    before, here, after, last = (values[k + shift] for shift in (-1, 0, 1, 2))
    return (
        -p * (p - 1.0) * (p - 2.0) / 6.0 * before
        + (p * p - 1.0) * (p - 2.0) / 2.0 * here
        - p * (p + 1.0) * (p - 2.0) / 2.0 * after
        + p * (p * p - 1.0) / 6.0 * last
    )
