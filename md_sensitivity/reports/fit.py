"""The files of a fit: `fit.json`, `force_field.toml`, `history.csv`, `report.html`, each whole or not at all."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import msgspec

from md_sensitivity.errors import ComputationError
from md_sensitivity.fitting.document import FitDocument
from md_sensitivity.forcefields import ForceField, native_toml
from md_sensitivity.reports.atomic import write_atomic
from md_sensitivity.reports.csv import guarded
from md_sensitivity.reports.finite import not_finite

HISTORY = ("step", "cost", "damping", "length", "gradient", "gain", "accepted", "reason")


def write_fit(document: FitDocument, force_field: ForceField, directory: str | Path) -> list[Path]:
    """Write the files of a fit to `directory`; where there is a fit.json, the others are complete.

    Args:
        document: the finished fit; ComputationError where a number of it is not finite.
        force_field: with the fitted values.
        directory: output folder.

    Returns:
        The files written.
    """
    from md_sensitivity.reports.html.fit import fit_html

    for place, value in not_finite(msgspec.to_builtins(document), ""):
        raise ComputationError(f"the fit: {place} is {value}, not a finite number; nothing was written")
    folder = Path(directory)
    texts: dict[str, bytes | str] = {
        "force_field.toml": native_toml(force_field),
        "history.csv": history_csv(document),
        "report.html": fit_html(document),
        "fit.json": fit_json(document),
    }
    return [write_atomic(folder / name, text) for name, text in texts.items()]


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
