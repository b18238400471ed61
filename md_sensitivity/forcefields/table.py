"""The table of parameters: names, values, units, bounds, standard deviations and the free/fixed mask, with ONE ravel order for everything.

It holds blocks of arrays, one for each parameter of each type tuple, and makes rows when somebody looks at them: a tabulated function or
a learned model has many thousands of numbers.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from itertools import accumulate
from typing import overload

import numpy as np

from md_sensitivity.errors import UsageError
from md_sensitivity.registry import did_you_mean

TypeTuple = tuple[str, ...]
Parameters = dict[str, dict[str, np.ndarray]]
"""θ: label → parameter → one value for each row that has it, in the file's own units."""
VARIABLE = "variable"
"""Label of numbers that belong to no potential, which parameters may follow."""


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
        follows: the expression of other parameters that its value is; "" where it is a number of its own.
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
    follows: str = ""

    @property
    def place(self) -> tuple[str, str]:
        """Label and leaf of the array of θ that holds it."""
        return self.label, self.leaf or self.parameter

    @property
    def name(self) -> str:
        """`<label>.<types>.<parameter>`, types joined by `-`, or by `~` where one of them contains `-`."""
        return ".".join((self.label, *([join_types(self.types)] if self.types else []), self.parameter))

    @property
    def free(self) -> bool:
        """Whether derivatives are taken by default: a number of its own, not fixed, and bounds that leave room."""
        return not self.fixed and not self.follows and self.bounds[0] < self.bounds[1]


def join_types(types: Sequence[str]) -> str:
    """Types as one word, which `split_types` takes apart again; a single type with a hyphen has a tilde before it."""
    hyphens = any("-" in name for name in types)
    return "~" + types[0] if hyphens and len(types) == 1 else ("~" if hyphens else "-").join(types)


def split_types(word: str) -> TypeTuple:
    """The type tuple that a key such as `Si-Si-Si` or `C-sp3~O` names."""
    return (word[1:],) if word[:1] == "~" and "~" not in word[1:] else tuple(word.split("~" if "~" in word else "-"))


@dataclass(frozen=True, kw_only=True, eq=False)
class ParameterBlock:
    """One parameter of one type tuple: a number, or the numbers of a series. Arrays have shape=(size,).

    Attributes:
        label, types, unit: as of `ParameterRow`.
        leaf: name of the array of θ; rows of a series have their number, from 0, behind it.
        start: position of the first number in that array.
        values, lower, upper: in the file's own units.
        std: NaN where the file gives none.
        fixed: booleans.
        series: whether it is one.
        separator: what stands between its name and the number.
        follows: number within the block → expression of other parameters.
        tag: end of the name, where several blocks of one parameter have the same types, such as terms of a torsion.
    """

    label: str
    types: TypeTuple
    leaf: str
    start: int
    values: np.ndarray
    unit: str
    lower: np.ndarray
    upper: np.ndarray
    std: np.ndarray
    fixed: np.ndarray
    series: bool = False
    separator: str = ""
    follows: Mapping[int, str] = field(default_factory=dict)
    tag: str = ""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ParameterBlock):
            return NotImplemented
        pairs = [(getattr(self, each.name), getattr(other, each.name)) for each in fields(self)]
        return all(np.array_equal(a, b, equal_nan=a.dtype != bool) if isinstance(a, np.ndarray) else a == b for a, b in pairs)

    @cached_property
    def prefix(self) -> str:
        """The name of the row, or what all names of the series begin with."""
        return ".".join((self.label, *([join_types(self.types)] if self.types else []), self.leaf + self.tag)) + self.separator

    def name(self, k: int) -> str:
        """Full name of the k-th number."""
        return f"{self.prefix}{k}" if self.series else self.prefix

    def row(self, k: int) -> ParameterRow:
        """The k-th number as a row."""
        std = float(self.std[k])
        return ParameterRow(
            label=self.label,
            types=self.types,
            parameter=self.leaf + self.tag + (f"{self.separator}{k}" if self.series else ""),
            leaf=self.leaf,
            index=self.start + k,
            value=float(self.values[k]),
            unit=self.unit,
            bounds=(float(self.lower[k]), float(self.upper[k])),
            std=None if np.isnan(std) else std,
            fixed=bool(self.fixed[k]),
            follows=self.follows.get(k, ""),
        )


