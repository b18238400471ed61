"""x*(θ): stages of minimizers, a stable set of contacts, a Newton polish, and the judgment of what was found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from md_sensitivity.curvature.operators import worth_storing
from md_sensitivity.curvature.products import force_residual
from md_sensitivity.curvature.spectrum import DENSE_LIMIT, Spectrum, spectrum
from md_sensitivity.curvature.zero_modes import ZeroModes, count_zero_modes, zero_modes
from md_sensitivity.energy import Energy, Frame, PyTree, as_energy
from md_sensitivity.errors import ComputationError, ConvergenceError, NotAMinimumError
from md_sensitivity.minimization.base import Method, Minimizer, State
from md_sensitivity.minimization.chord import Stored, chord_steps, stored_at, stored_chord_steps
from md_sensitivity.minimization.equilibrium import FAILED, MINIMUM, NOT_A_MINIMUM, UNCONVERGED, Equilibrium
from md_sensitivity.minimization.fire import FIRE
from md_sensitivity.minimization.lbfgs import LBFGS
from md_sensitivity.minimization.loop import limits_of, renewed, run_stage
from md_sensitivity.minimization.newton import NEWTON
from md_sensitivity.progress import Fall

HANDOVER = 2e-3
"""A stage hands over to the next when its steps have become this short [Å]."""
POLISH = 1e-2
"""The last stage aims at this fraction of the asked force, because the error of the derivative follows the force residual."""
_NEWTON_STEPS = 40
"""Steps within which Newton's method converges from a good start; beyond them another method goes on first."""
_FALLBACKS = (LBFGS, FIRE)
"""Methods that go on, to the end, where Newton's method stalled."""
_COLLAPSE = 1e3
"""A force that has grown by this factor, and beyond it [eV/Å], belongs to atoms that fall into each other."""
_SOFT = 1e-6
"""A curvature smaller than this, relative to the largest, is no zero, but nearly."""
_ESCAPES = 3
_ESCAPE_MOVE = 0.05
"""Length of the push off a saddle along its negative mode, largest coordinate [Å]."""

Report = Callable[[str, float | None], None]
"""(phrase, share of the work that is done or None) → nothing."""


class _Point(NamedTuple):
    energy: Energy
    x: PyTree
    state: State


@dataclass(frozen=True, kw_only=True)
class _Task:
    energy: Energy
    start: PyTree
    theta: PyTree
    minimizer: Minimizer
    fmax: float
    max_steps: int
    report: Report | None
    fall: Fall


def minimize(
    energy: Callable[..., jax.Array],
    x: PyTree,
    theta: PyTree,
    *,
    fmax: float = 1e-8,
    max_steps: int = 20000,
    minimizer: str = "lbfgs+newton",
    curvature: bool = True,
    rigid: bool = False,
    throw: bool = True,
    report: Report | None = None,
) -> Equilibrium:
    """Minimize E(x, θ) over x.

    Args:
        energy: an energy function of a system, or any pure function E(x, θ) → scalar.
        x: start, positions of shape=(n, 3) [Å] or any tree of arrays.
        theta: parameters, any tree.
        fmax: largest component of the force at the minimum [eV/Å]; the polish goes on to a hundredth of it where float64 allows.
        max_steps: counts every step, the polish included.
        minimizer: name in `MINIMIZERS`.
        curvature: whether to compute the lowest eigenvalue of the Hessian, leave saddle points along it, and judge by it.
        rigid: for a plain function of positions: whether rigid motions leave E unchanged.
        throw: raise unless the result is a minimum; otherwise its `status` says what it is.
        report: called from time to time with a phrase, and how much is done: how far the largest force has fallen towards its goal, on a
            logarithmic scale; None where nobody can tell.

    Returns:
        The equilibrium, with status and evidence.

    Raises:
        ConvergenceError: where the force stays above `fmax`.
        NotAMinimumError: where the stationary point has a negative curvature.
        ComputationError: where the energy is not finite.
        PrecisionError: where JAX works in single precision.
    """
    from md_sensitivity.minimization import MINIMIZERS

    function = as_energy(energy, rigid=rigid)
    start = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype=jnp.float64), x)
    if function.fallen(start, theta):
        max_steps = 0  # nothing that follows could be a minimum; `_status` says why
    task = _Task(
        energy=function,
        start=start,
        theta=theta,
        minimizer=MINIMIZERS.find(minimizer),
        fmax=fmax,
        max_steps=max_steps,
        report=report,
        fall=Fall(goal=POLISH * fmax),
    )
    point = _descend(task, function, start, None)
    notes: list[str] = []
    found: Spectrum | None = None
    for escape in range(_ESCAPES + 1):
        if _finite(point):
            energy, at = point.energy.recentered(point.x)
            point = point._replace(energy=energy.tightened(at, theta), x=at)
        modes, rigid_count = _rigid(point, theta)
        if not curvature or not _converged(task, point):
            break
        found = spectrum(point.energy, point.x, theta, modes, rigid_count, report=None if report is None else partial(report, "curvature"))
        if found.stable or escape == _ESCAPES:
            break
        notes.append(f"left a saddle point along its mode of curvature {found.lowest:.3g}")
        point = _descend(task, function.beside(point.energy), _pushed(point, theta, found), point.state)
    result = _judged(task, point, modes, rigid_count, found, tuple(notes))
    if throw:
        raise_unless_minimum(result)
    return result


