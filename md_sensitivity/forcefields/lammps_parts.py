"""Which pairs of types each pair style of a LAMMPS input acts on, with which numbers, and what the types are called."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from md_sensitivity.errors import InputError
from md_sensitivity.files import quotation
from md_sensitivity.forcefields.lammps_pair_styles import AtomStyle, FileStyle, PairStyle, Values
from md_sensitivity.forcefields.lammps_script import Command
from md_sensitivity.forcefields.lammps_setup import Line, Part, Setup, known_style, number
from md_sensitivity.forcefields.potential_files import POTENTIAL_FILES, PotentialFile, PotentialFormat, read_as
from md_sensitivity.structures.lammps_types import elements_of_masses

Pair = tuple[int, int]
"""Two types, the smaller number first."""


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """Numbers of a pair, by name, and the command that gives them; of a mixed pair, the command of its like ones."""

    values: Values
    command: Command


@dataclass(kw_only=True)
class Resolved:
    """A part, and what is said of its pairs.

    Attributes:
        pairs: pairs of types that it acts on.
        mixing: name of the rule for pairs that it gives no numbers for; "none" where it gives all.
        shift: whether energies are shifted to zero at the cutoff.
        content: of its potential files.
        elements: type → element of the files.
    """

    part: Part
    pairs: dict[Pair, Numbers] = field(default_factory=dict)
    mixing: str = "none"
    shift: bool = False
    content: PotentialFile | None = None
    elements: dict[int, str] = field(default_factory=dict)


def resolved(setup: Setup) -> list[Resolved]:
    """All parts of a `pair_style` command with their pairs.

    Raises:
        InputError: with the line, where numbers are missing, too many, contradict one another, or a pair has none.
    """
    for line in setup.lines:    # `* *` of a file names an element for each type
        setup.count = max(setup.count, _elements_named(line, setup))
    setup.count = max(setup.count, 1)
    found = [Resolved(part=part, shift=_setting(setup, part, "shift") == "yes") for part in setup.parts]
    silent: set[Pair] = set()
    paths: dict[int, dict[int, Path]] = {}
    for line in setup.lines:
        place, words = _addressed(line, setup)
        if place is None:
            silent |= set(_pairs(line, setup))
            for other in found:
                _forget(other, _pairs(line, setup), line)
            continue
        _take(found, place, line, words, setup, paths.setdefault(place, {}))
    for place, files in paths.items():
        _read_types(found[place], files)
    if not setup.mode:
        _require_numbers(found[0], setup)
    _mix(found, silent, setup)
    _require_all(found, silent, setup)
    return [part for part in found if part.pairs]


def _setting(setup: Setup, part: Part, key: str) -> str:
    """The last `pair_modify` value for a part."""
    return next((value for meant, name, value, _ in reversed(setup.modified) if name == key and meant(part)), "")


def _elements_named(line: Line, setup: Setup) -> int:
    place, words = _addressed(line, setup)
    style = None if place is None else setup.parts[place].style
    if not isinstance(style, FileStyle) or style.of_types or (line.first, line.second) != ("*", "*"):
        return 0
    return len(words) - style.files


def _addressed(line: Line, setup: Setup) -> tuple[int | None, tuple[str, ...]]:
    """Which part a line speaks of (None: of no interaction at all), and the words that follow."""
    if not setup.mode:
        return 0, line.words
    name, words = (line.words[0], line.words[1:]) if line.words else ("", ())
    if name == "none":
        return None, ()
    same = [i for i, part in enumerate(setup.parts) if part.style.name == known_style(name)]
    if not same:
        raise line.command.refused(f"{quotation(name)} is none of the styles of the pair_style command")
    if len(same) == 1:
        return same[0], words
    which = words[0] if words else ""
    if which not in [str(setup.parts[i].number) for i in same]:
        raise line.command.refused(f"which of the {len(same)} styles {name}? Its number follows the name")
    return same[int(which) - 1], words[1:]


def _pairs(line: Line, setup: Setup) -> list[Pair]:
    first, second = (setup.types(word, line.command) for word in (line.first, line.second))
    if len(first) == len(second) == 1 and "*" not in line.first + line.second:
        return [(min(first[0], second[0]), max(first[0], second[0]))]
    found = [(i, j) for i in first for j in second if i <= j]
    if not found:
        raise line.command.refused("LAMMPS takes only pairs I ≤ J of such ranges, and here are none; write the smaller types first")
    return found


def _forget(part: Resolved, pairs: Iterable[Pair], line: Line) -> None:
    """Pairs that another line takes away from a part."""
    gone = [pair for pair in pairs if part.pairs.pop(pair, None) is not None]
    if gone and isinstance(part.part.style, FileStyle) and not part.part.style.of_types:
        raise line.command.refused(f"takes pairs away from {part.part.style.name}, whose energy is not one of pairs; use hybrid/overlay")


def _take(found: list[Resolved], place: int, line: Line, words: tuple[str, ...], setup: Setup, files: dict[int, Path]) -> None:
    """What a line says of its pairs goes to its part, and with `hybrid` away from the others."""
    part, style, command = found[place], found[place].part.style, line.command
    pairs = _pairs(line, setup)
    if isinstance(style, FileStyle):
        pairs = _files_and_elements(part, style, line, words, pairs, setup, files)
        values: Values = {}
    else:
        values = _values(part.part, style, words, command)
    if setup.mode == "hybrid":
        for other in found:
            if other is not part:
                _forget(other, pairs, line)
    part.pairs |= {pair: Numbers(values=values, command=command) for pair in pairs}


def _values(part: Part, style: PairStyle | AtomStyle, words: tuple[str, ...], command: Command) -> Values:
    wanted: tuple[str, ...] = ("first", "second") if isinstance(style, AtomStyle) and style.given else ()
    more: tuple[str, ...] = ()
    if isinstance(style, PairStyle):
        wanted, more = style.numbers, style.own
    if len(words) not in (len(wanted), len(wanted) + len(more)):
        names = " ".join((*wanted, *(f"[{name}]" for name in more))) or "nothing"
        raise command.refused(f"pair style {style.name} wants {names} after the types, and here are {len(words)} words")
    values = {name: number(word, command, name) for name, word in zip((*wanted, *more), words, strict=False)}
    if isinstance(style, PairStyle):
        for name in style.own:
            value = values.setdefault(name, part.settings.get(name, math.nan))
            if math.isnan(value):
                raise command.refused(f"no {name} is given for this pair; write it after its other numbers")
            if not (value > 0 or (name == "start" and value == 0)):
                raise command.refused(f"{name} = {value:g} must be positive")
        if values.get("start", -1.0) >= values.get("cutoff", math.inf):
            raise command.refused("the inner cutoff must be less than the cutoff")
    return values


def _require_order_of_channels(part: Resolved, line: Line) -> None:
    """LAMMPS numbers the chemical channels of explicit multi-element SNAP by this line, and the coefficients by the file."""
    assert part.content is not None
    order = [name for types in part.content.entries for name in types]
    if part.content.options.get("chemflag") and [*part.elements.values()] != order[: len(part.elements)]:
        raise line.command.refused(
            f"with chemflag 1 LAMMPS takes coefficients for the elements in the order of this line, and the file has {' '.join(order)}; "
            "name them in that order"
        )


def _files_and_elements(
    part: Resolved, style: FileStyle, line: Line, words: tuple[str, ...], pairs: list[Pair], setup: Setup, files: dict[int, Path]
) -> list[Pair]:
    """Reads the potential files of a line; the pairs between types that they have an element for."""
    kind = _kind(style, line.command)
    if style.of_types:
        if len(words) != 1:
            raise line.command.refused(f"pair style {style.name} wants one file after the types")
        for i, j in pairs:
            if i == j:
                files[i] = setup.folder / words[0]
                # Read on its own for its element, so that what is wrong with it is said beside this line.
                content = _read(kind, (files[i],), line.command)
                part.elements[i] = next(types[0] for types in content.entries if len(types) == 1)
        return pairs
    if (line.first, line.second) != ("*", "*"):
        raise line.command.refused(f"pair style {style.name} is for `pair_coeff * *`")
    elements = words[style.files :]
    if len(words) < style.files + 1 or len(elements) != setup.count:
        raise line.command.refused(
            f"{style.name} wants {style.files} file{'s' if style.files > 1 else ''} and an element (or NULL) for each of the "
            f"{setup.count} types, and here are {max(len(elements), 0)}"
        )
    part.content = _read(kind, tuple(setup.folder / word for word in words[: style.files]), line.command)
    known = {name for types in part.content.entries for name in types}
    part.elements = {i: name for i, name in enumerate(elements, start=1) if name != "NULL"}
    part.pairs = {}
    for name in part.elements.values():
        if name not in known:
            raise line.command.refused(f"the file knows no {quotation(name)}; it knows {', '.join(sorted(known))}")
    _require_order_of_channels(part, line)
    return [(i, j) for i in part.elements for j in part.elements if i <= j]


def _kind(style: FileStyle, command: Command) -> PotentialFormat:
    found = [kind for kind in POTENTIAL_FILES.values() if kind.suffix == style.suffix]
    if not found:
        raise command.refused(f"pair style {style.name} is not supported")
    return found[0]


def _read(kind: PotentialFormat, paths: tuple[Path, ...], command: Command) -> PotentialFile:
    try:
        return read_as(kind, paths)
    except InputError as error:
        raise InputError(f"{command.where}: {error}") from None


def _read_types(part: Resolved, files: dict[int, Path]) -> None:
    """The files of all types together, which LAMMPS lays on one grid."""
    style = part.part.style
    if isinstance(style, FileStyle) and files:
        command = next(iter(part.pairs.values())).command
        part.content = _read(_kind(style, command), tuple(dict.fromkeys(files.values())), command)


def _require_numbers(part: Resolved, setup: Setup) -> None:
    """Of a style by itself, each type must have numbers of its own."""
    for i in range(1, setup.count + 1):
        if (i, i) not in part.pairs and not isinstance(part.part.style, FileStyle):
            raise InputError(f"{setup.source}: no pair_coeff for types {i} {i}")


def _mix(found: list[Resolved], silent: set[Pair], setup: Setup) -> None:
    """Pairs of unlike types without numbers follow from those of like types, by the rules of LAMMPS."""
    every = [(i, j) for i in range(1, setup.count + 1) for j in range(i + 1, setup.count + 1)]
    for i, j in every:
        if (i, j) in silent or any((i, j) in part.pairs for part in found):
            continue
        own = [[part for part in found if (k, k) in part.pairs] for k in (i, j)]
        if len(own[0]) != 1 or len(own[1]) != 1 or own[0][0] is not own[1][0]:
            continue
        part = own[0][0]
        style = part.part.style
        first, second = part.pairs[(i, i)], part.pairs[(j, j)]
        if isinstance(style, FileStyle) and style.of_types:
            part.pairs[(i, j)] = Numbers(values={}, command=first.command)
        if isinstance(style, AtomStyle):
            values = {"first": first.values["first"], "second": second.values["first"]} if style.given else {}
            part.pairs[(i, j)] = Numbers(values=values, command=first.command)
        elif isinstance(style, PairStyle) and style.mixable:
            rule = _setting(setup, part.part, "mix") or "geometric"
            if rule == "sixthpower":
                raise first.command.refused(f"types {i} and {j} would be mixed by sixth powers; give `pair_coeff {i} {j}`")
            part.mixing = {"geometric": "geometric", "arithmetic": "lorentz-berthelot"}[rule]
            ends = {name: _mean(rule, first.values[name], second.values[name]) for name in style.own}
            part.pairs[(i, j)] = Numbers(values=ends, command=first.command)


def _mean(rule: str, first: float, second: float) -> float:
    return math.sqrt(first * second) if rule == "geometric" else 0.5 * (first + second)


def _require_all(found: list[Resolved], silent: set[Pair], setup: Setup) -> None:
    for i in range(1, setup.count + 1):
        for j in range(i, setup.count + 1):
            if (i, j) not in silent and not any((i, j) in part.pairs for part in found):
                hint = f", or `pair_coeff {i} {j} none` where they do not interact" if setup.mode else ""
                raise InputError(f"{setup.source}: no pair_coeff for types {i} {j}; add it{hint}")


def names_of(found: list[Resolved], setup: Setup) -> dict[int, str]:
    """What each type is called: the element of potential files, else its label, else the element of its mass, else its number.

    Raises:
        InputError: two files take a type for different elements.
    """
    names: dict[int, str] = {}
    for part in found:
        for kind, element in part.elements.items():
            if names.setdefault(kind, element) != element:
                raise part.part.command.refused(f"type {kind} is {names[kind]} in one potential file and {element} in another")
    rest = [kind for kind in range(1, setup.count + 1) if kind not in names]
    names |= {kind: setup.labels[kind] for kind in rest if kind in setup.labels}
    rest = [kind for kind in rest if kind not in names]
    masses = {kind: mass for word, mass, command in setup.masses for kind in setup.types(word, command)}
    if setup.units != "lj" and rest and all(kind in masses for kind in rest):
        from ase.data import chemical_symbols

        elements = [chemical_symbols[element] if element else "" for element in elements_of_masses([masses[kind] for kind in rest])]
        if all(elements) and len({*elements, *names.values()}) == len(rest) + len(set(names.values())):
            names |= dict(zip(rest, elements, strict=True))
    return names | {kind: str(kind) for kind in rest if kind not in names}
