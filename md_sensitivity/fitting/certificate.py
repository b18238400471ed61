"""Is the Jacobian at the solution right? One random direction over all parameters for each structure, by differences of rebuilt ones."""

from __future__ import annotations

import jax
import numpy as np

from md_sensitivity.analysis.differences import Difference, check
from md_sensitivity.analysis.parameters import Selection, select_parameters
from md_sensitivity.analysis.sensitivity import evaluate
from md_sensitivity.analysis.spotcheck import RANDOM, rebuilder, spot_checks
from md_sensitivity.fitting.problem import Place, Problem, Report
from md_sensitivity.fitting.result import SiteCertificate
from md_sensitivity.fitting.sites import Settled, Site, refreshed
from md_sensitivity.forcefields import ForceField

_STEP = 1e-4
"""Relative change of the parameters in differences at given positions."""


def certificates(problem: Problem, place: Place, *, seed: int, report: Report) -> tuple[SiteCertificate, ...]:
    """Evidence for each structure, in order."""
    fitted = problem.fitted(place.theta)
    found = []
    for site, settled in zip(problem.sites, place.settled, strict=True):
        report(f"check {site.name}")
        settled = refreshed(settled) if settled.stale else settled
        difference = _difference(problem, site, settled, fitted, seed) if len(site.columns) else None
        equilibrium, parts = settled.equilibrium, settled.parts
        spectrum = equilibrium.spectrum
        found.append(
            SiteCertificate(
                name=site.name,
                relaxed=site.relaxed,
                mode="" if parts is None else parts.mode,
                solver="" if parts is None else parts.response.solver,
                relative_residual=None if parts is None else float(np.max(parts.response.residual, initial=0.0)),
                max_force=equilibrium.max_force if site.relaxed else None,
                lowest_eigenvalue=None if spectrum is None else spectrum.lowest,
                difference=difference,
            )
        )
    return tuple(found)


def _difference(problem: Problem, site: Site, settled: Settled, fitted: ForceField, seed: int) -> Difference:
    selection = _selection(problem, site, fitted)
    if settled.parts is None:
        return _at_given_positions(site, settled, fitted, selection, seed)
    directions = spot_checks(selection, fitted, settled.parts, range(len(settled.bound)), 1, seed)
    rebuild = rebuilder(site.structure, fitted, settled.equilibrium, site.dimensions)
    return check(settled.equilibrium, directions[-1], settled.bound, rebuild)


def _selection(problem: Problem, site: Site, fitted: ForceField) -> Selection:
    """The parameters of a site with their fitted values."""
    names = [fitted.table.rows[i].name for i in problem.indices[site.columns]]
    return select_parameters(fitted, site.structure, names)


def _at_given_positions(site: Site, settled: Settled, fitted: ForceField, selection: Selection, seed: int) -> Difference:
    """Central differences of the values along a random direction, extrapolated once."""
    vector = np.random.default_rng(seed).normal(size=len(selection.rows)) * selection.scales
    low, high = (np.array([row.bounds[side] for row in selection.rows]) for side in (0, 1))
    reach = 2.0 * _STEP * np.abs(vector)
    vector[(selection.values - low < reach) | (high - selection.values < reach)] = 0.0  # nothing to step to on one side
    if not np.any(vector):
        return Difference(name=RANDOM, relative_error=None, own_error=None, step=None, reason="all parameters are at their bounds")
    equilibrium = settled.equilibrium
    tree = fitted.table.unravel(selection.steps.combined(vector))
    rebuild = rebuilder(site.structure, fitted, equilibrium, site.dimensions)

    def sample(step: float) -> np.ndarray:
        theta = jax.tree.map(lambda t, d: np.asarray(t) + step * d, equilibrium.theta, tree)
        theta = fitted.with_parameters(theta).parameters
        energy = rebuild(theta).updated(equilibrium.x, theta)
        return np.concatenate([value.ravel() for value in evaluate(settled.bound, energy, equilibrium.x, theta)])

    coarse, fine = ((sample(h) - sample(-h)) / (2.0 * h) for h in (_STEP, 0.5 * _STEP))
    differences = (4.0 * fine - coarse) / 3.0
    predicted = np.concatenate([np.tensordot(vector, d, axes=1).ravel() for d in settled.derivatives])
    sizes = np.concatenate([value.ravel() for value in settled.values])
    floor = max(float(np.linalg.norm(predicted)), 1e-3 * float(np.linalg.norm(sizes)), 1e-12)
    own = float(np.linalg.norm(differences - fine)) + 1e-15 * float(np.linalg.norm(sizes)) / _STEP
    return Difference(
        name=RANDOM,
        relative_error=float(np.linalg.norm(differences - predicted)) / floor,
        own_error=own / floor,
        step=_STEP,
    )


