"""Which line of an OpenMM force field gives an atom its charge and its Lennard-Jones numbers, and what these are called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from md_sensitivity.errors import InputError
from md_sensitivity.forcefields.line_rows import Line
from md_sensitivity.forcefields.openmm_lines import Selected
from md_sensitivity.forcefields.openmm_rules import Rules
from md_sensitivity.forcefields.table import TypeTuple


@dataclass(frozen=True, kw_only=True)
class AtomLines:
    """Rows of single atoms.

    Attributes:
        lines: the lines that act, each of types that no other has.
        of_type: type → its name in these lines.
    """

    lines: tuple[Line, ...] = ()
    of_type: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ChargeLines:
    """Charges of atoms.

    Attributes:
        of_type: type → name, where charges go by type; "" where they go by template.
        of_residue, of_patch: (template or patch, atom) → name.
    """

    lines: tuple[Line, ...] = ()
    of_type: Mapping[str, str] = field(default_factory=dict)
    of_residue: Mapping[tuple[str, str], str] = field(default_factory=dict)
    of_patch: Mapping[tuple[str, str], str] = field(default_factory=dict)


def matched_types(selector: tuple[str, str], classes: Mapping[str, str], members: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """Types that a line speaks of: none where it names a type or class that is not there, as in OpenMM."""
    kind, name = selector
    if not name:
        return tuple(classes)
    return members.get(name, ()) if kind == "class" else ((name,) if name in classes else ())


def members_of(classes: Mapping[str, str]) -> dict[str, list[str]]:
    """Class → its types."""
    members: dict[str, list[str]] = {}
    for name, kind in classes.items():
        members.setdefault(kind, []).append(name)
    return members


def atom_lines(selected: Sequence[Selected], rules: Rules, keep: Sequence[str]) -> AtomLines:
    """Lines that act on a type: of several, the last one, as in OpenMM. Lines that act on no type are no parameters.

    Args:
        keep: which numbers of the lines.
    """
    classes = rules.templates.classes
    members = members_of(classes)
    winner: dict[str, int] = {}
    for number, each in enumerate(selected):
        for name in matched_types(each.selectors[0], classes, members):
            winner[name] = number
    used = sorted(set(winner.values()))
    names: dict[int, str] = {}
    taken: set[str] = set()
    for number in used:
        word = selected[number].line.types[0]
        while word in taken:
            word += f"({selected[number].selectors[0][0]})"
        taken.add(word)
        names[number] = word
    lines = []
    for number in used:
        line = selected[number].line
        lines.append(replace(line, types=(names[number],), values={name: line.values[name] for name in keep if name in line.values}))
    return AtomLines(lines=tuple(lines), of_type={name: names[number] for name, number in winner.items()})


def charge_lines(rules: Rules) -> ChargeLines:
    """Charges of types and of atoms of templates and patches.

    Where charges go by type, those of templates are no parameters, as OpenMM does not read them.
    """
    found = atom_lines(rules.lines.nonbonded, rules, ("charge",))
    with_charge = [line for line in found.lines if line.values]
    by_type = {line.types[0]: Line(types=line.types, values={"q": line.values["charge"]}, where=line.where) for line in with_charge}
    of_type = {name: word if word in by_type else "" for name, word in found.of_type.items()}
    lines = list(by_type.values())
    if all(of_type.values()):
        return ChargeLines(lines=tuple(lines), of_type=of_type)
    taken = set(by_type)
    places: list[dict[tuple[str, str], str]] = []
    for charges, end in ((rules.templates.residue_charges, "(residue)"), (rules.templates.patch_charges, "(patch)")):
        names = {}
        for (owner, atom), line in charges.items():
            word = f"{owner}:{atom}"
            while word in taken:
                word = f"{owner}{end}:{atom}" if not word.startswith(f"{owner}{end}") else word + "+"
            taken.add(word)
            names[owner, atom if end == "(residue)" else atom_of_patch(atom)] = word
            lines.append(replace(line, types=(word,)))
        places.append(names)
    return ChargeLines(lines=tuple(lines), of_type=of_type, of_residue=places[0], of_patch=places[1])


def atom_of_patch(name: str) -> str:
    """The name of an atom of a patch in one spelling: that of its first residue has no number."""
    number, colon, rest = name.partition(":")
    return name if not colon else rest if int(number) == 1 else f"{int(number)}:{rest}"


def pair_lines(rules: Rules, atoms: AtomLines) -> tuple[Line, ...]:
    """Lines of pairs of types with numbers of their own.

    Raises:
        InputError: such a line speaks of other types than lines of single types do, so that it is no single pair of them; or two lines
            speak of one pair.
    """
    classes = rules.templates.classes
    members = members_of(classes)
    covered = members_of(atoms.of_type)
    seen: dict[frozenset[str], Line] = {}
    found = []
    for each in rules.lines.nbfix:
        words: list[str] = []
        for selector in each.selectors:
            types = set(matched_types(selector, classes, members)) & set(atoms.of_type)
            own = {atoms.of_type[name] for name in types}
            if any(not set(covered[word]) <= types for word in own) or len(own) > 1:
                raise InputError(f"{each.line.where}: speaks of other types than lines <Atom> do; write one line for each pair of those")
            words += own
        if len(words) < 2:
            continue        # of types that are not there
        pair: TypeTuple = (words[0], words[1])
        if frozenset(pair) in seen:
            raise InputError(f"{each.line.where}: a second line for {'-'.join(pair)}; keep one of them")
        seen[frozenset(pair)] = each.line
        found.append(replace(each.line, types=pair))
    return tuple(found)
