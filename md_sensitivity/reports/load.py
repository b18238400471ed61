"""A finished analysis back from its files."""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from md_sensitivity.analysis.result import SCHEMA, Result, ResultDocument
from md_sensitivity.errors import InputError
from md_sensitivity.files import open_input, quotation, read_input, shortened, shown
from md_sensitivity.reports.npz import structure_array_names, structure_from_arrays

MAX_BYTES = 2**30
"""Largest `result.json` that is read."""
MAX_GROWTH, SMALL_BYTES = 200, 2**26
"""Arrays may grow by this factor when decompressed, and always to so many bytes; this package writes them uncompressed."""


@dataclass(frozen=True, kw_only=True)
class NamedDocument:
    """Content of one `result.json` without its arrays: all that tables need."""

    name: str
    document: ResultDocument


def load(directory: str | os.PathLike[str]) -> Result | list[Result]:
    """Read a finished analysis.

    Args:
        directory: the folder of one structure (DIR/NAME) or of a whole run (DIR).

    Returns:
        One Result for the folder of one structure, otherwise a list, sorted by name.
    """
    folder = Path(directory)
    if (folder / "result.json").is_file():
        return load_one(folder)
    return [load_one(each) for each in _structure_folders(folder)]


def load_documents(directory: str | os.PathLike[str]) -> list[NamedDocument]:
    """The same without arrays, which may be large: for tables of many structures. Always a list, in the order of the command line."""
    return [load_named(folder) for folder in result_folders(directory)]


def load_named(folder: Path) -> NamedDocument:
    """Read DIR/NAME without its arrays."""
    return NamedDocument(name=folder.resolve().name, document=load_document(folder / "result.json"))


def result_folders(directory: str | os.PathLike[str]) -> list[Path]:
    """The folders of structures in DIR, or DIR itself where it is one.

    They come in the order of the command line that `run.json` or its parts of shards remember, then those by name that none of them knows.
    """
    folder = Path(directory)
    if (folder / "result.json").is_file():
        return [folder]
    order = _order(folder)
    return sorted(_structure_folders(folder), key=lambda each: (*order.get(each.name, (len(order), 0)), each.name))


def _order(folder: Path) -> dict[str, tuple[int, int]]:
    """Name of a result → place of its file on the command line, and of the frame in the file; the newest run decides."""
    order: dict[str, tuple[int, int]] = {}
    for path in sorted(folder.glob("run*.json"), key=lambda each: each.stat().st_mtime):
        try:
            run = msgspec.json.decode(path.read_bytes(), type=_Run)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):  # of another version, say; the results speak for themselves
            continue
        order |= {each.name: (each.place, frame) for frame, each in enumerate(run.results)}
    return order


class _Place(msgspec.Struct):
    name: str
    place: int


class _Run(msgspec.Struct):
    """What of `run.json` says in which order the structures were given."""

    results: list[_Place]


def load_one(folder: Path) -> Result:
    """Read DIR/NAME."""
    document = load_document(folder / "result.json")
    path = folder / "arrays.npz"
    arrays = _load_arrays(path)
    try:
        structure = structure_from_arrays(arrays, path=document.structure.path, sha256=document.structure.sha256)
    except KeyError as error:
        raise InputError(f"{path}: array {error.args[0]!r} is missing; run the analysis again") from error
    own = {name: array for name, array in arrays.items() if name not in structure_array_names()}
    result = Result(name=folder.resolve().name, document=document, arrays=own, structure=structure)
    _require_shapes(result, path)
    return result


def load_document(path: Path) -> ResultDocument:
    """Read and check one `result.json`."""
    content = read_input(path, limit=MAX_BYTES, advice="no result is as large")
    try:
        document = msgspec.json.decode(content, type=ResultDocument)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{shown(path)}: not a result of md-sensitivity: {shortened(str(error), 200)}") from error
    if document.schema != SCHEMA:
        raise InputError(f"{shown(path)}: schema {quotation(document.schema)}, but this version reads {SCHEMA!r}")
    _require_lengths(document, path)
    return document


def _structure_folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give the output folder of an analysis")
    found = sorted(path.parent for path in folder.glob("*/result.json"))
    if not found:
        raise InputError(f"{folder}: no result.json in it or in its subfolders; give the output folder of an analysis")
    return found


def _load_arrays(path: Path) -> dict[str, np.ndarray]:
    if not path.exists():
        raise InputError(f"{shown(path)}: missing; the analysis was written without the format npz")
    try:
        with open_input(path) as stream, zipfile.ZipFile(stream) as archive:
            grown, packed = sum(entry.file_size for entry in archive.infolist()), os.fstat(stream.fileno()).st_size
            if grown > max(SMALL_BYTES, MAX_GROWTH * packed):
                raise InputError(f"{shown(path)}: grows from {packed} to {grown} bytes when decompressed; run the analysis again")
            stream.seek(0)
            with np.load(stream, allow_pickle=False) as arrays:
                return {name: arrays[name] for name in arrays.files}
    except InputError:
        raise
    except Exception as error:  # zipfile, its decompressors and numpy raise a dozen classes for damaged files
        reason = shortened(str(error), 200) or type(error).__name__
        raise InputError(f"{shown(path)}: not readable as a file of arrays: {reason}") from error


def _require_lengths(document: ResultDocument, path: Path) -> None:
    """One entry for each parameter in every list of derivatives."""
    parts = ("direct", "relaxation", "total", "logarithmic")
    lists = {f"{each.name}.{part}": getattr(each, part) for each in document.observables for part in parts}
    if document.position_norm is not None:
        lists |= {f"position_norm.{part}": getattr(document.position_norm, part) for part in ("l1", "l2", "max", "max_atom")}
    for name, entries in lists.items():
        if len(entries) != len(document.parameters):
            raise InputError(f"{path}: {name} has {len(entries)} entries for {len(document.parameters)} parameters")


def _require_shapes(result: Result, path: Path) -> None:
    """Arrays and document must speak of the same atoms and parameters."""
    n, p = result.document.structure.atoms, len(result.document.parameters)
    expected = {"positions": (n, 3), "cell": (3, 3), "numbers": (n,), "dpositions": (p, n, 3), "dcell": (p, 3, 3), "parameter_names": (p,)}
    shapes = {name: result.arrays[name].shape for name in expected if name in result.arrays}
    shapes["initial_positions"], expected["initial_positions"] = result.structure.positions.shape, (n, 3)
    for name, shape in shapes.items():
        if shape != expected[name]:
            raise InputError(f"{path}: array {name!r} has shape {shape}, but result.json says {expected[name]}")
