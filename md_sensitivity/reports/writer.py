"""What a writer is: a file name and a pure function from a result to the file's content."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from md_sensitivity.analysis.result import Result


@dataclass(frozen=True, kw_only=True)
class Writer:
    """One format of a result.

    Attributes:
        name: what users say to choose it.
        description: one line for lists.
        filename: name of the file in the folder of the structure.
        write: content of the file.
        possible: whether the result holds what the format needs; otherwise no file is written even where it is asked for.
        usual: whether it is also written where nobody chose formats.
    """

    name: str
    description: str
    filename: str
    write: Callable[[Result], bytes | str]
    possible: Callable[[Result], bool] = lambda result: True
    usual: Callable[[Result], bool] = lambda result: True

    def applies(self, result: Result, *, asked: bool = False) -> bool:
        """Whether to write this file: it can be, and somebody asked for it or it usually is."""
        return self.possible(result) and (asked or self.usual(result))
