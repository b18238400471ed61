"""LAMMPS input scripts → commands: continued lines, comments, quotes, variables and included files, before any command is understood.

Nothing is executed. What would make the commands depend on a run (loops, jumps, conditions, the environment) is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from md_sensitivity.errors import InputError
from md_sensitivity.files import quotation, shortened, shown
from md_sensitivity.forcefields.files import read_text
from md_sensitivity.forcefields.lammps_formula import evaluated

_DEEPEST = 8
"""Includes within includes, and variables within variables."""
_MOST_COMMANDS = 100_000
_LONGEST = 100_000
"""Characters of one line after its variables are filled in."""
_WORD = re.compile(r'"""(.*?)"""|"([^"]*)"|\'([^\']*)\'|(\S+)', re.DOTALL)
_QUOTED = re.compile(r'""".*?"""|"[^"]*"|\'[^\']*\'', re.DOTALL)
CONTROL = ("if", "jump", "label", "next", "partition", "python", "shell", "clear", "quit", "plugin", "mdi", "rerun")
"""Commands after which nobody can tell which commands follow, or whether they count."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """One command.

    Attributes:
        name, words: what stands first, and after it, variables filled in.
        where: file and line.
        line: as written, for messages.
    """

    name: str
    words: tuple[str, ...]
    where: str
    line: str

    def refused(self, reason: str) -> InputError:
        """The error that names this line."""
        return InputError(f"{self.where}: {reason}: {quotation(self.line)}")


@dataclass
class _Script:
    """What is known after the commands read so far."""

    matters: Callable[[str], bool]
    folder: Path
    variables: dict[str, tuple[str, str]] = field(default_factory=dict)
    count: int = 0


def commands_of(text: str, path: Path, matters: Callable[[str], bool]) -> Iterator[Command]:
    """Commands of a script, and of the files beside it that it includes.

    Args:
        text, path: the script, and where it is; an `include` is looked up beside it.
        matters: name of a command → whether its words are wanted; of others no variable is filled in.

    Raises:
        InputError: with file, line and reason.
    """
    yield from _commands(text, path, _Script(matters, path.parent), 0)


def _commands(text: str, path: Path, script: _Script, depth: int) -> Iterator[Command]:
    for number, line in _joined(text):
        where = f"{shown(path)}, line {number}"
        bare = _uncommented(line)
        name = bare.split(maxsplit=1)[0] if bare.strip() else ""
        if not name:
            continue
        script.count += 1
        if script.count > _MOST_COMMANDS:
            raise InputError(f"{where}: more than {_MOST_COMMANDS} commands; no force field needs as many")
        if not name.startswith("$") and name not in ("variable", "include", *CONTROL) and not script.matters(name):
            yield Command(name=name, words=(), where=where, line=line)
            continue
        words = _words(_filled(bare, script, where, line), where, line)
        command = Command(name=words[0] if words else "", words=tuple(words[1:]), where=where, line=line)
        if command.name in CONTROL:
            raise command.refused(f"{command.name} is not followed; write out the commands of the force field")
        if command.name == "variable":
            _define(command, script)
        elif command.name == "include":
            yield from _included(command, script, depth)
        else:
            yield command


def _joined(text: str) -> Iterator[tuple[int, str]]:
    """Lines with those that continue them, each with the number of its first line."""
    lines = iter(enumerate(text.replace("\r\n", "\n").split("\n"), start=1))
    for number, line in lines:
        parts = [line.rstrip()]
        marks = line.count('"""')
        while parts[-1].endswith("&") or marks % 2:
            if parts[-1].endswith("&"):
                parts[-1] = parts[-1][:-1]
            following = next(lines, None)
            if following is None:
                break
            parts.append(following[1].rstrip())
            marks += following[1].count('"""')
        yield number, "".join(parts)


def _uncommented(line: str) -> str:
    """The line up to a `#` outside of quotes."""
    if "#" not in line:
        return line
    start = 0
    while (place := line.find("#", start)) >= 0:
        span = next((match.span() for match in _QUOTED.finditer(line) if match.start() < place < match.end()), None)
        if span is None:
            return line[:place]
        start = span[1]
    return line


def _words(line: str, where: str, written: str) -> list[str]:
    words = []
    for match in _WORD.finditer(line):
        if match[4] is not None and match[4][0] in "\"'":
            raise InputError(f"{where}: a quotation does not end: {quotation(written)}")
        words.append(next(part for part in match.groups() if part is not None))
    return words


