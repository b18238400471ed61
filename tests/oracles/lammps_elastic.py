"""Elastic constants and their total derivatives from LAMMPS stresses alone.

C[k, l] = d(Cauchy stress k)/d(strain l) at F = 1 + strain, F symmetric (no rotation), engineering shear, Voigt xx yy zz yz xz xy, GPa.
`relaxed`: ions at rest at each strain; `clamped`: ions carried along by F. Under a pressure these are the stress-strain coefficients
of Barron and Klein 1965, doi:10.1088/0370-1328/85/3/313, and of Wallace 1972: no terms are added to them. Under a stress that is not a
pressure C[k, l] and C[l, k] differ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from lammps_cells import GPA, CellEngine, CellMinimum, at, base_value, chord, romberg, unit_strain, voigt
from lammps_derivatives import moving, pseudo_inverse
from lammps_engine import Array, Model


@dataclass(frozen=True, kw_only=True)
class Elastic:
    """Relaxed and clamped (6, 6) [GPa], or derivatives of them, and absolute errors."""

    relaxed: Array
    clamped: Array
    relaxed_error: float
    clamped_error: float
    step: float


def _stacked(engine: CellEngine, minimum: CellMinimum, positions: Array, cell: Array, inverse: Array, step: float) -> tuple[Array, Array]:
    """(2, 6, 6): relaxed and clamped constants at a minimum, and their errors; LAMMPS's parameters as they stand."""
    mask = moving(minimum.frame.system)
    found, errors = [], []
    for k in range(6):

        def stress(size: float, k: int = k) -> Array:
            deformation = np.eye(3) + size * unit_strain(k)
            strained, volume = cell @ deformation, abs(float(np.linalg.det(cell @ deformation)))

            def place(u: Array) -> Array:
                full = np.zeros(positions.size)
                full[mask] = u
                return (positions + full.reshape(-1, 3)) @ deformation

            def slope(u: Array) -> Array:
                return -(engine(place(u), strained).forces @ deformation).ravel()[mask]

            rest = np.zeros(int(mask.sum()))
            points = [chord(slope, rest, inverse), rest]
            return np.array([-engine(place(u), strained).virial / volume * GPA for u in points])

        value, error = romberg(stress, 0.0, step)
        found.append(value)
        errors.append(error)
    return np.array(found).transpose(1, 2, 0), np.array(errors).transpose(1, 2, 0)


def _ionic_inverse(minimum: CellMinimum) -> Array:
    size = minimum.frame.size
    if len(minimum.frame.positions) == 1:
        return np.zeros((size, size))  # one atom feels no force
    return pseudo_inverse(minimum.hessian[:size, :size])[0]


def elastic_constants(engine: CellEngine, minimum: CellMinimum, step: float) -> Elastic:
    value, error = _stacked(engine, minimum, minimum.frame.positions, minimum.frame.cell, _ionic_inverse(minimum), step)
    worst = error.max(axis=(1, 2))
    return Elastic(relaxed=value[0], clamped=value[1], relaxed_error=float(worst[0]), clamped_error=float(worst[1]), step=step)


def elastic_derivative(
    engine: CellEngine, model: Model, minimum: CellMinimum, names: tuple[str, ...], step: float, strain: float
) -> Elastic:
    """Total derivatives: cell and ions at rest at each value of the column, in axes that the symmetric strain from the minimum defines."""
    inverse = _ionic_inverse(minimum)
    zero = np.zeros(len(minimum.hessian))

    def constants(value: float) -> Array:
        frame = at(engine, model, minimum, names, value)
        y = chord(lambda point: frame.gradient(engine, point)[1], zero, minimum.inverse)
        return _stacked(engine, minimum, *frame.place(y), inverse, strain)[0]

    value, error = romberg(constants, base_value(model, minimum, names), step)
    engine.set_model(model)
    worst = error.max(axis=(1, 2))
    return Elastic(relaxed=value[0], clamped=value[1], relaxed_error=float(worst[0]), clamped_error=float(worst[1]), step=step)


def from_hessian(minimum: CellMinimum) -> tuple[Array, Array]:
    """The same relaxed and clamped constants from second derivatives of the energy by displacements and strain, a second opinion that
    strains nothing by hand. Only for a cell relaxed in full at a pressure P: d(stress) = dG/V + P tr(e) 1 - P e, G = dE/de, and the
    Hessian is that of the enthalpy, whose part by the volume, d2V = V (tr e)^2 - V tr(e e), is taken off again."""
    frame = minimum.frame
    size, pressure = frame.size, frame.pressure
    by_strain = minimum.hessian[size:, size:] * frame.scale**2
    mixed = minimum.hessian[:size, size:] * frame.scale
    strains = [unit_strain(k) for k in range(6)]
    volume_part = np.array([[np.trace(a) * np.trace(b) - np.sum(a * b) for b in strains] for a in strains])
    clamped = by_strain - pressure * minimum.volume * volume_part
    relaxed = clamped - mixed.T @ _ionic_inverse(minimum) @ mixed
    correction = np.array([voigt(np.trace(e) * np.eye(3) - e) for e in strains]).T * pressure
    return tuple((matrix / minimum.volume + correction) * GPA for matrix in (relaxed, clamped))  # type: ignore[return-value]


