"""A small branched molecule with bonds, and TOML of each bonded potential with numbers for all of its chains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from small_systems import force_field, structure

from md_sensitivity.building import build_system
from md_sensitivity.forcefields import ForceField
from md_sensitivity.forcefields.topology import Assignment, Pairs, Tuples
from md_sensitivity.system import EnergyFunction, energy_function
from md_sensitivity.types import Structure

BONDS = ((0, 1), (1, 2), (2, 3), (3, 4), (2, 5), (5, 6))
"""A chain of five atoms with a branch of two."""
TYPES = "ABABBAA"
PARAMETERS: dict[str, tuple[int, dict[str, float], str]] = {
    "harmonic_bond": (2, {"k": 21.0, "r0": 1.45}, "factor = 1.0"),
    "morse_bond": (2, {"D": 3.1, "alpha": 1.7, "r0": 1.4}, ""),
    "harmonic_angle": (3, {"k": 4.3, "theta0": 104.0}, ""),
    "urey_bradley": (3, {"k": 1.9, "r0": 2.4}, ""),
    "periodic_torsion": (4, {"k": 0.31, "phase": 25.0, "n": 3}, ""),
    "rb_torsion": (4, {"c0": 0.3, "c1": -0.2, "c2": 0.5, "c3": 0.11, "c4": -0.4, "c5": 0.23}, ""),
    "fourier_torsion": (4, {"F1": 0.21, "F2": -0.13, "F3": 0.4, "F4": 0.07}, ""),
    "harmonic_torsion": (4, {"k": 0.9, "phi0": 31.0}, "factor = 0.7"),
}
"""Bonded potential → atoms, numbers and options."""
SIZE = 6
"""Of correction maps."""


def molecule(seed: int = 1, bonds: Sequence[tuple[int, int]] = BONDS, types: str = TYPES) -> Structure:
    """Atoms about 1.5 Å apart along bonds, at random angles that are neither 0° nor 180°."""
    rng = np.random.default_rng(seed)
    while True:
        x = np.zeros((len(types), 3))
        for i, j in bonds:
            step = rng.normal(size=3)
            x[j] = x[i] + (1.5 + 0.1 * rng.normal()) * step / np.linalg.norm(step)
        near = np.linalg.norm(x[:, None] - x[None], axis=-1) + 9 * np.eye(len(x))
        if near.min() > 1.2:
            return replace(structure(x, types), bonds=np.array(bonds))


def chains(order: int, bonds: Sequence[tuple[int, int]] = BONDS) -> list[tuple[int, ...]]:
    """Chains of bonded atoms, each once, by search from every atom."""
    either = {*bonds, *((j, i) for i, j in bonds)}
    found = [tuple(pair) for pair in either]
    for _ in range(order - 2):
        found = [(*chain, j) for chain in found for i, j in either if i == chain[-1] and j not in chain]
    return [chain for chain in found if chain[0] < chain[-1]]


def numbers_of(potential: str, types: Sequence[str]) -> dict[str, float]:
    """The numbers of one chain of types, alike from either end."""
    values = PARAMETERS[potential][1]
    shift = 0.02 * sum((k + 1) * (len(types) - k) * (name == "B") for k, name in enumerate(types))
    return {name: value if name == "n" else value * (1.0 + shift) for name, value in values.items()}


def toml(potential: str) -> str:
    """Its TOML, with a table for each chain of types."""
    order, _, options = PARAMETERS[potential]
    lines = ["[[potential]]", f'style = "{potential}"', options]
    keys = {min(types, types[::-1]) for types in (tuple(TYPES[i] for i in chain) for chain in chains(order))}
    for types in sorted(keys):
        lines.append(f"[potential.parameters.{'-'.join(types)}]")
        lines += [f"{name} = {value!r}" for name, value in numbers_of(potential, types).items()]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Listed:
    """A typing that says the same of every structure of as many atoms."""

    names: tuple[tuple[str, tuple[str, ...]], ...] = ()
    tuples: tuple[tuple[str, Tuples], ...] = ()
    pairs: tuple[tuple[str, Pairs], ...] = ()

    def __call__(self, of: Structure) -> Assignment:
        found = dict(self.names)
        return Assignment(
            kinds=np.arange(of.size), species=of.types, names=found, tuples=dict(self.tuples), pairs=dict(self.pairs)
        )


def map_values(rows: int = 2) -> np.ndarray:
    """Random correction maps, shape=(rows, SIZE²)."""
    return np.random.default_rng(5).normal(scale=0.2, size=(rows, SIZE * SIZE))


def cmap_field() -> ForceField:
    """A correction map over two pairs of torsions of the molecule."""
    lines = ["[[potential]]", 'style = "cmap"', f"size = {SIZE}"]
    for row, values in zip("AB", map_values().tolist(), strict=True):
        lines += [f"[potential.parameters.{'-'.join(row * 8)}]", f"energy = {values!r}", f"scale = {1.3 if row == 'A' else 0.8}"]
    atoms = np.array([[0, 1, 2, 3, 1, 2, 3, 4], [1, 2, 5, 6, 6, 5, 2, 3], [4, 3, 2, 5, 3, 2, 5, 6]])
    typing = Listed(tuples=(("cmap", Tuples(atoms=atoms, rows=np.array([1, 0, 1]))),))
    return replace(force_field("\n".join(lines) + "\n"), typing=typing)


def field_of(potential: str) -> ForceField:
    """A force field of one bonded potential for the molecule."""
    return cmap_field() if potential == "cmap" else force_field(toml(potential))


def bound(field: ForceField, of: Structure, **options: Any) -> tuple[EnergyFunction, jax.Array, Any]:
    """(E, x, θ)."""
    system = build_system(of, field, **options)
    return energy_function(system), system.positions, jax.tree.map(jnp.asarray, field.parameters)


def angle(x: np.ndarray) -> float:
    """Angle of three atoms, by the law of cosines [rad]."""
    a, b, c = (float(np.linalg.norm(x[i] - x[j])) for i, j in ((0, 1), (1, 2), (0, 2)))
    return float(np.arccos((a * a + b * b - c * c) / (2 * a * b)))


def torsion(x: np.ndarray) -> float:
    """Torsion of four atoms: both ends, seen along the middle bond; positive where the far one is turned clockwise [rad]."""
    axis = (x[2] - x[1]) / np.linalg.norm(x[2] - x[1])
    near, far = (v - (v @ axis) * axis for v in (x[0] - x[1], x[3] - x[2]))
    return float(np.arctan2(np.cross(axis, near) @ far, near @ far))


def by_hand(potential: str, x: np.ndarray, p: Mapping[str, float]) -> float:
    """Energy of one chain as books write it [eV], angles of p in degrees."""
    if potential in ("harmonic_bond", "urey_bradley"):
        factor = 1.0 if potential == "harmonic_bond" else 0.5
        return float(factor * p["k"] * (np.linalg.norm(x[-1] - x[0]) - p["r0"]) ** 2)
    if potential == "morse_bond":
        return float(p["D"] * (1 - np.exp(-p["alpha"] * (np.linalg.norm(x[1] - x[0]) - p["r0"]))) ** 2)
    if potential == "harmonic_angle":
        return 0.5 * p["k"] * (angle(x) - np.radians(p["theta0"])) ** 2
    phi = torsion(x)
    if potential == "periodic_torsion":
        return float(p["k"] * (1 + np.cos(p["n"] * phi - np.radians(p["phase"]))))
    if potential == "rb_torsion":
        return float(sum(p[f"c{m}"] * np.cos(phi - np.pi) ** m for m in range(6)))
    if potential == "fourier_torsion":
        c = [np.cos(n * phi) for n in range(5)]
        return float(0.5 * (p["F1"] * (1 + c[1]) + p["F2"] * (1 - c[2]) + p["F3"] * (1 + c[3]) + p["F4"] * (1 - c[4])))
    away = (phi - np.radians(p["phi0"]) + np.pi) % (2 * np.pi) - np.pi
    return 0.7 * p["k"] * away**2


def bond_lengths(x: np.ndarray) -> list[float]:
    """Lengths along a chain."""
    return [float(np.linalg.norm(b - a)) for a, b in pairwise(x)]
