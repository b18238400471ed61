"""The study file of a fit (docs/reference.md): TOML → targets, force field and options, every key and number checked."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from md_sensitivity.errors import InputError, UsageError
from md_sensitivity.files import parse_toml, shown
from md_sensitivity.fitting.forces_file import read_forces
from md_sensitivity.fitting.targets import Target, checked
from md_sensitivity.forcefields import ForceField, read_force_field
from md_sensitivity.forcefields.files import read_text
from md_sensitivity.registry import did_you_mean
from md_sensitivity.structures import read_structure
from md_sensitivity.types import Structure

Read = Callable[[str, str | None, str], Structure]
"""(path, frame, atoms to freeze) → structure."""

MAX_TARGETS = 10000
TARGET_KEYS = (
    "structure",
    "observable",
    "value",
    "file",
    "std",
    "weight",
    "relaxed",
    "name",
    "relative_to",
    "factor",
    "index",
    "fix",
)
"""What a [[target]] table may hold."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Study:
    """What a study file asks for.

    Attributes:
        path, sha256: the file.
        force_field: where the fit starts.
        targets: in the order of the file.
        options: those of `fit` that the file names.
        inputs: path and SHA-256 of each structure, in order of appearance.
    """

    path: str
    sha256: str
    force_field: ForceField
    targets: tuple[Target, ...]
    options: Mapping[str, Any]
    inputs: tuple[tuple[str, str], ...]


def read_study(path: str | Path, *, force_field: str | None = None, read: Read | None = None) -> Study:
    """Read a study file; paths in it start at its folder.

    Args:
        path: the TOML file.
        force_field: another force field than the file's.
        read: how structures are read.

    Raises:
        InputError: with file, table number, key and reason.
    """
    path = Path(path)
    content = read_text(path)
    document = parse_toml(content.text, shown(path))
    _known(document, STUDY_KEYS, str(path))
    if force_field is None:
        if "force_field" not in document:
            raise InputError(f"{path}: names no force_field; add force_field = \"FILE\"")
        force_field = str(path.parent / _text(document["force_field"], f"{path}: force_field"))
    field = read_force_field(force_field)
    options = {key: _OPTIONS[key](document[key], f"{path}: {key}") for key in _OPTIONS if key in document}
    try:
        field.table.choosable(options.get("parameters", ()))
    except UsageError as error:
        raise InputError(f"{path}: parameters: {error}") from None
    tables = document.get("target", [])
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        raise InputError(f"{path}: needs at least one [[target]] table")
    if len(tables) > MAX_TARGETS:
        raise InputError(f"{path}: has {len(tables)} targets; at most {MAX_TARGETS} are fitted at once")
    reader = _Structures(path.parent, read or _read_plainly)
    targets = [_target(table, f"{path}: target {number}", reader) for number, table in enumerate(tables, start=1)]
    return Study(
        path=str(path),
        sha256=content.sha256,
        force_field=field,
        targets=tuple(targets),
        options=options,
        inputs=tuple((structure.path or structure.name, structure.sha256) for structure in reader.found.values()),
    )


def _read_plainly(path: str, index: str | None, fix: str) -> Structure:
    if fix:
        raise UsageError("fix needs a reader that selects atoms")
    return read_structure(path, index=index)


class _Structures:
    """Structures of a study, each file read once.

    Attributes:
        found: by path, frame and frozen atoms.
    """

    def __init__(self, folder: Path, read: Read) -> None:
        self.folder, self.read = folder, read
        self.found: dict[tuple[str, str | None, str], Structure] = {}

    def __call__(self, name: Any, index: str | None, fix: str, where: str) -> Structure:
        key = (str(self.folder / _text(name, where)), index, fix)
        if key not in self.found:
            try:
                self.found[key] = self.read(*key)
            except (InputError, UsageError) as error:
                raise InputError(f"{where}: {error}") from None
        return self.found[key]


