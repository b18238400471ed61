"""Plain data of the experiment: what `packing.json` holds."""

from __future__ import annotations

import msgspec
import numpy as np

SCHEMA = "md-sensitivity/packing/1"


class Norms(msgspec.Struct, kw_only=True):
    """Norms of dx*/dθ over all coordinates, and the largest motion of one disc."""

    l1: float
    l2: float
    max_disc: float


class MinimumRecord(msgspec.Struct, kw_only=True):
    """The minimum found from a random start by the minimizer of this package; lengths and energies in reduced units."""

    status: str
    message: str
    energy: float | None
    max_force: float | None
    lowest_eigenvalue: float | None
    zero_modes: int
    rattlers: list[int]
    kink_distance: float | None
    steps: int
    force_evaluations: int


class ImplicitRecord(msgspec.Struct, kw_only=True):
    """Implicit derivatives by two linear solvers: recomputed relative residuals, L1 norms, relative discrepancy.

    `identity_error` is the violation of Σ ε ∂x*/∂ε = 0 relative to θ dx*/dθ (near jamming ∂x*/∂ε itself vanishes), and that of dx*/dθ as
    the sum over the diameters relative to dx*/dθ.
    """

    cg_residual: float
    cg_iterations: int
    cg_l1: float
    bicgstab_residual: float
    bicgstab_l1: float
    discrepancy: float
    identity_error: float


class ModesRecord(msgspec.Struct, kw_only=True):
    """Forward against adjoint mode: relative discrepancies."""

    identity_error: float
    row_error: float
    adjoint_residual: float


class DifferenceRecord(msgspec.Struct, kw_only=True):
    """Re-minimized central differences that keep the contact network; numbers are null where there are none, with the reason."""

    relative_error: float | None
    own_error: float | None
    step: float | None
    reason: str


class PauseRecord(msgspec.Struct, kw_only=True):
    """Discrepancy of the unrolled derivative when the force fell below a threshold."""

    threshold: float
    steps: int
    relative_error: float | None
    backbone_relative_error: float | None


class UnrolledRecord(msgspec.Struct, kw_only=True):
    """The derivative through jax-md's FIRE, and the implicit one at the same minimum; what is not finite is null, with the reason.

    `backbone` leaves the rattlers out. `peak_l1` is the largest norm that the derivative had on the way.
    """

    l1: float | None
    implicit_l1: float | None
    relative_error: float | None
    agrees: bool
    backbone_relative_error: float | None
    backbone_agrees: bool
    rattlers: int
    rattlers_l1: float | None
    steps: int
    max_force: float
    peak_l1: float | None
    peak_step: int
    velocity_resets: int
    pauses: list[PauseRecord]
    reason: str


class SeedRecord(msgspec.Struct, kw_only=True):
    """One random start. `status` is "certified", "flagged" or "contradicted"; the latter two have a reason."""

    seed: int
    status: str
    reason: str
    minimum: MinimumRecord
    implicit: ImplicitRecord | None
    modes: ModesRecord | None
    differences: DifferenceRecord | None
    norms: Norms | None
    unrolled: UnrolledRecord | None
    timings: dict[str, float]


class Document(msgspec.Struct, kw_only=True):
    """The whole run. `dilation` is (dL/dθ)/L of the box side L; where it is not zero, derivatives are those relative to the box."""

    schema: str = SCHEMA
    versions: dict[str, str]
    options: dict[str, float | int | str | bool]
    side: float
    dilation: float
    summary: dict[str, float | int | None]
    seconds: float
    seeds: list[SeedRecord]


def norms_of(response: np.ndarray) -> Norms:
    """Norms of a response, shape=(n, 2)."""
    return Norms(
        l1=float(np.abs(response).sum()),
        l2=float(np.linalg.norm(response)),
        max_disc=float(np.linalg.norm(response, axis=1).max()),
    )
