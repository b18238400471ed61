"""LAMMPS SNAP files: coefficients of elements (`.snapcoeff`), and what the bispectrum is (`.snapparam`), beside it under the same name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from md_sensitivity.errors import InputError
from md_sensitivity.files import quotation, shortened
from md_sensitivity.forcefields.data import TypeTuple
from md_sensitivity.forcefields.lammps_words import Token, finite_number, words_of
from md_sensitivity.potentials.base import OptionSpec
from md_sensitivity.potentials.snap import SNAP, count
from md_sensitivity.registry import did_you_mean

_OPTIONS = {option.name: option for option in SNAP.options if option.name != "elements"}
_BY_ELEMENT = ("sinner", "dinner")
_SPEED = ("chunksize", "parallelthresh")
"""Keys that change nothing but how fast LAMMPS is."""


@dataclass(frozen=True, kw_only=True)
class SnapFile:
    """Content of the two files of one potential.

    Attributes:
        units: name after `UNITS:` in a comment, in lower case, or "" where there is none.
        entries: element → parameter → value, or values, in the order of the file.
        options: of the form.
    """

    units: str
    entries: dict[TypeTuple, dict[str, Any]]
    options: dict[str, float]


class _Line(NamedTuple):
    """Words of a line that is not empty, and where it stands."""

    words: list[str]
    where: str


def parse_snap(coefficients: str, source: str, parameters: str, parameter_source: str) -> SnapFile:
    """A potential from the texts of its two files.

    Args:
        coefficients, source: the `.snapcoeff` file, and how messages name it.
        parameters, parameter_source: the same of the `.snapparam` file.

    Raises:
        InputError: with file, line and reason, where something is missing, unknown, no number or does not fit together.
    """
    options, by_element = _parse_parameters(parameters, parameter_source)
    entries = _parse_coefficients(coefficients, source)
    units = {name for text in (coefficients, parameters) if (name := _units(text))}
    if len(units) > 1:
        raise InputError(f"{source}: is in units {' and '.join(sorted(units))}, as its own comment and that of {parameter_source} say")
    for name, (values, where) in by_element.items():
        if len(values) != len(entries):
            raise InputError(f"{where}: {name} gives {len(values)} numbers for the {len(entries)} elements of {source}")
        for entry, value in zip(entries.values(), values, strict=True):
            entry[name] = value
    if options.get("chemflag"):
        options["elements"] = float(len(entries))
        for place, entry in enumerate(entries.values()):
            entry["element"] = float(place)
    _require_consistent(entries, options, source, parameter_source)
    return SnapFile(units=units.pop() if units else "", entries=entries, options=options)


def _require_consistent(entries: dict[TypeTuple, dict[str, Any]], options: dict[str, float], source: str, parameter_source: str) -> None:
    """That coefficients are as many as the bispectrum wants, and distances in order."""
    known = {option.name: option.default if option.default is not None else 0.0 for option in SNAP.options}
    known |= options
    wanted = count(known)
    given = len(next(iter(entries.values()))["beta"])
    if given != wanted:
        raise InputError(
            f"{source}: has {given} coefficients for each element, and {parameter_source} asks for {wanted} (twojmax {known['twojmax']:g}, "
            f"quadraticflag {known['quadraticflag']:g}, chemflag {known['chemflag']:g}, {len(entries)} elements)"
        )
    shortest = 2.0 * known["rcutfac"] * min(entry["radius"] for entry in entries.values())
    if not shortest > known["rmin0"]:
        raise InputError(f"{parameter_source}: rmin0 = {known['rmin0']:g} is not less than the shortest range, {shortest:g}")


def _parse_parameters(text: str, source: str) -> tuple[dict[str, float], dict[str, tuple[list[float], str]]]:
    """Options, and numbers for each element with the line that gives them."""
    options: dict[str, float] = {}
    by_element: dict[str, tuple[list[float], str]] = {}
    seen: set[str] = set()
    known = (*_OPTIONS, *_BY_ELEMENT, *_SPEED)
    for words, where in _lines(text, source):
        key = words[0]
        if key not in known:
            raise InputError(f"{where}: unknown key {quotation(key)}{did_you_mean(key, known)}; known: {', '.join(known)}")
        if key in seen:
            raise InputError(f"{where}: a second {key}; keep one of them")
        seen.add(key)
        values = [finite_number(word, f"{where}: {key}") for word in words[1:]]
        if key in _BY_ELEMENT:
            by_element[key] = values, where
            continue
        if len(values) != 1:
            raise InputError(f"{where}: {key} has {len(values)} values; it is one number")
        if key in _OPTIONS:
            options[key] = _admitted(values[0], _OPTIONS[key], where)
    for name in ("rcutfac", "twojmax"):
        if name not in options:
            raise InputError(f"{source}: has no {name}")
    # As LAMMPS has it: the two need each other.
    wanted = set(_BY_ELEMENT) if options.get("switchinnerflag") else set()
    if set(by_element) != wanted:
        raise InputError(f"{source}: switchinnerflag 1, sinner and dinner are given together or not at all")
    return options, by_element


def _parse_coefficients(text: str, source: str) -> dict[TypeTuple, dict[str, Any]]:
    """Element → radius, weight and coefficients."""
    lines = list(_lines(text, source))
    if not lines:
        raise InputError(f"{source}: no SNAP coefficients in this file")
    head, where = lines[0]
    if len(head) != 2 or not all(word.isascii() and word.isdigit() and len(word) < 9 for word in head) or "0" in head:
        raise InputError(f"{where}: must be the number of elements and of coefficients of each, not {quotation(' '.join(head))}")
    elements, size = (int(word) for word in head)
    body = lines[1:]
    if len(body) < elements * (size + 1):
        missing = elements * (size + 1) - len(body)
        raise InputError(f"{source}: ends {missing} lines too early for {elements} elements with {size} coefficients each")
    if len(body) > elements * (size + 1):
        line = body[elements * (size + 1)]
        raise InputError(f"{line.where}: nothing is expected after {elements} elements with {size} coefficients each")
    entries: dict[TypeTuple, dict[str, Any]] = {}
    for start in range(0, len(body), size + 1):
        words, where = body[start]
        if len(words) != 3:
            raise InputError(f"{where}: must be an element, its radius and its weight, not {quotation(' '.join(words))}")
        name = words[0]
        if not name.isprintable():
            raise InputError(f"{where}: {quotation(name)} is no element")
        if (name,) in entries:
            raise InputError(f"{where}: a second entry for {shortened(name)}")
        radius, weight = (finite_number(word, f"{where}: {what}") for word, what in zip(words[1:], ("radius", "weight"), strict=True))
        if not radius > 0:
            raise InputError(f"{where}: radius of {shortened(name)} = {radius:g} must be > 0")
        beta = [_coefficient(line, f"beta{k} of {shortened(name)}") for k, line in enumerate(body[start + 1 : start + 1 + size])]
        entries[(name,)] = {"radius": radius, "weight": weight, "beta": beta}
    return entries


def snap_tokens(text: str) -> Iterator[Token]:
    """Parameters of a `.snapcoeff` file that `parse_snap` reads."""
    words = list(words_of(text))
    size = int(text[words[1].start : words[1].end])
    for first in range(2, len(words), size + 3):
        name, radius, weight, *beta = words[first : first + size + 3]
        types = (text[name.start : name.end],)
        yield Token(types, "radius", 0, radius.start, radius.end)
        yield Token(types, "weight", 0, weight.start, weight.end)
        yield from (Token(types, "beta", k, word.start, word.end) for k, word in enumerate(beta))


def _coefficient(line: _Line, what: str) -> float:
    if len(line.words) != 1:
        raise InputError(f"{line.where}: must be one number, {what}, not {quotation(' '.join(line.words))}")
    return finite_number(line.words[0], f"{line.where}: {what}")


def _lines(text: str, source: str) -> Iterator[_Line]:
    """Lines that hold more than a comment."""
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split("#", 1)[0].split()
        if words:
            yield _Line(words, f"{source}, line {number}")


def _units(text: str) -> str:
    found = re.search(r"^\s*#.*?UNITS:\s*(\S+)", text, flags=re.MULTILINE)
    return found.group(1).lower() if found else ""


def _admitted(value: float, option: OptionSpec, where: str) -> float:
    """A value of an option, if it is one that the form can take."""
    if option.whole and value != int(value):
        raise InputError(f"{where}: {option.name} = {value:g} must be a whole number")
    if not option.lower <= value <= option.upper:
        ends = f"at least {option.lower:g}" if value < option.lower else f"at most {option.upper:g}"
        raise InputError(f"{where}: {option.name} = {value:g} is not supported; it must be {ends}")
    return value
