"""Tables on a terminal, or as plain text in a pipe."""

from __future__ import annotations

import sys
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import IO, TYPE_CHECKING

from md_sensitivity.analysis.result import EquilibriumInfo, ReferenceInfo, ResultDocument
from md_sensitivity.reports.components import Component, distinct
from md_sensitivity.reports.csv import Documented
from md_sensitivity.reports.names import Name
from md_sensitivity.reports.ranking import most_responsive, ranked
from md_sensitivity.reports.second_order import bend_rows, second_order_of, unexpanded
from md_sensitivity.reports.text import ascii_only, count, number, periodicity, plain_powers, visible
from md_sensitivity.reports.verdicts import ESTIMATE, overall, remarks, status_level

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

LIMIT = 10
DETAILED = 3
ROWS = 100
MANY = 6
"""From more components than this on, only the first three parameters of each are shown."""
STYLES = {"good": "green", "caution": "yellow", "bad": "bold red", "note": "dim"}
NARROW_SPACE = "\N{NARROW NO-BREAK SPACE}"

Plain = Callable[[str], str]


def print_results(results: Sequence[Documented], stream: IO[str] | None = None, *, limit: int = LIMIT, detailed: int = DETAILED) -> None:
    """Print one or several results to `stream` (default: stdout): colors and lines on a terminal, plain text elsewhere.

    Args:
        results: results, or documents read alone.
        stream: a text stream; characters that its encoding lacks are written in ASCII.
        limit: parameters shown for each observable.
        detailed: up to so many results are shown in full, more as one line each.
    """
    from rich.text import Text

    console = console_on(stream)
    for part in renderables(results, console, limit=limit, detailed=detailed):
        console.print(part, soft_wrap=isinstance(part, str | Text))


def console_on(stream: IO[str] | None = None) -> Console:
    """A rich console on `stream` (default: stdout) that prints texts as they are."""
    from rich.console import Console

    class Terminal(Console):
        """A console that tells the caller when nobody reads any more; rich would end the process with code 1."""

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    return Terminal(file=stream or sys.stdout, highlight=False, markup=False, emoji=False)


def renderables(
    results: Sequence[Documented], console: Console, *, limit: int = LIMIT, detailed: int = DETAILED
) -> Iterator[RenderableType]:
    """What print_results prints, in order."""
    plain = plain_for(console)
    if len(results) != 1:
        yield from _overview(results, console, plain)
    if len(results) <= detailed:
        for result in results:
            yield from _details(result, console, plain, limit)


def certificate_line(document: ResultDocument) -> str:
    """The certificate on one line."""
    certificate = document.certificate
    if certificate is None:
        return overall(document)[1]
    parts = []
    if certificate.relative_residual is not None:
        parts.append(f"linear residual {number(certificate.relative_residual, 2)}")
    if certificate.error_estimate is not None:
        parts.append(f"error estimate {number(certificate.error_estimate, 2)}")
    errors = [check.relative_error for check in certificate.finite_differences if check.relative_error is not None]
    if certificate.finite_differences:
        largest = f"within {number(max(errors), 2)} " if errors else ""
        parts.append(f"finite differences {largest}({len(errors)} of {len(certificate.finite_differences)} made)")
    return f"certificate {_verdict(document)}: {', '.join(parts) or 'nothing to check'}"


def _verdict(document: ResultDocument) -> str:
    """One word on the certificate; what is no minimum cannot have one that passes."""
    if document.certificate is None:
        return ""
    if document.status != "minimum":
        return "void"
    return "passed" if document.certificate.passed else "FAILED"


def _overview(results: Sequence[Documented], console: Console, plain: Plain) -> Iterator[RenderableType]:
    counts = Counter(result.document.status for result in results)
    yield f"{count(len(results), 'structure')}: " + ", ".join(f"{many} {status}" for status, many in counts.items())
    table = slim_table(console)
    for title in ("structure", "status", "certificate"):
        table.add_column(title, overflow="fold")
    for title in ("energy", "max force", "eigenvalue"):
        table.add_column(title, justify="right", no_wrap=True)
    severity = {"bad": 0, "caution": 1, "note": 2, "good": 3}
    shown = results
    if len(results) > ROWS:
        shown = sorted(results, key=lambda result: severity[overall(result.document)[0]])[:ROWS]
    for result in shown:
        document, equilibrium = result.document, result.document.equilibrium
        certificate = _verdict(document)
        numbers = _numbers([equilibrium.energy, equilibrium.max_force, equilibrium.lowest_eigenvalue]) if equilibrium else ["", "", ""]
        table.add_row(Name(plain(result.name)), document.status, certificate, *numbers, style=_style(document))
    yield table
    if len(shown) < len(results):
        yield plain(f"… and {len(results) - len(shown)} more; summary.csv has all")


