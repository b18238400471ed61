"""Equilibria whose cells relax, and what their derivatives are compared by."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from cell_cases import CellCase, load_cell

from md_sensitivity.analysis.relaxation import cell_motions, motions
from md_sensitivity.analysis.sensitivity import Parts, parts
from md_sensitivity.building import build_system
from md_sensitivity.enthalpy import enthalpy_function
from md_sensitivity.forcefields import ForceField
from md_sensitivity.minimization import Equilibrium, minimize
from md_sensitivity.observables import observable
from md_sensitivity.types import Structure


def relaxed(
    structure: Structure, field: ForceField, *, relax: str = "full", pressure: float = 0.0, dimensions: int = 3, padded: bool = True,
    fmax: float = 1e-8,
) -> Equilibrium:  # fmt: skip
    """The minimum of E + PV over positions and cell."""
    system = build_system(structure, field, dimensions=dimensions, padded=padded)
    energy = enthalpy_function(system, relax=relax, pressure=pressure)
    return minimize(energy, energy.start, field.parameters, fmax=fmax)


def supercell(of: Structure, times: tuple[int, int, int]) -> Structure:
    """Copies of a structure side by side."""
    shifts = np.array(list(np.ndindex(*times))) @ of.cell
    count = len(shifts)
    return replace(
        of, positions=(shifts[:, None] + of.positions[None]).reshape(-1, 3), types=of.types * count, numbers=np.tile(of.numbers, count),
        masses=np.tile(of.masses, count), fixed=np.tile(of.fixed, (count, 1)), cell=of.cell * np.array(times)[:, None],
    )  # fmt: skip


@cache
def equilibrium(name: str) -> Equilibrium:
    """The minimum of a case of `cell_cases` from where LAMMPS found it, so that axes are the reference's own; padded, to share programs."""
    case = load_cell(name)
    return relaxed(case.at_minimum, case.force_field, relax=case.relax_cell, pressure=case.pressure, dimensions=case.dimensions)


def measured(spec: str, found: Equilibrium) -> np.ndarray:
    """The value of an observable."""
    return np.asarray(observable(spec).bind(found)(found.energy, found.x, found.theta))


def derivatives(found: Equilibrium, specs: tuple[str, ...], directions: Any, mode: str = "forward") -> tuple[Parts, dict[str, np.ndarray]]:
    """Total derivatives of observables along directions, shape=(p, ...)."""
    made = parts([observable(spec).bind(found) for spec in specs], found, directions, mode=mode)
    return made, {spec: d + r for spec, d, r in zip(specs, made.direct, made.relaxation, strict=True)}


def responses(case: CellCase, found: Equilibrium, made: Parts) -> tuple[np.ndarray, np.ndarray]:
    """dx*/dθ of the atoms, (p, n, 3), and dcell/dθ, (p, 3, 3), as reports have them."""
    cell = np.asarray(found.energy.cell(found.x))
    cells = cell_motions(found, made, case.directions(), cell)
    return motions(found, made.response.value)[:, : case.structure.size], np.asarray(cells)


def assert_columns(found: np.ndarray, reference: np.ndarray, errors: np.ndarray, *, relative: float = 1e-6, zero: float = 1e-7) -> None:
    """Each column agrees within `relative` of its largest component, or thrice the error of the reference.

    Args:
        found, reference: shape=(p, ...).
        errors: absolute, of the reference, shape=(p,) or that of the reference.
        zero: what counts as a column of zeros.
    """
    rows = len(reference)
    off = np.abs(found - reference).reshape(rows, -1).max(axis=1)
    size = np.abs(reference).reshape(rows, -1).max(axis=1)
    known = np.asarray(errors).reshape(rows, -1).max(axis=1)
    allowed = np.maximum(np.where(size > zero, relative * size, zero), 3.0 * known)
    assert np.all(off <= allowed), f"off by {off / np.where(size > zero, size, 1.0)} relative"
