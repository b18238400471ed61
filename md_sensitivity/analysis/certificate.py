"""The evidence that a derivative is right, and an estimate of how right it is."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import numpy as np

from md_sensitivity.analysis.differences import Difference, kink_distance
from md_sensitivity.compilation import program
from md_sensitivity.curvature.products import gradient
from md_sensitivity.energy import Energy, PyTree
from md_sensitivity.enthalpy import EnthalpyFunction
from md_sensitivity.implicit.equilibrium import Response
from md_sensitivity.implicit.linear import ACCEPTABLE
from md_sensitivity.minimization import Equilibrium
from md_sensitivity.minimization.equilibrium import MINIMUM
from md_sensitivity.system import EnergyFunction

_ANHARMONIC = 0.1
"""Length over which a bond's curvature changes by its own size, as a fraction of the bond."""
SOFT = 1e-4
"""A smallest eigenvalue below this, relative to the largest, is looked at closely."""
_SMALL_MOVE = 1e-3
"""Length of moves along the softest mode whose forces tell how its curvature changes [Å]."""
_ROWS = 4096
"""Rows of a neighbor table that are looked at together."""
NEAR_CUTOFF = 0.01
"""A pair this close to a cutoff where energy or force jumps is worth a warning [Å]."""
_RESPONSE_FLOOR = 1e-8
"""A response smaller than this fraction of the largest counts as zero, and has no relative error."""


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """Evidence for one result.

    Attributes:
        mode, solver, reason: how the derivative was computed, and why so.
        relative_residual: largest recomputed relative residual of the linear solves.
        iterations: of the slowest solve.
        force_residual: largest force component at the minimum [eV/Å].
        error_estimate: relative error of dx*/dθ that the residuals of solves and minimum, amplified by the softest mode, and
            rounding allow.
        kink_distance: of the nearest pair from a jump of its curvature [Å]; None where the energy has none.
        eigenvalue_bound: an eigenvalue of H lies within this distance of the reported lowest one [eV/Å²]; None where it is not known.
        differences: the spot checks.
        warnings: what a person should know.
    """

    mode: str
    solver: str
    reason: str
    relative_residual: float | None
    iterations: int
    force_residual: float
    error_estimate: float | None
    kink_distance: float | None
    eigenvalue_bound: float | None
    differences: tuple[Difference, ...]
    warnings: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing contradicts the derivative."""
        return not any(difference.failed for difference in self.differences)


def certify(
    equilibrium: Equilibrium,
    response: Response,
    mode: str,
    scales: np.ndarray,
    differences: tuple[Difference, ...],
    warnings: tuple[str, ...],
) -> Certificate:
    """Collects the evidence.

    Args:
        response: the linear solves.
        scales: size of a natural change along each right-hand side, shape=(p,), to compare responses with each other.
    """
    kink, spectrum = kink_distance(equilibrium), equilibrium.spectrum
    if kink is not None and kink < 1e-6:
        warnings = (*warnings, f"a pair is {kink:.2g} from a change of contacts or of the cutoff; the derivative may be one-sided")
    return Certificate(
        mode=mode,
        solver=response.solver,
        reason=response.reason,
        relative_residual=float(np.max(response.residual, initial=0.0)),
        iterations=response.iterations,
        force_residual=equilibrium.max_force,
        error_estimate=error_estimate(equilibrium, response, scales),
        kink_distance=kink,
        eigenvalue_bound=None if spectrum is None or spectrum.lowest is None else spectrum.bound,
        differences=differences,
        warnings=warnings,
    )


def error_estimate(equilibrium: Equilibrium, response: Response, scales: np.ndarray) -> float | None:
    """Relative error of the responses that residuals and rounding allow; None where the softest mode is not known.

    The error of a solution is at most ‖r‖/λ_min. A minimum that is off by ‖F‖/λ_min has a Hessian that is off by that over the
    length at which bonds are anharmonic.
    """
    spectrum = equilibrium.spectrum
    if spectrum is None or spectrum.lowest is None:
        return None if spectrum is None else 0.0
    softest = abs(spectrum.lowest)
    sizes = np.linalg.norm(np.asarray(response.solution), axis=1)
    weighted = sizes * scales
    real = weighted > _RESPONSE_FLOOR * weighted.max(initial=0.0)
    linear = 0.0
    if np.any(real):
        linear = float(np.max(response.residual[real] * response.rhs[real] / (softest * sizes[real])))
    coordinates = max(1, int(sum(np.sum(np.asarray(leaf)) for leaf in jax.tree.leaves(equilibrium.energy.mobility(equilibrium.x)))))
    offset = equilibrium.max_force * np.sqrt(coordinates) / softest
    rounding = 4e-16 * spectrum.largest / softest
    return float(linear + offset / (_ANHARMONIC * shortest_bond(equilibrium)) + rounding + _softest_drift(equilibrium, coordinates))


@program
def _gradient(energy: Energy, x: PyTree, theta: PyTree) -> PyTree:
    return gradient(energy, x, theta)


def _softest_drift(equilibrium: Equilibrium, coordinates: int) -> float:
    """By how much the smallest eigenvalue may differ between the point that was found and the minimum, relative to itself.

    Along the softest mode u the minimum is u·F/λ away, and λ changes by the third derivative of E along u times that. The component of
    F along u is taken to be no smaller than a typical one. Where Lanczos steps found the eigenvalue the mode is not known, and nothing
    is added.
    """
    spectrum, energy, theta = equilibrium.spectrum, equilibrium.energy, equilibrium.theta
    if spectrum is None or spectrum.mode is None or spectrum.lowest is None or spectrum.lowest > SOFT * spectrum.largest:
        return 0.0      # the force residual of stiff systems is far too small

    def along(amount: float) -> tuple[float, float]:
        moved = jax.tree.map(lambda leaf, u: np.asarray(leaf) + amount * u, equilibrium.x, spectrum.mode)
        slope = _gradient(energy, moved, theta)
        pairs = list(zip(jax.tree.leaves(slope), jax.tree.leaves(spectrum.mode), strict=True))
        return (
            float(sum(np.vdot(np.asarray(g), np.asarray(u)) for g, u in pairs)),
            float(np.sqrt(sum(np.sum(np.asarray(g) ** 2) for g, _ in pairs))),
        )

    (here, size), there, back = along(0.0), along(_SMALL_MOVE)[0], along(-_SMALL_MOVE)[0]
    third = abs(there - 2.0 * here + back) / _SMALL_MOVE**2
    drift = third * max(abs(here), size / np.sqrt(coordinates)) / spectrum.lowest**2
    return drift if np.isfinite(drift) else 1.0     # beyond what the neighbor tables reach nothing is known


def shortest_bond(equilibrium: Equilibrium) -> float:
    """Shortest distance between atoms that interact [Å]; 1 where there is none."""
    x = equilibrium.positions
    frame = equilibrium.energy.frame(equilibrium.x)
    square = np.inf
    if frame is None:
        return 1.0
    cell = np.asarray(frame.cell)
    for bond in equilibrium.energy.bonds(equilibrium.x, equilibrium.theta):
        count, source = len(bond.index), np.asarray(bond.source)
        copies = x[source] + np.asarray(bond.image, dtype=np.float64) @ cell
        there = np.concatenate([x, np.zeros((count - len(x), 3)), copies])
        for first in range(0, count, _ROWS):  # vectors between all pairs at a time would be the largest arrays of an analysis
            row, entry = np.nonzero(np.asarray(bond.acting[first : first + _ROWS]))
            steps = there[np.asarray(bond.index[first : first + _ROWS])[row, entry]] - there[row + first]
            square = min(square, float(np.min(np.sum(steps * steps, axis=1), initial=np.inf)))
    return float(np.sqrt(square)) if np.isfinite(square) else 1.0


def doubts(equilibrium: Equilibrium, response: Response) -> tuple[str, ...]:
    """What speaks against the derivatives before any check."""
    found = []
    if equilibrium.status != MINIMUM:
        found.append(f"the derivatives are not those of an equilibrium: {equilibrium.message}")
    if not np.all(response.residual <= ACCEPTABLE):
        found.append(f"a linear solve did not converge (relative residual {response.residual.max():.2g})")
    return (*found, *_truncation_doubts(equilibrium))


def spline_doubts(equilibrium: Equilibrium) -> tuple[str, ...]:
    """What is to be said of derivatives of curvatures, such as elastic constants, where potentials are tables."""
    energy = equilibrium.energy
    if not isinstance(energy, EnergyFunction | EnthalpyFunction):
        return ()
    return tuple(
        f"potential {term.label} is a table of splines, whose third derivatives jump at knots: derivatives of elastic constants are exact "
        "as long as no neighbor crosses one, and say little of larger changes"
        for term in energy.system.terms
        if any(spec.name.endswith(".knot") for spec in term.form.parameters)
    )


def _truncation_doubts(equilibrium: Equilibrium) -> list[str]:
    """Warnings about pairs close to a cutoff where the energy, or the force, jumps."""
    gap = kink_distance(equilibrium)
    if gap is None or gap > NEAR_CUTOFF or not isinstance(equilibrium.energy, EnergyFunction | EnthalpyFunction):
        return []
    jumps = {"none": "energy", "shift": "force"}
    return [
        f"potential {term.label}: a pair is {gap:.2g} from the cutoff, where the {jumps[term.truncation]} jumps (truncation = "
        f"{term.truncation!r}); which pairs count, and with them the minimum, is a matter of small displacements"
        for term in equilibrium.energy.system.terms
        if term.truncation in jumps and bool(np.all(np.isfinite(term.cutoff)))
    ]
