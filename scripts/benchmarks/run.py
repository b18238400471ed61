"""What a case is told, and what it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from benchmarks.measure import Measure
from benchmarks.systems import MIDDLE, SMALL


@dataclass(frozen=True, kw_only=True)
class Run:
    """How to measure.

    Attributes:
        quick: whether the whole must end within ten minutes.
        repetitions: of each side.
        sizes: numbers of atoms that were asked for instead of a case's own; empty for those.
        missing: peer → why it cannot be had; empty where all can.
        gpu: whether jax computes on a GPU.
        say: tells how far it is.
    """

    quick: bool = False
    repetitions: int = 3
    sizes: tuple[int, ...] = ()
    missing: Mapping[str, str] = field(default_factory=dict)
    gpu: bool = False
    say: Callable[[str], None] = lambda line: None

    def sizes_of(self, full: tuple[int, ...], quick: tuple[int, ...] | None = None) -> tuple[int, ...]:
        """Numbers of atoms of a case: those asked for, else its own."""
        return self.sizes or (quick if self.quick and quick is not None else full)


@dataclass(frozen=True, kw_only=True)
class Case:
    """Measures that are made together.

    Attributes:
        measure: gives them one after the other, as they are done.
        full_only: whether --quick leaves it out unless it is named.
    """

    name: str
    description: str
    measure: Callable[[Run], Iterator[Measure]]
    full_only: bool = False


def within(size: int, limit: float, smallest: int = SMALL, largest: int = MIDDLE) -> float | None:
    """The limit for sizes that it speaks of; None for others, which are for information."""
    return limit if smallest <= size <= largest else None
