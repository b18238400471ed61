"""The text of a force-field file with other values: numbers are replaced where they stand, all else stays as it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from md_sensitivity.errors import InputError, UsageError
from md_sensitivity.files import parse_toml, shown
from md_sensitivity.forcefields.data import ForceField, Origin
from md_sensitivity.forcefields.files import read_text
from md_sensitivity.forcefields.molecules import read_again
from md_sensitivity.forcefields.native import parse_native
from md_sensitivity.forcefields.potential_files import FileValues, PotentialFormat, SourceText
from md_sensitivity.forcefields.table import VARIABLE, ParameterRow, ParameterTable, join_types, split_types
from md_sensitivity.forcefields.toml_spans import Path as Keys
from md_sensitivity.forcefields.toml_spans import TomlSpans, spans_of
from md_sensitivity.forcefields.write import files_toml, native_toml, toml_text

Edit = tuple[int, int, str]
"""Start and end in a text, and what stands there instead."""


def rewritten_toml(force_field: ForceField, original: ForceField, text: str, target: Path) -> str:
    """A native document with other values: comments, order and relations stay.

    Values that a file gives are laid over it by entries of the document. Where a value cannot be placed in the text, the
    force field is written out anew.

    Args:
        force_field: with the values that are wanted.
        original: as read from `text`.
        target: where the new document will stand; that of the old one, unless its files are those of molecules.
    """
    edits = _toml_edits(force_field.table, original, text, target) if force_field.table.names == original.table.names else None
    if edits is None:
        return native_toml(force_field, target)
    changed = _edited(text, edits) if edits else text
    try:
        again = parse_native(changed, original.path or original.name, target, origin=original.origin)
    except InputError:
        return native_toml(force_field, target)
    return changed if np.array_equal(again.table.values, force_field.table.values) else native_toml(force_field, target)


def _toml_edits(table: ParameterTable, original: ForceField, text: str, target: Path) -> list[Edit] | None:
    spans, edits = spans_of(text), list[Edit]()
    if original.origin is not None and not _same_folder(target, Path(original.path).parent):
        edits.append((*spans.values[("molecules", "files")], files_toml(original.origin, target)))
    for position in np.flatnonzero((table.values != original.table.values) & ~table.dependent).tolist():
        row = table.rows[position]
        edit = _toml_edit(row, original, spans, text)
        if edit is None:
            return None
        edits.append(edit)
    return _joined(edits)


def _joined(edits: Iterable[Edit]) -> list[Edit]:
    """The same with one header for all lines of a new table."""
    found: list[Edit] = []
    tables: dict[tuple[int, str], int] = {}
    for start, end, new in edits:
        header, closing, line = new.partition("]\n")
        if not new.startswith("\n["):
            found.append((start, end, new))
        elif (start, header) in tables:
            place = tables[start, header]
            found[place] = (start, end, found[place][2] + line)
        else:
            tables[start, header] = len(found)
            found.append((start, end, header + closing + line))
    return found


def _toml_edit(row: ParameterRow, original: ForceField, spans: TomlSpans, text: str) -> Edit | None:
    """Where the number of a row stands, or can stand, and the number."""
    value, name, leaf = repr(row.value), row.parameter, row.leaf or row.parameter
    if row.label == VARIABLE:
        tables: list[Keys] = [("variables",)]
        term: Keys = ("variables",)
    elif original.origin is not None:
        name = leaf = row.name
        tables, term = [("parameters",)], ("parameters",)
    else:
        number = next(number for number, each in enumerate(original.terms) if each.label == row.label)
        term = ("potential", number)
        lead = (*term, "parameters")
        keys = {path[3] for path in (*spans.values, *(path for path, _, _ in spans.headers)) if path[:3] == lead and len(path) > 3}
        tables = [(*lead, key) for key in sorted(map(str, keys)) if split_types(str(key)) == row.types]
    found = [path for table in tables for path in _paths((*table, name), spans)]
    if not found and name != leaf:
        index = int(row.parameter[len(leaf) :])
        found = [path for table in tables for path in ((*table, leaf, "value", index), (*table, leaf, index)) if path in spans.values]
    if found:
        start, end = spans.values[found[0]]
        if text[start] == "{":      # what is said of the number besides its value
            return start + 1, start + 1, f" value = {value}," if text[start + 1 : end - 1].strip() else f" value = {value} "
        return start, end, value
    return _new_entry(row, name, term, tables, spans, value)


def _paths(path: Keys, spans: TomlSpans) -> list[Keys]:
    return [each for each in ((*path, "value"), path) if each in spans.values]


def _new_entry(row: ParameterRow, key: str, term: Keys, tables: list[Keys], spans: TomlSpans, value: str) -> Edit | None:
    """A line for a number that the document does not mention: in the table of its types, or in a new one behind its potential."""
    name = toml_text(key) if "." in key else key
    for path, _, end in spans.headers:
        if any(path == (*table, key) for table in tables):
            return end, end, f"value = {value}\n"
        if path in tables:
            return end, end, f"{name} = {value}\n"
    if term == ("parameters",):
        return -1, -1, f"\n[parameters]\n{name} = {value}\n"
    if tables:
        return None     # its table is written in some other way
    starts = [place for place, (path, _, _) in enumerate(spans.headers) if path == term]
    if not starts:
        return None
    after = [start for path, start, _ in spans.headers[starts[0] + 1 :] if path[:2] != term]
    end = after[0] if after else -1
    return end, end, f"\n[potential.parameters.{toml_text(join_types(row.types))}]\n{name} = {value}\n"


def _edited(text: str, edits: Iterable[Edit]) -> str:
    """The text with all edits made; -1 stands for its end."""
    text = text if text.endswith("\n") else text + "\n"
    placed = [(len(text), len(text), new) if start < 0 else (start, end, new) for start, end, new in edits]
    pieces, last = [], 0
    for start, end, new in sorted(placed, key=lambda edit: edit[:2]):
        pieces += [text[last:start], new]
        last = end
    return "".join([*pieces, text[last:]])


def rewritten_potential_file(force_field: ForceField, kind: PotentialFormat, source: SourceText) -> str:
    """A potential file with other values; numbers that stay are written as they were.

    Raises:
        UsageError: where the file cannot hold the force field.
    """
    if kind.tokens is None:
        raise UsageError(f"{source.where}: {kind.suffix} files are read, but cannot be written; write a .toml file")
    values: FileValues = {(block.types, block.leaf): block.values for block in force_field.table.blocks}
    values = values if kind.folded is None else kind.folded(values)
    edits = []
    for token in kind.tokens(source.text):
        value = values[(token.types, token.parameter)][token.number]
        if float(source.text[token.start : token.end]) != value:
            edits.append((token.start, token.end, repr(float(value))))
    return _edited(source.text, edits) if edits else source.text


def _same_folder(a: Path, b: Path) -> bool:
    return a.resolve() == b.resolve()


def names_files(text: str) -> bool:
    """Whether potentials of a native document take values from files."""
    return any("file" in potential for potential in parse_toml(text, "force field").get("potential", []))


def require_unchanged(force_field: ForceField) -> str:
    """Text of the file that a force field was read from.

    Raises:
        InputError: where it has changed since.
    """
    content = read_text(Path(force_field.path))
    if content.sha256 != force_field.sha256:
        raise InputError(f"{shown(force_field.path)}: has changed since it was read; read it again")
    if force_field.origin is not None and not _says(read_again(force_field.origin), force_field.origin):
        raise InputError(f"{shown(force_field.path)}: the files that it names have changed since they were read; read it again")
    return content.text


def up_to_date(force_field: ForceField) -> ForceField:
    """A force field that is compared with the files of its molecules as they are now, where these still have the same parameters."""
    if force_field.origin is None:
        return force_field
    try:
        again = read_again(force_field.origin)
    except InputError:
        return force_field
    return replace(force_field, origin=again.origin) if again.table.names == force_field.origin.plain.table.names else force_field


def _says(again: ForceField, origin: Origin) -> bool:
    before = origin.plain.table
    return again.table.names == before.names and np.array_equal(again.table.values, before.values)
