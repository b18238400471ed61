"""An approximation of the inverse Hessian of molecules near a minimum: inverses of its blocks for groups of near atoms (block Jacobi).

Small molecules that lie together are a group; long ones are cut along their chain, where the fewest bonds are cut. Groups that overlap
along bonds were tried: with each atom counted in shares they take twice the iterations. What acts between all atoms is left out; a sum
that is split into a part between neighbors and one over waves is split so that hardly anything is left to the waves.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from md_sensitivity.bound import BoundTerm
from md_sensitivity.compilation import program
from md_sensitivity.neighbors import on_device
from md_sensitivity.potentials.base import PairForm
from md_sensitivity.stiffness import Group, Stiffness, molecules, tuple_pieces
from md_sensitivity.stored import StoredHessian, stored_hessian
from md_sensitivity.voigt import PLACES

if TYPE_CHECKING:
    from md_sensitivity.system import System

Theta = Any

LARGEST = 400
"""Atoms of a group."""
SMALLEST = 96
"""Atoms of a group in systems of any size."""
_NUMBERS = 24_000_000
"""About so many numbers all inverses together may have; they are read in each iteration."""
_SOFTEST = 0.03
"""Smallest curvature of a group that is not positive by itself [eV/Å²]."""
_MULTIPLE = 16
"""Sizes of groups are multiples of this, so that few programs serve all."""


def local_response(system: System, x: jax.Array, theta: Theta) -> Stiffness:
    """The approximation at concrete positions x, shape=(n, 3) [Å], for a system with bonds on one device."""
    near = replace(
        system,
        terms=tuple(_localized(term) for term in system.terms),
        listed=tuple(replace(listed, term=_localized(listed.term)) for listed in system.listed),
        fields=(),
    )
    stored: StoredHessian = jax.tree.map(np.asarray, _stored(near, x, theta))
    blocks = _Blocks(stored)
    classes: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}
    n = len(system.positions)
    for group in _groups(system, np.asarray(x)):
        size = -(-len(group) // _MULTIPLE) * _MULTIPLE
        members = np.pad(group, (0, size - len(group)), constant_values=n)
        inverse = blocks.inverse(group)
        padded = np.zeros((3 * size, 3 * size))
        padded[: len(inverse), : len(inverse)] = inverse
        classes.setdefault(size, []).append((members, padded))
    return on_device(  # type: ignore[no-any-return]
        Stiffness(tuple(Group(*(np.stack(part) for part in zip(*found, strict=True))) for _, found in sorted(classes.items())))  # type: ignore[arg-type]
    )


def _localized(term: BoundTerm) -> BoundTerm:
    """The term, with next to nothing left to waves."""
    if not isinstance(term.form, PairForm) or term.form.localized is None:
        return term
    return replace(term, options=tuple(term.form.localized(dict(term.options)).items()))


@program
def _stored(system: System, x: jax.Array, theta: Theta) -> StoredHessian:
    return stored_hessian(system.parts, system.kinds, system.free, x, theta)


class _Blocks:
    """The Hessian on the host, of which the blocks of groups are taken."""

    def __init__(self, stored: StoredHessian) -> None:
        rows = stored.free.shape[1]
        self.free = stored.free[:, : stored.size].T
        self.size = stored.size
        self.diagonal = [stored.diagonal[place][: stored.size] for row in PLACES for place in row] if stored.diagonal else []
        self.pairs = [(np.concatenate([np.arange(rows), term.source])[term.index], term.block) for term in stored.pairs]
        pieces = [piece for term in stored.tuples for piece in tuple_pieces(np.asarray(term.tuples.atoms), term.block, convex=False)]
        first, second = (np.concatenate([piece[side] for piece in pieces]) for side in (0, 1))
        block = np.concatenate([piece[2] for piece in pieces])
        order = np.argsort(first, kind="stable")
        self.second, self.block = second[order], block[order]
        self.begin = np.searchsorted(first[order], np.arange(self.size + 1))

    def inverse(self, group: np.ndarray) -> np.ndarray:
        """Inverse of the block of a group of atoms, zero for frozen coordinates, shape=(3s, 3s) [Å²/eV]."""
        side = 3 * len(group)
        local = np.full(self.size + 1, -1)
        local[group] = np.arange(len(group))
        total = np.zeros(side * side)

        def add(i: np.ndarray, j: np.ndarray, block: np.ndarray) -> None:
            first = (i * side * 3 + 3 * j)[:, None, None] + np.arange(3)[None, :, None] * side + np.arange(3)
            total[:] += np.bincount(first.reshape(-1), weights=block.reshape(-1), minlength=side * side)

        for near, block in self.pairs:
            place = local[np.minimum(near[group], self.size)]
            i, e = np.nonzero(place >= 0)
            k = [part[group[i], e] for part in block]
            add(i, place[i, e], -np.stack([k[entry] for row in PLACES for entry in row], axis=-1).reshape(-1, 3, 3))
        if self.diagonal:
            own = np.arange(len(group))
            add(own, own, np.stack([part[group] for part in self.diagonal], axis=-1).reshape(-1, 3, 3))
        taken = np.concatenate([np.arange(self.begin[atom], self.begin[atom + 1]) for atom in group])
        place, owner = local[self.second[taken]], np.repeat(np.arange(len(group)), self.begin[group + 1] - self.begin[group])
        inside = place >= 0
        add(owner[inside], place[inside], self.block[taken[inside]])
        mask = self.free[group].reshape(-1)
        matrix = total.reshape(side, side) * mask[:, None] * mask + np.diag(1.0 - mask)
        return _positive_inverse(0.5 * (matrix + matrix.T)) * mask[:, None] * mask


def _positive_inverse(matrix: np.ndarray) -> np.ndarray:
    """The inverse of a symmetric matrix, of one that is not positive with its eigenvalues made so."""
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(matrix)
        return np.asarray((vectors / np.maximum(np.abs(values), _SOFTEST)) @ vectors.T)
    return np.asarray(np.linalg.inv(matrix))


def _groups(system: System, x: np.ndarray) -> list[np.ndarray]:
    """Atoms of each group."""
    count = system.size
    largest = min(LARGEST, max(SMALLEST, _NUMBERS // (9 * count)))
    cell, periodic = np.asarray(system.cell), np.asarray(system.pbc)
    groups, small = [], []
    for molecule in molecules(system):
        if len(molecule) > largest:
            groups += np.array_split(molecule, -(-len(molecule) // largest))
        else:
            small.append(molecule)
    if not small:
        return groups
    fractions = x[[molecule[0] for molecule in small]] @ np.linalg.inv(cell)
    places = (fractions - np.floor(fractions) * periodic) @ cell
    return groups + [np.sort(np.concatenate(part)) for part in _divided(small, places, largest)]


def _divided(molecules: list[np.ndarray], places: np.ndarray, largest: int) -> list[list[np.ndarray]]:
    """Molecules in halves of halves, across the longest extent, until none has more atoms than that."""
    sizes = np.array([len(molecule) for molecule in molecules])
    if sizes.sum() <= largest:
        return [molecules]
    order = np.argsort(places[:, np.argmax(np.ptp(places, axis=0))], kind="stable")
    middle = min(max(1, int(np.searchsorted(np.cumsum(sizes[order]), sizes.sum() / 2.0))), len(order) - 1)
    halves = order[:middle], order[middle:]
    return [group for half in halves for group in _divided([molecules[k] for k in half], places[half], largest)]
