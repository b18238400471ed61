"""Numbers as files spell them.

Python takes `1_1` for 11, and digits of other scripts for those of ASCII. No structure format writes numbers so: such a word is damage,
and what Python makes of it would be computed with. ASE and MDTraj ask Python, so their texts are `marked`: a word is then refused
where they want a number, and stays what it is where they want a name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from md_sensitivity.files import printable
from md_sensitivity.types import Structure

_UNDERSCORE = re.compile(r"(?<=\d)_(?=\d)")
_FOREIGN_DIGIT = re.compile(r"[^\W\x00-\x7f]")
_JOINED, _FOREIGN = "\x01", "\x02"
"""Stand for an underscore between digits, and before a digit of another script. No text file holds these characters."""
_NO_NUMBER = re.compile(
    r"(?:could not convert string (?:to float: )?|invalid literal for int\(\) with base 10: )(['\"])(?P<word>.+?)\1", re.DOTALL
)


def real(text: str) -> float:
    """The number that `text` spells, infinities and NaN included.

    Raises:
        ValueError: it is none.
    """
    _check_spelling(text)
    return float(text)


def integer(text: str) -> int:
    """The integer that `text` spells.

    Raises:
        ValueError: it is none.
    """
    _check_spelling(text)
    return int(text)


def is_number(text: str) -> bool:
    """Whether `text` spells a number, NaN and infinities included."""
    try:
        real(text)
    except ValueError:
        return False
    return True


def is_integer(text: str) -> bool:
    """Whether `text` spells an integer that int64 holds."""
    return re.fullmatch(r"[+-]?[0-9]{1,18}", text) is not None


def _check_spelling(text: str) -> None:
    if "_" in text or not text.isascii():
        raise ValueError(f"could not convert string to float: {text!r}")


def marked(text: str) -> str:
    """`text`, in which Python finds no number that is none; `restored` gives it back."""
    text = _UNDERSCORE.sub(_JOINED, text)
    return text if text.isascii() else _FOREIGN_DIGIT.sub(lambda match: (_FOREIGN if match[0].isdecimal() else "") + match[0], text)


def restored(text: str) -> str:
    """What was `marked`, also where a message quotes it with escapes."""
    for joined, foreign in ((_JOINED, _FOREIGN), (repr(_JOINED)[1:-1], repr(_FOREIGN)[1:-1])):
        text = text.replace(joined, "_").replace(foreign, "")
    return text


def with_restored_names(structure: Structure) -> Structure:
    """What a library made of a marked text, with the names of the file."""

    def words(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(restored, names))

    return replace(
        structure,
        types=words(structure.types),
        atom_names=words(structure.atom_names),
        residue_names=words(structure.residue_names),
        chain_names=words(structure.chain_names),
    )


def complaint(error: str, text: str) -> str:
    """Which line and word of a file Python could not read as a number; "" where an error message tells of something else.

    Args:
        error: message of an exception.
        text: the file.
    """
    found = _NO_NUMBER.search(restored(error))
    if found is not None:
        return _told(found["word"].strip(), text)
    return next((_told(word, text) for word in re.findall(r"[^\s'\",]+", restored(error)) if marked(word) != word and word in text), "")


def _told(word: str, text: str) -> str:
    return f"{place_of([word], text)}{printable(word[:40])!r} is not a number"


def place_of(words: Sequence[str], text: str) -> str:
    """`line 7: ` for the line of `text` that holds these words side by side; "" where there is none.

    A title may hold any word, which is why the first line with a number beside the words is preferred, and else the last one.
    Comments after `#` do not count.
    """
    size, last = len(words), 0
    for index, line in enumerate(text.split("\n"), start=1):
        row = line.partition("#")[0].split() if words and words[0] in line else []
        starts = [start for start in range(len(row)) if row[start : start + size] == list(words)]
        if starts and (size > 1 or any(is_number(word) for word in row if word != words[0])):
            return f"line {index}: "
        last = index if starts else last
    return f"line {last}: " if last else ""
