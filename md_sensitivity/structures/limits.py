"""How much time and memory the reading of one structure file may take where it happens in a process of its own."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

from md_sensitivity.errors import UsageError

TIME_VARIABLE = "MD_SENSITIVITY_READ_TIMEOUT"
MEMORY_VARIABLE = "MD_SENSITIVITY_READ_MEMORY"
DEFAULT_SECONDS = 60.0
DEFAULT_GIBIBYTES = 8.0
GIBIBYTE = 2**30


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of one reading.

    Attributes:
        seconds: wall time [s].
        gibibytes: memory beyond what the readers themselves take [GiB].
    """

    seconds: float = DEFAULT_SECONDS
    gibibytes: float = DEFAULT_GIBIBYTES

    @property
    def too_long(self) -> str:
        """What a message says of a file that takes too long."""
        return f"reading it takes longer than the limit of {self.seconds:g} s; set {TIME_VARIABLE} [s] higher if you trust it"

    @property
    def too_large(self) -> str:
        """What a message says of a file that takes too much memory."""
        return f"reading it takes more memory than the limit of {self.gibibytes:g} GiB; set {MEMORY_VARIABLE} [GiB] higher if you trust it"


def limits_of_environment(seconds: float | None = None) -> Limits:
    """Limits as the environment sets them.

    Args:
        seconds: wall time [s], whatever the environment says of it.

    Raises:
        UsageError: a limit is no positive number.
    """
    return Limits(
        seconds=_positive(TIME_VARIABLE, DEFAULT_SECONDS) if seconds is None else _checked(seconds, f"timeout = {seconds!r}"),
        gibibytes=_positive(MEMORY_VARIABLE, DEFAULT_GIBIBYTES),
    )


def _positive(variable: str, default: float) -> float:
    text = os.environ.get(variable, "")
    if not text:
        return default
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    return _checked(number, f"{variable}={text!r}")


def _checked(number: float, where: str) -> float:
    if not (0 < number <= 1e6):
        raise UsageError(f"{where} must be a positive number, at most a million")
    return number
