"""LAMMPS data files, parsed here: ASE mixes up type labels of unsorted atoms, knows few atom styles and calls untyped atoms hydrogen."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

import numpy as np

from md_sensitivity.errors import InputError
from md_sensitivity.structures.ase import read_text
from md_sensitivity.structures.boundary import same_places
from md_sensitivity.structures.format import Frame
from md_sensitivity.structures.lammps_styles import STYLES, atom_style, has_image_flags
from md_sensitivity.structures.lammps_types import element_notes, elements_of_masses
from md_sensitivity.structures.numerals import integer, is_integer, is_number, place_of, real
from md_sensitivity.structures.source import Source, printable
from md_sensitivity.types import Structure

SIGNATURE = r"^\s*\d+\s+atoms\s*(#.*)?$"

_SECTION = re.compile(
    r"(Atoms|Velocities|Masses|Bonds|Angles|Dihedrals|Impropers|Ellipsoids|Lines|Triangles|Bodies"
    r"|(Pair|PairIJ|Bond|Angle|Dihedral|Improper|BondBond|BondAngle|MiddleBondTorsion|EndBondTorsion|AngleTorsion"
    r"|AngleAngleTorsion|BondBond13|AngleAngle|Improper Pair) Coeffs|(Atom|Bond|Angle|Dihedral|Improper) Type Labels)$"
)
_COUNT = re.compile(r"([0-9]+)\s+(atoms|bonds|atom types)$")
_BOX = re.compile(r"(.+?)\s+(xlo xhi|ylo yhi|zlo zhi|xy xz yz|avec|bvec|cvec|abc origin)$")
_UNREADABLE_UNITS = ("si", "cgs", "micro", "nano", "electron")


@dataclass
class Data:
    """Sections of a data file: words of each row, comments of section heads, numbers of the header."""

    title: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    box: dict[str, list[float]] = field(default_factory=dict)
    rows: dict[str, list[list[str]]] = field(default_factory=dict)
    comments: dict[str, str] = field(default_factory=dict)


def native_frames(source: Source) -> list[Frame]:
    """The one structure of a data file."""
    return [lambda: read_data(source)]


def ase_frames(source: Source) -> list[Frame]:
    """The same, its places confirmed by ASE from a copy in the plainest style."""
    return [lambda: _with_ase(source)]


def _with_ase(source: Source) -> Structure:
    notes: list[str] = []
    structure = read_data(source)
    labels = {kind: number for number, kind in enumerate(sorted(set(structure.types)), start=1)}
    vectors = zip(("avec", "bvec", "cvec"), structure.cell.tolist(), strict=True)
    box = [" ".join(map(repr, vector)) + f" {name}" for name, vector in vectors] + ["0 0 0 abc origin"]
    atoms = [
        f"{index} {labels[kind]} " + " ".join(map(repr, place))
        for index, (kind, place) in enumerate(zip(structure.types, structure.positions.tolist(), strict=True), start=1)
    ]
    head = ["copy", "", f"{structure.size} atoms", f"{len(labels)} atom types", "", *box, "", "Atoms # atomic", ""]
    image = read_text(source, "\n".join([*head, *atoms, ""]), "lammps-data", notes)
    same_places(source.where, "ASE", structure.positions, image.positions)
    same_places(source.where, "ASE", structure.cell, image.cell.array)
    return replace(structure, reader="ase", notes=(*structure.notes, *notes))


def read_data(source: Source) -> Structure:
    """A structure whose types are labels, or else type numbers; elements where masses tell them. Atoms are sorted by id."""
    data = _sections(source)
    cell = _cell(source, data)
    styled, style, notes = _atoms(source, data)
    ids, kinds, positions = styled
    labels = {int(row[0]): row[1] for row in data.rows.get("Atom Type Labels", []) if len(row) > 1 and row[0].isdecimal()}
    numbered = {label: number for number, label in labels.items()}
    types = _type_numbers(source, kinds, numbered, data.counts.get("atom types"))
    masses, elements = _masses(source, data, numbered, sorted(set(types.tolist())))
    if positions.shape[1] == 6:
        with np.errstate(invalid="ignore", over="ignore"):      # what is not finite is refused later, with its place
            positions = positions[:, :3] + positions[:, 3:] @ cell
    order = np.argsort(ids)
    names = tuple(labels.get(kind, str(kind)) for kind in types[order].tolist())
    numbers = np.array([elements[kind] for kind in types[order].tolist()], dtype=np.int64)
    amu = np.array([masses[kind] for kind in types[order].tolist()])
    return Structure(
        positions=positions[order],
        types=names,
        numbers=numbers,
        cell=cell,
        pbc=np.ones(3, dtype=bool),
        masses=amu,
        bonds=_bonds(source, data, ids[order]),
        fixed=np.zeros((len(ids), 3), dtype=bool),
        reader="native",
        notes=(
            f"atom style {style}; a data file does not tell boundaries: periodic in all directions is assumed",
            *element_notes(names, numbers, amu),
            *notes,
        ),
    )


def _sections(source: Source) -> Data:
    """The file cut into sections, counts compared with rows."""
    lines = source.text.split("\n")
    data, section = Data(title=lines[0]), ""
    for line in lines[1:]:
        content, _, comment = line.partition("#")
        content = " ".join(content.split())
        if not content:
            continue
        if _SECTION.match(content):
            section = content
            data.rows[section], data.comments[section] = [], comment.strip()
        elif section:
            data.rows[section].append(content.split())
        elif match := _COUNT.match(content):
            data.counts[match[2]] = int(match[1][:18])      # more digits are as absurd
        elif match := _BOX.match(content):
            data.box[match[2]] = _floats(source, match[1].split(), content)
    units = re.search(r"units\s*=\s*(\w+)", data.title)
    if units and units[1] in _UNREADABLE_UNITS:
        raise InputError(f"{source.where}: LAMMPS units {units[1]} are not in Å; write the file in units metal or real")
    for name, section in (("atoms", "Atoms"), ("bonds", "Bonds"), ("atom types", "Masses")):
        found = len(data.rows.get(section, []))
        declared = data.counts.get(name, 0)
        if found != declared and not (section == "Masses" and found == 0):
            raise InputError(
                f"{source.where}: the header announces {declared} {name}, but section {section} has {found} rows; "
                "the file is truncated, or the header is wrong"
            )
    if not data.counts.get("atoms"):
        raise InputError(f"{source.where}: the header announces no atoms (`N atoms`)")
    return data


def _floats(source: Source, words: list[str], line: str) -> list[float]:
    try:
        return [real(word) for word in words]
    except ValueError:
        raise InputError(f"{source.where}: {place_of(line.split(), source.text)}not a number in {printable(line[:80])!r}") from None


def _cell(source: Source, data: Data) -> np.ndarray:
    """Rows are lattice vectors, shape=(3, 3) [Å]: a restricted triclinic box, or a general one."""
    box = data.box
    if {"avec", "bvec", "cvec"} <= set(box):
        rows = [box["avec"], box["bvec"], box["cvec"]]
    elif {"xlo xhi", "ylo yhi", "zlo zhi"} <= set(box):
        spans = [box[name] for name in ("xlo xhi", "ylo yhi", "zlo zhi")]
        tilt = box.get("xy xz yz", [0.0, 0.0, 0.0])
        if any(len(span) != 2 or not span[0] < span[1] for span in spans) or len(tilt) != 3:
            given = ", ".join(f"{' '.join(f'{value:g}' for value in values)} {name}" for name, values in box.items())
            raise InputError(f"{source.where}: box bounds must be a lower and a larger upper number, and tilts three numbers, not: {given}")
        (xlo, xhi), (ylo, yhi), (zlo, zhi) = spans
        rows = [[xhi - xlo, 0.0, 0.0], [tilt[0], yhi - ylo, 0.0], [tilt[1], tilt[2], zhi - zlo]]
    else:
        raise InputError(f"{source.where}: there is no box (`xlo xhi`, `ylo yhi`, `zlo zhi`)")
    if any(len(row) != 3 for row in rows):
        raise InputError(f"{source.where}: box vectors must have three components")
    return np.array(rows)


def _atoms(source: Source, data: Data) -> tuple[tuple[np.ndarray, list[str], np.ndarray], str, list[str]]:
    """Ids shape=(n,), types as written, and coordinates, followed by image flags where there are any, shape=(n, 3 or 6)."""
    rows = data.rows["Atoms"]
    columns = {len(row) for row in rows}
    if len(columns) != 1:
        raise InputError(f"{source.where}: rows of section Atoms have {sorted(columns)} columns; the file is damaged")
    labels = {label for row in data.rows.get("Atom Type Labels", []) for label in row[1:2]}
    count, bonded = data.counts.get("atom types", 0), data.counts.get("bonds", 0) > 0
    style, notes = atom_style(source.where, data.comments["Atoms"], rows, count=count, labels=labels, bonded=bonded)
    type_column, start, size = STYLES[style]
    width = columns.pop()
    extra = width - size
    flagged = extra >= 3 and has_image_flags(rows)
    if extra < 0 or (style != "hybrid" and extra not in (0, 3)) or (style != "hybrid" and extra == 3 and not flagged):
        raise InputError(f"{source.where}: atom style {style} has {size} columns, or {size + 3} with image flags, but there are {width}")
    chosen = [row[start : start + 3] + (row[-3:] if flagged else []) for row in rows]
    try:
        ids = np.array([integer(row[0]) for row in rows])
        positions = np.array([[real(word) for word in row] for row in chosen])
    except (ValueError, OverflowError):
        fine = [is_integer(row[0]) and all(map(is_number, places)) for row, places in zip(rows, chosen, strict=True)]
        bad = rows[fine.index(False) if False in fine else 0]
        place = f"{source.where}: {place_of(bad, source.text)}"
        raise InputError(f"{place}section Atoms (style {style}): not an atom: {printable(' '.join(bad)[:80])!r}") from None
    if len(np.unique(ids)) != len(ids):
        raise InputError(f"{source.where}: two atoms have the same id in section Atoms")
    return (ids, [row[type_column] for row in rows], positions), style, notes


def _type_numbers(source: Source, kinds: list[str], numbered: dict[str, int], count: int | None) -> np.ndarray:
    numbers = [int(kind) if is_integer(kind) else numbered.get(kind, 0) for kind in kinds]
    for kind, number in zip(kinds, numbers, strict=True):
        if not 1 <= number <= (count or 10**9):
            kind = printable(kind[:40])
            raise InputError(f"{source.where}: atom type {kind} is neither a label nor one of the {count} types of the header")
    return np.array(numbers, dtype=np.int64)


def _masses(source: Source, data: Data, numbered: dict[str, int], used: list[int]) -> tuple[dict[int, float], dict[int, int]]:
    """Mass [amu] and atomic number of each type; mass 1 and no element where the file gives no masses, unless labels are elements."""
    from ase.data import atomic_masses, atomic_numbers

    symbols = {number: atomic_numbers[label] for label, number in numbered.items() if label in atomic_numbers}
    rows = data.rows.get("Masses", [])
    masses: dict[int, float] = {}
    for row in rows:
        kind = int(row[0]) if is_integer(row[0]) else numbered.get(row[0], 0)
        if len(row) < 2 or not is_number(row[1]) or kind < 1:
            place = f"{source.where}: {place_of(row, source.text)}"
            raise InputError(f"{place}section Masses: not a type and its mass: {printable(' '.join(row)[:60])!r}")
        masses[kind] = real(row[1])
    missing = [number for number in used if number not in masses]
    if rows and missing:
        raise InputError(f"{source.where}: section Masses lacks atom type {missing[0]}")
    if rows:
        reduced = re.search(r"units\s*=\s*lj\b", data.title) is not None
        guesses = [0] * len(masses) if reduced else elements_of_masses(list(masses.values()))
        return masses, {number: guess or (0 if reduced else symbols.get(number, 0)) for number, guess in zip(masses, guesses, strict=True)}
    elements = {number: symbols.get(number, 0) for number in used}
    return {number: float(atomic_masses[element]) for number, element in elements.items()}, elements


def _bonds(source: Source, data: Data, ids: np.ndarray) -> np.ndarray:
    """Pairs of atom indices, shape=(m, 2)."""
    index = {atom: position for position, atom in enumerate(ids.tolist())}
    pairs = []
    for row in data.rows.get("Bonds", []):
        ends = [int(word) if is_integer(word) else 0 for word in row[2:4]]
        if len(ends) != 2 or not all(end in index for end in ends):
            raise InputError(f"{source.where}: section Bonds: {printable(' '.join(row)[:60])!r} does not join two atoms of the file")
        pairs.append([index[end] for end in ends])
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)
