"""Lines of a molecular force field → a term and its blocks: each line is one row of every array of its potential."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from md_sensitivity.errors import InputError
from md_sensitivity.forcefields.data import Term
from md_sensitivity.forcefields.table import ParameterBlock, TypeTuple
from md_sensitivity.potentials.base import SCALE, Form, ParameterSpec
from md_sensitivity.units import UnitSystem


@dataclass(frozen=True, kw_only=True)
class Line:
    """The numbers of one line.

    Attributes:
        types: as the line says them.
        values: parameter, or constant, → number; a list of numbers for a series. In the file's own units.
        where: file, line and tag.
        tag: what the names of its parameters end with, such as the number of a component of a torsion.
        fixed: whether its parameters are left out unless chosen by name.
        follows: parameter → expression of others that it is.
    """

    types: TypeTuple
    values: Mapping[str, Any]
    where: str
    tag: str = ""
    fixed: bool = False
    follows: Mapping[str, str] = field(default_factory=dict)


def term_of_lines(
    form: Form, label: str, lines: Sequence[Line], units: UnitSystem, scales: Sequence[Line] = (), **settings: Any
) -> tuple[Term, list[ParameterBlock]]:
    """The term of a potential with one row for each line, in their order.

    Lines of the same types and tag get `#2`, `#3`, … at the end of their names.

    Args:
        scales: values of `scale14` of a pair potential.
        settings: of `Term`.

    Raises:
        InputError: a number is physically impossible; with line and reason.
    """
    options = settings.get("options", {})
    rows: dict[str, tuple[TypeTuple, ...]] = {}
    constants: dict[str, tuple[float, ...]] = {}
    blocks: list[ParameterBlock] = []
    tags = _tags(lines)
    for spec in form.parameters:
        own = [(line, tag) for line, tag in zip(lines, tags, strict=True) if spec.name in line.values]
        rows[spec.name] = tuple(line.types for line, _ in own)
        if spec.option:
            constants[spec.name] = tuple(float(line.values[spec.name]) for line, _ in own)
        else:
            size = None if spec.count is None else spec.count(options)
            blocks += [_block(label, line, tag, spec, row * (size or 1), size, units) for row, (line, tag) in enumerate(own)]
    if scales:
        rows[SCALE.name] = tuple(line.types for line in scales)
        blocks += [
            _block(label, line, tag, SCALE, row, None, units)
            for row, (line, tag) in enumerate(zip(scales, _tags(scales), strict=True))
        ]
    return Term(form=form, label=label, rows=rows, constants=constants, **settings), blocks


def _tags(lines: Sequence[Line]) -> list[str]:
    seen: Counter[tuple[TypeTuple, str]] = Counter()
    tags = []
    for line in lines:
        seen[line.types, line.tag] += 1
        count = seen[line.types, line.tag]
        tags.append(line.tag + (f"#{count}" if count > 1 else ""))
    return tags


def _block(
    label: str, line: Line, tag: str, spec: ParameterSpec, start: int, size: int | None, units: UnitSystem
) -> ParameterBlock:
    values = np.atleast_1d(np.asarray(line.values[spec.name], dtype=np.float64))
    if not all(spec.admits(value) for value in values) and spec.name not in line.follows and not _void(line, spec):
        wrong = next(value for value in values if not spec.admits(value))
        raise InputError(f"{line.where}: {spec.name} = {wrong:g} must be {spec.bounds_text}")
    lower, upper, std, fixed = _common(spec.lower, spec.upper, len(values), spec.fixed or line.fixed)
    return ParameterBlock(
        label=label,
        types=line.types,
        leaf=spec.name,
        start=start,
        values=values,
        unit=_unit(units, spec),
        lower=lower,
        upper=upper,
        std=std,
        fixed=fixed,
        series=size is not None,
        follows={0: line.follows[spec.name]} if spec.name in line.follows else {},
        tag=tag,
    )


def _void(line: Line, spec: ParameterSpec) -> bool:
    """Whether a number is zero beside a depth of zero: such a line says that there is no interaction, whatever its size."""
    return line.values.get("epsilon") == 0.0 and line.values[spec.name] == 0.0


@lru_cache(maxsize=1024)
def _unit(units: UnitSystem, spec: ParameterSpec) -> str:
    return units.symbol(spec.energy, spec.length, spec.charge, spec.angle, spec.radian)


@lru_cache(maxsize=1024)
def _common(lower: float, upper: float, size: int, fixed: bool) -> tuple[np.ndarray, ...]:
    """What blocks of one parameter have in common; a force field has tens of thousands of them, and they share these arrays."""
    arrays = (np.full(size, lower), np.full(size, upper), np.full(size, np.nan), np.full(size, fixed, dtype=bool))
    for array in arrays:
        array.flags.writeable = False
    return arrays
