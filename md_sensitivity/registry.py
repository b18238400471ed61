"""One explicit table for each set of interchangeable parts (potentials, observables, solvers, writers ...).

A table is written out where the parts live, in the package's `__init__.py`; nothing registers itself on import.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol, TypeVar

from md_sensitivity.errors import UsageError
from md_sensitivity.files import quotation


class Named(Protocol):
    """What a registered part must say about itself."""

    @property
    def name(self) -> str: ...

    @property
    def description(self) -> str: ...


Item = TypeVar("Item", bound=Named)
LONGEST = 200
"""Longest word that somebody may have misspelt."""


class Registry(Mapping[str, Item]):
    """Immutable, ordered mapping from name to part, with a helpful error for unknown names.

    Args:
        kind: singular noun used in messages, such as "potential".
        items: the parts, in the order in which they are listed to users.
    """

    def __init__(self, kind: str, items: Iterable[Item]) -> None:
        self.kind = kind
        self._items = {item.name: item for item in items}

    def __getitem__(self, name: str) -> Item:
        return self.find(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, name: object) -> bool:
        return name in self._items

    def find(self, name: str, error: Callable[[str], Exception] = UsageError) -> Item:
        """The part called `name`; raises `error` with a suggestion where there is none."""
        if name in self._items:
            return self._items[name]
        raise error(f"unknown {self.kind} {quotation(name)}{did_you_mean(name, self._items)}; available: {', '.join(self._items)}")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A phrase such as `, did you mean "sigma"?` or an empty string."""
    if len(word) > LONGEST:
        return ""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f", did you mean {close[0]!r}?" if close else ""
