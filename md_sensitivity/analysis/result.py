"""The finished analysis of one structure as plain data: what `result.json` and `arrays.npz` hold (docs/reference.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from md_sensitivity.types import Structure

SCHEMA = "md-sensitivity/result/1"

Numbers = float | Sequence[float | Sequence[float]]
"""A number, or a (nested) list where the observable has several components."""
Derivative = float | Sequence[float | Sequence[float | None] | None] | None
"""One derivative, shaped as the observable's value; null where it does not exist."""


class StructureInfo(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    sha256: str
    formula: str
    atoms: int
    periodic: list[bool]


class ForceFieldInfo(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    sha256: str
    name: str
    units: str


class EquilibriumInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    energy: float
    energy_unit: str
    max_force: float
    force_unit: str
    steps: int
    force_evaluations: int
    zero_modes: int
    lowest_eigenvalue: float | None
    """Smallest nonzero eigenvalue of H [force unit per length unit]; null where every mode is a zero mode."""
    minimizer: str
    rattlers: int
    hessian_products: int
    volume: float | msgspec.UnsetType = msgspec.UNSET
    relaxed_cell: str | msgspec.UnsetType = msgspec.UNSET
    """How the cell relaxed, "isotropic" or "full"; absent where it was fixed."""
    pressure: float | msgspec.UnsetType = msgspec.UNSET
    """Under which it relaxed [`pressure_unit`]."""
    pressure_unit: str | msgspec.UnsetType = msgspec.UNSET
    """"GPa", "N/m" in two dimensions, or "reduced"."""
    max_stress: float | msgspec.UnsetType = msgspec.UNSET
    """Largest component of what is left of stress and pressure, of those strains that were free [`pressure_unit`]."""
    softest_atoms: list[int] | msgspec.UnsetType = msgspec.UNSET
    """0-based indices of the atoms that a very soft lowest mode moves most, the largest displacement first; where the mode is known."""


class PositionNorm(msgspec.Struct, frozen=True, kw_only=True):
    """Norms of dx*/dθ over all coordinates, one entry for each parameter [Å per parameter unit]."""

    l1: list[float | None]
    l2: list[float | None]
    max: list[float | None]
    """Largest displacement of one atom (Euclidean)."""
    max_atom: list[int | None]
    """0-based index of that atom."""


class UseInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a parameter acts on: so many atoms, bonds, angles …, the first of them by 0-based indices and by names."""

    count: int
    atoms: list[int]
    names: str


class ParameterInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    name: str
    value: float
    unit: str
    acts_on: UseInfo | msgspec.UnsetType = msgspec.UNSET
    """Of molecular force fields; absent where the parameter acts only by what follows it."""


class ObservableInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    name: str
    unit: str
    value: Numbers
    direct: list[Derivative]
    relaxation: list[Derivative]
    total: list[Derivative]
    logarithmic: list[Derivative]
    standard_deviation: Numbers | msgspec.UnsetType = msgspec.UNSET


class FiniteDifference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One spot check: the implicit derivative against re-minimized central differences."""

    parameter: str | msgspec.UnsetType = msgspec.UNSET
    direction: str | msgspec.UnsetType = msgspec.UNSET
    relative_error: float | None
    step: float | None = None
    own_error: float | None = None
    """Error that the differences estimate of themselves, from two step sizes."""
    reason: str | msgspec.UnsetType = msgspec.UNSET


class CertificateInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    mode: str
    solver: str
    relative_residual: float | None
    iterations: int
    force_residual: float
    error_estimate: float | None
    """Estimated relative error of dx*/dθ."""
    finite_differences: list[FiniteDifference]
    warnings: list[str]
    passed: bool
    kink_distance: float | None = None
    """Distance of the nearest pair to a cutoff where a low derivative of its energy jumps, or to a change of contact [Å]."""
    eigenvalue_bound: float | None = None
    """An eigenvalue of H lies within this distance of `lowest_eigenvalue`; 0 where all were computed."""
    reason: str = ""
    """Why this mode and solver were chosen."""


class SideInfo(msgspec.Struct, frozen=True, kw_only=True):
    """How far a prediction holds in one direction, and what ends it."""

    relative: float
    """Largest relative change of the parameter (of a direction: of any), positive on both sides."""
    limited_by: str


class RangeInfo(msgspec.Struct, frozen=True, kw_only=True):
    """How far the predictions of one quantity hold: `energy`, an observable, or `positions`; downward, then upward."""

    quantity: str
    linear: list[SideInfo]
    quadratic: list[SideInfo]


class ValidityInfo(msgspec.Struct, frozen=True, kw_only=True):
    """How far the predictions of the energy and of all observables hold; downward, then upward."""

    linear: list[SideInfo]
    quadratic: list[SideInfo]
    linear_change: list[float] | None
    """The same in units of the parameter, the first one negative; null for a direction over several."""
    quadratic_change: list[float] | None
    ranges: list[RangeInfo]


class EnergySeries(msgspec.Struct, frozen=True, kw_only=True):
    """dE*/dθ, d²E*/dθ² and d³E*/dθ³."""

    first: float
    second: float
    third: float


class ObservableBend(msgspec.Struct, frozen=True, kw_only=True):
    """First and second derivative of one observable, shaped as its value; null where they do not exist."""

    name: str
    unit: str
    first: Derivative
    second: Derivative


class MeasuredError(msgspec.Struct, frozen=True, kw_only=True):
    """Size of the change of one quantity, and of the errors of its predictions of first and second order."""

    quantity: str
    change: float
    linear: float
    quadratic: float


class MeasuredInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The predictions against a structure that was minimized again."""

    relative: float
    """Relative change of the parameter, with its sign."""
    errors: list[MeasuredError]
    """Empty where nothing could be measured."""
    reason: str | msgspec.UnsetType = msgspec.UNSET


class ExpansionInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The equilibrium to second order along one parameter, or along a direction over several; null where no derivative exists."""

    parameter: str | msgspec.UnsetType = msgspec.UNSET
    direction: str | msgspec.UnsetType = msgspec.UNSET
    """Its unit step changes no parameter by more than its own size."""
    energy: EnergySeries | None
    observables: list[ObservableBend]
    position_norm: float | None
    """Euclidean norm of d²x*/dθ² over all coordinates."""
    relative_residual: float | None
    validity: ValidityInfo | None
    measured: list[MeasuredInfo] | msgspec.UnsetType = msgspec.UNSET
    reason: str | msgspec.UnsetType = msgspec.UNSET


class SecondOrderInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The equilibrium to second order in the parameters (docs/second_order.md)."""

    tolerance: float
    """Error of a prediction, as a share of the change that it predicts, up to which it holds."""
    energy_hessian: list[list[float | None]] | None
    """d²E*/dθ² over the parameters [`unit` per unit of both]; null where a derivative does not exist."""
    unit: str
    asymmetry: float | None
    """Largest difference between d²E*/dθᵢdθⱼ and d²E*/dθⱼdθᵢ as they were found, relative to the largest entry in natural units."""
    expansions: list[ExpansionInfo]
    """One for each parameter, in their order, and one for a random direction over all."""
    seconds: float
    reason: str | msgspec.UnsetType = msgspec.UNSET
    """Why there is no expansion at all."""


class Timings(msgspec.Struct, frozen=True, kw_only=True):
    minimize_s: float
    differentiate_s: float
    total_s: float


class ProvenanceInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a reader needs to repeat the analysis, beside the hashes of its inputs; the whole run stands in `run.json`."""

    versions: dict[str, str] = {}
    """Name of a program or library and its version; `md_sensitivity` among them."""
    options: dict[str, str | int | float | bool | list[str] | None] = {}
    """Resolved options of the analysis."""
    device: str = ""
    precision: str = ""


class ReferenceInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A relaxed reference, and how much of it the structure is made of."""

    structure: StructureInfo
    coefficient: float
    status: str
    message: str
    equilibrium: EquilibriumInfo


class ResultDocument(msgspec.Struct, frozen=True, kw_only=True):
    """Content of `result.json`. Where the status is "failed", equilibrium and certificate are null and the lists empty."""

    schema: str = SCHEMA
    status: str
    message: str
    structure: StructureInfo
    force_field: ForceFieldInfo
    equilibrium: EquilibriumInfo | None
    position_norm: PositionNorm | None
    parameters: list[ParameterInfo]
    observables: list[ObservableInfo]
    certificate: CertificateInfo | None
    timings: Timings
    provenance: ProvenanceInfo | msgspec.UnsetType = msgspec.UNSET
    references: list[ReferenceInfo] | msgspec.UnsetType = msgspec.UNSET
    """What formation energies and the like are measured from; absent where there is none."""
    second_order: SecondOrderInfo | msgspec.UnsetType = msgspec.UNSET
    """Where it was asked for."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """One finished analysis.

    Attributes:
        name: unique, file-name-safe stem of the structure; the folder under the output folder.
        document: content of `result.json`.
        arrays: content of `arrays.npz`: `positions` (n, 3) and `cell` (3, 3) at the minimum [Å], `numbers` (n,), `parameter_names`,
            `parameter_values` (p,), `dpositions` (p, n, 3) [Å per parameter unit] where asked for; NaN never: a parameter whose
            derivative does not exist has zeros and is null in the document.
        structure: the input structure (before minimization).
    """

    name: str
    document: ResultDocument
    arrays: dict[str, np.ndarray]
    structure: Structure
