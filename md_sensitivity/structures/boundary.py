"""The border to ASE and MDTraj: whatever they raise becomes an `InputError` of one line, whatever they warn becomes a note."""

from __future__ import annotations

import gc
import threading
import warnings
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from md_sensitivity.errors import InputError, MdSensitivityError
from md_sensitivity.structures.numerals import complaint, restored
from md_sensitivity.structures.source import printable

MAX_LENGTH = 160
"""Longest quotation of a library's message [characters]."""
MAX_NOTES = 5
OUT_OF_MEMORY = "more memory than there is"

Result = TypeVar("Result")

_ONE_AT_A_TIME = threading.Lock()       # warnings.catch_warnings changes the state of the whole process
_FOR_DEVELOPERS = (DeprecationWarning, PendingDeprecationWarning, FutureWarning, ResourceWarning)


def guarded(where: str, reader: str, notes: list[str], work: Callable[[], Result], text: str = "") -> Result:
    """The result of `work`, which calls a library's reader.

    Args:
        where: the file, for messages.
        reader: the library's name.
        notes: receives the warnings.
        work: what to do.
        text: the file, where the message shall name the line of a word that is no number.

    Raises:
        InputError: whatever the library raised, on one line.
    """
    failure = spelling = ""
    with _ONE_AT_A_TIME, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = work()
        except MdSensitivityError:
            raise
        except MemoryError:
            failure = OUT_OF_MEMORY
        except Exception as error:  # the readers leak dozens of classes for malformed files: AssertionError, KeyError, StopIteration ...
            failure = quoted(error)     # and not the exception itself: its frames keep files open
            spelling = complaint(str(error), text)
        if failure and reader == "MDTraj":
            gc.collect()                # closes the files that it forgets, while the warnings about them are caught
    if failure == OUT_OF_MEMORY:
        raise InputError(f"{where}: {reader} needs {OUT_OF_MEMORY} to read it; its counts are wrong, or it is too large") from MemoryError()
    if spelling:
        raise InputError(f"{where}: {spelling}; {reader} cannot read it")
    if failure:
        raise InputError(f"{where}: {reader} cannot read it ({failure}); it is malformed or of another format")
    spoken = [printable(restored(str(one.message))) for one in caught if not issubclass(one.category, _FOR_DEVELOPERS)]
    notes.extend(f"{reader}: {shortened(text)}" for text in list(dict.fromkeys(spoken))[:MAX_NOTES])
    return result


def quoted(error: BaseException) -> str:
    """Class and message of an exception on one short line."""
    text = shortened(printable(" ".join(restored(str(error)).split())))
    word = restored(str(error.args[0])) if isinstance(error, KeyError) and error.args else ""
    if 0 < len(word) <= 3 and word.isalnum() and isinstance(error.args[0], str):  # libraries look symbols up in a dict of elements
        return f"unknown element {word!r}"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def shortened(text: str) -> str:
    """`text` cut to `MAX_LENGTH` characters."""
    return text if len(text) <= MAX_LENGTH else text[: MAX_LENGTH - 1] + "…"


def same_places(where: str, reader: str, ours: np.ndarray, theirs: np.ndarray, tolerance: float = 0.02) -> None:
    """Two readings of one text must agree; ours keeps all digits, theirs is an independent opinion.

    Args:
        where: the file, for messages.
        reader: name of the library that made `theirs`.
        ours: positions from the text, shape=(n, 3) [Å].
        theirs: positions from the library, shape=(n, 3) [Å].
        tolerance: largest difference [Å].
    """
    if ours.shape != theirs.shape:
        raise InputError(f"{where}: {len(ours)} atoms in the text, but {reader} finds {len(theirs)}; the file is malformed")
    if not np.isfinite(ours).all():
        return      # a later check says it better
    far = ~(np.abs(ours - theirs) <= tolerance)
    if far.any():
        atom = int(np.argmax(far.any(axis=1)))
        raise InputError(f"{where}: {reader} reads atom {atom} at another place than its text says; the columns of the file are shifted")
