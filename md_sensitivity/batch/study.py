"""What one run is to do: plain data, complete before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from md_sensitivity.batch.names import result_names
from md_sensitivity.errors import UsageError

if TYPE_CHECKING:
    from md_sensitivity.pipeline import Options


@dataclass(frozen=True, kw_only=True)
class Study:
    """One run of `analyze` or `minimize`.

    Attributes:
        paths: structure files, all of them, whatever the shard.
        force_field: path of the force field.
        options: what to do with each structure.
        references: structure files that formation energies and the like are measured from.
        output: the output folder.
        differentiate: False for the equilibrium only.
        reader, index, fix: how structures are read: library, frames in ASE syntax, selection of frozen atoms ("" for none).
        formats: names of writers; None for all that apply.
        shard: (which, of how many), the first being 1.
        resume: whether finished results of the same inputs and options are kept.
        strict: whether anything but a minimum counts as a failure.
        provenance: what else `run.json` is to hold: command line and resolved configuration.
    """

    paths: tuple[str, ...]
    force_field: str
    options: Options
    output: Path
    differentiate: bool = True
    references: tuple[str, ...] = ()
    reader: str = "auto"
    index: str | None = None
    fix: str = ""
    formats: tuple[str, ...] | None = None
    shard: tuple[int, int] = (1, 1)
    resume: bool = False
    strict: bool = False
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def jobs(self) -> list[tuple[int, str, str]]:
        """(place, path, name) of the files of this shard; every shard agrees on places and names."""
        which, count = self.shard
        return list(zip(range(len(self.paths)), self.paths, result_names(self.paths), strict=True))[which - 1 :: count]

    def file(self, stem: str, suffix: str) -> Path:
        """A file that speaks of the whole run; each shard has its own, so that shards can run side by side."""
        which, count = self.shard
        part = "" if count == 1 else f"-{which}-of-{count}"
        return self.output / f"{stem}{part}{suffix}"


def parse_shard(text: str) -> tuple[int, int]:
    """`2/8` → (2, 8)."""
    which, slash, count = text.partition("/")
    if slash and which.isascii() and count.isascii() and which.isdigit() and count.isdigit() and 1 <= int(which) <= int(count):
        return int(which), int(count)
    raise UsageError(f"--shard {text!r}: write I/N with 1 ≤ I ≤ N, such as 2/8")
