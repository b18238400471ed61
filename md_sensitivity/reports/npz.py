"""`arrays.npz`: positions and responses, and the input structure, so that every other file can be written again from it."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from md_sensitivity.analysis.result import Result
from md_sensitivity.types import Structure

TEXTS = ("types", "atom_names", "residue_names", "chain_names", "notes")
"""Fields of a Structure that are tuples of strings; all but `types` may be empty."""
ARRAYS = {"initial_positions": "positions", "initial_cell": "cell", "pbc": "pbc", "masses": "masses", "bonds": "bonds", "fixed": "fixed"}
"""Array name → field of the Structure. The minimized `positions` and `cell` belong to the result."""
SCALARS = {"structure_name": "name", "reader": "reader"}


def structure_arrays(structure: Structure) -> dict[str, np.ndarray]:
    """The input structure as arrays that load without pickle."""
    texts = {name: np.asarray(getattr(structure, name), dtype=np.str_) for name in TEXTS}
    arrays = {name: np.asarray(getattr(structure, field)) for name, field in ARRAYS.items()}
    scalars = {name: np.asarray(getattr(structure, field), dtype=np.str_) for name, field in SCALARS.items()}
    numbers = {"numbers": np.asarray(structure.numbers), "residue_numbers": np.asarray(structure.residue_numbers, dtype=np.int64)}
    return arrays | numbers | texts | scalars


def structure_from_arrays(arrays: Mapping[str, np.ndarray], *, path: str, sha256: str) -> Structure:
    """The input structure back from its arrays; a KeyError says which one is missing."""
    fields: dict[str, Any] = {field: arrays[name] for name, field in ARRAYS.items()}
    fields |= {name: tuple(map(str, arrays[name])) for name in TEXTS}
    fields |= {field: str(arrays[name]) for name, field in SCALARS.items()}
    fields |= {"numbers": arrays["numbers"], "residue_numbers": tuple(map(int, arrays["residue_numbers"]))}
    return Structure(**fields, path=path, sha256=sha256)


def structure_array_names() -> frozenset[str]:
    """Names that belong to the input structure alone; what else the file holds belongs to the result."""
    return frozenset((*ARRAYS, *TEXTS, *SCALARS, "residue_numbers"))


def result_npz(result: Result) -> bytes:
    """All arrays, uncompressed (responses are noise to a compressor), without time stamps: the same result gives the same bytes."""
    stream = io.BytesIO()
    np.savez(stream, **(structure_arrays(result.structure) | result.arrays))  # type: ignore[arg-type]
    return stream.getvalue()