class Rows(Sequence[ParameterRow]):
    """Rows of a table, made when they are looked at."""

    def __init__(self, blocks: Sequence[ParameterBlock], indices: np.ndarray) -> None:
        self._blocks = blocks
        self._starts = np.array([0, *accumulate(len(block.values) for block in blocks)])
        self._indices = indices

    def __len__(self) -> int:
        return len(self._indices)

    @overload
    def __getitem__(self, place: int) -> ParameterRow: ...

    @overload
    def __getitem__(self, place: slice) -> Rows: ...

    def __getitem__(self, place: int | slice) -> ParameterRow | Rows:
        if isinstance(place, slice):
            return Rows(self._blocks, self._indices[place])
        block, k = self._at(self._indices[place])
        return block.row(k)

    def taken(self, indices: Sequence[int] | np.ndarray) -> Rows:
        """Some of them."""
        return Rows(self._blocks, self._indices[np.asarray(indices, dtype=np.int64)])

    def name(self, place: int) -> str:
        """Full name of one of them, without the rest of its row."""
        block, k = self._at(self._indices[place])
        return block.name(k)

    def __iter__(self) -> Iterator[ParameterRow]:
        return (block.row(k) for block, k in self._all())

    @property
    def names(self) -> list[str]:
        """Full names."""
        return [block.name(k) for block, k in self._all()]

    def _all(self) -> Iterator[tuple[ParameterBlock, int]]:
        numbers = np.searchsorted(self._starts, self._indices, side="right") - 1
        offsets = self._indices - self._starts[numbers]
        return ((self._blocks[number], k) for number, k in zip(numbers.tolist(), offsets.tolist(), strict=True))

    def _at(self, index: int) -> tuple[ParameterBlock, int]:
        number = int(np.searchsorted(self._starts, index, side="right")) - 1
        return self._blocks[number], int(index - self._starts[number])