def polish(
    equilibrium: Equilibrium, energy: Energy, theta: PyTree, *, goal: float, stored: Stored | None = None, max_steps: int = 50
) -> Equilibrium:
    """The equilibrium of nearby parameters (or of a rebuilt energy) by Newton steps from x*, in the same basin; no curvature is computed.

    Args:
        goal: largest component of the gradient to aim at [eV/Å].
        stored: the Hessian at x* from `stored_of`; it spares most Newton steps where eigenvectors are not known.
    """
    x = equilibrium.x
    energy = energy.updated(x, theta)
    modes = zero_modes(energy, x, theta)
    known, steps, products = equilibrium.spectrum, 0, 0
    if known is not None and known.eigenvectors is not None:
        x, steps, products = chord_steps(energy, x, theta, modes, np.asarray(known.eigenvalues), known.eigenvectors, np.float64(goal))
    elif stored is not None:
        x, steps, products = stored_chord_steps(energy, x, theta, modes, stored, np.float64(goal))
    if x is not equilibrium.x:
        # What chord steps reach is close to rounding; Newton steps go on only where they do not get there.
        goal = max(goal, 1e-2 * equilibrium.max_force)
    energy, x, state = run_stage(energy, x, theta, modes, None, limits_of(goal, -1.0, max_steps), NEWTON)
    return replace(
        equilibrium,
        x=x,
        theta=theta,
        energy=energy,
        value=float(state.energy),
        max_force=_largest(state),
        steps=int(steps) + int(state.steps),
        force_evaluations=int(steps) + int(state.evaluations),
        hessian_products=int(products) + int(state.products),
        spectrum=None,
    )


def raise_unless_minimum(result: Equilibrium) -> None:
    """Raises the error that fits the status."""
    if result.status == UNCONVERGED:
        raise ConvergenceError(result.message)
    if result.status == NOT_A_MINIMUM:
        raise NotAMinimumError(result.message)
    if result.status == FAILED:
        raise ComputationError(result.message)


def _descend(task: _Task, energy: Energy, x: PyTree, before: State | None) -> _Point:
    """All stages; again without early handover, then with FIRE, where Newton's method stalls; then a stable set of contacts."""
    *early, last = task.minimizer.stages
    point = _Point(energy, x, before)  # type: ignore[arg-type]
    if last is not NEWTON:
        point = _stage(task, point, last, goal=task.fmax, handover=-1.0)
    else:
        point = _stages(task, point, early, HANDOVER)
        for fallback in _FALLBACKS if early else ():
            if not _wants_more(task, point):
                break
            # Energies with kinks (contacts that open and close) defeat Newton's model until the contacts have settled.
            point = _stages(task, point, (fallback,), -1.0)
    if not _converged(task, point):
        return point
    fresh = renewed(point.energy, point.x, task.theta)
    stable = fresh.stabilized(point.x, task.theta)
    goal = task.fmax * POLISH if last is NEWTON else task.fmax
    if stable is fresh and _largest(point.state) <= goal:
        return point
    if stable is not fresh and _squeezed(task, point, stable):
        stable = fresh
    return _stage(task, point._replace(energy=stable), last, goal=goal, handover=-1.0)


