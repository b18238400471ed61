"""Text files with their hash, read with a size limit and errors for people."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

from md_sensitivity.errors import InputError

MAX_BYTES = 64 * 2**20
"""Largest force-field file that is read."""


class TextFile(NamedTuple):
    """Content and SHA-256 of a file."""

    text: str
    sha256: str


def read_text(path: Path) -> TextFile:
    """The file as UTF-8 text.

    Raises:
        InputError: where it is missing, a directory, empty, unreadable, too large, or no text.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file")
    if not path.is_file():
        raise InputError(f"{path}: not a file")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path}: larger than {MAX_BYTES // 2**20} MiB, which no force field is")
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    if not content.strip():
        raise InputError(f"{path}: the file is empty")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text (byte {error.start})") from None
    return TextFile(text=text, sha256=hashlib.sha256(content).hexdigest())
