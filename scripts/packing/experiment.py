"""One packing: minimized, differentiated in every way, and judged."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from md_sensitivity.analysis.differences import Difference, Direction, check, kink_distance
from md_sensitivity.analysis.spotcheck import rebuilder
from md_sensitivity.building import build_system
from md_sensitivity.errors import ComputationError
from md_sensitivity.implicit import Response, equilibrium_jacobian, equilibrium_jvp, equilibrium_vjp
from md_sensitivity.minimization import Equilibrium, minimize
from md_sensitivity.minimization.equilibrium import MINIMUM
from md_sensitivity.system import EnergyFunction, System, energy_function
from md_sensitivity.types import Structure
from packing.records import (
    DifferenceRecord,
    ImplicitRecord,
    MinimumRecord,
    ModesRecord,
    PauseRecord,
    SeedRecord,
    UnrolledRecord,
    norms_of,
)
from packing.setup import LABEL, Setup
from packing.unrolled import STOPS, Unrolled, unroll

FMAX = 1e-10
"""Largest force component at a minimum; the polish goes on to a hundredth of it."""
DIFFERENCE_TOLERANCE = 1e-6
"""Largest relative discrepancy between implicit derivatives and re-minimized differences."""
LINEAR_TOLERANCE = 1e-8
"""Largest relative residual, and largest relative discrepancy of CG with BiCGSTAB and of forward with adjoint mode."""
SAME_MINIMUM = 1e-3
"""Farthest that a disc of the backbone may move from where FIRE stopped to count as the same minimum."""
AGREES = 1e-3
"""Relative discrepancy up to which an unrolled derivative is called right."""
ROWS = 4
"""Coordinates whose adjoint row is compared with the forward derivative; with the random cotangent as many solves as `_forward` makes,
so that both share one program."""

CERTIFIED, FLAGGED, CONTRADICTED = "certified", "flagged", "contradicted"


@dataclass(frozen=True, kw_only=True, eq=False)
class Packing:
    """Outcome of one seed.

    Attributes:
        record: plain data for JSON.
        positions: of the minimum, shape=(n, 2); None where there is none.
        response: dx*/dθ by CG, shape=(n, 2); None where there is none.
        rattlers: which discs are rattlers, shape=(n,).
    """

    record: SeedRecord
    positions: np.ndarray | None
    response: np.ndarray | None
    rattlers: np.ndarray | None


def run_seed(setup: Setup, seed: int, *, unrolled: bool, report: Callable[[str], None] = lambda stage: None) -> Packing:
    """All of the experiment for one random start."""
    clock = _Clock()
    structure = setup.structure(seed, setup.start(seed))
    # Padded, so that all seeds share compiled programs, however many rattlers they have; padding comes after the discs.
    system = build_system(structure, setup.force_field, dimensions=2, padded=True)
    report("minimize")
    equilibrium = _minimized(setup, system, system.positions)
    clock.lap("minimize_s")
    implicit, modes, differences, response = None, None, None, None
    reason = _not_jammed(equilibrium)
    if not reason:
        report("differentiate")
        try:
            response, implicit = _implicit(equilibrium, setup)
            modes = _modes(equilibrium, setup, response, seed)
            clock.lap("differentiate_s")
            report("differences")
            differences = _differences(equilibrium, setup, structure, response)
            clock.lap("differences_s")
        except ComputationError as error:
            reason = str(error)
    status, reason = (FLAGGED, reason) if reason else _judged(implicit, modes, differences)
    through = None
    if unrolled:
        report("unroll")
        through = _unrolled(setup, system, seed)
        clock.lap("unrolled_s")
    record = SeedRecord(
        seed=seed,
        status=status,
        reason=reason,
        minimum=_minimum(equilibrium),
        implicit=implicit,
        modes=modes,
        differences=differences,
        norms=None if response is None else norms_of(response),
        unrolled=through,
        timings=clock.laps,
    )
    settled = equilibrium.status == MINIMUM
    return Packing(
        record=record,
        positions=_planar(equilibrium, equilibrium.x) if settled else None,
        response=response,
        rattlers=rattlers_of(equilibrium) if settled else None,
    )


class _Clock:
    """Seconds between laps."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = now - self._last
        self._last = now


