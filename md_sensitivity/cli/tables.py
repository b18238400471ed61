"""Plain tables and JSON documents on stdout."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

import click

from md_sensitivity.cli.console import printable

_ROUNDING = 2e-15
"""Relative difference that a few operations make."""
_WIDE = 60
"""A column of texts, which a narrow terminal had better not break at any place."""


def print_table(headers: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[str] = (), spared: int = 0) -> None:
    """Print aligned columns, never cut or wrapped, so that a pipe gets all of it; on a terminal that is too narrow, row by row.

    Args:
        headers: titles of the columns.
        rows: cells.
        right: titles of the columns that are aligned to the right.
        spared: how many of the last columns a terminal that is too narrow does without.
    """
    cells = [[printable(cell) for cell in row] for row in rows]
    if spared and not fits(headers, cells):
        headers, cells = headers[:-spared], [row[:-spared] for row in cells]
    widths = _widths(headers, cells)
    columns = shutil.get_terminal_size().columns
    if not fits(headers, cells) and max(widths) > _WIDE:
        for row in cells:
            click.echo(row[0])
            for cell in filter(None, row[1:]):
                click.echo(textwrap.fill(cell, max(40, columns), initial_indent="    ", subsequent_indent="      "))
        return
    for row in (list(headers), ["─" * width for width in widths], *cells):
        parts = []
        for title, cell, width in zip(headers, row, widths, strict=True):
            space = " " * (width - _width(cell))
            parts.append(space + cell if title in right else cell + space)
        click.echo("  ".join(parts).rstrip())


def fits(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether a table is no wider than the terminal; always in a pipe."""
    widths = _widths(headers, rows)
    return not sys.stdout.isatty() or sum(widths) + 2 * (len(widths) - 1) <= shutil.get_terminal_size().columns


def _widths(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(_width, column)) for column in zip(headers, *rows, strict=True)]


def without_rounding(value: float) -> str:
    """A number with all its digits, but for those that are the rounding of its last operations: 259408.0, not 259407.99999999994."""
    short = float(f"{value:.13g}")
    return repr(short if abs(short - value) <= _ROUNDING * abs(value) else value)


def print_json(document: Any) -> None:
    """Print one JSON document; ASCII, so that any terminal and pipe carries it."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=True, allow_nan=False))


def number(value: float | None, digits: int = 10) -> str:
    """A number as short as `digits` significant digits allow."""
    return "" if value is None else f"{value:.{digits}g}"


def _width(text: str) -> int:
    """Columns that `text` takes on a terminal."""
    return sum(0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)
