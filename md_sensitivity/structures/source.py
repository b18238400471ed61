"""A structure file as bytes: found, of sane size, decompressed within limits, hashed. Nothing is interpreted here."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import hashlib
import io
import lzma
import os
import re
import tempfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from md_sensitivity.errors import InputError
from md_sensitivity.files import printable, read_input, shown

MAX_BYTES = 2**30
"""Largest file, compressed or not [bytes]."""
MAX_GROWTH = 200
"""A compressed file may grow by this factor (and always to `SMALL_BYTES`); text of coordinates compresses by less than 50."""
SMALL_BYTES = 2**24
_CHUNK = 2**20
COMPRESSIONS = (".gz", ".bz2", ".xz")

__all__ = ["COMPRESSIONS", "MAX_BYTES", "MAX_GROWTH", "SMALL_BYTES", "Source", "printable", "read_source", "temporary_file"]


@dataclass(frozen=True, kw_only=True)
class Source:
    """One structure file.

    Attributes:
        path: as the user gave it.
        data: decompressed content.
        sha256: hash of the bytes on disk.
    """

    path: str
    data: bytes
    sha256: str

    @property
    def where(self) -> str:
        """The path for messages, on one line whatever characters it holds."""
        return shown(self.path)

    @cached_property
    def file_name(self) -> str:
        """Last part of the path, without the suffix of a compression."""
        name = Path(self.path).name
        return name[: name.rindex(".")] if name.lower().endswith(COMPRESSIONS) else name

    @property
    def stem(self) -> str:
        """File name without its last suffix: the name of the structure."""
        return Path(self.file_name).stem or "structure"

    @property
    def is_text(self) -> bool:
        """Whether the content can be a text file: no control characters but white space."""
        return not self.data.translate(None, delete=_TEXT_BYTES)

    def no_text(self, kind: str) -> str:
        """Why the content cannot be a file of text, for messages: it is binary, or text with a control character at a place to mend.

        Args:
            kind: what it should be, `xyz file` for example.
        """
        if self.data.startswith((b"CDF", b"\x89HDF")):
            return f"this is a NetCDF file, not a {kind}; write it as text (cpptraj: `trajout name.rst7 restart`, or ParmEd)"
        with contextlib.suppress(UnicodeDecodeError):
            found = _CONTROL.search(self.data.decode("utf-8"))
            if found is not None and b"\0" not in self.data:
                line = len(re.findall(r"\r\n|\r|\n", found.string[: found.start()])) + 1
                return f"line {line} holds the control character {found[0]!r}; remove it, if this is the {kind} you mean"
        return f"this is binary data, not a {kind}; check that it is the file you mean"

    @cached_property
    def text(self) -> str:
        """Content as text with `\\n` line ends; UTF-8, else Latin-1 (old programs write Å in titles so)."""
        if not self.is_text:
            raise InputError(f"{self.where}: {self.no_text('text file')}")
        try:
            text = self.data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = self.data.decode("latin-1")
        return text.replace("\r\n", "\n").replace("\r", "\n")


_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_TEXT_BYTES = bytes(code for code in range(256) if code >= 32 and code != 127) + b"\t\n\r\f\v"


def read_source(path: str | os.PathLike[str]) -> Source:
    """The bytes of a structure file, decompressed where its name ends in .gz, .bz2 or .xz.

    Raises:
        InputError: missing, not a regular file, unreadable, empty or too large.
    """
    name, where = os.fspath(path), shown(path)
    raw = read_input(name, limit=MAX_BYTES, advice="cut the trajectory")
    data = _decompressed(raw, name, where)
    if not data.strip():
        raise InputError(f"{where}: the file is empty")
    return Source(path=name, data=data, sha256=hashlib.sha256(raw).hexdigest())


def _decompressed(raw: bytes, path: str, where: str) -> bytes:
    openers: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
    opener = openers.get(Path(path).suffix.lower())
    if opener is None:
        return raw
    limit = min(MAX_BYTES, max(SMALL_BYTES, MAX_GROWTH * len(raw)))
    chunks, size = [], 0
    try:
        with opener(io.BytesIO(raw), "rb") as file:
            while chunk := file.read(_CHUNK):
                size += len(chunk)
                if size > limit:
                    raise InputError(f"{where}: grows to more than {limit} bytes when decompressed; decompress it yourself if you trust it")
                chunks.append(chunk)
    except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError) as error:
        raise InputError(f"{where}: cannot be decompressed ({error or type(error).__name__}); the file is damaged or truncated") from error
    return b"".join(chunks)


@contextlib.contextmanager
def temporary_file(content: str | bytes, suffix: str) -> Iterator[str]:
    """Path of a short-lived file for libraries that read nothing else; its name is harmless, whatever the user's path is."""
    with tempfile.TemporaryDirectory(prefix="md_sensitivity_") as folder:
        path = Path(folder) / f"structure{suffix}"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        yield str(path)