def _minimized(setup: Setup, system: System, start: jax.Array) -> Equilibrium:
    return minimize(energy_function(system), start, setup.force_field.parameters, fmax=FMAX, throw=False)


def rattlers_of(equilibrium: Equilibrium) -> np.ndarray:
    """Discs that nothing holds in place: those outside the largest fragment, shape=(n,)."""
    assert equilibrium.modes is not None
    labels = np.asarray(equilibrium.modes.fragment)[: _discs(equilibrium)]
    sizes = np.bincount(labels)
    return labels != np.argmax(sizes) if sizes.max() > 1 else np.ones(len(labels), dtype=bool)


def _discs(equilibrium: Equilibrium) -> int:
    """Number of discs, without padding."""
    assert isinstance(equilibrium.energy, EnergyFunction) and equilibrium.energy.system.atoms is not None
    return int(equilibrium.energy.system.atoms)


def _not_jammed(equilibrium: Equilibrium) -> str:
    """Why there is nothing to differentiate; empty where there is a packing."""
    if equilibrium.status != MINIMUM:
        return equilibrium.message
    if equilibrium.spectrum is None or equilibrium.spectrum.lowest is None:
        return "not jammed: no disc is held in place, so that every motion costs nothing and no derivative is defined"
    return ""


def _minimum(equilibrium: Equilibrium) -> MinimumRecord:
    spectrum = equilibrium.spectrum
    finite = bool(np.isfinite(equilibrium.value) and np.isfinite(equilibrium.max_force))
    settled = equilibrium.status == MINIMUM
    return MinimumRecord(
        status=equilibrium.status,
        message=equilibrium.message,
        energy=equilibrium.value if finite else None,
        max_force=equilibrium.max_force if finite else None,
        lowest_eigenvalue=None if spectrum is None else spectrum.lowest,
        zero_modes=equilibrium.zero_modes,
        rattlers=[int(i) for i in np.flatnonzero(rattlers_of(equilibrium))] if settled else [],
        kink_distance=kink_distance(equilibrium) if settled else None,
        steps=equilibrium.steps,
        force_evaluations=equilibrium.force_evaluations,
    )


def _planar(equilibrium: Equilibrium, tree: Any) -> np.ndarray:
    """In-plane components of the discs, of an array like x with or without a leading axis."""
    return np.asarray(tree)[..., : _discs(equilibrium), :2]


def _like_x(equilibrium: Equilibrium, planar: np.ndarray) -> np.ndarray:
    """The opposite: an array of shape=(…, n, 2) filled up with zeros to be one like x."""
    ends = [(0, 0)] * (planar.ndim - 2)
    return np.pad(planar, [*ends, (0, len(equilibrium.x) - planar.shape[-2]), (0, 1)])


def _forward(equilibrium: Equilibrium, setup: Setup) -> tuple[np.ndarray, Response]:
    """dx*/dθ by CG, and the responses to each single parameter, shape=(5, n, 2): diameters of A and B, strengths of A and B."""
    labels = setup.direction[LABEL]
    single = [{name: np.eye(2)[k] * (name == changed) for name in labels} for changed in ("sigma", "epsilon") for k in range(2)]
    stacked = {LABEL: {name: np.stack([labels[name], *(tree[name] for tree in single)]) for name in labels}}
    found = equilibrium_jacobian(equilibrium, stacked, solver="cg")
    return _planar(equilibrium, found.value), found


