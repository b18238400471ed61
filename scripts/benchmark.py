#!/usr/bin/env python3
"""How fast md_sensitivity is, side by side with LAMMPS, jax-md and others in one run.

    python scripts/benchmark.py --quick                          # the main figures, under ten minutes
    python scripts/benchmark.py -o run.json --plot run.png       # all of them
    python scripts/benchmark.py force-lammps hessian --sizes 500

Sides take turns, and ratios are taken pair by pair: what slows the machine slows both. The verdict uses the median. A figure that
falls short makes the exit code 1, unless docs/benchmarks.md records the reason in its table "Known shortfalls"; 2 is wrong usage, and
3 a peer that --require names and that is not there. docs/benchmarks.md says what each measure is and how it is timed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before jax is imported
sys.path.insert(0, str(Path(__file__).resolve().parent))

from benchmarks import jax_md_peer, lammps_peer, machine, page, plot, report
from benchmarks.measure import SHORT, Measure, verdict
from benchmarks.run import Case, Run
from benchmarks.shortfalls import ShortfallsError, recorded

PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"
PEERS = {"lammps": lammps_peer.missing, "jax-md": jax_md_peer.missing}
"""Peer → why it cannot be had, "" where it can."""
OK, FELL_SHORT, USAGE, NO_PEER = 0, 1, 2, 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the chosen cases, print the table, write the files; the exit code."""
    _prepare_jax()
    from benchmarks.cases import CASES

    parser = _parser(CASES)
    chosen = parser.parse_args(arguments)
    cases = _cases(parser, chosen, CASES)
    required = [name for name in (chosen.require or "").split(",") if name]
    for name in required:
        if name not in PEERS:
            parser.error(f"--require knows {', '.join(PEERS)}, not {name}")
    if chosen.plot and plot.missing():
        parser.error(plot.missing())
    try:
        known = recorded(PAGE)
    except ShortfallsError as error:
        parser.error(str(error))
    if chosen.write_docs:
        try:
            page.with_figures(PAGE.read_text(encoding="utf-8"), _platform(), "")
        except (OSError, page.PageError) as error:
            parser.error(str(error))  # now, not after the run
    missing = missing_peers(PEERS)
    for name, reason in missing.items():
        print(f"peer {name} is missing: {reason}")
    if absent := [name for name in required if name in missing]:
        print(f"error: --require: {', '.join(absent)} must be there", file=sys.stderr)
        return NO_PEER

    run = Run(
        quick=chosen.quick, repetitions=chosen.repetitions or (3 if chosen.quick else 5), sizes=chosen.sizes, missing=missing,
        gpu=machine.on_gpu(), say=lambda line: print(line, file=sys.stderr, flush=True),
    )  # fmt: skip
    found = machine.machine()
    measures = measured(cases, run)
    found["load_after"] = machine.load()
    heading = f"{'Quick' if run.quick else 'Full'} run, {run.repetitions} repetitions; {machine.sentence(found)}."
    text = "\n\n".join(filter(None, [heading, report.table(measures, known), report.notes(measures, known)]))
    print(f"\n{text}\n\n{report.summary(measures, known)}")
    _write(chosen, measures, known, found, text)
    return FELL_SHORT if any(verdict(measure, known) == SHORT for measure in measures) else OK


def _prepare_jax() -> None:
    """Double precision, and compiled programs kept from run to run: what is timed is warm in any case."""
    import jax

    from md_sensitivity.cli.cache import keep_compiled_programs

    jax.config.update("jax_enable_x64", True)
    keep_compiled_programs("benchmarks")


def _parser(cases: Mapping[str, Case]) -> argparse.ArgumentParser:
    listing = "cases:\n" + "\n".join(f"  {case.name:16}{case.description}" for case in cases.values())
    parser = argparse.ArgumentParser(description=__doc__, epilog=listing, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help="which to run; default: all that fit the device")
    parser.add_argument("--quick", action="store_true", help="smaller sizes and fewer repetitions: under ten minutes")
    parser.add_argument("--repetitions", type=_positive, metavar="N", help="of each side; default 5, with --quick 3")
    parser.add_argument("--sizes", type=_sizes, default=(), metavar="N,N", help="numbers of atoms (4 m³) instead of each case's own")
    parser.add_argument("--require", metavar="PEERS", help="fail where one of these is missing: lammps,jax-md")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE.json", help="save all numbers")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="draw growth and figures")
    parser.add_argument("--write-docs", action="store_true", help="put this run's figures into docs/benchmarks.md")
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of repetitions")
    return int(text)


def _sizes(text: str) -> tuple[int, ...]:
    words = text.split(",")
    if not all(word.isdecimal() and _cubic(int(word)) for word in words):
        raise argparse.ArgumentTypeError(f"{text!r}: sizes are 4 m³ with m of at least 5, like 500,4000,32000")
    return tuple(sorted({int(word) for word in words}))


def _cubic(size: int) -> bool:
    cells = round((size / 4) ** (1 / 3))
    return cells >= 5 and 4 * cells**3 == size


def _cases(parser: argparse.ArgumentParser, chosen: argparse.Namespace, cases: Mapping[str, Case]) -> list[Case]:
    for name in chosen.cases:
        if name not in cases:
            parser.error(f"no case {name}; there are {', '.join(cases)}")
    names = chosen.cases or [name for name, case in cases.items() if not (chosen.quick and case.full_only)]
    return [cases[name] for name in dict.fromkeys(names)]


def missing_peers(peers: Mapping[str, Callable[[], str]]) -> dict[str, str]:
    """Peer → why it cannot be had, for those that cannot."""
    return {name: reason for name, why in peers.items() if (reason := why())}


def measured(cases: Sequence[Case], run: Run) -> list[Measure]:
    """All measures of the cases, told as they come."""
    start, measures = time.monotonic(), []
    for number, case in enumerate(cases, start=1):
        run.say(f"[{time.monotonic() - start:.0f} s] case {number} of {len(cases)}: {case.name}, {case.description}")
        measures += outcome(case, run)
    run.say(f"[{time.monotonic() - start:.0f} s] done")
    return measures


def outcome(case: Case, run: Run) -> Iterator[Measure]:
    """The measures of a case; where it fails, those before and one that says so, so that the other cases still run."""
    try:
        yield from case.measure(run)
    except Exception as error:
        traceback.print_exc()
        reason = str(error).strip().partition("\n")[0]
        yield Measure(key=case.name, figure="none: the case failed", fault=f"failed with {type(error).__name__}: {reason}")


def _platform() -> str:
    return "gpu" if machine.on_gpu() else "cpu"


def _write(
    chosen: argparse.Namespace, measures: Sequence[Measure], known: Mapping[str, str], found: Mapping[str, object], text: str
) -> None:
    if chosen.output:
        options = {"quick": chosen.quick, "repetitions": chosen.repetitions, "sizes": list(chosen.sizes), "cases": chosen.cases}
        chosen.output.parent.mkdir(parents=True, exist_ok=True)
        content = json.dumps(report.document(measures, known, found, options), indent=2, allow_nan=False)
        chosen.output.write_text(content + "\n", encoding="utf-8")
    if chosen.plot:
        chosen.plot.parent.mkdir(parents=True, exist_ok=True)
        if not plot.draw(measures, chosen.plot):
            print("no picture: none of these measures grows with the number of atoms or has a limit", file=sys.stderr)
    if chosen.write_docs:
        page.write(PAGE, _platform(), text)


if __name__ == "__main__":
    sys.exit(main())
