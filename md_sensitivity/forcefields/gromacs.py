"""Topologies of GROMACS (`.top` with the `.itp` that it includes) → ForceField."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from md_sensitivity.errors import InputError
from md_sensitivity.files import printable, shown
from md_sensitivity.forcefields.data import ForceField
from md_sensitivity.forcefields.fixed_topology import FixedTopology, elements_of_masses, kinds_of
from md_sensitivity.forcefields.gromacs_bonded import Bonded, values_of
from md_sensitivity.forcefields.gromacs_molecule import Content, PairRows, content_of
from md_sensitivity.forcefields.gromacs_preprocessor import Line, preprocessed
from md_sensitivity.forcefields.gromacs_sections import AtomType, Defaults, Sections, parse_sections
from md_sensitivity.forcefields.line_rows import LineRows, force_field_of_rows, unique_names
from md_sensitivity.forcefields.molecular_terms import (
    COULOMB,
    LENNARD_JONES,
    LENNARD_JONES_14,
    coulomb_rows,
    lennard_jones_rows,
    pairs_of,
    tuples_of,
)
from md_sensitivity.forcefields.topology import Assignment, Pairs, Tuples
from md_sensitivity.potentials.lennard_jones import LENNARD_JONES as SIGMA_EPSILON
from md_sensitivity.potentials.lennard_jones_c6_c12 import LENNARD_JONES_C6_C12
from md_sensitivity.potentials.listed_lennard_jones import LISTED_LENNARD_JONES, LISTED_LENNARD_JONES_C6_C12
from md_sensitivity.structures.validate import MAX_ATOMS
from md_sensitivity.units import GROMACS

RELEASED = "constraints ([ settles ], [ constraints ]) are released: bonds and angles of their molecules act instead"
_MIXING = {1: "geometric", 2: "lorentz-berthelot", 3: "geometric"}


def read_gromacs(text: str, path: Path, define: Iterable[str] = ()) -> ForceField:
    """The force field of a topology, which says with it which atoms a structure must have.

    Args:
        text, path: the file; what it includes is looked up beside it, and in the folders of the environment variable GMXLIB.
        define: macros that are defined, as `FLEXIBLE` or `NAME=value`.

    Raises:
        InputError: with file, line and reason.
    """
    sections = parse_sections(preprocessed(text, path, define), shown(path))
    defaults = sections.defaults
    assert defaults is not None
    bonded = Bonded(sections)
    pairs = _pair_rows(sections, defaults)
    used = {molecule.name: molecule for molecule, count in sections.system if count}
    contents = {name: content_of(molecule, sections, bonded, pairs) for name, molecule in used.items()}
    system = _System([(contents[molecule.name], count) for molecule, count in sections.system if count], sections.where)
    types = list(dict.fromkeys(atom.type.name for content in contents.values() for atom in content.atoms))
    _pair_potential(sections, defaults, types, pairs.lennard_jones)
    charges = _charge_rows(contents.values(), pairs.coulomb, sections.where)
    terms = [*bonded.rows.values(), *([pairs.own] if len(pairs.own) else []), pairs.lennard_jones, pairs.coulomb]
    force_field = force_field_of_rows(terms, GROMACS, name=printable(path.stem), source=sections.where)
    typing = system.typing(charges, {rows.label: rows.form.order for rows in terms})
    return replace(force_field, typing=typing, complete=typing.complete)


def _pair_rows(sections: Sections, defaults: Defaults) -> PairRows:
    powers = defaults.rule == 1
    known: dict[tuple[str, str], Line] = {}
    for types, function, _, line in sections.entries["pairtypes"]:
        pair = (types[0], types[1])
        if function != "1":
            raise line.refused(f"function {function} of [ pairtypes ] is not supported; that is 1")
        other = known.setdefault(known_order(pair, known), line)
        if other.words[3:] != line.words[3:]:
            raise line.refused(f"differs from {other.place} about the same types; keep one of them")
    form = LENNARD_JONES_C6_C12 if powers else SIGMA_EPSILON
    listed = LISTED_LENNARD_JONES_C6_C12 if powers else LISTED_LENNARD_JONES
    return PairRows(
        known=known,
        own=LineRows(form=listed, label=LENNARD_JONES_14, units=GROMACS, source=sections.where),
        lennard_jones=lennard_jones_rows(form, _MIXING[defaults.rule], GROMACS, sections.where),
        coulomb=coulomb_rows(GROMACS, sections.where),
    )


def known_order(pair: tuple[str, str], known: dict[tuple[str, str], Line]) -> tuple[str, str]:
    """The pair, or its types in the other order where they are known so."""
    return pair[::-1] if pair[::-1] in known else pair


def _pair_potential(sections: Sections, defaults: Defaults, types: list[str], rows: LineRows) -> None:
    """Rows of the types present, and of their pairs that have numbers of their own."""
    own: dict[tuple[str, str], Line] = {}
    for (a, b), function, _, line in sections.entries["nonbond_params"]:
        if function != "1":
            raise line.refused(f"function {function} of [ nonbond_params ] is not supported; that is 1")
        if a in types and b in types:
            other = own.setdefault(known_order((a, b), own), line)
            if other.words[3:] != line.words[3:]:
                raise line.refused(f"differs from {other.place} about the same types; keep one of them")
    for name in types:
        kind = sections.atom_types[name]
        if (name, name) not in own:
            _pair_row(rows, (name,), (kind.first, kind.second), kind.place)
            continue
        line = own[name, name]
        unlike = next((other for other in types if other != name and not {(name, other), (other, name)} & own.keys()), None)
        if unlike is not None and _numbers(line) != (kind.first, kind.second):
            raise line.refused(f"the pair {name}-{unlike} follows [ atomtypes ], whose numbers for {name} are others; give that pair, too")
        _pair_row(rows, (name,), _numbers(line), line.place)
    for pair, line in own.items():
        if pair[0] != pair[1]:
            _pair_row(rows, pair, _numbers(line), line.place)


def _numbers(line: Line) -> tuple[float, float]:
    first, second = values_of(line.words[3:], 2, 0, line)
    return first, second


def _pair_row(rows: LineRows, types: tuple[str, ...], values: tuple[float, float], place: str) -> None:
    names = [spec.name for spec in rows.form.parameters]
    idle = values[1] == 0 and (names[1] == "epsilon" or values[0] == 0)
    rows.row(types, types, dict(zip(names, values, strict=True)), place, idle=idle)


def _charge_rows(contents: Iterable[Content], rows: LineRows, source: str) -> dict[tuple[str, float], str]:
    """Charge keys → names of charge types, whose rows are made."""
    atoms = [atom for content in contents for atom in content.atoms]
    called = unique_names([atom.charge_key for atom in atoms], [atom.charge_name for atom in atoms])
    for key, name in called.items():
        rows.row(key, (name,), {"q": key[1]}, f"{source}: the charge of {name}")  # type: ignore[index]
    return called  # type: ignore[return-value]


@dataclass(frozen=True)
class _System:
    """Molecules one after the other."""

    molecules: list[tuple[Content, int]]
    source: str

    def __post_init__(self) -> None:
        size = sum(len(content.atoms) * count for content, count in self.molecules)
        if not 0 < size <= MAX_ATOMS:
            raise InputError(f"{self.source}: [ molecules ] make {size} atoms; there must be at least one, and at most {MAX_ATOMS}")

    def _blocks(self) -> Iterator[tuple[Content, np.ndarray]]:
        """Each entry of [ molecules ] with the first atoms of its molecules, shape=(count,)."""
        first = 0
        for content, count in self.molecules:
            yield content, first + len(content.atoms) * np.arange(count)
            first += len(content.atoms) * count

    def _atoms(self, value: str) -> list[object]:
        return [one for content, count in self.molecules for one in [getattr(atom, value) for atom in content.atoms] * count]

    def typing(self, charges: dict[tuple[str, float], str], orders: dict[str, int]) -> FixedTopology:
        """The typing of a structure of these molecules."""
        types: list[AtomType] = self._atoms("type")  # type: ignore[assignment]
        masses = np.array(self._atoms("mass"), dtype=np.float64)
        numbers = np.array([kind.number for kind in types], dtype=np.int64)
        numbers = np.where(numbers > 0, numbers, elements_of_masses(masses))
        names = {LENNARD_JONES: [kind.name for kind in types], COULOMB: [charges[key] for key in self._atoms("charge_key")]}  # type: ignore[index]
        kinds, kind_names, species = kinds_of(names)
        released = any(content.released for content, _ in self.molecules)
        return FixedTopology(
            source=self.source,
            numbers=numbers,
            masses=masses,
            atom_types=tuple(kind.name for kind in types),
            atom_names=tuple(self._atoms("name")),  # type: ignore[arg-type]
            residue_names=tuple(self._atoms("residue")),  # type: ignore[arg-type]
            residue_numbers=tuple(self._atoms("residue_number")),  # type: ignore[arg-type]
            bonds=self._joined([(np.array(content.bonds), first) for content, first in self._blocks()], 2),
            assignment=Assignment(
                kinds=kinds,
                species=species,
                names=kind_names,
                tuples=self._tuples(orders),
                pairs=self._pairs(),
                notes=(RELEASED,) if released else (),
            ),
        )

    @staticmethod
    def _joined(parts: list[tuple[np.ndarray, np.ndarray]], order: int) -> np.ndarray:
        """Atoms of all molecules: those of one, and the first atoms of each; shape=(m, order)."""
        found = [(first[:, None, None] + atoms.reshape(1, -1, order)).reshape(-1, order) for atoms, first in parts]
        return np.concatenate([np.zeros((0, order), dtype=np.int64), *(part.astype(np.int64) for part in found)])

    def _tuples(self, orders: dict[str, int]) -> dict[str, Tuples]:
        labels = dict.fromkeys(label for content, _ in self.molecules for label in content.interactions.lists)
        found = {}
        for label in labels:
            parts, rows = [], []
            for content, first in self._blocks():
                if label in content.interactions.lists:
                    atoms, own = content.interactions.lists[label]
                    parts.append((np.array(atoms), first))
                    rows.append(np.tile(np.array(own), len(first)))
            found[label] = tuples_of(self._joined(parts, orders[label]), np.concatenate(rows), orders[label])
        return found

    def _pairs(self) -> dict[str, Pairs]:
        parts = []
        scales: list[list[np.ndarray]] = [[], []]
        for content, first in self._blocks():
            pairs = sorted(content.excluded)
            parts.append((np.array(pairs, dtype=np.int64), first))
            own = np.array([content.scaled.get(pair, (-1, -1)) for pair in pairs], dtype=np.int64).reshape(-1, 2)
            for k in (0, 1):
                scales[k].append(np.tile(own[:, k], len(first)))
        atoms = self._joined(parts, 2)
        return {label: pairs_of(atoms, np.concatenate(scales[k])) for k, label in enumerate((LENNARD_JONES, COULOMB))}
