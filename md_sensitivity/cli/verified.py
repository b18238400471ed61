"""Entries of the compilation cache that are whole and unaltered, or not used at all.

jax writes an entry in place and believes what it reads. On a disk that many processes share, a second writer, a process killed while
it wrote or a full quota would leave damaged machine code there for good. Here an entry appears by renaming, carries a checksum of
its name and content, and is removed where that does not hold; jax then compiles again and a whole one takes its place.
"""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

from jax._src.compilation_cache_interface import CacheInterface

from md_sensitivity.reports.atomic import write_atomic

MAGIC = b"md-sensitivity program 1\n"
SUFFIX = ".program"


class VerifiedCache(CacheInterface):
    """What jax asks for compiled programs: one file for each, in one folder that any number of processes may use at once."""

    def __init__(self, folder: str) -> None:
        self._path = Path(folder)

    def get(self, key: str) -> bytes | None:
        """The entry, or None where there is none or it is damaged."""
        path = self._file(key)
        try:
            content = path.read_bytes()
        except OSError:  # none, or another machine is just replacing it
            return None
        start = _head(key, content[len(MAGIC) + 32 :])
        if content.startswith(start):
            return content[len(start) :]
        with contextlib.suppress(OSError):
            path.unlink()
        return None

    def put(self, key: str, value: bytes) -> None:
        """Keep an entry; a power cut may lose it again, which costs a compilation."""
        write_atomic(self._file(key), _head(key, value) + value, durable=False)

    def _file(self, key: str) -> Path:
        return self._path / f"{key}{SUFFIX}"


def _head(key: str, value: bytes) -> bytes:
    """What stands before the content: a checksum that also knows the name, so that no entry passes for another."""
    return MAGIC + hashlib.sha256(key.encode() + b"\0" + value).digest()


def install() -> bool:
    """Make jax open caches of this kind from now on; False where this jax has no such door."""
    from jax._src import compilation_cache

    if not hasattr(compilation_cache, "get_file_cache"):
        return False
    compilation_cache.get_file_cache = lambda path: (VerifiedCache(path), path)
    return True