def _details(result: Documented, console: Console, plain: Plain, limit: int) -> Iterator[RenderableType]:
    from rich.text import Text

    document = result.document
    yield Text(plain(f"{result.name}: {document.status}"), style=f"bold {STYLES[status_level(document.status)]}")
    info, field = document.structure, document.force_field
    yield plain(f"  {info.formula}, {count(info.atoms, 'atom')}, {periodicity(info.periodic)}; {field.name} ({field.units} units)")
    if document.message:
        yield _wrapped(plain(f"  {document.message}"), console)
    if document.equilibrium is not None:
        yield plain(f"  {_equilibrium_line(document.equilibrium, document.message)}")
    for reference in document.references if isinstance(document.references, list) else []:
        yield plain(f"  less {_reference_line(reference)}")
    yield Text(plain(f"  {certificate_line(document)}"), style=STYLES[overall(document)[0]])
    for remark in remarks(document) if document.status == "minimum" else []:
        text = f"  {remark.quantity[0].lower()}{remark.quantity[1:]}: {plain_powers(remark.meaning.removeprefix(ESTIMATE).lstrip())}"
        yield Text(_wrapped(plain(text), console), style=STYLES[remark.level])
    for warning in document.certificate.warnings if document.certificate else []:
        yield Text(_wrapped(plain(f"  warning: {warning}"), console), style=STYLES["caution"])
    scalars = distinct(document)
    for component in scalars:
        yield from _component(component, document, console, plain, limit if len(scalars) <= MANY else min(limit, 3))
    yield from _norms(document, console, plain, limit)
    yield from _second_order(document, console, plain, limit)


def _equilibrium_line(equilibrium: EquilibriumInfo, message: str) -> str:
    volume_unit = "" if equilibrium.force_unit == "reduced" else " Å³"
    parts = [
        f"energy {number(equilibrium.energy, 10)} {equilibrium.energy_unit}",
        f"volume {number(equilibrium.volume, 8)}{volume_unit}" if equilibrium.relaxed_cell and equilibrium.volume else "",
        f"max force {number(equilibrium.max_force, 2)} {equilibrium.force_unit}",
        f"max stress {number(equilibrium.max_stress, 2)} {equilibrium.pressure_unit}" if isinstance(equilibrium.max_stress, float) else "",
        f"lowest eigenvalue {number(equilibrium.lowest_eigenvalue, 4) or 'none'}",
        f"{count(equilibrium.zero_modes, 'zero mode')}",
        "" if f"in {equilibrium.steps} steps" in message else count(equilibrium.steps, "step"),
    ]
    return ", ".join(filter(None, parts))


def _reference_line(reference: ReferenceInfo) -> str:
    equilibrium, structure = reference.equilibrium, reference.structure
    energy = f"energy {number(equilibrium.energy, 10)} {equilibrium.energy_unit}"
    return f"{number(reference.coefficient, 8)} × {structure.path or structure.formula}: {structure.formula}, {energy}, {reference.status}"


def _wrapped(text: str, console: Console) -> str:
    """Sentences in lines that a terminal need not break within a word; a pipe gets one line."""
    width = max(40, console.width)
    return textwrap.fill(text, width, subsequent_indent="    ", break_on_hyphens=False) if console.is_terminal else text


def _component(component: Component, document: ResultDocument, console: Console, plain: Plain, limit: int) -> Iterator[RenderableType]:
    deviation = "" if component.standard_deviation is None else f" ± {number(component.standard_deviation, 3)}"
    yield ""
    order = [] if component.constant else ranked(component, document)
    unit = visible(component.unit)
    derivatives = f"; derivatives {f'in {unit} ' if unit else ''}per parameter unit" if order else ""
    if component.constant:
        derivatives = "; no parameter changes it"
    yield plain(f"{component.heading} = {number(component.value, 8)}{deviation}{f' {unit}' if unit else ''}{derivatives}")
    if not order:
        return
    wide = console.width >= 70
    table = slim_table(console)
    table.add_column("parameter", overflow="fold")
    table.add_column("per", no_wrap=True)
    for title in ("direct", "relaxation", "total", "logarithmic") if wide else ("total", "logarithmic"):
        table.add_column(title, justify="right", no_wrap=True)
    for p in order[:limit]:
        parameter = document.parameters[p]
        parts = (component.direct[p], component.relaxation[p], component.total[p], component.logarithmic[p])
        unit = plain(visible(parameter.unit))
        if component.total[p] is None:
            table.add_row(Name(plain(parameter.name)), unit, *[""] * (2 if wide else 0), "does not", "exist")
        else:
            table.add_row(Name(plain(parameter.name)), unit, *_numbers(parts if wide else parts[2:]))
    yield table
    yield from _rest(len(order), limit, plain)


