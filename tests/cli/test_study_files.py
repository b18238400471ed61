"""`--config STUDY.toml`: the same options from a file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., tuple[int, str, str]]
pytestmark = pytest.mark.usefixtures("fake_pipeline")

STUDY = """\
structures = ["*.xyz"]
force-field = "argon.toml"
output = "results"
observable = ["energy", "distance:0-1"]
fmax = 1e-7
max_steps = 500
dimensions = 2
positions = false
strict = true
"""


def configuration(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "run.json").read_text())["configuration"])


def test_a_file_can_hold_everything(run: Run, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "study.toml").write_text(STUDY)
    elsewhere = place / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    code, _, err = run("analyze", "--config", "../study.toml")
    assert code == 0, err
    found = configuration(place / "results")
    assert found["observables"] == ["energy", "distance:0-1"]
    assert (found["fmax"], found["max_steps"], found["dimensions"], found["positions"], found["strict"]) == (1e-7, 500, "2", False, True)
    assert (place / "results/dimer/result.json").exists()


def test_the_command_line_wins(run: Run, place: Path) -> None:
    (place / "study.toml").write_text(STUDY)
    assert run("analyze", "dimer.xyz", "--config", "study.toml", "--fmax", "1e-9", "-O", "energy", "--positions", "-o", "mine")[0] == 0
    found = configuration(place / "mine")
    assert (found["fmax"], found["observables"], found["positions"], found["max_steps"]) == (1e-9, ["energy"], True, 500)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fmx = 1e-8", "'fmx', did you mean 'fmax'"),
        ("observables = ['energy']", "did you mean 'observable'"),
        ("fmax = '1e-8'", "fmax must be a number"),
        ("fmax = true", "fmax must be a number"),
        ("fmax = 0.0", "fmax"),
        ("max-steps = 10.5", "whole number"),
        ("strict = 1", "true or false"),
        ("mode = 'backward'", "mode"),
        ("observable = [1.5]", "must be a text"),
        ("force-field = ['a', 'b']", "must be a text"),
        ("dimensions = 4", "dimensions"),
        ("[fmax]", "must be a number"),
        ("config = 'other.toml'", "unknown key"),
        ("fmax = ", "not valid TOML"),
        ("verbose = true", "whole number"),
    ],
)
def test_a_wrong_file_is_rejected(run: Run, place: Path, text: str, message: str) -> None:
    (place / "study.toml").write_text(text)
    code, _, err = run("analyze", "dimer.xyz", "-f", "argon.toml", "--config", "study.toml")
    assert code == 3
    assert err.startswith("error: study.toml") and message in err and len(err.splitlines()) == 1


def test_a_missing_or_binary_file_is_rejected(run: Run, place: Path) -> None:
    (place / "binary.toml").write_bytes(b"\xff\xfe\x00")
    for name in ("none.toml", "binary.toml", "."):
        code, _, err = run("analyze", "dimer.xyz", "-f", "argon.toml", "--config", name)
        assert code == 3 and err.startswith(f"error: {name}")


def test_a_pattern_that_matches_nothing_is_a_missing_file(run: Run, place: Path) -> None:
    (place / "study.toml").write_text("structures = ['*.cif']")
    code, _, err = run("analyze", "-f", "argon.toml", "--config", "study.toml")
    assert code == 3 and "*.cif" in err


@pytest.mark.usefixtures("own_environment")
def test_threads_from_the_batch_system(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.setitem(os.environ, "SLURM_CPUS_PER_TASK", "3")
    assert run("analyze", "dimer.xyz", "-f", "argon.toml")[0] == 0
    assert os.environ["OMP_NUM_THREADS"] == os.environ["NPROC"] == "3"
    assert run("analyze", "dimer.xyz", "-f", "argon.toml", "--threads", "1")[0] == 0
    assert os.environ["OMP_NUM_THREADS"] == "1"
    monkeypatch.setitem(os.environ, "SLURM_CPUS_PER_TASK", "many")
    assert run("analyze", "dimer.xyz", "-f", "argon.toml")[0] == 2
