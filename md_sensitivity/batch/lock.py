"""One run at a time for each part of an output folder.

Two runs that write the same results would remove each other's files. So a run holds a lock on a file `.lock` of the output folder
(`.lock-2-of-8` for a shard) while it works. The system drops the lock when the process ends, however it ends and on whichever
machine, so no lock is ever stale; what remains of a killed run is a file that nobody holds. Where a file system offers no locks
(some mounts of Lustre), runs are not kept apart.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from md_sensitivity.errors import UsageError

NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)
NAME = re.compile(r"\.lock(?:-\d+-of-(?P<count>\d+))?")


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock file `path` of an output folder; other lock files there count where they are of another division into shards.

    Raises:
        UsageError: another run holds it; the message says which.
    """
    with ExitStack() as stack:
        descriptor = _locked(path)
        if descriptor is not None:
            stack.callback(os.close, descriptor)
            stack.callback(path.unlink, missing_ok=True)  # while it is held, so that nobody else can hold a removed file
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
        for other in path.parent.glob(".lock*"):
            match, own = NAME.fullmatch(other.name), NAME.fullmatch(path.name)
            if match and own and match["count"] != own["count"]:
                _require_free(other)
        yield


def _locked(path: Path) -> int | None:
    """An open descriptor that holds the lock; None where the file system has no locks."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.exists(path) and os.path.samestat(os.fstat(descriptor), os.stat(path)):
                return descriptor
        except FileNotFoundError:  # removed by its holder just now
            pass
        except BlockingIOError:
            os.close(descriptor)
            raise UsageError(_taken(path)) from None
        except OSError as error:
            os.close(descriptor)
            if error.errno in NO_LOCKS:
                path.unlink(missing_ok=True)
                return None
            raise
        os.close(descriptor)


def _require_free(path: Path) -> None:
    """Raise where another process holds the lock file `path`."""
    try:
        with path.open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return
    except BlockingIOError:
        raise UsageError(_taken(path)) from None
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise


def _taken(path: Path) -> str:
    try:
        holder = path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        holder = ""
    return f"{path.parent}: {holder or 'another run'} is writing these results; wait for it, or give another output folder with -o"
