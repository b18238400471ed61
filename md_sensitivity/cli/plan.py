"""`--dry-run`: what would be done, and what it would cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from md_sensitivity.cli.console import complain, printable
from md_sensitivity.cli.tables import print_json

if TYPE_CHECKING:
    from md_sensitivity.batch.study import Study
    from md_sensitivity.forcefields import ForceField
    from md_sensitivity.types import Structure

_SHOWN = 30
"""Names of parameters that are written out."""


def show_plans(study: Study, *, as_json: bool) -> int:
    """Print a plan for each structure; returns the exit code."""
    from md_sensitivity.batch.reading import read_references
    from md_sensitivity.batch.run import check_options
    from md_sensitivity.errors import MdSensitivityError
    from md_sensitivity.forcefields import read_force_field

    force_field = read_force_field(study.force_field)
    check_options(study, force_field)
    references = read_references(study.references, reader=study.reader)
    plans: list[dict[str, Any]] = []
    codes: set[int] = set()
    for _, path, name in study.jobs:
        try:
            plans += _plans(study, force_field, references, path, name)
        except MdSensitivityError as error:
            complain(str(error) if path in str(error) else f"{path}: {error}")
            codes.add(error.exit_code)
    if as_json:
        print_json({"schema": "md-sensitivity/plan/1", "plans": plans})
    else:
        for plan in plans:
            _print(plan)
    return min(codes, default=0, key=_rank)


def _rank(code: int) -> int:
    from md_sensitivity.batch.outcome import PRECEDENCE

    return PRECEDENCE.index(code)


def _plans(study: Study, force_field: ForceField, references: Sequence[Structure], path: str, name: str) -> list[dict[str, Any]]:
    from md_sensitivity import pipeline
    from md_sensitivity.batch.names import frame_names
    from md_sensitivity.batch.reading import read_selected
    from md_sensitivity.batch.run import frames_of

    structures = read_selected(path, reader=study.reader, index=study.index, fix=study.fix)
    plans = []
    for structure, frame in zip(structures, frame_names(name, frames_of(structures, study)), strict=True):
        plan = pipeline.plan(structure, force_field, study.options, references)
        plans.append({"name": frame, "path": path, "output": str(study.output / frame), **asdict(plan)})
    return plans


def _shortened(names: Sequence[str]) -> str:
    """How many parameters there are, and the names of the first of them."""
    more = f", … and {len(names) - _SHOWN} more; --json has all" if len(names) > _SHOWN else ""
    return f"{len(names)}: {', '.join(names[:_SHOWN])}{more}"


def _print(plan: dict[str, Any]) -> None:
    lines = {
        "structure": f"{plan['path']}: {plan['atoms']} atoms, {plan['pairs']} pairs",
        "parameters": _shortened(plan["parameters"]),
        "observables": ", ".join(plan["observables"]),
        "derivatives": f"{plan['mode']} mode, solver {plan['solver']}",
        "memory": f"about {plan['memory_bytes'] / 2**20:.0f} MiB",
        "time": f"about {plan['estimated_seconds']:.3g} s",
        "output": plan["output"],
    }
    click.echo(printable(f"{plan['name']} (dry run: nothing is computed)"))
    for title, text in lines.items():
        click.echo(printable(f"  {title:12} {text}"))
    for note in plan["notes"]:
        click.echo(printable(f"  {'note':12} {note}"))
