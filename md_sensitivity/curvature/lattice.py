"""The response of the average crystal as a preconditioner: near a lattice H is almost the same everywhere, and waves almost diagonalize it.

Each atom belongs to the nearest site of a lattice that the structure itself shows. The average of H over all sites, D(q) for the wave
vector q, is inverted wave by wave: z = W F⁻¹ D(q)⁻¹ F Wᵀ r + s r, F meaning the discrete Fourier transform and W the sites of the atoms.
The number of iterations then depends on how much the environments differ, and no more on the size of the crystal.

Source: circulant preconditioning, Chan and Ng, doi:10.1137/S0036144594276474; D(q) is the dynamical matrix without masses, and its
inverse the lattice Green's function, Born and Huang, Dynamical Theory of Crystal Lattices (1954).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from md_sensitivity.compilation import program
from md_sensitivity.curvature.integer_lattices import diagonalized, spanned_basis
from md_sensitivity.energy import Assembled, Frame
from md_sensitivity.voigt import PLACES, VOIGT

_CLEAR, _FADED = 0.75, 0.5
"""Structure factors of planes of sites: 1 in a perfect lattice, 0.8 where atoms are a tenth of the spacing away; and of none."""
_SHORTEST = 0.1
"""Spacing of planes below which nothing is a lattice, in units of the cube root of the volume of an atom."""
_ATTEMPTS = 3
"""Numbers of planes that are tried along an axis; of bases with close atoms the first ones may let these share sites."""
_EMPTIEST = 4
"""Sites for each atom, at most: beyond, transforms cost more than the iterations that they save, and take memory."""
_FEW, _DRAWS = 24, 8
"""Atoms that are drawn to span the lattice, and how often."""
_SAMPLE = 400
"""Atoms that are asked where the planes are."""
_ROWS = 1024
"""Atoms whose springs are averaged."""
_SHARED = 0.05
"""Share of atoms that may find their site taken; more, and the lattice is none."""
_LOCAL = 0.3
"""Weight of r itself, in units of the stiffest wave: it serves what the average crystal does not know."""
_SMALLEST = 1e-6
"""Waves softer than this fraction of the stiffest are left out: rigid motions."""


@partial(jax.tree_util.register_dataclass, data_fields=["occupant", "site", "inverse", "free", "local"], meta_fields=["shape"])
@dataclass(frozen=True)
class Lattice:
    """The average crystal, ready to be applied.

    Attributes:
        occupant: the row of the atom at each site, or the number of rows where there is none, shape=(sites,).
        site: the site of each row, or the number of sites where a row has none, shape=(rows,).
        inverse: D(q)⁻¹, xx yy zz yz xz xy, six arrays of shape=(m₁, m₂, m₃ // 2 + 1).
        free: 1 where a coordinate may move, packed, shape=(3 · rows,).
        local: s.
        shape: sites along three directions of the lattice (m₁, m₂, m₃).
    """

    occupant: jax.Array
    site: jax.Array
    inverse: tuple[jax.Array, ...]
    free: jax.Array
    local: jax.Array
    shape: tuple[int, int, int]

    def __call__(self, r: jax.Array) -> jax.Array:
        """z for packed vectors, shape=(p, 3 · rows)."""
        inverse = [part.astype(r.dtype) for part in self.inverse]

        def answer(vector: jax.Array) -> jax.Array:
            at_sites = _padded(vector)[:, self.occupant].reshape(3, *self.shape)
            waves = jnp.fft.rfftn(at_sites, axes=(1, 2, 3))
            moved = jnp.stack([sum(inverse[place] * waves[c] for c, place in enumerate(row)) for row in PLACES])
            return _padded(jnp.fft.irfftn(moved, s=self.shape, axes=(1, 2, 3)).reshape(3, -1))[:, self.site]

        # On a CPU one vector after the other: its waves stay in the cache.
        together = None if jax.default_backend() == "cpu" else len(r)
        free = self.free.astype(r.dtype)
        found = jax.lax.map(answer, (r * free).reshape(len(r), 3, -1), batch_size=together)
        return found.reshape(r.shape) * free + self.local.astype(r.dtype) * r


def _padded(vector: jax.Array) -> jax.Array:
    """With a zero at the end, for those that have no place."""
    return jnp.pad(vector, ((0, 0), (0, 1)))


def lattice_sites(x: np.ndarray, cell: np.ndarray) -> tuple[tuple[int, int, int], np.ndarray] | None:
    """The lattice that a structure shows, and the site of each atom; None where it shows none.

    Args:
        x: positions, shape=(n, 3) [Å].
        cell: rows are the lattice vectors of a cell that repeats along all three, shape=(3, 3) [Å].

    Returns:
        The numbers of sites along three directions (m₁, m₂, m₃), and the site of each atom, counted with the last direction running
        fastest, −1 where it has none, shape=(n,).
    """
    fractional = x @ np.linalg.inv(cell)
    some = fractional[np.random.default_rng(0).permutation(len(x))[:_SAMPLE]]
    heights = 1.0 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    shortest = _SHORTEST * (abs(np.linalg.det(cell)) / len(x)) ** (1.0 / 3.0)
    choices = [_planes(some[:, axis], max(int(heights[axis] / shortest), 1)) for axis in range(3)]
    if not all(choices):
        return None
    for attempt in range(max(len(each) for each in choices)):
        planes = [each[min(attempt, len(each) - 1)] for each in choices]
        m = np.array([count for count, _ in planes])
        place = np.rint(fractional * m - np.array([offset for _, offset in planes])).astype(np.int64) % m
        shape, coordinates = _without_empty_sites(place, m)
        if np.prod(shape) > _EMPTIEST * len(x):
            continue
        inside = coordinates[:, 0] >= 0
        site = np.where(inside, np.ravel_multi_index(tuple(np.maximum(coordinates, 0).T), shape), -1)
        if len(np.unique(site[inside])) >= (1.0 - _SHARED) * len(x):
            return shape, site
    return None


def _planes(fractional: np.ndarray, most: int) -> list[tuple[int, float]]:
    """Numbers of planes along one axis that the structure factor shows, and where the first plane is, as a share of their distance.

    Args:
        fractional: coordinates along the axis, shape=(s,).
        most: the largest number that is tried.
    """
    factors = np.exp(2j * np.pi * np.outer(np.arange(1, most + 2), fractional)).mean(axis=1)
    sizes = np.abs(factors)
    found = []
    # Around zero the structure factor is that of the whole body, which says nothing about planes: maxima count after it has faded.
    begin = int(np.argmax(sizes < _FADED)) if np.any(sizes < _FADED) else most
    for k in range(max(begin, 1), most):
        if sizes[k] > _CLEAR and sizes[k] >= sizes[k - 1] and sizes[k] >= sizes[k + 1]:
            found.append((k + 1, float(np.angle(factors[k])) / (2.0 * np.pi)))
    if not found and sizes[0] > _CLEAR:
        found.append((1, float(np.angle(factors[0])) / (2.0 * np.pi)))  # a single layer
    return found[:_ATTEMPTS]


def _without_empty_sites(place: np.ndarray, m: np.ndarray) -> tuple[tuple[int, int, int], np.ndarray]:
    """Coordinates within the lattice that atoms occupy, which in fcc or bcc crystals is only a part of all crossings of the planes.

    Args:
        place: crossing of planes of each atom, shape=(n, 3).
        m: numbers of planes, shape=(3,).

    Returns:
        The numbers of sites along three directions of the lattice, and coordinates, shape=(n, 3), −1 for atoms that are not on it.
    """
    rng = np.random.default_rng(1)
    some = place[rng.permutation(len(place))[:_SAMPLE]]
    basis, origin = np.eye(3, dtype=np.int64), some[0]
    # A few atoms span the lattice; several draws, because an interstitial among them spans a finer one.
    for _ in range(_DRAWS):
        few = some[rng.permutation(len(some))[:_FEW]]
        spanned = spanned_basis(np.vstack([few - few[0], np.diag(m)]))
        along = (some - few[0]) @ np.linalg.inv(spanned)
        members = np.all(np.abs(along - np.rint(along)) < 1e-6, axis=1)
        if members.mean() > 1.0 - _SHARED and abs(np.linalg.det(spanned)) > abs(np.linalg.det(basis)) + 0.5:
            basis, origin = spanned, few[0]
    if abs(round(float(np.linalg.det(basis)))) == 1:
        return tuple(m.tolist()), place
    to_basis = np.linalg.inv(basis)
    sites, turned = diagonalized(np.rint(np.diag(m) @ to_basis))
    along = (place - origin) @ to_basis
    on_lattice = np.all(np.abs(along - np.rint(along)) < 1e-6, axis=1)
    coordinates = (np.rint(along).astype(np.int64) @ turned) % sites
    return tuple(sites.tolist()), np.where(on_lattice[:, None], coordinates, -1)


@program
def _springs(stored: Assembled, rows: jax.Array) -> tuple[tuple[jax.Array, jax.Array, tuple[jax.Array, ...]], ...]:
    return stored.springs(rows)


def _average(stored: Assembled, shape: tuple[int, int, int], site: np.ndarray) -> list[np.ndarray]:
    """D(q) of the average crystal, xx yy zz yz xz xy, shape=(m₁, m₂, m₃ // 2 + 1) each."""
    n, m = len(site), np.array(shape)
    rows = np.sort(np.random.default_rng(0).permutation(np.flatnonzero(site >= 0))[:_ROWS])
    place = np.stack(np.unravel_index(np.maximum(site, 0), shape), axis=1)
    total = np.zeros((6, int(m.prod())))
    for first, second, springs in _springs(stored, jnp.asarray(rows)):
        # Rows that pad the arrays have no springs, so that any place serves them; springs to atoms without a site are left out.
        one, other = (np.minimum(np.asarray(index), n - 1) for index in (first, second))
        away = (place[other] - place[one]) % m
        counted = (site[one] >= 0) & (site[other] >= 0)
        step = ((away[..., 0] * m[1] + away[..., 1]) * m[2] + away[..., 2]).ravel()
        for k, spring in enumerate(springs):
            total[k] += np.bincount(step, weights=(np.asarray(spring) * counted).ravel(), minlength=total.shape[1])
    total /= len(rows)
    # Each pair is seen from both ends only on average: the real part of the transform makes it exact.
    return [spring.sum() - np.fft.rfftn(spring.reshape(shape)).real for spring in total]


def lattice_response(stored: Assembled, x: np.ndarray, frame: Frame) -> Lattice | None:
    """The average crystal of a stored Hessian at positions x, shape=(n, 3) [Å]; None where the structure shows no lattice."""
    atoms = len(x) if frame.atoms is None else int(frame.atoms)
    if frame.periodic is None or not np.all(np.asarray(frame.periodic)):
        return None
    found = lattice_sites(x[:atoms], np.asarray(frame.cell))
    if found is None:
        return None
    shape, site = found
    average = _average(stored, shape, site)
    matrix = np.stack([np.stack([average[place] for place in row], axis=-1) for row in PLACES], axis=-2)
    values, vectors = np.linalg.eigh(matrix)
    largest = float(values.max())
    kept = values > _SMALLEST * largest
    scaled = np.where(kept, 1.0 / np.where(kept, values, 1.0), 0.0)
    inverse = (vectors * scaled[..., None, :]) @ np.swapaxes(vectors, -1, -2)
    free = stored.pack(jnp.asarray(frame.free).reshape(1, -1))[0]
    rows, sites = free.size // 3, int(np.prod(shape))
    occupant, place = np.full(sites, rows, dtype=np.int32), np.full(rows, sites, dtype=np.int32)
    occupant[site[site >= 0]] = np.flatnonzero(site >= 0)
    # Of several atoms at one site one keeps it; the others have the local part only.
    owner = (site >= 0) & (occupant[site] == np.arange(atoms))
    place[:atoms][owner] = site[owner]
    return Lattice(
        jnp.asarray(occupant),
        jnp.asarray(place),
        tuple(jnp.asarray(inverse[..., a, b]) for a, b in VOIGT),
        free,
        jnp.asarray(_LOCAL / largest),
        shape,
    )
