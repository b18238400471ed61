"""Ctrl-C, SIGTERM and SIGUSR1: the work stops, what is finished is written, and the exit code says which it was.

A handler that raises an exception wherever the process happens to be would do harm: compiled code that calls back into Python aborts,
and callbacks of the garbage collector, of which jax has some, print the exception and forget it. So the signal is remembered, the
exception is raised at once only where nothing of jax is at work, and otherwise at the next step of the work; where there is nothing
to save, the process ends at once. Python runs its handlers between byte codes only, and compiled programs may keep it waiting for
minutes. So a thread watches too: where the main thread does not come back in time, it saves what is finished and ends the process.

A second signal changes nothing: the first one is being answered, and what that writes shall not be disturbed.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from md_sensitivity.startup import EXIT_CODES, MESSAGES

INTERRUPTED = EXIT_CODES[signal.SIGINT]
SIGNALS = tuple(EXIT_CODES)
GRACE = 3.0
"""How long the main thread may take to come back [s]; batch systems kill half a minute after SIGTERM."""
DELICATE = ("jax", "jaxlib")
"""Packages through which no exception may be raised from outside."""


_received: list[int] = []
"""Signals of this process that have not ended it yet; handlers have nowhere else to leave them."""
_raised: list[int] = []
"""Those of them whose exception was raised."""
_saves: list[tuple[Callable[[], None], str]] = []
"""What is to be saved before the process ends in any other way than through the main thread, and what to say then."""


class Interrupted(BaseException):
    """A signal asked this process to end. No failure, so `except Exception` does not hold it."""

    def __init__(self, number: int, remark: str = "") -> None:
        super().__init__(MESSAGES[number] + remark)
        self.number = number
        self.exit_code = EXIT_CODES[number]


@contextmanager
def raised() -> Iterator[None]:
    """Within this block the signals raise Interrupted, or end the process where that takes longer than `GRACE`."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _received.clear()
    _raised.clear()
    listen, tell = os.pipe()
    os.set_blocking(tell, False)
    done = threading.Event()
    thread = threading.Thread(target=_watch, args=(listen, done), daemon=True)
    thread.start()
    wakeup = signal.set_wakeup_fd(tell, warn_on_full_buffer=False)
    before = {number: signal.signal(number, _remember) for number in SIGNALS}
    try:
        yield
        check()
    finally:
        done.set()
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(wakeup)
        os.close(tell)
        thread.join(timeout=1.0)
        if not thread.is_alive():
            os.close(listen)
        _received.clear()


def check() -> None:
    """Raise Interrupted where a signal has come and its exception was put off, or lost."""
    if _received:
        _raised.append(_received[0])
        raise Interrupted(_received[0])


@contextmanager
def watched(save: Callable[[], None], remark: str = "") -> Iterator[None]:
    """Within this block, `save` is called where the process has to end without the main thread; `remark` follows the message then."""
    _saves.append((save, remark))
    try:
        check()
        yield
    finally:
        _saves.pop()


def _remember(number: int, frame: FrameType | None) -> None:
    _received.append(number)
    if not _raised and not _delicate(frame):
        check()
    elif not _saves:  # nothing is lost
        _end(_received[0])


def _delicate(frame: FrameType | None) -> bool:
    """Whether jax is at work, or being imported, anywhere up the stack."""
    while frame is not None:
        if frame.f_globals.get("__name__", "").partition(".")[0] in DELICATE:
            return True
        frame = frame.f_back
    return False


def _watch(listen: int, done: threading.Event) -> None:
    while received := os.read(listen, 1):
        number = received[0]
        if number not in SIGNALS:
            continue
        if done.wait(GRACE):
            return
        try:
            for save, _ in reversed(_saves):
                save()
        finally:
            _end(number, "".join(remark for _, remark in _saves))


def _end(number: int, remark: str = "") -> None:
    """End the process without another step of the main thread, which may have hidden the cursor for a bar."""
    cursor = "\r\x1b[K\x1b[?25h" if os.isatty(2) else ""
    os.write(2, f"{cursor}error: {MESSAGES[number]}{remark}\n".encode())
    os._exit(EXIT_CODES[number])
