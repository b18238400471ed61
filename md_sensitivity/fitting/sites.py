"""One structure of a fit: its minimum at each θ, followed from the last accepted one, and the derivatives of what is asked of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from md_sensitivity.analysis.certificate import shortest_bond
from md_sensitivity.analysis.directions import Directions
from md_sensitivity.analysis.existence import losing_zero_modes, no_derivative, touching
from md_sensitivity.analysis.sensitivity import FORWARD, Parts, choose_mode, evaluate, parts
from md_sensitivity.building import build_system
from md_sensitivity.compilation import in_batches
from md_sensitivity.curvature.spectrum import spectrum
from md_sensitivity.curvature.zero_modes import count_zero_modes, without_zero_modes, zero_modes
from md_sensitivity.errors import ComputationError, UsageError
from md_sensitivity.fitting.kinds import POSITIONS, bind_positions
from md_sensitivity.fitting.levenberg_marquardt import Rejected
from md_sensitivity.fitting.targets import Goal, content
from md_sensitivity.forcefields import ForceField
from md_sensitivity.implicit.equilibrium import equilibrium_jvp
from md_sensitivity.minimization import Equilibrium, minimize
from md_sensitivity.minimization.equilibrium import MINIMUM
from md_sensitivity.observables import BoundObservable, Observable
from md_sensitivity.system import System, energy_function
from md_sensitivity.types import Structure

BASIN = 0.3
"""A minimum farther from its prediction than this share of the shortest bond, any atom, counts as another one."""
SMALL = 300
"""Coordinates up to which every trial gets all eigenvalues of its Hessian; larger ones only where they must."""
PRECISE = 1e-9
"""Relative residual that solves with the spectrum of an earlier θ must reach; else the spectrum is computed anew."""
MAX_MINIMIZER_STEPS = 20000

Tree = Any


@dataclass(frozen=True, kw_only=True)
class Request:
    """An observable of a site; `reference` of shape=(n, 3) [Å] where positions are asked for."""

    asked: Observable
    reference: np.ndarray | None = None

    def bind(self, equilibrium: Equilibrium) -> BoundObservable:
        """With what it needs of this geometry looked up."""
        if self.asked.kind is POSITIONS and self.reference is not None:
            return bind_positions(equilibrium, self.reference)
        return self.asked.bind(equilibrium)


@dataclass(frozen=True, kw_only=True, eq=False)
class Site:
    """A structure, relaxed or as given, and all that is asked of it.

    Attributes:
        name: in messages.
        requests: what is asked.
        columns: positions of its parameters among those of the fit, shape=(p of the site,).
        parameters: their names.
        directions: unit steps of these at the start, with what follows them; None until they are known.
        system: the structure with interactions assigned.
    """

    name: str
    structure: Structure
    relaxed: bool
    requests: tuple[Request, ...]
    system: System
    columns: np.ndarray
    parameters: tuple[str, ...]
    directions: Directions | None
    dimensions: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Settled:
    """A site at one θ.

    Attributes:
        equilibrium: the minimum, or the given geometry.
        bound: its observables.
        values: of each.
        parts: their derivatives; None until they are wanted, and for given geometries.
        derivatives: of each value with respect to the site's parameters, shape=(p, *shape of the value); empty until wanted.
        stale: whether the spectrum is that of an earlier θ, which still serves to solve with.
    """

    equilibrium: Equilibrium
    bound: tuple[BoundObservable, ...]
    values: tuple[np.ndarray, ...]
    parts: Parts | None = None
    derivatives: tuple[np.ndarray, ...] = ()
    stale: bool = False


def sites_of(goals: Sequence[Goal], force_field: ForceField, dimensions: int) -> tuple[list[Site], list[list[tuple[int, int, float]]]]:
    """Sites of all targets, equal structures joined; and for each target its parts (site, request, factor)."""
    found: dict[tuple[Any, ...], int] = {}
    structures: list[tuple[Structure, bool]] = []
    requests: list[list[Request]] = []
    places = []
    for goal in goals:
        target, place = goal.target, []
        for structure, factor in ((target.structure, 1.0), (target.relative_to, -target.factor)):
            if structure is None:
                continue
            structure = force_field.completed(structure)
            key = (content(structure), target.relaxed)
            if key not in found:
                found[key] = len(structures)
                structures.append((structure, target.relaxed))
                requests.append([])
            site = found[key]
            place.append((site, _requested(requests[site], goal, structure), factor))
        places.append(place)
    built = [
        Site(
            name=structure.name,
            structure=structure,
            relaxed=relaxed,
            requests=tuple(asked),
            system=build_system(structure, force_field, dimensions=dimensions, padded=True),
            columns=np.zeros(0, dtype=np.int64),
            parameters=(),
            directions=None,
            dimensions=dimensions,
        )
        for (structure, relaxed), asked in zip(structures, requests, strict=True)
    ]
    return built, places


def _requested(requests: list[Request], goal: Goal, structure: Structure) -> int:
    """Index of the goal's observable among the requests, added where it is new."""
    reference = goal.value.reshape(goal.shape) if goal.asked.kind is POSITIONS else None
    for index, known in enumerate(requests):
        if known.asked == goal.asked and known.reference is None and reference is None:
            return index
    requests.append(Request(asked=replace(goal.asked, structure=structure), reference=reference))
    return len(requests) - 1


