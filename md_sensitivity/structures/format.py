"""What a structure format is, and which one a file has: by its name, else by its content."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from md_sensitivity.errors import InputError
from md_sensitivity.structures.source import Source
from md_sensitivity.types import Structure

Frame = Callable[[], Structure]
"""Reads one frame when called: of a long trajectory only what is asked for is parsed."""
FrameReader = Callable[[Source], Sequence[Frame]]
"""Finds the frames of a file. Raises `InputError` for malformed files, as the frames do."""


@dataclass(frozen=True, kw_only=True)
class Format:
    """A structure format.

    Attributes:
        name: how it is called in lists and messages.
        description: one line for `md-sensitivity list formats`.
        readers: who reads it, `auto`'s choice first: `ase`, `mdtraj`, or `native` (this package's own text parser).
        extensions: suffixes of file names, with the dot, lower case.
        patterns: whole file names with wildcards, upper case.
        signature: regular expression that the beginning of the content must match; decides between formats that share names, and
            finds the format where the name says nothing.
        nameless: whether files hold places alone: atoms are of type `X` and no element until a force field says what they are.
    """

    name: str
    description: str
    readers: Mapping[str, FrameReader]
    extensions: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    signature: str = ""
    binary: bool = field(default=False)
    nameless: bool = False

    def named_like(self, file_name: str) -> bool:
        """Whether a file of this name may have this format."""
        lower, upper = file_name.lower(), file_name.upper()
        return lower.endswith(self.extensions) or any(fnmatchcase(upper, pattern) for pattern in self.patterns)

    def begins_like(self, source: Source) -> bool:
        """Whether the content may have this format; True where the format has no signature."""
        return not self.signature or re.search(self.signature, _beginning(source), re.MULTILINE) is not None


def detected(source: Source, formats: Iterable[Format]) -> Format:
    """The format of a file.

    Formats whose names match come first, in the order of the table; among them the first whose signature matches. Files whose names
    match none are recognized by signature alone.

    Raises:
        InputError: nothing matches.
    """
    formats = tuple(formats)
    named = [one for one in formats if one.named_like(source.file_name)]
    fitting = [one for one in named if one.begins_like(source)] or named
    if not fitting:
        fitting = [one for one in formats if one.signature and one.begins_like(source)]
    if not fitting:
        known = " ".join(sorted({extension for one in formats for extension in one.extensions}))
        raise InputError(f"{source.where}: unknown structure format; rename it with the suffix of its format (known: {known})")
    return fitting[0]


def _beginning(source: Source, size: int = 100_000) -> str:
    return source.data[:size].decode("latin-1").replace("\r\n", "\n").replace("\r", "\n")
