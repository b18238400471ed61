"""Ctrl-C and SIGTERM end a run cleanly, also where the main thread is busy in compiled code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
PROGRAM = """
import sys, time
sys.path.insert(0, {tests!r})
from conftest import fake_result
from md_sensitivity import pipeline
from md_sensitivity.cli import main, signals

def compute(structure, force_field, options, *, name, progress):
    if name == "slow":
        print("busy", flush=True)
        end = time.monotonic() + 30
        while time.monotonic() < end:
            try:
                time.sleep(0.05)
            except BaseException:
                if {deaf!r} == "never":
                    raise
                if {deaf!r} == "once":
                    break
        progress.update("after an exception that got lost", None)
    return fake_result(structure, force_field, name)

pipeline.analyze = compute
signals.watched.__wrapped__.__defaults__ = (0.5,)
sys.exit(main(["analyze", "dimer.xyz", "slow.xyz", "-f", "argon.toml"]))
"""


@pytest.mark.parametrize("deaf", ["never", "once", "always"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_leaves_a_clean_checkpoint(place: Path, number: int, code: int, deaf: str) -> None:
    (place / "slow.xyz").write_text((place / "dimer.xyz").read_text())
    program = PROGRAM.format(tests=str(TESTS), deaf=deaf)
    root = str(TESTS.parents[1])
    child = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": root}
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "busy\n"
    time.sleep(0.1)
    child.send_signal(number)
    _, err = child.communicate(timeout=20)
    assert child.returncode == code, err
    assert "Traceback" not in err
    assert json.loads((place / "outputs/run.json").read_text())["state"] == "interrupted"
    assert (place / "outputs/dimer/result.json").exists() and not (place / "outputs/slow").exists()
    assert len((place / "outputs/summary.csv").read_text().splitlines()) == 2
    assert not list(place.glob("outputs/**/*.tmp"))


def test_handlers_are_put_back() -> None:
    from md_sensitivity.cli import main, signals

    before = [signal.getsignal(number) for number in signals.SIGNALS]
    assert main(["--version"]) == 0
    assert [signal.getsignal(number) for number in signals.SIGNALS] == before


def test_a_closed_pipe_is_no_failure() -> None:
    read, write = os.pipe()
    os.close(read)
    words = [sys.executable, "-m", "md_sensitivity", "--help"]
    child = subprocess.run(words, cwd=TESTS.parents[1], stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert (child.returncode, child.stderr) == (141, "")
