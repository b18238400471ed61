"""Distances, angles and dihedrals between atoms, each step of the path to the nearest periodic image."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from md_sensitivity.errors import UsageError
from md_sensitivity.minimization import Equilibrium
from md_sensitivity.neighbors import on_device
from md_sensitivity.observables.base import Data, Observable, ObservableKind, geometry, system_of

_NEARLY = 1e-5
"""Closer than this [rad] to a straight or folded angle its derivative is taken not to exist."""


def _bind(equilibrium: Equilibrium, asked: Observable) -> Data:
    from ase.geometry import find_mic

    atoms = asked.atoms
    if any(a == b for a, b in pairwise(atoms)) or (len(atoms) == 3 and atoms[0] == atoms[2]):
        raise UsageError(f"an internal coordinate needs different atoms, not {'-'.join(map(str, atoms))}")
    system = system_of(equilibrium, "distance")
    x = equilibrium.positions
    steps = np.array([x[b] - x[a] for a, b in pairwise(atoms)])
    # ASE's search needs the vectors of axes that are not periodic at right angles to the others, as the system's cell has them.
    nearest, _ = find_mic(steps, np.asarray(system.cell), pbc=list(system.pbc))
    path = nearest
    if len(atoms) == 4:
        first, last = np.cross(path[0], path[1]), np.cross(path[1], path[2])
        sizes = [np.linalg.norm(first) / (np.linalg.norm(path[0]) * np.linalg.norm(path[1]))]
        sizes.append(np.linalg.norm(last) / (np.linalg.norm(path[2]) * np.linalg.norm(path[1])))
        if min(sizes) < _NEARLY:
            raise UsageError(f"the dihedral {'-'.join(map(str, atoms))} does not exist: three of its atoms stand on one line")
    return on_device({"atoms": np.asarray(atoms), "shift": nearest - steps})


def _steps(energy: Any, x: Any, data: Data) -> jax.Array:
    """Vectors along the path of atoms, shape=(m − 1, 3) [Å]."""
    here = geometry(energy, x)
    path = here.positions[data["atoms"]]
    return path[1:] - path[:-1] + here.lattice(data["shift"])


def _distance(energy: Any, x: jax.Array, theta: Any, data: Data) -> jax.Array:
    step = _steps(energy, x, data)[0]
    return jnp.sqrt(jnp.sum(step * step))


def _angle(energy: Any, x: jax.Array, theta: Any, data: Data) -> jax.Array:
    first, second = _steps(energy, x, data)
    cross = jnp.cross(-first, second)
    square = jnp.sum(cross * cross)
    straight = square == 0
    sine = jnp.where(straight, 0.0, jnp.sqrt(jnp.where(straight, 1.0, square)))
    return jnp.degrees(jnp.arctan2(sine, jnp.dot(-first, second)))


def _dihedral(energy: Any, x: jax.Array, theta: Any, data: Data) -> jax.Array:
    # IUPAC sign; atan2 of the triple product is exact at all angles (Blondel and Karplus, doi:10.1002/(SICI)1096-987X(19960715)17:9<1132).
    b1, b2, b3 = _steps(energy, x, data)
    n1, n2 = jnp.cross(b1, b2), jnp.cross(b2, b3)
    length = jnp.sqrt(jnp.sum(b2 * b2))
    return jnp.degrees(jnp.arctan2(length * jnp.dot(b1, n2), jnp.dot(n1, n2)))


def _straight(value: np.ndarray) -> str:
    folded = min(float(value), 180.0 - float(value)) < np.degrees(_NEARLY)
    return "the derivative of an angle does not exist where it is 0° or 180°" if folded else ""


DISTANCE = ObservableKind(
    name="distance", description="distance i-j, nearest image", unit="Å", arguments=2, evaluate=_distance, bind=_bind
)
ANGLE = ObservableKind(
    name="angle",
    description="angle i-j-k at j",
    unit="degrees",
    arguments=3,
    evaluate=_angle,
    bind=_bind,
    undefined=_straight,
)
DIHEDRAL = ObservableKind(
    name="dihedral",
    description="dihedral i-j-k-l in (−180, 180], IUPAC sign",
    unit="degrees",
    arguments=4,
    evaluate=_dihedral,
    bind=_bind,
)
