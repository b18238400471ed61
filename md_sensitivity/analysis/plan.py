"""What an analysis would do and cost, without doing it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from md_sensitivity.curvature.spectrum import DENSE_LIMIT
from md_sensitivity.implicit.equilibrium import BLOCK
from md_sensitivity.system import System

_BYTES_PER_ENTRY = 400
"""Working memory for each entry of a neighbor table: the table itself and the temporaries of a Hessian product."""
_SECONDS_PER_ENTRY = 1.2e-8
"""Rough time of one force evaluation for each entry of a neighbor table on one CPU core."""
_TRIPLETS = 0.5
"""Extra work of three-body terms, for each entry and each further neighbor."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Plan of one analysis.

    Attributes:
        atoms, pairs: size of the structure, and of its neighbor tables.
        parameters, observables: names.
        mode, solver: how derivatives would be computed.
        memory_bytes, estimated_seconds: rough estimates for one CPU core, compilation not counted.
        notes: what a person should know.
    """

    atoms: int
    pairs: int
    parameters: tuple[str, ...]
    observables: tuple[str, ...]
    mode: str
    solver: str
    memory_bytes: int
    estimated_seconds: float
    notes: tuple[str, ...]


def estimate(system: System, *, solves: int, checks: int) -> tuple[int, int, float]:
    """Pairs, bytes and seconds for an analysis with so many linear solves and re-minimized checks."""
    pairs = entries = 0
    work = 0.0
    for term in system.terms:
        pairs += int(np.asarray(term.neighbors.mask).sum()) // 2
        n, width = term.neighbors.index.shape
        entries += n * width
        work += n * width * (1.0 + (_TRIPLETS * width if term.form.order > 2 else 0.0))
    atoms = system.size
    coordinates = 3 * len(system.positions)
    small = coordinates <= DENSE_LIMIT
    iterations = 12.0 * atoms ** (1 / 3)
    products = (coordinates if small else iterations * (2 + solves / 4 + 3)) + checks * 4 * (10 if small else 3 * iterations)
    memory = entries * _BYTES_PER_ENTRY + 8 * coordinates * 8 * min(BLOCK, max(solves, 1)) + (3 * 8 * coordinates**2 if small else 0)
    seconds = work * _SECONDS_PER_ENTRY * (60 + 2.5 * products)
    return pairs, int(memory), float(seconds)
