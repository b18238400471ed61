"""Structure files read by a process of their own, with limits of time and memory: whatever is in them, the caller gets a structure
or a clear error.

One such process serves all files. It is replaced where a file ends it or takes too long, and it ends with this process, whatever ends
that. It imports ASE and MDTraj, never JAX.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import secrets
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from functools import cache
from typing import IO, Any

from md_sensitivity.errors import ComputationError, InputError
from md_sensitivity.files import printable, shown
from md_sensitivity.structures import wire
from md_sensitivity.structures.limits import Limits, limits_of_environment
from md_sensitivity.structures.worker import FOLDER_VARIABLE
from md_sensitivity.types import Structure

MAX_SAID = 2**16
"""How much of the complaints of a process that does not start is looked at [bytes]."""
START_SECONDS = 120.0
"""How long the start of the process may take; imports from a cold network disk are slow [s]."""
_PROGRAM = "import sys; sys.path[:] = {path!r}; from md_sensitivity.structures.worker import serve; serve()"
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_NOT_FOR_THE_CHILD = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")
"""Signals that terminals and batch systems send to all processes; this process answers them, and ends the other one."""


class Ended(Exception):
    """The other process ended instead of answering; holds its exit status, negative for a signal."""


class TooSlow(Exception):
    """The other process did not answer in time."""


def read_safely(
    path: str | os.PathLike[str], *, reader: str = "auto", index: str | int | None = None, limits: Limits | None = None
) -> list[Structure]:
    """The structures of a file, as `read_structures` reads them, bit for bit; or one of its errors.

    Args:
        path: the file.
        reader: `auto`, `ase` or `mdtraj`.
        index: a frame or a range of frames; None for the last.
        limits: of time and memory; those of the environment by default.

    Raises:
        InputError: the file was rejected, takes longer or more memory than the limits, or ended the process that read it.
        UsageError: an unknown reader, or frames that the file has not.
        ComputationError: no process could be started.
    """
    limits = limits or limits_of_environment()
    path, where = os.fspath(path), shown(path)
    request = {
        "path": path,
        "folder": _working_folder(),
        "reader": reader,
        "index": None if index is None else str(index),
        "seconds": limits.seconds,
        "gibibytes": limits.gibibytes,
    }
    try:
        header, body = _shared().ask(request, limits.seconds)
    except TooSlow:
        raise InputError(f"{where}: {limits.too_long}") from None
    except Ended as error:
        raise InputError(
            f"{where}: a reader crashed on it ({_told(error.args[0])}); it is malformed, or reading it takes more memory than there is"
        ) from None
    if "error" in header:
        raise wire.error_of(header)
    return wire.unpacked(header, body)


def start_early() -> None:
    """Start the process, so that it imports its libraries while this one imports others."""
    _shared().start()


def stop() -> None:
    """End the process; the next file starts another one."""
    _shared().close()


@cache
def _shared() -> ReadingProcess:
    return ReadingProcess()


def _working_folder() -> str | None:
    try:
        return os.getcwd()
    except FileNotFoundError:   # it was removed; absolute paths still mean something
        return None


def _told(status: int | None) -> str:
    if status is None or status >= 0:
        return f"exit status {status}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-status).name
    return f"signal {-status}"


class ReadingProcess:
    """Handle of one process that runs `worker.serve`, started when it is needed, and again where it ended. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: str | None = None             # made by the process where it needs one
        self._log: IO[bytes] | None = None          # where the process complains while it starts; it has no name
        self._owner = 0
        self._ready = False

    def start(self) -> None:
        """Start the process where there is none."""
        with self._lock:
            if self._owner != os.getpid():      # a fork of the owner must not talk with the owner's process
                self._process, self._folder, self._log, self._owner = None, None, None, os.getpid()
                atexit.register(self.close)
            if self._process is not None and self._process.poll() is not None:
                self._kill()
            if self._process is None:
                self._start()

    def ask(self, request: dict[str, Any], seconds: float) -> tuple[dict[str, Any], bytes]:
        """Header and bytes of the answer.

        Raises:
            TooSlow: there was none within so many seconds; the process was ended.
            Ended: the process ended by itself.
            ComputationError: it could not be started.
        """
        with self._lock:
            self.start()
            process = self._process
            assert process is not None and process.stdin is not None
            try:
                if not self._ready:
                    self._await_ready()
                wire.send(process.stdin.fileno(), request)
                return self._received(time.monotonic() + seconds)
            except (EOFError, BrokenPipeError):
                raise Ended(self._kill()) from None
            except BaseException:       # an interruption too leaves a conversation that nobody can follow
                self._kill()
                raise

    def close(self) -> None:
        """End the process and remove its folder."""
        with self._lock:
            if self._owner == os.getpid():
                self._kill()

    def _start(self) -> None:
        if not sys.executable:
            raise ComputationError("no Python to start a process with that reads structure files (sys.executable is empty)")
        try:
            self._folder = os.path.join(tempfile.gettempdir(), f"md_sensitivity_{secrets.token_hex(8)}")
            self._log = tempfile.TemporaryFile()
            environment = {**os.environ, **_ONE_THREAD, FOLDER_VARIABLE: self._folder}
            with _signals_held_back():
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-c", _PROGRAM.format(path=sys.path)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=self._log,
                    bufsize=0,
                    env=environment,
                )
        except OSError as error:
            self._kill()
            raise ComputationError(f"no process can be started that reads structure files: {error.strerror or error}") from None
        self._ready = False

    def _await_ready(self) -> None:
        try:
            self._received(time.monotonic() + START_SECONDS)
        except (EOFError, BrokenPipeError, TooSlow) as error:
            said = self._last_words()
            status = self._kill()
            reason = f"not within {START_SECONDS:g} s" if isinstance(error, TooSlow) else f"{_told(status)}{said}"
            raise ComputationError(f"the process that reads structure files did not start ({reason})") from None
        self._ready = True

    def _last_words(self) -> str:
        if self._log is None:
            return ""
        self._log.seek(0)
        lines = self._log.read(MAX_SAID).decode("utf-8", "replace").split("\n")
        return "".join(f": {printable(line[:200])}" for line in [line for line in lines if line.strip()][-1:])

    def _received(self, deadline: float) -> tuple[dict[str, Any], bytes]:
        assert self._process is not None and self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        waiting = select.poll()
        waiting.register(descriptor, select.POLLIN)

        def exactly(size: int) -> bytes:
            parts = []
            while size:
                left = deadline - time.monotonic()
                if left <= 0 or not waiting.poll(1000 * left):
                    raise TooSlow
                part = os.read(descriptor, min(size, 2**20))
                if not part:
                    raise EOFError
                parts.append(part)
                size -= len(part)
            return b"".join(parts)

        return wire.receive(exactly)

    def _kill(self) -> int | None:
        """End the process, wait for it, remove its folder; returns its exit status."""
        process, folder, log = self._process, self._folder, self._log
        self._process, self._folder, self._log, self._ready = None, None, None, False
        status = None
        if process is not None:
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                status = process.wait(timeout=0.2)      # what ended by itself tells why
            process.kill()
            process.wait()
        if log is not None:
            log.close()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        return status


@contextlib.contextmanager
def _signals_held_back() -> Iterator[None]:
    """Within this block new processes begin with the signals blocked that only this process is to answer."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {getattr(signal, name) for name in _NOT_FOR_THE_CHILD})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
