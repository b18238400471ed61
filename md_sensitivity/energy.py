"""What the mathematics needs to know of an energy: E(x, θ), and where it is valid.

`curvature/`, `minimization/` and `implicit/` work with any `Energy`. A plain function of (x, θ) becomes one through `as_energy`; a
`System` gives one whose neighbor lists must follow the atoms.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol, Self, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np

from md_sensitivity.errors import PrecisionError, UsageError

PyTree = Any
"""Nested containers of arrays; x and θ are such trees."""


class Deformed(NamedTuple):
    """A point x of an energy whose cell may change, or anything that adds to one: gradients, directions.

    Attributes:
        positions: in a reference cell, shape=(n, 3) [Å].
        strain: amounts of strain of all vectors, coordinates of the energy's own, shape=(k,) [Å].
    """

    positions: Any
    strain: Any


def positions_of(x: PyTree) -> Any:
    """The part of a point that rigid motions move, shape=(n, 3): the point itself, where there is no strain."""
    return x.positions if isinstance(x, Deformed) else x


def with_positions(x: PyTree, positions: Any) -> PyTree:
    """The point with other positions."""
    return x._replace(positions=positions) if isinstance(x, Deformed) else positions


class Bonds(NamedTuple):
    """Which atoms interact, as a table of neighbors around each atom; rows beyond the atoms are empty.

    Attributes:
        index: neighbor of each entry, shape=(rows, e): an atom if it is below `rows`, else image `index - rows`.
        source: the atom that each image is a copy of, shape=(g,).
        image: lattice vectors from the atom to its image, shape=(g, 3).
        acting: whether the two interact at this geometry, shape=(rows, e).
    """

    index: Any
    source: Any
    image: Any
    acting: Any

    def pairs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Interacting atoms i and j and the lattice vectors crossed from i to j, shapes (m,), (m,) and (m, 3), on the host."""
        acting = np.asarray(self.acting)
        rows, width = acting.shape
        flat = np.flatnonzero(acting)
        index = np.asarray(self.index).reshape(-1)[flat]
        atoms = np.concatenate([np.arange(rows, dtype=np.int32), np.asarray(self.source, dtype=np.int32)])
        images = np.concatenate([np.zeros((rows, 3), dtype=np.int16), np.asarray(self.image, dtype=np.int16)])
        return (flat // width).astype(np.int32), atoms[index], images[index]


class Frame(NamedTuple):
    """What rigid motions need to know of the space.

    Attributes:
        positions: of the atoms, shape=(n, 3) [Å].
        cell: rows are lattice vectors, shape=(3, 3) [Å].
        free: 1 where a coordinate may move, shape=(n, 3).
        atoms: how many of the n are atoms, the first ones, where the others only pad the arrays; None for all.
        periodic: whether the space repeats along each lattice vector, shape=(3,); None where it nowhere does.
    """

    positions: jax.Array
    cell: jax.Array
    free: jax.Array
    atoms: jax.Array | None = None
    periodic: tuple[bool, bool, bool] | None = None


class Assembled(Protocol):
    """A stored Hessian, a pytree; vectors are packed in an order of its own while a solver works with them.

    The product is zero for frozen coordinates; rigid motions are not taken care of.
    """

    def pack(self, vectors: jax.Array) -> jax.Array:
        """Flat vectors like x, shape=(p, d), in its order, shape=(p, d')."""

    def unpack(self, packed: jax.Array) -> jax.Array:
        """The reverse."""

    def product(self, packed: jax.Array) -> jax.Array:
        """H v for packed vectors, shape=(p, d')."""

    def springs(self, rows: jax.Array) -> tuple[tuple[jax.Array, jax.Array, tuple[jax.Array, ...]], ...]:
        """Springs that some atoms answer for, in parts: atoms i and j, and xx yy zz yz xz xy of the spring, shape=(s, k) each.

        Averaged over all atoms, Σ S (1 − cos q·(r_j − r_i)) is what H does to a wave q.
        """

    def lowered(self) -> Self:
        """The same in single precision."""

    @property
    def bordered(self) -> tuple[Assembled, jax.Array] | None:
        """The part of the atoms, and that of the k coordinates packed behind them, shape=(k, k); None where atoms are all there is."""


class Metric(Protocol):
    """A symmetric positive matrix that stands for H⁻¹, a pytree."""

    def solve(self, v: jax.Array) -> jax.Array:
        """Its product with a flat vector like x, shape=(d,)."""


@runtime_checkable
class Energy(Protocol):
    """An energy E(x, θ) that is a pytree itself, so that jitted functions take it as an argument.

    Where the energy is not valid (neighbors may be missing) it is NaN, never a stale number.
    """

    def __call__(self, x: PyTree, theta: PyTree) -> jax.Array:
        """Energy, a scalar."""

    def updated(self, x: PyTree, theta: PyTree) -> Self:
        """The same energy, valid in a surrounding of x."""

    def tightened(self, x: PyTree, theta: PyTree) -> Self:
        """The same energy, valid only close to x, and faster there."""

    def narrowed(self, x: PyTree, theta: PyTree) -> Self:
        """The same energy at a concrete x alone, of use to store its derivatives there."""

    def stabilized(self, x: PyTree, theta: PyTree) -> Self:
        """The same energy without the contacts of atoms that nothing holds in place at x (rattlers)."""

    def recentered(self, x: PyTree) -> tuple[Self, PyTree]:
        """The same energy in coordinates that refer to a concrete x, and x in these; itself where nothing is gained by it."""

    def beside(self, other: Self) -> Self:
        """This energy in the coordinates of another one, of which it may be the origin."""

    def located(self, other: Self, x: PyTree) -> PyTree:
        """A concrete point x of another one, which may be this one recentered, in coordinates of this one."""

    def room(self, x: PyTree, theta: PyTree) -> jax.Array:
        """How far each atom may move from x with the energy still valid [Å]; negative where it is not valid at x."""

    def roomy(self, x: PyTree, theta: PyTree) -> bool:
        """Whether most of the room that new tables would give is left at a concrete x."""

    def mobility(self, x: PyTree) -> PyTree:
        """Tree like x: 1 where a coordinate is free, 0 where it is frozen."""

    def bonds(self, x: PyTree, theta: PyTree) -> tuple[Bonds, ...]:
        """Interactions that hold at x; empty where rigid motions are no zero modes."""

    def kink_gaps(self, x: PyTree, theta: PyTree) -> tuple[jax.Array, ...]:
        """Distances of pairs from where the curvature of their energy jumps, negative inside [Å]; empty where it never does."""

    def fallen(self, x: PyTree, theta: PyTree) -> str:
        """Which atoms have, at a concrete x, fallen to where the energy has no lower bound, for a message; "" where none has."""

    def assembled(self, x: PyTree, theta: PyTree) -> Assembled | None:
        """H at x, stored in a form that multiplies faster than derivatives of E do; None where there is none."""

    @property
    def stiff(self) -> bool:
        """Whether curvatures differ by orders of magnitude, as those of bonds and torsions do; then there is a `stiffness`."""

    def stiffness(self, x: PyTree, theta: PyTree) -> Metric | None:
        """An approximation of H⁻¹ at a concrete x that is positive everywhere; None where a minimizer does as well without it."""

    def local_response(self, x: PyTree, theta: PyTree) -> Metric | None:
        """One that is better near a minimum, for solvers; of a `narrowed` energy that is `stiff`, else None."""

    def frame(self, x: PyTree) -> Frame | None:
        """The space of rigid motions; None where there are none."""


@partial(jax.tree_util.register_dataclass, data_fields=[], meta_fields=["function", "rigid"])
@dataclass(frozen=True)
class PlainEnergy:
    """A user's function E(x, θ), valid everywhere.

    Attributes:
        function: E, pure.
        rigid: whether x is an array (n, 3) of positions whose rigid motions leave E unchanged.
    """

    function: Callable[..., jax.Array]
    rigid: bool = False

    def __call__(self, x: PyTree, theta: PyTree) -> jax.Array:
        return self.function(x, theta)

    def updated(self, x: PyTree, theta: PyTree) -> Self:
        return self

    def tightened(self, x: PyTree, theta: PyTree) -> Self:
        return self

    def narrowed(self, x: PyTree, theta: PyTree) -> Self:
        return self

    def stabilized(self, x: PyTree, theta: PyTree) -> Self:
        return self

    def recentered(self, x: PyTree) -> tuple[Self, PyTree]:
        return self, x

    def beside(self, other: Self) -> Self:
        return self

    def located(self, other: Self, x: PyTree) -> PyTree:
        return x

    def room(self, x: PyTree, theta: PyTree) -> jax.Array:
        return jnp.asarray(jnp.inf)

    def roomy(self, x: PyTree, theta: PyTree) -> bool:
        return True

    def mobility(self, x: PyTree) -> PyTree:
        return jax.tree.map(jnp.ones_like, x)

    def bonds(self, x: PyTree, theta: PyTree) -> tuple[Bonds, ...]:
        if not self.rigid:
            return ()
        n = x.shape[0]
        index = (jnp.arange(n)[:, None] + jnp.arange(1, n)[None, :]) % n
        none = jnp.zeros(0, dtype=jnp.int32)
        return (Bonds(index=index, source=none, image=jnp.zeros((0, 3), dtype=jnp.int16), acting=jnp.ones(index.shape, dtype=bool)),)

    def kink_gaps(self, x: PyTree, theta: PyTree) -> tuple[jax.Array, ...]:
        return ()

    def fallen(self, x: PyTree, theta: PyTree) -> str:
        return ""

    def assembled(self, x: PyTree, theta: PyTree) -> Assembled | None:
        return None

    @property
    def stiff(self) -> bool:
        return False

    def stiffness(self, x: PyTree, theta: PyTree) -> Metric | None:
        return None

    def local_response(self, x: PyTree, theta: PyTree) -> Metric | None:
        return None

    def frame(self, x: PyTree) -> Frame | None:
        return Frame(positions=x, cell=jnp.zeros((3, 3)), free=jnp.ones_like(x)) if self.rigid else None


def as_energy(energy: Callable[..., jax.Array], *, rigid: bool = False) -> Energy:
    """The energy as an `Energy`.

    Args:
        energy: an `Energy`, or any pure function E(x, θ) → scalar.
        rigid: for a function of positions x, shape=(n, 3): whether moving or turning all atoms together leaves E unchanged, so that
            these motions are zero modes of its Hessian.

    Raises:
        PrecisionError: where JAX works in single precision.
        UsageError: where it is no function.
    """
    require_double_precision()
    if isinstance(energy, Energy):
        return energy
    if not callable(energy):
        raise UsageError(f"an energy must be a function E(x, θ), not {type(energy).__name__}")
    return PlainEnergy(energy, rigid)


def require_double_precision() -> None:
    """Raises PrecisionError unless JAX computes in float64."""
    if not jax.config.jax_enable_x64:
        raise PrecisionError("derivatives of minima need float64: call jax.config.update('jax_enable_x64', True) before any computation")
