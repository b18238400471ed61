"""CHARMM's parameter files (`.prm`, `.par`, `.str`, `.inp`) and masses of its topology files (`.rtf`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from md_sensitivity.errors import InputError
from md_sensitivity.files import quotation, shortened
from md_sensitivity.forcefields.charmm_lines import TOPOLOGY, Line, charmm_lines
from md_sensitivity.forcefields.data import TypeTuple
from md_sensitivity.forcefields.lammps_words import finite_number, number_in

WILDCARD = "X"
_LAYOUTS: dict[str, tuple[int, tuple[str, ...], tuple[str, ...]]] = {
    "BONDS": (2, ("k", "r0"), ()),
    "ANGLES": (3, ("k", "theta0"), ("ub_k", "ub_r0")),
    "DIHEDRALS": (4, ("k", "n", "phase"), ()),
    "IMPROPER": (4, ("k", "n", "phase"), ()),
    "NONBONDED": (1, ("", "epsilon", "rmin_half"), ("", "epsilon14", "rmin_half14")),
    "NBFIX": (2, ("epsilon", "rmin"), ("epsilon14", "rmin14")),
}
"""Section → types of an entry, numbers that it has, numbers that it may have; nameless ones are not read."""
_SETTINGS = {
    "NBXM": "nbxmod", "CUTN": "cutnb", "CTOF": "ctofnb", "CTON": "ctonnb", "EPS": "eps", "E14F": "e14fac", "WMIN": "wmin",
    "CTEX": "ctexnb", "INBF": "inbfrq",
}  # fmt: skip
_WORDS = ("ATOM", "CDIE", "SHIF", "FSHI", "SWIT", "FSWI", "VATO", "VDIS", "VSHI", "VSWI", "VFSW", "VFSH", "NOEX", "BYGR", "BYCB", "EWAL",
          "PMEW", "LIST")  # fmt: skip
_REFUSED = {
    "RDIE": "a dielectric constant that grows with the distance",
    "GROU": "electrostatics between groups",
    "VGRO": "Lennard-Jones interactions between groups",
    "EXTE": "extended electrostatics",
}


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of a parameter file.

    Attributes:
        types: in the order of the file, in upper case.
        values: name → number, in the file's own units.
        place: file and line.
    """

    types: TypeTuple
    values: Mapping[str, float]
    place: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Map:
    """A correction map: eight types, points along each angle, and its values, the first angle slowest."""

    types: TypeTuple
    size: int
    values: list[float]
    place: str


@dataclass(frozen=True, kw_only=True, eq=False)
class CharmmParameters:
    """What parameter files say, those read later over those before.

    Attributes:
        numbers: number of an atom type → its name.
        bonds, angles, nonbonded, nbfix: types as `key_of` has them → entry.
        dihedrals, impropers: the same → entries, by periodicity.
        maps: types → map.
        settings: of the nonbonded interactions, such as `e14fac`.
        replaced: entries that a later line contradicts, for a note.
    """

    numbers: dict[int, str] = field(default_factory=dict)
    bonds: dict[TypeTuple, Entry] = field(default_factory=dict)
    angles: dict[TypeTuple, Entry] = field(default_factory=dict)
    dihedrals: dict[TypeTuple, dict[float, Entry]] = field(default_factory=dict)
    impropers: dict[TypeTuple, dict[float, Entry]] = field(default_factory=dict)
    nonbonded: dict[TypeTuple, Entry] = field(default_factory=dict)
    nbfix: dict[TypeTuple, Entry] = field(default_factory=dict)
    maps: dict[TypeTuple, Map] = field(default_factory=dict)
    settings: dict[str, float] = field(default_factory=dict)
    replaced: list[str] = field(default_factory=list)


def key_of(types: TypeTuple) -> TypeTuple:
    """Types of an interaction that reads the same from both ends; each torsion of a map by itself."""
    if len(types) == 8:
        return key_of(types[:4]) + key_of(types[4:])
    return min(types, types[::-1])