def _implicit(equilibrium: Equilibrium, setup: Setup) -> tuple[np.ndarray, ImplicitRecord]:
    """dx*/dθ by CG, shape=(n, 2), how BiCGSTAB compares, and how well the identities of scaling hold."""
    responses, cg = _forward(equilibrium, setup)
    other = equilibrium_jvp(equilibrium, setup.direction, solver="bicgstab")
    first, second = responses[0], _planar(equilibrium, other.value)
    strengths = setup.force_field.parameters[LABEL]["epsilon"]
    # All strengths together scale the energy and move nothing; θ is the sum of its parts.
    scaling = np.tensordot(strengths, responses[3:], axes=1)
    parts = np.tensordot(setup.diameters_dot, responses[1:3], axes=1) - first
    return first, ImplicitRecord(
        cg_residual=float(cg.residual.max()),
        cg_iterations=cg.iterations,
        cg_l1=float(np.abs(first).sum()),
        bicgstab_residual=float(other.residual[0]),
        bicgstab_l1=float(np.abs(second).sum()),
        discrepancy=float(np.linalg.norm(first - second) / np.linalg.norm(first)),
        identity_error=float(max(np.linalg.norm(scaling) / setup.diameter, np.linalg.norm(parts)) / np.linalg.norm(first)),
    )


