"""The persistent compilation cache: compiled programs kept from run to run, in a folder that only this user can write.

What is in it gets executed, so it lies in a folder of mode 0700 that belongs to this user, keyed by the versions of this program and
of jax and by the processor; where that cannot be had, nothing is kept. Any number of processes on any number of machines may use the
same folder at once (`verified`). `MD_SENSITIVITY_CACHE` names another place, or turns it off
(`off`). Entries older than a month are removed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import stat
import sys
import time
from pathlib import Path

DAYS_KEPT = 30


def keep_compiled_programs(purpose: str = "programs") -> Path | None:
    """Make jax keep compiled programs; returns the folder, or None where there is no safe one. Imports jax."""
    import warnings

    import jax

    from md_sensitivity import __version__
    from md_sensitivity.cli import verified

    base = cache_folder()
    folder = base and private_folder(base / f"{purpose}-{__version__}-jax-{jax.__version__}-{_processor()}")
    if folder is None or not verified.install():
        return None
    _forget_old(folder)
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    # On a full or vanished disk jax says that it could not keep a program, and goes on; no user needs to know.
    warnings.filterwarnings("ignore", message="Error (reading|writing) persistent compilation cache", category=UserWarning)
    return folder


def cache_folder() -> Path | None:
    """Where caches of this program belong on this platform; None where the user wants none."""
    chosen = os.environ.get("MD_SENSITIVITY_CACHE", "")
    if chosen.lower() in ("off", "none", "0"):
        return None
    if chosen:
        return Path(chosen).expanduser().absolute() / "md_sensitivity"
    if sys.platform == "darwin":
        place = Path("~/Library/Caches")
    else:
        xdg = os.environ.get("XDG_CACHE_HOME", "")
        place = Path(xdg) if os.path.isabs(xdg) else Path("~/.cache")
    try:
        return place.expanduser() / "md_sensitivity"
    except RuntimeError:  # no home folder
        return None


def private_folder(path: Path) -> Path | None:
    """`path`, made with mode 0700; None where it cannot be made, belongs to somebody else or can be replaced by others."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700)
        for folder in (path.parent, path):
            status = folder.lstat()
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
                return None
            if status.st_mode & 0o077:
                folder.chmod(0o700)
        return path if os.access(path, os.W_OK | os.X_OK) else None
    except OSError:
        return None


def _processor() -> str:
    """A short name of what this processor can do: a home folder may be shared by machines that differ."""
    capabilities = platform.processor()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        capabilities = next((line for line in lines if line.lower().startswith(("flags", "features"))), capabilities)
    return f"{platform.machine()}-{hashlib.sha256(capabilities.encode()).hexdigest()[:8]}"


def _forget_old(folder: Path) -> None:
    """Remove entries that are older than `DAYS_KEPT`, at most once a day."""
    marker, now = folder / ".pruned", time.time()
    with contextlib.suppress(OSError):
        if marker.exists() and now - marker.stat().st_mtime < 86400:
            return
        marker.touch()
        for entry in folder.iterdir():
            if entry.is_file() and now - entry.stat().st_mtime > DAYS_KEPT * 86400:
                entry.unlink()
