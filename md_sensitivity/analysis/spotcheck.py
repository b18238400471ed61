"""Which directions are checked by re-minimized differences: the most responsive parameters, and one random direction over all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from md_sensitivity.analysis.differences import Direction, Rebuild
from md_sensitivity.analysis.parameters import Selection, stacked
from md_sensitivity.analysis.sensitivity import FORWARD, Parts
from md_sensitivity.energy import Energy
from md_sensitivity.forcefields import ForceField, native_toml, parse_native
from md_sensitivity.minimization import Equilibrium
from md_sensitivity.system import EnergyFunction, build_system, energy_function
from md_sensitivity.types import Structure

RANDOM = "random direction over all parameters"


def rebuilder(structure: Structure, force_field: ForceField, equilibrium: Equilibrium, dimensions: int) -> Rebuild:
    """θ → energy of the force field written out with θ, read again, and bound to the structure anew.

    Whatever was frozen into the first system when it was built (mixing, cutoffs, switches) is built from the new values here.
    """

    system = equilibrium.energy.system if isinstance(equilibrium.energy, EnergyFunction) else None
    padded = system is not None and system.atoms is not None
    devices = None if system is None or system.mesh is None else tuple(system.mesh.devices.flat)

    def rebuild(theta: Any) -> Energy:
        parameters = jax.tree.map(np.asarray, theta)
        text = native_toml(force_field.with_parameters(parameters))
        # The conversion constants belong to the file the user gave, which may be LAMMPS's.
        fresh = replace(parse_native(text, force_field.path or force_field.name), units=force_field.units)
        energy = energy_function(build_system(structure, fresh, dimensions=dimensions, padded=padded, devices=devices))
        reference = equilibrium.energy
        return energy.like(reference) if isinstance(reference, EnergyFunction) else energy

    return rebuild


def spot_checks(
    selection: Selection, force_field: ForceField, parts: Parts, differentiable: Sequence[int], count: int, seed: int
) -> list[Direction]:
    """The `count` most responsive parameters, then one random direction over all of them.

    Args:
        differentiable: indices of the observables whose derivative exists.
    """
    defined = [i for i, row in enumerate(selection.rows) if row.name not in selection.undefined]
    if count <= 0 or not defined:
        return []
    scales = selection.scales
    ranked = sorted(defined, key=lambda i: -_weight(parts, i) * scales[i])
    vectors = [(selection.rows[i].name, np.eye(len(scales))[i]) for i in ranked[:count]]
    random = np.random.default_rng(seed).normal(size=len(scales)) * scales
    random[[i for i in range(len(scales)) if i not in defined]] = 0.0
    vectors.append((RANDOM, random))
    return [_direction(name, vector, selection, force_field, parts, differentiable) for name, vector in vectors]


def _weight(parts: Parts, index: int) -> float:
    if parts.mode == FORWARD:
        return float(np.linalg.norm(np.asarray(parts.response.solution)[index]))
    return float(sum(np.linalg.norm(d[index] + r[index]) for d, r in zip(parts.direct, parts.relaxation, strict=True)))


def _direction(
    name: str, vector: np.ndarray, selection: Selection, force_field: ForceField, parts: Parts, differentiable: Sequence[int]
) -> Direction:
    """A direction with what the implicit derivative predicts along it, turned inward where a parameter is at its bound."""
    vector = vector.copy()
    one_sided = False
    room = np.inf
    for i, row in enumerate(selection.rows):
        low, high = row.bounds
        if vector[i] == 0:
            continue
        if row.value <= low or row.value >= high:
            vector[i] = abs(vector[i]) if row.value <= low else -abs(vector[i])
            one_sided = True
    for i, row in enumerate(selection.rows):
        if vector[i] != 0:
            ends = [end for end, sign in ((row.bounds[1], 1), (row.bounds[0], -1)) if not one_sided or sign * vector[i] > 0]
            room = min([room, *(abs(end - row.value) / abs(vector[i]) for end in ends)])
    full = np.zeros(len(force_field.table))
    full[list(selection.indices)] = vector
    response = None
    if parts.mode == FORWARD:
        response = jax.tree.map(lambda leaf: np.tensordot(vector, np.asarray(leaf), axes=1), parts.response.value)
    totals = tuple(
        np.tensordot(vector, parts.direct[k] + parts.relaxation[k], axes=1) for k in differentiable
    )
    # A bound nearer than the usual step shortens it.
    size = max(float(np.max(np.abs(vector) / selection.scales)), 1e-3 / (0.5 * room) if np.isfinite(room) and room > 0 else 0.0)
    tree = jax.tree.map(lambda leaf: leaf[0], stacked(force_field, full[None]))
    return Direction(name=name, tree=tree, size=size, one_sided=one_sided, response=response, totals=totals)
