"""ASE: its atoms as a `Structure`, and the formats that need nothing beside it."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from md_sensitivity.errors import InputError
from md_sensitivity.structures.boundary import guarded
from md_sensitivity.structures.constraints import fixed_coordinates
from md_sensitivity.structures.format import Frame, FrameReader
from md_sensitivity.structures.lammps_types import element_notes, typed_by_id
from md_sensitivity.structures.numerals import marked, restored, with_restored_names
from md_sensitivity.structures.source import Source, temporary_file
from md_sensitivity.types import Structure

if TYPE_CHECKING:
    import ase


def structure_from_atoms(atoms: ase.Atoms, *, name: str = "structure", species_are_elements: bool = False) -> Structure:
    """ASE atoms as a structure, not yet validated.

    Types are the array `atom_types`, else LAMMPS type numbers (arrays `id` and `type`, as ASE's LAMMPS readers leave them), else
    chemical symbols. Bonds come from the array `bonds` of ASE's LAMMPS reader, names from `atomtypes`, `residuenames` and
    `residuenumbers` of its PDB and GRO readers.

    Args:
        atoms: any ASE atoms; a calculator is ignored.
        name: name of the structure.
        species_are_elements: whether the file named chemical elements, so that a column `type` says nothing about them.

    Raises:
        InputError: partial occupancy, or constraints that freeze no Cartesian coordinates.
    """
    arrays, size = atoms.arrays, len(atoms)
    numbers = np.asarray(atoms.numbers, dtype=np.int64)
    masses = _masses(arrays, numbers)
    types: tuple[str, ...] = tuple(atoms.symbols)
    notes: list[str] = []
    if "atom_types" in arrays:
        types = tuple(str(kind) for kind in arrays["atom_types"])
    elif {"id", "type"} <= set(arrays) and not species_are_elements:
        types = tuple(str(kind) for kind in arrays["type"])
        numbers, masses = typed_by_id(arrays["type"], numbers, masses, has_masses="masses" in arrays)
        notes = element_notes(types, numbers, masses)
    _refuse_partial_occupancy(atoms)
    cell, pbc = np.array(atoms.cell.array, dtype=np.float64), np.array(atoms.pbc, dtype=bool)
    if {"occupancy", "bfactor"} & set(arrays) and is_dummy_cell(cell):      # only PDB files have these
        cell, pbc, notes = np.zeros((3, 3)), np.zeros(3, dtype=bool), [*notes, DUMMY_CELL]
    return Structure(
        positions=np.array(atoms.positions, dtype=np.float64).reshape(size, 3),
        types=types,
        numbers=numbers,
        cell=cell,
        pbc=pbc,
        masses=masses,
        bonds=_bonds(arrays.get("bonds")),
        fixed=fixed_coordinates(atoms.constraints, size, cell),
        name=name,
        atom_names=_strings(arrays.get("atomtypes")),
        residue_names=_strings(arrays.get("residuenames")),
        residue_numbers=tuple(int(number) for number in arrays.get("residuenumbers", ())),
        reader="ase",
        notes=tuple(notes),
    )


DUMMY_CELL = "the cell of 1 Å × 1 Å × 1 Å is a placeholder of the PDB format; the structure is taken as not periodic"


def is_dummy_cell(cell: np.ndarray) -> bool:
    """Whether a PDB cell [Å] is the placeholder for "none": 1×1×1, or 0×0×0."""
    return bool(np.allclose(cell, np.eye(3), atol=1e-6))


def _masses(arrays: Mapping[str, np.ndarray], numbers: np.ndarray) -> np.ndarray:
    """Masses of the atoms' own, else those of their elements, shape=(n,) [amu]."""
    from ase.data import atomic_masses

    own = arrays.get("masses", arrays.get("mass"))
    return np.array(atomic_masses)[np.clip(numbers, 0, len(atomic_masses) - 1)] if own is None else np.array(own, dtype=np.float64)


def _strings(values: np.ndarray | None) -> tuple[str, ...]:
    return () if values is None else tuple(str(value).strip() for value in values)


def _bonds(texts: np.ndarray | None) -> np.ndarray:
    """Bonds from ASE's notation, one string such as `3(1),5(1)` for each atom; shape=(m, 2)."""
    pairs = [
        (atom, int(partner.partition("(")[0]))
        for atom, text in enumerate(() if texts is None else texts)
        for partner in str(text).split(",")
        if partner.partition("(")[0].strip().isdigit()
    ]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def _refuse_partial_occupancy(atoms: ase.Atoms) -> None:
    sites = atoms.info.get("occupancy")
    if isinstance(sites, dict):
        for site, species in sites.items():
            if not isinstance(species, dict) or len(species) != 1 or next(iter(species.values())) != 1.0:
                raise InputError(f"site {site} is partially occupied ({species}); choose one ordered arrangement")
    elif "occupancy" in atoms.arrays:
        refuse_partial(np.asarray(atoms.arrays["occupancy"], dtype=np.float64))


def refuse_partial(occupancies: np.ndarray) -> None:
    """Raise where an occupancy, shape=(n,), is neither 1 nor 0; some programs write 0 for all atoms."""
    partial_ones = ~((occupancies == 0.0) | (occupancies == 1.0))
    if partial_ones.any():
        atom = int(np.argmax(partial_ones))
        raise InputError(f"atom {atom} has occupancy {occupancies[atom]:g}; choose one arrangement of the disordered atoms")


def ase_frames(
    ase_format: str, *, check: Callable[[Source], None] | None = None, needs_path: str = "", binary: bool = False
) -> FrameReader:
    """A frame reader for a format that ASE reads whole.

    Args:
        ase_format: ASE's name of the format.
        check: looks at the file before ASE does (counts that a file claims, for example).
        needs_path: suffix of a temporary file, for formats that ASE only reads by path.
        binary: whether ASE wants bytes.
    """

    def frames(source: Source) -> list[Frame]:
        if check is not None:
            check(source)
        notes: list[str] = []
        content = source.data if binary else source.text
        images = guarded(source.where, "ASE", notes, lambda: _read_all(content, ase_format, needs_path), text="" if binary else source.text)
        return [partial(structure_of_frame, source, atoms, notes) for atoms in images]

    return frames


def read_text(source: Source, text: str, ase_format: str, notes: list[str]) -> ase.Atoms:
    """The last image that ASE finds in `text`."""
    return guarded(source.where, "ASE", notes, lambda: _read_all(text, ase_format, "")[-1], text=source.text)


def structure_of_frame(source: Source, atoms: ase.Atoms, notes: list[str], *, species_are_elements: bool = False) -> Structure:
    """One image as a structure; errors name the file."""
    from dataclasses import replace

    try:
        # Guarded as well: columns of a file may have any shape and type.
        structure = guarded(source.where, "ASE", notes, lambda: structure_from_atoms(atoms, species_are_elements=species_are_elements))
    except InputError as error:
        raise error if str(error).startswith(source.where) else InputError(f"{source.where}: {error}") from None
    return replace(with_restored_names(structure), notes=(*map(restored, structure.notes), *notes))


def _read_all(content: str | bytes, ase_format: str, needs_path: str) -> list[ase.Atoms]:
    import ase.io

    content = marked(content) if isinstance(content, str) else content
    if needs_path:
        with temporary_file(content, needs_path) as path:
            return ase.io.read(path, index=":", format=ase_format, do_not_split_by_at_sign=True)
    stream = io.BytesIO(content) if isinstance(content, bytes) else io.StringIO(content)
    images = ase.io.read(stream, index=":", format=ase_format, do_not_split_by_at_sign=True)
    return images if isinstance(images, list) else [images]
