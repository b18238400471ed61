"""The table, its notes, and the file of a run."""

from __future__ import annotations

import json

from benchmarks import page, report
from benchmarks.measure import Measure, compared, skipped

RECORDED = {"slow/4000": "known to be slow", "fine/4000": "was slow once", "unheard/4000": "not run"}
MEASURES = [
    compared("fine/4000", "ours / peer", ours=(0.001, 0.0012, 0.0011), peer=(0.001,) * 3, limit=1.5, note="force alone"),
    compared("slow/4000", "peer / ours", ours=(1.0,), peer=(2.0,), limit=5.0, speedup=True),
    compared("bad/4000", "ours / peer", ours=(9.0,), peer=(1.0,), limit=2.0, fault="the two disagree"),
    skipped("gone/4000", "ours / peer", "no such peer", 1.5),
    Measure(key="memory/500", figure="peak memory [GB]", values=(0.5,), ours=0.5, unit="GB"),
]


def rows() -> dict[str, list[str]]:
    lines = report.table(MEASURES, RECORDED).splitlines()
    assert len({len(line) for line in lines}) == 1, "columns are aligned"
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert tuple(cells[0]) == report.TITLES
    return {row[0].strip("`"): row[1:] for row in cells[2:]}


def test_table() -> None:
    found = rows()
    assert found["fine/4000"] == ["ours / peer", "1.1 ms", "1 ms", "1", "1.1", "1.2", "≤ 1.5", "pass"]
    assert found["slow/4000"] == ["peer / ours", "1 s", "2 s", "2", "2", "2", "≥ 5", "short (recorded)"]
    assert found["bad/4000"][-1] == "short"
    assert found["gone/4000"] == ["ours / peer", "", "", "", "", "", "≤ 1.5", "skipped"]
    assert found["memory/500"] == ["peak memory [GB]", "0.5 GB", "", "0.5", "0.5", "0.5", "", "for information"]


def test_notes_say_why() -> None:
    text = report.notes(MEASURES, RECORDED)
    assert "- `fine/4000`: force alone" in text
    assert "- `slow/4000`: recorded: known to be slow" in text
    assert "- `bad/4000`: the two disagree" in text
    assert "- `gone/4000`: skipped: no such peer" in text
    assert "memory" not in text


def test_summary_says_what_to_do() -> None:
    counts, *lines = report.summary(MEASURES, RECORDED).splitlines()
    assert counts == "1 pass, 1 short, 1 short (recorded), 1 skipped, 1 for information"
    assert [line.split()[0] for line in lines] == ["fine/4000", "falls"], "a row that is not needed any more; what is to be mended"
    assert "bad/4000" in lines[1] and "slow/4000" not in lines[1]


def test_file_holds_everything_as_plain_numbers() -> None:
    document = report.document(MEASURES, RECORDED, {"processor": "x"}, {"quick": True})
    back = json.loads(json.dumps(document, allow_nan=False))
    assert back["schema"] == report.SCHEMA and back["machine"] == {"processor": "x"} and back["options"] == {"quick": True}
    assert [row["verdict"] for row in back["measures"]] == ["pass", "short (recorded)", "short", "skipped", "for information"]
    assert back["measures"][3]["median"] is None and back["measures"][0]["values"] == list(MEASURES[0].values)


def test_figures_replace_those_of_their_platform_only() -> None:
    text = "\n".join(["# Page", *page.marks("cpu"), "between", *page.marks("gpu"), "end"])
    once = page.with_figures(text, "cpu", "new figures")
    again = page.with_figures(once, "cpu", "newer figures")
    assert "newer figures" in again and "new figures" not in again
    assert again.startswith("# Page\n") and again.endswith("\n".join(["between", *page.marks("gpu"), "end"]))
