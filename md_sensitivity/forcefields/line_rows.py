"""Rows of θ for force fields whose files have one line, or one entry, for the numbers of each interaction."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from md_sensitivity.errors import InputError
from md_sensitivity.forcefields.assemble import options_of
from md_sensitivity.forcefields.data import Term
from md_sensitivity.forcefields.table import ParameterBlock, TypeTuple
from md_sensitivity.potentials.base import SCALE, Form, ParameterSpec
from md_sensitivity.units import UnitSystem


@dataclass(kw_only=True)
class LineRows:
    """Rows of one term in the making, in the order in which lines are first used.

    Attributes:
        options: values of the form's own options, in the file's units; those that are missing have their defaults.
        numbered: whether names of rows with the same types end in 1, 2, …, as those of torsions do; else the second is `#2`.
        settings: further fields of the term.
    """

    form: Form
    label: str
    units: UnitSystem
    source: str
    options: Mapping[str, float] = field(default_factory=dict)
    numbered: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    _count: int = 0
    _places: dict[tuple[str, Hashable], int] = field(default_factory=dict)
    _rows: dict[str, list[TypeTuple]] = field(default_factory=dict)
    _constants: dict[str, list[float]] = field(default_factory=dict)
    _blocks: list[ParameterBlock] = field(default_factory=list)
    _seen: dict[tuple[str, TypeTuple], int] = field(default_factory=dict)

    def __len__(self) -> int:
        return self._count

    def known(self, key: Hashable) -> int | None:
        """The row of a line that was used before."""
        return self._places.get(("row", key))

    def row(
        self, key: Hashable, types: TypeTuple, values: Mapping[str, float | np.ndarray], place: str, *, idle: bool = False
    ) -> int:
        """The row of a line, which is made where it is new.

        Args:
            key: what tells the line from others.
            types: as the line has them.
            values: numbers of all parameters and constants of the form, in the file's units; arrays of series.
            place: file and line, for messages.
            idle: whether the line means that there is no interaction; its numbers are then fixed, and not checked.

        Raises:
            InputError: where a number is beyond the bounds of its parameter.
        """
        found = self._places.get(("row", key))
        if found is not None:
            return found
        number = self._places["row", key] = self._count
        self._count += 1
        tag = self._tag("row", types)
        for spec in self.form.parameters:
            if spec.option:
                self._constants.setdefault(spec.name, []).append(_admitted(spec, values[spec.name], place, idle))
                self._rows.setdefault(spec.name, []).append(types)
            else:
                self._add(spec, types, values[spec.name], tag, place, idle)
        return number

    def scale(self, key: Hashable, value: float, place: str, *, fixed: bool = False) -> int:
        """The row of `scale14` of a line that says how much of a pair potential acts between atoms three bonds apart."""
        if ("scale", key) not in self._places:
            self._places["scale", key] = len(self._rows.get(SCALE.name, []))
            self._add(SCALE, (), value, self._tag("scale", ()), place, False, fixed)
        return self._places["scale", key]

    def finished(self) -> tuple[Term, list[ParameterBlock]]:
        """The term and its blocks of the table."""
        term = Term(
            form=self.form,
            label=self.label,
            rows={name: tuple(types) for name, types in self._rows.items() if name != SCALE.name},
            options=options_of(self.form, {}, self.options, self.units, self.source),
            constants={name: tuple(values) for name, values in self._constants.items()},
            **self.settings,
        )
        return term, self._blocks

    def _tag(self, kind: str, types: TypeTuple) -> str:
        """What makes the names of several rows with the same types, read from either end, unique."""
        same = min((kind, types), (kind, types[::-1]))
        count = self._seen[same] = self._seen.get(same, 0) + 1
        if self.numbered and kind == "row":
            return str(count)
        return f"#{count}" if count > 1 else ""

    def _add(
        self, spec: ParameterSpec, types: TypeTuple, value: float | np.ndarray, tag: str, place: str, idle: bool, fixed: bool = False
    ) -> None:
        rows = self._rows.setdefault(spec.name, [])
        numbers = np.atleast_1d(np.asarray(value, dtype=np.float64))
        for number in numbers.tolist():
            _admitted(spec, number, place, idle)
        count = len(numbers)
        self._blocks.append(
            ParameterBlock(
                label=self.label,
                types=types,
                leaf=spec.name,
                start=len(rows) * count,
                values=numbers,
                unit=self.units.symbol(spec.energy, spec.length, spec.charge, spec.angle, spec.radian),
                lower=np.full(count, spec.lower),
                upper=np.full(count, spec.upper),
                std=np.full(count, np.nan),
                fixed=np.full(count, idle or fixed or spec.fixed),
                series=spec.count is not None,
                tag=tag,
            )
        )
        rows.append(types)


def _admitted(spec: ParameterSpec, value: float | np.ndarray, place: str, idle: bool) -> float:
    number = float(value)
    if not np.isfinite(number) or not (idle or spec.admits(number)):
        raise InputError(f"{place}: {spec.description} {spec.name} = {number:g} must be {spec.bounds_text}")
    return number


def unique_names(keys: list[Hashable], names: list[str]) -> dict[Hashable, str]:
    """A name for each key: what it would be called, and `#2`, … behind it where another key has that name already.

    Args:
        keys: as often as they occur.
        names: of each of them; the first of a key counts.
    """
    found: dict[Hashable, str] = {}
    taken: dict[str, int] = {}
    for key, name in zip(keys, names, strict=True):
        if key not in found:
            taken[name] = taken.get(name, 0) + 1
            found[key] = name if taken[name] == 1 else f"{name}#{taken[name]}"
    return found
