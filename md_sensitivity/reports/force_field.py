"""Force fields as files, in the format that they came from where that can hold them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from md_sensitivity.errors import UsageError
from md_sensitivity.files import shown
from md_sensitivity.forcefields import ForceField, native_toml, parse_native, read_force_field
from md_sensitivity.forcefields.files import read_text
from md_sensitivity.forcefields.potential_files import SourceText, format_of
from md_sensitivity.forcefields.rewrite import names_files, require_unchanged, rewritten_potential_file, rewritten_toml
from md_sensitivity.reports.atomic import write_atomic


def write_force_field(force_field: ForceField, path: str | Path, *, like: ForceField | None = None) -> Path:
    """Write a force field with its present values.

    A file of the kind that it was read from is that file with other numbers: comments, order and what has not changed stay as they are.
    For molecular force fields that is a TOML file, which names their files and says what differs.

    Args:
        force_field: with any values.
        path: native TOML (`.toml`), or a potential file of the kind that the force field came from.
        like: the force field as it was read, where this one does not know its file.

    Returns:
        The file written.

    Raises:
        UsageError: where the kind of file cannot hold the force field.
        InputError: where the file it came from has changed since it was read.
    """
    target, source = Path(path), like or force_field
    text = force_field_text(force_field, target, source)
    for name, content in companions(target, source).items():
        write_atomic(target.parent / name, content)
    return write_atomic(target, text)


def companions(path: Path, like: ForceField) -> dict[str, str]:
    """File name → content of what must stand beside a potential file and does not yet.

    Raises:
        UsageError: where something else stands there.
    """
    kind = format_of(path)
    if kind is None or not kind.beside:
        return {}
    beside, text = path.with_suffix(kind.beside), read_text(Path(like.path).with_suffix(kind.beside)).text
    if not beside.exists():
        return {beside.name: text}
    if read_text(beside).text != text:
        raise UsageError(f"{shown(path)}: belongs to another file than {shown(beside)}, which is there; choose another name")
    return {}


def force_field_text(force_field: ForceField, path: Path, like: ForceField) -> str:
    """What `write_force_field` writes to `path`."""
    source = Path(like.path)
    if path.name.lower().endswith(".toml"):
        if like.origin is not None and like.path:
            text = require_unchanged(like)
            if source.name.lower().endswith(".toml"):
                original = replace(parse_native(text, shown(source), source.parent, origin=like.origin), path=like.path)
                return rewritten_toml(force_field, original, text, path.parent)
        if like.typing is not None or not like.path.lower().endswith(".toml"):
            return native_toml(force_field, path.parent)
        text, original = require_unchanged(like), read_force_field(source)
        # Files that the document names are looked up beside it: elsewhere their values are written out.
        alone = names_files(text) and path.resolve().parent != source.resolve().parent
        return native_toml(force_field) if alone else rewritten_toml(force_field, original, text, source.parent)
    if like.typing is not None:
        raise UsageError(
            f"{shown(path)}: files of molecular force fields are not written anew; write a file that ends with .toml, which names them "
            "and says what differs"
        )
    kind = format_of(path)
    if kind is None or not like.path or format_of(source) is not kind:
        own = f" or {format_of(source).suffix}" if like.path and format_of(source) else ""  # type: ignore[union-attr]
        raise UsageError(f"{shown(path)}: this force field is written to files that end with .toml{own}")
    return rewritten_potential_file(force_field, kind, SourceText(require_unchanged(like), source))
