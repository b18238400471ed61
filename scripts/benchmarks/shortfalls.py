"""Shortfalls that docs/benchmarks.md records, with the reason."""

from __future__ import annotations

from pathlib import Path

HEADING = "Known shortfalls"


class ShortfallsError(Exception):
    """The page's table cannot be read."""


def recorded(page: Path) -> dict[str, str]:
    """Key of a measure → why it falls short; empty where the page or its table is missing.

    Raises:
        ShortfallsError: where a row has no reason, or a key occurs twice.
    """
    if not page.exists():
        return {}
    found: dict[str, str] = {}
    for number, cells in _rows(page.read_text(encoding="utf-8")):
        if len(cells) != 2 or not all(cells):
            raise ShortfallsError(f"{page.name}, line {number}: a row of {HEADING!r} is | `measure` | reason |, both filled in")
        key = cells[0].strip("` ")
        if key in found:
            raise ShortfallsError(f"{page.name}, line {number}: {key} is recorded twice")
        found[key] = cells[1]
    return found


def _rows(text: str) -> list[tuple[int, list[str]]]:
    """Rows of the first table under the heading, without its two title lines: line number and cells."""
    rows: list[tuple[int, list[str]]] = []
    inside, lines_of_table = False, 0
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("#"):
            inside, lines_of_table = line.lstrip("# ").strip() == HEADING, 0
        elif inside and line.strip().startswith("|"):
            lines_of_table += 1
            if lines_of_table > 2:
                rows.append((number, [cell.strip() for cell in line.strip().strip("|").split("|")]))
    return rows
