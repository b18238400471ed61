"""`md-sensitivity list`: what is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from md_sensitivity.cli import options

Section = tuple[str, list[str], list[list[str]]]
"""Title, headers, rows."""


@click.command("list")
@click.argument("kind", type=click.Choice(["potentials", "observables", "formats", "minimizers", "solvers"]))
@options.options(options.as_json)
def list_parts(kind: str, as_json: bool) -> int:
    """What is there, with one-line descriptions and units."""
    from md_sensitivity.cli.tables import print_json, print_table

    sections = SECTIONS[kind]()
    if as_json:
        print_json({title: [dict(zip(headers, row, strict=True)) for row in rows] for title, headers, rows in sections})
        return 0
    for place, (title, headers, rows) in enumerate(sections):
        if len(sections) > 1:
            click.echo(("\n" if place else "") + title)
        print_table(headers, [[_seen(title, cell) for title, cell in zip(headers, row, strict=True)] for row in rows])
    return 0


def _seen(title: str, cell: str) -> str:
    """A cell as people see it: plain numbers without the "1" that is their unit in documents."""
    return "" if title == "unit" and cell == "1" else cell.replace(" [1]", "") if title == "parameters" else cell


def _potentials() -> list[Section]:
    from md_sensitivity.potentials import POTENTIALS

    rows = [[form.name, form.description, ", ".join(map(_parameter, form.parameters)), form.reference] for form in POTENTIALS.values()]
    return [("potentials", ["name", "description", "parameters", "reference"], rows)]


def _parameter(spec: Any) -> str:
    """A parameter with its dimension, such as `epsilon [energy]`."""
    dimensions = (("energy", spec.energy), ("length", spec.length), ("charge", spec.charge), ("angle", spec.angle), ("rad", spec.radian))
    parts = [_power(word, exponent) for word, exponent in dimensions if exponent]
    return f"{spec.name} [{' '.join(parts) or '1'}]"


def _power(word: str, exponent: float) -> str:
    return word if exponent == 1 else f"{word}^{exponent:g}"


def _observables() -> list[Section]:
    from md_sensitivity.observables import OBSERVABLES

    rows = [[part.name, part.form, part.unit, part.description] for part in OBSERVABLES.values()]
    return [("observables", ["name", "written", "unit", "description"], rows)]


def _formats() -> list[Section]:
    from md_sensitivity.forcefields import FORCE_FIELD_FORMATS
    from md_sensitivity.reports import WRITERS
    from md_sensitivity.structures import FORMATS

    structures = [[p.name, " ".join((*p.extensions, *p.patterns)), ", ".join(p.readers), p.description] for p in FORMATS.values()]
    force_fields = [
        [p.name, " ".join((p.suffix, *p.also, *((f"{p.prefix}*",) if p.prefix else ()))), p.description]
        for p in FORCE_FIELD_FORMATS.values()
    ]
    reports = [[p.name, p.filename, p.description] for p in WRITERS.values()]
    return [
        ("structures", ["name", "files", "readers", "description"], structures),
        ("force_fields", ["name", "files", "description"], force_fields),
        ("reports", ["name", "files", "description"], reports),
    ]


def _minimizers() -> list[Section]:
    from md_sensitivity.minimization import MINIMIZERS

    return [("minimizers", ["name", "description"], [[part.name, part.description] for part in MINIMIZERS.values()])]


def _solvers() -> list[Section]:
    from md_sensitivity.curvature import SOLVERS

    return [("solvers", ["name", "description"], [[part.name, part.description] for part in SOLVERS.values()])]


SECTIONS: dict[str, Callable[[], list[Section]]] = {
    "potentials": _potentials,
    "observables": _observables,
    "formats": _formats,
    "minimizers": _minimizers,
    "solvers": _solvers,
}
