"""How long a person waits for the command line: help, the first analysis, and the next one."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.child import call
from benchmarks.measure import Measure, compared
from benchmarks.run import Case, Run
from benchmarks.timing import alternate

AT_MOST_HELP = 0.3
INPUT = Path(__file__).resolve().parents[3] / "inputs" / "argon_vacancy"


def measure(run: Run) -> Iterator[Measure]:
    """Child processes; compiled programs are kept in an empty folder of each repetition's own."""
    run.say("  start/help")
    helps = alternate({"help": lambda: call(["-m", "md_sensitivity", "--help"]).seconds}, max(3, run.repetitions), run.say)["help"]
    yield Measure(
        key="start/help", figure="md-sensitivity --help [s]", values=helps, limit=AT_MOST_HELP, ours=statistics.median(helps),
        note="wall time of the process, imports included",
    )  # fmt: skip
    run.say("  start/warm")
    with tempfile.TemporaryDirectory() as folder:
        cold, warm = zip(*(_analyses(Path(folder) / str(k), run) for k in range(1 if run.quick else run.repetitions)), strict=True)
    yield compared(
        "start/warm", "second analysis / first", ours=warm, peer=cold, limit=None,
        note="`analyze` of inputs/argon_vacancy with all checks and reports; the first fills an empty cache of compiled programs",
    )  # fmt: skip


def _analyses(folder: Path, run: Run) -> tuple[float, float]:
    """Seconds of the same analysis with an empty and with a filled cache."""
    files = [str(INPUT / "structure.extxyz"), "-f", str(INPUT / "force_field.toml")]
    folder.mkdir()
    times = []
    for name in ("cold", "warm"):
        done = call(["-m", "md_sensitivity", "analyze", *files, "-o", str(folder / name)], {"MD_SENSITIVITY_CACHE": str(folder)})
        times.append(done.seconds)
    run.say(f"    cold {times[0]:.3g} s, warm {times[1]:.3g} s")
    return times[0], times[1]


START = Case(name="start", description="the command line: help, first and second analysis", measure=measure)
