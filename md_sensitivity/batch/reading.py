"""Structure files as a command line asks for them: frames, reader, frozen atoms; read within limits of time and memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from md_sensitivity.types import Structure


def read_selected(path: str, *, reader: str = "auto", index: str | None = None, fix: str = "") -> list[Structure]:
    """The structures of one file.

    Args:
        path: the file.
        reader: library that reads it.
        index: a frame or a range of frames in ASE syntax; None for the last.
        fix: selection of atoms to freeze, beside those that the file freezes; "" for none.

    Raises:
        InputError: the file was rejected, or reading it takes longer or more memory than the limits of the environment.
        UsageError: there is no such frame or selection.
    """
    from md_sensitivity.structures.sandbox import read_safely
    from md_sensitivity.structures.select import select

    structures = read_safely(path, reader=reader, index=index)
    if not fix:
        return structures
    return [replace(each, fixed=each.fixed | select(each, fix)[:, None]) for each in structures]


def read_references(paths: Iterable[str], *, reader: str = "auto") -> tuple[Structure, ...]:
    """One structure of each file, of a trajectory the last; atoms that are frozen are those of the file."""
    return tuple(read_selected(path, reader=reader)[0] for path in paths)
