"""The answer of a minimization: x*(θ) with its status and evidence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from md_sensitivity.curvature.spectrum import Spectrum
from md_sensitivity.curvature.zero_modes import ZeroModes
from md_sensitivity.energy import Energy, PyTree, positions_of

MINIMUM, UNCONVERGED, NOT_A_MINIMUM, FAILED = "minimum", "unconverged", "not-a-minimum", "failed"


@dataclass(frozen=True, kw_only=True, eq=False)
class Equilibrium:
    """A stationary point of E(x, θ) at given θ.

    Attributes:
        x: positions (or any tree) where the minimization ended [Å].
        theta: parameters, in the force field's own units.
        energy: E, valid around x, without the contacts of rattlers.
        value: E(x, θ) [eV].
        max_force: largest component of the gradient, recomputed [eV/Å].
        status: "minimum", "unconverged", "not-a-minimum" or "failed".
        message: what the status means here, and what to do.
        steps, force_evaluations, hessian_products: what it took.
        modes: rigid zero modes at x; None where rigid motions are none.
        zero_modes: their number, and that of further motions that cost no energy.
        rattlers: atoms that interact with nothing.
        spectrum: lowest nonzero eigenvalue of the Hessian; None where it was not asked for.
        notes: what happened on the way that a person should know.
    """

    x: PyTree
    theta: PyTree
    energy: Energy
    value: float
    max_force: float
    status: str
    message: str
    steps: int
    force_evaluations: int
    hessian_products: int
    minimizer: str
    modes: ZeroModes | None
    zero_modes: int
    rattlers: int
    spectrum: Spectrum | None
    notes: tuple[str, ...] = ()

    @property
    def positions(self) -> np.ndarray:
        """Where the atoms are, shape=(n, 3) [Å]; of a minimum whose cell relaxed, in its cell."""
        return np.asarray(positions_of(self.x))
