"""What `analyze` and `minimize` have in common: options → study → run → table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from md_sensitivity.cli import edge, signals
from md_sensitivity.cli.console import NORMAL, QUIET, Console
from md_sensitivity.files import shown

if TYPE_CHECKING:
    from md_sensitivity.batch.outcome import Outcome
    from md_sensitivity.batch.run import Run
    from md_sensitivity.batch.study import Study
    from md_sensitivity.pipeline import Options

OPTION_NAMES = (
    *("parameters", "observables", "positions", "fmax", "smax", "max_steps", "minimizer", "pressure"),
    *("solver", "hessian", "precision", "mode", "check", "seed"),
    *("second_order", "second_order_check"),
)
SHOWN = 3
"""Up to so many reports are named one by one."""
CONTINUE = "; finished results are kept, and the same command with --resume continues"


def run_study(ctx: click.Context, values: Mapping[str, Any], *, differentiate: bool) -> int:
    """Do what `analyze` and `minimize` do, for the values of their options; returns the exit code."""
    require(ctx, values, "structures", "force_field")
    console = console_of(values, bar=True)
    edge.prepare(console, threads=values["threads"], device=values["device"], gpu_memory=values["gpu_memory"])
    study = study_of(ctx, values, differentiate=differentiate)
    if values["dry_run"]:
        from md_sensitivity.cli.plan import show_plans

        return show_plans(study, as_json=values["as_json"])
    from md_sensitivity.batch.provenance import INTERRUPTED
    from md_sensitivity.batch.run import begin, run_analyses, write_state

    try:
        with console:
            console.update("reading the force field", None)
            run = begin(study)
            with signals.watched(lambda: write_state(run, INTERRUPTED), CONTINUE):
                code = run_analyses(run, progress=console, report=lambda outcome: _tell(console, run, outcome))
    except signals.Interrupted as error:
        raise signals.Interrupted(error.number, CONTINUE) from None
    _show(run, code, as_json=values["as_json"])
    _tell_files(console, run)
    return code


def require(ctx: click.Context, values: Mapping[str, Any], *names: str) -> None:
    """Complain about what neither the command line nor a study file gave."""
    for name in names:
        if not values[name]:
            parameter = next(each for each in ctx.command.params if each.name == name)
            raise click.MissingParameter(ctx=ctx, param=parameter)


def console_of(values: Mapping[str, Any], *, bar: bool = False) -> Console:
    """The log of a command."""
    return Console(QUIET if values["quiet"] else NORMAL + values["verbose"], bar=bar)


def options_of(values: Mapping[str, Any]) -> Options:
    """The options of the pipeline among the values of a command."""
    from md_sensitivity.pipeline import Options

    chosen = {name: values[name] for name in OPTION_NAMES if name in values}
    return Options(**chosen, dimensions=int(values["dimensions"]), relax_cell=values.get("relax_cell") or "")


def study_of(ctx: click.Context, values: Mapping[str, Any], *, differentiate: bool) -> Study:
    """The study that a command line describes."""
    from md_sensitivity.batch.study import Study, parse_shard

    return Study(
        paths=tuple(values["structures"]),
        force_field=values["force_field"],
        references=tuple(values.get("references", ())),
        options=options_of(values),
        output=Path(values["output"]),
        differentiate=differentiate,
        reader=values["reader"],
        index=values["index"],
        fix=values["fix"],
        formats=tuple(values["formats"]) or None,
        shard=parse_shard(values["shard"]),
        resume=values["resume"],
        strict=values["strict"],
        provenance=provenance_of(ctx, values),
    )


def provenance_of(ctx: click.Context, values: Mapping[str, Any]) -> dict[str, Any]:
    """What `run.json` says of the command line; the structures stand elsewhere in it."""
    return {
        "command": ctx.info_name,
        "arguments": list((ctx.find_root().obj or {}).get("arguments", ())),
        "configuration": {name: value for name, value in values.items() if name != "structures"},
    }


def _tell(console: Console, run: Run, outcome: Outcome) -> None:
    """One line, or a traceback, about one structure, as soon as it is done."""
    if outcome.traceback:
        console.trace(outcome.traceback)
    if outcome.status == "failed":
        console.error(f"{outcome.path}: {outcome.message}")
    elif outcome.status == "rejected":
        console.error(outcome.message if shown(outcome.path) in outcome.message else f"{outcome.path}: {outcome.message}")
    else:
        console.detail(f"{outcome.name}: {outcome.status}" + (", kept" if outcome.kept else f" in {outcome.seconds:.2f} s"))


def _show(run: Run, code: int, *, as_json: bool) -> None:
    from md_sensitivity.batch.outcome import documented

    if as_json:
        from md_sensitivity.cli.tables import print_json

        print_json(run_document(run, code))
        return
    results = documented(run.outcomes)
    if results:
        from md_sensitivity.reports.terminal import print_results

        print_results(results)


def run_document(run: Run, code: int) -> dict[str, Any]:
    """What --json prints: all results, and what was rejected."""
    from md_sensitivity.batch.outcome import documented

    rejected = [each for each in run.outcomes if each.document is None]
    return {
        "schema": "md-sensitivity/results/1",
        "exit_code": code,
        "output": str(run.study.output),
        "results": result_documents(documented(run.outcomes)),
        "rejected": [{"name": each.name, "path": each.path, "exit_code": each.code, "message": each.message} for each in rejected],
    }


def result_documents(results: Sequence[Any]) -> list[dict[str, Any]]:
    """Content of each `result.json`, with the name of its folder."""
    import msgspec

    return [{"name": result.name, **msgspec.to_builtins(result.document)} for result in results]


def _tell_files(console: Console, run: Run) -> None:
    """Where to look next."""
    output = run.study.output
    reports = [report for each in run.outcomes if (report := output / each.name / "report.html").is_file()]
    for report in reports[:SHOWN]:
        console.info(f"report: {report}")
    if len(reports) > SHOWN:
        console.info(f"… and {len(reports) - SHOWN} more reports in {output}")
    if any(each.document is not None for each in run.outcomes):
        console.info(f"table:  {run.study.file('summary', '.csv')}")
