"""What may be chosen for an analysis."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Options:
    """What may be chosen for an analysis; names and defaults are those of the command line.

    Attributes:
        relax_cell: "isotropic" or "full"; "" for a fixed cell.
        pressure: under which the cell relaxes [GPa; N/m in two dimensions; reduced units: as is].
        smax: largest stress component, beyond that pressure, when a cell relaxes [the unit of the pressure].
    """

    parameters: tuple[str, ...] = ()
    observables: tuple[str, ...] = ()
    positions: bool | None = None
    fmax: float = 1e-8
    smax: float = 1e-6
    max_steps: int = 20000
    dimensions: int = 3
    relax_cell: str = ""
    pressure: float = 0.0
    minimizer: str = "lbfgs+newton"
    solver: str = "auto"
    hessian: str = "auto"
    precision: str = "double"
    mode: str = "auto"
    check: int = 1
    seed: int = 0
    second_order: bool = False
    second_order_check: int = 0

    @property
    def to_second_order(self) -> bool:
        """Whether expansions are wanted; measuring them implies it."""
        return self.second_order or self.second_order_check > 0
