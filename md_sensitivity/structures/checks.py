"""Looks at files before a library reads them: counts that a file claims must fit its size, and what it must not lack.

A library that trusts a count of 999999999999 atoms reserves the memory for them, or loops as often.
"""

from __future__ import annotations

import re

from md_sensitivity.errors import InputError
from md_sensitivity.structures.source import Source, printable

_BYTES_PER_ATOM = 4
"""No format spends less than this on an atom."""
_SHELX_ATOM = re.compile(r"\w+ [0-9]+" + r" -?([0-9]+\.?[0-9]*|\.[0-9]+)" * 4 + r"( |$)")
_COUNTS = {
    "xsf": r"^\s*PRIMCOORD[^\n]*\n\s*(\d+)\b|^\s*ANIMSTEPS\s+(\d+)",
    "cfg": r"^\s*Number of particles\s*=\s*(\d+)|^\s*entry_count\s*=\s*(\d+)|^\s*auxiliary\[(\d+)\]",
    "gen": r"\A\s*(\d+)\s",
    "dlp4": r"\A[^\n]*\n\s*\d+\s+\d+\s+(\d+)",
}


def check_claims(source: Source, name: str) -> None:
    """Compare every count that a file of the format `name` states with the size of the file."""
    limit = len(source.data) // _BYTES_PER_ATOM
    for match in re.finditer(_COUNTS[name], source.text, flags=re.MULTILINE):
        claim = next(group for group in match.groups() if group)
        if len(claim) > 15 or int(claim) > limit:
            quoted = printable(match[0].strip()[:40])
            raise InputError(f"{source.where}: it announces {claim[:30]} entries ({quoted!r}), more than a file of its size can hold")


def check_xsf(source: Source) -> None:
    """Counts of an XSF file."""
    check_claims(source, "xsf")


def check_cfg(source: Source) -> None:
    """Counts of an AtomEye CFG file: ASE leaves the rows of missing atoms at zero."""
    check_claims(source, "cfg")
    declared = re.search(r"^\s*Number of particles\s*=\s*(\d+)", source.text, flags=re.MULTILINE)
    if not declared or int(declared[1]) == 0:
        raise InputError(f"{source.where}: there is no `Number of particles`, or it is 0")
    keyed = re.compile(r"=|^\s*(#|\.NO_VELOCITY\.)")
    rows = [line for line in source.text.split("\n")[1:] if len(line.split()) >= 3 and not keyed.search(line)]
    if len(rows) != int(declared[1]):
        raise InputError(f"{source.where}: it announces {declared[1]} particles, but lists {len(rows)}; the file is truncated or damaged")


def check_gen(source: Source) -> None:
    """Counts of a DFTB+ GEN file: ASE takes what is there."""
    check_claims(source, "gen")
    lines = source.text.split("\n")
    head, rows = lines[0].split(), lines[2:]
    count = int(head[0]) if head and head[0].isdecimal() else 0
    if count == 0 or sum(len(line.split()) >= 5 for line in rows[:count]) != count:
        raise InputError(f"{source.where}: line 1 announces {count} atoms, but they do not follow; the file is truncated or damaged")


def check_res(source: Source) -> None:
    """A SHELX file ends in END: without it ASE takes the atoms that are left; and it passes over atoms whose numbers it cannot read."""
    if not re.search(r"^END\b", source.text, flags=re.MULTILINE | re.IGNORECASE):
        raise InputError(f"{source.where}: there is no END in it; the file is truncated (append a line END if it is complete)")
    lines = source.text.split("\n")
    first = next((index for index, line in enumerate(lines) if line.split()[:1] == ["SFAC"]), len(lines))
    for index, line in enumerate(lines[first + 1 :], start=first + 2):
        words = line.split()
        if words == ["END"]:
            break
        if _is_shelx_atom(words) and not _SHELX_ATOM.match(" ".join(words)):
            raise InputError(
                f"{source.where}: line {index} is not an atom: {printable(line[:60])!r}; "
                "an atom is `label number x y z occupancy`, without exponents"
            )


def _is_shelx_atom(words: list[str]) -> bool:
    """Whether a line is an atom, and no instruction: those are words of four letters, or one of few others."""
    label = words[0] if words else ""
    instruction = (len(label) == 4 and label.isalpha()) or label.upper() in ("REM", "L.S.", "END")
    return label[:1].isalpha() and not instruction and len(words) > 2


def check_dlp4(source: Source) -> None:
    """Counts of a DL_POLY CONFIG file: lines per atom by its first number, cell by its second, atoms by its third."""
    check_claims(source, "dlp4")
    lines = source.text.rstrip().split("\n")
    words = lines[1].split() if len(lines) > 1 else []
    if len(words) < 2 or not all(word.isdecimal() and len(word) < 16 for word in words[:3]):
        raise InputError(f"{source.where}: line 2 must hold two or three integers (levcfg, imcon, atoms)")
    level, periodic, *declared = (int(word) for word in words[:3])
    atoms, rest = divmod(len(lines) - 2 - (3 if periodic else 0), level + 2)
    if rest or atoms < 1 or (declared and declared[0] not in (0, atoms)):
        found = f"{atoms} atoms of {level + 2} lines each, and {rest} lines"
        raise InputError(f"{source.where}: {found}, follow a header of {declared or 'no count of'} atoms; the file is truncated or damaged")


def check_xdatcar(source: Source) -> None:
    """Counts of a VASP trajectory: every integer beside the numbers of configurations."""
    limit = len(source.data) // _BYTES_PER_ATOM
    for line in source.text.split("\n")[1:]:
        counts = [] if "." in line or "configuration" in line else re.findall(r"\d+", line)
        if any(len(count) > 15 or int(count) > limit for count in counts):
            raise InputError(f"{source.where}: it announces {printable(line.strip()[:40])} atoms, more than a file of its size can hold")


def check_poscar(source: Source) -> None:
    """Counts and selective-dynamics flags of a POSCAR: ASE takes anything but `F` for free."""
    from ase.data import atomic_numbers

    lines = source.text.split("\n")
    counts_line = next((index for index in (5, 6) if index < len(lines) and re.match(r"\s*\d+(\s|!|$)", lines[index])), None)
    if counts_line is None:
        raise InputError(f"{source.where}: lines 6 and 7 hold no numbers of atoms; the file is truncated, or no POSCAR")
    counts = [int(word) for word in lines[counts_line].partition("!")[0].split() if word.isdecimal() and len(word) < 16]
    total = sum(counts)
    mode = lines[counts_line + 1 : counts_line + 2]
    selective = bool(mode) and mode[0].strip()[:1].lower() == "s"
    first = counts_line + 2 + selective
    rows = [line.split() for line in lines[first : first + min(total, len(lines))]]
    found = sum(len(row) >= 3 for row in rows)
    if total == 0 or found < total:
        raise InputError(
            f"{source.where}: line {counts_line + 1} announces {total} atoms, but {found} follow; "
            "the file is truncated, or the count is wrong"
        )
    if counts_line == 5 and sum(word in atomic_numbers for word in re.findall(r"[A-Z][a-z]?", lines[0])) < len(counts):
        raise InputError(f"{source.where}: neither line 6 nor the comment of line 1 names the chemical elements; add them as line 6")
    for atom, row in enumerate(rows if selective else []):
        if len(row) < 6 or set(row[3:6]) - {"T", "F"}:
            flags = printable(" ".join(row[3:6])[:40])
            raise InputError(f"{source.where}: atom {atom}: selective dynamics needs three flags, T (free) or F (fixed), not {flags!r}")
