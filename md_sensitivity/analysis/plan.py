"""What an analysis would do and cost, without doing it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from md_sensitivity.curvature.lattice import lattice_sites
from md_sensitivity.curvature.operators import SHARE_OF_MEMORY
from md_sensitivity.curvature.spectrum import dense_limit
from md_sensitivity.footprint import Size, memory, peak
from md_sensitivity.potentials.base import EmbeddedForm, ManyBodyForm
from md_sensitivity.sharding import memories
from md_sensitivity.stored import BYTES_PER_ENTRY
from md_sensitivity.system import System, energy_function

_SECONDS_PER_ENTRY = 1.2e-8
"""Rough time of one force evaluation for each entry of a neighbor table on one CPU core."""
_PER_TUPLE = 25.0
"""Work of a bonded interaction for each of its atoms, in entries of a neighbor table."""
_EVALUATIONS, _OF_MOLECULES = 60.0, 400.0
"""Force evaluations of a minimization."""
_CRYSTAL_ITERATIONS = 25.0
"""Iterations of a linear solve that the average crystal preconditions, at any size."""
_TRIPLETS = 0.5
"""Extra work of three-body terms, for each entry and each further neighbor."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Plan of one analysis.

    Attributes:
        atoms, pairs: size of the structure, and of its neighbor tables.
        parameters, observables: names.
        mode, solver: how derivatives would be computed.
        memory_bytes: largest memory of the computation, within a factor of two; files that are written with all their text come on top.
        estimated_seconds: rough estimate for one CPU core, compilation and sums over waves not counted.
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


def size_of(system: System, solves: int, solver: str = "auto") -> Size:
    """What the memory of an analysis with so many linear solves, by that solver, depends on."""
    pairs = entries = edges = 0
    for term in system.terms:
        table = term.neighbors.index
        index = np.asarray(term.neighbors.index)  # on the host: each eager operation would be compiled
        pairs += int(np.count_nonzero(index != np.arange(len(index))[:, None]))
        if isinstance(term.form, ManyBodyForm):
            edges += table.size
        else:
            # Densities are stored beside the blocks of pairs, and as large.
            entries += table.size * (2 if isinstance(term.form, EmbeddedForm) else 1)
    coordinates = 3 * len(system.positions)
    dense = coordinates <= dense_limit(energy_function(system)) or solver == "dense"
    shares = memories(system.mesh)
    stored = not edges and not dense and entries * BYTES_PER_ENTRY <= SHARE_OF_MEMORY * memory() * shares
    return Size(
        atoms=len(system.positions), pairs=pairs, entries=entries, edges=edges, solves=solves, stored=stored, shares=shares,
        matrix=coordinates if dense else 0,
    )  # fmt: skip


def estimate(system: System, *, solves: int, checks: int, solver: str = "auto") -> tuple[int, int, float]:
    """Pairs, bytes and seconds for an analysis with so many linear solves and re-minimized checks."""
    size = size_of(system, solves, solver)
    work = 0.0
    for term in system.terms:
        n, width = term.neighbors.index.shape
        work += n * width * (1.0 + (_TRIPLETS * width if term.form.order > 2 else 0.0))
    work += sum(_PER_TUPLE * each.tuples.atoms.size for each in system.listed)
    coordinates = 3 * len(system.positions)
    small = coordinates <= dense_limit(energy_function(system))
    iterations = _CRYSTAL_ITERATIONS if _crystal(system) else 12.0 * system.size ** (1 / 3)
    products = (coordinates if small else iterations * (2 + solves / 4 + 3)) + checks * 4 * (10 if small else 3 * iterations)
    seconds = work * _SECONDS_PER_ENTRY * ((_OF_MOLECULES if system.listed else _EVALUATIONS) + 2.5 * products)
    return size.pairs // 2, peak(size), float(seconds)


def not_counted(system: System) -> str:
    """What comes on top of the estimated time."""
    compiled = "compilation comes on top, once per shape"
    if not system.listed:
        return compiled
    waves = ", and so do charges that are summed over waves" if system.fields else ""
    return f"{compiled}: with molecules up to a minute or two, most of the time of small ones{waves}"


def _crystal(system: System) -> bool:
    """Whether the average crystal will precondition the solves: then iterations do not grow with the size."""
    return all(system.pbc) and lattice_sites(np.asarray(system.positions)[: system.size], np.asarray(system.cell)) is not None
