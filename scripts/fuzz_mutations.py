"""Ways to damage a file, drawn at random: what `fuzz.py` does to valid files."""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
import re
from collections.abc import Callable, Sequence

MAX_BYTES = 200_000
"""Largest mutated file; damage that multiplies is cut here."""
NUMBERS = (
    "nan", "NaN", "inf", "-inf", "1e999", "-1e999", "1e-999", "-1", "0", "-0", "1000000000000", "9" * 25, "9" * 5000, "0x10", "1_0",
    "1d5", "1.", ".", "+", "", "1e", "٣", "½", "1,5", "true", "None",
)  # fmt: skip
TEXTS = (
    "X", "Zz", "", '"', "'", "#", "=", ":", "[", "]", "{", "}", "[" * 300, "\x00", "\x1b[31m", "\u202e", "ü", "原子", "\ufeff", "<script>",
    "=1+1", "END", "END\n", "\n\n", "\t", " " * 200, "a." * 50, "../../etc/passwd", "/dev/zero", "%s", "\\u0041", "$(x)", "'''", '"""',
)  # fmt: skip
_NUMBER = re.compile(rb"[-+]?\d+\.?\d*(?:[eE][-+]?\d+)?")
_COMPRESSIONS = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}

Mutation = Callable[[random.Random, bytes, bytes], bytes]
"""Draws damage for a file; the second file is another valid one of the same kind."""


def mutated(draw: random.Random, content: bytes, other: bytes) -> tuple[bytes, list[str]]:
    """The file with one to five kinds of damage, and what they are called."""
    chosen = [draw.choice(MUTATIONS) for _ in range(draw.choice((1, 1, 1, 2, 2, 3, 5)))]
    for mutation in chosen:
        content = mutation(draw, content, other)[:MAX_BYTES]
    return content, [mutation.__name__ for mutation in chosen]


def mutated_name(draw: random.Random, name: str, names: Sequence[str]) -> tuple[str, Callable[[bytes], bytes] | None]:
    """Mostly the same name; else that of another file, or one with the suffix of a compression, honest or not."""
    kind = draw.random()
    if kind < 0.85:
        return name, None
    if kind < 0.93:
        return draw.choice(names), None
    suffix = draw.choice(tuple(_COMPRESSIONS))
    return name + suffix, _COMPRESSIONS[suffix] if draw.random() < 0.8 else None


