"""What a potential is: a frozen description of parameters and options, and pure functions of distances or edges.

Two kinds of form exist. A `PairForm` is a scalar energy φ(r; p), from which the package derives everything else. A `ManyBodyForm`
gives the energy of each atom from the edge vectors to its neighbors. Both are functions of edges only, so that forces, stresses and
all mixed derivatives follow from one rule (md_sensitivity/energy.py).

Forms work in Å and eV; θ is converted before it reaches them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import jax
import jax.numpy as jnp

Coefficients = Mapping[str, jax.Array]
"""Parameter name → values, one for each edge (pair forms) or each tuple of types (many-body forms)."""


class Edges(NamedTuple):
    """Directed pairs around each atom, structure of arrays; padded and excluded entries are masked but finite.

    Attributes:
        x, y, z: components of the vector from the center to its neighbor, shape=(n, e) [Å].
        mask: whether the entry is a real pair, shape=(n, e).
        center: type index of the center, shape=(n, 1).
        neighbor: type index of the neighbor, shape=(n, e).
    """

    x: jax.Array
    y: jax.Array
    z: jax.Array
    mask: jax.Array
    center: jax.Array
    neighbor: jax.Array


class Distance(NamedTuple):
    """A distance and its inverse square, elementwise; a form reads what it needs, and the rest is never computed.

    Attributes:
        r: [Å].
        inverse_square: 1/r² [Å⁻²].
    """

    r: jax.Array
    inverse_square: jax.Array


@jax.custom_jvp
def distance_of(square: jax.Array) -> Distance:
    """The distance of which `square` is the square [Å²].

    Divisions and roots are what a pair potential costs. The derivatives of both are products of both, so that one division and one root
    serve an energy and its derivatives of every order.
    """
    return Distance(jnp.sqrt(square), 1.0 / square)


@distance_of.defjvp
def _distance_of_jvp(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[Distance, Distance]:
    d = distance_of(primals[0])
    return d, Distance(0.5 * d.r * d.inverse_square * tangents[0], -d.inverse_square * d.inverse_square * tangents[0])


@dataclass(frozen=True, kw_only=True)
class ParameterSpec:
    """One parameter of a form.

    Attributes:
        name: as in the literature and in LAMMPS.
        energy, length: dimension, as exponents of energy and length.
        lower, upper: physical bounds; a bound is excluded where `open_lower` or `open_upper` says so.
        radial: for forms of triples (i, j, k): it is used only where j = k; elsewhere files may give zero.
        description: one phrase.
    """

    name: str
    energy: float = 0.0
    length: float = 0.0
    lower: float = float("-inf")
    upper: float = float("inf")
    open_lower: bool = False
    open_upper: bool = False
    radial: bool = False
    description: str = ""

    def admits(self, value: float) -> bool:
        """Whether `value` (of any unit: bounds are 0, 1 or infinite) is physically possible."""
        above = value > self.lower if self.open_lower else value >= self.lower
        below = value < self.upper if self.open_upper else value <= self.upper
        return above and below

    def within(self, types: tuple[str, ...]) -> ParameterSpec:
        """The specification for one tuple of types: a radial parameter of a mixed triple is not used, and may be zero."""
        if self.radial and len(types) == 3 and types[1] != types[2]:
            return replace(self, lower=min(self.lower, 0.0), open_lower=False)
        return self

    @property
    def bounds_text(self) -> str:
        """Such as `> 0`."""
        parts = []
        if self.lower != float("-inf"):
            parts.append(f"{'>' if self.open_lower else '≥'} {self.lower:g}")
        if self.upper != float("inf"):
            parts.append(f"{'<' if self.open_upper else '≤'} {self.upper:g}")
        return " and ".join(parts) or "any finite number"


@dataclass(frozen=True, kw_only=True)
class OptionSpec:
    """One number of a form that is not differentiable, such as an exponent."""

    name: str
    default: float
    lower: float
    description: str


@dataclass(frozen=True, kw_only=True)
class PairForm:
    """A pair potential φ(r; p).

    Attributes:
        energy: (distance, p, options) → φ, elementwise over arrays of equal shape; finite with finite derivatives for each r > 0.
        natural_range: (p, options) → distance beyond which φ and its force vanish identically; None where the form needs a cutoff.
        strength: (p) → array that is zero where the pair does not interact at all.
        mixable: whether mixing rules for σ and ε apply.
        contact: whether it is purely repulsive and of finite range, so that an atom with few contacts is a rattler.
    """

    name: str
    description: str
    reference: str
    parameters: tuple[ParameterSpec, ...]
    options: tuple[OptionSpec, ...] = ()
    energy: Callable[[Distance, Coefficients, Mapping[str, float]], jax.Array]
    natural_range: Callable[[Coefficients, Mapping[str, float]], jax.Array] | None = None
    strength: Callable[[Coefficients], jax.Array]
    mixable: bool = False
    contact: bool = False

    @property
    def order(self) -> int:
        """Length of a type tuple."""
        return 2


@dataclass(frozen=True, kw_only=True)
class ManyBodyForm:
    """A short-ranged many-body potential, with parameters for each tuple of types.

    Attributes:
        order: length of a type tuple.
        energy: (edges, coefficients) → energy of each atom, shape=(n,); coefficients have shape=(s,) * order over the types present.
        pair_range: coefficients → shape=(s, s), distance beyond which a pair of types does not interact.
    """

    name: str
    description: str
    reference: str
    parameters: tuple[ParameterSpec, ...]
    options: tuple[OptionSpec, ...] = ()
    order: int
    energy: Callable[[Edges, Coefficients], jax.Array]
    pair_range: Callable[[Coefficients], jax.Array]

    @property
    def contact(self) -> bool:
        """Never a contact potential."""
        return False

    @property
    def mixable(self) -> bool:
        """Type tuples are always given in full."""
        return False


Form = PairForm | ManyBodyForm
