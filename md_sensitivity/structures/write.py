"""Structures as text: extended XYZ with every digit, and PDB with a B-factor for molecular viewers."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from itertools import chain

import numpy as np

from md_sensitivity.errors import ComputationError
from md_sensitivity.types import Structure

_FLOAT = "%.16e"
"""17 significant digits: what every float64 survives."""
_ROWS = 4096
"""Atoms whose lines are made together."""
_RESERVED = (
    "species", "pos", "Z", "symbols", "positions", "numbers", "masses", "mass", "initial_charges", "charge", "atom_types", "move_mask",
)  # fmt: skip


def relaxed_extxyz(structure: Structure, positions: np.ndarray, cell: np.ndarray, columns: Mapping[str, np.ndarray]) -> str:
    """The structure at other positions, as extended XYZ that `ase.io.read` and `read_structure` give back bit for bit.

    Beside `species` and `pos` stand `atom_types` where they are not the chemical symbols, `masses` where they are not the elements',
    and `move_mask` where coordinates are fixed.

    Args:
        structure: atoms, types, masses, constraints, periodicity.
        positions: shape=(n, 3) [Å].
        cell: rows are lattice vectors, shape=(3, 3) [Å].
        columns: numbers for each atom, shape=(n,) or (n, 3), by name; see `column_names` for names that extxyz cannot carry.

    Raises:
        ComputationError: a number is not finite.
    """
    positions, cell = np.asarray(positions, dtype=np.float64), np.asarray(cell, dtype=np.float64)
    extra = {name: np.asarray(values, dtype=np.float64) for name, values in columns.items()}
    for name, values in {"positions": positions, "cell": cell, **extra}.items():
        if not np.isfinite(values).all():
            raise ComputationError(f"{name}: a number is not finite; nothing is written")
    names = column_names({name: _width(values) for name, values in extra.items()})
    fields = [("species", "S", "%s", np.array(structure.symbols, dtype=object)), ("pos", "R", _FLOAT, positions)]
    fields += _identity_columns(structure)
    fields += [(name, "R", _FLOAT, values) for name, values in zip(names, extra.values(), strict=True)]
    properties = ":".join(f"{name}:{kind}:{_width(values)}" for name, kind, _, values in fields)
    lattice = 'Lattice="' + " ".join(_FLOAT % value for value in cell.ravel()) + '" ' if cell.any() else ""
    periodic = " ".join("T" if axis else "F" for axis in structure.pbc)
    row = " ".join(form for _, _, form, values in fields for _ in range(_width(values))) + "\n"
    tables = [values.reshape(structure.size, -1) for _, _, _, values in fields]
    text = [f'{structure.size}\n{lattice}Properties={properties} pbc="{periodic}"\n']
    for first in range(0, structure.size, _ROWS):  # Python's own numbers take several times the memory of the text
        parts = [table[first : first + _ROWS].tolist() for table in tables]
        text.append("".join(row % tuple(chain.from_iterable(rows)) for rows in zip(*parts, strict=True)))
    return "".join(text)


def _identity_columns(structure: Structure) -> list[tuple[str, str, str, np.ndarray]]:
    """Columns that say what the atoms are, beyond their symbols: name, kind, format, values."""
    from ase.data import atomic_masses

    columns = []
    if tuple(structure.types) != structure.symbols:
        columns.append(("atom_types", "S", "%s", np.array(structure.types, dtype=object)))
    if not np.array_equal(structure.masses, np.array(atomic_masses)[structure.numbers]):
        columns.append(("masses", "R", _FLOAT, structure.masses))
    free = np.where(structure.fixed, "F", "T")
    if structure.fixed.any():
        whole = (structure.fixed == structure.fixed[:, :1]).all()
        columns.append(("move_mask", "L", "%s", free[:, 0] if whole else free))
    return columns


def _width(values: np.ndarray) -> int:
    return 1 if values.ndim == 1 else values.shape[1]


def column_names(widths: Mapping[str, int]) -> list[str]:
    """Column names that extxyz can carry, in the same order.

    Whatever is no ASCII letter or digit nor one of `_ . ~ * + -` becomes `_`. Names that are taken (ASE also takes `name0`, `name1` …
    for the parts of a column) get a number.

    Args:
        widths: numbers of components by wanted name.
    """
    taken = set(chain.from_iterable(_parts(name, width) for name in _RESERVED for width in (1, 3)))
    names = []
    for wanted, width in widths.items():
        plain = re.sub(r"[^A-Za-z0-9_.~*+-]", "_", wanted) or "_"
        name, count = plain, 1
        while not taken.isdisjoint(_parts(name, width)):
            count += 1
            name = f"{plain}_{count}"
        taken.update(_parts(name, width))
        names.append(name)
    return names


def _parts(name: str, width: int) -> Iterable[str]:
    return [name] if width == 1 else [name, *(f"{name}{k}" for k in range(width))]


def bfactor_pdb(structure: Structure, positions: np.ndarray, cell: np.ndarray, bfactors: np.ndarray, title: str) -> str:
    """A PDB file whose B-factors carry one number for each atom.

    B-factors that their column cannot show are multiplied by a power of ten; a REMARK says by which. A PDB cell has a along x and b in
    the xy plane, so structures with another cell are rotated. Serial and residue numbers start again after 99999 and 9999. Coordinates
    beyond their columns lose decimals.

    Args:
        structure: atom and residue names where there are any; types or symbols otherwise.
        positions: shape=(n, 3) [Å].
        cell: rows are lattice vectors, shape=(3, 3) [Å]; CRYST1 is written where the structure is periodic and the cell complete.
        bfactors: shape=(n,).
        title: one line.

    Raises:
        ComputationError: a number is not finite.
    """
    positions, bfactors, cell = (np.asarray(values, dtype=np.float64) for values in (positions, bfactors, cell))
    if not (np.isfinite(positions).all() and np.isfinite(bfactors).all()):
        raise ComputationError("positions or B-factors: a number is not finite; nothing is written")
    scale = bfactor_scale(bfactors)
    head = [f"TITLE     {_plain(title)[:70]}".rstrip(), f"REMARK   1 B-FACTORS ARE THE VALUES TIMES {scale:.0E}"]
    if structure.pbc.any() and np.linalg.matrix_rank(cell) == 3:
        lengths_angles, rotation = _standard_cell(cell)
        positions = positions @ rotation.T
        lengths, angles = "".join(_fixed(v, 9, 3) for v in lengths_angles[:3]), "".join(f"{v:7.2f}" for v in lengths_angles[3:])
        head.append(f"CRYST1{lengths}{angles} P 1           1")
        if not structure.pbc.all():
            axes = " ".join(axis for axis, periodic in zip("abc", structure.pbc, strict=True) if periodic)
            head.append(f"REMARK   2 PERIODIC ALONG {axes} ONLY")
    places = ("".join(_fixed(component, 8, 3) for component in place) for place in positions.tolist())
    rows = zip(_labels(structure), places, (bfactors * scale).tolist(), structure.symbols, strict=True)
    atoms = [
        f"ATOM  {serial % 100000:5d} {label}    {place}  1.00{_fixed(bfactor, 6, 2)}          {symbol.upper():>2s}"
        for serial, (label, place, bfactor, symbol) in enumerate(rows, start=1)
    ]
    return "\n".join([*head, *atoms, "TER", "END", ""])


def bfactor_scale(bfactors: np.ndarray) -> float:
    """Power of ten that brings the values, shape=(n,), into the six characters `%6.2f`: 1 where they fit with three digits."""
    largest = max(float(bfactors.max(initial=0.0)) / 999.99, -float(bfactors.min(initial=0.0)) / 99.99)
    if largest <= 1e-290 or 0.01 <= largest <= 1.0:
        return 1.0
    return 10.0 ** min(-math.ceil(math.log10(largest)), 300)


def _standard_cell(cell: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lengths [Å] and angles [degrees], shape=(6,), and the rotation that takes vectors to the PDB's axes, shape=(3, 3)."""
    from ase.cell import Cell

    _, rotation = Cell(cell).standard_form()
    return np.asarray(Cell(cell).cellpar()), np.asarray(rotation)


