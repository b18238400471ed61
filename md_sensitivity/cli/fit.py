"""`md-sensitivity fit`: force-field parameters from targets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from md_sensitivity.cli import edge, options, signals
from md_sensitivity.cli.console import Console
from md_sensitivity.cli.runs import console_of, provenance_of, require

if TYPE_CHECKING:
    from md_sensitivity.batch.fit import FitRun
    from md_sensitivity.fitting import Fit
    from md_sensitivity.fitting.document import FitDocument


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
    edge.prepare(console, threads=values["threads"], device=values["device"], gpu_memory=values["gpu_memory"])
    from md_sensitivity.batch.fit import begin, run_fit, save

    with console:
        console.update("reading", None)
        run = begin(
            values["study"],
            _given(values),
            force_field=values["force_field"],
            reader=values["reader"],
            output=Path(values["output"]),
            strict=values["strict"],
            provenance=provenance_of(ctx, values),
        )
        with signals.watched(lambda: save(run)):
            document, code = run_fit(run, progress=console, report=lambda so_far: _tell_step(console, so_far))
    _show(document, as_json=values["as_json"])
    _tell(console, run, document)
    return code


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    """Options of the fit that the command line gives."""
    given = {name: values[name] for name in ("priors", "fmax", "max_steps", "check") if values[name] is not None}
    return given | ({"parameters": tuple(values["parameters"])} if values["parameters"] else {})


def _tell_step(console: Console, so_far: Fit) -> None:
    """One line about each accepted step."""
    last = so_far.history[-1]
    console.detail(f"step {last.number}: chi2 = {so_far.chi2:.6g}, largest relative change {last.length:.2g}")


def _show(document: FitDocument, *, as_json: bool) -> None:
    if as_json:
        import msgspec

        from md_sensitivity.cli.tables import print_json

        print_json(msgspec.to_builtins(document))
        return
    from md_sensitivity.reports.fit_terminal import print_fit

    print_fit(document)


def _tell(console: Console, run: FitRun, document: FitDocument) -> None:
    """What a person must not miss, and where to look next."""
    if document.status == "failed":
        console.error(document.message)
    elif document.status != "converged":
        console.info(f"warning: the fit did not converge: {document.message}")
    console.info(f"report:      {run.output / 'report.html'}")
    console.info(f"force field: {run.output / 'force_field.toml'}")