def _norms(document: ResultDocument, console: Console, plain: Plain, limit: int) -> Iterator[RenderableType]:
    norm = document.position_norm
    if norm is None or not document.parameters:
        return
    length = "reduced" if document.force_field.units == "reduced" else "Å"
    yield ""
    yield plain(f"positions, norms of dx/dθ; {length} per parameter unit")
    table = slim_table(console)
    table.add_column("parameter", overflow="fold")
    table.add_column("per", no_wrap=True)
    for title in ("l1", "l2", "max", "max atom"):
        table.add_column(title, justify="right", no_wrap=True)
    responsive = most_responsive(document)
    order = [*responsive, *(p for p in range(len(norm.l2)) if p not in set(responsive))]
    for p in order[:limit]:
        parameter, atom = document.parameters[p], norm.max_atom[p]
        numbers = _numbers([norm.l1[p], norm.l2[p], norm.max[p]]) if norm.l2[p] is not None else ["", "does not", "exist"]
        table.add_row(Name(plain(parameter.name)), plain(visible(parameter.unit)), *numbers, "" if atom is None else str(atom))
    yield table
    yield from _rest(len(order), limit, plain)


def _second_order(document: ResultDocument, console: Console, plain: Plain, limit: int) -> Iterator[RenderableType]:
    info = second_order_of(document)
    if info is None:
        return
    yield ""
    if info.energy_hessian is None:
        reason = info.reason if isinstance(info.reason, str) else "nothing was found"
        yield _wrapped(plain(f"second order: none, because {reason}"), console)
        return
    unit, share = visible(info.unit), number(100 * info.tolerance)
    per_unit = f"; d²E/dθ² in {unit} per parameter unit squared" if unit else ""
    missing = f"; not expanded: {unexpanded(info)}" if unexpanded(info) else ""
    yield plain(f"second order{per_unit}; change of the parameter up to which predicted changes are right to {share} %{missing}")
    table = slim_table(console)
    table.add_column("parameter", overflow="fold")
    table.add_column("per", no_wrap=True)
    for title in ("d²E/dθ²", "linear", "quadratic"):
        table.add_column(plain(title), justify="right", no_wrap=True)
    table.add_column("ended by", overflow="fold")
    rows = bend_rows(document)
    # The direction over all parameters stands last, and stays.
    shown = rows if len(rows) <= limit + 1 else [*rows[:limit], rows[-1]]
    for row in shown:
        numbers = (number(row.second, 4), row.linear, row.quadratic, row.limit) if row.second is not None else ("", "does not", "exist", "")
        table.add_row(Name(plain(row.name)), plain(visible(row.unit)), *map(plain, numbers))
    yield table
    yield from _rest(len(rows), len(shown), plain)


def _rest(total: int, limit: int, plain: Plain) -> Iterator[str]:
    if total > limit:
        yield plain(f"  … and {total - limit} more; result.json has all")


def slim_table(console: Console) -> Table:
    """An empty table, with lines on a terminal only."""
    from rich import box
    from rich.table import Table

    lines = box.SIMPLE_HEAD if console.is_terminal and "utf" in console.encoding else None
    return Table(box=lines, pad_edge=False, show_edge=False, header_style="bold", collapse_padding=True)


def _numbers(values: Sequence[float | None]) -> list[str]:
    return [number(value, 4) for value in values]


def _style(document: ResultDocument) -> str:
    level = overall(document)[0]
    return "" if level in ("good", "note") else STYLES[level]


def plain_for(console: Console) -> Plain:
    """A function that makes text safe to print: no control characters, which names from files may hold, and no lost letters."""
    unicode = "utf" in console.encoding

    def plain(text: str) -> str:
        printable = "".join(letter if letter.isprintable() else "?" for letter in text.replace(NARROW_SPACE, " "))
        return printable if unicode else ascii_only(printable)

    return plain
