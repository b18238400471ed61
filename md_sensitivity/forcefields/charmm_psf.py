"""CHARMM's PSF: atoms with types and charges, and which of them are bonded; of CHARMM, X-PLOR and NAMD, with or without EXT and CMAP."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from md_sensitivity.errors import InputError
from md_sensitivity.files import quotation, shortened
from md_sensitivity.forcefields.lammps_words import finite_number

_MOST_ATOMS = 10**7
_FLAGS = ("EXT", "XPLOR", "CMAP", "CHEQ", "NAMD", "AUTOG")
_LISTS = {"NBOND": 2, "NTHETA": 3, "NPHI": 4, "NIMPHI": 4, "NCRTERM": 8}
"""Section → atoms of one entry."""
_UNUSED = ("NTITLE", "NDON", "NACC", "NGRP", "MOLNT")
"""Sections that no energy of these forms reads: titles, donors and acceptors of old hydrogen bonds, groups, molecules."""
_UNKNOWN_TO_US = {
    "NUMLP": "lone pairs",
    "NUMANISO": "anisotropic polarizabilities",
}
_COLUMNS = {False: (8, 9, 13, 14, 18, 19, 23, 24, 28, 29, 33, 34), True: (10, 11, 19, 20, 28, 29, 37, 38, 46, 47, 53, 54)}
"""Ends and beginnings of the columns of an atom, for EXT or not; needed only where a name is blank."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Psf:
    """What a PSF says. Atom indices start from 0.

    Attributes:
        where: the file, for messages.
        segments, residue_ids, residues, atoms, types: words of each atom; types are numbers in CHARMM's own flavor.
        charges: shape=(n,) [e].
        masses: shape=(n,) [amu].
        lists: `NBOND`, `NTHETA`, `NPHI`, `NIMPHI`, `NCRTERM` → shape=(m, atoms of an entry).
        excluded: further pairs without nonbonded interaction, shape=(m, 2).
        held: whether any atom is marked as fixed.
    """

    where: str
    segments: tuple[str, ...]
    residue_ids: tuple[str, ...]
    residues: tuple[str, ...]
    atoms: tuple[str, ...]
    types: tuple[str, ...]
    charges: np.ndarray
    masses: np.ndarray
    lists: dict[str, np.ndarray]
    excluded: np.ndarray
    held: bool

    @property
    def size(self) -> int:
        """Number of atoms."""
        return len(self.atoms)

    def atom(self, i: int) -> str:
        """An atom for messages."""
        return f"atom {i} ({self.residues[i]} {self.residue_ids[i]} {self.atoms[i]})"


def parse_psf(text: str, where: str) -> Psf:
    """A PSF.

    Raises:
        InputError: with line and reason, also for lone pairs and Drude particles.
    """
    lines = text.splitlines()
    flags = lines[0].split() if lines else []
    if not flags or flags[0] != "PSF":
        raise InputError(f"{where}: its first line is no PSF; a protein structure file of CHARMM, X-PLOR or NAMD begins so")
    for flag in flags[1:]:
        if flag.upper() == "DRUDE":
            raise InputError(f"{where}, line 1: DRUDE: polarizable models with Drude particles are not there; use an additive force field")
        if flag.upper() not in _FLAGS:
            raise InputError(f"{where}, line 1: unknown flag {quotation(flag)}; known: {', '.join(_FLAGS)}")
    sections = _sections(lines, where)
    for name, meaning in _UNKNOWN_TO_US.items():
        if name in sections and any(count != 0 for count in sections[name].counts):
            raise InputError(f"{where}, line {sections[name].line + 1}: {name}: {meaning} are not there; use a force field without them")
    if "NATOM" not in sections:
        raise InputError(f"{where}: has no section !NATOM")
    table = _atoms(sections["NATOM"], lines, where, wide="EXT" in [flag.upper() for flag in flags])
    size = len(table)
    lists = {}
    for name, order in _LISTS.items():
        section = sections.get(name)
        lists[name] = np.zeros((0, order), dtype=np.int64) if section is None else _tuples(section, lines, where, order, size)
    columns = list(zip(*(row[:5] for row in table), strict=True))
    return Psf(
        where=where,
        segments=columns[0],
        residue_ids=columns[1],
        residues=columns[2],
        atoms=columns[3],
        types=columns[4],
        charges=np.array([row[5] for row in table]),
        masses=np.array([row[6] for row in table]),
        lists=lists,
        excluded=_exclusions(sections["NNB"], lines, where, size) if "NNB" in sections else np.zeros((0, 2), dtype=np.int64),
        held=any(row[7] for row in table),
    )


@dataclass(frozen=True, kw_only=True)
class _Section:
    """A part of the file: numbers of its header, the line of that, and where its lines begin and end."""

    name: str
    counts: tuple[int, ...]
    line: int
    end: int

    @property
    def begin(self) -> int:
        return self.line + 1


