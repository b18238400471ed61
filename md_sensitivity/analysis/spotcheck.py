"""Which directions are checked by re-minimized differences: the most responsive parameters, and one random direction over all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import numpy as np

from md_sensitivity.analysis.differences import Direction, Rebuild
from md_sensitivity.analysis.parameters import Selection
from md_sensitivity.analysis.sensitivity import FORWARD, Parts
from md_sensitivity.building import build_system
from md_sensitivity.energy import Energy
from md_sensitivity.enthalpy import EnthalpyFunction
from md_sensitivity.forcefields import ForceField, ParameterTable, native_toml, parse_native
from md_sensitivity.minimization import Equilibrium
from md_sensitivity.system import EnergyFunction, energy_function
from md_sensitivity.types import Structure

RANDOM = "random direction over all parameters"
LARGEST_TEXT = 5000
"""Parameters up to which each force field of a difference is written out and read again."""


def rebuilder(structure: Structure, force_field: ForceField, equilibrium: Equilibrium, dimensions: int) -> Rebuild:
    """θ → energy of the force field written out with θ, read again, and bound to the structure anew.

    Whatever was frozen into the first system when it was built (mixing, cutoffs, switches) is built from the new values here.
    """

    reference = equilibrium.energy
    system = reference.system if isinstance(reference, EnergyFunction | EnthalpyFunction) else None
    padded = system is not None and system.atoms is not None
    devices = None if system is None or system.mesh is None else tuple(system.mesh.devices.flat)

    def rebuild(theta: Any) -> Energy:
        parameters = jax.tree.map(np.asarray, theta)
        fresh = _written_and_read(force_field.with_parameters(parameters))
        energy = energy_function(build_system(structure, fresh, dimensions=dimensions, padded=padded, devices=devices))
        if isinstance(reference, EnthalpyFunction):
            # Derivatives have the axes of the minimum, to which perturbed cells are symmetric; from the input's cell they would turn.
            return reference.of(energy.system).like(replace(reference, origin=reference.system.cell))
        return energy.like(reference) if isinstance(reference, EnergyFunction) else energy

    return rebuild


def _written_and_read(force_field: ForceField) -> ForceField:
    """The force field from its own text; itself where this has very many numbers, or where a topology or a model says all."""
    if len(force_field.table) > LARGEST_TEXT or force_field.foreign or force_field.typing is not None:
        return force_field
    # The conversion constants belong to the file the user gave, which may be LAMMPS's.
    return replace(parse_native(native_toml(force_field), force_field.path or force_field.name), units=force_field.units)


def spot_checks(
    selection: Selection, force_field: ForceField, parts: Parts, differentiable: Sequence[int], count: int, seed: int
) -> list[Direction]:
    """The `count` most responsive parameters, then one random direction over all of them.

    Args:
        differentiable: indices of the observables whose derivative exists.
    """
    scales, names = selection.scales, selection.names
    defined = np.array([name not in selection.undefined for name in names], dtype=bool)
    if count <= 0 or not np.any(defined):
        return []
    responsive = np.argsort(np.where(defined, -_weights(parts) * scales, np.inf), kind="stable")
    chosen = responsive[: min(count, int(np.sum(defined)))]
    vectors = [(names[i], np.where(np.arange(len(scales)) == i, 1.0, 0.0)) for i in chosen]
    vectors.append((RANDOM, np.where(defined, np.random.default_rng(seed).normal(size=len(scales)) * scales, 0.0)))
    return [_direction(name, vector, selection, force_field, parts, differentiable) for name, vector in vectors]


def _weights(parts: Parts) -> np.ndarray:
    """How much each parameter moves, shape=(p,)."""
    if parts.mode == FORWARD:
        return np.linalg.norm(np.asarray(parts.response.solution), axis=1)
    totals = ((d + r).reshape(len(d), -1) for d, r in zip(parts.direct, parts.relaxation, strict=True))
    return np.sum([np.linalg.norm(total, axis=1) for total in totals], axis=0)


def _direction(
    name: str, vector: np.ndarray, selection: Selection, force_field: ForceField, parts: Parts, differentiable: Sequence[int]
) -> Direction:
    """A direction with what the implicit derivative predicts along it, turned inward where a parameter is at its bound."""
    table, own = force_field.table, list(selection.indices)
    low, high = (vector != 0) & (table.values[own] <= table.lower[own]), (vector != 0) & (table.values[own] >= table.upper[own])
    vector = np.where(low, np.abs(vector), np.where(high, -np.abs(vector), vector))
    one_sided = bool(np.any(low | high))
    full = selection.steps.combined(vector)
    room = _room(table, full, one_sided=one_sided)
    response = None
    if parts.mode == FORWARD:
        response = jax.tree.map(lambda leaf: np.tensordot(vector, np.asarray(leaf), axes=1), parts.response.value)
    pairs = [tuple(np.tensordot(vector, part[k], axes=1) for part in (parts.direct, parts.relaxation)) for k in differentiable]
    referred = [float(np.linalg.norm(np.tensordot(vector, parts.referred[k], axes=1))) if parts.referred else 0.0 for k in differentiable]
    # A bound nearer than the usual step shortens it.
    size = max(float(np.max(np.abs(vector) / selection.scales)), 1e-3 / (0.5 * room) if np.isfinite(room) and room > 0 else 0.0)
    return Direction(
        name=name,
        tree=table.unravel(full),
        size=size,
        one_sided=one_sided,
        response=response,
        totals=tuple(direct + relaxation for direct, relaxation in pairs),
        parts=tuple(float(np.linalg.norm(direct)) + size for (direct, _), size in zip(pairs, referred, strict=True)),
        consistent=partial(_consistent, force_field),
    )


def _room(table: ParameterTable, full: np.ndarray, *, one_sided: bool) -> float:
    """How far one may go along a direction, both ways or forward alone, before a number leaves its bounds."""
    rates = np.abs(full)
    with np.errstate(divide="ignore", invalid="ignore"):
        up = np.where((full > 0) | ((full != 0) & (not one_sided)), (table.upper - table.values) / rates, np.inf)
        down = np.where((full < 0) | ((full != 0) & (not one_sided)), (table.values - table.lower) / rates, np.inf)
    return float(min(np.min(up, initial=np.inf), np.min(down, initial=np.inf)))


def _consistent(force_field: ForceField, theta: Any) -> Any:
    return force_field.with_parameters(theta).parameters if len(force_field.relations) else theta
