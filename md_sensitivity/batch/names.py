"""File names → names of result folders: unique, safe on every file system, and the same whatever else runs beside."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

COMPRESSIONS = (".gz", ".bz2", ".xz")
LONGEST = 100
TAKEN = frozenset({"summary.csv", "run.json"})
"""Files of the output folder that a structure must not be called like."""


def result_names(paths: Sequence[str]) -> list[str]:
    """One name for each path: the stem of the file; where stems collide, with the folder's name before it, then with a number after it.

    Names depend on the whole list only, so that all shards of one list agree on them.
    """
    stems = [safe_name(_stem(path)) for path in paths]
    count = Counter(stem.casefold() for stem in stems)
    names = []
    for path, stem in zip(paths, stems, strict=True):
        folder = Path(path).absolute().parent.name
        names.append(safe_name(f"{folder}-{stem}") if count[stem.casefold()] > 1 and folder else stem)
    return numbered(names)


def numbered(names: Sequence[str]) -> list[str]:
    """The same names with -2, -3 ... after those that were there before, whatever their case."""
    taken = set(TAKEN)
    unique = []
    wanted = {name.casefold() for name in names}
    for name in names:
        candidate, number = name, 2
        while candidate.casefold() in taken or (candidate != name and candidate.casefold() in wanted):
            candidate, number = f"{name}-{number}", number + 1
        taken.add(candidate.casefold())
        unique.append(candidate)
    return unique


def frame_names(name: str, frames: Sequence[str], others: Collection[str] = ()) -> list[str]:
    """Names of the structures that one file gave.

    Args:
        name: the file's own name.
        frames: what tells the frames of a range apart; "" where no range was asked for.
        others: names of all files, which no frame may take.
    """
    if not any(frames):
        return [name for _ in frames]
    taken = ({other.casefold() for other in others} | TAKEN) - {name.casefold()}
    stem = name
    while taken & {f"{stem}-{frame}".casefold() for frame in frames}:
        stem += "-frame"
    return [f"{stem}-{frame}" if frame else name for frame in frames]


def safe_name(text: str) -> str:
    """`text` with letters, digits, `.`, `_` and `-` only, no leading `.` or `-`, not empty and not too long."""
    name = re.sub(r"[^A-Za-z0-9._-]", "_", text)[:LONGEST].rstrip(".")
    name = re.sub(r"^[.-]+", lambda match: "_" * len(match.group()), name)
    return name or "structure"


def _stem(path: str) -> str:
    name = Path(path).name
    if name.lower().endswith(COMPRESSIONS):
        name = name[: name.rindex(".")]
    return Path(name).stem
