"""Cells that may change: which strains are free, the same system in another cell, and volumes."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np

from md_sensitivity.bound import BoundTerm
from md_sensitivity.errors import UsageError
from md_sensitivity.neighbors import NeighborTable
from md_sensitivity.system import System

ISOTROPIC, FULL = "isotropic", "full"
RELAXATIONS = (ISOTROPIC, FULL)
"""How a cell may relax: by its size alone, or by all strains."""


def strain_basis(system: System, relax: str) -> np.ndarray:
    """Orthonormal symmetric strains that deform periodic axes only, shape=(k, 3, 3).

    Three periodic axes have six strains, two (slabs, and crystals in two dimensions) have three, one has one. A strain is symmetric, so
    that no cell turns.

    Raises:
        UsageError: where no axis is periodic, or the name of the relaxation is not known.
    """
    if relax not in RELAXATIONS:
        raise UsageError(f"unknown way {relax!r} to relax a cell; one of {', '.join(RELAXATIONS)}")
    axes = [axis for axis in range(system.dimensions) if system.pbc[axis]]
    if not axes:
        raise UsageError("a cell relaxes along periodic axes, and this structure has none; leave out the relaxation of the cell")
    span = np.linalg.qr(np.asarray(system.cell)[axes].T)[0].T
    # Axes that point along x, y or z keep to them exactly.
    span = np.where(np.abs(span) < 1e-15, 0.0, span)
    if relax == ISOTROPIC:
        return np.asarray(span.T @ span / np.sqrt(len(axes)))[None]
    if len(axes) == 3:
        span = np.eye(3)
    found = [np.outer(vector, vector) for vector in span]
    for first in range(len(span)):
        for second in range(first + 1, len(span)):
            found.append((np.outer(span[first], span[second]) + np.outer(span[second], span[first])) / np.sqrt(2.0))
    return np.array(found)


def in_cell(system: System, cell: jax.Array) -> System:
    """The system with other lattice vectors: whoever are neighbors stay so, through the same images.

    Tables remain as complete as they were, for atoms that moved with the cell. `positions`, those of the input, stay as they are.
    """
    change = jnp.linalg.solve(system.cell, cell)  # r → r · change takes old lattice vectors to new ones
    terms = tuple(_term_in_cell(term, cell, change) for term in system.terms)
    listed = tuple(replace(each, tuples=replace(each.tuples, shift=each.tuples.shift @ change)) for each in system.listed)
    fields = tuple(replace(each, cell=cell) for each in system.fields)
    return replace(system, cell=cell, terms=terms, listed=listed, fields=fields)


def _term_in_cell(term: BoundTerm, cell: jax.Array, change: jax.Array) -> BoundTerm:
    table = term.neighbors
    frame = jnp.eye(3) if table.frame is None else table.frame
    moved = replace(
        table,
        shift=table.image.astype(jnp.float64) @ cell,
        reference=table.reference @ change,
        frame=frame @ jnp.linalg.inv(change).T,
    )
    return replace(term, neighbors=moved, cell=None if term.cell is None else cell)


def with_frames(system: System) -> System:
    """The system with tables that know how deformed they were built."""

    def framed(table: NeighborTable) -> NeighborTable:
        return table if table.frame is not None else replace(table, frame=jnp.eye(3))

    return replace(system, terms=tuple(replace(term, neighbors=framed(term.neighbors)) for term in system.terms))


def extent(system: System) -> float:
    """Volume that the matter of a structure takes [Å³]: of the cell, or of the room within it where an axis is not periodic."""
    cell = np.asarray(system.cell)
    open_axes = [axis for axis in range(3) if not system.pbc[axis] or axis >= system.dimensions]
    # Vectors of axes that are not periodic have unit length, at right angles to the others.
    thickness = 1.0
    for axis in open_axes if system.dimensions == 3 else ():
        along = np.asarray(system.positions)[: system.size] @ cell[axis]
        thickness *= max(1.0, float(np.ptp(along)))
    return float(abs(np.linalg.det(cell))) * thickness
