"""Results → files, one writer per format, and back.

A result is written to DIR/NAME/; every file of it can be made again from `result.json` and `arrays.npz` alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from md_sensitivity.analysis.result import Result
from md_sensitivity.errors import UsageError
from md_sensitivity.registry import Registry
from md_sensitivity.reports.atomic import write_atomic
from md_sensitivity.reports.csv import Documented, result_csv, summary_csv, summary_rows
from md_sensitivity.reports.extxyz import has_positions, result_extxyz
from md_sensitivity.reports.finite import require_finite
from md_sensitivity.reports.html import report_html
from md_sensitivity.reports.json import result_json
from md_sensitivity.reports.load import load, load_documents
from md_sensitivity.reports.npz import result_npz
from md_sensitivity.reports.pdb import has_residues, has_response, result_pdb
from md_sensitivity.reports.terminal import print_results
from md_sensitivity.reports.writer import Writer

__all__ = [
    "WRITERS",
    "Documented",
    "Writer",
    "load",
    "load_documents",
    "print_results",
    "require_finite",
    "summary_csv",
    "summary_rows",
    "write_atomic",
    "write_result",
    "write_summary",
]

WRITERS = Registry(
    "format",
    (
        Writer(name="npz", description="positions and responses as numpy arrays", filename="arrays.npz", write=result_npz),
        Writer(name="csv", description="table of sensitivities", filename="summary.csv", write=result_csv),
        Writer(
            name="extxyz",
            description="minimized structure with the responses as columns",
            filename="relaxed.extxyz",
            write=result_extxyz,
            possible=has_positions,
        ),
        Writer(
            name="pdb",
            description="minimized structure with |dx/dθ| as B-factor",
            filename="response.pdb",
            write=result_pdb,
            possible=has_response,
            usual=has_residues,
        ),
        Writer(name="html", description="report with figures, one self-contained file", filename="report.html", write=report_html),
        Writer(name="json", description="the whole result but its arrays", filename="result.json", write=result_json),
        # json stays last: where there is a result.json, the other files are complete.
    ),
)


def write_result(result: Result, directory: str | os.PathLike[str], formats: Iterable[str] | None = None) -> list[Path]:
    """Write the files of one structure to `directory`/NAME/, each whole or not at all.

    Args:
        result: a finished analysis; ComputationError where a number of it is not finite.
        directory: the output folder of the run.
        formats: names from WRITERS; by default all that apply. What a result cannot give (a failed one has no minimized structure)
            is left out even where it is asked for.

    Returns:
        The files written.
    """
    writers = [WRITERS.find(name) for name in dict.fromkeys(formats)] if formats is not None else list(WRITERS.values())
    require_finite(result)
    if result.name in {"", ".", ".."} or Path(result.name).name != result.name:
        raise UsageError(f"{result.name!r} cannot be the name of a folder")
    folder = Path(directory) / result.name
    chosen = [writer for writer in writers if writer.applies(result, asked=formats is not None)]
    return [write_atomic(folder / writer.filename, writer.write(result)) for writer in chosen]


def write_summary(results: Iterable[Documented], directory: str | os.PathLike[str]) -> Path:
    """Write `directory`/summary.csv over all structures of a run."""
    return write_atomic(Path(directory) / "summary.csv", summary_csv(results))