def _modes(equilibrium: Equilibrium, setup: Setup, response: np.ndarray, seed: int) -> ModesRecord:
    """Forward against adjoint: ⟨v, J u⟩ = ⟨Jᵀ v, u⟩ for a random v, and single adjoint rows against dx*/dθ."""
    random = np.random.default_rng(seed).normal(size=response.shape)
    order = np.argsort(-np.abs(response), axis=None)
    chosen = order[np.linspace(0, len(order) // 2, ROWS).astype(int)]
    cotangents = np.concatenate([random[None], np.eye(response.size)[chosen].reshape(-1, *response.shape)])
    adjoint = equilibrium_vjp(equilibrium, jnp.asarray(_like_x(equilibrium, cotangents)), solver="cg")
    products = jax.tree.map(lambda g, d: np.tensordot(np.asarray(g), np.asarray(d), axes=np.ndim(d)), adjoint.value, setup.direction)
    along = sum(jax.tree.leaves(products))
    forward = np.concatenate([[np.sum(random * response)], response.ravel()[chosen]])
    size = np.linalg.norm(response)
    return ModesRecord(
        identity_error=float(abs(along[0] - forward[0]) / (np.linalg.norm(random) * size)),
        row_error=float(np.abs(along[1:] - forward[1:]).max() / np.abs(response).max()),
        adjoint_residual=float(adjoint.residual.max()),
    )


def _differences(equilibrium: Equilibrium, setup: Setup, structure: Structure, response: np.ndarray) -> DifferenceRecord:
    """dx*/dθ against re-minimized differences of a force field that is written, read and bound anew."""
    direction = Direction(
        name="diameter",
        tree=setup.direction,
        size=float(np.max(np.abs(setup.diameters_dot) / np.array([1.0, setup.diameter]))),
        one_sided=False,
        response=_like_x(equilibrium, response),
        totals=(),
    )
    found: Difference = check(equilibrium, direction, (), rebuilder(structure, setup.force_field, equilibrium, 2))
    return DifferenceRecord(relative_error=found.relative_error, own_error=found.own_error, step=found.step, reason=found.reason)


def _judged(implicit: ImplicitRecord | None, modes: ModesRecord | None, differences: DifferenceRecord | None) -> tuple[str, str]:
    """Status of a seed whose derivative was computed, and the reason where it is not certified."""
    assert implicit is not None and modes is not None and differences is not None
    linear = {
        "residual of CG": implicit.cg_residual,
        "residual of BiCGSTAB": implicit.bicgstab_residual,
        "discrepancy of CG and BiCGSTAB": implicit.discrepancy,
        "violation of the scaling identities": implicit.identity_error,
        "discrepancy of ⟨v, J u⟩ and ⟨Jᵀ v, u⟩": modes.identity_error,
        "discrepancy of adjoint rows": modes.row_error,
    }
    for name, value in linear.items():
        if not value <= LINEAR_TOLERANCE:
            return CONTRADICTED, f"{name} is {value:.2g}"
    if differences.relative_error is None:
        return FLAGGED, f"no differences to compare with: {differences.reason}"
    if not differences.relative_error <= DIFFERENCE_TOLERANCE:
        if differences.own_error is not None and differences.own_error > 0.1 * DIFFERENCE_TOLERANCE:
            return FLAGGED, f"the differences are exact to {differences.own_error:.1g} only (discrepancy {differences.relative_error:.2g})"
        return CONTRADICTED, f"differs by {differences.relative_error:.2g} from re-minimized differences"
    return CERTIFIED, ""


def _unrolled(setup: Setup, system: System, seed: int) -> UnrolledRecord:
    """The derivative through FIRE against the implicit one at the minimum that FIRE found."""
    through = unroll(setup, setup.start(seed), STOPS)
    finite = bool(np.all(np.isfinite(through.tangent)))
    reason, there, rattlers = "", None, np.zeros(setup.particles, dtype=bool)
    if not through.converged:
        reason = f"FIRE stopped at a largest force component of {through.pauses[-1].force:.2g} after {through.pauses[-1].steps} steps"
    else:
        there, rattlers, reason = _implicit_at(setup, system, through)
    if not finite:
        reason = "; ".join(filter(None, ["the derivative is not finite", reason]))
    size = float(np.abs(through.tangent).sum())
    return UnrolledRecord(
        l1=size if np.isfinite(size) else None,
        implicit_l1=None if there is None else float(np.abs(there).sum()),
        relative_error=_discrepancy(through.tangent, there, rattlers, everywhere=True),
        agrees=_agrees(_discrepancy(through.tangent, there, rattlers, everywhere=True)),
        backbone_relative_error=_discrepancy(through.tangent, there, rattlers, everywhere=False),
        backbone_agrees=_agrees(_discrepancy(through.tangent, there, rattlers, everywhere=False)),
        rattlers=int(rattlers.sum()),
        rattlers_l1=float(np.abs(through.tangent[rattlers]).sum()) if finite and there is not None else None,
        steps=through.pauses[-1].steps,
        max_force=through.pauses[-1].force,
        peak_l1=through.peak if np.isfinite(through.peak) else None,
        peak_step=through.peak_step,
        velocity_resets=through.resets,
        pauses=[
            PauseRecord(
                threshold=pause.threshold,
                steps=pause.steps,
                relative_error=_discrepancy(pause.tangent, there, rattlers, everywhere=True),
                backbone_relative_error=_discrepancy(pause.tangent, there, rattlers, everywhere=False),
            )
            for pause in through.pauses
        ],
        reason=reason,
    )


def _implicit_at(setup: Setup, system: System, through: Unrolled) -> tuple[np.ndarray | None, np.ndarray, str]:
    """The implicit derivative where FIRE stopped, the rattlers there, and why there is none."""
    start = np.asarray(system.positions).copy()
    start[: setup.particles, :2] = through.positions
    equilibrium = _minimized(setup, system, jnp.asarray(start))
    reason = _not_jammed(equilibrium)
    if reason:
        return None, np.zeros(setup.particles, dtype=bool), reason
    rattlers = rattlers_of(equilibrium)
    moved = np.abs(_planar(equilibrium, equilibrium.x) - through.positions)[~rattlers].max()
    if moved > SAME_MINIMUM:
        return None, rattlers, f"FIRE stopped where there is no minimum: discs moved on by {moved:.2g}"
    try:
        found, _ = _forward(equilibrium, setup)
    except ComputationError as error:
        return None, rattlers, str(error)
    return found[0], rattlers, ""


def _agrees(error: float | None) -> bool:
    return error is not None and error <= AGREES


def _discrepancy(tangent: np.ndarray, implicit: np.ndarray | None, rattlers: np.ndarray, *, everywhere: bool) -> float | None:
    """Relative discrepancy, with the mean motion of the backbone removed from both; None where there is nothing to compare."""
    if implicit is None or not np.all(np.isfinite(tangent)):
        return None
    backbone = ~rattlers
    difference = tangent - tangent[backbone].mean(axis=0) - (implicit - implicit[backbone].mean(axis=0))
    chosen = np.ones_like(backbone) if everywhere else backbone
    return float(np.linalg.norm(difference[chosen]) / np.linalg.norm(implicit[chosen]))


def count(packings: Sequence[Packing], status: str) -> int:
    """Number of packings of a status."""
    return sum(packing.record.status == status for packing in packings)
