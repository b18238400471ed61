"""What a force-field file says: terms, their options, and one table of parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from md_sensitivity.forcefields.relations import NO_RELATIONS, Relations
from md_sensitivity.forcefields.table import ParameterRow, Parameters, ParameterTable, TypeTuple, join_types, split_types
from md_sensitivity.forcefields.topology import ANY, Typing
from md_sensitivity.potentials.base import SCALE, BondedForm, Form, ParameterSpec, is_foreign
from md_sensitivity.types import Structure
from md_sensitivity.units import UnitSystem

__all__ = ["ForceField", "Origin", "ParameterRow", "ParameterTable", "Parameters", "Term", "TypeTuple", "join_types", "split_types"]


@dataclass(frozen=True, kw_only=True)
class Term:
    """One potential of a force field: a form with options, and which types have which parameter.

    Attributes:
        rows: parameter → type tuples in the order of `parameters[label][parameter]`, which holds `count` numbers for each of a series.
        constants: numbers of entries that are no part of θ, in the order of `rows`.
        cutoff, switch_from: in the file's length unit; None where there is none.
        options: values of the form's own options.
        cutoffs: pair of types → its own cutoff, in either order, in the file's length unit; 0 where the term does not act on the pair.
        switches: pair of types → its own `switch_from`.
        borrowed: parameter that the form reads from another potential → label and name there.
        exclude: of a pair potential: atoms so many bonds apart, or fewer, are no neighbors.
        periodic_cutoff: whether the cutoff is for periodic structures only; what is not periodic has none.
        listed_only: of a pair potential: it acts only on the pairs that a topology lists, with their scales.
    """

    form: Form
    label: str
    rows: Mapping[str, tuple[TypeTuple, ...]]
    cutoff: float | None = None
    truncation: str = "none"
    switch_from: float | None = None
    mixing: str = "none"
    options: Mapping[str, float] = field(default_factory=dict)
    constants: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    cutoffs: Mapping[TypeTuple, float] = field(default_factory=dict)
    switches: Mapping[TypeTuple, float] = field(default_factory=dict)
    borrowed: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    exclude: int = 0
    listed_only: bool = False
    periodic_cutoff: bool = False

    def of_pair(self, given: Mapping[TypeTuple, float], default: float, first: str, second: str) -> float:
        """What `cutoffs` or `switches` say of two types, in either order."""
        return given.get((first, second), given.get((second, first), default))

    def acts(self, types: TypeTuple, species: Iterable[str]) -> bool:
        """Whether a tuple of types occurs in the energy at all, among these species: not where the term leaves out one of its pairs."""
        others = species if len(types) == 1 else types[1:]
        pairs = [self.of_pair(self.cutoffs, 1.0, types[0], other) != 0 for other in others]
        return any(pairs) if len(types) == 1 else all(pairs)

    def spec(self, row: ParameterRow) -> ParameterSpec:
        """What the form says of a parameter, for the types of its row."""
        leaf = row.place[1]
        return self.form_spec(leaf).within(row.types)

    def form_spec(self, leaf: str) -> ParameterSpec:
        """What the form says of an array of θ."""
        return next(spec for spec in (*self.form.parameters, SCALE) if spec.name == leaf)


@dataclass(frozen=True, kw_only=True, eq=False)
class Origin:
    """Files of a molecular force field, so that a document can name them and say what differs.

    Attributes:
        settings: the table `[molecules]`, names of files as whole paths.
        plain: the force field as the files have it.
    """

    settings: Mapping[str, Any]
    plain: ForceField = field(repr=False)


@dataclass(frozen=True, kw_only=True, eq=False)
class ForceField:
    """Potentials + typing + values.

    Attributes:
        terms: the potentials, which add up.
        parameters: θ, a plain nested dict of arrays in the file's own units.
        table: names, units, bounds, standard deviations and the free/fixed mask, in ravel order.
        relations: which parameters follow others; `parameters` agree with them.
        path, sha256: where it came from; "" where it was made in memory.
        aliases: other names of its species, such as the type numbers of a LAMMPS input, for structures that know no better.
        typing: how atoms of a structure get their types and bonded interactions; None where these are the types that the structure says.
        complete: adds to a structure what its file did not know and the force field does, such as elements; None where it knows no more.
        origin: of one with a typing: the files that say it; None where it was made in memory.
    """

    name: str
    reference: str = ""
    units: UnitSystem
    terms: tuple[Term, ...]
    parameters: Parameters
    table: ParameterTable
    relations: Relations = NO_RELATIONS
    path: str = ""
    sha256: str = ""
    aliases: Mapping[str, str] = field(default_factory=dict)
    typing: Typing | None = None
    complete: Callable[[Structure], Structure] | None = None
    origin: Origin | None = None

    @property
    def species(self) -> frozenset[str]:
        """All type names that it knows."""
        bonded = {term.label for term in self.terms if isinstance(term.form, BondedForm)}
        tuples = [block.types for block in self.table.blocks if block.label not in bonded]
        tuples += [pair for term in self.terms for pair in term.cutoffs]
        tuples += [types for term in self.terms if term.label not in bonded for name in term.constants for types in term.rows[name]]
        wild = {name for block in self.table.blocks if block.label in bonded for name in block.types} - {ANY}
        return frozenset(name for types in tuples for name in types) | wild

    @property
    def foreign(self) -> bool:
        """Whether a function of the user's is part of it, which no file can name."""
        return any(is_foreign(term.form) for term in self.terms)

    def with_parameters(self, parameters: Parameters) -> ForceField:
        """The same force field with other values; those that follow others are computed from these."""
        table = self.table.with_values(self.relations.applied(self.table.ravel(parameters)))
        return replace(self, parameters=table.tree, table=table)

    def completed(self, structure: Structure) -> Structure:
        """The structure, with what only the force field knows of it.

        Raises:
            InputError: where the structure has other atoms than the force field.
        """
        return structure if self.complete is None else self.complete(structure)

    def consistent(self, theta: Any) -> Any:
        """θ, a tree of JAX arrays, with all that follows other parameters computed from these; may be differentiated."""
        return self.relations.consistent(theta, self.table)