@dataclass(frozen=True, kw_only=True)
class ParameterTable:
    """All parameters of a force field, in ravel order.

    Attributes:
        blocks: numbers, in order.
        groups: name → patterns, for choosing by `group:<name>`.
    """

    blocks: tuple[ParameterBlock, ...]
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return int(self._starts[-1])

    @cached_property
    def _starts(self) -> np.ndarray:
        return np.array([0, *accumulate(len(block.values) for block in self.blocks)])

    @cached_property
    def rows(self) -> Rows:
        """All rows."""
        return Rows(self.blocks, np.arange(len(self)))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Full names, in order."""
        return tuple(block.name(k) for block in self.blocks for k in range(len(block.values)))

    @cached_property
    def values(self) -> np.ndarray:
        """In the file's own units, shape=(p,)."""
        return self._joined("values")

    @cached_property
    def lower(self) -> np.ndarray:
        """Lower bounds, shape=(p,)."""
        return self._joined("lower")

    @cached_property
    def upper(self) -> np.ndarray:
        """Upper bounds, shape=(p,)."""
        return self._joined("upper")

    @cached_property
    def std(self) -> np.ndarray:
        """Standard deviations, NaN where the file gives none, shape=(p,)."""
        return self._joined("std")

    @cached_property
    def dependent(self) -> np.ndarray:
        """Whether a value follows others, shape=(p,)."""
        mask = np.zeros(len(self), dtype=bool)
        for start, block in zip(self._starts, self.blocks, strict=False):
            mask[[int(start) + k for k in block.follows]] = True
        return mask

    @cached_property
    def free(self) -> np.ndarray:
        """Whether derivatives are taken by default, shape=(p,)."""
        return ~self._joined("fixed").astype(bool) & ~self.dependent & (self.lower < self.upper)

    def _joined(self, name: str) -> np.ndarray:
        return np.concatenate([np.zeros(0), *(getattr(block, name) for block in self.blocks)])

    @cached_property
    def _places(self) -> dict[tuple[str, str], np.ndarray]:
        """For each array of θ, where its numbers stand in ravel order."""
        found: dict[tuple[str, str], list[np.ndarray]] = {}
        for first, block in zip(self._starts, self.blocks, strict=False):
            # Blocks of one array stand in the order of their start, because both follow the order of the file.
            found.setdefault((block.label, block.leaf), []).append(np.arange(first, first + len(block.values)))
        return {place: np.concatenate(positions) for place, positions in found.items()}

    def ravel(self, parameters: Mapping[str, Mapping[str, np.ndarray]]) -> np.ndarray:
        """Values of a parameter tree (or of a gradient, which has the same tree) as a vector, shape=(p,); leading axes stay."""
        leaves = {place: np.asarray(parameters[place[0]][place[1]], dtype=np.float64) for place in self._places}
        vector = np.zeros((*next((leaf.shape[:-1] for leaf in leaves.values()), ()), len(self)))
        for place, positions in self._places.items():
            vector[..., positions] = leaves[place]
        return vector

    def unravel(self, vector: np.ndarray) -> Parameters:
        """The tree of a vector; inverse of `ravel`. Of several vectors, shape=(k, p), the leaves have a leading axis, too."""
        values = np.asarray(vector, dtype=np.float64)
        if values.shape[-1] != len(self):
            raise ValueError(f"{values.shape[-1]} values for {len(self)} parameters")
        tree: Parameters = {}
        for (label, leaf), positions in self._places.items():
            tree.setdefault(label, {})[leaf] = values[..., positions]
        return tree

    @property
    def tree(self) -> Parameters:
        """θ: the values as a tree."""
        return self.unravel(self.values)

    def with_values(self, vector: np.ndarray) -> ParameterTable:
        """The same table with other values, shape=(p,)."""
        parts = np.split(np.asarray(vector, dtype=np.float64), self._starts[1:-1])
        return replace(self, blocks=tuple(replace(block, values=part) for block, part in zip(self.blocks, parts, strict=True)))

    def position(self, name: str) -> int | None:
        """Where a full name stands; None where there is none."""
        if (number := self._prefixes.get((name, False))) is not None:
            return int(self._starts[number])
        # A series may end with digits itself: `u1` has `u10`.
        digits = len(name) - len(name.rstrip("0123456789"))
        for count in range(1, min(digits, 12) + 1):
            prefix, k = name[:-count], name[-count:]
            number = self._prefixes.get((prefix, True))
            if number is not None and k == str(int(k)) and int(k) < len(self.blocks[number].values):
                return int(self._starts[number]) + int(k)
        return None

    def place(self, position: int) -> tuple[int, int]:
        """Number of the block that a row belongs to, and the number of the row within it."""
        number = int(np.searchsorted(self._starts, position, side="right")) - 1
        return number, position - int(self._starts[number])

    @cached_property
    def _prefixes(self) -> dict[tuple[str, bool], int]:
        """(prefix, whether it is a series) → number of the block."""
        return {(block.prefix, block.series): number for number, block in enumerate(self.blocks)}

    def globbed(self, pattern: str) -> np.ndarray:
        """Positions of the names that a case-sensitive glob matches."""
        matches = re.compile(fnmatch.translate(pattern)).match
        head = re.split(r"[*?\[]", pattern, maxsplit=1)[0]
        everything = pattern == head + "*"      # nothing to try name by name
        found = [np.zeros(0, dtype=np.int64)]
        for start, block in zip(self._starts, self.blocks, strict=False):
            size, prefix = len(block.values), block.prefix
            if not block.series:
                if matches(prefix):
                    found.append(np.array([start]))
            elif everything and prefix.startswith(head):
                found.append(np.arange(start, start + size))
            elif prefix.startswith(head) or head.startswith(prefix):
                found.append(start + np.flatnonzero([matches(f"{prefix}{k}") is not None for k in range(size)]))
        return np.concatenate(found)

    def matching(self, patterns: Iterable[str]) -> list[int]:
        """Indices of the rows that one of the patterns names, exactly first, then as a group, then as a case-sensitive glob.

        Raises:
            UsageError: where a pattern matches nothing.
        """
        return self._chosen(patterns)

    def choosable(self, patterns: Iterable[str]) -> list[int]:
        """The same, without rows that follow others, of which a pattern may not name one alone.

        Raises:
            UsageError: where a pattern matches nothing, or nothing but what follows others.
        """
        return self._chosen(patterns, independent=True)

    def _chosen(self, patterns: Iterable[str], *, independent: bool = False) -> list[int]:
        mask = np.zeros(len(self), dtype=bool)
        for pattern in patterns:
            hits = self._matched(pattern)
            if independent and np.all(self.dependent[hits]):
                row = self.rows[int(hits[0])]
                raise UsageError(f"{row.name} follows {row.follows}, and has no derivative of its own; choose what it follows")
            mask[hits] = True
        return np.flatnonzero(mask & ~self.dependent if independent else mask).tolist()  # type: ignore[no-any-return]

    def _matched(self, pattern: str) -> np.ndarray:
        position = self.position(pattern)
        if position is not None:
            return np.array([position])
        kind, _, group = pattern.partition(":")
        if kind == "group" and group in self.groups:
            return np.array(self.matching(self.groups[group]))
        hits = self.globbed(pattern)
        if len(hits) == 0:
            known = [f"group:{name}" for name in self.groups] if kind == "group" else [block.name(0) for block in self.blocks]
            raise UsageError(
                f"no parameter matches {pattern!r}{did_you_mean(pattern, known)}; `md-sensitivity parameters -f FORCE_FIELD` lists them"
            )
        return hits
