"""Input files as bytes: regular files of sane size only, read without waiting for anybody, and errors for people."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from typing import Any, BinaryIO

from md_sensitivity.errors import InputError

LONGEST_PATH = 400


def printable(text: str) -> str:
    """`text` with every character escaped that is not printed as itself: line breaks, terminal controls, half characters."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def legible(path: str) -> str:
    """A path as text that UTF-8 can hold: bytes of a name that mean no character are escaped."""
    return path.encode("utf-8", "backslashreplace").decode("utf-8")


def shown(path: str | os.PathLike[str]) -> str:
    """A path for messages: printable, and its end alone where nobody would read it all."""
    text = printable(os.fspath(path))
    return text if len(text) <= LONGEST_PATH else "…" + text[1 - LONGEST_PATH :]


def shortened(text: str, length: int = 80) -> str:
    """A quotation from a file for a message: `text`, printable, cut to so many characters."""
    text = printable(text)
    return text if len(text) <= length else text[: length - 1] + "…"


def quotation(text: str) -> str:
    """The same between quotation marks."""
    return f"'{shortened(text)}'"


def open_input(path: str | os.PathLike[str]) -> BinaryIO:
    """An input file, open for reading.

    Raises:
        InputError: missing, no regular file, or unreadable; the message names the file on one line.
    """
    where = shown(path)
    try:
        file = open(os.fspath(path), "rb", opener=_open_at_once)
    except FileNotFoundError:
        raise InputError(f"{where}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"{where}: is a directory; name the file in it") from None
    except PermissionError:
        raise InputError(f"{where}: no permission to read it") from None
    except (OSError, ValueError) as error:      # ValueError: a NUL character in the name
        raise InputError(f"{where}: cannot be opened: {error.strerror if isinstance(error, OSError) else error}") from error
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise InputError(f"{where}: not a regular file; copy its content into one")
    return file


def read_input(path: str | os.PathLike[str], *, limit: int, advice: str) -> bytes:
    """Content of an input file.

    Args:
        path: the file.
        limit: largest size [bytes].
        advice: what a message says where it is larger.

    Raises:
        InputError: missing, no regular file, unreadable or too large; the message names the file on one line.
    """
    with open_input(path) as file:
        size = os.fstat(file.fileno()).st_size
        try:
            content = file.read(limit + 1) if size <= limit else b""
        except OSError as error:
            raise InputError(f"{shown(path)}: cannot be read: {error.strerror}") from error
    if max(size, len(content)) > limit:
        raise InputError(f"{shown(path)}: {max(size, len(content))} bytes, more than the limit of {limit}; {advice}")
    return content


def read_utf8(path: str | os.PathLike[str], *, limit: int, advice: str) -> tuple[str, bytes]:
    """Content of an input file as text, without a byte order mark, and as bytes.

    Raises:
        InputError: as `read_input`; also where the file is empty, or no text in UTF-8.
    """
    content = read_input(path, limit=limit, advice=advice)
    where = shown(path)
    if not content.strip():
        raise InputError(f"{where}: the file is empty")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    return text, content


def parse_toml(text: str, where: str) -> dict[str, Any]:
    """The document of a TOML text.

    Raises:
        InputError: it is no valid TOML, or nobody would write it so: keys of many parts, which the parser takes minutes for, or deep
            nesting.
    """
    if long := _LONG_KEY.search(text):
        raise InputError(f"{where}: not valid TOML: a key of more than {_MOST_PARTS} parts, {quotation(long[0])}")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise InputError(f"{where}: not valid TOML: nested too deeply") from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{where}: not valid TOML: {shortened(str(error), 200)}") from None
    except ValueError:
        raise InputError(f"{where}: not valid TOML: a whole number of thousands of digits") from None


_MOST_PARTS = 32
_PART = r"""(?:"[^"\n]*"|'[^'\n]*'|[\w-]++)"""
_LONG_KEY = re.compile(rf"(?<![\w-]){_PART}(?:[ \t]*+\.[ \t]*+{_PART}){{{_MOST_PARTS}}}")


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))      # a named pipe would wait for a writer for ever
