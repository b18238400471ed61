"""Topologies of GROMACS as lines of words: files included, conditions decided, macros replaced, comments gone.

Source: GROMACS's manual, "Topology file", https://manual.gromacs.org.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from md_sensitivity.errors import InputError
from md_sensitivity.files import quotation, shortened, shown
from md_sensitivity.forcefields.files import MAX_BYTES, read_text

_DEEPEST = 16
"""Includes within includes, and macros within macros."""
_MOST_FILES = 1000
_MOST_WORDS = 200_000
"""Words of a line, macros replaced: a correction map is one line."""
_LIBRARY = "GMXLIB"
_SUFFIXES = (".itp", ".top", ".h", ".prm", ".inc")
"""Ends of names of files that topologies include; those in folders `NAME.ff` may have any."""
_INCLUDE = re.compile(r'(?:"([^"]+)"|<([^>]+)>)\s*$')


@dataclass(frozen=True, kw_only=True)
class Macro:
    """A `#define` with a value; two definitions are never the same."""

    name: str
    words: tuple[str, ...]
    file: str
    number: int


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line with data, or the head of a section.

    Attributes:
        file, number: where it begins; numbers from 1.
        words: without comments, macros replaced.
        macros: for each word the macro that it is from, or None.
    """

    file: str
    number: int
    words: tuple[str, ...]
    macros: tuple[Macro | None, ...]

    @property
    def place(self) -> str:
        """For messages."""
        return f"{self.file}, line {self.number}"

    def refused(self, reason: str) -> InputError:
        """The error that says why this line cannot be read."""
        return InputError(f"{self.place}: {quotation(' '.join(self.words))}: {reason}")


@dataclass
class _State:
    """What changes while files are read."""

    folders: tuple[Path, ...]
    macros: dict[str, Macro | None]
    files: int = 0
    size: int = 0
    conditions: list[list[bool]] = field(default_factory=list)
    """For each open condition, whether its branch is taken, and whether `#else` was met."""

    @property
    def active(self) -> bool:
        return all(taken for taken, _ in self.conditions)


def preprocessed(text: str, path: Path, define: Iterable[str] = ()) -> Iterator[Line]:
    """Lines of a topology.

    Args:
        text, path: the file; includes are looked up beside the file that names them, beside this one, and in the folders of the
            environment variable GMXLIB, and are read where their names are those of topologies: messages quote lines of them.
        define: macros as on a command line: `FLEXIBLE` or `NAME=value`.

    Raises:
        InputError: with file, line and reason.
    """
    library = [Path(folder) for folder in os.environ.get(_LIBRARY, "").split(os.pathsep) if folder]
    macros: dict[str, Macro | None] = {}
    for one in define:
        name, _, value = one.partition("=")
        if not re.fullmatch(r"[A-Za-z_]\w*", name):
            raise InputError(f"{shown(path)}: define = {quotation(one)} is no name of a macro")
        macros[name] = Macro(name=name, words=tuple(value.split()), file="define", number=0)
    state = _State(folders=(path.parent, *library), macros=macros)
    yield from _lines(text, path, state, 0)
    if state.conditions:
        raise InputError(f"{shown(path)}: an #ifdef or #ifndef has no #endif")


def _lines(text: str, path: Path, state: _State, depth: int) -> Iterator[Line]:
    state.files += 1
    state.size += len(text)
    where = shown(path)
    if state.files > _MOST_FILES or state.size > MAX_BYTES:
        raise InputError(f"{where}: the topology includes more than {_MOST_FILES} files or {MAX_BYTES} bytes")
    for number, raw in _continued(text, where):
        content = raw.split(";", 1)[0].strip()
        if not content:
            continue
        if content.startswith("#"):
            yield from _directive(content, where, number, path, state, depth)
        elif state.active:
            words, macros = _replaced(content, state, f"{where}, line {number}")
            if words:
                yield Line(file=where, number=number, words=words, macros=macros)