def flip_bits(draw: random.Random, content: bytes, other: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(draw.choice((1, 1, 3, 10)) if changed else 0):
        changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def replace_bytes(draw: random.Random, content: bytes, other: bytes) -> bytes:
    place = draw.randrange(len(content) + 1)
    return content[:place] + draw.randbytes(draw.choice((1, 1, 4, 40))) + content[place + draw.choice((0, 1, 4)) :]


def truncate(draw: random.Random, content: bytes, other: bytes) -> bytes:
    return content[: draw.randrange(len(content) + 1)]


def behead(draw: random.Random, content: bytes, other: bytes) -> bytes:
    return content[draw.randrange(len(content) + 1) :]


def delete_chunk(draw: random.Random, content: bytes, other: bytes) -> bytes:
    place = draw.randrange(len(content) + 1)
    return content[:place] + content[place + draw.choice((1, 2, 5, 20, 100)) :]


def repeat_chunk(draw: random.Random, content: bytes, other: bytes) -> bytes:
    place, length, times = draw.randrange(len(content) + 1), draw.choice((1, 5, 30, 200)), draw.choice((2, 3, 50, 1000))
    return content[:place] + content[place : place + length] * times + content[place + length :]


def repeat_all(draw: random.Random, content: bytes, other: bytes) -> bytes:
    return content * draw.choice((2, 3, 20))


def shuffle_lines(draw: random.Random, content: bytes, other: bytes) -> bytes:
    lines = content.split(b"\n")
    first, second = draw.randrange(len(lines)), draw.randrange(len(lines))
    kind = draw.randrange(4)
    if kind == 0:
        lines[first], lines[second] = lines[second], lines[first]
    elif kind == 1:
        lines.insert(second, lines[first])
    elif kind == 2:
        del lines[first]
    else:
        draw.shuffle(lines)
    return b"\n".join(lines)


def replace_number(draw: random.Random, content: bytes, other: bytes) -> bytes:
    found = list(_NUMBER.finditer(content))
    if not found:
        return content
    one = draw.choice(found)
    return content[: one.start()] + draw.choice(NUMBERS).encode() + content[one.end() :]


def join_digits(draw: random.Random, content: bytes, other: bytes) -> bytes:
    """An underscore inside a number, inserted or in place of a digit: Python takes `1_0` for 10, no structure format does."""
    length = draw.choice((2, 3))
    places = [match.start() + 1 for match in re.finditer(rb"\d(?=\d{%d})" % (length - 1), content)]
    if places:
        place = draw.choice(places)
        return content[:place] + b"_" + content[place + length - 2 :]
    places = [match.end() for match in re.finditer(rb"\d", content)]
    place = draw.choice(places or [0])
    return content[:place] + b"_0" + content[place:] if places else content


def scale_number(draw: random.Random, content: bytes, other: bytes) -> bytes:
    """Another number of the same width, so that columns stay where they are."""
    found = list(_NUMBER.finditer(content))
    if not found:
        return content
    one = draw.choice(found)
    digits = b"".join(draw.choice((b"0", b"1", b"5", b"9")) if char in b"0123456789" else bytes([char]) for char in one.group())
    return content[: one.start()] + digits + content[one.end() :]


def replace_word(draw: random.Random, content: bytes, other: bytes) -> bytes:
    words = re.split(rb"(\s+)", content)
    words[draw.randrange(len(words))] = draw.choice(TEXTS).encode()
    return b"".join(words)


def insert_text(draw: random.Random, content: bytes, other: bytes) -> bytes:
    place = draw.randrange(len(content) + 1)
    return content[:place] + draw.choice(TEXTS).encode() + content[place:]


def swap_columns(draw: random.Random, content: bytes, other: bytes) -> bytes:
    first, second = draw.randrange(6), draw.randrange(6)
    lines = [line.split() for line in content.split(b"\n")]
    for words in lines:
        if max(first, second) < len(words):
            words[first], words[second] = words[second], words[first]
    return b"\n".join(b" ".join(words) for words in lines)


def delete_column(draw: random.Random, content: bytes, other: bytes) -> bytes:
    column = draw.randrange(6)
    lines = [line.split() for line in content.split(b"\n")]
    return b"\n".join(b" ".join([*words[:column], *words[column + 1 :]]) for words in lines)


def splice(draw: random.Random, content: bytes, other: bytes) -> bytes:
    ours, theirs = draw.randrange(len(content) + 1), draw.randrange(len(other) + 1)
    return content[:ours] + other[theirs:] if draw.random() < 0.5 else content[:ours] + other[theirs : theirs + 200] + content[ours:]


def recode(draw: random.Random, content: bytes, other: bytes) -> bytes:
    text = content.decode("utf-8", "replace")
    kind = draw.randrange(5)
    if kind == 0:
        return text.encode(draw.choice(("utf-16", "utf-16-le", "utf-32", "utf-7")))
    if kind == 1:
        return b"\xef\xbb\xbf" + content
    if kind == 2:
        return content.replace(b"\n", draw.choice((b"\r\n", b"\r", b"\x0b", b"\x85", "\u2028".encode())))
    if kind == 3:
        return text.replace("a", draw.choice("äáа\u0301")).encode(draw.choice(("utf-8", "latin-1", "cp1252")), "replace")
    return text.swapcase().encode()


MUTATIONS: tuple[Mutation, ...] = (
    flip_bits, replace_bytes, truncate, behead, delete_chunk, repeat_chunk, repeat_all, shuffle_lines, replace_number, replace_number,
    replace_number, scale_number, join_digits, replace_word, replace_word, insert_text, swap_columns, delete_column, splice, recode,
)  # fmt: skip
