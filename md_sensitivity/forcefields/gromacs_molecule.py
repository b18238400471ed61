"""One molecule of a GROMACS topology: its atoms, interactions, exclusions and pairs, numbered from 0."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from md_sensitivity.errors import InputError
from md_sensitivity.forcefields.gromacs_bonded import Bonded, atoms_of, joined, maps, values_of
from md_sensitivity.forcefields.gromacs_preprocessor import Line
from md_sensitivity.forcefields.gromacs_sections import AtomType, Molecule, Sections, number, whole
from md_sensitivity.forcefields.line_rows import LineRows
from md_sensitivity.forcefields.molecular_terms import Interactions

_UNABLE = {
    "pairs_nb": "pairs without cutoff",
    "polarization": "polarization",
    "water_polarization": "polarization",
    "thole_polarization": "polarization",
}
_RESTRAINTS = "leave out the macro that switches the restraints on, or the section"


@dataclass(frozen=True, kw_only=True)
class Atom:
    """A line of [ atoms ].

    Attributes:
        type: its type.
        charge: [e].
        charge_key, charge_name: what tells charges apart that are parameters of their own, and what they are called.
    """

    type: AtomType
    name: str
    residue: str
    residue_number: int
    charge: float
    charge_key: tuple[str, float]
    charge_name: str
    mass: float


@dataclass
class Content:
    """What acts within a molecule.

    Attributes:
        bonds: pairs of atoms that count as joined.
        excluded: pairs of atoms that are no neighbors.
        scaled: pair of atoms → rows of `scale14` of Lennard-Jones and of Coulomb; −1 where the numbers are those of an interaction.
        released: whether constraints are released.
    """

    atoms: list[Atom]
    interactions: Interactions = field(default_factory=Interactions)
    bonds: list[tuple[int, int]] = field(default_factory=list)
    excluded: set[tuple[int, int]] = field(default_factory=set)
    scaled: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)
    released: bool = False


@dataclass(frozen=True, kw_only=True)
class PairRows:
    """Rows of pairs three bonds apart.

    Attributes:
        known: types → line of [ pairtypes ].
        own: pairs with numbers of their own.
        lennard_jones, coulomb: get the scales.
    """

    known: dict[tuple[str, str], Line]
    own: LineRows
    lennard_jones: LineRows
    coulomb: LineRows


def content_of(molecule: Molecule, sections: Sections, bonded: Bonded, pairs: PairRows) -> Content:
    """Atoms and interactions of a molecule.

    Raises:
        InputError: with file, line and reason.
    """
    _require_able(molecule)
    lines = molecule.sections
    found = Content(atoms=_atoms(molecule, sections))
    size, types = len(found.atoms), [atom.type.bonded for atom in found.atoms]
    for section in ("bonds", "angles", "dihedrals"):
        for label, atoms, row in bonded.interactions(section, lines.get(section, ()), types):
            found.interactions.add(label, atoms, row)
    for atoms, row in maps(bonded, lines.get("cmap", ()), types):
        found.interactions.add("CMAP", atoms, row)
    chemical, held = joined(lines.get("bonds", ()), size)
    held += [(min(a[0], a[-1]), max(a[0], a[-1])) for a in (atoms_of(line, 3, size) for line in lines.get("angles", ()))]
    chemical += _released(molecule, size, set(held), found)
    found.bonds = sorted(set(chemical))
    found.excluded = _within(found.bonds, size, molecule.bonds_excluded)
    for line in lines.get("exclusions", ()):
        first, *others = atoms_of(line, len(line.words), size)
        found.excluded |= {(min(first, other), max(first, other)) for other in others}
    for line in lines.get("pairs", ()):
        _pair(line, found, sections, pairs)
    return found


def _require_able(molecule: Molecule) -> None:
    for section, lines in molecule.sections.items():
        if section.startswith(("virtual_sites", "dummies")):
            raise lines[0].refused(f"[ {section} ] of {molecule.name}: virtual sites are not supported; use a model without them")
        if section.endswith(("restraints", "restraints_z")):
            raise lines[0].refused(f"[ {section} ] of {molecule.name} is not supported; {_RESTRAINTS}")
        if section in _UNABLE:
            raise lines[0].refused(f"[ {section} ] of {molecule.name}: {_UNABLE[section]} is not supported")


def _atoms(molecule: Molecule, sections: Sections) -> list[Atom]:
    found: list[Atom] = []
    for line in molecule.sections.get("atoms", ()):
        words = line.words
        if not 6 <= len(words) <= 11 or whole(words[0], line, "the number of the atom") != len(found) + 1:
            columns = f"{len(found) + 1} type residue-number residue atom group charge mass"
            raise line.refused(f"atom {len(found) + 1} of {molecule.name} must be `{columns}`")
        if words[1] not in sections.atom_types:
            raise line.refused(f"there is no type {words[1]} in [ atomtypes ]")
        own = sections.atom_types[words[1]]
        given = [number(word, line, what) for word, what in zip(words[6:8], ("the charge", "the mass"), strict=False)]
        charge, mass = (*given, *(own.charge, own.mass)[len(given) :])
        if len(words) > 8:
            other = [number(word, line, "state B") for word in words[9:]]
            if words[8] != own.name or other != [charge, mass][: len(other)]:
                raise line.refused("a perturbed atom (state B) is not supported; remove its columns")
        if own.particle != "A" or mass <= 0:
            raise line.refused(f"a particle {own.particle!r} of mass {mass:g} is not supported, such as a virtual site")
        number_text = words[2] if words[2][-1:].isdigit() else words[2][:-1]    # 12A has an insertion code
        label = f"{words[3]}:{words[4]}" if given else own.name
        found.append(
            Atom(
                type=own,
                name=words[4],
                residue=words[3],
                residue_number=whole(number_text, line, "the residue"),
                charge=charge,
                charge_key=(label, charge),
                charge_name=label,
                mass=mass,
            )
        )
    if not found:
        raise InputError(f"{molecule.place}: molecule {molecule.name} has no [ atoms ]")
    return found


def _released(molecule: Molecule, size: int, held: set[tuple[int, int]], found: Content) -> list[tuple[int, int]]:
    """Pairs that constraints join; they are released, where a potential holds the atoms, too."""
    chemical = []
    for line in molecule.sections.get("settles", ()):
        (oxygen,) = atoms_of(line, 1, size)
        if oxygen + 2 >= size or line.words[1:2] != ("1",):
            raise line.refused("[ settles ] has the oxygen, whose hydrogens follow it, function 1 and two distances")
        sides = [(oxygen, oxygen + 1), (oxygen, oxygen + 2)]
        if not held.issuperset([*sides, (oxygen + 1, oxygen + 2)]):
            raise line.refused(
                f"{molecule.name} is rigid, and nothing else holds it together; define FLEXIBLE (a line `#define FLEXIBLE` at the "
                "beginning of the topology) where the molecule has bonds and an angle then, or add them"
            )
        chemical += sides
    for line in molecule.sections.get("constraints", ()):
        first, second = sorted(atoms_of(line, 2, size))
        function = line.words[2] if len(line.words) > 2 else ""
        if function not in ("1", "2"):
            raise line.refused("[ constraints ] has two atoms, function 1 or 2 and a distance")
        if (first, second) not in held:
            raise line.refused("a constraint between atoms that no bond or angle holds together is not supported; add a bond")
        chemical += [(first, second)] if function == "1" else []
    found.released = any(name in molecule.sections for name in ("settles", "constraints"))
    return chemical


def _within(bonds: Sequence[tuple[int, int]], size: int, most: int) -> set[tuple[int, int]]:
    """Pairs of atoms at most so many bonds apart."""
    neighbors: list[list[int]] = [[] for _ in range(size)]
    for first, second in bonds:
        neighbors[first].append(second)
        neighbors[second].append(first)
    found = set()
    for atom in range(size):
        reached, edge = {atom}, [atom]
        for _ in range(most):
            edge = [other for last in edge for other in neighbors[last] if other not in reached and not reached.add(other)]  # type: ignore[func-returns-value]
        found |= {(atom, other) for other in reached if other > atom}
    return found


def _pair(line: Line, found: Content, sections: Sections, pairs: PairRows) -> None:
    """A line of [ pairs ]: numbers of its own, or of [ pairtypes ], or a share of what acts between the types."""
    first, second = sorted(atoms_of(line, 2, len(found.atoms)))
    if line.words[2:3] not in ((), ("1",)):
        raise line.refused(f"function {line.words[2]} of [ pairs ] is not supported; that is 1")
    if (first, second) not in found.excluded:
        raise line.refused("the atoms interact as neighbors, too, because nrexcl and [ exclusions ] leave them; exclude them")
    if (first, second) in found.scaled:
        raise line.refused("the pair is listed twice; remove one line")
    defaults = sections.defaults
    assert defaults is not None
    types = (found.atoms[first].type.name, found.atoms[second].type.name)
    charge_scale = pairs.coulomb.scale("fudgeQQ", defaults.fudge_qq, defaults.place)
    known = pairs.known.get(types, pairs.known.get(types[::-1]))
    if len(line.words) > 3 or known is not None:
        macro = line.macros[3] if len(line.words) > 3 else None
        source = line if known is None or len(line.words) > 3 else known
        named = (macro.name,) if macro else types if source is line else source.words[:2]
        names = [spec.name for spec in pairs.own.form.parameters]
        values = dict(zip(names, values_of(source.words[3:], 2, 0, source), strict=True))
        idle = not any(values.values()) or values.get("epsilon") == 0
        key: tuple[object, ...] = ("macro", macro) if macro else (source.file, source.number)
        row = pairs.own.row(key, named, values, source.place, idle=idle)
        found.interactions.add(pairs.own.label, [first, second], row)
        scale = -1
    elif defaults.generate_pairs:
        scale = pairs.lennard_jones.scale("fudgeLJ", defaults.fudge_lj, defaults.place)
    else:
        raise line.refused(f"no parameters, none in [ pairtypes ] for {'-'.join(types)}, and gen-pairs is no; add a line to [ pairtypes ]")
    found.scaled[first, second] = (scale, charge_scale)
