"""`report.html` of a fit: what was fitted, did it converge, is it trustworthy; one self-contained file without scripts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from md_sensitivity.fitting.document import FitDocument, FittedInfo, SiteInfo, TargetInfo
from md_sensitivity.reports.fit_verdicts import fit_verdict, site_verdict, status_level
from md_sensitivity.reports.html.page import page_data, page_template
from md_sensitivity.reports.html.parity import Dot, convergence, parity
from md_sensitivity.reports.html.sections import option_text
from md_sensitivity.reports.text import count, pretty

PANELS = 6
"""Parity diagrams shown, one for each kind of observable."""
ROWS = 200
"""Targets in the table."""
CLIP = 5.0
"""Residual, in standard deviations, at the end of the bars."""


@dataclass(frozen=True, kw_only=True)
class TargetRow:
    """One target in the table; `worst` is its largest residual in standard deviations, its bar in percent of the half width."""

    info: TargetInfo
    value: str
    predicted: str
    std: str
    worst: float
    start: float
    width: float


def fit_html(document: FitDocument) -> str:
    """The report as one HTML page; the same document gives the same bytes."""
    reduced = document.force_field.units == "reduced"
    return page_template("fit.html.j2").render(
        document=document,
        style=Markup(page_data("style.css")),  # our own file
        level=status_level(document.status),
        verdict=fit_verdict(document),
        facts=_facts(document),
        parameters=[_parameter_row(parameter) for parameter in document.parameters],
        convergence=convergence(document.history) if len(document.history) > 1 else None,
        panels=_panels(document, reduced),
        rows=[_target_row(target) for target in sorted(document.targets, key=lambda t: -t.chi2)[:ROWS]],
        checks=[(site, *site_verdict(site)) for site in (document.certificate.structures if document.certificate else [])],
        correlation=_correlation(document),
        provenance=_provenance(document),
        eigenvalue=_eigenvalue,
        reduced=reduced,
    )


def _facts(document: FitDocument) -> list[tuple[str, str]]:
    units = "reduced units" if document.force_field.units == "reduced" else f"{document.force_field.units} units"
    structures = {(target.path, target.structure, target.relaxed) for target in document.targets}
    relaxed = sum(each[2] for each in structures)
    lines = [
        ("Force field", f"{document.force_field.name} ({units})"),
        ("Fitted", count(len(document.parameters), "parameter")),
        ("Targets", f"{count(len(document.targets), 'target')} of {count(len(structures), 'structure')}, {relaxed} of them relaxed"),
        ("Steps", count(max(0, len(document.history) - 1), "trial")),
    ]
    if document.chi2 is not None:
        freedom = document.degrees_of_freedom
        reduced = f" (χ² per degree of freedom {pretty(document.chi2 / freedom, 3)})" if freedom > 0 else ""
        lines.append(("χ²", f"{pretty(document.chi2, 5)} with {count(freedom, 'degree')} of freedom{reduced}"))
    return lines


def _parameter_row(parameter: FittedInfo) -> tuple[FittedInfo, float | None, str]:
    """The row, its relative change in percent, and its bounds as text."""
    change = 100.0 * (parameter.value - parameter.start) / abs(parameter.start) if parameter.start else None
    low, high = parameter.bounds
    ends = ("−∞" if low is None else pretty(low, 4), "∞" if high is None else pretty(high, 4))
    return parameter, change, f"{ends[0]} … {ends[1]}"


def flat(value: Any) -> list[float]:
    """Numbers of a nested list, or the number itself."""
    return [number for item in value for number in flat(item)] if isinstance(value, list) else [float(value)]


def _panels(document: FitDocument, reduced: bool) -> list[tuple[str, Markup]]:
    groups: dict[tuple[str, str], list[Dot]] = {}
    for target in document.targets:
        key = (target.observable.partition(":")[0], target.unit)
        dots = groups.setdefault(key, [])
        columns = (target.value, target.predicted, target.std, target.residual)
        dots += [Dot(*numbers) for numbers in zip(*map(flat, columns), strict=True)]
    shown = list(groups.items())[:PANELS]
    return [(kind, parity(dots, "" if reduced else unit)) for (kind, unit), dots in shown]


def _target_row(target: TargetInfo) -> TargetRow:
    residuals = flat(target.residual)
    worst = max(residuals, key=abs)
    length = 50.0 * min(1.0, abs(worst) / CLIP)
    single = not isinstance(target.value, list)
    size = count(len(residuals), "number")
    return TargetRow(
        info=target,
        value=pretty(flat(target.value)[0], 8) if single else size,
        predicted=pretty(flat(target.predicted)[0], 8) if single else "",
        std=pretty(flat(target.std)[0], 3) if len(set(flat(target.std))) == 1 else "several",
        worst=worst,
        start=round(50.0 if worst >= 0 else 50.0 - length, 2),
        width=round(length, 2),
    )


def _correlation(document: FitDocument) -> list[tuple[str, list[tuple[float | None, str]]]]:
    """Name, and coefficient with its CSS class for each other parameter; empty where there is nothing to compare."""
    if not 1 < len(document.parameters) <= 30:
        return []
    return [
        (parameter.name, [(value, _shade(value)) for value in row])
        for parameter, row in zip(document.parameters, document.correlation, strict=True)
    ]


def _shade(value: float | None) -> str:
    if value is None or abs(value) < 0.2:
        return ""
    return ("n" if value < 0 else "p") + str(min(5, 1 + int(5 * (abs(value) - 0.2) / 0.8)))


def _eigenvalue(site: SiteInfo) -> str:
    return "" if site.lowest_eigenvalue is None else pretty(site.lowest_eigenvalue, 4)


def _provenance(document: FitDocument) -> list[tuple[str, list[tuple[str, str]]]]:
    information = document.provenance
    files = [("Study", document.study), ("Force field", document.force_field.path), ("SHA-256", document.force_field.sha256)]
    for path, digest in dict.fromkeys((target.path, target.sha256) for target in document.targets):
        files += [("Structure", path), ("SHA-256", digest)]
    machine = [("Device", information.device), ("Precision", information.precision), ("Time", f"{document.timings.total_s:.3g} s")]
    options = [(name.replace("_", "-"), option_text(value)) for name, value in information.options.items()]
    tables = [("Files", files[:40]), ("Versions", [*information.versions.items(), *machine]), ("Options", options)]
    return [(title, [(label, text) for label, text in lines if text]) for title, lines in tables]
