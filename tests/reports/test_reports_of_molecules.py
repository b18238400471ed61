"""What people see of molecules: plain numbers without a unit, and long names that break where their parts end."""

from __future__ import annotations

import dataclasses
import io
import re
import shutil
import subprocess

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from md_sensitivity.analysis.result import Result
from md_sensitivity.reports import print_results
from md_sensitivity.reports.csv import result_csv
from md_sensitivity.reports.html import report_html
from md_sensitivity.reports.html.page import parameter_name
from md_sensitivity.reports.json import result_json
from md_sensitivity.reports.names import folded

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), "")


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


def test_names_in_a_report_break_where_their_parts_end(dipeptide):
    assert parameter_name("HarmonicBond.CT-HC.r0") == "HarmonicBond.CT-HC.r0"
    assert parameter_name("HarmonicAngle.CT-CT-OH.theta0") == "HarmonicAngle.<wbr>CT-<wbr>CT-<wbr>OH.<wbr>theta0"
    assert parameter_name("LennardJones.~protein-CT.sigma") == (
        'LennardJones.<wbr>~<wbr><span class="part">protein-CT.</span><wbr>sigma'
    )
    assert "<b>" not in parameter_name("A.<b>~x-y.1234567890123456789") and "&lt;b&gt;" in parameter_name("A.<b>~x-y.1234567890123456789")
    page = report_html(dipeptide())
    for parameter in dipeptide().document.parameters:
        assert str(parameter_name(parameter.name)) in page


MEASURE = """<script>onload = () => {
  const wide = [...document.querySelectorAll(".scroll")].filter(e => e.scrollWidth > e.clientWidth + 1);
  const page = document.documentElement;
  const found = wide.map(e => e.firstElementChild.className + " " + e.scrollWidth + ">" + e.clientWidth);
  if (page.scrollWidth > page.clientWidth) found.push("page " + page.scrollWidth);
  document.body.innerHTML = "<pre>found: " + found.join(", ") + ".</pre>";
}</script></body>"""
"""Lists what is wider than its place."""


@pytest.mark.skipif(not BROWSER, reason="needs a Chromium")
@pytest.mark.parametrize("width", [1200, 1000, 700])
def test_nothing_overflows(dipeptide, peptide, tmp_path, width):
    for result in (dipeptide(), peptide(4)):
        html = re.sub(r'<meta http-equiv="Content-Security-Policy".*?>', "", report_html(result))
        page = tmp_path / f"{result.name}.html"
        page.write_text(html.replace("<details>", "<details open>").replace("</body>", MEASURE), encoding="utf-8")
        command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size={width},2000"]
        command += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=3000", "--dump-dom", page.as_uri()]
        shown = subprocess.run(command, capture_output=True, text=True, timeout=120).stdout
        if not shown or "<script>" in shown:
            pytest.skip("the browser shows nothing here")
        assert "found: ." in shown, shown[:500]


def test_a_report_says_once_how_many_steps_it_took(dipeptide):
    result = dipeptide()
    for message, remark in (("minimum reached in 42 steps", ""), ("minimum reached in 42 steps; left a saddle", "left a saddle")):
        document = msgspec.structs.replace(result.document, message=message)
        text = words(report_html(dataclasses.replace(result, document=document)))
        assert "minimum reached" not in text and (not remark or f"Remark {remark}" in text)