def _continued(text: str, where: str) -> Iterator[tuple[int, str]]:
    """Lines with what follows a backslash at their end, and the number of the first."""
    parts: list[str] = []
    first = 1
    for number, line in enumerate(text.splitlines(), start=1):
        if not parts:
            first = number
        stripped = line.rstrip()
        if stripped.endswith("\\"):
            parts.append(stripped[:-1])
            continue
        yield first, " ".join([*parts, line])
        parts = []
    if parts:
        raise InputError(f"{where}, line {first}: the last line ends with a backslash; the file is truncated")


def _replaced(content: str, state: _State, place: str) -> tuple[tuple[str, ...], tuple[Macro | None, ...]]:
    """Words of a line with macros replaced, and which macro each is from."""
    words: list[str] = []
    macros: list[Macro | None] = []
    budget = [_MOST_WORDS]

    def add(word: str, origin: Macro | None, depth: int) -> None:
        macro = state.macros.get(word)
        budget[0] -= 1
        if budget[0] < 0 or depth > _DEEPEST:
            raise InputError(f"{place}: macros that hold macros make this line longer than {_MOST_WORDS} words")
        if macro is None:
            words.append(word)
            macros.append(origin)
            return
        for inner in macro.words:
            add(inner, macro if origin is None else origin, depth + 1)

    for word in content.split():
        add(word, None, 0)
    return tuple(words), tuple(macros)


def _directive(content: str, where: str, number: int, path: Path, state: _State, depth: int) -> Iterator[Line]:
    words = content[1:].split(None, 1)
    name, rest = (words[0] if words else ""), (words[1].strip() if len(words) > 1 else "")
    place = f"{where}, line {number}"
    if name in ("ifdef", "ifndef"):
        if not re.fullmatch(r"\S+", rest):
            raise InputError(f"{place}: {quotation(content)} must name one macro")
        state.conditions.append([(rest in state.macros) == (name == "ifdef"), False])
    elif name in ("else", "endif"):
        if not state.conditions or (name == "else" and state.conditions[-1][1]):
            raise InputError(f"{place}: #{name} without #ifdef or #ifndef")
        if name == "endif":
            state.conditions.pop()
        else:
            state.conditions[-1] = [not state.conditions[-1][0], True]
    elif not state.active:
        return
    elif name == "include":
        yield from _included(rest, place, path, state, depth)
    elif name == "define":
        if not rest:
            raise InputError(f"{place}: #define must name a macro")
        key, *value = rest.split()
        state.macros[key] = Macro(name=key, words=tuple(value), file=where, number=number)
    elif name == "undef":
        state.macros.pop(rest, None)
    else:
        known = "#include, #define, #undef, #ifdef, #ifndef, #else, #endif"
        raise InputError(f"{place}: {quotation(content)} is not supported; the preprocessor knows {known}")


def _included(rest: str, place: str, path: Path, state: _State, depth: int) -> Iterator[Line]:
    named = _INCLUDE.match(rest)
    if named is None:
        raise InputError(f'{place}: #include must name one file, such as #include "molecule.itp"')
    if depth >= _DEEPEST:
        raise InputError(f"{place}: more than {_DEEPEST} files include one another")
    name = named[1] or named[2]
    for folder in dict.fromkeys((path.parent, *state.folders)):
        candidate = folder / name
        try:
            found = candidate.is_file()
        except (OSError, ValueError):
            found = False
        if found:
            _require_topology(candidate, f"{place}: {quotation(name)}")
            yield from _lines(read_text(candidate).text, candidate, state, depth + 1)
            return
    raise InputError(
        f"{place}: there is no file {shortened(name)!r} beside the topology; put it there, or set {_LIBRARY} to the folder of "
        "GROMACS's force fields (share/gromacs/top)"
    )


def _require_topology(path: Path, place: str) -> None:
    """Refuses a file that is no part of a topology by its name, or by that of the file that a link leads to.

    Raises:
        InputError: which quotes nothing of the file.
    """
    for file in (path, Path(os.path.realpath(path))):
        if file.suffix.lower() not in _SUFFIXES and file.parent.suffix.lower() != ".ff":
            raise InputError(f"{place} is not read: files that a topology includes have names that end with one of {', '.join(_SUFFIXES)}")
