"""Forces of an OpenMM force field, line by line: their numbers, and the same lines with row numbers in place of them.

OpenMM decides which line acts on which atoms. It gets a document of the same lines in the same order, in which one number of each line
is its row, from 1 (a stiffness of zero would be left out), and what it makes of that tells the row of each interaction.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from md_sensitivity.errors import InputError
from md_sensitivity.files import quotation
from md_sensitivity.forcefields.line_rows import Line
from md_sensitivity.forcefields.table import TypeTuple
from md_sensitivity.forcefields.xml_tree import Element

HARMONIC_TORSION_ENERGY = "k*(theta-theta0)^2"
"""The only expression of a CustomTorsionForce that is read, blanks aside."""
BOND_STIFFNESS, UREY_BRADLEY_STIFFNESS = 1, 3
"""Mark which of both forces a harmonic bond of OpenMM comes from, which makes 6 of the latter."""
REMARKS = ("comment", "note", "desc", "doi")
ORDERINGS = ("default", "charmm", "amber", "smirnoff")


@dataclass(frozen=True, kw_only=True)
class Selected:
    """A line that speaks of atoms one by one, or in pairs.

    Attributes:
        selectors: "type" or "class" and its name, for each atom; "" for any.
        line: its numbers.
        attributes: as written.
    """

    selectors: tuple[tuple[str, str], ...]
    line: Line
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(kw_only=True, eq=False)
class Lines:
    """All lines of all forces, as they are read.

    Attributes:
        bonded: label → lines.
        maps: correction maps: number of points along each angle, values in the order of the form, and the types that first use it.
        nonbonded, lennard_jones, nbfix, gbsa: lines of single types and of pairs.
        document: force elements with rows in place of numbers.
        settings: force → attribute → value, of attributes that all elements of a force share.
    """

    bonded: dict[str, list[Line]] = field(default_factory=dict)
    maps: list[Line] = field(default_factory=list)
    nonbonded: list[Selected] = field(default_factory=list)
    lennard_jones: list[Selected] = field(default_factory=list)
    nbfix: list[Selected] = field(default_factory=list)
    gbsa: list[Selected] = field(default_factory=list)
    document: list[Element] = field(default_factory=list)
    settings: dict[str, dict[str, float]] = field(default_factory=dict)

    def row(self, label: str, line: Line) -> int:
        """Adds a line; its row, from 1."""
        rows = self.bonded.setdefault(label, [])
        rows.append(line)
        return len(rows)


def read_force(force: Element, lines: Lines) -> None:
    """Adds a force element that is one of `FORCES`.

    Raises:
        InputError: with file, line and reason.
    """
    FORCES[force.tag](force, lines)


def _harmonic(
    force: Element, lines: Lines, *, label: str, tag: str, order: int, rest: str, attribute: str, mark: int = 1, mixed: bool = True
) -> None:
    """A force whose lines have a stiffness k and the value `rest`, which is `attribute` in the file; `mark` stands for the stiffness."""
    force.require((), (tag,))
    found = []
    for line in force.children:
        selectors, types = _selectors(line, order, (attribute, "k"), mixed=mixed)
        values = {"k": line.number("k"), rest: line.number(attribute)}
        row = lines.row(label, Line(types=types, values=values, where=line.where))
        found.append(Element(tag, {**selectors, attribute: str(row), "k": str(mark)}))
    lines.document.append(Element(force.tag, {}, found))


_bonds = partial(_harmonic, label="HarmonicBond", tag="Bond", order=2, rest="r0", attribute="length", mark=BOND_STIFFNESS)
_angles = partial(_harmonic, label="HarmonicAngle", tag="Angle", order=3, rest="theta0", attribute="angle")
_urey_bradleys = partial(
    _harmonic, label="UreyBradley", tag="UreyBradley", order=3, rest="r0", attribute="d", mark=UREY_BRADLEY_STIFFNESS, mixed=False
)


def _periodic_torsions(force: Element, lines: Lines) -> None:
    force.require(("ordering",), ("Proper", "Improper"))
    found = []
    for torsion in force.children:
        label = "PeriodicTorsion" if torsion.tag == "Proper" else "PeriodicImproper"
        count = 0
        while f"phase{count + 1}" in torsion.attributes:
            count += 1
        names = [f"{name}{i + 1}" for i in range(count) for name in ("periodicity", "phase", "k")]
        selectors, types = _selectors(torsion, 4, names)
        for i in range(1, count + 1):
            values = {"k": torsion.number(f"k{i}"), "phase": torsion.number(f"phase{i}")}
            values["n"] = torsion.whole(f"periodicity{i}", most=1000)
            row = lines.row(label, Line(types=types, values=values, where=torsion.where, tag=str(i)))
            # Propers and impropers end in one force of OpenMM; the sign tells them apart.
            selectors |= {f"periodicity{i}": "1", f"phase{i}": str(row if torsion.tag == "Proper" else -row), f"k{i}": "1"}
        # A line without components is kept: it takes the place of lines with wildcards.
        found.append(Element(torsion.tag, selectors))
    lines.document.append(Element(force.tag, _ordering(force, ORDERINGS), found))


def _rb_torsions(force: Element, lines: Lines) -> None:
    force.require(("ordering",), ("Proper", "Improper"))
    names = [f"c{i}" for i in range(6)]
    found = []
    for torsion in force.children:
        selectors, types = _selectors(torsion, 4, names)
        row = lines.row("RBTorsion", Line(types=types, values={name: torsion.number(name) for name in names}, where=torsion.where))
        found.append(Element(torsion.tag, {**selectors, **dict.fromkeys(names, "0"), "c0": str(row)}))
    lines.document.append(Element(force.tag, _ordering(force, ORDERINGS[:3]), found))


def _harmonic_torsions(force: Element, lines: Lines) -> None:
    force.require(("energy", "ordering"), ("PerTorsionParameter", "Proper", "Improper"))
    energy = "".join(force.said("energy").split())
    parameters = [each.said("name") for each in force.all("PerTorsionParameter")]
    if energy != HARMONIC_TORSION_ENERGY or sorted(parameters) != ["k", "theta0"]:
        raise InputError(
            f"{force.where}: energy = {quotation(force.said('energy'))}: only {HARMONIC_TORSION_ENERGY} with the parameters k and theta0 "
            "is read; write such torsions as PeriodicTorsionForce or RBTorsionForce"
        )
    found = [Element("PerTorsionParameter", {"name": "k"}), Element("PerTorsionParameter", {"name": "theta0"})]
    for torsion in force.children:
        if torsion.tag == "PerTorsionParameter":
            torsion.require(("name",))
            continue
        selectors, types = _selectors(torsion, 4, ("k", "theta0"))
        values = {"k": torsion.number("k"), "phi0": torsion.number("theta0")}
        row = lines.row("HarmonicImproper", Line(types=types, values=values, where=torsion.where))
        found.append(Element(torsion.tag, {**selectors, "k": "1", "theta0": str(row)}))
    lines.document.append(Element(force.tag, {"energy": HARMONIC_TORSION_ENERGY, **_ordering(force, ORDERINGS[:3])}, found))


def _maps(force: Element, lines: Lines) -> None:
    force.require((), ("Map", "Torsion"))
    first = len(lines.maps)
    users: dict[int, TypeTuple] = {}
    found = []
    count = sum(1 for _ in force.all("Map"))
    for torsion in force.all("Torsion"):
        selectors, types = _selectors(torsion, 5, ("map",))
        number = torsion.whole("map", most=count - 1)
        users.setdefault(number, types)
        # One value makes a map here; OpenMM counts maps anew in each element, as the file does.
        found.append(Element("Torsion", {**selectors, "map": str(number)}))
    for number, element in enumerate(force.all("Map")):
        element.require(("comment", "note"))
        types = users.get(number, (f"map{first + number}",) * 5)
        lines.maps.append(Line(types=types, values={"scale": 1.0, "energy": _map_values(element)}, where=element.where))
    # Four values make the smallest map that OpenMM takes; which one it is, is all that counts.
    lines.document.append(Element(force.tag, {}, [*(Element("Map", {}, text="0 0 0 0") for _ in range(count)), *found]))


def _map_values(element: Element) -> list[float]:
    """A map in the order of the form: from −180°, the first angle slowest; in the file it is from 0, the first angle fastest."""
    try:
        values = [float(word) for word in element.text.split()]
    except ValueError:
        raise InputError(f"{element.where}: the text of a map is numbers") from None
    size = math.isqrt(len(values))
    if size * size != len(values) or size < 4 or size % 2 or not all(map(math.isfinite, values)):
        raise InputError(f"{element.where}: {len(values)} values; a map is n × n finite numbers, n even and at least 4")
    half = size // 2
    return [values[(i + half) % size + size * ((j + half) % size)] for i in range(size) for j in range(size)]


def _nonbonded(force: Element, lines: Lines) -> None:
    force.require(("coulomb14scale", "lj14scale", "useDispersionCorrection"), ("Atom", "UseAttributeFromResidue"))
    lines.settings.setdefault("NonbondedForce", {})
    for name in ("coulomb14scale", "lj14scale"):
        _setting(force, lines, name, force.number(name))
    _dispersion(force, lines)
    by_residue = _from_residue(force, ("charge",))
    names = ("sigma", "epsilon") if by_residue else ("charge", "sigma", "epsilon")
    for atom in force.all("Atom"):
        selectors, types = _selectors(atom, 1, names)
        values: dict[str, Any] = {name: atom.number(name) for name in names}
        lines.nonbonded.append(_selected(selectors, Line(types=types, values=values, where=atom.where, idle=values["epsilon"] == 0.0)))


def _lennard_jones(force: Element, lines: Lines) -> None:
    force.require(("lj14scale", "useDispersionCorrection"), ("Atom", "NBFixPair"))
    _setting(force, lines, "lj14scale", force.number("lj14scale"))
    _dispersion(force, lines)
    for child in force.children:
        own = [name for name in ("sigma14", "epsilon14") if child.tag == "Atom" and name in child.attributes]
        count = 1 if child.tag == "Atom" else 2
        selectors, types = _selectors(child, count, ("sigma", "epsilon", *own))
        values = {name: child.number(name) for name in ("sigma", "epsilon", *own)}
        line = Line(types=types, values=values, where=child.where, idle=values["epsilon"] == 0.0)
        (lines.lennard_jones if count == 1 else lines.nbfix).append(_selected(selectors, line))


def _gbsa(force: Element, lines: Lines) -> None:
    force.require((), ("Atom", "UseAttributeFromResidue"))
    by_residue = _from_residue(force, ("charge",))
    _setting(force, lines, "charge from residues", float(by_residue))
    names = ("radius", "scale") if by_residue else ("charge", "radius", "scale")
    for atom in force.all("Atom"):
        selectors, types = _selectors(atom, 1, names)
        values = {"q" if name == "charge" else name: atom.number(name) for name in names}
        lines.gbsa.append(_selected(selectors, Line(types=types, values=values, where=atom.where)))


def _dispersion(force: Element, lines: Lines) -> None:
    word = force.attributes.get("useDispersionCorrection")
    if word is not None:
        # OpenMM evaluates this attribute as Python; these are all that anybody means.
        flags = {"true": 1.0, "1": 1.0, "false": 0.0, "0": 0.0}
        if word.strip().lower() not in flags:
            raise InputError(f"{force.where}: useDispersionCorrection is {quotation(word)}; write True or False")
        _setting(force, lines, "useDispersionCorrection", flags[word.strip().lower()])


def _setting(force: Element, lines: Lines, name: str, value: float) -> None:
    """Keeps what an element says of the whole force, which others must not contradict."""
    known = lines.settings.setdefault(force.tag, {})
    if abs(known.setdefault(name, value) - value) > 1e-5:     # OpenMM's tolerance
        raise InputError(f"{force.where}: {name} = {value:g}, and another {force.tag} says {known[name]:g}; they do not go together")


def _from_residue(force: Element, known: tuple[str, ...]) -> bool:
    names = []
    for child in force.all("UseAttributeFromResidue"):
        child.require(("name",))
        if child.said("name") not in known:
            raise InputError(f"{child.where}: name = {quotation(child.said('name'))}: only {', '.join(known)} is read from residues")
        names.append(child.said("name"))
    return bool(names)


def _selected(selectors: dict[str, str], line: Line) -> Selected:
    return Selected(selectors=tuple((key.rstrip("1234567890"), name) for key, name in selectors.items()), line=line)


def _selectors(element: Element, count: int, others: Any, *, mixed: bool = True) -> tuple[dict[str, str], TypeTuple]:
    """Attributes of a line that say which atoms it is for, and types as names have them."""
    found: dict[str, str] = {}
    types = []
    for i in range(count):
        end = "" if count == 1 else str(i + 1)
        keys = [kind + end for kind in ("class", "type") if kind + end in element.attributes]
        if len(keys) != 1:
            reason = "both type and class" if keys else "neither type nor class"
            raise InputError(f"{element.where}: has {reason} of atom {i + 1}; it needs one of type{end} and class{end}")
        found[keys[0]] = element.attributes[keys[0]]
        types.append(type_word(element.attributes[keys[0]], element) or "X")
    if not mixed and len({key.rstrip("123") for key in found}) > 1:
        raise InputError(f"{element.where}: speaks of types and of classes; OpenMM wants one kind in a line")
    element.require((*found, *others, *REMARKS))
    return found, tuple(types)


def type_word(name: str, element: Element) -> str:
    """A name that can be part of a parameter's name.

    Raises:
        InputError: it has blanks, or characters that are not printed.
    """
    if any(char.isspace() or not char.isprintable() for char in name) or len(name) > 200:
        raise InputError(f"{element.where}: {quotation(name)} is no name of a type, which is a word without blanks")
    return name


def _ordering(force: Element, known: tuple[str, ...]) -> dict[str, str]:
    ordering = force.attributes.get("ordering")
    if ordering is None:
        return {}
    if ordering not in known:
        raise InputError(f"{force.where}: ordering = {quotation(ordering)}; known: {', '.join(known)}")
    return {"ordering": ordering}


FORCES: dict[str, Callable[[Element, Lines], None]] = {
    "HarmonicBondForce": _bonds,
    "HarmonicAngleForce": _angles,
    "AmoebaUreyBradleyForce": _urey_bradleys,
    "PeriodicTorsionForce": _periodic_torsions,
    "RBTorsionForce": _rb_torsions,
    "CustomTorsionForce": _harmonic_torsions,
    "CMAPTorsionForce": _maps,
    "NonbondedForce": _nonbonded,
    "LennardJonesForce": _lennard_jones,
    "GBSAOBCForce": _gbsa,
}
"""Forces that are read."""
