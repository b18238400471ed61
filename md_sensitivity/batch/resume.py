"""Which results of an earlier run still hold, and the removal of those that do not.

A result is kept where the hash of everything it depends on stands beside it, and those of the files that were written. They are
written last, so that a run which was killed at any point leaves either a complete result with its hashes or something that is computed
again; so does whoever deletes or damages a file afterwards.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, fields
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from md_sensitivity.errors import InputError

if TYPE_CHECKING:
    from md_sensitivity.analysis.result import ResultDocument
    from md_sensitivity.batch.study import Study
    from md_sensitivity.forcefields import ForceField, Term
    from md_sensitivity.types import Structure

KEY_FILE = ".key"


def content_key(structure: Structure, force_field: ForceField, study: Study, references: Iterable[Structure] = ()) -> str:
    """Hash of structure, references, force field, options and versions.

    The structure counts as it was read and frozen; the force field with its values, because its file may name other files.
    """
    from md_sensitivity.versions import installed_versions

    versions = installed_versions()
    total, structures = hashlib.sha256(), (structure, *references)
    plain = {
        "versions": [versions.get(name) for name in ("md_sensitivity", "jax", "jax-md", "numpy")],
        "structures": [[each.sha256, each.name, each.types] for each in structures],
        "force_field": [force_field.sha256, force_field.name, force_field.aliases, [_plain_term(term) for term in force_field.terms]],
        "groups": dict(force_field.table.groups),
        "options": asdict(study.options),
        "differentiate": study.differentiate,
        "formats": study.formats,
    }
    total.update(json.dumps(plain, sort_keys=True, default=repr).encode())
    for block in force_field.table.blocks:
        total.update(json.dumps([block.prefix, block.unit, block.series, sorted(block.follows.items())]).encode())
        for array in (block.values, block.lower, block.upper, block.std, block.fixed):
            total.update(array.tobytes())
    for each, name in product(structures, ("positions", "cell", "pbc", "numbers", "masses", "bonds", "fixed")):
        array = getattr(each, name)
        total.update(repr((array.dtype.str, array.shape)).encode())
        total.update(array.tobytes())
    return total.hexdigest()


def _plain_term(term: Term) -> dict[str, Any]:
    """A term without its functions, whose repr differs from process to process."""
    plain = {each.name: getattr(term, each.name) for each in fields(term) if each.name != "form"}
    # Keys of JSON are texts, and those of cutoffs are pairs of types.
    return plain | {"cutoffs": [*term.cutoffs.items()], "switches": [*term.switches.items()], "form": term.form.name}


def finished(folder: Path, key: str) -> ResultDocument | None:
    """The result in `folder` where it is complete, as it was written, and belongs to `key`."""
    from md_sensitivity.reports.load import load_document

    try:
        first, *sums = (folder / KEY_FILE).read_text().splitlines()
        if first != key or not sums or any(line != _sum(folder / line.partition("  ")[2]) for line in sums):
            return None
        return load_document(folder / "result.json")
    except (OSError, ValueError, InputError):
        return None


def mark_finished(folder: Path, key: str, written: Iterable[Path]) -> None:
    """Say that the result in `folder` is complete, and which files it has."""
    from md_sensitivity.reports.atomic import write_atomic

    write_atomic(folder / KEY_FILE, "\n".join([key, *map(_sum, written)]) + "\n")


def _sum(path: Path) -> str:
    """Hash and name of a file, as sha256sum writes them."""
    with path.open("rb") as stream:
        return f"{hashlib.file_digest(stream, 'sha256').hexdigest()}  {path.name}"


def clear(folder: Path) -> None:
    """Remove the result of an earlier run, so that nothing stale seems current. Files that no writer makes stay."""
    from md_sensitivity.reports import WRITERS
    from md_sensitivity.reports.atomic import sweep

    sweep(folder)

    for name in (KEY_FILE, "result.json", *(writer.filename for writer in WRITERS.values())):
        (folder / name).unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
