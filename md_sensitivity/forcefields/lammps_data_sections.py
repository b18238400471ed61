"""Sections of LAMMPS data files that speak of the force field: masses, labels of types, and coefficients of pairs."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from md_sensitivity.errors import InputError
from md_sensitivity.files import quotation, shown
from md_sensitivity.forcefields.lammps_script import Command
from md_sensitivity.structures.numerals import is_integer, is_number, real

_HEAD = re.compile(r"[A-Z][A-Za-z0-9]*( [A-Z][A-Za-z0-9]*)*$")
_BONDED = re.compile(r"(Bond|Angle|Dihedral|Improper|MiddleBondTorsion|EndBondTorsion)\w*( Pair)? Coeffs$")
PAIRS = {"Pair Coeffs": 1, "PairIJ Coeffs": 2}
"""Sections with coefficients of pairs, and how many types begin a row."""


@dataclass(kw_only=True)
class DataSections:
    """What a data file says.

    Attributes:
        units: as its title has them; "" where it has none.
        types: number of atom types in its header.
        labels, masses, coefficients: of types and of pairs, as `Setup` has them.
        style: comment of the section of coefficients, which names the pair style.
        command: the file, for messages.
    """

    command: Command
    units: str = ""
    types: int = 0
    labels: dict[int, str] = field(default_factory=dict)
    masses: list[tuple[str, float, Command]] = field(default_factory=list)
    coefficients: list[tuple[tuple[str, str], tuple[str, ...], Command]] = field(default_factory=list)
    style: str = ""
    head: Command | None = None


def is_data(text: str) -> bool:
    """Whether a text is a data file, not an input: its header counts atoms."""
    return re.search(r"^[ \t]*\d+[ \t]+atoms[ \t]*(#.*)?$", text[:20_000], re.MULTILINE) is not None


def sections_of(text: str, path: Path) -> DataSections:
    """Read the sections; atoms and whatever else is left out.

    Raises:
        InputError: with the line, where a row is not what its section says.
    """
    where, section = shown(path), ""
    data = DataSections(command=Command(name="", words=(), where=where, line=""))
    for number, line in enumerate(text.split("\n"), start=1):
        content, _, comment = line.partition("#")
        if number == 1:
            found = re.search(r"units\s*=\s*(\w+)", line)
            data.units = found[1] if found else ""
            continue
        if not content.strip():
            continue
        if content[0].isupper() and _HEAD.match(content.strip()):
            section = " ".join(content.split())
            command = Command(name=section, words=(), where=f"{where}, line {number}", line=line)
            if _BONDED.match(section):
                raise command.refused("bonds, angles and the like are not represented")
            if section in PAIRS:
                if data.head is not None:
                    raise command.refused("a second section of coefficients of pairs")
                data.style, data.head = comment.strip(), command
        elif section:
            if section in ("Masses", "Atom Type Labels", *PAIRS):
                _row(section, Command(name=section, words=tuple(content.split()), where=f"{where}, line {number}", line=line), data)
        elif (words := content.split())[1:] == ["atom", "types"] and is_integer(words[0]):
            data.types = int(words[0])
    return data


def _row(section: str, command: Command, data: DataSections) -> None:
    words = command.words
    if section == "Masses":
        if len(words) != 2 or not is_number(words[1]):
            raise command.refused("a row of Masses is a type and a number")
        data.masses.append((words[0], real(words[1]), command))
    elif section == "Atom Type Labels":
        if len(words) != 2 or not is_integer(words[0]):
            raise command.refused("a row of Atom Type Labels is a number and a label")
        data.labels[int(words[0])] = words[1]
    else:
        count = PAIRS[section]
        if len(words) <= count:
            raise command.refused(f"a row of {section} begins with {count} type{'s' if count > 1 else ''}, and numbers follow")
        data.coefficients.append(((words[0], words[count - 1]), words[count:], command))


def style_of(data: DataSections) -> str:
    """The pair style that the section's comment names.

    Raises:
        InputError: there is no such section, or no comment.
    """
    if data.head is None:
        raise InputError(f"{data.command.where}: this data file has no section of coefficients (Pair Coeffs, PairIJ Coeffs)")
    if not data.style:
        raise data.head.refused(f"which pair style? Write it as a comment, such as `{data.head.name} # lj/cut`")
    if len(data.style.split()) != 1:
        raise data.head.refused(f"{quotation(data.style)} does not name one pair style")
    return data.style