def _target(table: Mapping[str, Any], where: str, read: _Structures) -> Target:
    _known(table, TARGET_KEYS, where)
    for key in ("structure", "observable", "std"):
        if key not in table:
            raise InputError(f"{where}: has no {key}")
    index = _frame(table["index"], f"{where}: index") if "index" in table else None
    fix = _text(table["fix"], f"{where}: fix") if "fix" in table else ""
    structure = read(table["structure"], index, fix, f"{where}: structure")
    observable = _text(table["observable"], f"{where}: observable")
    relaxed = _flag(table.get("relaxed", observable != "forces"), f"{where}: relaxed")
    reference = read(table["relative_to"], None, fix, f"{where}: relative_to") if "relative_to" in table else None
    target = Target(
        structure=structure,
        observable=observable,
        value=_value(table, observable, structure, read, where),
        std=_numbers(table["std"], f"{where}: std"),
        weight=_number(table.get("weight", 1.0), f"{where}: weight"),
        relaxed=relaxed,
        name=_text(table["name"], f"{where}: name") if "name" in table else "",
        relative_to=reference,
        factor=_number(table.get("factor", 1.0), f"{where}: factor"),
    )
    if "factor" in table and reference is None:
        raise InputError(f"{where}: factor belongs to relative_to, which is not given")
    try:
        checked(target)
    except UsageError as error:
        raise InputError(f"{where}: {error}") from None
    return target


def _value(table: Mapping[str, Any], observable: str, structure: Structure, read: _Structures, where: str) -> Any:
    """The value in place, or from the file that stands for it: forces of an extxyz file, or positions of any structure."""
    if "value" in table and "file" in table:
        raise InputError(f"{where}: give value or file, not both")
    if "value" in table:
        return _numbers(table["value"], f"{where}: value")
    if "file" not in table:
        if observable == "positions":
            return None  # those of the structure itself
        raise InputError(f"{where}: has no value")
    name = _text(table["file"], f"{where}: file")
    if observable == "forces":
        try:
            return read_forces(read.folder / name, structure.symbols)
        except InputError as error:
            raise InputError(f"{where}: file: {error}") from None
    if observable == "positions":
        other = read(name, None, "", f"{where}: file")
        if other.types != structure.types:
            raise InputError(f"{where}: file: {name} holds other atoms than the structure, or in another order")
        return other.positions
    raise InputError(f"{where}: file goes with forces and positions; give a value for {observable}")


def _known(table: Mapping[str, Any], known: Any, where: str) -> None:
    for key in table:
        if key not in known:
            raise InputError(f"{where}: unknown key {key!r}{did_you_mean(key, known)}; known: {', '.join(known)}")


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value:
        raise InputError(f"{where} must be a text, not {value!r}")
    if "\0" in value:
        raise InputError(f"{where} holds a null character")
    return value


def _flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise InputError(f"{where} must be true or false, not {value!r}")
    return value


def _frame(value: Any, where: str) -> str:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise InputError(f"{where} must be a whole number, not {value!r}")
    return str(value)


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{where} must be a number, not {value!r}")
    try:
        number = float(value)
    except OverflowError:
        raise InputError(f"{where} is too large for a float") from None
    if not math.isfinite(number):
        raise InputError(f"{where} = {number} is not finite")
    return number


def _numbers(value: Any, where: str) -> Any:
    """A number, or an array of numbers of one shape."""
    if not isinstance(value, list):
        return _number(value, where)
    rows = [_numbers(item, where) for item in value]
    try:
        return np.array(rows, dtype=np.float64)
    except ValueError:
        raise InputError(f"{where}: its rows have different lengths") from None


def _positive(value: Any, where: str) -> float:
    number = _number(value, where)
    if number <= 0:
        raise InputError(f"{where} = {number:g} must be greater than zero")
    return number


def _count(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputError(f"{where} must be a whole number, not {value!r}")
    if not 0 <= value < 2**31:
        raise InputError(f"{where} = {value} must be at least 0 and less than 2³¹")
    return value


def _steps(value: Any, where: str) -> int:
    if _count(value, where) < 1:
        raise InputError(f"{where} must be at least 1")
    return int(value)


def _patterns(value: Any, where: str) -> tuple[str, ...]:
    """A list of patterns, or a single one, as in the study files of the other commands."""
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list):
        raise InputError(f"{where} must be a list of texts, not {value!r}")
    if not items:
        raise InputError(f"{where} = [] chooses nothing; leave the key out to fit every free parameter that acts on a target")
    return tuple(_text(item, where) for item in items)


def _dimensions(value: Any, where: str) -> int:
    if isinstance(value, bool) or value not in (2, 3):
        raise InputError(f"{where} must be 2 or 3, not {value!r}")
    return int(value)


_OPTIONS: dict[str, Callable[[Any, str], Any]] = {
    "parameters": _patterns,
    "priors": _flag,
    "fmax": _positive,
    "max_steps": _steps,
    "tolerance": _positive,
    "dimensions": _dimensions,
    "check": _flag,
    "seed": _count,
}
"""Options of `fit` that a study file may hold, with what checks them."""
STUDY_KEYS = ("force_field", "target", *_OPTIONS)
"""What a study file may hold."""
