"""Force-field files with a slip in them, which are refused with the place and a reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from md_sensitivity.errors import InputError
from md_sensitivity.forcefields import read_force_field


def slip_in(path: Path, before: str, after: str, count: int = 1) -> None:
    """Changes a piece of a file, where it first stands; with count = −1 wherever it does."""
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, count))


def assert_refused(path: Path, place: str, message: str) -> None:
    """A file is refused in one line that says `message`, and names a file as the regular expression `place` has it."""
    with pytest.raises(InputError, match=place) as caught:
        read_force_field(path)
    assert message in str(caught.value) and "\n" not in str(caught.value)
