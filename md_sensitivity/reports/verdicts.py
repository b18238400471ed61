"""The certificate in plain language: what each number means and whether it speaks for the derivatives or against them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from md_sensitivity.analysis.result import CertificateInfo, EquilibriumInfo, FiniteDifference, ResultDocument
from md_sensitivity.reports.softness import PRECISE, digits, doubt, is_soft
from md_sensitivity.reports.text import pretty

Level = Literal["good", "caution", "bad", "note"]

ROUGH = 1e-3
"""From this relative error on, digits in print are wrong; up to PRECISE they are as good as numbers get used."""
ESTIMATE = "Estimated relative error of dx*/dθ, from the force and the linear residual."
"""What the number is, before what is to say about it."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One line of the certificate.

    Attributes:
        quantity: what was measured.
        value: the number, None where there is none.
        unit: its unit, "" where it has none.
        level: good, caution, bad, or note where nothing is judged.
        meaning: one or two sentences.
    """

    quantity: str
    value: float | None
    unit: str = ""
    level: Level
    meaning: str


def status_level(status: str) -> Level:
    """How good a status is."""
    levels: dict[str, Level] = {"minimum": "good", "unconverged": "caution", "not-a-minimum": "bad", "failed": "bad"}
    return levels.get(status, "note")


def overall(document: ResultDocument) -> tuple[Level, str]:
    """One sentence on the whole result."""
    certificate = document.certificate
    if document.status == "failed":
        return "bad", "The analysis failed; there are no results to trust."
    if document.status == "not-a-minimum":
        return "bad", "The stationary point is not a minimum: the derivatives describe no stable structure."
    if document.status == "unconverged":
        return "caution", "The forces are not small enough: the derivatives belong to no exact equilibrium."
    if certificate is None:
        return "note", "The structure is a minimum. No derivatives were asked for, so none are certified."
    if not certificate.passed:
        return "bad", "The certificate failed: do not rely on these derivatives before its cause is found."
    checked = sum(check.relative_error is not None for check in certificate.finite_differences)
    if not checked:
        return "caution", "The residuals are small, but no finite-difference check could confirm the derivatives."
    if remarks(document):
        return "caution", _passed_with(remarks(document), document)
    return "good", "The structure is a minimum and every check of its derivatives passed."


def _passed_with(marked: list[Verdict], document: ResultDocument) -> str:
    """What a certificate that passed says all the same."""
    names = list(dict.fromkeys(verdict.quantity.partition(",")[0].lower() for verdict in marked))
    estimate = document.certificate.error_estimate if document.certificate is not None else None
    if "error estimate" in names and set(names) <= {"error estimate", "finite differences"} and estimate is not None:
        soft = "the structure is soft" if is_soft(document) else "the forces are not quite zero"
        return f"The certificate passed, but {soft}: {digits(estimate)} of dx*/dθ; see the lines marked below."
    return f"The certificate passed, with remarks on: {', '.join(names)}; see below."


def remarks(document: ResultDocument) -> list[Verdict]:
    """Those lines of the certificate that speak against the derivatives, more or less."""
    return [verdict for verdict in verdicts(document) if verdict.level in ("caution", "bad")]


def verdicts(document: ResultDocument) -> list[Verdict]:
    """All lines of the certificate, in the order in which trust is built."""
    lines = [] if document.equilibrium is None else _equilibrium_verdicts(document.equilibrium, document.status)
    if document.certificate is not None:
        lines += _derivative_verdicts(document)
        length = "reduced" if document.force_field.units == "reduced" else "Å"
        lines += _kink_verdicts(document.certificate, length)
        lines += [finite_difference_verdict(check) for check in document.certificate.finite_differences]
    return lines


def _equilibrium_verdicts(equilibrium: EquilibriumInfo, status: str) -> list[Verdict]:
    converged = status in ("minimum", "not-a-minimum")
    force = Verdict(
        quantity="Force residual",
        value=equilibrium.max_force,
        unit=equilibrium.force_unit,
        level="good" if converged else "caution",
        meaning="Largest force component at the equilibrium. "
        + ("Below the tolerance: the forces vanish." if converged else "Above the tolerance: not yet an equilibrium."),
    )
    stress = equilibrium.max_stress
    left = []
    if isinstance(stress, float):
        text = "Largest component of stress and pressure that is left, of strains that were free."
        left.append(Verdict(quantity="Stress residual", value=stress, unit=str(equilibrium.pressure_unit), level=force.level, meaning=text))
    eigenvalue = equilibrium.lowest_eigenvalue
    unit = "reduced" if equilibrium.force_unit == "reduced" else "eV/Å²"
    if eigenvalue is None:
        level, meaning = "note", "The Hessian has no nonzero mode: no internal motion costs energy."
    elif eigenvalue > 0:
        level, meaning = "good", "Smallest nonzero eigenvalue of the Hessian. Positive: a minimum, every internal motion costs energy."
    else:
        level, meaning = "bad", "Most negative eigenvalue of the Hessian. The energy falls along its mode: a saddle, not a minimum."
    lowest = Verdict(quantity="Lowest eigenvalue", value=eigenvalue, unit=unit, level=level, meaning=meaning)  # type: ignore[arg-type]
    rattlers = f" {equilibrium.rattlers} rattlers (atoms that nothing holds) are among them." if equilibrium.rattlers else ""
    zero = Verdict(
        quantity="Zero modes",
        value=equilibrium.zero_modes,
        level="note",
        meaning="Motions that cost no energy (rigid translations and rotations); projected out exactly, without a ridge." + rattlers,
    )
    return [force, *left, lowest, zero]


def _derivative_verdicts(document: ResultDocument) -> list[Verdict]:
    certificate = document.certificate
    assert certificate is not None
    residual, estimate = certificate.relative_residual, certificate.error_estimate
    linear = Verdict(
        quantity="Linear residual",
        value=residual,
        level=_level(residual),
        meaning="Largest relative residual of the response equations, recomputed after the solve. "
        + {"good": "They are solved.", "caution": "Solved roughly.", "bad": "They are not solved.", "note": "Nothing had to be solved."}[
            _level(residual)
        ],
    )
    error = Verdict(
        quantity="Error estimate",
        value=estimate,
        level=_level(estimate),
        meaning="Not available." if estimate is None else ESTIMATE if _level(estimate) == "good" else f"{ESTIMATE} {doubt(document)}",
    )
    return [linear, error]


def _kink_verdicts(certificate: CertificateInfo, length: str) -> list[Verdict]:
    distance = certificate.kink_distance
    if distance is None:
        return []
    meaning = "Distance of the nearest pair to a cutoff or contact where derivatives jump. "
    near = distance < PRECISE
    meaning += "So near that left and right derivatives may differ." if near else "The derivatives hold while no pair moves further."
    return [
        Verdict(quantity="Kink distance", value=distance, unit=length, level="caution" if near else "note", meaning=meaning),
    ]


def finite_difference_verdict(check: FiniteDifference) -> Verdict:
    """One spot check: the implicit derivative against the re-minimized structure."""
    subject = check.parameter if isinstance(check.parameter, str) else check.direction
    quantity = f"Finite differences, {subject}" if isinstance(subject, str) else "Finite differences"
    reason = check.reason if isinstance(check.reason, str) else ""
    if check.relative_error is None:
        return Verdict(quantity=quantity, value=None, level="note", meaning=f"Could not be made: {reason or 'no reason given'}.")
    allowed = max(PRECISE, 3 * (check.own_error or 0.0))
    level: Level = "good" if check.relative_error <= allowed else _level(check.relative_error)
    words = {"good": "They agree.", "caution": "They agree roughly.", "bad": "They disagree."}[level]
    own = f" The differences themselves are good to {pretty(check.own_error, 1)}." if check.own_error is not None else ""
    remark = f" {reason[0].upper()}{reason[1:].rstrip('.')}." if reason else ""
    meaning = f"Relative difference from central differences of re-minimized structures. {words}{own}{remark}"
    return Verdict(quantity=quantity, value=check.relative_error, level=level, meaning=meaning)


def _level(relative_error: float | None) -> Level:
    if relative_error is None:
        return "note"
    return "good" if relative_error <= PRECISE else "caution" if relative_error < ROUGH else "bad"