def _squeezed(task: _Task, point: _Point, stable: Energy) -> bool:
    """Whether contacts that were taken for those of rattlers carry forces, which balance only on a saddle."""
    lost = float(point.state.energy) - float(stable(point.x, task.theta))
    return lost > task.fmax * sum(leaf.size for leaf in jax.tree.leaves(point.x))


def _stages(task: _Task, point: _Point, early: Sequence[Method], handover: float) -> _Point:
    """Methods that lead near the minimum, then a limited number of Newton steps."""
    for method in early:
        # In its metric L-BFGS goes on to the end; Newton's linear solves would crawl.
        alone = method.takes_metric and point.energy.stiff
        point = _stage(task, point, method, goal=task.fmax * POLISH, handover=-1.0 if alone else handover)
        if not _finite(point) or (alone and _largest(point.state) <= task.fmax * POLISH):
            return point
    return _stage(task, point, NEWTON, goal=task.fmax * POLISH, handover=-1.0, steps=_NEWTON_STEPS if early else None)


def _stage(task: _Task, point: _Point, method: Method, *, goal: float, handover: float, steps: int | None = None) -> _Point:
    if task.report is not None:
        task.report(method.name, task.fall.share)
    done = 0 if point.state is None else int(point.state.steps)
    most = task.max_steps if steps is None else min(task.max_steps, done + steps)
    modes = None
    energy, start = point.energy.recentered(point.x)
    point = point._replace(energy=energy, x=start)
    if method is NEWTON:
        energy = renewed(energy, point.x, task.theta)
        modes = zero_modes(energy, point.x, task.theta)
        point = _near(task, point._replace(energy=energy), modes, goal)
    watch = None if task.report is None else partial(_watched, task, task.report, method)
    return _Point(*run_stage(energy, point.x, task.theta, modes, point.state, limits_of(goal, handover, most), method, watch))


def _near(task: _Task, point: _Point, modes: ZeroModes | None, goal: float) -> _Point:
    """Where Newton's method begins: after chord steps, for large systems whose Hessian only a concrete geometry can store.

    Newton's own steps take one Hessian each, within compiled code; there many-body forms have no stored one, and products cost 80 times as
    much (docs/architecture.md).
    """
    size = sum(leaf.size for leaf in jax.tree.leaves(point.x))
    if point.state is None or size <= DENSE_LIMIT or worth_storing(point.energy, point.x, task.theta):
        return point
    stored = stored_at(point.energy, point.x, task.theta)
    if stored is None:
        return point
    x, steps, products = stored_chord_steps(point.energy, point.x, task.theta, modes, stored, np.float64(goal))
    state = point.state
    return point._replace(
        x=x, state=state._replace(steps=state.steps + steps, evaluations=state.evaluations + steps, products=state.products + products)
    )


def _watched(task: _Task, report: Report, method: Method, state: State) -> None:
    """Tell who listens how far the largest force has fallen."""
    force = _largest(state)
    report(f"{method.name}, step {int(state.steps)}, force {force:.1e}", task.fall.to(force))


def _finite(point: _Point) -> bool:
    return bool(np.isfinite(float(point.state.energy))) and bool(np.all(np.isfinite(np.asarray(point.state.gradient))))


def _wants_more(task: _Task, point: _Point) -> bool:
    return _finite(point) and not _converged(task, point) and int(point.state.steps) < task.max_steps


def _largest(state: State) -> float:
    """Largest component of the gradient [eV/Å]."""
    return float(np.max(np.abs(np.asarray(state.gradient)), initial=0.0))


def _converged(task: _Task, point: _Point) -> bool:
    return _largest(point.state) <= task.fmax


def _rigid(point: _Point, theta: PyTree) -> tuple[ZeroModes | None, int]:
    if not all(np.all(np.isfinite(np.asarray(leaf))) for leaf in jax.tree.leaves(point.x)):
        return None, 0
    modes = zero_modes(point.energy, point.x, theta)
    return modes, count_zero_modes(modes, point.x)


