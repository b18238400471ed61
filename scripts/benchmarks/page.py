"""The generated figures in docs/benchmarks.md."""

from __future__ import annotations

from pathlib import Path


class PageError(Exception):
    """The page has not the marks between which figures belong."""


def marks(platform: str) -> tuple[str, str]:
    """The comments around the figures of a platform, "cpu" or "gpu"."""
    return f"<!-- figures of {platform}: written by scripts/benchmark.py --write-docs -->", f"<!-- end of figures of {platform} -->"


def with_figures(text: str, platform: str, figures: str) -> str:
    """The page with the figures of a platform replaced.

    Raises:
        PageError: where a mark is missing or doubled.
    """
    begin, end = marks(platform)
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise PageError(f"docs/benchmarks.md must hold, once and in this order, the lines\n{begin}\n{end}")
    head, _, rest = text.partition(begin)
    _, _, tail = rest.partition(end)
    return f"{head}{begin}\n\n{figures.strip()}\n\n{end}{tail}"


def write(page: Path, platform: str, figures: str) -> None:
    """Replace the figures of a platform in the page."""
    changed = with_figures(page.read_text(encoding="utf-8"), platform, figures)
    page.write_text(changed, encoding="utf-8")