def parse_parameters(files: Iterable[tuple[str, str]]) -> CharmmParameters:
    """All parameters of some files.

    Args:
        files: name for messages and text of each, in the order in which CHARMM would read them.

    Raises:
        InputError: with file, line and reason.
    """
    found = CharmmParameters()
    for where, text in files:
        suffix = where.rsplit(".", 1)[-1].lower()
        topology = suffix in ("rtf", "top") or (suffix == "inp" and _has_residues(text))
        map_lines: list[Line] = []
        for line in charmm_lines(text, where, topology=topology, stream=suffix == "str"):
            if line.section == "CMAP":
                map_lines += [] if line.header else [line]
            else:
                _read(found, line)
        _read_maps(found, map_lines)
    return found


def _has_residues(text: str) -> bool:
    return any(line[:4].upper() in ("RESI", "PRES") for line in text.splitlines())


def _read(found: CharmmParameters, line: Line) -> None:
    if line.section in ("ATOMS", TOPOLOGY):
        if not line.header:
            _read_mass(found, line)
    elif line.section == "HBOND":
        # The header sets options of a term that no PSF asks for; numbers of the term itself would change energies.
        if not line.header:
            raise InputError(f"{line.place}: explicit hydrogen bonds (HBOND) are not there; remove their lines")
    elif line.section == "THOLE":
        return      # screening between Drude particles, without which nothing reads it
    elif line.section == "NONBONDED" and (line.header or _is_setting(line.words)):
        _read_settings(found, line.words[1:] if line.header else line.words, line.place)
    elif not line.header:
        _read_entry(found, line)


def _is_setting(words: list[str]) -> bool:
    """Whether a line of NONBONDED goes on with options; an entry is a type and three or six numbers."""
    known = words[0][:4] in (*_SETTINGS, *_WORDS, *_REFUSED)
    return known and not (len(words) in (4, 7) and all(number_in(word) is not None for word in words[1:]))


def _read_mass(found: CharmmParameters, line: Line) -> None:
    if line.words[0] != "MASS" or len(line.words) < 4:
        raise InputError(f"{line.place}: {quotation(' '.join(line.words))} should be MASS, number, atom type, mass")
    number = finite_number(line.words[1], f"{line.place}: the number of the type")
    finite_number(line.words[3], f"{line.place}: the mass")
    if number >= 0:
        found.numbers[int(number)] = line.words[2]


def _read_settings(found: CharmmParameters, words: list[str], place: str) -> None:
    left = list(words)
    while left:
        word = left.pop(0)
        key = word[:4]
        if key in _REFUSED:
            raise InputError(f"{place}: {word} asks for {_REFUSED[key]}, which is not there")
        if key in _SETTINGS:
            if not left:
                raise InputError(f"{place}: {word} has no number")
            found.settings[_SETTINGS[key]] = finite_number(left.pop(0), f"{place}: {word}")
        elif key not in _WORDS:
            raise InputError(f"{place}: unknown option {quotation(word)} of the nonbonded interactions")
    if abs(found.settings.get("nbxmod", 5.0)) != 5.0:
        raise InputError(f"{place}: nbxmod {found.settings['nbxmod']:g} is not there; 5 leaves out bonds and angles, and scales torsions")
    if found.settings.get("eps", 1.0) != 1.0:
        raise InputError(f"{place}: eps {found.settings['eps']:g} is not there; the dielectric constant is 1")