def _pushed(point: _Point, theta: PyTree, found: Spectrum) -> PyTree:
    """x moved along the negative mode, to the lower side."""
    longest = max(float(np.max(np.abs(leaf), initial=0.0)) for leaf in jax.tree.leaves(found.mode))
    step = _ESCAPE_MOVE / longest
    sides = [jax.tree.map(lambda leaf, m, s=sign * step: np.asarray(leaf) + s * m, point.x, found.mode) for sign in (1.0, -1.0)]
    energies = [float(point.energy.updated(side, theta)(side, theta)) for side in sides]
    return sides[0] if energies[0] <= energies[1] else sides[1]


def _judged(
    task: _Task, point: _Point, modes: ZeroModes | None, rigid_count: int, found: Spectrum | None, notes: tuple[str, ...]
) -> Equilibrium:
    """The equilibrium with its status."""
    max_force = _largest(point.state)
    status, message = _status(task, point, max_force, found)
    floppy = 0 if found is None else found.floppy
    if floppy:
        notes = (*notes, f"{floppy} motions besides the rigid ones cost no energy; the response along them is set to zero")
    if found is not None and found.lowest is not None and 0 < found.lowest < _SOFT * found.largest:
        notes = (
            *notes,
            f"the softest motion has a curvature of {found.lowest:.3g}, {found.largest / found.lowest:.1g} times less than the stiffest: "
            "the Hessian is nearly singular, and the response along it is as uncertain as the error estimate says",
        )
    return Equilibrium(
        x=point.x,
        theta=task.theta,
        energy=point.energy,
        value=float(point.state.energy),
        max_force=max_force,
        status=status,
        message=message,
        steps=int(point.state.steps),
        force_evaluations=int(point.state.evaluations),
        hessian_products=int(point.state.products),
        minimizer=task.minimizer.name,
        modes=modes,
        zero_modes=rigid_count + floppy,
        rattlers=_rattlers(modes, point.energy.frame(point.x)),
        spectrum=found,
        notes=notes,
    )


def _status(task: _Task, point: _Point, max_force: float, found: Spectrum | None) -> tuple[str, str]:
    state = point.state
    if fallen := point.energy.fallen(point.x, task.theta):
        return FAILED, (
            f"{fallen}: the potential has no lower bound there, and this structure no equilibrium; move these atoms apart, check the "
            "units of the force field, or add a repulsion such as zbl"
        )
    if not np.isfinite(float(state.energy)) or not np.isfinite(max_force):
        return FAILED, (
            f"the energy is not finite after {int(state.steps)} steps: atoms overlap, or the potential has no lower bound for this "
            "structure; check the structure and the units of the force field"
        )
    if max_force > task.fmax and _collapsed(task, max_force):
        return FAILED, (
            f"the atoms fall into each other (largest force component {max_force:.3g} after {int(state.steps)} steps): the potential has "
            "no lower bound for this structure; check the structure and the units of the force field"
        )
    if max_force > task.fmax:
        reason = (
            f"reached max_steps = {task.max_steps}" if int(state.steps) >= task.max_steps else "no step lowers the energy any more"
        )
        return UNCONVERGED, (
            f"largest force component {max_force:.3g} is above fmax = {task.fmax:.3g} ({reason}); allow more steps, loosen fmax, or try "
            "another minimizer"
        )
    if found is not None and not found.stable:
        return NOT_A_MINIMUM, (
            f"the stationary point has a negative curvature of {found.lowest:.6g}: it is a saddle, and its response is not that of an "
            "equilibrium; move the atoms off it"
        )
    if found is not None and not found.converged:
        return UNCONVERGED, "the lowest eigenvalue of the Hessian did not converge, so that nothing shows this is a minimum"
    return MINIMUM, f"minimum reached in {int(state.steps)} steps"


def _collapsed(task: _Task, max_force: float) -> bool:
    """Whether the largest force is beyond all reason and far beyond that of the start."""
    if max_force <= _COLLAPSE:
        return False
    first = force_residual(task.energy.updated(task.start, task.theta), task.start, task.theta)
    return max_force > _COLLAPSE * float(first)


def _rattlers(modes: ZeroModes | None, frame: Frame | None) -> int:
    """Atoms that are a fragment of their own and may move."""
    if modes is None or frame is None:
        return 0
    labels = np.asarray(modes.fragment)[: None if frame.atoms is None else int(frame.atoms)]
    alone = np.bincount(labels)[labels] == 1
    return int(np.sum(alone & (np.asarray(modes.free)[: len(labels)] > 0).any(axis=1))) if len(labels) > 1 else 0
