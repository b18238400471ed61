"""The set-up: discs of two diameters in a periodic square, and the parameter θ that is differentiated."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from md_sensitivity.errors import UsageError
from md_sensitivity.forcefields import ForceField, read_force_field
from md_sensitivity.types import Structure

FORCE_FIELD = Path(__file__).resolve().parents[2] / "inputs" / "soft_sphere_packing" / "force_field.toml"
LABEL = "soft_sphere"
FIXED, FOLLOWS = "fixed", "follows"


@dataclass(frozen=True, kw_only=True)
class Setup:
    """Half of the discs have diameter 1 (A), the other half θ (B); lengths in units of the diameter of A.

    Attributes:
        particles: number of discs.
        diameter: θ.
        packing_fraction: sum of the areas of all discs over the area of the box.
        box: "fixed", or "follows": the side L of the square changes with θ so that the packing fraction stays.
    """

    particles: int = 128
    diameter: float = 0.6
    packing_fraction: float = 0.98
    box: str = FIXED

    @property
    def large(self) -> int:
        """Number of discs of diameter 1, which come first."""
        return self.particles // 2

    @property
    def side(self) -> float:
        """Side L of the periodic square."""
        area = 0.25 * np.pi * (self.large + (self.particles - self.large) * self.diameter**2)
        return float(np.sqrt(area / self.packing_fraction))

    @property
    def dilation(self) -> float:
        """(dL/dθ)/L: relative growth of the box with θ; zero where the box is fixed."""
        if self.box == FIXED:
            return 0.0
        small = self.particles - self.large
        return small * self.diameter / (self.large + small * self.diameter**2)

    @property
    def diameters_dot(self) -> np.ndarray:
        """Derivative of the diameters of A and B along θ, measured in the box, shape=(2,).

        The energy depends on distances over diameters only. A box that grows with θ is therefore the same as a fixed box in which all
        diameters shrink in proportion, and positions are then those relative to the box.
        """
        return np.array([0.0, 1.0]) - self.dilation * np.array([1.0, self.diameter])

    @cached_property
    def force_field(self) -> ForceField:
        """The force field of `inputs/soft_sphere_packing`, with the diameter θ in it."""
        found = read_force_field(str(FORCE_FIELD))
        return found.with_parameters({LABEL: {**found.parameters[LABEL], "sigma": np.array([1.0, self.diameter])}})

    @property
    def direction(self) -> dict[str, dict[str, np.ndarray]]:
        """dθ as a direction among all parameters, a tree like those of the force field."""
        return {LABEL: {"sigma": self.diameters_dot, "epsilon": np.zeros(2)}}

    def start(self, seed: int) -> np.ndarray:
        """Uniform random positions, shape=(n, 2)."""
        return np.random.default_rng(seed).uniform(0.0, self.side, (self.particles, 2))

    def structure(self, seed: int, positions: np.ndarray) -> Structure:
        """Discs at the given positions, shape=(n, 2)."""
        n = self.particles
        return Structure(
            name=f"packing-{seed}",
            positions=np.column_stack([positions, np.zeros(n)]),
            types=("A",) * self.large + ("B",) * (n - self.large),
            numbers=np.zeros(n, dtype=np.int64),
            cell=np.diag([self.side, self.side, 1.0]),
            pbc=np.array([True, True, False]),
            masses=np.ones(n),
            fixed=np.zeros((n, 3), dtype=bool),
        )


def require_sensible(setup: Setup) -> None:
    """Raises UsageError where the box is too small for the discs.

    The minimizer that is unrolled looks at the nearest image of each disc only, which is all as long as the box is wider than two
    diameters.
    """
    widest = 2.0 * max(1.0, setup.diameter)
    if setup.side <= widest:
        raise UsageError(
            f"{setup.particles} discs at packing fraction {setup.packing_fraction:g} need a box of side {setup.side:.3g} only, but it must "
            f"be wider than two diameters ({widest:g}); take more particles"
        )
