"""Observables with several components taken apart into scalars, each with its name and unit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from md_sensitivity.analysis.result import ObservableInfo, ResultDocument

VOIGT = ("xx", "yy", "zz", "yz", "xz", "xy")
LATTICE = ("a", "b", "c", "alpha", "beta", "gamma")
PLANE = ("a", "b", "gamma")
_NOTHING, _SYMMETRY = 1e-9, 1e-8
"""Shares of the largest component, and of a value, that are rounding."""


@dataclass(frozen=True, kw_only=True)
class Component:
    """One scalar of one observable with its derivatives, one entry for each parameter; None where one does not exist.

    Attributes:
        observable: name of the observable.
        label: name of the component; "" where the observable is a scalar.
        unit: unit of `value` and `standard_deviation`.
        direct, relaxation, total: [unit per parameter unit].
        logarithmic: (θ/O)(dO/dθ); None also where the value is zero.
        constant: whether no parameter changes it, though some change other components.
        also: labels of components of the same observable that are the same, by symmetry, and not listed by themselves.
    """

    observable: str
    label: str
    unit: str
    value: float
    direct: tuple[float | None, ...]
    relaxation: tuple[float | None, ...]
    total: tuple[float | None, ...]
    logarithmic: tuple[float | None, ...]
    standard_deviation: float | None = None
    also: tuple[str, ...] = ()
    constant: bool = False

    @property
    def heading(self) -> str:
        """The title, and the components that are the same, such as `lattice.a = b = c`."""
        return " = ".join((self.title, *self.also))

    @property
    def title(self) -> str:
        """Observable and component in one word, such as `stress.xx`."""
        return f"{self.observable}.{self.label}" if self.label else self.observable


def components(document: ResultDocument) -> list[Component]:
    """All scalars of all observables, in the order of the document (rows first)."""
    return [component for observable in document.observables for component in _split(observable)]


def distinct(document: ResultDocument) -> list[Component]:
    """The scalars that a person wants to see: those that symmetry makes equal once, and of several none that are and stay zero."""
    found: list[Component] = []
    sizes = [abs(parameter.value) or 1.0 for parameter in document.parameters]
    for observable in document.observables:
        every = list(_split(observable))
        largest = max((abs(component.value) for component in every), default=0.0)
        scale = max((_largest(part, sizes) for each in every for part in (each.direct, each.relaxation)), default=0.0)
        kept: list[Component] = []
        for component in every:
            constant = len(every) > 1 and _constant(component, scale, sizes)
            if constant and abs(component.value) <= _NOTHING * max(1.0, largest):
                continue
            component = replace(component, constant=constant)
            same = next((k for k, other in enumerate(kept) if _same(component, other, scale, sizes)), None)
            if same is None:
                kept.append(component)
            else:
                kept[same] = replace(kept[same], also=(*kept[same].also, component.label))
        found += kept or every[:1]
    return found


def _largest(parts: Sequence[float | None], sizes: Sequence[float]) -> float:
    """Largest change by a parameter that changes by its own size."""
    return max((abs(size * part) for size, part in zip(sizes, parts, strict=True) if part is not None), default=0.0)


def _constant(component: Component, scale: float, sizes: Sequence[float]) -> bool:
    """Whether no parameter changes it by more than rounding of `scale`."""
    return any(total is not None for total in component.total) and _largest(component.total, sizes) <= _NOTHING * scale


def _same(one: Component, other: Component, scale: float, sizes: Sequence[float]) -> bool:
    """Whether value and derivatives agree within what rounding leaves of symmetry."""
    if one.unit != other.unit or one.constant != other.constant or not _close(one.value, other.value, abs(other.value)):
        return False
    if one.constant:
        return True
    pairs = zip(one.total, other.total, sizes, strict=True)
    return all((a is None) == (b is None) and (a is None or b is None or _close(a, b, scale / size)) for a, b, size in pairs)


def _close(a: float, b: float, size: float) -> bool:
    return abs(a - b) <= _SYMMETRY * size


def _split(observable: ObservableInfo) -> Iterator[Component]:
    value: Any = observable.value
    deviation: Any = observable.standard_deviation
    for index in _indices(value):

        def pick(entries: Sequence[Any], index: tuple[int, ...] = index) -> tuple[float | None, ...]:
            return tuple(_at(entry, index) for entry in entries)

        yield Component(
            observable=observable.name,
            label=_label(observable.name, index, value),
            unit=_unit(observable, index),
            value=_at(value, index),
            direct=pick(observable.direct),
            relaxation=pick(observable.relaxation),
            total=pick(observable.total),
            logarithmic=pick(observable.logarithmic),
            standard_deviation=_at(deviation, index) if isinstance(deviation, int | float | list | tuple) else None,
        )


def _indices(value: Any, prefix: tuple[int, ...] = ()) -> Iterator[tuple[int, ...]]:
    if not isinstance(value, list | tuple):
        yield prefix
        return
    for index, entry in enumerate(value):
        yield from _indices(entry, (*prefix, index))


def _at(value: Any, index: tuple[int, ...]) -> Any:
    """Entry of a nested list; None where a part of it, or all of it, is null."""
    for i in index:
        if value is None:
            return None
        value = value[i]
    return value


def _label(name: str, index: tuple[int, ...], value: Any) -> str:
    """`xx` for a stress, `C44` for elastic constants, `gamma` for a lattice, otherwise the 0-based indices."""
    if not index:
        return ""
    if name == "stress" and len(value) == len(VOIGT):
        return VOIGT[index[0]]
    if name == "dipole_vector" and len(value) == 3:
        return "xyz"[index[0]]
    if name == "lattice" and len(value) in (len(LATTICE), len(PLANE)):
        return (LATTICE if len(value) == len(LATTICE) else PLANE)[index[0]]
    if name.endswith("elastic_constants") and len(index) == 2:
        return f"C{index[0] + 1}{index[1] + 1}"
    return "-".join(map(str, index))


def _unit(observable: ObservableInfo, index: tuple[int, ...]) -> str:
    """Unit of one component: a lattice has lengths and angles."""
    if observable.name == "lattice" and index:
        lengths = 2 if isinstance(observable.value, list | tuple) and len(observable.value) == len(PLANE) else 3
        return "degrees" if index[0] >= lengths else "reduced" if observable.unit == "reduced" else "Å"
    return observable.unit
