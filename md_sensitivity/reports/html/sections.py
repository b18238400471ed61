"""What was computed, and with what: the plain facts of a report."""

from __future__ import annotations

from md_sensitivity.analysis.result import ProvenanceInfo, ReferenceInfo, Result
from md_sensitivity.reports.text import count, periodicity, pretty

Facts = list[tuple[str, str]]


def facts(result: Result) -> Facts:
    """Label and text of what stands at the top of the report."""
    document = result.document
    structure, field, equilibrium = document.structure, document.force_field, document.equilibrium
    units = "reduced units" if field.units == "reduced" else f"{field.units} units"
    lines = [
        ("Structure", f"{structure.formula}, {count(structure.atoms, 'atom')}, {periodicity(structure.periodic)}"),
        ("Force field", f"{field.name} ({units})"),
    ]
    if equilibrium is not None:
        lines.append(("Energy", f"{pretty(equilibrium.energy, 10)}{unit(equilibrium.energy_unit)}"))
        if isinstance(equilibrium.volume, float):
            lines.append(("Volume", f"{pretty(equilibrium.volume, 8)}{unit('reduced' if field.units == 'reduced' else 'Å³')}"))
        if isinstance(equilibrium.relaxed_cell, str) and isinstance(equilibrium.pressure, float):
            how = {"full": "all strains", "isotropic": "size only"}[equilibrium.relaxed_cell]
            under = f", under {pretty(equilibrium.pressure, 4)}{unit(str(equilibrium.pressure_unit))}" if equilibrium.pressure else ""
            lines.append(("Cell", f"relaxed, {how}{under}"))
        effort = f"{count(equilibrium.steps, 'step')}, {count(equilibrium.force_evaluations, 'force evaluation')}"
        products = f", {count(equilibrium.hessian_products, 'Hessian product')}" if equilibrium.hessian_products else ""
        lines.append(("Minimization", f"{equilibrium.minimizer}: {effort}{products}"))
    for each in _references(result):
        energy = f"{pretty(each.equilibrium.energy, 10)}{unit(each.equilibrium.energy_unit)}"
        where = each.structure.path or each.structure.formula
        lines.append(("Less reference", f"{pretty(each.coefficient, 8)} × {where}: {each.structure.formula}, {energy}, {each.status}"))
    if document.parameters:
        what = f"{count(len(document.observables), 'observable')} and all positions" if "dpositions" in result.arrays else None
        what = what or count(len(document.observables), "observable")
        lines.append(("Derivatives", f"of {what} with respect to {count(len(document.parameters), 'parameter')}"))
    reached = "" if equilibrium is None else f"minimum reached in {equilibrium.steps} steps"     # as the line on minimization says
    if document.status == "minimum" and (remark := document.message.removeprefix(reached).removeprefix("; ")):
        lines.append(("Remark", remark))
    shown = document.certificate.warnings if document.certificate is not None else []
    lines += [("Remark of the reader", note) for note in result.structure.notes if note not in shown]
    return lines


def _references(result: Result) -> list[ReferenceInfo]:
    references = result.document.references
    return references if isinstance(references, list) else []


def unit(symbol: str) -> str:
    """A unit behind a number; nothing for reduced units."""
    return "" if symbol in ("", "1", "reduced") else f" {symbol}"


def provenance(result: Result) -> list[tuple[str, Facts]]:
    """Title and lines of each table of the last section; empty tables left out."""
    document = result.document
    information = document.provenance if isinstance(document.provenance, ProvenanceInfo) else ProvenanceInfo()
    files: Facts = [
        ("Structure file", document.structure.path),
        ("SHA-256", document.structure.sha256),
        ("Read with", result.structure.reader),
        ("Force-field file", document.force_field.path),
        ("SHA-256", document.force_field.sha256),
    ]
    for each in _references(result):
        files += [("Reference", each.structure.path), ("SHA-256", each.structure.sha256)]
    solution: Facts = []
    if document.certificate is not None:
        certificate = document.certificate
        solution = [
            ("Mode", certificate.mode),
            ("Linear solver", f"{certificate.solver}, {count(certificate.iterations, 'iteration')}"),
            ("Chosen because", certificate.reason),
        ]
    times = document.timings
    timings: Facts = [("Minimize", f"{times.minimize_s:.3g} s"), ("Differentiate", f"{times.differentiate_s:.3g} s")]
    timings.append(("Total", f"{times.total_s:.3g} s"))
    machine: Facts = [("Device", information.device), ("Precision", information.precision)]
    options = [(name.replace("_", "-"), option_text(value)) for name, value in information.options.items()]
    tables = [
        ("Files", files),
        ("Solution", solution),
        ("Timings", timings),
        ("Versions", [*information.versions.items(), *machine]),
        ("Options", options),
    ]
    kept = [(title, [(label, text) for label, text in lines if text]) for title, lines in tables]
    return [(title, lines) for title, lines in kept if lines]


def option_text(value: object) -> str:
    """An option as people write it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "not set" if value is None else str(value)
