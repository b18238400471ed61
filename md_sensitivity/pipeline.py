"""The whole method on one screen: structure and force field in; minimized, differentiated, certified result out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from msgspec import UNSET, UnsetType

from md_sensitivity.analysis.certificate import certify, doubts, spline_doubts
from md_sensitivity.analysis.differences import Companion, Difference, Direction, Rebuild, check
from md_sensitivity.analysis.document import (
    certificate_info,
    equilibrium_info,
    force_field_info,
    observable_info,
    parameter_infos,
    position_norm,
    provenance_info,
    structure_info,
)
from md_sensitivity.analysis.existence import lost_zero_modes
from md_sensitivity.analysis.formation import Reference, certified, compared, made_of, planned, reference_infos, with_references
from md_sensitivity.analysis.options import Options
from md_sensitivity.analysis.parameters import Selection, select_parameters
from md_sensitivity.analysis.plan import Plan, estimate, not_counted, size_of
from md_sensitivity.analysis.relaxation import (
    cell_motions,
    cell_of,
    energy_for,
    loose_cell,
    motions,
    relaxed,
    solver_for,
    specs_of,
    system_for,
)
from md_sensitivity.analysis.result import (
    CertificateInfo,
    EquilibriumInfo,
    ObservableInfo,
    ParameterInfo,
    PositionNorm,
    ReferenceInfo,
    Result,
    ResultDocument,
    SecondOrderInfo,
    Timings,
)
from md_sensitivity.analysis.second_order import second_order
from md_sensitivity.analysis.sensitivity import ADJOINT, FORWARD, Parts, choose_mode, evaluate, parts
from md_sensitivity.analysis.spotcheck import rebuilder, spot_checks
from md_sensitivity.analysis.verification import Verification, unrolled_error, verification
from md_sensitivity.curvature.spectrum import dense_limit
from md_sensitivity.errors import ComputationError, UsageError
from md_sensitivity.footprint import require_memory
from md_sensitivity.forcefields import ForceField
from md_sensitivity.minimization import Equilibrium, raise_unless_minimum
from md_sensitivity.minimization.equilibrium import FAILED, MINIMUM
from md_sensitivity.observables import BoundObservable, observable
from md_sensitivity.progress import SILENT, Progress
from md_sensitivity.remarks import remarks
from md_sensitivity.sharding import devices_for
from md_sensitivity.system import energy_function
from md_sensitivity.types import Structure

POSITIONS_LIMIT = 15_000_000
"""dx*/dθ of every atom is written by default up to this many numbers (120 MB)."""


def analyze(
    structure: Structure,
    force_field: ForceField,
    options: Options,
    *,
    name: str = "",
    progress: Progress = SILENT,
    references: Sequence[Reference] = (),
) -> Result:
    """Minimize a structure, differentiate its equilibrium, and certify the result.

    Args:
        structure: validated; its constraints are honored.
        force_field: knows the types of the structure.
        options: see `Options`.
        name: of the result; default: that of the structure.
        progress: told where the work stands.
        references: from `relaxed_references`, for observables that compare structures.

    Returns:
        The result, whatever its status; a computation that fails has status "failed".

    Raises:
        InputError: where force field and structure do not fit.
        UsageError: where an option does not fit the structure.
        DeviceError: where it would not fit into memory.
    """
    start = time.perf_counter()
    structure = force_field.completed(structure)
    system = system_for(structure, force_field, options)
    specs = specs_of(system, options, compared=bool(references))
    comparison = compared(structure, references, force_field, specs)
    selection = select_parameters(force_field, structure, options.parameters, comparison.structures)
    solves = _expected(options, specs, selection, structure)[2]
    require_memory(size_of(system, solves, options.solver), structure.size, structure.path or structure.name)
    equilibrium = relaxed(system, force_field, options, progress)
    minimized = time.perf_counter()
    if equilibrium.status == FAILED:
        return _failed(structure, force_field, options, equilibrium.message, name, minimized - start)
    lost = lost_zero_modes(equilibrium, selection) | comparison.lost(selection)
    selection = replace(selection, undefined=selection.undefined | lost)
    bound = tuple(comparison.asked(spec, structure).bind(equilibrium) for spec in specs)
    values = evaluate(bound, equilibrium.energy, equilibrium.x, equilibrium.theta)
    loose = loose_cell(equilibrium)
    undefined = [(loose if o.kind.of_cell else "") or o.kind.undefined(value) for o, value in zip(bound, values, strict=True)]
    mode, positions = _mode(options, selection, values, structure.size)
    progress.update("differentiate", None)
    how: dict[str, Any] = {"solver": solver_for(options, equilibrium), "hessian": options.hessian}
    try:
        found = parts(bound, equilibrium, selection.steps, mode=mode, throw=equilibrium.status == MINIMUM, **how)
        found, solved = with_references(found, bound, equilibrium, comparison.weighted, selection.steps, options)
    except ComputationError as error:
        return _failed(structure, force_field, options, str(error), name, time.perf_counter() - start)
    differentiated = time.perf_counter()
    warnings = (*_warnings(structure, force_field, equilibrium, selection, found, undefined), *comparison.warnings(bound))
    warnings = (*warnings, *(spline_doubts(equilibrium) if any(o.kind.local for o in bound) else ()))
    smooth = [k for k, reason in enumerate(undefined) if not reason]
    status, message = comparison.status(equilibrium)
    rebuild, companions = rebuilder(structure, force_field, equilibrium, options.dimensions), comparison.companions(force_field)
    directions = spot_checks(selection, force_field, found, smooth, options.check, options.seed)
    differences = _checks(status, equilibrium, directions, [bound[k] for k in smooth], rebuild, companions, progress)
    bent: SecondOrderInfo | UnsetType = UNSET
    if options.to_second_order:
        how |= {"samples": options.second_order_check, "seed": options.seed, "progress": progress, "rebuild": rebuild}
        bent = second_order(equilibrium, selection, force_field, found, bound, undefined, **how)
    scales = selection.scales if mode == FORWARD else np.ones(len(found.response.residual))
    certificate = certified(certify(equilibrium, found.response, mode, scales, differences, warnings), comparison, solved)
    responses = motions(equilibrium, found.response.value)[:, : structure.size] if mode == FORWARD else None
    document = _document(
        structure,
        force_field,
        options,
        Timings(minimize_s=minimized - start, differentiate_s=differentiated - minimized, total_s=time.perf_counter() - start),
        status=status,
        message=message,
        equilibrium=equilibrium_info(equilibrium, system, options),
        position_norm=None if responses is None else position_norm(selection, responses),
        parameters=parameter_infos(selection, force_field, structure),
        observables=[
            observable_info(o.name, o.unit, found.value[k], found.direct[k], found.relaxation[k], selection, bool(undefined[k]))
            for k, o in enumerate(bound)
        ],
        certificate=certificate_info(certificate, status),
        references=reference_infos(comparison),
        bent=bent,
    )
    cells = cell_motions(equilibrium, found, selection.steps, cell_of(equilibrium, structure))
    arrays = _arrays(structure, equilibrium, selection, responses if positions else None, cells)
    return Result(name=name or structure.name, document=document, arrays=arrays, structure=structure)


def minimize_structure(
    structure: Structure, force_field: ForceField, options: Options, *, name: str = "", progress: Progress = SILENT
) -> Result:
    """Only the equilibrium: a result without parameters, observables and certificate."""
    start = time.perf_counter()
    structure = force_field.completed(structure)
    system = system_for(structure, force_field, options)
    equilibrium = relaxed(system, force_field, options, progress)
    seconds = time.perf_counter() - start
    if equilibrium.status == FAILED:
        return _failed(structure, force_field, options, equilibrium.message, name, seconds)
    nothing = replace(select_parameters(force_field, structure, ()), indices=(), rows=())
    document = _document(
        structure,
        force_field,
        options,
        Timings(minimize_s=seconds, differentiate_s=0.0, total_s=seconds),
        status=equilibrium.status,
        message="; ".join((equilibrium.message, *equilibrium.notes, *remarks(force_field, structure))),
        equilibrium=equilibrium_info(equilibrium, system, options),
    )
    arrays = _arrays(structure, equilibrium, nothing)
    return Result(name=name or structure.name, document=document, arrays=arrays, structure=structure)


def verify(
    structure: Structure,
    force_field: ForceField,
    options: Options,
    *,
    unroll: bool = False,
    progress: Progress = SILENT,
    references: Sequence[Reference] = (),
) -> Verification:
    """Implicit derivatives against re-minimized differences, for every chosen parameter and one random direction.

    Args:
        unroll: also differentiate through the steps of FIRE from the input structure.
        references: from `relaxed_references`, for observables that compare structures.

    Raises:
        ComputationError: where there is no minimum to differentiate.
    """
    structure = force_field.completed(structure)
    system = system_for(structure, force_field, options)
    specs = specs_of(system, options, compared=bool(references))
    comparison = compared(structure, references, force_field, specs)
    selection = select_parameters(force_field, structure, options.parameters, comparison.structures)
    equilibrium = relaxed(system, force_field, options, progress)
    for each in (equilibrium, *comparison.equilibria):
        raise_unless_minimum(each)
    lost = lost_zero_modes(equilibrium, selection) | comparison.lost(selection)
    selection = replace(selection, undefined=selection.undefined | lost)
    bound = tuple(comparison.asked(spec, structure).bind(equilibrium) for spec in specs)
    values = evaluate(bound, equilibrium.energy, equilibrium.x, equilibrium.theta)
    bound = tuple(o for o, value in zip(bound, values, strict=True) if not o.kind.undefined(value))
    mode, _ = _mode(options, selection, values, structure.size)
    found = parts(bound, equilibrium, selection.steps, mode=mode, solver=solver_for(options, equilibrium), hessian=options.hessian)
    found, _ = with_references(found, bound, equilibrium, comparison.weighted, selection.steps, options)
    directions = spot_checks(selection, force_field, found, range(len(bound)), len(selection.rows), options.seed)
    rebuild, companions = rebuilder(structure, force_field, equilibrium, options.dimensions), comparison.companions(force_field)
    differences, unrolled = [], []
    for number, direction in enumerate(directions):
        progress.update(f"compare {direction.name}", number / len(directions))
        differences.append(check(equilibrium, direction, bound, rebuild, companions=companions))
        if unroll:
            through = energy_function(system)
            unrolled.append(
                unrolled_error(equilibrium, through, system.positions, direction, fmax=options.fmax, max_steps=options.max_steps)
            )
    return verification(differences, unrolled if unroll else None)


def plan(structure: Structure, force_field: ForceField, options: Options, references: Sequence[Structure] = ()) -> Plan:
    """What `analyze` would do, with estimates of memory and time; nothing is minimized or differentiated."""
    structure = force_field.completed(structure)
    system = system_for(structure, force_field, options)
    specs = specs_of(system, options, compared=bool(references))
    references = [force_field.completed(each) for each in references]
    coefficients = made_of(structure, references, force_field, specs)
    selection = select_parameters(force_field, structure, options.parameters, references)
    mode, positions, solves = _expected(options, specs, selection, structure)
    checks = min(options.check, len(selection.rows)) + 1 if options.check > 0 else 0
    pairs, memory, seconds = estimate(system, solves=solves, checks=checks, solver=options.solver)
    others = planned(references, coefficients, force_field, options, checks)
    known = (*structure.notes, *remarks(force_field, structure), *others.notes)
    written = () if positions else ("dx*/dθ of every atom is not written",)
    automatic = "dense" if 3 * len(system.positions) <= dense_limit(energy_for(system, options)) else "pcg"
    return Plan(
        atoms=structure.size,
        pairs=pairs,
        parameters=tuple(selection.names),
        observables=specs,
        mode=mode,
        solver=automatic if options.solver == "auto" else options.solver,
        memory_bytes=max(memory, others.memory_bytes),
        estimated_seconds=seconds + others.estimated_seconds,
        notes=(*known, *selection.notes, *selection.undefined.values(), *written, not_counted(system)),
    )


def _expected(options: Options, specs: Sequence[str], selection: Selection, structure: Structure) -> tuple[str, bool, int]:
    """Mode, whether dx*/dθ is written, and number of linear solves, before there are values of observables; their atoms must be there."""
    asked = [observable(spec, structure) for spec in specs]
    for each in asked:
        each.require_atoms(structure)
    components = sum(each.kind.components for each in asked)
    mode, positions = _mode(options, selection, [np.zeros(components)], structure.size)
    orders = 3 if options.to_second_order else 1  # of responses that are held at a time
    return mode, positions, orders * len(selection.rows) if mode == FORWARD else components


def _mode(options: Options, selection: Selection, values: Sequence[np.ndarray], atoms: int) -> tuple[str, bool]:
    """Forward or adjoint, and whether dx*/dθ of every atom is written."""
    if options.to_second_order and options.mode == ADJOINT:
        raise UsageError("second order needs the response of positions to each parameter: take --mode forward, or leave it to auto")
    positions = options.positions
    if positions is None:
        count = len(selection.rows)
        few = count * max(atoms * 3, len(selection.steps.table)) <= POSITIONS_LIMIT  # of dx*/dθ, and of the directions themselves
        positions = options.mode != ADJOINT and few
    components = sum(value.size for value in values)
    mode = FORWARD if options.to_second_order else options.mode
    return choose_mode(mode, len(selection.rows), components, positions=positions), positions


def _warnings(
    structure: Structure, force_field: ForceField, equilibrium: Equilibrium, selection: Selection, found: Parts, undefined: Sequence[str]
) -> tuple[str, ...]:
    """All that a person should know of this result."""
    known = (*structure.notes, *remarks(force_field, structure))
    noted = (*equilibrium.notes, *selection.notes, *selection.undefined.values())
    return (*doubts(equilibrium, found.response), *known, *noted, *filter(None, undefined))


def _checks(
    status: str,
    equilibrium: Equilibrium,
    directions: Sequence[Direction],
    observables: Sequence[BoundObservable],
    rebuild: Rebuild,
    companions: Sequence[Companion],
    progress: Progress,
) -> tuple[Difference, ...]:
    """Spot checks by re-minimized differences of a force field that is written, read and bound anew."""
    if status != MINIMUM:
        reason = f"a structure is {status}, so that nothing can be minimized again from it"
        return tuple(Difference(name=d.name, relative_error=None, own_error=None, step=None, reason=reason) for d in directions)
    done = []
    for number, direction in enumerate(directions):

        def report(share: float, name: str = direction.name, before: int = number) -> None:
            progress.update(f"check {name}", (before + share) / len(directions))

        done.append(check(equilibrium, direction, observables, rebuild, companions=companions, report=report))
    return tuple(done)


def _arrays(
    structure: Structure,
    equilibrium: Equilibrium,
    selection: Selection,
    responses: np.ndarray | None = None,
    cells: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Content of `arrays.npz`."""
    arrays = {
        "positions": equilibrium.positions[: structure.size],
        "cell": cell_of(equilibrium, structure),
        "numbers": np.asarray(structure.numbers),
        "parameter_names": np.array(selection.names, dtype=np.str_),
        "parameter_values": selection.values,
    }
    defined = np.array([name not in selection.undefined for name in selection.names], dtype=bool)
    for key, values in (("dpositions", responses), ("dcell", cells)):
        if values is not None:
            arrays[key] = np.where(defined[:, None, None], values, 0.0)
    return arrays


