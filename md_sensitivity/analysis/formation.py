"""One relaxed structure against others: how much of each reference it is made of, and derivatives through all relaxations.

An observable O(x, θ, b) measured from b(θ) = Σ c_k O_k(x_k*(θ), θ) has dO/dθ = [∂O/∂θ + ∂O/∂x dx*/dθ] + ∂O/∂b Σ c_k [∂O_k/∂θ +
∂O_k/∂x_k dx_k*/dθ]. What is asked of references are few numbers, each of which takes one adjoint solve for all parameters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import numpy as np

from md_sensitivity.analysis.certificate import Certificate, error_estimate
from md_sensitivity.analysis.composition import amounts, composition_of
from md_sensitivity.analysis.differences import Companion, kink_distance
from md_sensitivity.analysis.directions import Directions
from md_sensitivity.analysis.document import equilibrium_info, structure_info
from md_sensitivity.analysis.existence import losing_zero_modes, lost_zero_modes
from md_sensitivity.analysis.offsets import offset
from md_sensitivity.analysis.options import Options
from md_sensitivity.analysis.parameters import Selection
from md_sensitivity.analysis.plan import estimate, size_of
from md_sensitivity.analysis.relaxation import relaxed, solver_for, system_for
from md_sensitivity.analysis.result import ReferenceInfo
from md_sensitivity.analysis.sensitivity import ADJOINT, Parts, Sensitivity, as_sensitivity, parts
from md_sensitivity.analysis.spotcheck import rebuilder
from md_sensitivity.compilation import program
from md_sensitivity.energy import PyTree
from md_sensitivity.errors import ComputationError, InputError, UsageError
from md_sensitivity.files import shown
from md_sensitivity.footprint import require_memory
from md_sensitivity.forcefields import ForceField
from md_sensitivity.implicit.equilibrium import ROUNDING, Response
from md_sensitivity.minimization import Equilibrium
from md_sensitivity.minimization.equilibrium import FAILED, MINIMUM
from md_sensitivity.observables import BoundObservable, Observable, observable
from md_sensitivity.observables.base import OFFSET, system_of
from md_sensitivity.observables.formation import BINDING_ENERGY, FORMATION_VOLUME
from md_sensitivity.progress import SILENT, Progress
from md_sensitivity.system import System
from md_sensitivity.types import Structure

DEFAULT = "formation_energy"
"""What is reported where references are given and no observable is asked for."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Reference:
    """A relaxed reference.

    Attributes:
        options: under which it relaxed.
    """

    structure: Structure
    system: System
    equilibrium: Equilibrium
    options: Options

    @property
    def name(self) -> str:
        """For messages."""
        return reference_name(self.structure)


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """The references of one structure, and how much of each it is made of; both are empty for observables of one structure."""

    references: tuple[Reference, ...] = ()
    coefficients: tuple[float, ...] = ()

    @property
    def structures(self) -> tuple[Structure, ...]:
        """As read."""
        return tuple(reference.structure for reference in self.references)

    @property
    def equilibria(self) -> tuple[Equilibrium, ...]:
        """Relaxed."""
        return tuple(reference.equilibrium for reference in self.references)

    @property
    def weighted(self) -> tuple[tuple[Equilibrium, float], ...]:
        """Relaxed, and how often each counts."""
        return tuple(zip(self.equilibria, self.coefficients, strict=True))

    def asked(self, spec: str, structure: Structure) -> Observable:
        """The observable that a text names, measured from the references where it refers to some.

        Raises:
            UsageError: where it does not exist, or a reference has nothing of the kind.
        """
        found = observable(spec, structure)
        if found.kind.referred is None or not self.references:
            return found
        try:
            return replace(found, offset=offset(found.kind.referred, self.equilibria, self.coefficients))
        except UsageError as error:
            raise UsageError(f"observable {found.name}, of a reference: {error}") from None

    def companions(self, force_field: ForceField) -> tuple[Companion, ...]:
        """What re-minimized differences need of them."""
        return tuple(
            Companion(
                equilibrium=each.equilibrium,
                coefficient=coefficient,
                rebuild=rebuilder(each.structure, force_field, each.equilibrium, each.options.dimensions),
            )
            for each, coefficient in zip(self.references, self.coefficients, strict=True)
        )

    def status(self, equilibrium: Equilibrium) -> tuple[str, str]:
        """Status and message of an equilibrium with its references: that of a reference where it alone is no minimum."""
        bad = [each for each in self.references if each.equilibrium.status != MINIMUM]
        if equilibrium.status != MINIMUM or not bad:
            return equilibrium.status, equilibrium.message
        return bad[0].equilibrium.status, f"reference {bad[0].name}: {bad[0].equilibrium.message}"

    def lost(self, selection: Selection) -> dict[str, str]:
        """Parameters without a derivative because a reference has none."""
        found: dict[str, str] = {}
        for reference in self.references:
            lost = lost_zero_modes(reference.equilibrium, selection)
            found |= {name: f"reference {reference.name}: {reason}" for name, reason in lost.items()}
        return found

    def warnings(self, bound: Sequence[BoundObservable]) -> tuple[str, ...]:
        """What a person should know."""
        notes = []
        for reference in self.references:
            notes += [f"reference {reference.name}: {note}" for note in (*reference.structure.notes, *reference.equilibrium.notes)]
            if reference.equilibrium.status != MINIMUM:
                notes.append(f"reference {reference.name} is {reference.equilibrium.status}: {reference.equilibrium.message}")
        if any(each.kind is FORMATION_VOLUME for each in bound) and not all(each.options.relax_cell for each in self.references):
            notes.append("formation_volume: cells are fixed, and it is the difference of those in the files; relax them with --relax-cell")
        return tuple(notes)


