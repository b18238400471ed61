"""A fit on a terminal, or as plain text in a pipe."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

from md_sensitivity.fitting.document import FitDocument, TargetInfo
from md_sensitivity.reports.fit_verdicts import fit_verdict, status_level
from md_sensitivity.reports.names import Name
from md_sensitivity.reports.terminal import STYLES, Plain, console_on, plain_for, slim_table
from md_sensitivity.reports.text import count, number, visible

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

LIMIT = 20
"""Targets shown, those that are met worst."""


def print_fit(document: FitDocument, stream: IO[str] | None = None, *, limit: int = LIMIT) -> None:
    """Print a fit to `stream` (default: stdout): colors and lines on a terminal, plain text elsewhere."""
    from rich.text import Text

    console = console_on(stream)
    for part in _renderables(document, console, plain_for(console), limit):
        console.print(part, soft_wrap=isinstance(part, str | Text))


def _renderables(document: FitDocument, console: Console, plain: Plain, limit: int) -> Iterator[RenderableType]:
    from rich.text import Text

    steps = max(0, len(document.history) - 1)
    yield Text(plain(f"{document.force_field.name}: {document.status} in {count(steps, 'step')}"), style=f"bold {_style(document.status)}")
    level, sentence = fit_verdict(document)
    yield Text(plain(f"  {sentence}"), style=STYLES[level])
    if document.message:
        yield plain(f"  {document.message}")
    if document.chi2 is not None:
        yield plain(f"  chi2 {number(document.chi2, 6)}, {count(document.degrees_of_freedom, 'degree')} of freedom")
    yield from (Text(plain(f"  {line}"), style=STYLES["caution"]) for line in _remarks(document))
    if document.certificate is not None:
        yield Text(plain(f"  {certificate_line(document)}"), style=STYLES["good" if document.certificate.passed else "bad"])
    yield ""
    yield from _parameters(document, console, plain)
    if document.targets:
        yield ""
        yield from _targets(document, console, plain, limit)


def certificate_line(document: FitDocument) -> str:
    """The certificate on one line."""
    certificate = document.certificate
    if certificate is None:
        return "certificate: none"
    residuals = [site.relative_residual for site in certificate.structures if site.relative_residual is not None]
    checks = [site.finite_difference for site in certificate.structures if site.finite_difference is not None]
    errors = [check.relative_error for check in checks if check.relative_error is not None]
    parts = [f"linear residual {number(max(residuals), 2)}"] if residuals else []
    if checks:
        parts.append(f"finite differences {f'within {number(max(errors), 2)} ' if errors else ''}({len(errors)} of {len(checks)} made)")
    verdict = "passed" if certificate.passed else "void" if document.status != "converged" else "FAILED"
    return f"certificate {verdict}: {', '.join(parts) or 'nothing to check'}"


def _remarks(document: FitDocument) -> Iterator[str]:
    for note in document.notes:
        yield f"note: {note}"
    for direction in document.undetermined:
        names = ", ".join(name if len(direction) == 1 else f"{number(part, 3)} {name}" for name, part in direction.items())
        yield f"not determined by the targets: {names}"


def _parameters(document: FitDocument, console: Console, plain: Plain) -> Iterator[RenderableType]:
    table = slim_table(console)
    table.add_column("parameter", overflow="fold")
    table.add_column("unit", no_wrap=True)
    for title in ("start", "fitted", "std. deviation"):
        table.add_column(title, justify="right", no_wrap=True)
    for parameter in document.parameters:
        deviation = parameter.reason if parameter.standard_deviation is None else number(parameter.standard_deviation, 3)
        cells = (number(parameter.start, 8), number(parameter.value, 10), plain(deviation))
        table.add_row(Name(plain(parameter.name)), plain(visible(parameter.unit)), *cells)
    yield table


def _targets(document: FitDocument, console: Console, plain: Plain, limit: int) -> Iterator[RenderableType]:
    table = slim_table(console)
    table.add_column("target", overflow="fold")
    for title in ("wanted", "predicted"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("unit", no_wrap=True)
    table.add_column("residual/std", justify="right", no_wrap=True)
    shown = sorted(document.targets, key=lambda target: -target.chi2)[:limit]
    for target in shown:
        table.add_row(Name(plain(target.name)), *_values(target), plain(visible(target.unit)), number(_worst(target.residual), 3))
    yield table
    if len(shown) < len(document.targets):
        yield plain(f"  … and {len(document.targets) - len(shown)} that are met better; fit.json has all")


def _values(target: TargetInfo) -> tuple[str, str]:
    if isinstance(target.value, float) and isinstance(target.predicted, float):
        return number(target.value, 8), number(target.predicted, 8)
    return "several", "several"


def _worst(values: object) -> float:
    """The number of largest magnitude in a nested list."""
    if isinstance(values, list):
        return max((_worst(value) for value in values), key=abs)
    return float(values)  # type: ignore[arg-type]


def _style(status: str) -> str:
    return STYLES[status_level(status)]