def _fixed(value: float, width: int, decimals: int) -> str:
    """`value` in `width` characters, with fewer decimals where it needs the room."""
    for digits in range(decimals, -1, -1):
        text = f"{value:{width}.{digits}f}"
        if len(text) <= width:
            return text
    raise ComputationError(f"{value:g} does not fit into the {width} characters that the PDB format has for it")


def _labels(structure: Structure) -> list[str]:
    """Columns 13 to 27 of each atom: name, residue name, chain, residue number."""
    n = structure.size
    names = structure.atom_names or structure.types
    residues = structure.residue_names or ("MOL",) * n
    numbers = structure.residue_numbers or (1,) * n
    chains = structure.chain_names or ("A",) * n
    fields = map(_name_field, names, structure.symbols)
    tags = (f"{_plain(chain_name)[:1] or ' '}{number % 10000:4d}" for chain_name, number in zip(chains, numbers, strict=True))
    return [f"{field} {residue}{tag}" for field, residue, tag in zip(fields, map(_residue_field, residues), tags, strict=True)]


def _name_field(name: str, symbol: str) -> str:
    """Four characters; the element right-justified in the first two, as the format wants."""
    name = _plain(name)[:4]
    return f"{name:<4s}" if len(name) == 4 or len(symbol) == 2 else f" {name:<3s}"


def _residue_field(name: str) -> str:
    return f"{_plain(name)[:4]:>3s}".ljust(4)


def _plain(text: str) -> str:
    """Printable ASCII only; whatever else becomes `?`."""
    return "".join(char if " " <= char <= "~" else "?" for char in text)

