"""Which parameters matter most: orders that compare parameters of different units."""

from __future__ import annotations

from md_sensitivity.analysis.result import ResultDocument
from md_sensitivity.reports.components import Component


def ranked(component: Component, document: ResultDocument) -> list[int]:
    """Indices of the parameters by |logarithmic|, largest first; by |θ dO/dθ|, which orders alike, where the value is zero.

    A derivative that does not exist comes last; equals stay in the order of the document.
    """

    def weight(p: int) -> float:
        logarithmic, total = component.logarithmic[p], component.total[p]
        if total is None:
            return -1.0
        return abs(logarithmic) if logarithmic is not None else abs(document.parameters[p].value * total)

    return sorted(range(len(component.total)), key=weight, reverse=True)


def relative_response(document: ResultDocument) -> list[float | None]:
    """|θ|·‖dx*/dθ‖₂ for each parameter [Å]: the response to a relative change; None where the derivative does not exist."""
    norm = document.position_norm
    if norm is None:
        return []
    pairs = zip(norm.l2, document.parameters, strict=True)
    return [None if l2 is None else abs(parameter.value) * l2 for l2, parameter in pairs]


def most_responsive(document: ResultDocument, count: int | None = None) -> list[int]:
    """Parameters to which the positions respond most for the same relative change, largest first; zero responses left out."""
    response = relative_response(document)
    order = sorted((p for p, size in enumerate(response) if size), key=lambda p: response[p] or 0.0, reverse=True)
    return order[:count]
