"""One fit: its files, written whole, and the best so far where it is interrupted."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from md_sensitivity.batch.outcome import FAILED, OK, SELF_CHECK, STRICT
from md_sensitivity.batch.output import require_folder, writing
from md_sensitivity.batch.provenance import FINISHED, INTERRUPTED, circumstances, ending, force_field_info, json_text
from md_sensitivity.errors import InputError, UsageError
from md_sensitivity.progress import SILENT, Progress

if TYPE_CHECKING:
    from md_sensitivity.fitting import Fit
    from md_sensitivity.fitting.document import FitDocument
    from md_sensitivity.fitting.study import Study
    from md_sensitivity.types import Structure


@dataclass(frozen=True, kw_only=True)
class FitRun:
    """A fit that has begun.

    Attributes:
        study: targets, and the force field to start from.
        options: of `fit`.
        output: folder of its files.
        strict: whether a fit that does not converge is a failure.
        provenance: command line.
        started: when.
        clock: the same on the monotonic clock [s].
        accepted: the fit after each accepted step so far; this list grows.
    """

    study: Study
    options: Mapping[str, Any]
    output: Path
    strict: bool
    provenance: Mapping[str, Any]
    started: datetime.datetime
    clock: float
    accepted: list[Fit] = field(default_factory=list)


def begin(
    path: str, given: Mapping[str, Any], *, force_field: str | None, reader: str, output: Path, strict: bool, provenance: Mapping[str, Any]
) -> FitRun:
    """Read the study, its force field and its structures.

    Args:
        path: the study file.
        given: options of `fit` that win over those of the study.
        force_field: another one than that of the study.
        reader: library that reads the structures.
        output, strict, provenance: as in `FitRun`.

    Raises:
        InputError: the study, its force field or one of its structures was rejected.
        UsageError: a given pattern matches no parameter, or the output folder cannot be made.
    """
    from md_sensitivity.fitting.study import read_study

    started, clock = datetime.datetime.now(datetime.UTC), time.monotonic()
    study = read_study(path, force_field=force_field, read=partial(_one, reader))
    if "parameters" in given:
        study.force_field.table.choosable(given["parameters"])
    require_folder(output)
    return FitRun(
        study=study,
        options={**study.options, **given},
        output=output,
        strict=strict,
        provenance=provenance,
        started=started,
        clock=clock,
    )


def _one(reader: str, path: str, index: str | None, fix: str) -> Structure:
    from md_sensitivity.batch.reading import read_selected

    found = read_selected(path, reader=reader, index=index, fix=fix)
    if len(found) != 1:
        raise InputError(f"{path}: index {index!r} names {len(found)} frames; give one")
    return found[0]


def run_fit(run: FitRun, *, progress: Progress = SILENT, report: Callable[[Fit], None] = lambda fit: None) -> tuple[FitDocument, int]:
    """Fit, and write all files.

    Args:
        run: what to do.
        progress: told where the work stands.
        report: called with the fit after each accepted step.

    Returns:
        The fit as plain data, and the exit code. An interruption passes through after the best so far is written.

    Raises:
        InputError: the targets of the study make no sense.
        ComputationError: the files cannot be written.
    """
    from md_sensitivity.fitting import fit

    def stage(text: str) -> None:
        progress.update(f"step {run.accepted[-1].steps + 1}: {text}" if run.accepted else text, None)

    def keep(so_far: Fit) -> None:
        run.accepted.append(so_far)
        report(so_far)

    try:
        found = fit(run.study.targets, run.study.force_field, **run.options, throw=False, report=stage, checkpoint=keep)
        document = _write(run, found, FINISHED)
    except UsageError as error:
        raise InputError(f"{run.study.path}: {error}") from None
    except BaseException:  # also where the signal came while the files were written
        save(run)
        raise
    return document, fit_code(document, strict=run.strict)


def save(run: FitRun) -> None:
    """Write the best so far, of status "interrupted"; nothing where no step was accepted."""
    if run.accepted:
        _write(run, run.accepted[-1], INTERRUPTED)


def fit_code(document: FitDocument, *, strict: bool) -> int:
    """Exit code of a finished fit."""
    if document.status == "failed":
        return FAILED
    if document.status != "converged":
        return STRICT if strict else OK
    return SELF_CHECK if document.certificate is not None and not document.certificate.passed else OK


def _write(run: FitRun, fit: Fit, state: str) -> FitDocument:
    """All files; run.json last."""
    from md_sensitivity.fitting.document import fit_document
    from md_sensitivity.reports import write_atomic
    from md_sensitivity.reports.fit import write_fit

    seconds = time.monotonic() - run.clock
    document = fit_document(fit, study=run.study.path, seconds=seconds, options=run.options)
    with writing("the files of the fit", run.output):
        write_fit(document, fit.force_field, run.study.force_field, run.output)
        write_atomic(run.output / "run.json", _run_json(run, document, state, seconds))
    return document


def _run_json(run: FitRun, document: FitDocument, state: str, seconds: float) -> str:
    study, end = run.study, ending(state, fit_code(document, strict=run.strict))
    result = {"name": "fit", "path": study.path, "status": document.status, "exit_code": end["exit_code"], "seconds": seconds}
    return json_text(
        {
            **end,
            **run.provenance,
            "options": dict(run.options),
            "inputs": {
                "study": {"path": study.path, "sha256": study.sha256},
                "force_field": force_field_info(study.force_field),
                "structures": [{"path": path, "sha256": digest} for path, digest in study.inputs],
            },
            "results": [result],
            "seed": run.options.get("seed", 0),
            **circumstances(study.force_field, run.started, seconds),
        }
    )
