"""Sections of a GROMACS topology: defaults, types and their parameters, and molecules, whose lines stay as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from md_sensitivity.errors import InputError
from md_sensitivity.files import quotation
from md_sensitivity.forcefields.gromacs_preprocessor import Line
from md_sensitivity.forcefields.lammps_words import finite_number
from md_sensitivity.registry import did_you_mean
from md_sensitivity.structures.numerals import is_integer

WILDCARD = "X"
_TYPES = {"bondtypes": 2, "angletypes": 3, "dihedraltypes": 4, "pairtypes": 2, "nonbond_params": 2, "cmaptypes": 5}
"""Section → types on its lines."""
_WITHOUT_ENERGY = ("constrainttypes", "implicit_genborn_params")
_OF_MOLECULE = frozenset(
    "atoms bonds pairs pairs_nb angles dihedrals cmap exclusions settles constraints position_restraints distance_restraints "
    "dihedral_restraints angle_restraints angle_restraints_z orientation_restraints polarization water_polarization "
    "thole_polarization virtual_sites1 virtual_sites2 virtual_sites3 virtual_sites4 virtual_sitesn dummies1 dummies2 dummies3 dummies4 "
    "dummiesn".split()
)
_MOST_MOLECULES = 10_000_000


class AtomType(NamedTuple):
    """A line of [ atomtypes ].

    Attributes:
        bonded: its name in the sections of bonds, angles and torsions.
        number: atomic number; 0 where the line has none.
        first, second: σ and ε, or C6 and C12.
    """

    name: str
    bonded: str
    number: int
    mass: float
    charge: float
    particle: str
    first: float
    second: float
    place: str


class Entry(NamedTuple):
    """A line with parameters for types."""

    types: tuple[str, ...]
    function: str
    values: tuple[str, ...]
    line: Line


@dataclass(frozen=True)
class Defaults:
    """[ defaults ], with the values of GROMACS where the line ends early."""

    rule: int
    generate_pairs: bool
    fudge_lj: float
    fudge_qq: float
    place: str


@dataclass
class Molecule:
    """A molecule type: its sections as lines."""

    name: str
    bonds_excluded: int
    place: str
    sections: dict[str, list[Line]] = field(default_factory=dict)


@dataclass
class Sections:
    """All of a topology.

    Attributes:
        entries: section → lines with parameters for types, in the order of the file.
        system: molecules and how many of them, in order.
    """

    where: str
    defaults: Defaults | None = None
    atom_types: dict[str, AtomType] = field(default_factory=dict)
    entries: dict[str, list[Entry]] = field(default_factory=lambda: {name: [] for name in _TYPES})
    molecules: dict[str, Molecule] = field(default_factory=dict)
    system: list[tuple[Molecule, int]] = field(default_factory=list)


def number(word: str, line: Line, what: str) -> float:
    """A number of a line, or InputError."""
    return finite_number(word, f"{line.place}: {what}")


def whole(word: str, line: Line, what: str) -> int:
    """A whole number of a line, or InputError."""
    if not is_integer(word):
        raise line.refused(f"{what} is {quotation(word)}, not a whole number")
    return int(word)


def parse_sections(lines: Iterable[Line], where: str) -> Sections:
    """Sections of a topology.

    Raises:
        InputError: with file, line and reason.
    """
    found = Sections(where=where)
    section, molecule = "", None
    readers: dict[str, Callable[[Sections, Line], None]] = {
        "defaults": _defaults,
        "atomtypes": _atom_type,
        "molecules": _of_system,
        "system": lambda sections, line: None,
    }
    for line in lines:
        if line.words[0].startswith("["):
            section = _named(line)
        elif section in readers:
            readers[section](found, line)
        elif section in _TYPES:
            found.entries[section].append(_entry(section, line))
        elif section == "moleculetype":
            molecule = _molecule(found, line)
        elif section in _OF_MOLECULE:
            if molecule is None:
                raise line.refused(f"[ {section} ] stands before any [ moleculetype ]")
            molecule.sections.setdefault(section, []).append(line)
        elif section not in _WITHOUT_ENERGY:
            raise line.refused("stands before any section" if not section else f"[ {section} ] is not supported")
    if found.defaults is None:
        raise InputError(f"{where}: there is no [ defaults ], which the force field of a topology begins with; include it")
    if not found.system:
        raise InputError(f"{where}: there is no [ molecules ]; is this a file for others to include?")
    return found


def _named(line: Line) -> str:
    text = " ".join(line.words)
    name = text[1:-1].strip().lower() if text.endswith("]") else ""
    known = (*_TYPES, *_WITHOUT_ENERGY, *sorted(_OF_MOLECULE), "defaults", "atomtypes", "moleculetype", "molecules", "system")
    if name not in known:
        raise line.refused(f"no section that is supported{did_you_mean(name, known)}")
    return name


def _defaults(found: Sections, line: Line) -> None:
    words = line.words
    if found.defaults is not None:
        raise line.refused(f"a second line of [ defaults ], after {found.defaults.place}")
    if len(words) < 2 or words[0] != "1" or words[1] not in ("1", "2", "3"):
        raise line.refused("must begin with nbfunc 1 (Lennard-Jones; Buckingham is not supported) and a combination rule 1, 2 or 3")
    if len(words) > 2 and words[2].lower() not in ("yes", "no"):
        raise line.refused("gen-pairs must be yes or no")
    if len(words) > 6 or (len(words) == 6 and number(words[5], line, "the power of the repulsion") != 12):
        raise line.refused("a repulsion other than r⁻¹² is not supported")
    fudge = [number(word, line, "a fudge factor") for word in words[3:5]]
    found.defaults = Defaults(
        rule=int(words[1]),
        generate_pairs=len(words) > 2 and words[2].lower() == "yes",
        fudge_lj=fudge[0] if fudge else 1.0,
        fudge_qq=fudge[1] if len(fudge) > 1 else 1.0,
        place=line.place,
    )


def _atom_type(found: Sections, line: Line) -> None:
    """Name, then perhaps its bonded type and atomic number; mass, charge, letter of the particle, two numbers.

    The letter tells the columns, as GROMACS does: a word that is no number, one letter long.
    """
    words = line.words
    places = [k for k in (5, 4, 3) if k < len(words) and len(words[k]) == 1 and words[k].isalpha()]
    if not places or len(words) != places[0] + 3:
        raise line.refused("must be `name [bonded type] [atomic number] mass charge A first second`")
    at = places[0]
    between = words[1 : at - 2]
    if len(between) == 1:
        between = (between[0], "") if between[0][0].isalpha() else ("", between[0])
    bonded, element = between or ("", "")
    if words[0] in found.atom_types:
        raise line.refused(f"the type stands in {found.atom_types[words[0]].place}, too; keep one of them")
    known = whole(element, line, "the atomic number") if element else 0
    if words[at] not in "AVDS" or not -1 <= known < 119:
        raise line.refused("the particle must be A, V, D or S, and the atomic number one of an element")
    values = [number(word, line, what) for word, what in zip((*words[at - 2 : at], *words[at + 1 :]), _NUMBERS, strict=True)]
    found.atom_types[words[0]] = AtomType(
        words[0], bonded or words[0], max(known, 0), values[0], values[1], words[at], values[2], values[3], line.place
    )


_NUMBERS = ("the mass", "the charge", "the first parameter", "the second parameter")


def _entry(section: str, line: Line) -> Entry:
    count, words = _TYPES[section], line.words
    if section == "dihedraltypes" and len(words) > 2 and len(words[2]) == 1 and words[2].isdigit():
        # Two types: those of the outer atoms of an improper (function 2), of the inner ones of any other.
        a, b, function = words[:3]
        types = (a, WILDCARD, WILDCARD, b) if function == "2" else (WILDCARD, a, b, WILDCARD)
        return Entry(types, function, words[3:], line)
    if len(words) < count + 2:
        raise line.refused(f"a line of [ {section} ] has {count} types, a function and parameters")
    return Entry(words[:count], words[count], words[count + 1 :], line)


def _molecule(found: Sections, line: Line) -> Molecule:
    if len(line.words) != 2:
        raise line.refused("[ moleculetype ] has a name and a number of bonds for exclusions")
    name, excluded = line.words[0], whole(line.words[1], line, "nrexcl")
    if name in found.molecules:
        raise line.refused(f"the molecule type stands in {found.molecules[name].place}, too; rename one of them")
    if not 0 <= excluded <= 10:
        raise line.refused("nrexcl must be from 0 to 10")
    found.molecules[name] = Molecule(name, excluded, line.place)
    return found.molecules[name]


def _of_system(found: Sections, line: Line) -> None:
    if len(line.words) != 2:
        raise line.refused("a line of [ molecules ] has a name and a number")
    name, known = line.words[0], ", ".join(list(found.molecules)[:20])
    if name not in found.molecules:
        raise line.refused(f"there is no [ moleculetype ] {name}{did_you_mean(name, found.molecules)}; the topology has {known or 'none'}")
    count = whole(line.words[1], line, "the number of molecules")
    if not 0 <= count <= _MOST_MOLECULES:
        raise line.refused(f"the number of molecules must be from 0 to {_MOST_MOLECULES}")
    found.system.append((found.molecules[name], count))