class Planned(NamedTuple):
    """What references cost: memory [bytes] and time [s]; and what to say of them."""

    memory_bytes: int
    estimated_seconds: float
    notes: tuple[str, ...]


def reference_name(structure: Structure) -> str:
    """File or name of a reference."""
    return shown(structure.path) if structure.path else structure.name


def relaxed_references(
    structures: Sequence[Structure], force_field: ForceField, options: Options, progress: Progress = SILENT
) -> tuple[Reference, ...]:
    """Relax references as the options ask for; those without any periodic axis have no cell that could relax.

    Raises:
        InputError, UsageError: where a reference does not fit the force field or the options.
        ComputationError: where its minimization failed; another status is kept for the results to say.
        DeviceError: where it would not fit into memory.
    """
    found = []
    for structure in structures:
        name = reference_name(structure)
        progress.update(f"reference {name}", None)
        own = options_for(structure, options)
        try:
            structure = force_field.completed(structure)
            system = system_for(structure, force_field, own)
            require_memory(size_of(system, 2, own.solver), structure.size, name)
            equilibrium = relaxed(system, force_field, own, progress)
        except (InputError, UsageError) as error:
            raise type(error)(str(error) if name in str(error) else f"reference {name}: {error}") from None
        if equilibrium.status == FAILED:
            raise ComputationError(f"reference {name}: {equilibrium.message}")
        found.append(Reference(structure=structure, system=system, equilibrium=equilibrium, options=own))
    return tuple(found)


def options_for(structure: Structure, options: Options) -> Options:
    """The options for a reference."""
    open_space = not np.any(structure.pbc) and not options.pressure
    return replace(options, relax_cell="") if open_space else options


def made_of(
    structure: Structure, references: Sequence[Structure], force_field: ForceField, specs: Sequence[str]
) -> tuple[float, ...]:
    """How much of each reference a structure is made of.

    Args:
        specs: observables that are asked for.

    Raises:
        UsageError: where observables and references do not go together, or compositions leave no choice or more than one.
    """
    kinds = [kind for kind in (observable(spec).kind for spec in specs) if kind.referred is not None]
    if not references:
        if kinds:
            raise UsageError(f"observable {kinds[0].name} compares with other structures: name them with --reference")
        return ()
    if not kinds:
        raise UsageError("--reference is for observables that compare structures, such as formation_energy, and none is asked for")
    composition = composition_of(force_field, force_field.completed(structure))
    named = [(reference_name(each), composition_of(force_field, force_field.completed(each))) for each in references]
    found = {parts: amounts(composition, named, parts=parts) for parts in {kind is BINDING_ENERGY for kind in kinds}}
    return tuple(float(amount) for amount in next(iter(found.values())))


