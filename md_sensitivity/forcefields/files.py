"""Text files with their hash, read with a size limit and errors for people."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

from md_sensitivity.files import read_utf8

MAX_BYTES = 64 * 2**20
"""Largest force-field file that is read."""
MAX_TOML_BYTES = 4 * 2**20
"""Largest TOML file that is read; its parser is slow for what nobody writes, such as keys of a million parts."""


class TextFile(NamedTuple):
    """Content and SHA-256 of a file."""

    text: str
    sha256: str


def read_text(path: Path) -> TextFile:
    """The file as UTF-8 text.

    Raises:
        InputError: where it is missing, no regular file, empty, unreadable, too large, or no text.
    """
    limit = MAX_TOML_BYTES if path.name.lower().endswith(".toml") else MAX_BYTES
    text, content = read_utf8(path, limit=limit, advice="no force field is as large")
    return TextFile(text=text, sha256=hashlib.sha256(content).hexdigest())
