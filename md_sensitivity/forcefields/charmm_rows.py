"""Lines of a parameter file → rows of a term, each line that is used once, and the tuples of atoms that use it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from md_sensitivity.errors import InputError
from md_sensitivity.forcefields.data import Term, TypeTuple, join_types
from md_sensitivity.forcefields.table import ParameterBlock
from md_sensitivity.forcefields.topology import Tuples
from md_sensitivity.potentials.base import Form, ParameterSpec
from md_sensitivity.potentials.specs import SCALE
from md_sensitivity.units import CHARMM


@dataclass
class Gathered:
    """Rows of one bonded term, in the order in which the atoms of a PSF ask for them.

    Attributes:
        numbered: whether parameters of rows with equal types have the number of their row among these in their names, as components of
            torsions.
        lines: place in the file → row.
        entries: types, values and place of each row.
        atoms, uses: atoms of each interaction, and its row.
    """

    form: Form
    label: str
    options: Mapping[str, float]
    numbered: bool = False
    lines: dict[str, int] = field(default_factory=dict)
    entries: list[tuple[TypeTuple, Mapping[str, float | Sequence[float]], str]] = field(default_factory=list)
    atoms: list[np.ndarray] = field(default_factory=list)
    uses: list[int] = field(default_factory=list)

    def use(self, atoms: np.ndarray, types: TypeTuple, values: Mapping[str, float | Sequence[float]], place: str) -> None:
        """One interaction of some atoms, with the numbers of one line."""
        row = self.lines.setdefault(place, len(self.entries))
        if row == len(self.entries):
            self.entries.append((types, values, place))
        self.atoms.append(atoms)
        self.uses.append(row)

    def tuples(self) -> Tuples:
        """All interactions."""
        return Tuples(atoms=np.array(self.atoms, dtype=np.int64), rows=np.array(self.uses, dtype=np.int64))

    def term(self) -> Term:
        """The term of these rows."""
        types = tuple(entry[0] for entry in self.entries)
        constants = {
            spec.name: tuple(float(entry[1][spec.name]) for entry in self.entries)  # type: ignore[arg-type]
            for spec in self.form.parameters
            if spec.option
        }
        rows = {spec.name: types for spec in self.form.parameters}
        return Term(form=self.form, label=self.label, rows=rows, options=self.options, constants=constants)

    def blocks(self) -> list[ParameterBlock]:
        """Their part of the table of parameters."""
        found, seen = [], dict[TypeTuple, int]()
        for row, (types, values, place) in enumerate(self.entries):
            seen[types] = seen.get(types, 0) + 1
            tag = str(seen[types]) if self.numbered else f"#{seen[types]}" if seen[types] > 1 else ""
            for spec in self.form.parameters:
                if not spec.option:
                    found.append(block_of(self.label, types, spec, row, values[spec.name], place, tag=tag))
        return found


def block_of(
    label: str,
    types: TypeTuple,
    spec: ParameterSpec,
    row: int,
    value: float | Sequence[float],
    place: str,
    *,
    tag: str = "",
    fixed: bool | None = None,
    follows: str = "",
) -> ParameterBlock:
    """One number, or series of numbers, of a file as a block of the table.

    Args:
        row: position among the rows of this parameter.
        place: file and line, for messages.
        fixed: default: as the form says.
        follows: expression that the value is; "" for none.

    Raises:
        InputError: where the value is physically impossible.
    """
    values = np.atleast_1d(np.array(value, dtype=np.float64))
    for number in values:
        if not spec.admits(float(number)):
            raise InputError(f"{place}: {spec.name} = {number:g} of {join_types(types) if types else label} must be {spec.bounds_text}")
    size = len(values)
    return ParameterBlock(
        label=label,
        types=types,
        leaf=spec.name,
        start=row * size,
        values=values,
        unit=CHARMM.symbol(spec.energy, spec.length, spec.charge, spec.angle, spec.radian),
        lower=np.full(size, spec.lower),
        upper=np.full(size, spec.upper),
        std=np.full(size, np.nan),
        fixed=np.full(size, spec.fixed if fixed is None else fixed),
        series=spec.count is not None,
        follows={0: follows} if follows else {},
        tag=tag,
    )


def scale_block(label: str, value: float, *, fixed: bool) -> ParameterBlock:
    """The scale of pairs three bonds apart."""
    return block_of(label, (), SCALE, 0, value, label, fixed=fixed)
