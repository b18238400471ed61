"""What people see of molecules: plain numbers without a unit, and long names that break where their parts end."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from md_sensitivity.analysis.result import Result
from md_sensitivity.reports import print_results
from md_sensitivity.reports.csv import result_csv
from md_sensitivity.reports.html import report_html
from md_sensitivity.reports.json import result_json
from md_sensitivity.reports.names import folded


def printed(result: Result, **options: int) -> str:
    stream = io.StringIO()
    print_results([result], stream, **options)
    return stream.getvalue()


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html.replace("<wbr>", "")).split())


# Plain numbers.


def test_a_plain_number_has_no_unit_on_a_terminal(dipeptide):
    text = printed(dipeptide())
    assert "hydrogen_bonds = 0.0188177; derivatives per parameter unit\n" in text
    assert "dihedral:4-6-8-14 = -150.20039 degrees; derivatives in degrees per parameter unit\n" in text
    (row, *_) = [line.split() for line in text.splitlines() if line.startswith("Coulomb.scale14")]
    assert len(row) == 5 and "1" not in row     # the name and four numbers


def test_a_plain_number_has_no_unit_in_a_report(dipeptide):
    text = words(report_html(dipeptide()))
    assert re.search(r"hydrogen_bonds = 0\.0188177 (?!1\b)", text)
    assert "per rad" in text and "1 per rad" not in text and "per 1" not in text


def test_files_for_programs_keep_the_unit(dipeptide):
    assert b'"unit":"1"' in b"".join(result_json(dipeptide()).split())
    assert ",1," in result_csv(dipeptide())


# Long names.


def beginnings(result: Result) -> set[str]:
    """All that the lines of a name may come to: what ends with a mark, or with the name."""
    names = [parameter.name for parameter in result.document.parameters]
    return {name[: match.end()] for name in names for match in re.finditer(r"[.~]|$", name)}


@pytest.mark.parametrize("width", [72, 80, 100, 140])
def test_names_break_where_their_parts_end(dipeptide, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    lines = printed(dipeptide()).split("energy = ")[1].splitlines()[2:]
    assert all(len(line) <= width for line in lines)
    allowed, whole = beginnings(dipeptide()), ""
    for line in lines:
        if not line.strip():
            break
        head = re.match(r"\s*\S+", line).group()    # type: ignore[union-attr]
        whole = whole + head.strip() if head.startswith("  ") else head
        assert whole in allowed, line
    if width == 140:
        assert all(parameter.name in printed(dipeptide(), limit=20) for parameter in dipeptide().document.parameters)


@given(st.text("abcX.~-_:#", max_size=90), st.integers(0, 60))
def test_nothing_of_a_broken_name_is_lost(name: str, width: int):
    lines = folded(name, width)
    assert "".join([lines[0], *(line.removeprefix("  ") for line in lines[1:])]) == name
    assert max(map(len, lines)) <= max(width, 3)
    if width >= len(name):
        assert lines == [name]


def test_names_that_fit_no_line_break_after_hyphens():
    assert folded("HarmonicBond.protein-CX~protein-CT.r0", 12) == [
        "HarmonicBond", "  .", "  protein-", "  CX~", "  protein-", "  CT.r0"
    ]  # fmt: skip
    assert folded("stillinger_weber.Si-Si-C.lambda", 20) == ["stillinger_weber.Si-", "  Si-C.lambda"]