def first(site: Site, theta: Tree, *, fmax: float) -> Settled:
    """The site at the first θ.

    Raises:
        ComputationError: where it has no minimum there, or an observable has no derivative.
    """
    try:
        energy = energy_function(site.system)
        if not site.relaxed:
            return read(site, _as_given(site, theta))
        found = minimize(energy, site.system.positions, theta, fmax=fmax, max_steps=MAX_MINIMIZER_STEPS, throw=False)
        if found.status != MINIMUM:
            raise Rejected(found.message)
        return read(site, found)
    except Rejected as rejected:
        raise ComputationError(f"{site.name}: at the start: {rejected}") from None


def follow(site: Site, theta: Tree, before: Settled, change: Tree, shift: np.ndarray, *, fmax: float) -> Settled:
    """The site at θ, its minimum predicted to first order from that of the last accepted step.

    Args:
        before: with derivatives.
        change: θ minus θ before, a tree like θ.
        shift: the same for the parameters of the site, shape=(p,).

    Raises:
        Rejected: where there is no minimum in the same basin.
    """
    if not site.relaxed:
        return read(site, _as_given(site, theta))
    last = before.equilibrium
    predicted = last.x + _response(before, change, shift)
    found = minimize(
        energy_function(site.system),
        predicted,
        theta,
        fmax=fmax,
        max_steps=MAX_MINIMIZER_STEPS,
        curvature=False,
        throw=False,
    )
    if found.status != MINIMUM:
        raise Rejected(f"{site.name}: {found.message}")
    moved = np.asarray(found.x - predicted)
    if found.modes is not None:
        moved = np.asarray(without_zero_modes(found.modes, found.x, jnp.asarray(moved)))
    largest = float(np.max(np.linalg.norm(moved, axis=1), initial=0.0))
    if largest > BASIN * shortest_bond(last):
        raise Rejected(f"{site.name}: leaves its basin (an atom ends {largest:.2g} from where its response leads)")
    if not small(found):
        return replace(read(site, replace(found, spectrum=last.spectrum)), stale=True)
    found = with_spectrum(found)
    if found.spectrum is not None and not found.spectrum.stable:
        raise Rejected(f"{site.name}: the minimum has become a saddle (curvature {found.spectrum.lowest:.3g})")
    return read(site, found)


def small(equilibrium: Equilibrium) -> bool:
    """Whether all eigenvalues of the Hessian cost little beside a minimization."""
    return int(np.size(equilibrium.x)) <= SMALL


def refreshed(settled: Settled) -> Settled:
    """With the spectrum of this θ."""
    return replace(settled, equilibrium=with_spectrum(settled.equilibrium), stale=False)


def with_spectrum(equilibrium: Equilibrium) -> Equilibrium:
    """The equilibrium with the lower end of its spectrum."""
    e, x, theta = equilibrium.energy, equilibrium.x, equilibrium.theta
    found = spectrum(e, x, theta, equilibrium.modes, equilibrium.zero_modes)
    return replace(equilibrium, spectrum=found, zero_modes=equilibrium.zero_modes + found.floppy)


