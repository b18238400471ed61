"""Long names of parameters, broken where one of their parts ends."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.measure import Measurement

INDENT = "  "
"""Before all lines of a name but the first."""
SMALLEST = 16
"""Columns that a name gets where they are scarce."""


def pieces(name: str) -> list[str]:
    """Parts of a name that had better stay whole, each with the mark that ends it.

    Label, types and parameter end with a dot, types with `~`; where there is no `~`, types end with a hyphen, which is part of a type
    otherwise.
    """
    return [piece for piece in re.split(r"(?<=[.~])" if "~" in name else r"(?<=[.-])", name) if piece]


def folded(name: str, width: int) -> list[str]:
    """Lines of a name, none longer than `width`: broken between its pieces, and within one only where it is longer than a line."""
    lines, line, room = [], "", max(width, len(INDENT) + 1)
    for piece in pieces(name):
        if line.strip() and len(line) + len(piece) > room:
            lines.append(line)
            line = INDENT
        line += piece
        while len(line) > room:
            cut = max(line.rfind("-", len(INDENT) + 1, room) + 1, 0) or room
            lines.append(line[:cut])
            line = INDENT + line[cut:]
    return [*lines, line]


@dataclass(frozen=True)
class Name:
    """A name in a table of rich, as wide as its column."""

    text: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Lines for the width that there is."""
        from rich.text import Text

        yield Text("\n".join(folded(self.text, options.max_width)))

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """How narrow, and how wide, the column may be."""
        from rich.measure import Measurement

        length = max(len(self.text), 1)
        return Measurement(min(SMALLEST, length), length)
