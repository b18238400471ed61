"""Measures as a table, as lines to read, and as plain data for a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.measure import RECORDED, SHORT, SKIPPED, VERDICTS, Measure, verdict
from benchmarks.timing import duration

SCHEMA = "md-sensitivity/benchmark/2"
TITLES = ("measure", "figure", "ours", "peer", "min", "median", "max", "limit", "verdict")


def table(measures: Sequence[Measure], recorded: Mapping[str, str]) -> str:
    """Markdown, one row for each measure, columns aligned."""
    rows = [TITLES, *(_cells(measure, verdict(measure, recorded)) for measure in measures)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(TITLES))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _cells(measure: Measure, judged: str) -> tuple[str, ...]:
    sides = tuple("" if side is None else _side(side, measure.unit) for side in (measure.ours, measure.peer))
    values = measure.values
    figures = tuple(_number(value) for value in (min(values), measure.median, max(values))) if values else ("", "", "")
    limit = "" if measure.limit is None else f"{'≥' if measure.at_least else '≤'} {measure.limit:g}"
    return (f"`{measure.key}`", measure.figure, *sides, *figures, limit, judged)


def _side(value: float, unit: str) -> str:
    return duration(value) if unit == "s" else f"{value:.3g} {unit}".strip()


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def notes(measures: Sequence[Measure], recorded: Mapping[str, str]) -> str:
    """One line for each measure that has something to say: its note, why it was skipped or falls short."""
    lines = []
    for measure in measures:
        judged = verdict(measure, recorded)
        parts = [measure.note, measure.fault]
        parts += [f"skipped: {measure.skipped}"] if measure.skipped else []
        parts += [f"recorded: {recorded[measure.key]}"] if judged == RECORDED else []
        text = "; ".join(filter(None, parts))
        if text:
            lines.append(f"- `{measure.key}`: {text}")
    return "\n".join(lines)


def summary(measures: Sequence[Measure], recorded: Mapping[str, str]) -> str:
    """How many measures have which verdict, and what to do about some."""
    judged = {measure.key: verdict(measure, recorded) for measure in measures}
    counts = Counter(judged.values())
    lines = [", ".join(f"{counts[name]} {name}" for name in VERDICTS if counts[name])]
    for key in sorted(set(recorded) & set(judged)):
        if judged[key] not in (RECORDED, SKIPPED):
            lines.append(f"{key} is recorded as a known shortfall, but passed in this run: take its row out if it stays so")
    short = [key for key, what in judged.items() if what == SHORT]
    if short:
        lines.append(f"falls short: {', '.join(short)}; mend it, or record in docs/benchmarks.md why it must")
    return "\n".join(lines)


def document(
    measures: Sequence[Measure], recorded: Mapping[str, str], machine: Mapping[str, Any], options: Mapping[str, Any]
) -> dict[str, Any]:
    """Plain data for JSON."""
    return {
        "schema": SCHEMA,
        "machine": dict(machine),
        "options": dict(options),
        "measures": [
            {
                "key": measure.key,
                "figure": measure.figure,
                "verdict": verdict(measure, recorded),
                "median": measure.median,
                "values": list(measure.values),
                "limit": measure.limit,
                "at_least": measure.at_least,
                "ours": measure.ours,
                "peer": measure.peer,
                "unit": measure.unit,
                "note": measure.note,
                "fault": measure.fault,
                "skipped": measure.skipped,
                "details": dict(measure.details),
            }
            for measure in measures
        ],
    }
