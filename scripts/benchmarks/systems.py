"""The crystals that are measured: rattled fcc argon, of one species or of four with a Lennard-Jones pair each (20 parameters)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np

LATTICE = 5.26
"""Edge of the cubic cell of four atoms [Å]."""
CUTOFF = 8.7
"""Between the fifth shell of neighbors (8.32 Å) and the sixth (9.11 Å), so that each atom has 78 and no pair is near the cutoff [Å]."""
NEIGHBORS = 78
RATTLE = 0.05
"""Standard deviation of each coordinate of the start [Å]."""
SIGMA, EPSILON = 3.405, 0.01032
"""Argon [Å, eV]."""
ARGON, ALLOY = ("Ar",), ("A", "B", "C", "D")
_SPREAD = {"sigma": 0.006, "epsilon": 0.1}
"""Relative distance between the values of one pair of species and the next, from the mean."""

SMALLEST, SMALL, MIDDLE, LARGE = 500, 4000, 32000, 108000
ON_GPU = (256000, 1000188)


@dataclass(frozen=True, kw_only=True)
class Crystal:
    """Positions of a rattled fcc crystal and the Lennard-Jones parameters of its species.

    Attributes:
        positions: shape=(n, 3) [Å].
        edge: of the periodic cube [Å].
        kinds: index into `species` of each atom, shape=(n,).
        species: names of the types.
        pairs: pairs of types, first not after second, in the order of `sigma` and `epsilon`.
        sigma: of each pair [Å].
        epsilon: of each pair [eV].
    """

    positions: np.ndarray
    edge: float
    kinds: np.ndarray
    species: tuple[str, ...]
    pairs: tuple[tuple[int, int], ...]
    sigma: np.ndarray
    epsilon: np.ndarray

    @property
    def size(self) -> int:
        """Number of atoms."""
        return len(self.positions)


def crystal(size: int, species: tuple[str, ...] = ARGON) -> Crystal:
    """A rattled fcc crystal with species at random on its sites; the same for the same arguments.

    Raises:
        ValueError: where 4 m³ is the size for no integer m.
    """
    cells = round((size / 4) ** (1 / 3))
    if 4 * cells**3 != size:
        raise ValueError(f"no fcc cube has {size} atoms; sizes are 4 m³: 500, 4000, 32000, 108000, 256000 ...")
    base = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    sites = (np.array(list(np.ndindex(cells, cells, cells)))[:, None, :] + base[None]).reshape(-1, 3) * LATTICE
    random = np.random.default_rng(20260 + size)
    pairs = tuple(combinations_with_replacement(range(len(species)), 2))
    steps = np.arange(len(pairs)) - 0.5 * (len(pairs) - 1)
    return Crystal(
        positions=sites + RATTLE * random.standard_normal(sites.shape),
        edge=cells * LATTICE,
        kinds=random.integers(len(species), size=size),
        species=species,
        pairs=pairs,
        # The two run through the pairs in different orders, so that no parameter's effect is a multiple of another's.
        sigma=SIGMA * (1.0 + _SPREAD["sigma"] * steps * 2.0 / max(1, len(pairs) - 1)),
        epsilon=EPSILON * (1.0 + _SPREAD["epsilon"] * np.sin(2.0 * np.arange(len(pairs)))),
    )


def force_field_text(made: Crystal) -> str:
    """The force field in native TOML: truncated and shifted like `pair_style lj/cut` with `pair_modify shift yes`."""
    lines = ['name = "Benchmark"', 'units = "metal"', "[[potential]]", 'style = "lennard_jones"', f"cutoff = {CUTOFF}"]
    lines += ['truncation = "shift"', 'mixing = "none"']
    for (a, b), sigma, epsilon in zip(made.pairs, made.sigma, made.epsilon, strict=True):
        types = made.species[a] if a == b else f"{made.species[a]}-{made.species[b]}"
        lines += [f"[potential.parameters.{types}]", f"sigma = {float(sigma)!r}", f"epsilon = {float(epsilon)!r}"]
    return "\n".join(lines) + "\n"
