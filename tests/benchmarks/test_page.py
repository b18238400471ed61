"""docs/benchmarks.md: its table of known shortfalls, and the marks between which a run writes its figures."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks import page
from benchmarks.shortfalls import ShortfallsError, recorded

PAGE = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"
HEAD = """# Page

| measure | at most |
|---|---|
| `other/1` | 2 |

## Known shortfalls

Some words.

| measure | reason |
|---|---|
"""


def written(folder: Path, rows: str) -> Path:
    path = folder / "benchmarks.md"
    path.write_text(HEAD + rows, encoding="utf-8")
    return path


def test_rows_under_the_heading_are_read(tmp_path: Path) -> None:
    rows = "| `slow/4000` | the reason |\n| plain/500 | another one |\n"
    after = "\n## Next\n\n| `no/1` | none of it |\n|---|---|\n| `nor/2` | this |\n"
    assert recorded(written(tmp_path, rows + after)) == {"slow/4000": "the reason", "plain/500": "another one"}


def test_no_page_and_no_rows_record_nothing(tmp_path: Path) -> None:
    assert recorded(tmp_path / "none.md") == {}
    assert recorded(written(tmp_path, "\n")) == {}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("| `slow/4000` | |\n", "line 13: .*both filled in"),
        ("| | a reason |\n", "both filled in"),
        ("| `slow/4000` | a reason | more |\n", "both filled in"),
        ("| `slow/4000` | a |\n| slow/4000 | b |\n", "line 14: slow/4000 is recorded twice"),
    ],
)
def test_a_row_without_reason_is_refused(tmp_path: Path, rows: str, message: str) -> None:
    with pytest.raises(ShortfallsError, match=message):
        recorded(written(tmp_path, rows))


@pytest.mark.parametrize("text", ["", "{0}\n", "{1}\n{0}\n", "{0}\n{1}\n{0}\n{1}\n"])
def test_a_page_without_its_marks_is_refused(text: str) -> None:
    with pytest.raises(page.PageError, match="must hold"):
        page.with_figures(text.format(*page.marks("cpu")), "cpu", "figures")


def test_the_page_itself() -> None:
    recorded(PAGE)
    text = PAGE.read_text(encoding="utf-8")
    for platform in ("cpu", "gpu"):
        assert page.with_figures(text, platform, "figures") != text


def test_the_page_speaks_of_every_case() -> None:
    from benchmarks.cases import CASES

    text = PAGE.read_text(encoding="utf-8")
    assert [name for name in CASES if f"`{name}`" not in text] == []
