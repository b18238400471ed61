"""What a potential is: a frozen description of parameters and options, and pure functions of distances or edges.

Four kinds of form exist. A `PairForm` is a scalar energy φ(r; p), from which the package derives everything else. An `EmbeddedForm`
adds a function of the density that the neighbors of an atom give. A `ManyBodyForm` gives the energy of each atom from the edge vectors
to its neighbors. All three are functions of edges only, so that forces, stresses and all mixed derivatives follow from one rule
(md_sensitivity/interactions.py). A `WholeForm` is any function of all atoms at once, such as a network that passes messages.

Forms work in Å and eV; θ is converted before it reaches them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import jax
import jax.numpy as jnp

Coefficients = Mapping[str, jax.Array]
"""Parameter name → values, one for each edge, or one for each tuple of types."""
Options = Mapping[str, float]
"""Values of a form's own options, which are not differentiable."""


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
        charge: dimension, as exponent of the elementary charge.
        types: how many types it speaks of; None: as many as the form's order.
        ordered: for two types of a form without triples: whether (a, b) and (b, a) are two numbers.
        count: options → how many numbers it is for each tuple of types, a series `name0`, `name1`, …; None: one number.
        default: value where a file gives none; None where it must be given.
        fixed: whether it is left out of an analysis unless chosen by name.
        option: a number of an entry that is not differentiable; it is no part of θ, and reaches the form among the coefficients.
        unlike: name of a parameter of the same types that it must differ from; "" for none.
        choices: the only values of such a number; none for any.
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
    charge: float = 0.0
    types: int | None = None
    ordered: bool = False
    count: Callable[[Options], int] | None = None
    default: float | None = None
    fixed: bool = False
    option: bool = False
    unlike: str = ""
    choices: tuple[float, ...] = ()
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
    """One number of a form that is not differentiable, such as an exponent.

    Attributes:
        default: None where it must be given.
        energy, length: dimension, as exponents of energy and length; forms see eV and Å.
        lower, upper: bounds, in any unit; the lower one is excluded where `open_lower` says so.
        below: name of another option that it must be less than; "" for none.
        whole: whether it is a whole number.
    """

    name: str
    default: float | None
    lower: float = float("-inf")
    upper: float = float("inf")
    open_lower: bool = False
    below: str = ""
    energy: float = 0.0
    length: float = 0.0
    whole: bool = False
    description: str


COULOMB = OptionSpec(
    name="coulomb_constant",
    default=None,
    lower=0,
    open_lower=True,
    energy=1,
    length=1,
    description="e²/(4πε₀); if it is not given, that of the unit system, or of the code that the file is from",
)
"""An option of all forms with charges, so that a force field keeps the constant of the code that it comes from."""


@dataclass(frozen=True, kw_only=True)
class PairForm:
    """A pair potential φ(r; p).

    Attributes:
        energy: (distance, p, options) → φ, elementwise over arrays of equal shape; finite with finite derivatives for each r > 0.
        natural_range: (p, options) → distance beyond which φ and its force vanish identically; None where the form needs a cutoff.
        kinks: (p, options) → distances at which the curvature of φ jumps, shape=(s, s) each; None where it never does.
        strength: (p) → array that is zero where the pair does not interact at all.
        tables: (parameters, options) → p, tables of shape=(s, s) made of parameters of shape=(s,) * types; None where p are the parameters.
        self_energy: (parameters, options) → energy of an atom of each type by itself, shape=(s,) [eV]; None where there is none.
        mixable: whether mixing rules for σ and ε apply.
        contact: whether it is purely repulsive and of finite range, so that an atom with few contacts is a rattler.
        absolute: whether it holds a length or an energy of nature, which reduced units have not.
        bottomless: whether φ may fall to −∞ at small distances, behind a maximum.
    """

    name: str
    description: str
    reference: str
    parameters: tuple[ParameterSpec, ...]
    options: tuple[OptionSpec, ...] = ()
    energy: Callable[[Distance, Coefficients, Options], jax.Array]
    natural_range: Callable[[Coefficients, Options], jax.Array] | None = None
    kinks: Callable[[Coefficients, Options], tuple[jax.Array, ...]] | None = None
    strength: Callable[[Coefficients], jax.Array]
    tables: Callable[[Coefficients, Options], Coefficients] | None = None
    self_energy: Callable[[Coefficients, Options], jax.Array] | None = None
    mixable: bool = False
    contact: bool = False
    absolute: bool = False
    bottomless: bool = False

    @property
    def order(self) -> int:
        """Length of a type tuple."""
        return 2


class EmbeddedTables(NamedTuple):
    """What an embedded form reads.

    Attributes:
        pairs: for each type of a center (first axis) and of a neighbor (second), shape=(s, s).
        atoms: for each type, shape=(s,).
        shared: arrays that any edge or atom may look into, such as knots of splines.
    """

    pairs: Coefficients
    atoms: Coefficients
    shared: Coefficients


