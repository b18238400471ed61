"""Compiled programs of a long run: counted, and forgotten before the process runs out of memory maps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MANY_MAPS = 25_000
"""Linux gives a process 65,530 memory maps; XLA takes several for each compiled program, and crashes when there are no more."""


def forget_programs_when_many() -> None:
    """Drop compiled programs where they hold many memory maps; those that are needed again come from the cache on disk."""
    maps = Path("/proc/self/maps")
    if maps.exists() and len(maps.read_bytes().splitlines()) > _MANY_MAPS:
        import jax

        jax.clear_caches()


@contextmanager
def compilations(seconds: list[float]) -> Iterator[None]:
    """Within this block `seconds` gets the time of each program that is compiled, or loaded from the cache on disk."""
    import jax.monitoring

    def listen(event: str, duration: float, **_: str | int) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            seconds.append(duration)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
