"""How long work tells where it stands, without knowing who listens."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Whoever listens: a bar on a terminal, a log, nobody."""

    def update(self, stage: str, fraction: float | None) -> None:
        """The work is in `stage`, a short phrase; `fraction` of it is done, None where nobody can tell."""


class Silent:
    """Listens to nothing."""

    def update(self, stage: str, fraction: float | None) -> None:
        """Ignore it."""


SILENT: Progress = Silent()