@dataclass(frozen=True, kw_only=True)
class EmbeddedForm:
    """E = Σ_i F(ρ_i) + ½ Σ_ij φ(r_ij), with the density ρ_i = Σ_j f(r_ij) that neighbors j give to the center i.

    Attributes:
        tables: (parameters, options) → what the functions read; parameters have shape=(s,) * types, a series one more axis.
        pair: (distance, p, options) → φ, elementwise; p holds pairs at the edges, and what is shared.
        density: (distance, p, options) → f, what a neighbor gives to a center, elementwise; where p is read from (neighbor, center), what
            the center gives to the neighbor.
        embedding: (ρ, p, options) → F, elementwise; p holds atoms at their own types, and what is shared.
        natural_range, kinks: as of `PairForm`, from pairs.
        label: what names of its parameters start with by default; "" for the name of the form.
    """

    name: str
    description: str
    reference: str
    parameters: tuple[ParameterSpec, ...]
    options: tuple[OptionSpec, ...] = ()
    label: str = ""
    tables: Callable[[Coefficients, Options], EmbeddedTables]
    pair: Callable[[Distance, Coefficients, Options], jax.Array]
    density: Callable[[Distance, Coefficients, Options], jax.Array]
    embedding: Callable[[jax.Array, Coefficients, Options], jax.Array]
    natural_range: Callable[[Coefficients, Options], jax.Array] | None = None
    kinks: Callable[[Coefficients, Options], tuple[jax.Array, ...]] | None = None

    @property
    def order(self) -> int:
        """Length of a type tuple."""
        return 2


@dataclass(frozen=True, kw_only=True)
class ManyBodyForm:
    """A short-ranged many-body potential, with parameters for each tuple of types.

    Attributes:
        order: length of a type tuple.
        energy: (edges, p, options) → energy of each atom, shape=(n,); p have shape=(s,) * types over the types present, a series one more
            axis.
        pair_range: (p, options) → shape=(s, s), distance beyond which a pair of types does not interact.
        kinks: (p, options) → distances at which the curvature of the energy jumps, shape=(s, s) each; None where it never does.
        foreign: whether it is a function of the user's, which no force-field file can name.
    """

    name: str
    description: str
    reference: str
    parameters: tuple[ParameterSpec, ...]
    options: tuple[OptionSpec, ...] = ()
    order: int
    energy: Callable[[Edges, Coefficients, Options], jax.Array]
    pair_range: Callable[[Coefficients, Options], jax.Array]
    kinks: Callable[[Coefficients, Options], tuple[jax.Array, ...]] | None = None
    foreign: bool = False


class Neighbors(NamedTuple):
    """What a foreign model sees of the surroundings of atoms: all neighbors within its cutoff, each periodic image by itself.

    Lengths are in the unit of the model. Entries that are no pair are masked; their vectors have a finite length, so that any function of
    them is finite, and is to be masked after.

    Attributes:
        vectors: from each atom to its neighbor, shape=(n, e, 3).
        mask: whether an entry is a pair, shape=(n, e).
        species: number of the neighbor's species in the order that the model was given, shape=(n, e).
        atom: number of the neighbor among the atoms, that of the atom itself where an entry is no pair, shape=(n, e); None for a model
            of atomic energies, which sees some atoms at a time.
    """

    vectors: jax.Array
    mask: jax.Array
    species: jax.Array
    atom: jax.Array | None = None

    @property
    def senders(self) -> jax.Array:
        """Neighbors as a flat list of directed pairs, shape=(n·e,), in the order of `vectors.reshape(-1, 3)`."""
        assert self.atom is not None
        return self.atom.reshape(-1)

    @property
    def receivers(self) -> jax.Array:
        """Centers of the same pairs, shape=(n·e,)."""
        count, width = self.mask.shape
        return jnp.repeat(jnp.arange(count), width)


@dataclass(frozen=True, kw_only=True)
class WholeForm:
    """A function of all atoms at once, differentiated as it stands.

    Attributes:
        energy: (positions, kinds, cell, neighbors, p) → energy, a scalar; kinds are indices of types, shape=(n,), and the species of
            `neighbors` are such indices, too. All are strained already; p have shape=(s,) * types, a series one more axis.
        pair_range: (p, options) → shape=(s, s), distance beyond which two atoms are no neighbors.
        kinks: (p, options) → distances at which the curvature of the energy jumps, shape=(s, s) each; None where it never does.
    """

    name: str
    description: str
    reference: str
    parameters: tuple[ParameterSpec, ...]
    options: tuple[OptionSpec, ...] = ()
    energy: Callable[[jax.Array, jax.Array, jax.Array, Neighbors, Coefficients], jax.Array]
    pair_range: Callable[[Coefficients, Options], jax.Array]
    kinks: Callable[[Coefficients, Options], tuple[jax.Array, ...]] | None = None

    @property
    def order(self) -> int:
        """Length of a type tuple: no parameter speaks of types."""
        return 1

    @property
    def foreign(self) -> bool:
        """Always a function of the user's."""
        return True


Form = PairForm | EmbeddedForm | ManyBodyForm | WholeForm


def is_contact(form: Form) -> bool:
    """Whether a form is purely repulsive and of finite range, so that an atom with few contacts is a rattler."""
    return isinstance(form, PairForm) and form.contact


def is_mixable(form: Form) -> bool:
    """Whether mixing rules for σ and ε apply; other type tuples are always given in full."""
    return isinstance(form, PairForm) and form.mixable


def types_of(spec: ParameterSpec, form: Form) -> int:
    """How many types a parameter of a form speaks of."""
    return form.order if spec.types is None else spec.types


def default_label(form: Form) -> str:
    """What names of a form's parameters start with where nothing else is said."""
    return (form.label if isinstance(form, EmbeddedForm) else "") or form.name


def natural_end(form: Form) -> bool:
    """Whether a form ends at a distance of its own, so that it takes no cutoff."""
    return isinstance(form, ManyBodyForm | WholeForm) or form.natural_range is not None


def is_foreign(form: Form) -> bool:
    """Whether a form is a function of the user's, which no force-field file can name."""
    return isinstance(form, ManyBodyForm | WholeForm) and form.foreign