def _failed(structure: Structure, force_field: ForceField, options: Options, message: str, name: str, seconds: float) -> Result:
    timings = Timings(minimize_s=seconds, differentiate_s=0.0, total_s=seconds)
    document = _document(structure, force_field, options, timings, status=FAILED, message=message, equilibrium=None)
    return Result(name=name or structure.name, document=document, arrays={}, structure=structure)


def _document(
    structure: Structure,
    force_field: ForceField,
    options: Options,
    timings: Timings,
    *,
    status: str,
    message: str,
    equilibrium: EquilibriumInfo | None,
    position_norm: PositionNorm | None = None,
    parameters: Sequence[ParameterInfo] = (),
    observables: Sequence[ObservableInfo] = (),
    certificate: CertificateInfo | None = None,
    references: Sequence[ReferenceInfo] = (),
    bent: SecondOrderInfo | UnsetType = UNSET,
) -> ResultDocument:
    return ResultDocument(
        status=status,
        message=message,
        structure=structure_info(structure),
        force_field=force_field_info(force_field),
        equilibrium=equilibrium,
        position_norm=position_norm,
        parameters=list(parameters),
        observables=list(observables),
        certificate=certificate,
        timings=timings,
        provenance=provenance_info(asdict(options), devices_for(structure.size)),
        references=list(references) or UNSET,
        second_order=bent,
    )