def _response(before: Settled, change: Tree, shift: np.ndarray) -> jax.Array:
    """First-order displacement of the minimum."""
    if len(shift) == 0:
        return jnp.zeros_like(before.equilibrium.x)
    if before.parts is not None and before.parts.mode == FORWARD:
        return jnp.tensordot(jnp.asarray(shift), before.parts.response.value, axes=1)
    return equilibrium_jvp(before.equilibrium, change, throw=False).value


def _as_given(site: Site, theta: Tree) -> Equilibrium:
    """The given geometry in the form of an equilibrium, which observables are bound to."""
    x = site.system.positions
    energy = energy_function(site.system).updated(x, theta)
    modes = zero_modes(energy, x, theta)
    return Equilibrium(
        x=x,
        theta=theta,
        energy=energy,
        value=float("nan"),
        max_force=0.0,
        status="given",
        message="positions as given",
        steps=0,
        force_evaluations=0,
        hessian_products=0,
        minimizer="none",
        modes=modes,
        zero_modes=0 if modes is None else count_zero_modes(modes, x),
        rattlers=0,
        spectrum=None,
    )


def read(site: Site, equilibrium: Equilibrium) -> Settled:
    """Values of all that is asked."""
    try:
        bound = tuple(request.bind(equilibrium) for request in site.requests)
    except UsageError as error:
        raise UsageError(f"{site.name}: {error}") from None
    values = evaluate(bound, equilibrium.energy, equilibrium.x, equilibrium.theta)
    for each, value in zip(bound, values, strict=True):
        if not np.all(np.isfinite(value)):
            raise Rejected(f"{site.name}: {each.name} is not finite; atoms overlap")
        reason = each.kind.undefined(value)
        if reason:
            raise Rejected(f"{site.name}: {reason}")
    return Settled(equilibrium=equilibrium, bound=bound, values=values)


def differentiated(site: Site, settled: Settled) -> Settled:
    """The same with derivatives, by the implicit function theorem where it is relaxed.

    Raises:
        Rejected: where a derivative does not exist, or the minimum has become a saddle.
        ConvergenceError, NotAMinimumError: where a linear solve failed.
    """
    if settled.derivatives:
        return settled
    equilibrium = settled.equilibrium
    if len(site.columns) == 0 or site.directions is None:
        return replace(settled, derivatives=tuple(np.zeros((0, *value.shape)) for value in settled.values))
    if not site.relaxed:
        directly = _direct(settled.bound, equilibrium.energy, equilibrium.x, equilibrium.theta, site.directions.tree)
        return replace(settled, derivatives=tuple(np.asarray(d) for d in directly))
    for name, lost in zip(site.parameters, touching(losing_zero_modes(equilibrium), site.directions), strict=True):
        if lost:
            raise Rejected(f"{site.name}: {no_derivative(name)}; start from another value, or fix it")
    components = sum(value.size for value in settled.values)
    mode = choose_mode("auto", len(site.columns), components, positions=False)
    found = parts(settled.bound, equilibrium, site.directions, mode=mode, throw=not settled.stale)
    if settled.stale and not np.all(found.response.residual <= PRECISE):
        settled = refreshed(settled)
        if settled.equilibrium.spectrum is not None and not settled.equilibrium.spectrum.stable:
            raise Rejected(f"{site.name}: the minimum has become a saddle (curvature {settled.equilibrium.spectrum.lowest:.3g})")
        found = parts(settled.bound, settled.equilibrium, site.directions, mode=mode)
    total = tuple(a + b for a, b in zip(found.direct, found.relaxation, strict=True))
    return replace(settled, parts=found, derivatives=total)


@jax.jit
def _direct(bound: tuple[BoundObservable, ...], energy: Any, x: jax.Array, theta: Tree, directions: Tree) -> tuple[jax.Array, ...]:
    """Derivatives at fixed positions along each direction."""

    def along(direction: Tree) -> tuple[jax.Array, ...]:
        return jax.jvp(lambda t: tuple(jnp.asarray(o(energy, x, t)) for o in bound), (theta,), (direction,))[1]

    return in_batches(along, directions, 8)
