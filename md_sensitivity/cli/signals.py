"""Ctrl-C, SIGTERM and SIGUSR1: the work stops, what is finished is written, and the exit code says which it was.

Python runs its signal handlers between byte codes only, and compiled programs may keep it waiting for minutes. So where there is
something to save, a thread watches too, and ends the process itself where the main thread does not come back. And an exception
that a handler raises can get lost: callbacks of the garbage collector, of which jax has some, print and forget it. So the signal is
remembered, and raised again at the next step of the work.

While a thread watches, a second signal changes nothing: the first one is being answered, and what that writes shall not be disturbed.
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
GRACE = 10.0
"""How long the main thread may take to come back [s]; batch systems kill half a minute after SIGTERM."""


_received: list[int] = []
"""Signals of this process that have not ended it yet; handlers have nowhere else to leave them."""
_watchers: list[threading.Thread] = []
"""The thread that watches, where there is one."""


class Interrupted(BaseException):
    """A signal asked this process to end. No failure, so `except Exception` does not hold it."""

    def __init__(self, number: int, remark: str = "") -> None:
        super().__init__(MESSAGES[number] + remark)
        self.number = number
        self.exit_code = EXIT_CODES[number]


@contextmanager
def raised() -> Iterator[None]:
    """Within this block the signals raise Interrupted."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _received.clear()
    before = {number: signal.signal(number, _raise) for number in SIGNALS}
    try:
        yield
        check()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _received.clear()


def check() -> None:
    """Raise Interrupted where a signal has come, however its first exception was lost."""
    if _received:
        raise Interrupted(_received[0])


@contextmanager
def watched(save: Callable[[], None], grace: float = GRACE) -> Iterator[None]:
    """Within this block, a signal that the main thread does not answer within `grace` calls `save` and ends the process."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    listen, tell = os.pipe()
    os.set_blocking(tell, False)
    done = threading.Event()
    thread = threading.Thread(target=_watch, args=(listen, done, save, grace), daemon=True)
    before = signal.set_wakeup_fd(tell, warn_on_full_buffer=False)
    thread.start()
    _watchers.append(thread)
    try:
        check()
        yield
    finally:
        done.set()
        _watchers.remove(thread)
        signal.set_wakeup_fd(before)
        os.close(tell)
        thread.join(timeout=1.0)
        if not thread.is_alive():
            os.close(listen)


def _raise(number: int, frame: FrameType | None) -> None:
    _received.append(number)
    if len(_received) == 1 or not _watchers:
        raise Interrupted(number)


def _watch(listen: int, done: threading.Event, save: Callable[[], None], grace: float) -> None:
    while received := os.read(listen, 1):
        if received[0] not in SIGNALS:
            continue
        if done.wait(grace):
            return
        try:
            save()
        finally:
            os._exit(EXIT_CODES[received[0]])