def compared(structure: Structure, references: Sequence[Reference], force_field: ForceField, specs: Sequence[str]) -> Comparison:
    """A structure's references with how much of each it is made of; see `made_of`."""
    coefficients = made_of(structure, [each.structure for each in references], force_field, specs)
    return Comparison(references=tuple(references), coefficients=coefficients)


def planned(
    references: Sequence[Structure], coefficients: Sequence[float], force_field: ForceField, options: Options, checks: int
) -> Planned:
    """What references add to a plan."""
    memory, seconds, notes = 0, 0.0, []
    for structure, coefficient in zip(references, coefficients, strict=True):
        system = system_for(force_field.completed(structure), force_field, options_for(structure, options))
        _, bytes_of, seconds_of = estimate(system, solves=1, checks=checks, solver=options.solver)
        memory, seconds = max(memory, bytes_of), seconds + seconds_of
        notes.append(f"{coefficient:.6g} × reference {reference_name(structure)} ({structure.size} atoms)")
    return Planned(memory, seconds, tuple(notes))


def reference_infos(comparison: Comparison) -> list[ReferenceInfo]:
    """The references as plain data."""
    return [
        ReferenceInfo(
            structure=structure_info(each.structure),
            coefficient=coefficient,
            status=each.equilibrium.status,
            message=each.equilibrium.message,
            equilibrium=equilibrium_info(each.equilibrium, each.system, each.options),
        )
        for each, coefficient in zip(comparison.references, comparison.coefficients, strict=True)
    ]


def with_references(
    found: Parts,
    bound: Sequence[BoundObservable],
    equilibrium: Equilibrium,
    references: Iterable[tuple[Equilibrium, float]],
    steps: Directions | None,
    options: Options,
) -> tuple[Parts, tuple[Response, ...]]:
    """Derivatives through all relaxations, from those through one; and the linear solves of the references.

    Args:
        found: derivatives of the bound observables at the equilibrium alone.
        references: their equilibria, and how often each counts.
        steps: directions of them; None for every number of θ.
        options: solver and Hessian.
    """
    places = [k for k, each in enumerate(bound) if each.kind.referred is not None]
    if not places:
        return found, ()
    kinds = tuple(dict.fromkeys(each.kind.referred for each in bound if each.kind.referred is not None))
    slopes = _slopes(tuple(bound[k] for k in places), equilibrium.energy, equilibrium.x, equilibrium.theta)
    direct, relaxation = list(found.direct), list(found.relaxation)
    added, responses = [np.zeros_like(each) for each in direct], []
    for other, coefficient in references:
        base = [Observable(kind=kind).bind(other) for kind in kinds]
        how = {"solver": solver_for(options, other), "hessian": options.hessian}
        theirs = parts(base, other, steps, mode=ADJOINT, throw=other.status == MINIMUM, **how)
        responses.append(theirs.response)
        for k, slope in zip(places, slopes, strict=True):
            row = kinds.index(bound[k].kind.referred)
            share = float(slope) * coefficient
            added[k] = added[k] + share * theirs.direct[row]
            relaxation[k] = relaxation[k] + share * theirs.relaxation[row]
    both = tuple(mine + others for mine, others in zip(direct, added, strict=True))
    return replace(found, direct=both, relaxation=tuple(relaxation), referred=tuple(added)), tuple(responses)


@program
def _slopes(observables: tuple[BoundObservable, ...], energy: Any, x: PyTree, theta: PyTree) -> tuple[jax.Array, ...]:
    """∂O/∂offset of each."""

    def at(each: BoundObservable, value: jax.Array) -> jax.Array:
        return replace(each, data={**each.data, OFFSET: value})(energy, x, theta)

    return tuple(jax.grad(lambda value, each=each: at(each, value))(each.data[OFFSET]) for each in observables)


