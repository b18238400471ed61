"""Lines of CHARMM's files: comments, titles and continuations, and which part of a parameter file each belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from md_sensitivity.errors import InputError
from md_sensitivity.files import quotation

_LONGEST = 20_000
_SECTIONS = {
    "ATOM": "ATOMS",
    "BOND": "BONDS",
    "ANGL": "ANGLES",
    "THET": "ANGLES",
    "DIHE": "DIHEDRALS",
    "PHI": "DIHEDRALS",
    "IMPR": "IMPROPER",
    "IMPH": "IMPROPER",
    "CMAP": "CMAP",
    "NONB": "NONBONDED",
    "NBON": "NONBONDED",
    "NBFI": "NBFIX",
    "HBON": "HBOND",
    "THOL": "THOLE",
    "NBTH": "THOLE",
}
"""First four letters of a header → section; CHARMM reads no more of them."""
_WITH_OPTIONS = ("NONBONDED", "HBOND")
_COMMANDS = ("SET", "IF", "IOFO", "BOML", "WRNL", "PRNL", "RETU", "STOP")
"""Commands of CHARMM's scripts that change no parameter; `if` chooses only how a set is appended in the files that are published."""
TOPOLOGY = "TOPOLOGY"


class Line(NamedTuple):
    """A line with what is continued from it: its section, words in upper case, and its place for messages."""

    section: str
    words: list[str]
    place: str
    header: bool


def charmm_lines(text: str, where: str, *, topology: bool, stream: bool) -> Iterator[Line]:
    """Lines of a parameter file, a stream file or, with `topology`, of a file of residues.

    Raises:
        InputError: for a line that belongs nowhere, such as a command of a script that is not understood.
    """
    section = TOPOLOGY if topology else ""
    for number, line in _joined(text, where):
        words = line.upper().split()
        place = f"{where}, line {number}"
        key = words[0][:4]
        if key == "READ" and len(words) > 1:
            section = _after_read(words, line, place)
        elif key == "END" and len(words) == 1:
            section = TOPOLOGY if topology else ""
        elif section == TOPOLOGY:
            if key == "MASS":
                yield Line(TOPOLOGY, words, place, False)
        elif (name := _SECTIONS.get(key if len(words[0]) >= 3 else "")) and (len(words) == 1 or name in _WITH_OPTIONS):
            section = name
            yield Line(section, words, place, True)
        elif key == "MASS":
            yield Line("ATOMS", words, place, False)
        elif section:
            yield Line(section, words, place, False)
        elif key not in _COMMANDS:
            hint = "a script of CHARMM is not run; keep the parts that begin with read para" if stream else "it stands in no section"
            raise InputError(f"{place}: {quotation(line)} is not understood: {hint}")


def _after_read(words: list[str], line: str, place: str) -> str:
    """The section that `read rtf card`, `read para card flex append` begins."""
    if words[1].startswith("RTF"):
        return TOPOLOGY
    if words[1].startswith("PARA"):
        return ""
    raise InputError(f"{place}: {quotation(line)} is not understood; of read, only read rtf and read para are")


def _joined(text: str, where: str) -> Iterator[tuple[int, str]]:
    """Lines without comments and titles, those that end with a hyphen joined to the next; with their numbers from 1."""
    before, first = "", 0
    for number, raw in enumerate(text.splitlines(), start=1):
        if raw.startswith("*"):
            continue
        line = raw.split("!", 1)[0].strip()
        if before:
            line = before + " " + line
        first = first if before else number
        if len(line) > _LONGEST:
            raise InputError(f"{where}, line {first}: longer than {_LONGEST} characters")
        before = ""
        if line.endswith("-"):
            before = line[:-1].rstrip() or " "
        elif line.strip():
            yield first, line.strip()
    if before.strip():
        raise InputError(f"{where}, line {first}: the file ends where {quotation(before)} should be continued")
