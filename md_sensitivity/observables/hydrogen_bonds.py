"""A smooth number of hydrogen bonds."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from md_sensitivity.errors import UsageError
from md_sensitivity.listed import nearest_images
from md_sensitivity.minimization import Equilibrium
from md_sensitivity.neighbors import on_device, pairs_within
from md_sensitivity.observables.base import Data, Observable, ObservableKind, geometry, system_of
from md_sensitivity.observables.molecules import bonds_of
from md_sensitivity.potentials.truncation import switch

DISTANCE = 2.5
"""H···A of half a bond [Å]. Source: Baker and Hubbard, doi:10.1016/0079-6107(84)90007-5."""
ANGLE = 120.0
"""D–H···A of half a bond [degrees], from the same source."""
_POWER = 12
_WIDTH = 0.1
"""Of the step in cos(D–H···A)."""
_FADE, _END = 5.0, 6.0
"""Between these distances H···A what is left of a bond, less than 0.0003, fades to nothing [Å]."""
_SLACK = 0.5
"""How much closer [Å] atoms may come before a triple is missing."""
_POLAR = (7, 8, 9, 16)
"""Nitrogen, oxygen, fluorine and sulfur give hydrogen bonds; all but sulfur take them."""


def _bind(equilibrium: Equilibrium, asked: Observable) -> Data:
    """All triples of a donor, its hydrogen and an acceptor near enough at the minimum."""
    system, structure = system_of(equilibrium, asked.name), asked.described()
    if system.units.reduced or not np.any(np.asarray(structure.numbers)):
        raise UsageError(f"observable {asked.name} needs atoms that are elements, with lengths in Å")
    bonds = bonds_of(equilibrium, asked)
    if not len(bonds):
        formats = "a format that lists them (PDB with CONECT, mol2), or a force field with bonds"
        raise UsageError(f"observable {asked.name} needs bonds: {formats}")
    numbers = np.asarray(structure.numbers)
    both = np.concatenate([bonds, bonds[:, ::-1]])
    donors = both[np.isin(numbers[both[:, 0]], _POLAR) & (numbers[both[:, 1]] == 1)]
    x, cell = equilibrium.positions[: system.size], np.asarray(system.cell)
    first, second, images = pairs_within(x, cell, system.pbc, _END + _SLACK)
    near = (numbers[first] == 1) & np.isin(numbers[second], _POLAR[:3])
    first, second, images = first[near], second[near], images[near]
    of_hydrogen: dict[int, list[int]] = {}
    for place, hydrogen in enumerate(first.tolist()):
        of_hydrogen.setdefault(hydrogen, []).append(place)
    triples, shifts = [], []
    for donor, hydrogen in donors.tolist():
        bond = nearest_images(x[None, [donor, hydrogen]], cell, system.pbc)[0, 1]
        for place in of_hydrogen.get(hydrogen, ()):
            if second[place] != donor:
                triples.append((donor, hydrogen, int(second[place])))
                shifts.append((bond @ cell, images[place] @ cell))
    masks = asked.masks(system.size)
    if masks:
        (a, b), ends = masks, [(donor, acceptor) for donor, _, acceptor in triples]
        kept = [k for k, (i, j) in enumerate(ends) if (a[i] and b[j]) or (b[i] and a[j])]
        triples, shifts = [triples[k] for k in kept], [shifts[k] for k in kept]
    return on_device({"atoms": np.array(triples, dtype=np.int64).reshape(-1, 3), "shift": np.array(shifts).reshape(-1, 2, 3)})


def _count(energy: Any, x: jax.Array, theta: Any, data: Data) -> jax.Array:
    """Σ s(r) t(θ), with s = 1/[1 + (r/2.5 Å)¹²] of H···A and t = 1/(1 + exp[(cos θ − cos 120°)/0.1]) of D–H···A."""
    here = geometry(energy, x)
    donor, hydrogen, acceptor = (here.positions[data["atoms"][:, k]] for k in range(3))
    shift = here.lattice(data["shift"])
    to_donor = donor - hydrogen - shift[:, 0]
    to_acceptor = acceptor - hydrogen + shift[:, 1]
    r = jnp.sqrt(jnp.sum(to_acceptor**2, axis=1))
    cosine = jnp.sum(to_donor * to_acceptor, axis=1) / (r * jnp.sqrt(jnp.sum(to_donor**2, axis=1)))
    by_distance = switch(r, jnp.asarray(_FADE), jnp.asarray(_END)) / (1.0 + (r / DISTANCE) ** _POWER)
    by_angle = jax.nn.sigmoid((math.cos(math.radians(ANGLE)) - cosine) / _WIDTH)
    return jnp.sum(by_distance * by_angle)


HYDROGEN_BONDS = ObservableKind(
    name="hydrogen_bonds",
    description="smooth number of hydrogen bonds D–H···A (H···A < 2.5 Å, angle > 120°), all or between two selections",
    unit="1",
    selections=2,
    optional=True,
    evaluate=_count,
    bind=_bind,
)
