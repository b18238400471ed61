"""Child processes: what one takes, in time and memory."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

SCRIPTS = Path(__file__).resolve().parents[1]


class Finished(NamedTuple):
    """A child process that ended well: wall time from start to end [s], and what it printed."""

    seconds: float
    text: str


def call(arguments: list[str], environment: dict[str, str] | None = None) -> Finished:
    """Run this Python with arguments, and with the modules that this process imports.

    Raises:
        RuntimeError: where it ends with an error, with the end of what it said.
    """
    import md_sensitivity

    package = str(Path(md_sensitivity.__file__).resolve().parents[1])
    path = os.pathsep.join([package, str(SCRIPTS), *filter(None, [os.environ.get("PYTHONPATH")])])
    start = time.perf_counter()
    # -P keeps the working directory out of the path: the child must import what its parent does.
    done = subprocess.run(
        [sys.executable, "-P", *arguments], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path, **(environment or {})}
    )
    seconds = time.perf_counter() - start
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)} ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    return Finished(seconds, done.stdout)


def peak_gb() -> float:
    """Largest resident memory of this process so far [GB].

    Linux keeps it in /proc; its `ru_maxrss` would count what the parent held when it started this process.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e9
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9
