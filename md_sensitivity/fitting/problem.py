"""Residuals and Jacobian of a fit as functions of the vector of its parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import jax
import numpy as np

from md_sensitivity.analysis.directions import directions_of
from md_sensitivity.analysis.parameters import select_parameters
from md_sensitivity.errors import ComputationError, UsageError
from md_sensitivity.fitting.levenberg_marquardt import Point, Rejected
from md_sensitivity.fitting.sites import Settled, Site, differentiated, first, follow, sites_of
from md_sensitivity.fitting.targets import MODERATE, Goal
from md_sensitivity.forcefields import ForceField, ParameterRow, acting_rows
from md_sensitivity.remarks import remarks

Report = Callable[[str], None]
_NOTHING, _UNSEEN = 1e-7, 1e-3
"""A prediction that changes by less than this share of itself, and of its standard deviation, where a parameter changes by its own size."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Problem:
    """All that the residuals depend on but the parameters.

    Attributes:
        force_field: the start.
        indices: of the fitted parameters, p of them, in its table.
        goals, sites, places: targets; structures; for each target its parts (site, request, factor).
        priors: standard deviation of each parameter, infinite where there is none, shape=(p,).
        fmax: of the minima [eV/Å].
        patterns: which parameters were asked for.
        notes: what was left out, and why.
    """

    force_field: ForceField
    indices: np.ndarray
    goals: tuple[Goal, ...]
    sites: tuple[Site, ...]
    places: list[list[tuple[int, int, float]]]
    priors: np.ndarray
    fmax: float
    patterns: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def rows(self) -> tuple[ParameterRow, ...]:
        """Of the fitted parameters."""
        return tuple(self.force_field.table.rows[i] for i in self.indices)

    @property
    def start(self) -> np.ndarray:
        """Values at the start, shape=(p,)."""
        return np.array([row.value for row in self.rows])

    @property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest values."""
        return np.array([row.bounds[0] for row in self.rows]), np.array([row.bounds[1] for row in self.rows])

    @property
    def scales(self) -> np.ndarray:
        """Natural size of a change of each parameter."""
        return np.where(self.start != 0, np.abs(self.start), 1.0)

    def fitted(self, theta: np.ndarray) -> ForceField:
        """The force field with other values of the fitted parameters, and all others as they are, bit by bit."""
        table = self.force_field.table
        vector = table.ravel(self.force_field.parameters)
        vector[self.indices] = theta
        return self.force_field.with_parameters(table.unravel(vector))


@dataclass(frozen=True, kw_only=True, eq=False)
class Place:
    """All sites at one θ of shape=(p,)."""

    theta: np.ndarray
    settled: tuple[Settled, ...]


def problem_of(
    goals: Sequence[Goal], force_field: ForceField, *, patterns: Sequence[str], priors: bool, fmax: float, dimensions: int
) -> Problem:
    """The problem that targets and a force field pose.

    Raises:
        UsageError: where a pattern matches no parameter, or nothing is left to fit.
        InputError: where force field and a structure do not fit.
    """
    if not goals:
        raise UsageError("there is nothing to fit to: give at least one target")
    sites, places = sites_of(goals, force_field, dimensions)
    acting = set().union(*(acting_rows(force_field, site.structure) for site in sites))
    table = force_field.table
    wanted = table.choosable(patterns) if patterns else np.flatnonzero(table.free).tolist()
    notes = list(dict.fromkeys(note for site in sites for note in remarks(force_field, site.structure)))
    idle = [table.rows[i].name for i in wanted if i not in acting] if patterns else []
    if idle:
        notes.append(f"chosen parameters act on no target and stay as they are: {', '.join(idle[:5])}")
    known = [table.rows[i].name for i in wanted if priors and table.rows[i].std == 0]
    if known:
        notes.append(f"std = 0 says that the value is exact; not fitted: {', '.join(known[:5])}")
    narrow = [table.rows[i].name for i in wanted if table.rows[i].bounds[0] == table.rows[i].bounds[1]]
    indices = np.array([i for i in wanted if i in acting and table.rows[i].name not in {*known, *narrow}], dtype=np.int64)
    if len(indices) == 0:
        raise UsageError("there is nothing to fit: no free parameter acts on any target; see `md-sensitivity parameters`")
    spreads = np.array([table.rows[i].std if priors and table.rows[i].std else np.inf for i in indices], dtype=np.float64)
    _require_moderate(table.rows, indices, spreads)
    return Problem(
        force_field=force_field,
        indices=indices,
        goals=tuple(goals),
        sites=tuple(_aimed(site, force_field, indices) for site in sites),
        places=places,
        priors=spreads,
        fmax=fmax,
        patterns=tuple(patterns),
        notes=tuple(notes),
    )


def _require_moderate(rows: Sequence[ParameterRow], indices: np.ndarray, spreads: np.ndarray) -> None:
    """Refuse priors whose χ² would be infinite."""
    for index, std in zip(indices, spreads, strict=True):
        if std < 10.0**-MODERATE * max(1.0, abs(rows[index].value)):
            raise UsageError(f"{rows[index].name}: std = {std:g} is too small to be squared; std = 0 says that the value is exact")


def _aimed(site: Site, force_field: ForceField, indices: np.ndarray) -> Site:
    """The site with the parameters that act on it."""
    acting = set(acting_rows(force_field, site.structure))
    columns = np.array([k for k, index in enumerate(indices) if int(index) in acting], dtype=np.int64)
    names = tuple(force_field.table.rows.name(i) for i in indices[columns])
    return replace(site, columns=columns, parameters=names, directions=directions_of(force_field, indices[columns]))


def residuals(problem: Problem, theta: np.ndarray, before: Place | None, report: Report) -> Point:
    """All residuals, in standard deviations: those of the targets, then those of the priors.

    Raises:
        Rejected: where a structure has no minimum that continues the last one.
        ComputationError: the same at the start.
    """
    force_field = problem.fitted(theta)
    tree = force_field.parameters
    _require_admitted(problem, force_field, at_start=before is None)
    earlier = None if before is None else problem.fitted(before.theta).parameters
    settled = []
    for number, site in enumerate(problem.sites):
        report(f"minimize {site.name}" if site.relaxed else f"evaluate {site.name}")
        if before is None:
            settled.append(first(site, tree, fmax=problem.fmax))
        else:
            shift = (theta - before.theta)[site.columns]
            change = jax.tree.map(np.subtract, tree, earlier)
            settled.append(follow(site, tree, before.settled[number], change, shift, fmax=problem.fmax))
    place = Place(theta=theta, settled=tuple(settled))
    rows = [goal.slope * difference(goal, prediction(problem, place, k)) for k, goal in enumerate(problem.goals)]
    rows.append(((theta - problem.start) / problem.priors)[np.isfinite(problem.priors)])
    return Point(np.concatenate(rows), place)


def _require_admitted(problem: Problem, force_field: ForceField, *, at_start: bool) -> None:
    """Refuse values that are physically impossible, and those at which a derivative does not exist."""
    terms = {term.label: term for term in force_field.terms}
    for place in (*problem.indices.tolist(), *(relation.target for relation in force_field.relations.items)):
        row = force_field.table.rows[place]
        if not np.isfinite(row.value):
            raise Rejected(f"{row.name} = {row.follows} is not finite")
        spec = terms[row.label].spec(row) if row.label in terms else None
        if spec is not None and not spec.admits(row.value):
            raise Rejected(f"{row.name} = {row.value:g} must be {spec.bounds_text}")
    chosen = tuple(problem.force_field.table.rows.name(i) for i in problem.indices)
    for site in problem.sites:
        undefined = select_parameters(force_field, site.structure, chosen).undefined
        for reason in undefined.values():
            if at_start:
                raise ComputationError(f"{reason}; start from another value, or fix it")
            raise Rejected(reason)


def prediction(problem: Problem, place: Place, number: int) -> np.ndarray:
    """What the force field says of a target, flat, shape=(k,)."""
    goal = problem.goals[number]
    count = int(np.prod(goal.shape, dtype=np.int64))
    terms = [factor * place.settled[site].values[request].reshape(-1)[:count] for site, request, factor in problem.places[number]]
    return np.sum(terms, axis=0)


def difference(goal: Goal, predicted: np.ndarray) -> np.ndarray:
    """Predicted − value; dihedral angles by the shorter way around."""
    raw = predicted - goal.value
    return (raw + 180.0) % 360.0 - 180.0 if goal.asked.kind.name == "dihedral" else raw


def unmoved(problem: Problem, place: Place, derivatives: np.ndarray) -> list[str]:
    """Targets that no fitted parameter changes, named; `derivatives` ∂r/∂θ of shape=(m, p)."""
    found, row = [], 0
    for number, goal in enumerate(problem.goals):
        count = int(np.prod(goal.shape, dtype=np.int64))
        sizes = [np.abs(factor * place.settled[site].values[request]).max() for site, request, factor in problem.places[number]]
        changes = np.abs(derivatives[row : row + count] * problem.scales).max(axis=1)
        if np.all(changes <= np.minimum(_NOTHING * goal.slope * sum(sizes), _UNSEEN)):
            found.append(goal.target.title)
        row += count
    return found


def jacobian(problem: Problem, place: Place, report: Report) -> tuple[np.ndarray, Place]:
    """∂r/∂θ of shape=(m, p), by the implicit function theorem, and the place with its derivatives.

    Raises:
        Rejected: where a linear solve failed, or a derivative does not exist.
    """
    settled, there = [], problem.fitted(place.theta)
    for aimed, each in zip(problem.sites, place.settled, strict=True):
        # What follows a parameter by an expression moves in another direction at each θ.
        site = _aimed(aimed, there, problem.indices) if len(there.relations) else aimed
        report(f"differentiate {site.name}")
        try:
            settled.append(differentiated(site, each))
        except ComputationError as error:
            raise Rejected(f"{site.name}: {error}") from None
    blocks = []
    for goal, parts in zip(problem.goals, problem.places, strict=True):
        count = int(np.prod(goal.shape, dtype=np.int64))
        block = np.zeros((count, len(problem.indices)))
        for index, request, factor in parts:
            columns, derivative = problem.sites[index].columns, settled[index].derivatives[request]
            if len(columns):
                block[:, columns] += factor * derivative.reshape(len(columns), -1)[:, :count].T
        blocks.append(goal.slope[:, None] * block)
    held = np.isfinite(problem.priors)
    blocks.append(np.diag(1.0 / problem.priors)[held])
    return np.concatenate(blocks), replace(place, settled=tuple(settled))
