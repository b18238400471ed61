"""Compiled programs of a long run: forgotten before the process runs out of memory maps."""

from __future__ import annotations

from pathlib import Path

_MANY_MAPS = 25_000
"""Linux gives a process 65,530 memory maps; XLA takes several for each compiled program, and crashes when there are no more."""


def forget_programs_when_many() -> None:
    """Drop compiled programs where they hold many memory maps; those that are needed again come from the cache on disk."""
    maps = Path("/proc/self/maps")
    if maps.exists() and len(maps.read_bytes().splitlines()) > _MANY_MAPS:
        import jax

        jax.clear_caches()
