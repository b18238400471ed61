"""What the commands of a LAMMPS input say about its force field, collected before anything is made of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from md_sensitivity.errors import InputError
from md_sensitivity.files import quotation, shown
from md_sensitivity.forcefields.files import read_text
from md_sensitivity.forcefields.lammps_data_sections import DataSections, sections_of
from md_sensitivity.forcefields.lammps_pair_styles import (
    ACCELERATED,
    ADVICE,
    HARMLESS,
    HARMLESS_FIXES,
    PAIR_STYLES,
    AtomStyle,
    PairStyle,
    Style,
)
from md_sensitivity.forcefields.lammps_script import Command, commands_of
from md_sensitivity.registry import did_you_mean
from md_sensitivity.structures.numerals import is_integer, is_number, real

UNITS = ("metal", "real", "lj")
MOST_TYPES = 200
HYBRID = ("hybrid", "hybrid/overlay")


@dataclass(frozen=True, kw_only=True)
class Part:
    """One style of a `pair_style` command.

    Attributes:
        style: what it means.
        settings: its numbers, by name.
        number: which one of several of the same name it is, from 1; 0 where it is the only one.
        command: where it was said.
    """

    style: Style
    settings: dict[str, float]
    number: int = 0
    command: Command


@dataclass(frozen=True, kw_only=True)
class Line:
    """One `pair_coeff` command, or a row of a data file that says the same.

    Attributes:
        first, second: types as written, such as `1`, `2*4` or `*`.
        words: what follows.
    """

    first: str
    second: str
    words: tuple[str, ...]
    command: Command


@dataclass
class Setup:
    """What is known after the commands read so far.

    Attributes:
        folder: where potential files are looked up.
        source: the input, for messages.
        units: name of its units; "" where it says none.
        count: how many types it speaks of, at least.
        labels: type → label.
        masses, charges: types as written, number, and where.
        mode: "" for one style, else `hybrid` or `hybrid/overlay`.
        modified: numbers of the parts that a setting is for ("all" of them, or the name of a style), keyword, value, and where.
    """

    folder: Path
    source: str
    units: str = ""
    count: int = 0
    labels: dict[int, str] = field(default_factory=dict)
    masses: list[tuple[str, float, Command]] = field(default_factory=list)
    charges: list[tuple[str, float, Command]] = field(default_factory=list)
    mode: str = ""
    parts: list[Part] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    modified: list[tuple[Callable[[Part], bool], str, str, Command]] = field(default_factory=list)
    ran: bool = False

    def mention(self, word: str, command: Command) -> None:
        """Takes notice of the type numbers in a word such as `2*4`."""
        for end in word.split("*"):
            if is_integer(end):
                if not 1 <= int(end) <= MOST_TYPES:
                    raise command.refused(f"types are numbered from 1 to {MOST_TYPES} at most")
                self.count = max(self.count, int(end))

    def types(self, word: str, command: Command) -> range:
        """The types that a word such as `2*4`, `*` or a label speaks of."""
        for number, label in self.labels.items():
            if label == word:
                return range(number, number + 1)
        low, star, high = word.partition("*")
        if not all(is_integer(end) or (star and not end) for end in (low, high or (low if not star else ""))):
            known = f"; labels are {', '.join(self.labels.values())}" if self.labels else ""
            raise command.refused(f"{quotation(word)} is no type, such as 1, 1*2 or *{known}")
        first = int(low) if low else 1
        last = int(high) if high else (self.count if star else first)
        if not 1 <= first <= last <= max(self.count, 1):
            raise command.refused(f"{quotation(word)} is none of the types 1 to {max(self.count, 1)}")
        return range(first, last + 1)


def collected(text: str, path: Path) -> Setup:
    """What a script says.

    Raises:
        InputError: a command that changes energies and is not represented, or none that is known; with its line.
    """
    setup = Setup(folder=path.parent, source=shown(path))
    for command in commands_of(text, path, lambda name: name in _READERS):
        if command.name in _READERS:
            _READERS[command.name](command, setup)
        elif command.name not in HARMLESS:
            guess = did_you_mean(command.name, (*_READERS, *HARMLESS))
            raise command.refused(f"the command {quotation(command.name)} is not part of a force field that is read here{guess}")
        setup.ran = setup.ran or command.name in ("run", "minimize", "temper", "neb")
    if not setup.parts:
        raise InputError(f"{setup.source}: no pair_style command in this LAMMPS input")
    return setup


def number(word: str, command: Command, what: str) -> float:
    """A finite number of a command."""
    if not is_number(word) or not abs(real(word)) < float("inf"):
        raise command.refused(f"{what} must be a number, not {quotation(word)}")
    return real(word)


def _units(command: Command, setup: Setup) -> None:
    if command.words[:1] not in [(name,) for name in UNITS]:
        raise command.refused(f"units must be one of {', '.join(UNITS)}")
    if setup.units not in ("", command.words[0]):
        raise command.refused(f"the units were {setup.units} before")
    setup.units = command.words[0]


def _mass(command: Command, setup: Setup) -> None:
    if len(command.words) != 2:
        raise command.refused("mass needs a type and a number")
    setup.mention(command.words[0], command)
    setup.masses.append((command.words[0], number(command.words[1], command, "a mass"), command))


def _labelmap(command: Command, setup: Setup) -> None:
    if command.words[:1] == ("clear",):
        setup.labels.clear()
    if command.words[:1] != ("atom",):
        return
    rest = command.words[1:]
    for kind, label in zip(rest[::2], rest[1::2], strict=False):
        if not is_integer(kind) or len(rest) % 2:
            raise command.refused("labelmap atom needs pairs of a type number and a label")
        setup.mention(kind, command)
        setup.labels[int(kind)] = label


def _set(command: Command, setup: Setup) -> None:
    if "charge" not in command.words:
        return
    if len(command.words) != 4 or command.words[0] != "type" or command.words[2] != "charge":
        raise command.refused("charges belong to types here: `set type TYPE charge NUMBER`")
    setup.mention(command.words[1], command)
    setup.charges.append((command.words[1], number(command.words[3], command, "a charge"), command))


def _create_box(command: Command, setup: Setup) -> None:
    if command.words and is_integer(command.words[0]):
        setup.mention(command.words[0], command)


def _read_data(command: Command, setup: Setup) -> None:
    """Sections of coefficients, masses and labels of a data file beside the input; none where there is no such file."""
    path = setup.folder / command.words[0] if command.words else None
    if path is None or "\0" in command.words[0] or len(command.words[0]) > 4000 or not path.is_file():
        return
    take_sections(sections_of(read_text(path).text, path), setup)


def take_sections(data: DataSections, setup: Setup) -> None:
    """What a data file adds."""
    setup.count = max(setup.count, min(data.types, MOST_TYPES))
    setup.labels |= data.labels
    setup.masses += data.masses
    for word in (*map(str, data.labels), *(mass[0] for mass in data.masses)):
        setup.mention(word, data.command)
    for pair, words, command in data.coefficients:
        for word in pair:
            setup.mention(word, command)
        setup.lines.append(Line(first=pair[0], second=pair[1], words=words, command=command))


def _pair_style(command: Command, setup: Setup) -> None:
    if setup.parts:
        raise command.refused("a second pair_style command")
    _before_runs(command, setup)
    if not command.words:
        raise command.refused("pair_style names no style")
    name, rest = command.words[0], command.words[1:]
    if name not in HYBRID:
        setup.parts = [_part(name, rest, command)]
        return
    setup.mode = name
    groups: list[list[str]] = []
    for word in rest:
        if is_number(word) and groups:
            groups[-1].append(word)
        else:
            groups.append([word])
    if not groups:
        raise command.refused(f"{name} names no style")
    names = [known_style(group[0]) for group in groups]
    setup.parts = [
        _part(group[0], tuple(group[1:]), command, number=names[: i + 1].count(names[i]) if names.count(names[i]) > 1 else 0)
        for i, group in enumerate(groups)
    ]


def known_style(name: str) -> str:
    """Name of a style without what says which machine it was written for."""
    return next((name.removesuffix(end) for end in ACCELERATED if name.endswith(end)), name)


def _part(name: str, words: tuple[str, ...], command: Command, number: int = 0) -> Part:
    if known_style(name) not in PAIR_STYLES:
        guess = did_you_mean(known_style(name), PAIR_STYLES)
        raise command.refused(f"pair style {quotation(name)} is not supported{guess}; known: {', '.join(PAIR_STYLES)}")
    style = PAIR_STYLES[known_style(name)]
    expected = style.settings if isinstance(style, PairStyle | AtomStyle) else ()
    if len(words) != len(expected):
        wanted = " and ".join(expected) or "nothing"
        raise command.refused(f"{wanted} should follow pair style {style.name}, not {quotation(' '.join(words))}")
    settings = {what: _setting(word, command, what) for what, word in zip(expected, words, strict=True)}
    return Part(style=style, settings=settings, number=number, command=command)


def _setting(word: str, command: Command, what: str) -> float:
    value = number(word, command, what)
    if not (value > 0 or (what in ("start", "inner", "alpha", "kappa") and value == 0)):
        raise command.refused(f"{what} = {value:g} must be positive")
    return value


def _pair_coeff(command: Command, setup: Setup) -> None:
    _before_runs(command, setup)
    if not setup.parts:
        raise command.refused("pair_coeff stands before pair_style")
    if len(command.words) < 2:
        raise command.refused("pair_coeff needs two types")
    for word in command.words[:2]:
        setup.mention(word, command)
    setup.lines.append(Line(first=command.words[0], second=command.words[1], words=command.words[2:], command=command))


def _before_runs(command: Command, setup: Setup) -> None:
    if setup.ran:
        raise command.refused("the potential changes after a run; keep the commands of one force field")


_MODIFIERS = {"shift": ("yes", "no"), "tail": ("no",), "mix": ("geometric", "arithmetic", "sixthpower"), "compute": ("yes",)}
_NO_MATTER = {"table": 1, "table/disp": 1, "tabinner": 1, "tabinner/disp": 1, "nofdotr": 0, "neigh/trim": 1}
"""Settings of tables that no style here has, and of how LAMMPS works; how many words follow them."""


def _pair_modify(command: Command, setup: Setup) -> None:
    _before_runs(command, setup)
    words = list(command.words)
    meant = _meant(words, command, setup) if words[:1] == ["pair"] else _any
    while words:
        key = words.pop(0)
        if key in _NO_MATTER:
            del words[: _NO_MATTER[key]]
            continue
        if key not in _MODIFIERS:
            raise command.refused(f"pair_modify {quotation(key)} is not supported{did_you_mean(key, _MODIFIERS)}")
        value = words.pop(0) if words else ""
        if value not in _MODIFIERS[key]:
            raise command.refused(f"pair_modify {key} must be {' or '.join(_MODIFIERS[key])} here, not {quotation(value)}")
        setup.modified.append((meant, key, value, command))


def _any(part: Part) -> bool:
    """What a setting without `pair STYLE` speaks of."""
    return True


def _meant(words: list[str], command: Command, setup: Setup) -> Callable[[Part], bool]:
    """The parts that `pair STYLE [N]` speaks of; these words are removed."""
    del words[0]
    name = known_style(words.pop(0)) if words else ""
    which = int(words.pop(0)) if words and is_integer(words[0]) else 0

    def meant(part: Part) -> bool:
        return part.style.name == name and part.number == which

    if not any(map(meant, setup.parts)):
        raise command.refused(f"no style {quotation(name)} of this number in the pair_style command")
    return meant


def _fix(command: Command, setup: Setup) -> None:
    style = known_style(command.words[2]) if len(command.words) > 2 else ""
    if style not in HARMLESS_FIXES:
        advice = ADVICE.get(style, "it may change energies; remove it if it does not")
        raise command.refused(f"fix {quotation(style)} is not represented: {advice}")


def _unless(words: tuple[str, ...], reason: str) -> Callable[[Command, Setup], None]:
    """A command that is refused unless it says just this."""

    def read(command: Command, setup: Setup) -> None:
        if command.words != words:
            raise command.refused(reason)

    return read


def _neigh_modify(command: Command, setup: Setup) -> None:
    if "exclude" in command.words:
        raise command.refused("pairs that are left out by atoms, groups or molecules are not represented")


_BONDED = "bonds, angles and the like are not represented; this reads pair styles of materials"
_READERS: dict[str, Callable[[Command, Setup], None]] = {
    "units": _units,
    "mass": _mass,
    "labelmap": _labelmap,
    "set": _set,
    "create_box": _create_box,
    "read_data": _read_data,
    "pair_style": _pair_style,
    "pair_coeff": _pair_coeff,
    "pair_modify": _pair_modify,
    "fix": _fix,
    "neigh_modify": _neigh_modify,
    "kspace_style": _unless(("none",), "long-range sums are not represented; coul/dsf and coul/wolf are"),
    "dielectric": _unless(("1.0",), "a dielectric constant other than 1.0 is not represented"),
    **{f"{kind}_{what}": _unless((), _BONDED) for kind in ("bond", "angle", "dihedral", "improper") for what in ("style", "coeff")},
}
