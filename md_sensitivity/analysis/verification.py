"""The full comparison of implicit derivatives with re-minimized differences and, on request, with unrolling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from md_sensitivity.analysis.differences import Difference, Direction
from md_sensitivity.curvature.zero_modes import without_zero_modes
from md_sensitivity.energy import Deformed, Energy
from md_sensitivity.implicit.unrolled import unrolled_jvp
from md_sensitivity.minimization import Equilibrium


@dataclass(frozen=True, kw_only=True)
class VerificationRow:
    """One derivative, computed in several ways.

    Attributes:
        parameter: its name, or the name of a direction.
        quantity: "positions" or an observable.
        implicit, finite_difference: norms over all components; the differences are those of re-minimized structures.
        relative_error: of the differences against the implicit derivative; None where no differences could be made.
        unrolled_error: of differentiation through the minimizer; None where it was not asked for, or has diverged.
        reason: why a number is missing.
    """

    parameter: str
    quantity: str
    implicit: float | None
    finite_difference: float | None
    relative_error: float | None
    unrolled_error: float | None = None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Verification:
    """The table, and whether nothing in it contradicts the implicit derivatives."""

    rows: tuple[VerificationRow, ...]
    passed: bool


def verification(differences: Sequence[Difference], unrolled: Sequence[tuple[float | None, str]] | None) -> Verification:
    """The table of checks; `unrolled` holds an error or a reason for each of them."""
    rows = []
    for number, difference in enumerate(differences):
        error, remark = (None, "") if unrolled is None else unrolled[number]
        details = difference.details or (("positions", None, None, None),)
        for quantity, implicit, found, relative in details:
            rows.append(
                VerificationRow(
                    parameter=difference.name,
                    quantity=quantity,
                    implicit=implicit,
                    finite_difference=found,
                    relative_error=None if difference.reason else relative,
                    unrolled_error=error if quantity == "positions" else None,
                    reason="; ".join(filter(None, (difference.reason, remark if quantity == "positions" else ""))),
                )
            )
    return Verification(rows=tuple(rows), passed=not any(difference.failed for difference in differences))


def unrolled_error(
    equilibrium: Equilibrium, energy: Energy, start: jax.Array, direction: Direction, *, fmax: float, max_steps: int
) -> tuple[float | None, str]:
    """Relative discrepancy of the unrolled derivative of positions, or the reason why there is none."""
    if isinstance(equilibrium.x, Deformed):
        return None, "unrolling is for a fixed cell"
    if direction.response is None:
        return None, "unrolling differentiates positions, which were not asked for"
    reached, tangent, converged = unrolled_jvp(energy, start, equilibrium.theta, direction.tree, fmax=fmax, max_steps=max_steps)
    if not converged:
        return None, "the unrolled minimization did not converge"
    implicit = jnp.asarray(direction.response)
    difference = jnp.asarray(tangent) - implicit
    if equilibrium.modes is not None:
        difference = without_zero_modes(equilibrium.modes, equilibrium.x, difference)
    if float(jnp.max(jnp.abs(reached - equilibrium.x))) > 1e-3 * max(1.0, float(jnp.max(jnp.abs(equilibrium.x)))):
        return None, "the unrolled minimization ended in another place"
    size = max(float(jnp.linalg.norm(implicit)), 1e-3 * direction.size)
    error = float(jnp.linalg.norm(difference)) / size
    return (error, "") if np.isfinite(error) else (None, "the unrolled derivative diverged")
