"""Bonded interactions of one molecule of a GROMACS topology: which line of the force field gives the numbers of each.

Source: GROMACS's manual, "Topology file", table of interaction types, https://manual.gromacs.org.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from md_sensitivity.errors import InputError
from md_sensitivity.forcefields.gromacs_preprocessor import Line
from md_sensitivity.forcefields.gromacs_sections import WILDCARD, Entry, Sections, number, whole
from md_sensitivity.forcefields.line_rows import LineRows
from md_sensitivity.forcefields.molecular_terms import bonded_rows
from md_sensitivity.units import GROMACS


class Kind(NamedTuple):
    """What a function of a section means.

    Attributes:
        parts: label → parameters and constants, in the order of the file's columns.
        optional: columns that may be missing, where they are zero.
    """

    parts: tuple[tuple[str, tuple[str, ...]], ...]
    optional: int = 0

    @property
    def columns(self) -> int:
        """Numbers on a line."""
        return sum(len(names) for _, names in self.parts)


_PERIODIC = ("phase", "k", "n")
_ORDERS = {"bonds": 2, "angles": 3, "dihedrals": 4}
_KINDS: dict[tuple[str, str], Kind] = {
    ("bonds", "1"): Kind((("HarmonicBond", ("r0", "k")),)),
    ("bonds", "3"): Kind((("MorseBond", ("r0", "D", "alpha")),)),
    ("bonds", "5"): Kind(()),
    ("bonds", "6"): Kind((("HarmonicBond", ("r0", "k")),)),
    ("angles", "1"): Kind((("HarmonicAngle", ("theta0", "k")),)),
    ("angles", "5"): Kind((("HarmonicAngle", ("theta0", "k")), ("UreyBradley", ("r0", "k")))),
    ("dihedrals", "1"): Kind((("PeriodicTorsion", _PERIODIC),)),
    ("dihedrals", "2"): Kind((("HarmonicImproper", ("phi0", "k")),)),
    ("dihedrals", "3"): Kind((("RBTorsion", ("c0", "c1", "c2", "c3", "c4", "c5")),)),
    ("dihedrals", "4"): Kind((("PeriodicImproper", _PERIODIC),)),
    ("dihedrals", "5"): Kind((("FourierTorsion", ("F1", "F2", "F3", "F4")),), optional=1),
    ("dihedrals", "9"): Kind((("PeriodicTorsion", _PERIODIC),)),
}
_JOINING = ("1", "3", "5")
"""Functions of bonds that count for exclusions."""
_SHARED = {"1": ("1", "9"), "9": ("9", "1")}
"""Functions of torsions whose types serve one another."""


@dataclass
class Bonded:
    """Rows in the making, and lookups of what is known about types.

    Attributes:
        rows: label → rows.
    """

    sections: Sections
    rows: dict[str, LineRows] = field(default_factory=dict)
    _exact: dict[str, dict[tuple[str, tuple[str, ...]], list[Entry]]] = field(default_factory=dict)
    _found: dict[tuple[str, str, tuple[str, ...]], list[Entry]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for section in ("bondtypes", "angletypes", "dihedraltypes", "cmaptypes"):
            self._exact[section] = _by_types(section, self.sections.entries[section])

    def of_label(self, label: str, map_size: int | None = None) -> LineRows:
        """Rows of a term."""
        if label not in self.rows:
            self.rows[label] = bonded_rows(label, GROMACS, self.sections.where, factor=0.5, map_size=map_size)
        return self.rows[label]

    def interactions(self, section: str, lines: Sequence[Line], types: Sequence[str]) -> Iterator[tuple[str, list[int], int]]:
        """Label, atoms from 0 and row of each interaction of a section of a molecule.

        Args:
            types: bonded type of each atom of the molecule.
        """
        order = _ORDERS[section]
        for line in lines:
            atoms = atoms_of(line, order, len(types))
            function = line.words[order] if len(line.words) > order else "1"
            kind = _KINDS.get((section, function))
            if kind is None:
                known = ", ".join(name for of, name in _KINDS if of == section)
                raise line.refused(f"function {function} of [ {section} ] is not supported; those are {known}")
            own = tuple(types[atom] for atom in atoms)
            for label, row in self._rows_of(section, function, kind, line, own):
                yield label, atoms, row

    def _rows_of(self, section: str, function: str, kind: Kind, line: Line, types: tuple[str, ...]) -> Iterator[tuple[str, int]]:
        if not kind.parts:
            return
        start = _ORDERS[section] + 1
        if len(line.words) > start:
            macro = line.macros[start]
            if macro is not None:
                yield from self._made(kind, ("macro", macro), (macro.name,), line.words[start:], line, macro.file, macro.number)
            else:
                yield from self._made(kind, (line.file, line.number), types, line.words[start:], line, line.file, line.number)
            return
        entries = self.matching(f"{section[:-1]}types", function, types, line)
        if function == "1" and len(entries) > 1:
            raise line.refused(f"function 1 takes one line of parameters, but there are {len(entries)} from {entries[0].line.place}; use 9")
        for entry in entries:
            key = (entry.line.file, entry.line.number)
            yield from self._made(kind, key, entry.types, entry.values, entry.line, *key)

    def _made(
        self, kind: Kind, key: tuple[object, ...], types: tuple[str, ...], words: Sequence[str], line: Line, file: str, at: int
    ) -> Iterator[tuple[str, int]]:
        """Label and row for each part of a line with parameters."""
        values = values_of(words, kind.columns, kind.optional, line)
        for label, names in kind.parts:
            own, values = values[: len(names)], values[len(names) :]
            if label == "UreyBradley" and own[1] == 0:
                continue    # CHARMM's force fields write zeros for angles that have none
            found = dict(zip(names, own, strict=True))
            if found.get("n", 0.0) != round(found.get("n", 0.0)):
                raise line.refused(f"a multiplicity of {found['n']:g} is no whole number")
            yield label, self.of_label(label).row(key, types, found, f"{file}, line {at}")

    def matching(self, section: str, function: str, types: tuple[str, ...], line: Line) -> list[Entry]:
        """Lines of parameters for types: the one that fits best, or all lines of a torsion of several terms.

        Raises:
            InputError: where there is none.
        """
        key = (section, function, types)
        if key not in self._found:
            functions = _SHARED.get(function, (function,)) if section == "dihedraltypes" else (function,)
            self._found[key] = self._best(section, functions, types)
        if not self._found[key]:
            raise line.refused(f"no parameters, and [ {section} ] has none of function {function} for {'-'.join(types)}; add a line there")
        return self._found[key]

    def _best(self, section: str, functions: Sequence[str], types: tuple[str, ...]) -> list[Entry]:
        known = self._exact[section]
        for function in functions:
            # A correction map read from the other end would be another map.
            for order in (types,) if section == "cmaptypes" else (types, types[::-1]):
                if (function, order) in known:
                    return known[function, order]
        if section != "dihedraltypes":
            return []
        best: list[Entry] = []
        most = -1
        for (function, pattern), entries in known.items():
            if function in functions and WILDCARD in pattern and (_fits(pattern, types) or _fits(pattern, types[::-1])):
                exact = sum(name != WILDCARD for name in pattern)
                if exact > most:    # of those with as many wildcards, the first
                    best, most = entries, exact
        return best


def _fits(pattern: tuple[str, ...], types: tuple[str, ...]) -> bool:
    return all(name in (WILDCARD, own) for name, own in zip(pattern, types, strict=True))


def _by_types(section: str, entries: Sequence[Entry]) -> dict[tuple[str, tuple[str, ...]], list[Entry]]:
    """Lines by function and types; several where a torsion of function 9 has several terms, which stand behind one another.

    Raises:
        InputError: where two lines differ about the same types.
    """
    found: dict[tuple[str, tuple[str, ...]], list[Entry]] = {}
    last: tuple[str, tuple[str, ...]] | None = None
    for entry in entries:
        key = (entry.function, entry.types)
        turned = (entry.function, entry.types[::-1])
        key = turned if turned in found and section != "cmaptypes" else key
        if key not in found:
            found[key] = [entry]
        elif entry.function == "9" and key == last:
            found[key].append(entry)
        elif all(entry.values != other.values for other in found[key]):
            raise entry.line.refused(f"differs from {found[key][0].line.place} about the same types; keep one of them")
        last = key
    return found


def values_of(words: Sequence[str], columns: int, optional: int, line: Line) -> list[float]:
    """Numbers of a line of parameters; those of a second state must be the same.

    Raises:
        InputError: where there are others, or too few.
    """
    values = [number(word, line, "a parameter") for word in words]
    if len(values) == 2 * columns and values[:columns] == values[columns:]:
        values = values[:columns]
    if columns < len(values) <= columns + optional and not any(values[columns:]):
        values = values[:columns]
    if len(values) != columns:
        raise line.refused(f"{columns} parameters are needed, not {len(values)}; states B that differ are not supported")
    return values


def atoms_of(line: Line, count: int, size: int) -> list[int]:
    """Atoms that a line begins with, from 0.

    Raises:
        InputError: where they are no atoms of the molecule, or one occurs twice.
    """
    if len(line.words) < count:
        raise line.refused(f"{count} atoms are needed")
    atoms = [whole(word, line, "an atom") - 1 for word in line.words[:count]]
    wrong = next((atom for atom in atoms if not 0 <= atom < size), None)
    if wrong is not None:
        raise line.refused(f"there is no atom {wrong + 1}; the molecule has {size} before this line")
    if len(set(atoms)) < count:
        raise line.refused("an atom occurs twice")
    return atoms


def joined(lines: Sequence[Line], size: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Pairs of atoms that [ bonds ] joins for exclusions, and all that a potential holds together."""
    chemical, held = [], []
    for line in lines:
        first, second = sorted(atoms_of(line, 2, size))
        function = line.words[2] if len(line.words) > 2 else "1"
        if function in _JOINING:
            chemical.append((first, second))
        if function != "5":
            held.append((first, second))
    return chemical, held


