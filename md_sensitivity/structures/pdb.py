"""PDB files: records of fixed columns. The text gives atoms, places and cell with all digits; MDTraj adds the bonds."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import numpy as np

from md_sensitivity.errors import InputError
from md_sensitivity.structures.ase import DUMMY_CELL, read_text, refuse_partial
from md_sensitivity.structures.boundary import same_places
from md_sensitivity.structures.format import Frame
from md_sensitivity.structures.mdtraj import bonds_of, load
from md_sensitivity.structures.numerals import integer, place_of, real
from md_sensitivity.structures.residues import (
    NamedAtoms,
    atomic_numbers_of,
    cell_of_parameters,
    residue_labels,
    structure_of_residues,
    unique_bonds,
)
from md_sensitivity.structures.source import Source, printable
from md_sensitivity.types import Structure

SIGNATURE = r"^(ATOM  |HETATM|CRYST1)"


@dataclass
class Model:
    """Lines of one model: coordinate records with their line numbers, the places of TER records, and the cell before them."""

    cell: str = ""
    atoms: list[tuple[int, str]] = field(default_factory=list)
    ends: set[int] = field(default_factory=set)


def mdtraj_frames(source: Source) -> list[Frame]:
    """Models of a PDB file, with the bonds that MDTraj knows for standard residues, disulfides, and the CONECT records."""
    models, connections = _models(source)
    known: dict[object, np.ndarray] = {}
    return [partial(_with_mdtraj, source, model, connections, known) for model in models]


def ase_frames(source: Source) -> list[Frame]:
    """Models of a PDB file as ASE reads them: no bonds but the CONECT records."""
    models, connections = _models(source)
    return [partial(_with_ase, source, model, connections) for model in models]


def _with_mdtraj(source: Source, model: Model, connections: list[list[int]], known: dict[object, np.ndarray]) -> Structure:
    atoms = _named_atoms(source, model)
    if atoms.signature not in known:
        trajectory = load(source.where, _rewritten(atoms, model), ".pdb", atoms.notes)
        same_places(source.where, "MDTraj", atoms.positions, trajectory.xyz[0] * 10.0)
        known[atoms.signature] = bonds_of(trajectory.topology)
    bonds = unique_bonds(known[atoms.signature], _explicit_bonds(model, connections))
    return structure_of_residues(atoms, bonds, reader="mdtraj")


def _with_ase(source: Source, model: Model, connections: list[list[int]]) -> Structure:
    atoms = _named_atoms(source, model)
    image = read_text(source, _rewritten(atoms, model), "proteindatabank", atoms.notes)
    same_places(source.where, "ASE", atoms.positions, image.positions)
    return structure_of_residues(atoms, unique_bonds(_explicit_bonds(model, connections)), reader="ase")


def _models(source: Source) -> tuple[list[Model], list[list[int]]]:
    """Models and CONECT records (serial numbers). Raises where the file ends before it is finished."""
    models, connections, cell = [Model()], [], ""
    opened, closed, declared = 0, True, None
    for number, line in enumerate(source.text.split("\n"), start=1):
        record = line[:6].rstrip()
        if record in ("ATOM", "HETATM"):
            models[-1].atoms.append((number, line))
            models[-1].cell, closed = cell, False
        elif record == "CRYST1":
            cell = line
        elif record == "TER":
            models[-1].ends.add(len(models[-1].atoms) - 1)
            closed = True
        elif record == "MODEL":
            opened = number
            models.append(Model())
        elif record in ("ENDMDL", "END"):
            opened, closed = 0, True
            models.append(Model())
        elif record == "CONECT":
            connections.append(_serials(line))
            closed = True
        elif record == "MASTER":
            declared, closed = _integer(line[50:55]), True
    models = [model for model in models if model.atoms]
    _check_complete(source, models, opened=opened, closed=closed, declared=declared)
    return models, connections


def _check_complete(source: Source, models: list[Model], *, opened: int, closed: bool, declared: int | None) -> None:
    counts = [len(model.atoms) for model in models]
    if not models:
        raise InputError(f"{source.where}: there is no ATOM or HETATM record in it")
    if opened:
        raise InputError(f"{source.where}: the MODEL of line {opened} has no ENDMDL; the file is truncated")
    if not closed:
        raise InputError(f"{source.where}: no END follows the last atom; the file is truncated (append a line END if it is complete)")
    if declared is not None and declared not in (0, sum(counts), *counts):
        raise InputError(f"{source.where}: the MASTER record announces {declared} atoms, but there are {sum(counts)}; the file is damaged")


def _named_atoms(source: Source, model: Model) -> NamedAtoms:
    lines = [line.ljust(80) for _, line in model.atoms]
    positions, occupancies = [], []
    for (row, line), padded in zip(model.atoms, lines, strict=True):
        try:
            positions.append([real(padded[start : start + 8]) for start in (30, 38, 46)])
            occupancies.append(real(padded[54:60].strip() or "1.0"))
            if "_" in padded[60:66]:        # the temperature factor says nothing here, but what follows it is shifted
                raise ValueError
        except ValueError:
            raise InputError(f"{source.where}: line {row}: no coordinates in columns 31 to 60: {printable(line[:66])!r}") from None
    names, residue_names = [line[12:16] for line in lines], [line[17:21].strip() for line in lines]
    chains, numbers = [line[21].strip() for line in lines], [line[22:26] for line in lines]
    notes: list[str] = []
    _check_alternates(source, lines, notes)
    try:
        refuse_partial(np.array(occupancies))
    except InputError as error:
        raise InputError(f"{source.where}: {error}") from None
    if 0.0 in occupancies:
        notes.append(f"{occupancies.count(0.0)} atoms have occupancy 0; they are taken as present")
    segments = np.cumsum([0, *(index in model.ends for index in range(len(lines) - 1))])
    labels = residue_labels(chains, segments.tolist(), numbers, [line[26] for line in lines], residue_names)
    return NamedAtoms(
        names=names,
        residue_names=residue_names,
        residue_numbers=_residue_numbers(numbers, labels),
        chain_names=chains,
        residues=labels,
        symbols=[line[76:78].strip() if line[76:78].strip().isalpha() else "" for line in lines],
        positions=np.array(positions),
        cell=_cell(source, model.cell, notes),
        notes=notes,
    )


def _residue_numbers(texts: list[str], labels: list[int]) -> list[int]:
    """Numbers of residues; running ones where any is no number (hexadecimal and the like in large files)."""
    numbers = [_integer(text) for text in texts]
    return [label + 1 for label in labels] if None in numbers else [number or 0 for number in numbers]


def _check_alternates(source: Source, lines: list[str], notes: list[str]) -> None:
    marked = [atom for atom, line in enumerate(lines) if line[16] != " "]
    if not marked:
        return
    places: dict[str, int] = {}
    for atom, line in enumerate(lines):
        key = line[12:16] + line[21:27]
        if key in places and (line[16] != " " or lines[places[key]][16] != " "):
            identity = printable(line[12:26].strip())
            raise InputError(f"{source.where}: atoms {places[key]} and {atom} are alternate locations of {identity}; keep one of them")
        places.setdefault(key, atom)
    notes.append(f"{len(marked)} atoms have an alternate-location mark, each with one location; the marks are ignored")


def _cell(source: Source, line: str, notes: list[str]) -> np.ndarray:
    if not line:
        return np.zeros((3, 3))
    try:
        lengths = [real(line[start : start + 9]) for start in (6, 15, 24)]
        angles = [real(line[start : start + 7]) for start in (33, 40, 47)]
    except ValueError:
        place = f"{source.where}: {place_of(line.split(), source.text)}"
        raise InputError(f"{place}the CRYST1 record has no six numbers: {printable(line[:54])!r}") from None
    if lengths in ([1.0] * 3, [0.0] * 3):
        notes.append(DUMMY_CELL)
        return np.zeros((3, 3))
    cell = cell_of_parameters([*lengths, *angles])
    if cell is None:
        raise InputError(f"{source.where}: no cell has the lengths {lengths} and angles {angles} of CRYST1; correct or remove it")
    group = line[55:66].strip()
    if group not in ("", "1", "P 1", "P1"):
        notes.append(f"space group {printable(group)}: symmetry mates are not generated; the atoms of the file are the content of the cell")
    return cell


def _explicit_bonds(model: Model, connections: list[list[int]]) -> np.ndarray:
    """Bonds of CONECT records, shape=(m, 2); serial numbers that occur twice join nothing."""
    atoms: dict[int, int] = {}
    twice: set[int] = set()
    for index, (_, line) in enumerate(model.atoms):
        serial = _integer(line[6:11])
        if serial is not None:
            twice.update({serial} if serial in atoms else ())
            atoms[serial] = index
    unique = {serial: index for serial, index in atoms.items() if serial not in twice}
    joined = ((first, other) for first, *others in filter(None, connections) for other in others)
    pairs = [(unique[first], unique[other]) for first, other in joined if first in unique and other in unique and first != other]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def _serials(line: str) -> list[int]:
    fields = [_integer(line[start : start + 5]) for start in range(6, min(len(line), 31), 5)]
    return [field for field in fields if field is not None]


def _integer(text: str) -> int | None:
    try:
        return integer(text)
    except ValueError:
        return None


def _rewritten(atoms: NamedAtoms, model: Model) -> str:
    """The model alone, with elements in their columns and serial and residue numbers that every reader understands."""
    from ase.data import chemical_symbols

    numbers, _ = atomic_numbers_of(atoms)
    lines = []
    for index, (_, line) in enumerate(model.atoms):
        symbol = chemical_symbols[numbers[index]].upper()
        residue = f"{atoms.residue_names[index]:>3s}".ljust(4) + f"{line[21]}{atoms.residues[index] % 9999 + 1:4d}"
        head = f"{line[:6]:6s}{(index + 1) % 100000:5d} {line[12:16]:4s} {residue}    "
        lines.append(f"{head}{line[30:54]}  1.00  0.00          {symbol:>2s}")
        if index in model.ends:
            lines.append("TER")
    return "\n".join([*lines, "END", ""])
