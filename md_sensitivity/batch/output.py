"""The output folder: made before anything is computed, and refused or failed in a sentence where it cannot be written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from md_sensitivity.errors import ComputationError, UsageError


def require_folder(folder: Path) -> None:
    """Make the folder where it is missing.

    Raises:
        UsageError: where it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make the output folder {folder}: {error.strerror or error}") from None


@contextmanager
def writing(what: str, folder: Path) -> Iterator[None]:
    """Within this block a file that cannot be written is a ComputationError that names the folder."""
    try:
        yield
    except OSError as error:
        raise ComputationError(f"{folder}: cannot write {what}: {error.strerror or error}") from None
