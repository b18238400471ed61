"""The process that reads structure files for another one, within limits; see `sandbox`.

It answers requests on its standard input until that is closed, and computes nothing else. Whatever libraries print goes nowhere.
"""

from __future__ import annotations

import contextlib
import importlib
import math
import os
import select
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

from md_sensitivity.errors import InputError, MdSensitivityError
from md_sensitivity.files import shown
from md_sensitivity.structures import FAULT, read_structures, wire
from md_sensitivity.structures.boundary import quoted
from md_sensitivity.structures.limits import GIBIBYTE, Limits
from md_sensitivity.structures.source import MAX_BYTES

FOLDER_VARIABLE = "MD_SENSITIVITY_READER_FOLDER"
"""Name of a folder for temporary files, made for one reading and removed after it; whoever started this process removes it, too."""
SOON = ("ase.io", "ase.io.extxyz", "scipy.spatial")
"""What most files need, imported while there is nothing to do; MDTraj waits until a file needs it."""
MAX_WRITTEN = 2 * MAX_BYTES
"""Largest file that libraries may write here [bytes]; temporary copies of structures are smaller."""
SPARE = 2.0
"""How much later than the other side this process ends a reading that takes too long [s]: only where the other side is gone."""


def serve() -> None:
    """Answer requests until the other side closes the conversation."""
    requests, answers = os.dup(0), os.dup(1)    # what libraries read and print must not disturb the conversation
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    folder = os.environ.get(FOLDER_VARIABLE) or None
    _limit_process()
    threading.Thread(target=_end_with_the_other_side, args=(requests, folder), daemon=True).start()
    wire.send(answers, {"ready": True})
    os.dup2(null, 2)                            # until here an error is worth showing
    _import_in_advance(requests)
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            header, _ = wire.receive(lambda size: _exactly(requests, size))
            wire.send(answers, *_answer(header))
    _end(folder)


def _exactly(descriptor: int, size: int) -> bytes:
    parts = []
    while size:
        part = os.read(descriptor, min(size, 2**20))
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _end_with_the_other_side(requests: int, folder: str | None) -> None:
    """Wait until the other side is gone, however it went and whatever is being read."""
    watch = select.poll()
    watch.register(requests, 0)     # 0: nothing but its end
    while not watch.poll():
        pass
    _end(folder)


def _end(folder: str | None) -> None:
    if folder:
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


def _import_in_advance(requests: int) -> None:
    waiting = select.poll()
    waiting.register(requests, select.POLLIN)
    for name in SOON:
        if waiting.poll(0):
            return
        importlib.import_module(name)


def _answer(request: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """Header and blocks of the answer to one request."""
    limits = Limits(seconds=request["seconds"], gibibytes=request["gibibytes"])
    where = shown(request["path"])
    try:
        if request["folder"] is not None:
            os.chdir(request["folder"])
        with _temporary_folder(), _limited(limits):
            return wire.packed(read_structures(request["path"], reader=request["reader"], index=request["index"]))
    except OSError as error:
        return wire.described_error(InputError(f"{where}: cannot be read: no working or temporary folder: {error.strerror}")), []
    except MemoryError:
        return wire.described_error(InputError(f"{where}: {limits.too_large}")), []
    except MdSensitivityError as error:
        if isinstance(error.__cause__, MemoryError):
            error = InputError(f"{where}: {limits.too_large}")
        return wire.described_error(error), []
    except Exception as error:  # the outermost edge: what goes wrong here must not end the conversation
        refusal = InputError(f"{where}: cannot be read ({quoted(error)}; {FAULT}); it is malformed or of another format")
        return wire.described_error(refusal), []


@contextlib.contextmanager
def _temporary_folder() -> Iterator[None]:
    """Within this block temporary files go to a folder that also a process that is killed does not leave behind."""
    folder = os.environ.get(FOLDER_VARIABLE)
    if folder:
        os.mkdir(folder, 0o700)
    tempfile.tempdir = folder or None
    try:
        yield
    finally:
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _limited(limits: Limits) -> Any:
    """Within this block memory is limited, and the system ends the process where it lasts too long."""
    signal.setitimer(signal.ITIMER_REAL, limits.seconds + SPARE)
    before = _limit_memory(limits)
    try:
        yield
    finally:
        if before is not None:
            import resource

            resource.setrlimit(resource.RLIMIT_AS, before)
        signal.setitimer(signal.ITIMER_REAL, 0)


def _limit_memory(limits: Limits) -> tuple[int, int] | None:
    """Limit what this process may take from now on; returns the limits before, None where the system has none."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_AS)
    bytes_wanted = _taken() + math.ceil(limits.gibibytes * GIBIBYTE)
    allowed = [limit for limit in (bytes_wanted, before[1]) if limit != resource.RLIM_INFINITY]
    try:
        resource.setrlimit(resource.RLIMIT_AS, (min(allowed), before[1]))
    except (ValueError, OSError):   # macOS knows the limit, but does not take it
        return None
    return before


def _taken() -> int:
    """Address space of this process [bytes]; 0 where the system does not say."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _limit_process() -> None:
    """What holds for the whole life of the process: no core files, no huge files, first in line where memory runs out."""
    import resource

    for kind, value in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, MAX_WRITTEN)):
        hard = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))
    with contextlib.suppress(OSError):      # Linux alone has it
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write("1000")