def _sections(lines: list[str], where: str) -> dict[str, _Section]:
    """Sections by name."""
    headers = [number for number, line in enumerate(lines) if "!" in line and line.split("!", 1)[0].split()]
    # A title may hold anything, exclamation marks too; its lines are counted.
    found: dict[str, _Section] = {}
    past = 1
    for number in headers:
        if number < past:
            continue
        before, _, after = lines[number].partition("!")
        words = after.replace(":", " ").split()
        name = words[0].upper() if words else ""
        if name in found:
            raise InputError(f"{where}, line {number + 1}: a second section !{shortened(name)}")
        if name not in (*_LISTS, *_UNUSED, *_UNKNOWN_TO_US, "NATOM", "NNB"):
            raise InputError(f"{where}, line {number + 1}: unknown section {quotation('!' + name)}; what it asks for is not there")
        counts = tuple(_whole(word, f"{where}, line {number + 1}: the number of !{name}") for word in before.split())
        if any(not 0 <= count <= 8 * _MOST_ATOMS for count in counts):
            raise InputError(f"{where}, line {number + 1}: !{name} of {counts[0]} entries; at most {8 * _MOST_ATOMS} are read")
        past = number + 1 + (counts[0] if name in ("NTITLE", "NATOM") else 0)
        found[name] = _Section(name=name, counts=counts, line=number, end=len(lines))
    ordered = sorted(found.values(), key=lambda section: section.line)
    ends = [*(section.line for section in ordered[1:]), len(lines)]
    return {
        section.name: _Section(name=section.name, counts=section.counts, line=section.line, end=end)
        for section, end in zip(ordered, ends, strict=True)
    }


_Atom = tuple[str, str, str, str, str, float, float, bool]


def _atoms(section: _Section, lines: list[str], where: str, *, wide: bool) -> list[_Atom]:
    count = section.counts[0]
    if not 1 <= count <= _MOST_ATOMS:
        raise InputError(f"{where}, line {section.line + 1}: {count} atoms; from 1 to {_MOST_ATOMS} are read")
    table: list[_Atom] = []
    for number in range(section.begin, section.begin + count):
        line = lines[number] if number < section.end else ""
        place = f"{where}, line {number + 1}"
        words = line.split()
        if len(words) < 8:
            words = _by_columns(line, wide)
        if len(words) < 8 or words[0] != str(len(table) + 1):
            raise InputError(
                f"{place}: {quotation(line)} should be atom {len(table) + 1} of {count}: number, segment, residue number, residue, atom, "
                "type, charge, mass"
            )
        charge, mass = (finite_number(word, f"{place}: the {what}") for word, what in zip(words[6:8], ("charge", "mass"), strict=True))
        if not mass > 0:
            raise InputError(f"{place}: mass {mass:g} of {words[3]} {words[4]}: lone pairs and sites without mass are not there")
        held = words[8] if len(words) > 8 else "0"
        if held == "-1":
            raise InputError(f"{place}: {words[3]} {words[4]} is marked as a lone pair (-1), and these are not there")
        table.append((words[1], words[2], words[3], words[4], words[5].upper(), charge, mass, held == "1"))
    return table


def _by_columns(line: str, wide: bool) -> list[str]:
    """Words of an atom where a name is blank, so that only columns tell them apart."""
    ends = _COLUMNS[wide]
    heads = [line[: ends[0]], *(line[ends[k] : ends[k + 1]] for k in range(1, len(ends) - 1, 2))]
    return [word.strip() for word in heads] + line[ends[-1] :].split()


def _whole(word: str, where: str) -> int:
    digits = word[1:] if word[:1] == "-" else word
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 16):
        raise InputError(f"{where} is {quotation(word)}, not a whole number")
    return int(word)


def _integers(section: _Section, lines: list[str], where: str) -> np.ndarray:
    words = " ".join(lines[section.begin : section.end]).split()
    try:
        if not all(word.isascii() and "_" not in word for word in words):
            raise ValueError
        return np.array(words, dtype=np.int64) if words else np.zeros(0, dtype=np.int64)
    except (ValueError, OverflowError):
        for number in range(section.begin, section.end):
            for word in lines[number].split():
                _whole(word, f"{where}, line {number + 1}: an atom of !{section.name}")
        raise InputError(f"{where}, line {section.line + 1}: !{section.name} holds numbers that are too large") from None


def _tuples(section: _Section, lines: list[str], where: str, order: int, size: int) -> np.ndarray:
    found = _integers(section, lines, where)
    count = section.counts[0]
    place = f"{where}, line {section.line + 1}: !{section.name}"
    if len(found) != count * order:
        raise InputError(f"{place} of {count} entries should hold {count * order} atoms, and holds {len(found)}")
    if len(found) and not (found.min() >= 1 and found.max() <= size):
        raise InputError(f"{place} names atom {found.min() if found.min() < 1 else found.max()}; atoms run from 1 to {size}")
    atoms = found.reshape(-1, order) - 1
    parts = (atoms[:, :4], atoms[:, 4:]) if order == 8 else (atoms,)
    for part in parts:
        ranked = np.sort(part, axis=1)
        if len(bad := np.flatnonzero(np.any(ranked[:, 1:] == ranked[:, :-1], axis=1))):
            raise InputError(f"{place}: entry {bad[0] + 1} names an atom twice: {' '.join(map(str, atoms[bad[0]] + 1))}")
    return atoms


def _exclusions(section: _Section, lines: list[str], where: str, size: int) -> np.ndarray:
    """Pairs that !NNB lists: the atoms that are excluded, then for each atom where its list ends."""
    count = section.counts[0]
    found = _integers(section, lines, where)
    place = f"{where}, line {section.line + 1}: !NNB"
    if len(found) != count + size and not (count == 0 and len(found) == 0):
        raise InputError(f"{place} should hold {count} atoms and {size} ends of lists, and holds {len(found)} numbers")
    if count == 0:
        return np.zeros((0, 2), dtype=np.int64)
    partners, ends = found[:count] - 1, found[count:]
    starts = np.concatenate([[0], ends[:-1]])
    if np.any(ends < starts) or ends[-1] != count or partners.min() < 0 or partners.max() >= size:
        raise InputError(f"{place}: its lists of excluded atoms contradict themselves")
    pairs = np.column_stack([np.repeat(np.arange(size), ends - starts), partners])
    if np.any(pairs[:, 0] == pairs[:, 1]):
        raise InputError(f"{place}: an atom is excluded from itself")
    return pairs