def maps(bonded: Bonded, lines: Sequence[Line], types: Sequence[str]) -> Iterator[tuple[list[int], int]]:
    """Eight atoms and the row of each correction map of a molecule."""
    for line in lines:
        five = atoms_of(line, 5, len(types))
        if len(line.words) != 6 or line.words[5] != "1":
            raise line.refused("a line of [ cmap ] has five atoms and function 1")
        (entry,) = bonded.matching("cmaptypes", "1", tuple(types[atom] for atom in five), line)[:1]
        sizes = [whole(word, entry.line, "the size of a map") for word in entry.values[:2]]
        if len(sizes) < 2 or sizes[0] != sizes[1] or not 4 <= sizes[0] <= 360 or len(entry.values) != 2 + sizes[0] ** 2:
            raise InputError(f"{entry.line.place}: a map has the same size, from 4 to 360, along both angles, and so many numbers")
        rows = bonded.of_label("CMAP", sizes[0])
        if rows.options["size"] != sizes[0]:
            raise InputError(f"{entry.line.place}: maps of several sizes are not supported")
        key = (entry.line.file, entry.line.number)
        row = rows.known(key)
        if row is None:
            grid = np.array([number(word, entry.line, "a value of a map") for word in entry.values[2:]])
            row = rows.row(key, entry.types, {"scale": 1.0, "energy": grid}, entry.line.place)
        yield [*five[:4], *five[1:]], row

