"""A fit in plain language: did it converge, and do its derivatives hold."""

from __future__ import annotations

from md_sensitivity.fitting.document import FitDocument, SiteInfo
from md_sensitivity.reports.text import pretty
from md_sensitivity.reports.verdicts import PRECISE, ROUGH, Level


def status_level(status: str) -> Level:
    """How good a status is."""
    levels: dict[str, Level] = {"converged": "good", "failed": "bad"}
    return levels.get(status, "caution")


def fit_verdict(document: FitDocument) -> tuple[Level, str]:
    """One sentence on the whole fit."""
    certificate = document.certificate
    if document.status == "failed":
        return "bad", "The fit failed; the parameters are those it started from."
    if document.status != "converged":
        return "caution", "The fit did not converge: the parameters are the best so far, not those that the targets ask for."
    if certificate is None:
        return "caution", "The fit converged. Its derivatives were not checked."
    if not certificate.passed:
        return "bad", "The fit converged, but a check of its derivatives failed: do not rely on it before the cause is found."
    if document.undetermined:
        return "caution", "The fit converged, but the targets do not determine all parameters: see the directions below."
    if any(parameter.at_bound for parameter in document.parameters):
        return "caution", "The fit converged with parameters at their bounds: the targets ask for values beyond."
    return "good", "The fit converged, and every check of its derivatives passed."


def site_verdict(site: SiteInfo) -> tuple[Level, str]:
    """One line of the certificate."""
    parts = []
    level: Level = "good"
    if site.relative_residual is not None:
        level = "good" if site.relative_residual <= PRECISE else "caution" if site.relative_residual < ROUGH else "bad"
        parts.append(f"linear residual {pretty(site.relative_residual, 2)}")
    if site.lowest_eigenvalue is not None and site.lowest_eigenvalue < 0:
        return "bad", "a saddle, not a minimum: its response is not that of an equilibrium"
    check = site.finite_difference
    if check is None:
        parts.append("no parameter acts on it" if level == "good" else "not checked")
        return ("note" if level == "good" else level), "; ".join(parts)
    if check.relative_error is None:
        return "note", "; ".join([*parts, f"differences could not be made: {check.reason or 'no reason given'}"])
    if check.relative_error > max(10.0 * PRECISE, 10.0 * (check.own_error or 0.0)):
        level = "bad"
    kind = "re-minimized differences" if site.relaxed else "differences"
    return level, "; ".join([*parts, f"{kind} agree to {pretty(check.relative_error, 2)}" if level != "bad" else f"{kind} disagree"])