def _read_entry(found: CharmmParameters, line: Line) -> None:
    order, needed, optional = _LAYOUTS[line.section]
    words = line.words
    given = len(words) - order
    if line.section == "IMPROPER" and given == 2:
        words, given = [*words[: order + 1], "0", words[-1]], 3      # the periodicity may be left out
    if given not in (len(needed), len(needed) + len(optional)):
        counts = " or ".join(str(len(needed) + more) for more in dict.fromkeys((0, len(optional))))
        raise InputError(f"{line.place}: {quotation(' '.join(words))}: an entry of {line.section} is {order} types and {counts} numbers")
    types = tuple(words[:order])
    values = {
        name: finite_number(word, f"{line.place}: {name or 'a number that is not used'} of {'-'.join(types)}")
        for name, word in zip(needed + optional, words[order:], strict=False)
    }
    values.pop("", None)
    _check_wildcards(types, line)
    _check(values, types, line)
    entry = Entry(types=types, values=values, place=line.place)
    if line.section in ("DIHEDRALS", "IMPROPER"):
        table = found.dihedrals if line.section == "DIHEDRALS" else found.impropers
        terms = table.setdefault(key_of(types), {})
        if line.section == "IMPROPER":
            _replace(found, terms, 0.0, entry)      # an improper torsion has one term
        else:
            _replace(found, terms, values["n"], entry)
        return
    tables = {"BONDS": found.bonds, "ANGLES": found.angles, "NONBONDED": found.nonbonded, "NBFIX": found.nbfix}
    _replace(found, tables[line.section], key_of(types), entry)


def _replace(found: CharmmParameters, table: dict, key: object, entry: Entry) -> None:
    before = table.get(key)
    if before is not None and before.values != entry.values:
        found.replaced.append(f"{'-'.join(entry.types)} ({entry.place}) over {before.place}")
    table[key] = entry


def _check_wildcards(types: TypeTuple, line: Line) -> None:
    """CHARMM knows wildcards in torsions only, and not in all places."""
    wild = tuple(name == WILDCARD for name in types)
    allowed = {
        "DIHEDRALS": ((False,) * 4, (True, False, False, True)),
        "IMPROPER": (
            (False,) * 4, (False, True, True, False), (True, False, False, False), (False, False, False, True), (True, False, False, True),
            (True, True, False, False), (False, False, True, True),
        ),
    }.get(line.section, ((False,) * len(types),))  # fmt: skip
    if wild not in allowed:
        raise InputError(f"{line.place}: wildcards X cannot stand in {' '.join(types)} of {line.section}")


def _check(values: dict[str, float], types: TypeTuple, line: Line) -> None:
    """Depths as positive numbers; periodicities that make sense."""
    for name in ("epsilon", "epsilon14"):
        if values.get(name, 0.0) > 0:
            raise InputError(
                f"{line.place}: {'-'.join(types)}: a positive {name} = {values[name]:g} asks for another form of interaction; CHARMM's "
                "files give −ε"
            )
        if name in values:
            values[name] = abs(values[name])
    n = values.get("n", 1.0)
    if n != int(n) or not 0 <= n <= 12 or (n == 0 and line.section == "DIHEDRALS"):
        raise InputError(f"{line.place}: {'-'.join(types)}: periodicity {n:g} must be a whole number from 1 to 12 (0 for impropers)")


def _read_maps(found: CharmmParameters, lines: list[Line]) -> None:
    """Maps: a line of eight types and the number of points, then the values."""
    current: Map | None = None
    for line in lines:
        if _is_map_header(line.words):
            _finish(current)
            size = finite_number(line.words[8], f"{line.place}: the number of points")
            if size != int(size) or not 4 <= size <= 360:
                raise InputError(f"{line.place}: {size:g} points of a map must be a whole number from 4 to 360")
            current = Map(types=tuple(line.words[:8]), size=int(size), values=[], place=line.place)
            if key_of(current.types) in found.maps:
                found.replaced.append(f"the map {'-'.join(current.types)} ({line.place})")
            found.maps[key_of(current.types)] = current
            continue
        if current is None:
            raise InputError(f"{line.place}: {quotation(' '.join(line.words))} should be eight types and the number of points of a map")
        current.values.extend(finite_number(word, f"{line.place}: a value of the map") for word in line.words)
    _finish(current)


def _is_map_header(words: list[str]) -> bool:
    return len(words) == 9 and any(word[0].isalpha() for word in words[:8])


def _finish(current: Map | None) -> None:
    if current is not None and len(current.values) != current.size**2:
        raise InputError(
            f"{current.place}: the map {shortened('-'.join(current.types))} of {current.size} × {current.size} points has "
            f"{len(current.values)} values"
        )
