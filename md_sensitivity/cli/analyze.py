"""`md-sensitivity analyze`: the main job."""

from __future__ import annotations

from typing import Any

import click

from md_sensitivity.cli import options
from md_sensitivity.cli.runs import run_study


@click.command()
@options.structures
@options.options(
    options.force_field,
    options.output,
    options.parameters,
    options.observables,
    options.references,
    options.positions,
    *options.MINIMIZE,
    options.solver,
    options.hessian,
    options.precision,
    options.mode,
    options.check,
    options.seed,
    options.second_order,
    options.second_order_check,
    *options.READ,
    *options.MANY,
    *options.PROCESS,
    *options.TALK,
)
@click.pass_context
def analyze(ctx: click.Context, **values: Any) -> int:
    """Minimize, differentiate, certify, report.

    Takes one structure or thousands.

    Writes DIR/summary.csv, DIR/run.json and, for each structure, DIR/NAME/ with result.json, arrays.npz, relaxed.extxyz and
    report.html.

    \b
    md-sensitivity analyze crystal.cif -f argon.toml -o outputs/argon
    md-sensitivity analyze *.xyz -f argon.toml -O radius_of_gyration -p 'lennard_jones.*.sigma'
    """
    return run_study(ctx, values, differentiate=True)
