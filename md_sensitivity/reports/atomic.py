"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import re
import secrets
import socket
import time
from pathlib import Path

TEMPORARY = re.compile(r"\.(?P<host>[A-Za-z0-9_-]+)\.(?P<process>\d+)\.[0-9a-f]{16}\.tmp")
"""Name of a temporary file: who is writing it, so that what killed processes leave can be told from what is in work."""
ABANDONED = 86400.0
"""Age at which a temporary file of another machine, or of a process number that is in use again, counts as left behind [s]."""


def write_atomic(path: str | os.PathLike[str], content: bytes | str, *, durable: bool = True) -> Path:
    """Write `content` to a temporary name in the same folder, flush it to the disk, then rename it to `path`.

    Whoever reads `path`, also after a crash, finds the old file or the new one, never a part. Text is encoded as UTF-8;
    half characters, by which Python stands for bytes of file names that mean none, are escaped as JSON does.

    Args:
        path: the file.
        content: all of it.
        durable: False where the file may be lost or damaged by a power cut: nothing waits for the disk.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
    temporary = target.with_name(f".{_host()}.{os.getpid()}.{secrets.token_hex(8)}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            if durable:
                os.fsync(stream.fileno())
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        _sync_folder(target.parent)
    return target


def sweep(folder: Path) -> None:
    """Remove temporary files that killed processes left in `folder`, and none that is being written."""
    try:
        entries = [(entry, match) for entry in os.scandir(folder) if (match := TEMPORARY.fullmatch(entry.name))]
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry, match in entries:
        try:
            own = match["host"] == _host() and not _alive(int(match["process"]))
            if own or time.time() - entry.stat(follow_symlinks=False).st_mtime > ABANDONED:
                os.unlink(entry.path)
        except FileNotFoundError:  # finished, or swept by another, meanwhile
            continue


def _host() -> str:
    """Name of this machine, as far as it can be part of a file name."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", socket.gethostname())[:64] or "host"


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where the platform can open a folder."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError:  # some network file systems refuse; the content itself is already safe
        pass
    finally:
        os.close(descriptor)
