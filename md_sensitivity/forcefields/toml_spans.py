"""Where the values of a TOML document stand in its text, so that single numbers can be replaced and all else stays as it is.

The document is known to be valid: `tomllib` has read it before. No library that keeps comments is used, because none but the places of
values is needed, and because those take minutes for the tables of a tabulated potential.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field

Path = tuple[str | int, ...]
"""Keys and, in arrays, positions."""
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY = re.compile(r"""[ \t]*([A-Za-z0-9_-]+|"(?:\\.|[^"\\\n])*"|'[^'\n]*')[ \t]*""")
_STRING = re.compile(r'"""(?:\\.|[^\\])*?"{3,5}' + r"|'''.*?'{3,5}|" + r'"(?:\\.|[^"\\\n])*"' + r"|'[^'\n]*'", re.DOTALL)
_PLAIN = re.compile(r"[^,\]\}\s#]+")


@dataclass(frozen=True, kw_only=True)
class TomlSpans:
    """Places in a text.

    Attributes:
        values: path → (start, end) of each value, arrays and inline tables as well as what is in them.
        headers: (path, start, end) of each `[table]` or `[[table]]` line, in order; the end is that of the line.
    """

    values: dict[Path, tuple[int, int]] = field(default_factory=dict)
    headers: list[tuple[Path, int, int]] = field(default_factory=list)


def spans_of(text: str) -> TomlSpans:
    """Places of all values of a valid TOML document."""
    spans, counts = TomlSpans(), dict[Path, int]()
    here: Path = ()
    place = _skipped(text, 0)
    while place < len(text):
        if text[place] == "[":
            double = text.startswith("[[", place)
            keys, end = _keys(text, place + 1 + double)
            here = _resolved(keys, counts, new=double)
            line = text.find("\n", end)
            line = len(text) if line < 0 else line + 1
            spans.headers.append((here, place, line))
            place = end + 1 + double
        else:
            keys, end = _keys(text, place)
            place = _value(text, _skipped_blanks(text, end + 1), (*here, *keys), spans)
        place = _skipped(text, place)
    return spans


def _skipped(text: str, place: int) -> int:
    found = _BLANK.match(text, place)
    return found.end() if found else place


def _skipped_blanks(text: str, place: int) -> int:
    while text[place] in " \t":
        place += 1
    return place


def _keys(text: str, place: int) -> tuple[list[str], int]:
    """Parts of a dotted key, and the place behind it."""
    keys = []
    while True:
        found = _KEY.match(text, place)
        if found is None:
            raise ValueError(f"no key at {place}")
        word = found[1]
        keys.append(tomllib.loads(f"key = {word}")["key"] if word[0] in "\"'" else word)
        place = found.end()
        if text[place] != ".":
            return keys, place
        place += 1


def _resolved(keys: list[str], counts: dict[Path, int], *, new: bool) -> Path:
    """The path of a header, in the last element of each array of tables on its way."""
    path: Path = ()
    for number, key in enumerate(keys):
        path = (*path, key)
        if new and number == len(keys) - 1:
            counts[path] = counts.get(path, 0) + 1
        if path in counts:
            path = (*path, counts[path] - 1)
    return path


def _value(text: str, place: int, path: Path, spans: TomlSpans) -> int:
    """Notes the value that starts at a place; returns where it ends."""
    start = place
    if found := _STRING.match(text, place):
        place = found.end()
    elif text[place] == "[":
        place, count = _skipped(text, place + 1), 0
        while text[place] != "]":
            place = _skipped(text, _value(text, place, (*path, count), spans))
            place = _skipped(text, place + 1) if text[place] == "," else place
            count += 1
        place += 1
    elif text[place] == "{":
        place = _skipped(text, place + 1)
        while text[place] != "}":
            keys, end = _keys(text, place)
            place = _skipped(text, _value(text, _skipped_blanks(text, end + 1), (*path, *keys), spans))
            place = _skipped(text, place + 1) if text[place] == "," else place
        place += 1
    else:
        plain = _PLAIN.match(text, place)
        place = plain.end() if plain else place + 1
    spans.values[path] = (start, place)
    return place
