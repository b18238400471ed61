"""What a potential is: a frozen description of parameters and options, and pure functions of distances or edges.

A `PairForm` is a scalar energy φ(r; p), from which the package derives everything else. An `EmbeddedForm` adds a function of the
density that the neighbors of an atom give. A `ManyBodyForm` gives the energy of each atom from the edge vectors to its neighbors. All
three are functions of edges to neighbors, so that forces, stresses and all mixed derivatives follow from one rule
(md_sensitivity/interactions.py). A `BondedForm` is a function of a few atoms that a topology lists, such as a torsion. A `FieldForm` is
a sum over all atoms without neighbors, such as the long-range part of Coulomb's law; a `WholeForm` is any function of all atoms and
their neighbors, such as a network that passes messages.

Forms work in Å and eV; θ is converted before it reaches them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from md_sensitivity.potentials.field_form import Coefficients, FieldForm, Products, Site
from md_sensitivity.potentials.specs import COULOMB, SCALE, Options, OptionSpec, ParameterSpec

__all__ = [
    "COULOMB",
    "SCALE",
    "BondedForm",
    "Coefficients",
    "Distance",
    "Edges",
    "EmbeddedForm",
    "EmbeddedTables",
    "FieldForm",
    "Form",
    "ManyBodyForm",
    "NeighborForm",
    "Neighbors",
    "OptionSpec",
    "Options",
    "PairForm",
    "ParameterSpec",
    "Products",
    "Site",
    "Vector",
    "WholeForm",
    "default_label",
    "distance_of",
    "is_contact",
    "is_foreign",
    "is_mixable",
    "kinks_of",
    "natural_end",
    "types_of",
]


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
        settled: (options, cutoff [Å], cell, periodic) → options with what follows from the structure, such as the splitting of an Ewald
            sum; raises ValueError with what is wrong; None where nothing does.
        listed: (distance, scale, p, options) → energy of a pair that a topology takes out of the neighbors and gives a scale of its own,
            0 for none; None for scale · φ.
        field: the part of the interaction that no cutoff ends; it reads the same parameters.
        localized: options → options with which next to nothing is left to the field; None where there are none.
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
    settled: Callable[[Options, float, np.ndarray, tuple[bool, bool, bool]], Options] | None = None
    listed: Callable[[Distance, jax.Array, Coefficients, Options], jax.Array] | None = None
    field: FieldForm | None = None
    localized: Callable[[Options], Options] | None = None

    @property
    def order(self) -> int:
        """Length of a type tuple."""
        return 2


Vector = tuple[jax.Array, jax.Array, jax.Array]
"""Components of vectors, three arrays of equal shape [Å]."""


@dataclass(frozen=True, kw_only=True)
class BondedForm:
    """A function of the positions of a few listed atoms: a bond, an angle, a torsion.

    Attributes:
        order: number of atoms, and of types that its parameters speak of.
        energy: (vectors, p, options) → energy, elementwise over the tuples, shape=(m,) [eV]. The `order − 1` vectors lead from each atom
            to the next; angles are in radians. Finite with finite derivatives wherever the energy itself is smooth.
    """

    name: str
    description: str
    reference: str
    parameters: tuple[ParameterSpec, ...]
    options: tuple[OptionSpec, ...] = ()
    order: int
    energy: Callable[[tuple[Vector, ...], Coefficients, Options], jax.Array]


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


NeighborForm = PairForm | EmbeddedForm | ManyBodyForm | WholeForm
"""Forms that need neighbors."""
Form = NeighborForm | BondedForm | FieldForm


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


def kinks_of(form: Form) -> Callable[[Coefficients, Options], tuple[jax.Array, ...]] | None:
    """(p, options) → distances at which the curvature of a form's energy jumps; None where it never does."""
    return None if isinstance(form, BondedForm | FieldForm) else form.kinks


def natural_end(form: Form) -> bool:
    """Whether a form ends at a distance of its own, so that it takes no cutoff."""
    return not isinstance(form, PairForm | EmbeddedForm) or form.natural_range is not None


def is_foreign(form: Form) -> bool:
    """Whether a form is a function of the user's, which no force-field file can name."""
    return isinstance(form, ManyBodyForm | WholeForm) and form.foreign
