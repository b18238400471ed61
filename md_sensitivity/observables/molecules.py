"""Bonds of a system, and its molecules in one piece, for observables that need them."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, connected_components

from md_sensitivity.errors import UsageError
from md_sensitivity.listed import nearest_images
from md_sensitivity.minimization import Equilibrium
from md_sensitivity.observables.base import Observable, system_of


def bonds_of(equilibrium: Equilibrium, asked: Observable) -> np.ndarray:
    """Pairs of bonded atoms, shape=(m, 2): those of the force field, or else of the structure; none where neither has any."""
    system = system_of(equilibrium, asked.name)
    found = [
        np.asarray(each.tuples.atoms)[np.asarray(each.tuples.mask)]
        for each in system.listed
        if each.scales is None and each.tuples.atoms.shape[1] == 2
    ]
    if not found and asked.structure is not None:
        found = [np.asarray(asked.structure.bonds)]
    return np.concatenate([np.zeros((0, 2), dtype=np.int64), *found]).astype(np.int64)


def whole_molecules(equilibrium: Equilibrium, asked: Observable) -> tuple[np.ndarray, np.ndarray]:
    """Molecule of each atom, shape=(n,), and the lattice vectors that bring the atoms of each together, shape=(n, 3) [Å].

    Where nothing is periodic all atoms are one molecule, as they stand.

    Raises:
        UsageError: where a periodic structure has no bonds, or is bonded to its own images.
    """
    system = system_of(equilibrium, asked.name)
    size, x, cell = len(system.positions), equilibrium.positions, np.asarray(system.cell)
    if not any(system.pbc):
        return np.zeros(size, dtype=np.int64), np.zeros((size, 3))
    bonds = bonds_of(equilibrium, asked)
    if not len(bonds):
        raise UsageError(f"observable {asked.name}: the structure is periodic, and without bonds no images are known to belong together")
    graph = coo_array((np.ones(len(bonds)), (bonds[:, 0], bonds[:, 1])), shape=(size, size)).tocsr()
    count, molecule = connected_components(graph, directed=False)
    image = np.zeros((size, 3))
    _, first = np.unique(molecule, return_index=True)
    for start in first[np.bincount(molecule, minlength=count) > 1].tolist():
        order, before = breadth_first_order(graph, start, directed=False)
        for atom in order[1:].tolist():
            step = nearest_images(x[None, [before[atom], atom]], cell, system.pbc)[0, 1]
            image[atom] = image[before[atom]] + step
    closed = nearest_images(x[bonds], cell, system.pbc)[:, 1]
    if np.any(np.abs(image[bonds[:, 1]] - image[bonds[:, 0]] - closed) > 0.5):
        raise UsageError(f"observable {asked.name} is for molecules, and this structure is bonded to its own periodic images")
    return molecule, image @ cell
