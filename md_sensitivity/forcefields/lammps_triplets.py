"""LAMMPS files of element triples: `.sw`, `.tersoff`, `.tersoff.mod`, `.vashishta`, `.edip` and kin, one table of columns for each."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from md_sensitivity.errors import InputError
from md_sensitivity.files import quotation, shortened
from md_sensitivity.forcefields.data import TypeTuple
from md_sensitivity.forcefields.lammps_words import finite_number, units_of

_TERSOFF = "m gamma lambda3 c d costheta0 n beta lambda2 B R D lambda1 A"
_MODIFIED = "beta alpha h eta beta_ters lambda2 B R D lambda1 A n c1 c2 c3 c4 c5"
COLUMNS: Mapping[str, tuple[str, ...]] = {
    style: tuple(names.split())
    for style, names in {
        "stillinger_weber": "epsilon sigma a lambda gamma costheta0 A B p q tol",
        "tersoff": _TERSOFF,
        "tersoff_mod": _MODIFIED,
        "tersoff_modc": f"{_MODIFIED} c0",
        "vashishta": "H eta Zi Zj lambda1 D lambda4 W rc B gamma r0 C costheta0",
        "edip": "A B cutoffA cutoffC alpha beta eta gamma lambda mu rho sigma Q0 u1 u2 u3 u4",
    }.items()
}
"""Style → what the numbers of an entry are, in their order."""
TITLES: Mapping[str, str] = {
    "stillinger_weber": "Stillinger-Weber",
    "tersoff": "Tersoff",
    "tersoff_mod": "modified Tersoff",
    "tersoff_modc": "modified Tersoff with c0",
    "vashishta": "Vashishta",
    "edip": "EDIP",
}
"""Style → what its files are called."""


_REPULSION = ("A", "lambda1", "R", "D")
OF_PAIRS: Mapping[str, tuple[str, ...]] = {
    "stillinger_weber": ("epsilon", "sigma", "a", "A", "B", "p", "q"),
    "tersoff": _REPULSION,
    "tersoff_mod": _REPULSION,
    "tersoff_modc": _REPULSION,
    "vashishta": ("H", "eta", "lambda1", "D", "lambda4", "W", "rc"),
}
"""Style → numbers of the energy of a pair i j, which LAMMPS reads from (i, j, j) or from (j, i, i), as the numbers of the atoms want it."""
OF_ANGLES: Mapping[str, tuple[str, ...]] = {
    "stillinger_weber": ("costheta0",),
    "vashishta": ("B", "C", "costheta0"),
    "edip": ("lambda", "eta", "mu", "Q0", "u1", "u2", "u3", "u4"),
}
"""Style → numbers of the energy of an angle j i k, which LAMMPS reads from (i, j, k) or from (i, k, j). Of Stillinger and Weber's there is
the product λε, too. (Tersoff's entries of three elements speak of a bond i j near an atom k.)"""


@dataclass(frozen=True, kw_only=True)
class TripletFile:
    """Content of a file of element triples.

    Attributes:
        units: name after `UNITS:` in the first line, in lower case, or "" where there is none.
        entries: type tuple → parameter → value, in the order of the file.
    """

    units: str
    entries: dict[TypeTuple, dict[str, float]]


def parse_triplets(text: str, source: str, style: str) -> TripletFile:
    """Entries of a file for a style; each has three elements and its numbers, which may run over several lines.

    Raises:
        InputError: where an entry is incomplete, no number, or given twice; where two entries contradict each other, so that
            LAMMPS's energy depends on the order of atoms; or where an entry uses `tol` of Stillinger–Weber files, which shortens the range
            in a way that depends on the other parameters and is not represented here.
    """
    columns = COLUMNS[style]
    size = 3 + len(columns)
    words: list[tuple[str, int]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        words += [(word, number) for word in line.split("#", 1)[0].split()]
    if not words:
        raise InputError(f"{source}: no {TITLES[style]} entry in this file")
    entries: dict[TypeTuple, dict[str, float]] = {}
    places: dict[TypeTuple, str] = {}
    for start in range(0, len(words), size):
        entry = words[start : start + size]
        where = f"{source}, line {entry[0][1]}"
        if len(entry) < size:
            raise InputError(f"{where}: the last entry has {len(entry)} of {size} words (three elements, {', '.join(columns)})")
        types = tuple(word for word, _ in entry[:3])
        if not all(word.isprintable() for word in types):
            raise InputError(f"{where}: {quotation(' '.join(types))} are no elements")
        if types in entries:
            raise InputError(f"{where}: a second entry for {shortened(' '.join(types))}")
        values = {
            name: finite_number(word, f"{source}, line {line}: {name} of {shortened(' '.join(types))}")
            for name, (word, line) in zip(columns, entry[3:], strict=True)
        }
        places[types] = where
        entries[types] = _without_tolerance(values, f"{where}: tol of {shortened(' '.join(types))}")
    _require_no_contradiction(entries, places, style)
    return TripletFile(units=units_of(text), entries=entries)


def _require_no_contradiction(entries: Mapping[TypeTuple, Mapping[str, float]], places: Mapping[TypeTuple, str], style: str) -> None:
    """That entries which speak of the same pair, or of the same angle, say the same."""
    for one, other, third in entries:
        if other == third:
            if one != other:
                _require_alike((one, other, other), (other, one, one), OF_PAIRS.get(style, ()), "pair", entries, places)
        else:
            products = [*OF_ANGLES.get(style, ())]
            if style == "stillinger_weber":
                products.append("lambda * epsilon")
            _require_alike((one, other, third), (one, third, other), tuple(products), "angle", entries, places)


def _require_alike(
    here: TypeTuple, there: TypeTuple, names: tuple[str, ...], what: str, entries: Mapping[TypeTuple, Mapping[str, float]], places: Any
) -> None:
    if there not in entries:
        return
    for name in names:
        one, other = (math.prod(entries[types][factor] for factor in name.split(" * ")) for types in (here, there))
        if one != other:
            raise InputError(
                f"{places[here]}: {name} of {shortened(' '.join(here))} is {one!r}, and of {shortened(' '.join(there))} {other!r}; both "
                f"speak of the same {what}, and LAMMPS takes one or the other by the order of atoms: make them equal"
            )


def _without_tolerance(values: dict[str, float], where: str) -> dict[str, float]:
    tol = values.pop("tol", 0.0)
    if tol != 0.0:
        raise InputError(f"{where} is not 0; a shortened range is not supported, set it to 0.0")
    return values
