"""Signals from the first moment on: what the command does before anything else is loaded, and what each signal is called.

Until the work begins there is nothing to save, so a signal ends the process at once, with its message and code instead of a traceback.
Only Python's own start, some hundredths of a second, lies before this.
"""

from __future__ import annotations

import os
import signal
from types import FrameType

EXIT_CODES: dict[int, int] = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGUSR1: 138}
"""128 + the number of the signal on Linux; the same on every platform, so that scripts can rely on it."""
MESSAGES: dict[int, str] = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated", signal.SIGUSR1: "stopped by SIGUSR1"}


def end_on_signals() -> None:
    """From now on, each of the signals ends this process."""
    for number in EXIT_CODES:
        signal.signal(number, _end)


def ignore_signals() -> None:
    """From now on, none of the signals does anything: all is written, and only Python has to clear up."""
    for number in EXIT_CODES:
        signal.signal(number, signal.SIG_IGN)


def _end(number: int, frame: FrameType | None) -> None:
    os.write(2, f"error: {MESSAGES[number]}\n".encode())
    os._exit(EXIT_CODES[number])
