"""Many structures, one after the other: each read, analyzed and written on its own, so that one failure never stops the rest."""

from __future__ import annotations

import datetime
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import TYPE_CHECKING

from md_sensitivity.batch import provenance, resume
from md_sensitivity.batch.lock import held
from md_sensitivity.batch.names import frame_names, result_names
from md_sensitivity.batch.outcome import DEVICE, FAILED, INTERNAL, Outcome, documented, exit_code
from md_sensitivity.batch.output import require_folder, writing
from md_sensitivity.batch.programs import compilations, forget_programs_when_many
from md_sensitivity.batch.reading import read_references, read_selected
from md_sensitivity.errors import ComputationError, DeviceError, MdSensitivityError, SelfCheckError, UsageError
from md_sensitivity.progress import SILENT, Progress

if TYPE_CHECKING:
    from md_sensitivity.analysis.formation import Reference
    from md_sensitivity.batch.study import Study
    from md_sensitivity.forcefields import ForceField
    from md_sensitivity.types import Structure

Report = Callable[[Outcome], None]


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run that has begun.

    Attributes:
        study: what to do.
        started: when.
        clock: the same on the monotonic clock [s].
        references: as read, what formation energies and the like are measured from.
        outcomes: what became of the structures so far; this list grows.
        compilations: time of each program that was compiled or loaded so far [s]; this list grows.
    """

    study: Study
    force_field: ForceField
    started: datetime.datetime
    clock: float
    outcomes: list[Outcome]
    references: tuple[Structure, ...] = ()
    compilations: list[float] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """Exit code of what is there so far."""
        return exit_code(self.outcomes, strict=self.study.strict)


def begin(study: Study) -> Run:
    """Read the force field and references, and check what can be checked before anything is computed, or any file touched.

    Raises:
        InputError: the force field or a reference was rejected.
        UsageError: an option that no structure can satisfy, or an output folder that cannot be made.
    """
    from md_sensitivity.forcefields import read_force_field

    started, clock = datetime.datetime.now(datetime.UTC), time.monotonic()
    force_field = read_force_field(study.force_field)
    check_options(study, force_field)
    references = read_references(study.references, reader=study.reader)
    require_folder(study.output)
    return Run(study=study, force_field=force_field, started=started, clock=clock, outcomes=[], references=references)


def check_options(study: Study, force_field: ForceField) -> None:
    """Raise a UsageError for names that do not exist: observables, parameters, minimizer, solver, formats."""
    from md_sensitivity.curvature import SOLVERS
    from md_sensitivity.minimization import MINIMIZERS
    from md_sensitivity.observables import observable
    from md_sensitivity.reports import WRITERS

    asked = [observable(spec).kind for spec in study.options.observables]
    referring = [kind.name for kind in asked if kind.referred is not None]
    if referring and not study.references:
        raise UsageError(f"observable {referring[0]} compares with other structures: name them with --reference")
    if study.references and asked and not referring:
        raise UsageError("--reference is for observables that compare structures, such as formation_energy, and none is asked for")
    if study.options.parameters:
        force_field.table.choosable(study.options.parameters)
    MINIMIZERS.find(study.options.minimizer)
    if study.options.solver != "auto":
        SOLVERS.find(study.options.solver)
    for name in study.formats or ():
        WRITERS.find(name)


def run_analyses(run: Run, *, progress: Progress = SILENT, report: Report = lambda outcome: None) -> int:
    """Analyze the structures of a run and write results, `summary.csv` and `run.json`.

    Args:
        run: from `begin`.
        progress: told where the work stands.
        report: called with each outcome as soon as its files are written.

    Returns:
        The exit code. An interruption passes through after `summary.csv` and `run.json` are written for what is finished.

    Raises:
        UsageError: another run is writing the same results.
        ComputationError: `summary.csv` or `run.json` cannot be written.
    """
    from md_sensitivity.reports.atomic import sweep

    with held(run.study.file(".lock", "")), compilations(run.compilations):
        sweep(run.study.output)
        try:
            for outcome in _outcomes(run, progress):
                run.outcomes.append(outcome)
                report(outcome)
            write_state(run, provenance.FINISHED)
        except BaseException:  # also where the signal came while the state was written
            write_state(run, provenance.INTERRUPTED)
            raise
    return run.exit_code


def write_state(run: Run, state: str) -> None:
    """Write `summary.csv` and `run.json` for what is finished."""
    from md_sensitivity.reports import summary_csv
    from md_sensitivity.reports.atomic import write_atomic

    study, seconds = run.study, time.monotonic() - run.clock
    outcomes = list(run.outcomes)
    table = summary_csv(documented(outcomes))
    text = provenance.run_json(
        study,
        run.force_field,
        outcomes,
        references=run.references,
        state=state,
        started=run.started,
        seconds=seconds,
        code=exit_code(outcomes, strict=study.strict),
        compilations=run.compilations,
    )
    with writing("summary.csv and run.json", study.output):
        write_atomic(study.file("summary", ".csv"), table)
        write_atomic(study.file("run", ".json"), text)


def frames_of(structures: Sequence[Structure], study: Study) -> list[str]:
    """What tells the frames of one file apart: their numbers where the study asks for a range, "" otherwise."""
    several = study.index is not None and ":" in study.index
    return [structure.name.rpartition("-")[2] if several else "" for structure in structures]


def _outcomes(run: Run, progress: Progress) -> Iterator[Outcome]:
    study, jobs = run.study, run.study.jobs
    relaxed = cache(partial(_relaxed_references, run, progress))    # once in a run, when the first structure needs them
    others = result_names(study.paths)  # of all shards
    for done, (place, path, name) in enumerate(jobs):
        part = _Part(progress=progress, done=done, count=len(jobs), name=name)
        part.update("reading", 0.0)
        began = time.monotonic()
        try:
            structures = read_selected(path, reader=study.reader, index=study.index, fix=study.fix)
        except Exception as error:  # the outermost edge of one file: whatever is in it, the others go on
            resume.clear(study.output / name)
            yield replace(_failure(error, name=name, path=path, seconds=time.monotonic() - began), place=place)
            continue
        for structure, frame in zip(structures, frame_names(name, frames_of(structures, study), others), strict=True):
            outcome = _analyzed(run, structure, relaxed, name=frame, path=path, progress=replace(part, name=frame))
            yield replace(outcome, place=place)
            forget_programs_when_many()


def _require_made_of(structure: Structure, run: Run) -> None:
    """Raise a UsageError where the references cannot make up the structure, before any of them is relaxed."""
    from md_sensitivity.analysis.formation import DEFAULT, made_of

    made_of(structure, run.references, run.force_field, run.study.options.observables or (DEFAULT,))


def _relaxed_references(run: Run, progress: Progress) -> tuple[Reference, ...]:
    from md_sensitivity.analysis.formation import relaxed_references

    return relaxed_references(run.references, run.force_field, run.study.options, progress)


def _analyzed(
    run: Run, structure: Structure, relaxed: Callable[[], tuple[Reference, ...]], *, name: str, path: str, progress: Progress
) -> Outcome:
    """Analyze one structure and write its result."""
    from md_sensitivity import pipeline
    from md_sensitivity.reports import write_result
    from md_sensitivity.reports.atomic import sweep

    study, force_field = run.study, run.force_field
    folder, began = study.output / name, time.monotonic()
    sweep(folder)
    key = resume.content_key(structure, force_field, study, run.references)
    old = resume.finished(folder, key) if study.resume else None
    if old is not None:
        return Outcome(name=name, path=path, status=old.status, kept=True, sha256=structure.sha256, document=old)
    try:
        compute = pipeline.analyze if study.differentiate else pipeline.minimize_structure
        if run.references:
            _require_made_of(structure, run)
            compute = partial(pipeline.analyze, references=relaxed())
        result = compute(structure, force_field, study.options, name=name, progress=progress)
        resume.clear(folder)
        written = write_result(result, study.output, study.formats)
        if result.document.status != "failed":
            resume.mark_finished(folder, key, written)
    except Exception as error:  # the outermost edge of one structure: whatever happens to it, the others go on
        if not isinstance(error, UsageError):  # a slip of the request says nothing about what an earlier one found
            resume.clear(folder)
        outcome = replace(_failure(error, name=name, path=path, seconds=time.monotonic() - began), sha256=structure.sha256)
        return outcome if outcome.status == "rejected" else _recorded(outcome, structure, force_field, study)
    document = result.document
    return Outcome(
        name=name,
        path=path,
        status=document.status,
        message=document.message if document.status == "failed" else "",
        seconds=time.monotonic() - began,
        sha256=structure.sha256,
        document=document,
    )


def _recorded(outcome: Outcome, structure: Structure, force_field: ForceField, study: Study) -> Outcome:
    """The outcome of a failed computation, with a result that says so written where that is possible."""
    from md_sensitivity.batch.failed import failed_result
    from md_sensitivity.reports import write_result

    result = failed_result(structure, force_field, name=outcome.name, message=outcome.message, seconds=outcome.seconds)
    try:
        write_result(result, study.output, study.formats)
    except (OSError, ComputationError) as error:
        return replace(outcome, message=f"{outcome.message}; nor could the failure be written: {error}")
    return replace(outcome, document=result.document)


def _failure(error: Exception, *, name: str, path: str, seconds: float) -> Outcome:
    """What an exception says about one structure."""
    outcome = Outcome(name=name, path=path, status="failed", seconds=seconds)
    if isinstance(error, ComputationError | DeviceError | SelfCheckError):
        return replace(outcome, code=error.exit_code, message=str(error))
    if isinstance(error, MdSensitivityError):  # of the request or the input: nothing was computed
        return replace(outcome, status="rejected", code=error.exit_code, message=str(error))
    if out_of_memory(error):
        return replace(outcome, code=DEVICE, message="the memory of the device does not suffice for this structure")
    if isinstance(error, OSError):
        return replace(outcome, code=FAILED, message=f"cannot write the result: {error.strerror or error}")
    trace = "".join(traceback.format_exception(error))
    return replace(outcome, code=INTERNAL, message=f"internal error: {type(error).__name__}: {error}", traceback=trace)


def out_of_memory(error: BaseException) -> bool:
    """Whether the host or the device ran out of memory."""
    from_jax = type(error).__name__ in ("JaxRuntimeError", "XlaRuntimeError")
    return isinstance(error, MemoryError) or (from_jax and "RESOURCE_EXHAUSTED" in str(error))


@dataclass(frozen=True, kw_only=True)
class _Part:
    """Progress of one structure as a part of the progress of all."""

    progress: Progress
    done: int
    count: int
    name: str

    def update(self, stage: str, fraction: float | None) -> None:
        """Tell the whole where this part is."""
        prefix = f"{self.done + 1}/{self.count} {self.name}: " if self.count > 1 else ""
        whole = fraction if self.count == 1 else (self.done + (fraction or 0.0)) / self.count
        self.progress.update(prefix + stage, whole)
