"""What people see of molecules: plain numbers without a unit, and long names that break where their parts end."""

from __future__ import annotations

import io
import re

from md_sensitivity.analysis.result import Result
from md_sensitivity.reports import print_results
from md_sensitivity.reports.csv import result_csv
from md_sensitivity.reports.html import report_html
from md_sensitivity.reports.json import result_json


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
