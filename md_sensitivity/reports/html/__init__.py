"""`report.html`: one self-contained file, without scripts and without network."""

from __future__ import annotations

from md_sensitivity.analysis.result import Result


def report_html(result: Result) -> str:
    """The report as one HTML page; the same result gives the same bytes."""
    from md_sensitivity.reports.html.page import render

    return render(result)
