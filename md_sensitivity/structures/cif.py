"""Crystallographic CIF: sites of an asymmetric unit, expanded by its symmetry to the full cell; read by ASE."""

from __future__ import annotations

import io
import re
from functools import partial
from typing import Any

import numpy as np

from md_sensitivity.errors import InputError
from md_sensitivity.structures.ase import refuse_partial, structure_of_frame
from md_sensitivity.structures.boundary import guarded
from md_sensitivity.structures.format import Frame
from md_sensitivity.structures.numerals import is_number, marked, place_of, restored
from md_sensitivity.structures.source import Source, printable
from md_sensitivity.types import Structure

SIGNATURE = r"^\s*_(cell|atom_site)_"
_NUMBERS = (
    *(f"_cell_length_{axis}" for axis in "abc"), *(f"_cell_angle_{angle}" for angle in ("alpha", "beta", "gamma")),
    *(f"_atom_site_{kind}_{axis}" for kind in ("fract", "cartn") for axis in "xyz"), "_atom_site_occupancy",
)  # fmt: skip
MAX_SITES = 3000
"""Largest asymmetric unit that ASE expands; its time grows with the square of the number of atoms."""


def frames(source: Source) -> list[Frame]:
    """Data blocks of a CIF that hold a structure."""
    _check(source)
    notes: list[str] = []
    blocks = guarded(source.where, "ASE", notes, lambda: _blocks(source))
    return [partial(_read_block, source, block, notes) for block in blocks]


def _blocks(source: Source) -> list[Any]:
    from ase.io.cif import parse_cif

    return [block for block in parse_cif(io.BytesIO(marked(source.text).encode())) if block.has_structure()]


def _read_block(source: Source, block: Any, notes: list[str]) -> Structure:
    own_notes = list(notes)
    _check_numbers(source, block)
    sites = len(guarded(source.where, "ASE", own_notes, block.get_symbols))
    try:
        refuse_partial(np.array(guarded(source.where, "ASE", own_notes, lambda: _occupancies(block)), dtype=np.float64))
    except InputError as error:
        raise error if str(error).startswith(source.where) else InputError(f"{source.where}: {error}") from None
    symmetric = guarded(source.where, "ASE", own_notes, lambda: _has_symmetry(block))
    if symmetric and sites > MAX_SITES:
        raise InputError(f"{source.where}: {sites} sites and their symmetry mates are too many to expand; convert it to P 1 or extxyz")
    atoms = guarded(source.where, "ASE", own_notes, block.get_atoms if symmetric else block.get_unsymmetrized_structure)
    atoms.pbc = True
    return structure_of_frame(source, atoms, own_notes, species_are_elements=True)


def _check_numbers(source: Source, block: Any) -> None:
    """Values that ASE left as words where numbers belong, which it multiplies with the cell without a look."""
    for name in _NUMBERS:
        values = block.get(name, [])
        words = [value for value in (values if isinstance(values, list) else [values]) if isinstance(value, str)]
        for value in map(restored, words):
            if value not in (".", "?") and not is_number(value):
                raise InputError(f"{source.where}: {place_of([value], source.text)}{printable(value[:40])!r} is not a number ({name})")


def _occupancies(block: Any) -> list[float]:
    values = block.get("_atom_site_occupancy")
    return [1.0 if value in (".", "?") else float(value) for value in ([] if values is None else values)]


def _has_symmetry(block: Any) -> bool:
    """Whether there are operations beside the identity; without them ASE would still search for mates, in quadratic time."""
    spacegroup = block.get_spacegroup(True)
    return not (spacegroup.no == 1 and len(spacegroup.get_symop()) == 1)


def _check(source: Source) -> None:
    """A crystallographic CIF needs a cell: without one ASE puts all atoms at the origin."""
    if not re.search(r"^\s*_cell_length_a\s", source.text, flags=re.MULTILINE | re.IGNORECASE):
        raise InputError(f"{source.where}: there is no cell in it (_cell_length_a …); a CIF without one holds no structure")
    entries = re.findall(r"^\s*(_cell_(?:length|angle)_\w+)\s+['\"]?([-+\d.eE]+)", source.text, flags=re.MULTILINE | re.IGNORECASE)
    for name, value in entries:
        number = float(value) if re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", value) else 0.0
        if number <= 0 or ("angle" in name.lower() and number >= 180):
            raise InputError(f"{source.where}: {name} is {printable(value[:30])}; lengths are positive, angles between 0 and 180 degrees")
    if not re.search(r"_atom_site_(fract|cartn)_x\b", source.text, flags=re.IGNORECASE):
        raise InputError(f"{source.where}: there are no atoms in it (_atom_site_fract_x …); the file is truncated, or holds no structure")
