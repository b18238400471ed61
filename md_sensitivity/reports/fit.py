"""The files of a fit: `fit.json`, `force_field.toml`, `history.csv`, `report.html`, each whole or not at all."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import msgspec

from md_sensitivity.errors import ComputationError, InputError, UsageError
from md_sensitivity.fitting.document import FitDocument
from md_sensitivity.forcefields import ForceField, native_toml
from md_sensitivity.forcefields.potential_files import format_of
from md_sensitivity.forcefields.rewrite import up_to_date
from md_sensitivity.reports.atomic import write_atomic
from md_sensitivity.reports.csv import guarded
from md_sensitivity.reports.finite import not_finite
from md_sensitivity.reports.force_field import companions, force_field_text

HISTORY = ("step", "cost", "damping", "length", "gradient", "gain", "accepted", "reason")


def write_fit(document: FitDocument, force_field: ForceField, start: ForceField, directory: str | Path) -> list[Path]:
    """Write the files of a fit to `directory`; where there is a fit.json, the others are complete.

    Args:
        document: the finished fit; ComputationError where a number of it is not finite.
        force_field: with the fitted values.
        start: what the fit started from; a potential file is written with fitted values, too.
        directory: output folder.

    Returns:
        The files written.
    """
    from md_sensitivity.reports.html.fit import fit_html

    for place, value in not_finite(msgspec.to_builtins(document), ""):
        raise ComputationError(f"the fit: {place} is {value}, not a finite number; nothing was written")
    folder = Path(directory)
    texts: dict[str, bytes | str] = {
        **_force_fields(force_field, start, folder),
        "history.csv": history_csv(document),
        "report.html": fit_html(document),
        "fit.json": fit_json(document),
    }
    return [write_atomic(folder / name, text) for name, text in texts.items()]


def _force_fields(force_field: ForceField, start: ForceField, folder: Path) -> dict[str, str]:
    """`force_field.toml`, and the same as a potential file where the fit started from one that can hold it."""
    names = ["force_field.toml"]
    kind = format_of(Path(start.path)) if start.path else None
    if kind is not None and kind.tokens is not None:
        names.append(f"force_field{kind.suffix}")
    found: dict[str, str] = {}
    for name in names:
        try:
            beside = companions(folder / name, start)
            found |= {name: force_field_text(force_field, folder / name, start), **beside}
        except (InputError, UsageError):    # the file has changed meanwhile, or has no place for a value
            found |= {name: native_toml(up_to_date(force_field), folder)} if name.endswith(".toml") else {}
    return found


def fit_json(document: FitDocument) -> bytes:
    """The document as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def history_csv(document: FitDocument) -> str:
    """One row for each trial; numbers with full precision."""
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator="\n")
    table.writerow(HISTORY)
    for step in document.history:
        table.writerow([_cell(getattr(step, name)) for name in HISTORY])
    return stream.getvalue()


def _cell(value: str | float | bool | None) -> str | float | None:
    return str(value).lower() if isinstance(value, bool) else guarded(value)
