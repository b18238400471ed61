"""What goes to stderr: log lines, and a progress bar on a terminal. stdout is for data."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

import click

from md_sensitivity.cli import signals
from md_sensitivity.progress import time_left

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

QUIET, NORMAL, VERBOSE = -1, 0, 1


def printable(text: str) -> str:
    """`text` without control characters, which file names may hold; line breaks stay."""
    return "".join(char if char.isprintable() or char == "\n" else char.encode("unicode_escape").decode() for char in text)


def one_line(text: str) -> str:
    """`printable` text whose line breaks are escaped as well."""
    return printable(text).replace("\n", "\\n")


def complain(message: str) -> None:
    """One line that says what went wrong."""
    click.echo(f"error: {one_line(message)}", err=True)


class Console:
    """Log lines of a command, and the progress of its work; a `Progress` of md_sensitivity/progress.py.

    On a terminal a bar shows the work, and lines stand above it. Elsewhere there is no bar; with -v, each stage is a line.

    Args:
        verbosity: below 0 errors only, above 0 details as well.
        bar: whether to show a bar at all.
    """

    def __init__(self, verbosity: int = NORMAL, *, bar: bool = False) -> None:
        self.verbosity = verbosity
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._stage = ""
        self._start = self._began = time.monotonic()
        self._share = 0.0
        if bar and verbosity >= NORMAL and sys.stderr.isatty():
            self._bar, self._task = _terminal_bar(self._left)

    def __enter__(self) -> Console:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, stage: str, fraction: float | None) -> None:
        """Show where the work stands; raises where a signal asks it to end."""
        signals.check()
        if self._bar is not None and self._task is not None:
            total: float | None = None if fraction is None else 1.0
            # A bar at its end counts as finished, and its clock stops, though other work follows.
            self._bar.update(self._task, description=printable(stage), completed=min(fraction or 0.0, 0.999), total=total)
            self._follow(fraction)
        elif self.verbosity >= VERBOSE and _title(stage) != _title(self._stage):
            self._line(f"[{time.monotonic() - self._start:7.2f} s] {_title(stage)}")
        self._stage = stage

    def _follow(self, fraction: float | None) -> None:
        """Remember how much is done; a bar that falls back to the half stands for other work."""
        if fraction is None or fraction < 0.5 * self._share:
            self._began, self._share = time.monotonic(), 0.0
        self._share = max(self._share, fraction or 0.0)

    def _left(self) -> str:
        """How long the work will take that the bar shows."""
        return time_left(time.monotonic() - self._began, self._share)

    def info(self, text: str) -> None:
        """A line that everybody wants to see, but for -q."""
        if self.verbosity >= NORMAL:
            self._line(text)

    def detail(self, text: str) -> None:
        """A line for -v."""
        if self.verbosity >= VERBOSE:
            self._line(text)

    def error(self, text: str) -> None:
        """A line that is always shown."""
        self._line(f"error: {one_line(text)}")

    def trace(self, text: str) -> None:
        """A traceback, which is always shown."""
        self._line(text)

    def _line(self, text: str) -> None:
        text = printable(text)
        if self._bar is not None:
            self._bar.console.print(text, markup=False, highlight=False, emoji=False, soft_wrap=True)
        else:
            click.echo(text, err=True)


def _title(stage: str) -> str:
    """The stage without the numbers that follow it."""
    return stage.partition(",")[0] + ")" * ("," in stage and stage.endswith(")"))


def _terminal_bar(left: Callable[[], str]) -> tuple[Any, Any]:
    from rich.console import Console as RichConsole
    from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn, TimeElapsedColumn
    from rich.table import Column
    from rich.text import Text


    class Left(ProgressColumn):
        """What is left now, also while nothing new is heard."""

        def render(self, task: Task) -> Text:
            return Text(left())

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(bar_width=30), TimeElapsedColumn())
    remaining = Left(table_column=Column(no_wrap=True))
    bar = Progress(*columns, remaining, console=RichConsole(stderr=True, markup=False, highlight=False), transient=True)
    return bar, bar.add_task("starting", total=None)
