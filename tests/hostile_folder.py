"""What the tests of hostile input share: the corpus, and what one command line did that was given a file of it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CORPUS = Path(__file__).parent / "hostile" / "corpus"
ARGON = """\
name = "Argon"
[[potential]]
style = "lennard_jones"
[potential.parameters.Ar]
sigma = 3.405
epsilon = 0.01032
"""
XYZ = "2\n\nAr 0 0 0\nAr 3.8 0 0\n"


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What one command line did.

    Attributes:
        written: files below the working folder that were not there before, but those of the output folder `out`.
    """

    code: int
    out: str
    err: str
    written: frozenset[str]
    folder: Path

    def refused(self, said: str = "", name: str = "") -> None:
        """Assert that the input was rejected: exit code 3, one clear line, no number, no result."""
        assert self.code == 3, (self.code, self.err)
        lines = self.err.splitlines()
        assert len(lines) == 1 and lines[0].startswith("error: "), self.err
        assert lines[0].isprintable() and len(lines[0]) < 900, lines[0]
        assert said in lines[0] and name in lines[0], lines[0]
        assert self.out == "", self.out
        assert not self.written and not list(self.folder.rglob("result.json"))

    def document(self) -> Any:
        """The JSON document of a run that went well."""
        assert self.code == 0 and self.err == "", self.err
        assert not self.written
        return json.loads(self.out)


Run = Callable[..., Ran]


def listed(folder: Path) -> set[str]:
    return {os.fsencode(path.relative_to(folder)).decode("latin-1") for path in folder.rglob("*")}


def brought(kind: str, name: str, folder: Path) -> str:
    """Copy a file of the corpus into the working folder; returns its name there."""
    shutil.copy(CORPUS / kind / name, folder / name)
    return name
