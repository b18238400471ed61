"""Groups of parameters, by which `-p group:<name>` chooses: patterns of the table `[groups]`, and parameters that name their group."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from md_sensitivity.errors import InputError, UsageError
from md_sensitivity.files import shortened
from md_sensitivity.forcefields.table import ParameterBlock, ParameterTable


def named_groups(entries: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """(group, name of a parameter) for each long form that says so; names begin with `prefix`."""
    for key, long in entries.items():
        if isinstance(long, dict) and "group" in long:
            yield long["group"], prefix + key


def groups_of(
    given: Any, named: Iterable[tuple[str, str]], blocks: Sequence[ParameterBlock], source: str
) -> dict[str, tuple[str, ...]]:
    """Group → patterns, each of which matches something.

    Args:
        given: the table of a file.
        named: (group, name of a parameter or of a series).

    Raises:
        InputError: with file, place and reason.
    """
    if not isinstance(given, dict):
        raise InputError(f"{source}: groups must be a table such as [groups]")
    found: dict[str, list[str]] = {}
    for name, patterns in given.items():
        several = [patterns] if isinstance(patterns, str) else patterns
        if not isinstance(several, list) or not several or not all(isinstance(each, str) and each for each in several):
            raise InputError(f"{source}: groups.{shortened(name)} must be a list of names or patterns, such as [\"*.sigma\"]")
        found[name] = several
    series = {block.prefix for block in blocks if block.series}
    for name, parameter in named:
        found.setdefault(name, []).append(f"{glob.escape(parameter)}[0-9]*" if parameter in series else parameter)
    table = ParameterTable(blocks=tuple(blocks))
    for name, patterns in found.items():
        if not re.fullmatch(r"[\w-]+", name):
            raise InputError(f"{source}: the name of group {shortened(name)!r} may hold letters, digits, `_` and `-` only")
        try:
            table.matching(patterns)
        except UsageError as error:
            raise InputError(f"{source}: groups.{name}: {error}") from None
    return {name: tuple(patterns) for name, patterns in found.items()}