def certified(certificate: Certificate, comparison: Comparison, responses: Sequence[Response]) -> Certificate:
    """A certificate that also stands for the references: of each number the worst."""
    for reference, response in zip(comparison.references, responses, strict=True):
        equilibrium = reference.equilibrium
        # What a perfect crystal has to be solved for is rounding, and has no relative residual.
        stiffness = 0.0 if equilibrium.spectrum is None else equilibrium.spectrum.largest
        real = response.rhs > ROUNDING * stiffness
        residuals = (certificate.relative_residual, float(np.max(response.residual[real], initial=0.0)))
        estimates = (certificate.error_estimate, error_estimate(equilibrium, response, np.ones(len(response.residual))))
        kinks = [kink for kink in (certificate.kink_distance, kink_distance(equilibrium)) if kink is not None]
        certificate = replace(
            certificate,
            relative_residual=max(0.0 if each is None else each for each in residuals),
            iterations=max(certificate.iterations, response.iterations),
            force_residual=max(certificate.force_residual, equilibrium.max_force),
            error_estimate=None if None in estimates else max(each for each in estimates if each is not None),
            kink_distance=min(kinks) if kinks else None,
        )
    return certificate


def formation(
    name: str,
    equilibrium: Equilibrium,
    references: Sequence[Equilibrium],
    coefficients: Sequence[float] | None = None,
    *,
    solver: str = "auto",
) -> Sensitivity:
    """Sensitivity of an observable that compares a relaxed structure with others, through all relaxations.

    Args:
        name: `formation_energy`, `formation_volume`, `surface_energy` or `binding_energy`.
        equilibrium: of the structure, from `minimize`.
        references: equilibria of the references, at the same parameters.
        coefficients: how much of each reference the structure is made of; default: what compositions say.
        solver: name in `SOLVERS`, or "auto".

    Returns:
        Value, direct, relaxation, total and logarithmic sensitivity, trees like θ, as from `sensitivity`.

    Raises:
        UsageError: where compositions leave no choice or more than one, θ differ, or the observable is not offered.
        ConvergenceError, NotAMinimumError: where a linear solve failed.
    """
    asked = observable(name)
    if asked.kind.referred is None:
        raise UsageError(f"observable {asked.name} is one of a single structure: see mds.sensitivity")
    for each in references:
        pairs = zip(jax.tree.leaves(equilibrium.theta), jax.tree.leaves(each.theta), strict=False)
        if jax.tree.structure(equilibrium.theta) != jax.tree.structure(each.theta) or not all(np.array_equal(a, b) for a, b in pairs):
            raise UsageError("a reference was minimized with other parameters than the structure: use the same force field for all")
    if coefficients is None:
        named = [(f"reference {place}", _counts(each)) for place, each in enumerate(references)]
        coefficients = [float(c) for c in amounts(_counts(equilibrium), named, parts=asked.kind is BINDING_ENERGY)]
    if not references or len(coefficients) != len(references):
        raise UsageError(f"{len(references)} references have {len(coefficients)} coefficients; give one for each, of one or more")
    bound = replace(asked, offset=offset(asked.kind.referred, references, coefficients)).bind(equilibrium)
    own = parts((bound,), equilibrium, None, mode=ADJOINT, solver=solver)
    found, responses = with_references(own, (bound,), equilibrium, zip(references, coefficients, strict=True), None, Options(solver=solver))
    lost = losing_zero_modes(equilibrium)
    for each in references:
        lost = jax.tree.map(np.logical_or, lost, losing_zero_modes(each))
    result = as_sensitivity(bound, equilibrium, found, lost)
    worst = [float(np.max(response.residual, initial=0.0)) for response in (own.response, *responses)]
    return replace(result, relative_residual=max(worst))


def _counts(equilibrium: Equilibrium) -> Counter[str]:
    """Number of atoms of each species of a system."""
    system = system_of(equilibrium, DEFAULT)
    return Counter(system.species[kind] for kind in np.asarray(system.kinds)[: system.size])
