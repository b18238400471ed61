"""What a force-field file says: terms, their options, and one table of parameters with ONE ravel order for everything."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from md_sensitivity.errors import UsageError
from md_sensitivity.potentials.base import Form, ParameterSpec
from md_sensitivity.registry import did_you_mean
from md_sensitivity.units import UnitSystem

TypeTuple = tuple[str, ...]
Parameters = dict[str, dict[str, np.ndarray]]
"""θ: label → parameter → one value for each row that has it, in the file's own units."""


@dataclass(frozen=True, kw_only=True)
class ParameterRow:
    """One number of the user's file.

    Attributes:
        label: label of its potential.
        types: types it speaks of, as written.
        parameter: name within the form; one of a series has its number in it.
        leaf: name of the array of θ that holds it; "" for the same as `parameter`.
        index: position in `parameters[label][leaf]`.
        value, unit: in the file's own units.
        bounds: physical bounds narrowed by those of the file, in the file's own units.
        std: standard deviation; None where the file gives none.
        fixed: whether it is left out unless chosen by name.
    """

    label: str
    types: TypeTuple
    parameter: str
    index: int
    value: float
    unit: str
    bounds: tuple[float, float] = (-np.inf, np.inf)
    std: float | None = None
    fixed: bool = False
    leaf: str = ""

    @property
    def place(self) -> tuple[str, str]:
        """Label and leaf of the array of θ that holds it."""
        return self.label, self.leaf or self.parameter

    @property
    def name(self) -> str:
        """`<label>.<types>.<parameter>`, types joined by `-`, or by `~` where one of them contains `-`."""
        return f"{self.label}.{join_types(self.types)}.{self.parameter}"

    @property
    def free(self) -> bool:
        """Whether derivatives are taken by default: not fixed, and bounds that leave room."""
        return not self.fixed and self.bounds[0] < self.bounds[1]


def join_types(types: Sequence[str]) -> str:
    """Types as one word, which `split_types` takes apart again; a single type with a hyphen has a tilde before it."""
    hyphens = any("-" in name for name in types)
    return "~" + types[0] if hyphens and len(types) == 1 else ("~" if hyphens else "-").join(types)


def split_types(word: str) -> TypeTuple:
    """The type tuple that a key such as `Si-Si-Si` or `C-sp3~O` names."""
    return (word[1:],) if word[:1] == "~" and "~" not in word[1:] else tuple(word.split("~" if "~" in word else "-"))


@dataclass(frozen=True, kw_only=True)
class ParameterTable:
    """All parameters of a force field, in ravel order."""

    rows: tuple[ParameterRow, ...]

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Full names, in order."""
        return tuple(row.name for row in self.rows)

    @cached_property
    def _places(self) -> dict[tuple[str, str], np.ndarray]:
        """For each array of θ, where its numbers stand in ravel order."""
        found: dict[tuple[str, str], list[int]] = {}
        for position, row in enumerate(self.rows):
            # Rows of one array stand in the order of their index, because both follow the order of the file.
            found.setdefault(row.place, []).append(position)
        return {place: np.asarray(positions) for place, positions in found.items()}

    def ravel(self, parameters: Mapping[str, Mapping[str, np.ndarray]]) -> np.ndarray:
        """Values of a parameter tree (or of a gradient, which has the same tree) as a vector, shape=(p,)."""
        vector = np.zeros(len(self.rows))
        for (label, leaf), positions in self._places.items():
            vector[positions] = parameters[label][leaf]
        return vector

    def unravel(self, vector: np.ndarray) -> Parameters:
        """The tree of a vector; inverse of `ravel`. Of several vectors, shape=(k, p), the leaves have a leading axis, too."""
        values = np.asarray(vector, dtype=np.float64)
        if values.shape[-1] != len(self.rows):
            raise ValueError(f"{values.shape[-1]} values for {len(self.rows)} parameters")
        tree: Parameters = {}
        for (label, leaf), positions in self._places.items():
            tree.setdefault(label, {})[leaf] = values[..., positions]
        return tree

    def matching(self, patterns: Iterable[str]) -> list[int]:
        """Indices of the rows that one of the patterns names, exactly first, then as a case-sensitive glob.

        Raises:
            UsageError: where a pattern matches nothing.
        """
        names = self.names
        chosen: set[int] = set()
        for pattern in patterns:
            hits = {i for i, name in enumerate(names) if name == pattern}
            hits = hits or {i for i, name in enumerate(names) if fnmatch.fnmatchcase(name, pattern)}
            if not hits:
                raise UsageError(
                    f"no parameter matches {pattern!r}{did_you_mean(pattern, names)}; "
                    "`md-sensitivity parameters -f FORCE_FIELD` lists them"
                )
            chosen |= hits
        return sorted(chosen)


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
        return next(spec for spec in self.form.parameters if spec.name == leaf).within(row.types)


@dataclass(frozen=True, kw_only=True, eq=False)
class ForceField:
    """Potentials + typing + values.

    Attributes:
        terms: the potentials, which add up.
        parameters: θ, a plain nested dict of arrays in the file's own units.
        table: names, units, bounds, standard deviations and the free/fixed mask, in ravel order.
        path, sha256: where it came from; "" where it was made in memory.
        aliases: other names of its species, such as the type numbers of a LAMMPS input, for structures that know no better.
    """

    name: str
    reference: str = ""
    units: UnitSystem
    terms: tuple[Term, ...]
    parameters: Parameters
    table: ParameterTable
    path: str = ""
    sha256: str = ""
    aliases: Mapping[str, str] = field(default_factory=dict)

    @property
    def species(self) -> frozenset[str]:
        """All type names that it knows."""
        tuples = [*(row.types for row in self.table.rows), *(pair for term in self.terms for pair in term.cutoffs)]
        return frozenset(name for types in tuples for name in types)

    def with_parameters(self, parameters: Parameters) -> ForceField:
        """The same force field with other values."""
        vector = self.table.ravel(parameters)
        rows = tuple(replace(row, value=float(value)) for row, value in zip(self.table.rows, vector, strict=True))
        return replace(self, parameters=self.table.unravel(vector), table=ParameterTable(rows=rows))
