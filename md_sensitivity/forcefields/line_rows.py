"""Lines, or entries, of a molecular force field → rows of a term: each line that is used is one row of every array of its potential."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from md_sensitivity.forcefields.assemble import completed, options_of
from md_sensitivity.forcefields.data import ForceField, Term
from md_sensitivity.forcefields.parameter_blocks import block_of, plain_numbers, require_admitted
from md_sensitivity.forcefields.plausible import require_plausible, require_plausible_powers
from md_sensitivity.forcefields.table import ParameterBlock, TypeTuple
from md_sensitivity.potentials.base import SCALE, Form, ParameterSpec
from md_sensitivity.units import UnitSystem


@dataclass(frozen=True, kw_only=True)
class Line:
    """The numbers of one line.

    Attributes:
        types: as the line says them.
        values: parameter, or constant, → number; numbers of a series. In the file's own units.
        where: file and line, for messages.
        tag: what the names of its parameters end with, such as the number of a component of a torsion.
        idle: whether it means that there is no interaction; its numbers are then fixed, and of any size.
        follows: parameter → expression of others that it is.
    """

    types: TypeTuple
    values: Mapping[str, Any]
    where: str
    tag: str = ""
    idle: bool = False
    follows: Mapping[str, str] = field(default_factory=dict)


@dataclass(kw_only=True)
class LineRows:
    """Rows of one term in the making, in the order in which lines are first used.

    Attributes:
        options: values of the form's own options, in the file's units; those that are missing have their defaults.
        numbered: whether names of rows with the same types end in 1, 2, …, as those of torsions do; else the second is `#2`.
        mirrored: whether types read from the other end are the same types in that.
        by_parameter: whether the table holds them parameter by parameter, and not line by line.
        settings: further fields of the term.
    """

    form: Form
    label: str
    units: UnitSystem
    source: str
    options: Mapping[str, float] = field(default_factory=dict)
    numbered: bool = False
    mirrored: bool = True
    by_parameter: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    _types: list[TypeTuple] = field(default_factory=list)
    _places: dict[Hashable, int] = field(default_factory=dict)
    _scales: dict[Hashable, int] = field(default_factory=dict)
    _constants: dict[str, list[float]] = field(default_factory=dict)
    _blocks: list[ParameterBlock] = field(default_factory=list)
    _seen: dict[Hashable, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._types)

    def known(self, key: Hashable) -> int | None:
        """The row of a line that was used before."""
        return self._places.get(key)

    def row(
        self, key: Hashable, types: TypeTuple, values: Mapping[str, float | Sequence[float] | np.ndarray], place: str, *, idle: bool = False
    ) -> int:
        """The row of a line, which is made where it is new.

        Args:
            key: what tells the line from others.
            types, values, place, idle: as of `Line`.

        Raises:
            InputError: where a number is beyond the bounds of its parameter.
        """
        found = self._places.get(key)
        if found is None:
            found = self._places[key] = self.add(Line(types=types, values=values, where=place, idle=idle))
        return found

    def add(self, line: Line) -> int:
        """The row of one more line, whatever lines there are.

        Raises:
            InputError: where a number is beyond the bounds of its parameter.
        """
        number = len(self._types)
        types = line.types
        same = (min(types, types[::-1]) if self.mirrored else types, line.tag)
        tag = line.tag + (str(_counted(self._seen, same)) if self.numbered else _again(self._seen, same))
        for spec in self.form.parameters:
            self._put(spec, number, line, tag)
        if not line.idle and line.values.keys() >= {"C6", "C12"}:
            require_plausible_powers(line.values, self.units, line.where, types or self.label)
        self._types.append(types)
        return number

    def scale(self, key: Hashable, value: float, place: str, *, tag: str = "", fixed: bool = False) -> int:
        """The row of `scale14` of a line that says how much of a pair potential acts between atoms three bonds apart."""
        if key not in self._scales:
            number = self._scales[key] = len(self._scales)
            line = Line(types=(), values={SCALE.name: value}, where=place)
            self._put(SCALE, number, line, tag + _again(self._seen, (SCALE.name, tag)), fixed=fixed)
        return self._scales[key]

    def finished(self) -> tuple[Term, list[ParameterBlock]]:
        """The term and its blocks of the table."""
        rows = {spec.name: tuple(self._types) for spec in self.form.parameters}
        if self._scales:
            rows[SCALE.name] = ((),) * len(self._scales)
        term = Term(
            form=self.form,
            label=self.label,
            rows=rows,
            options=options_of(self.form, {}, self.options, self.units, self.source),
            constants={name: tuple(values) for name, values in self._constants.items()},
            **self.settings,
        )
        order = {name: place for place, name in enumerate(rows)}
        return term, sorted(self._blocks, key=lambda block: order[block.leaf]) if self.by_parameter else self._blocks

    def _put(self, spec: ParameterSpec, row: int, line: Line, tag: str, *, fixed: bool = False) -> None:
        values = np.array(line.values[spec.name], dtype=np.float64, ndmin=1)
        follows = line.follows.get(spec.name, "")
        if not follows:
            require_admitted(spec, values.tolist(), line.where, line.types or self.label, idle=line.idle)
            if not line.idle:
                require_plausible(spec, values, self.units, line.where, line.types or self.label)
        if spec.option:
            self._constants.setdefault(spec.name, []).append(float(values[0]))
            return
        numbers = plain_numbers(spec, values, fixed=line.idle or fixed, follows=follows)
        self._blocks.append(block_of(spec, numbers, row, self.units, label=self.label, types=line.types, tag=tag))


def force_field_of_rows(found: Iterable[LineRows], units: UnitSystem, *, name: str, source: str) -> ForceField:
    """The force field of these terms, which does not know any atoms yet."""
    finished = [rows.finished() for rows in found]
    blocks = [block for _, own in finished for block in own]
    return completed(blocks, tuple(term for term, _ in finished), units, name=name, source=source)


def _counted(seen: dict[Hashable, int], key: Hashable) -> int:
    """How often a key has occurred, this time included."""
    count = seen[key] = seen.get(key, 0) + 1
    return count


def _again(seen: dict[Hashable, int], key: Hashable) -> str:
    """`#2`, … where a key has occurred before."""
    count = _counted(seen, key)
    return f"#{count}" if count > 1 else ""


def unique_names(keys: list[Hashable], names: list[str]) -> dict[Hashable, str]:
    """A name for each key: what it would be called, and `#2`, … behind it where another key has that name already.

    Args:
        keys: as often as they occur.
        names: of each of them; the first of a key counts.
    """
    found: dict[Hashable, str] = {}
    taken: dict[Hashable, int] = {}
    for key, name in zip(keys, names, strict=True):
        if key not in found:
            found[key] = name + _again(taken, name)
    return found