def _filled(line: str, script: _Script, where: str, written: str) -> str:
    """The line with values for `$x`, `${name}` and `$(formula)`, which LAMMPS leaves alone within quotes."""
    if "$" not in line:
        return line
    spans = [match.span() for match in _QUOTED.finditer(line)]
    found, place = [], 0
    while (dollar := line.find("$", place)) >= 0:
        quoted = next((end for start, end in spans if start < dollar < end), 0)
        if quoted:
            found.append(line[place:quoted])
            place = quoted
            continue
        value, end = _substitute(line, dollar, script, where, written)
        found += [line[place:dollar], value]
        place = end
        if sum(map(len, found)) > _LONGEST:
            raise InputError(f"{where}: variables make a line of more than {_LONGEST} characters")
    return "".join(found) + line[place:]


def _substitute(line: str, dollar: int, script: _Script, where: str, written: str) -> tuple[str, int]:
    """Value of the variable or formula that begins at a `$`, and where it ends."""
    opening = line[dollar + 1 : dollar + 2]
    if opening == "{":
        end = line.find("}", dollar)
        if end < 0:
            raise InputError(f"{where}: a variable `${{` does not end: {quotation(written)}")
        return _value(line[dollar + 2 : end], script, where, 0), end + 1
    if opening == "(":
        level, end = 1, dollar + 2
        while end < len(line) and level:
            level += {"(": 1, ")": -1}.get(line[end], 0)
            end += 1
        if level:
            raise InputError(f"{where}: a formula `$(` does not end: {quotation(written)}")
        formula, colon, layout = line[dollar + 2 : end - 1].partition(":")
        if colon and not re.fullmatch(r"%[-+ 0]?\d{0,2}(\.\d{1,2})?[efgEG]", layout):
            raise InputError(f"{where}: the format {quotation(layout)} of a formula is not supported: {quotation(written)}")
        return (layout or "%.20g") % _formula(formula, script, where, 0), end
    return _value(opening, script, where, 0), dollar + 2


def _value(name: str, script: _Script, where: str, depth: int) -> str:
    """Text that stands for a variable."""
    if name not in script.variables:
        raise InputError(f"{where}: variable {quotation(name)} is not defined; add `variable {shortened(name)} equal ...` before this line")
    style, content = script.variables[name]
    if style == "equal":
        return f"{_formula(content, script, where, depth, name):.15g}"
    if style != "text":
        raise InputError(f"{where}: variable {quotation(name)} is of style {shortened(style)}, which only a run can evaluate")
    return content


def _formula(formula: str, script: _Script, where: str, depth: int, name: str = "") -> float:
    def lookup(other: str) -> float:
        if depth > _DEEPEST:
            raise ValueError("goes through too many other variables")
        style, content = script.variables.get(other, ("", ""))
        if style == "equal":
            return _formula(content, script, where, depth + 1, other)
        try:
            return evaluated(_value(other, script, where, depth), lookup)
        except ValueError:
            raise ValueError(f"asks for variable {other!r}, which is no number") from None

    try:
        return evaluated(formula, lookup)
    except ValueError as error:
        of = f"formula of variable {quotation(name)}" if name else "formula"
        raise InputError(f"{where}: the {of} {shortened(str(error), 120)}: {quotation(formula.strip())}") from None


def _define(command: Command, script: _Script) -> None:
    """A `variable` command: texts and formulas are kept, others remembered as what they are."""
    if len(command.words) < 2:
        raise command.refused("a variable has a name and a style")
    name, style, *values = command.words
    if not re.fullmatch(r"\w+", name, re.ASCII):
        raise command.refused("names of variables are letters, digits and underscores")
    if style == "delete":
        script.variables.pop(name, None)
    elif style in ("index", "string"):
        if not values:
            raise command.refused(f"a variable of style {style} needs a value")
        if style == "string" or name not in script.variables:     # LAMMPS keeps the first definition of an index variable
            script.variables[name] = ("text", values[0])
    elif style in ("equal", "internal"):
        script.variables[name] = ("equal", " ".join(values))
    elif name not in script.variables:
        script.variables[name] = (style, "")


def _included(command: Command, script: _Script, depth: int) -> Iterator[Command]:
    """Commands of an included file."""
    if len(command.words) != 1:
        raise command.refused("include names one file")
    if depth >= _DEEPEST:
        raise command.refused(f"more than {_DEEPEST} files include one another")
    path = script.folder / command.words[0]
    try:
        text = read_text(path).text
    except InputError as error:
        raise InputError(f"{command.where}: {error}") from None
    yield from _commands(text, path, script, depth + 1)

