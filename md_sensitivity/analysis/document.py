"""A finished analysis as the plain data that reports write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import msgspec
import numpy as np

from md_sensitivity.analysis.certificate import SOFT, Certificate
from md_sensitivity.analysis.differences import Difference
from md_sensitivity.analysis.options import Options
from md_sensitivity.analysis.parameters import Selection
from md_sensitivity.analysis.relaxation import cell_at, relaxed_cell
from md_sensitivity.analysis.result import (
    CertificateInfo,
    EquilibriumInfo,
    FiniteDifference,
    ForceFieldInfo,
    ObservableInfo,
    ParameterInfo,
    PositionNorm,
    ProvenanceInfo,
    StructureInfo,
    UseInfo,
)
from md_sensitivity.analysis.spotcheck import RANDOM
from md_sensitivity.curvature.spectrum import Spectrum
from md_sensitivity.energy import positions_of
from md_sensitivity.enthalpy import pressure_symbol
from md_sensitivity.files import legible
from md_sensitivity.forcefields import ForceField, uses_of
from md_sensitivity.minimization import Equilibrium
from md_sensitivity.minimization.equilibrium import MINIMUM
from md_sensitivity.system import System
from md_sensitivity.types import Structure
from md_sensitivity.versions import installed_versions

_ZERO = 1e-12
"""An observable smaller than this [its unit] counts as zero, and has no logarithmic sensitivity."""
_ATOMS = 4
"""At most so many atoms of a soft mode are named."""


def structure_info(structure: Structure) -> StructureInfo:
    """What was analyzed."""
    return StructureInfo(
        path=legible(structure.path),
        sha256=structure.sha256,
        formula=structure.formula,
        atoms=structure.size,
        periodic=[bool(axis) for axis in structure.pbc],
    )


def force_field_info(force_field: ForceField) -> ForceFieldInfo:
    """With what."""
    return ForceFieldInfo(
        path=legible(force_field.path), sha256=force_field.sha256, name=force_field.name, units=force_field.units.name
    )


def provenance_info(options: Mapping[str, Any], devices: Sequence[Any] | None = None) -> ProvenanceInfo:
    """Under which versions, options and devices; `devices` where several shared the atoms."""
    device = jax.devices()[0] if devices is None else devices[0]
    several = "" if devices is None else f", atoms split over {len(devices)}"
    return ProvenanceInfo(
        versions=installed_versions(),
        options={key: list(value) if isinstance(value, tuple) else value for key, value in options.items()},
        device=f"{device.platform} ({device.device_kind}){several}",
        precision="double",
    )


def equilibrium_info(equilibrium: Equilibrium, system: System, options: Options) -> EquilibriumInfo:
    """The equilibrium in the units of results."""
    energy, length = system.units.inner_symbols()
    spectrum = equilibrium.spectrum
    volume = float(abs(np.linalg.det(cell_at(equilibrium)))) if all(system.pbc) else msgspec.UNSET
    relaxed = relaxed_cell(equilibrium)
    return EquilibriumInfo(
        energy=equilibrium.value if relaxed is None else relaxed.energy,
        energy_unit=energy,
        max_force=equilibrium.max_force if relaxed is None else relaxed.max_force,
        force_unit="reduced" if system.units.reduced else f"{energy}/{length}",
        steps=equilibrium.steps,
        force_evaluations=equilibrium.force_evaluations,
        zero_modes=equilibrium.zero_modes,
        lowest_eigenvalue=None if spectrum is None else spectrum.lowest,
        minimizer=equilibrium.minimizer,
        rattlers=equilibrium.rattlers,
        hessian_products=equilibrium.hessian_products,
        volume=volume,
        relaxed_cell=msgspec.UNSET if relaxed is None else options.relax_cell,
        pressure=msgspec.UNSET if relaxed is None else options.pressure,
        pressure_unit=msgspec.UNSET if relaxed is None else pressure_symbol(system),
        max_stress=msgspec.UNSET if relaxed is None else relaxed.max_stress,
        softest_atoms=softest_atoms(spectrum, system.size) or msgspec.UNSET,
    )


def softest_atoms(spectrum: Spectrum | None, size: int) -> list[int]:
    """Atoms that move at least half as far as the first one along a soft mode, four at most; none where no mode is soft, or known."""
    if spectrum is None or spectrum.mode is None or spectrum.lowest is None or spectrum.lowest > SOFT * spectrum.largest:
        return []
    lengths = np.linalg.norm(np.asarray(positions_of(spectrum.mode))[:size], axis=1)
    order = np.argsort(-lengths, kind="stable")[:_ATOMS]
    return [int(atom) for atom in order if lengths[atom] >= 0.5 * lengths[order[0]]]


def parameter_infos(selection: Selection, force_field: ForceField, structure: Structure) -> list[ParameterInfo]:
    """The chosen parameters, and for molecules what they act on."""
    uses = uses_of(force_field, structure) if force_field.typing is not None else {}
    found = []
    for index, row in zip(selection.indices, selection.rows, strict=True):
        use = uses.get(index)
        acts_on = UseInfo(count=use.count, atoms=list(use.atoms), names=use.names) if use is not None else msgspec.UNSET
        found.append(ParameterInfo(name=row.name, value=row.value, unit=row.unit, acts_on=acts_on))
    return found


def position_norm(selection: Selection, responses: np.ndarray) -> PositionNorm:
    """Norms of dx*/dθ, responses of shape=(p, n, 3); null where the derivative does not exist."""
    known = [name not in selection.undefined for name in selection.names]
    lengths = [np.linalg.norm(response, axis=1) for response in responses]
    return PositionNorm(
        l1=[float(np.abs(r).sum()) if k else None for r, k in zip(responses, known, strict=True)],
        l2=[float(np.linalg.norm(r)) if k else None for r, k in zip(responses, known, strict=True)],
        max=[float(length.max()) if k else None for length, k in zip(lengths, known, strict=True)],
        max_atom=[int(length.argmax()) if k else None for length, k in zip(lengths, known, strict=True)],
    )


def observable_info(
    name: str, unit: str, value: np.ndarray, direct: np.ndarray, relaxation: np.ndarray, selection: Selection, undefined: bool
) -> ObservableInfo:
    """One observable with its derivatives of shape=(p, *shape of the value); null where they do not exist."""
    total = direct + relaxation
    with np.errstate(divide="ignore", invalid="ignore"):
        logarithmic = total * selection.values.reshape(-1, *(1,) * value.ndim) / value
    zero = np.broadcast_to(np.abs(value) < _ZERO, logarithmic.shape)
    missing = [undefined or name in selection.undefined for name in selection.names]

    def column(table: np.ndarray, hidden: np.ndarray | None = None) -> list[Any]:
        hide = np.zeros(table.shape, dtype=bool) if hidden is None else hidden
        return [_nulled(table[i], hide[i] | missing[i]) for i in range(len(table))]

    return ObservableInfo(
        name=name,
        unit=unit,
        value=value.tolist(),
        direct=column(direct),
        relaxation=column(relaxation),
        total=column(total),
        logarithmic=column(logarithmic, zero),
    )


def _nulled(values: np.ndarray, hidden: np.ndarray) -> Any:
    """Nested lists with null where hidden."""
    if values.ndim == 0:
        return None if bool(hidden) else float(values)
    return [_nulled(v, h) for v, h in zip(values, hidden, strict=True)]


def certificate_info(certificate: Certificate, status: str) -> CertificateInfo:
    """The certificate; what is no minimum cannot pass."""
    return CertificateInfo(
        mode=certificate.mode,
        solver=certificate.solver,
        relative_residual=certificate.relative_residual,
        iterations=certificate.iterations,
        force_residual=certificate.force_residual,
        error_estimate=certificate.error_estimate,
        finite_differences=[_finite_difference(difference) for difference in certificate.differences],
        warnings=list(certificate.warnings),
        passed=certificate.passed and status == MINIMUM,
        kink_distance=certificate.kink_distance,
        eigenvalue_bound=certificate.eigenvalue_bound,
        reason=certificate.reason,
    )


def _finite_difference(difference: Difference) -> FiniteDifference:
    random = difference.name == RANDOM
    return FiniteDifference(
        parameter=msgspec.UNSET if random else difference.name,
        direction=difference.name if random else msgspec.UNSET,
        relative_error=difference.relative_error,
        step=difference.step,
        own_error=difference.own_error,
        reason=difference.reason or msgspec.UNSET,
    )
