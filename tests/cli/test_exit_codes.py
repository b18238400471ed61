"""Exit codes of `analyze`, one failure at a time and several at once; computations are faked."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str, str]]
pytestmark = pytest.mark.usefixtures("fake_pipeline")


def structures(place: Path, *names: str) -> list[str]:
    for name in names:
        shutil.copy(place / "dimer.xyz", place / f"{name}.xyz")
    return [f"{name}.xyz" for name in names]


@pytest.mark.parametrize(
    ("names", "options", "code"),
    [
        (["good"], [], 0),
        (["slow"], [], 0),
        (["saddle"], [], 0),
        (["slow"], ["--strict"], 5),
        (["saddle", "good"], ["--strict"], 5),
        (["good"], ["--strict"], 0),
        (["diverges"], [], 4),
        (["flat"], [], 4),
        (["diverges", "good"], [], 4),
        (["dubious"], [], 7),
        (["dubious-slow"], [], 0),  # where there is no minimum, the status says all
        (["unfit"], [], 3),
        (["oom"], [], 6),
        (["nodevice"], [], 6),
        (["bug"], [], 1),
        (["disk"], [], 4),
        (["dubious", "slow"], ["--strict"], 7),
        (["diverges", "dubious", "slow"], ["--strict"], 4),
        (["unfit", "diverges", "dubious"], ["--strict"], 3),
        (["oom", "unfit", "diverges"], [], 6),
        (["bug", "oom", "unfit", "diverges", "dubious", "slow"], ["--strict"], 1),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, list) else str(value),
)
def test_exit_code(run: Run, place: Path, names: list[str], options: list[str], code: int) -> None:
    got, _, err = run("analyze", *structures(place, *names), "-f", "argon.toml", *options)
    assert got == code, err
    assert ("Traceback" in err) == ("bug" in names)


def test_one_failure_never_stops_the_rest(run: Run, place: Path) -> None:
    names = ["a-bug", "b-oom", "c-unfit", "d-diverges", "e-good"]
    run("analyze", *structures(place, *names), "missing.xyz", "-f", "argon.toml", "-o", "out")
    status = {path.parent.name: json.loads(path.read_text())["status"] for path in place.glob("out/*/result.json")}
    assert status == {"a-bug": "failed", "b-oom": "failed", "d-diverges": "failed", "e-good": "minimum"}
    report = json.loads((place / "out/run.json").read_text())
    assert report["state"] == "finished"
    assert [each["exit_code"] for each in report["results"]] == [1, 6, 3, 4, 0, 3]
    assert report["exit_code"] == 1
    rows = (place / "out/summary.csv").read_text().splitlines()
    assert [row.split(",")[:2] for row in rows[1:]] == [
        ["a-bug", "failed"],
        ["b-oom", "failed"],
        ["d-diverges", "failed"],
        ["e-good", "minimum"],
    ]


def test_failure_is_told_once_and_recorded(run: Run, place: Path) -> None:
    code, out, err = run("analyze", *structures(place, "diverges"), "-f", "argon.toml", "-o", "out")
    assert code == 4
    assert err.count("the minimization diverged") == 1
    assert "diverged" in out
    document = json.loads((place / "out/diverges/result.json").read_text())
    assert (document["status"], document["message"]) == ("failed", "the minimization diverged")
    assert document["equilibrium"] is None and document["certificate"] is None and document["observables"] == []
    assert not (place / "out/diverges/relaxed.extxyz").exists()
    assert run("show", "out")[0] == run("report", "out")[0] == 0


@pytest.mark.parametrize("name", ["missing.xyz", "broken.xyz", "unfit.xyz"])
def test_rejected_input_leaves_no_result(run: Run, place: Path, name: str) -> None:
    out = place / "out" / Path(name).stem
    out.mkdir(parents=True)
    for stale in ("result.json", "report.html", "arrays.npz", ".key"):
        (out / stale).write_text("{}")
    (place / "broken.xyz").write_text("2\n\nAr 0 0 0\n")
    structures(place, "unfit")
    code, _, err = run("analyze", name, "-f", "argon.toml", "-o", "out")
    assert code == 3
    assert err.startswith("error: ") and name in err and "Traceback" not in err
    assert not out.exists()


def test_foreign_files_survive_a_rejection(run: Run, place: Path) -> None:
    out = place / "out/missing"
    out.mkdir(parents=True)
    (out / "result.json").write_text("{}")
    (out / "notes.txt").write_text("mine")
    assert run("analyze", "missing.xyz", "-f", "argon.toml", "-o", "out")[0] == 3
    assert [path.name for path in out.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("content", [None, "", "units = 'martian'", "[[potential]]\nstyle = 'lennard-jones'"])
def test_rejected_force_field(run: Run, place: Path, content: str | None) -> None:
    if content is not None:
        (place / "bad.toml").write_text(content)
    code, out, err = run("analyze", "dimer.xyz", *structures(place, "other"), "-f", "bad.toml", "-o", "out")
    assert (code, out) == (3, "")
    assert len(err.splitlines()) == 1 and "bad.toml" in err
    assert not list(place.glob("out/*/result.json"))


@pytest.mark.parametrize(
    "words",
    [
        ["analyze"],
        ["analyze", "dimer.xyz"],
        ["analyze", "-f", "argon.toml"],
        ["analyze", "dimer.xyz", "-f", "argon.toml", "--no-such-option"],
        ["analyze", "dimer.xyz", "-f", "argon.toml", "--relax-cell", "sideways"],
        ["analyze", "dimer.xyz", "-f", "argon.toml", "--fmax", "nan"],
        ["analyze", "dimer.xyz", "-f", "argon.toml", "--fmax", "0"],
        ["analyze", "dimer.xyz", "-f", "argon.toml", "--fmax", "inf"],
        ["analyze", "dimer.xyz", "-f", "argon.toml", "--threads", "0"],
        ["analyze", "dimer.xyz", "-f", "argon.toml", "--shard", "3/2"],
        ["analyze", "dimer.xyz", "-f", "argon.toml", "--shard", "0/2"],
        ["analyze", "dimer.xyz", "-f", "argon.toml", "-O", "enthalpi"],
        ["analyze", "dimer.xyz", "-f", "argon.toml", "-O", "distance:0"],
        ["analyze", "dimer.xyz", "-f", "argon.toml", "-p", "*.Kr.*"],
        ["analyze", "dimer.xyz", "-f", "argon.toml", "--minimizer", "lbgfs"],
        ["analyze", "dimer.xyz", "-f", "argon.toml", "--solver", "cgg"],
        ["analyze", "dimer.xyz", "-f", "argon.toml", "--format", "yaml"],
        ["analyze", "dimer.xyz", "-f", "argon.toml", "--fix", "0,99"],
        ["analyze", "dimer.xyz", "-f", "argon.toml", "--index", "seven"],
        ["analyze", "dimer.xyz", "-f", "argon.toml", "-o", "dimer.xyz/out"],
        ["frobnicate"],
    ],
    ids=" ".join,
)
def test_usage_errors(run: Run, place: Path, words: list[str]) -> None:
    code, _, err = run(*words)
    assert code == 2, err
    assert "Traceback" not in err and "rror: " in err
    assert not list(place.glob("**/result.json"))


def test_no_gpu_no_fallback(run: Run) -> None:
    import jax

    if any(device.platform == "gpu" for device in jax.devices()):
        pytest.skip("there is a GPU")
    code, _, err = run("analyze", "dimer.xyz", "-f", "argon.toml", "--device", "gpu")
    assert code == 6 and "--device gpu" in err and "Traceback" not in err
