"""`md-sensitivity fit`: force-field parameters from targets."""

from __future__ import annotations

import datetime
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from md_sensitivity.cli import edge, options, signals
from md_sensitivity.cli.console import Console
from md_sensitivity.cli.runs import console_of, require
from md_sensitivity.errors import InputError, UsageError

if TYPE_CHECKING:
    from md_sensitivity.fitting import Fit
    from md_sensitivity.fitting.document import FitDocument
    from md_sensitivity.fitting.study import Study
    from md_sensitivity.types import Structure

OK, FAILED, STRICT, SELF_CHECK = 0, 4, 5, 7


@click.command()
@click.argument("study", metavar="STUDY.toml", required=False)
@options.options(
    options.output,
    click.option("-f", "--force-field", metavar="PATH", default=None, help="Another force field than that of the study."),
    options.parameters,
    click.option(
        "--priors/--no-priors",
        default=None,
        help="Whether parameters are held to their start by their std. Default: as the study says, or yes.",
    ),
    click.option(
        "--fmax",
        type=click.FloatRange(min=0, min_open=True),
        callback=options.finite,
        default=None,
        help="Largest force component at the minima [eV/Å; reduced units: as is]. Default: as the study says, or 1e-8.",
    ),
    click.option("--max-steps", type=click.IntRange(min=1), default=None, help="Trials of the fit. Default: as the study says, or 50."),
    click.option("--check/--no-check", default=None, help="Whether the derivatives at the end are checked by differences. Default: yes."),
    options.reader,
    options.strict,
    *options.PROCESS,
    *options.TALK,
)
@click.pass_context
def fit(ctx: click.Context, **values: Any) -> int:
    """Fit force-field parameters to targets.

    STUDY.toml names a force field and targets: observables of relaxed structures, or energies, forces and stresses at given positions,
    each with its standard deviation.

    Writes DIR/fit.json, DIR/force_field.toml, DIR/history.csv, DIR/report.html and DIR/run.json.

    \b
    md-sensitivity fit study.toml -o outputs/fit
    """
    require(ctx, values, "study")
    console = console_of(values, bar=True)
    edge.prepare(console, **{name: values[name] for name in ("threads", "device", "gpu_memory") if name in values})
    started, clock = datetime.datetime.now(datetime.UTC), time.perf_counter()
    with console:
        console.update("reading", None)
        study = _study(values)
        job = _Job(study, _chosen(study, values), Path(values["output"]), started, clock, _provenance(ctx, values))
        with signals.watched(job.save):
            document = _fitted(job, console)
    code = _code(document, strict=values["strict"])
    job.write(document, job.force_field, state="finished", code=code)
    _show(document, as_json=values["as_json"])
    _tell(console, job, document)
    return code


class _Job:
    """One fit and where its files go; keeps the best so far, so that a signal loses nothing.

    Attributes:
        study, options, output: what to do.
        started, clock: when it began.
        provenance: command line.
        best: the last accepted step; None before the first.
    """

    def __init__(
        self, study: Study, options: dict[str, Any], output: Path, started: datetime.datetime, clock: float, provenance: dict[str, Any]
    ) -> None:
        self.study, self.options, self.output = study, options, output
        self.started, self.clock, self.provenance = started, clock, provenance
        self.best: Fit | None = None

    @property
    def force_field(self) -> Any:
        return self.study.force_field if self.best is None else self.best.force_field

    def keep(self, fit: Fit) -> None:
        """Remember the best so far."""
        self.best = fit

    def document(self, fit: Fit) -> FitDocument:
        """The fit as plain data."""
        from md_sensitivity.fitting.document import fit_document

        return fit_document(fit, study=self.study.path, seconds=time.perf_counter() - self.clock, options=self.options)

    def save(self, code: int = signals.INTERRUPTED) -> None:
        """Write the best so far, of status "interrupted"."""
        if self.best is not None:
            self.write(self.document(self.best), self.best.force_field, state="interrupted", code=code)

    def write(self, document: FitDocument, force_field: Any, *, state: str, code: int) -> None:
        """All files; run.json last."""
        from md_sensitivity.batch.fit_provenance import fit_run_json
        from md_sensitivity.reports import write_atomic
        from md_sensitivity.reports.fit import write_fit

        write_fit(document, force_field, self.output)
        seconds = time.perf_counter() - self.clock
        text = fit_run_json(
            self.study, self.options, self.provenance, state=state, started=self.started, seconds=seconds, code=code, status=document.status
        )
        write_atomic(self.output / "run.json", text)


def _study(values: Mapping[str, Any]) -> Study:
    from md_sensitivity.batch.reading import read_selected
    from md_sensitivity.fitting.study import read_study

    def read(path: str, index: str | None, fix: str) -> Structure:
        found = read_selected(path, reader=values["reader"], index=index, fix=fix)
        if len(found) != 1:
            raise InputError(f"{path}: index {index!r} names {len(found)} frames; give one")
        return found[0]

    return read_study(values["study"], force_field=values["force_field"], read=read)


def _chosen(study: Study, values: Mapping[str, Any]) -> dict[str, Any]:
    """Options of the study; the command line wins."""
    given = {name: values[name] for name in ("priors", "fmax", "max_steps", "check") if values[name] is not None}
    if values["parameters"]:
        study.force_field.table.matching(values["parameters"])  # a pattern of the command line is a usage error, not one of the file
        given["parameters"] = tuple(values["parameters"])
    return {**study.options, **given}


def _fitted(job: _Job, console: Console) -> FitDocument:
    from md_sensitivity.fitting import fit

    def report(stage: str) -> None:
        done = 0 if job.best is None else job.best.steps
        console.update(f"step {done + 1}: {stage}" if job.best is not None else stage, None)

    try:
        found = fit(
            job.study.targets,
            job.study.force_field,
            **job.options,
            throw=False,
            report=report,
            checkpoint=lambda so_far: _kept(job, console, so_far),
        )
    except signals.Interrupted as error:
        job.save(error.exit_code)
        raise
    except UsageError as error:
        raise InputError(f"{job.study.path}: {error}") from None
    job.keep(found)
    return job.document(found)


def _kept(job: _Job, console: Console, so_far: Fit) -> None:
    job.keep(so_far)
    last = so_far.history[-1]
    console.detail(f"step {last.number}: chi2 = {so_far.chi2:.6g}, largest relative change {last.length:.2g}")


def _code(document: FitDocument, *, strict: bool) -> int:
    if document.status == "failed":
        return FAILED
    if document.status != "converged":
        return STRICT if strict else OK
    return SELF_CHECK if document.certificate is not None and not document.certificate.passed else OK


def _provenance(ctx: click.Context, values: Mapping[str, Any]) -> dict[str, Any]:
    arguments = list((ctx.find_root().obj or {}).get("arguments", ()))
    return {"command": ctx.info_name, "arguments": arguments, "configuration": dict(values)}


def _show(document: FitDocument, *, as_json: bool) -> None:
    if as_json:
        import msgspec

        from md_sensitivity.cli.tables import print_json

        print_json(msgspec.to_builtins(document))
        return
    from md_sensitivity.reports.fit_terminal import print_fit

    print_fit(document)


def _tell(console: Console, job: _Job, document: FitDocument) -> None:
    """What a person must not miss, and where to look next."""
    if document.status == "failed":
        console.error(document.message)
    elif document.status != "converged":
        console.info(f"warning: the fit did not converge: {document.message}")
    console.info(f"report:      {job.output / 'report.html'}")
    console.info(f"force field: {job.output / 'force_field.toml'}")
