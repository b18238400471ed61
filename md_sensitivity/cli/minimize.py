"""`md-sensitivity minimize`: only the equilibrium."""

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
    *options.MINIMIZE,
    options.seed,
    *options.READ,
    *options.MANY,
    *options.PROCESS,
    *options.TALK,
)
@click.pass_context
def minimize(ctx: click.Context, **values: Any) -> int:
    """Only the equilibrium.

    Minimizes and writes the relaxed structures.

    \b
    md-sensitivity minimize crystal.cif -f argon.toml -o outputs/relaxed
    """
    return run_study(ctx, values, differentiate=False)
