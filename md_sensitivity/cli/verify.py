"""`md-sensitivity verify`: implicit derivatives against re-minimized central finite differences."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from md_sensitivity.cli import edge, options
from md_sensitivity.cli.runs import console_of, options_of, require

if TYPE_CHECKING:
    from md_sensitivity.pipeline import Verification

SELF_CHECK_FAILED = 7


@click.command()
@click.argument("structure", required=False)
@options.options(
    options.force_field,
    options.parameters,
    options.observables,
    options.references,
    click.option("--unroll", is_flag=True, help="Also differentiate through the steps of the minimizer."),
    *options.MINIMIZE,
    options.solver,
    options.hessian,
    options.precision,
    options.mode,
    options.seed,
    *options.READ,
    options.config,
    *options.PROCESS,
    *options.TALK,
)
@click.pass_context
def verify(ctx: click.Context, **values: Any) -> int:
    """Compare derivatives with finite differences.

    Implicit derivatives against re-minimized central finite differences.

    Prints a table and exits with 7 where they disagree. Where a difference cannot be made (contacts or the basin change), its error
    is left out, with the reason.

    \b
    md-sensitivity verify crystal.cif -f argon.toml
    """
    require(ctx, values, "structure", "force_field")
    console = console_of(values, bar=True)
    edge.prepare(console, threads=values["threads"], device=values["device"], gpu_memory=values["gpu_memory"])
    verification = _verification(values, console)
    if values["as_json"]:
        from md_sensitivity.cli.tables import print_json

        rows = [asdict(row) for row in verification.rows]
        print_json({"schema": "md-sensitivity/verification/1", "passed": verification.passed, "rows": rows})
    else:
        _print(verification, unroll=values["unroll"])
    return 0 if verification.passed else SELF_CHECK_FAILED


def _verification(values: dict[str, Any], console: Any) -> Verification:
    from md_sensitivity import pipeline
    from md_sensitivity.analysis.formation import DEFAULT, made_of, relaxed_references
    from md_sensitivity.batch.reading import read_references
    from md_sensitivity.cli.single import read_one
    from md_sensitivity.forcefields import read_force_field

    chosen = options_of(values)
    with console:
        console.update("reading", None)
        force_field = read_force_field(values["force_field"])
        structure = read_one(values)
        read = read_references(values["references"], reader=values["reader"])
        made_of(structure, read, force_field, chosen.observables or ((DEFAULT,) if read else ()))
        references = relaxed_references(read, force_field, chosen, console)
        return pipeline.verify(structure, force_field, chosen, unroll=values["unroll"], progress=console, references=references)


def _print(verification: Verification, *, unroll: bool) -> None:
    from md_sensitivity.cli.tables import number, print_table

    headers = ["quantity", "parameter", "implicit", "finite difference", "relative error"]
    headers += ["unrolled error", "remark"] if unroll else ["remark"]
    rows = []
    for row in verification.rows:
        cells = [row.quantity, row.parameter, number(row.implicit), number(row.finite_difference), number(row.relative_error, 2)]
        rows.append([*cells, *([number(row.unrolled_error, 2)] if unroll else []), row.reason or ""])
    print_table(headers, rows, right=("implicit", "finite difference", "relative error", "unrolled error"))
    made = sum(row.relative_error is not None for row in verification.rows)
    click.echo(f"\n{'passed' if verification.passed else 'FAILED'}: {made} of {len(verification.rows)} comparisons made")
