"""Ctrl-C, SIGTERM and SIGUSR1 end a run cleanly, also where the main thread is busy in compiled code."""

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
ROOT = TESTS.parents[1]
CODES = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGUSR1, 138)]
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
signals.GRACE = 0.5
sys.exit(main(["analyze", "dimer.xyz", "slow.xyz", "-f", "argon.toml"]))
"""


@pytest.mark.parametrize(("number", "code", "deaf"), [*((*each, "never") for each in CODES), (2, 130, "once"), (15, 143, "always")])
def test_a_signal_leaves_a_clean_checkpoint(place: Path, number: int, code: int, deaf: str) -> None:
    (place / "slow.xyz").write_text((place / "dimer.xyz").read_text())
    program = PROGRAM.format(tests=str(TESTS), deaf=deaf)
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
    assert child.stdout is not None
    assert child.stdout.readline() == "busy\n"
    time.sleep(0.1)
    child.send_signal(number)
    _, err = child.communicate(timeout=20)
    assert child.returncode == code, err
    assert "Traceback" not in err
    assert "--resume continues" in err and err.count("error:") == 1
    assert json.loads((place / "outputs/run.json").read_text())["state"] == "interrupted"
    assert (place / "outputs/dimer/result.json").exists() and not (place / "outputs/slow").exists()
    assert len((place / "outputs/summary.csv").read_text().splitlines()) == 2
    assert not list(place.glob("outputs/**/*.tmp"))


HARD = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from conftest import fake_result
from md_sensitivity import pipeline, reports
from md_sensitivity.cli import main
from md_sensitivity.reports import atomic

def compute(structure, force_field, options, *, name, progress):
    if {moment!r} == "computing" and name == "slow":
        os.kill(os.getpid(), signal.SIGINT)
    return fake_result(structure, force_field, name)

def replace(source, target, *, rename=os.replace):
    if os.path.basename(target) == {moment!r}:
        os.kill(os.getpid(), signal.SIGINT)
    if os.path.basename(target) == "summary.csv" and os.path.dirname(target) == "outputs":
        os.kill(os.getpid(), signal.SIGINT)  # the second, while the first is being answered
    rename(source, target)

pipeline.analyze = compute
atomic.os.replace = replace
sys.exit(main(["analyze", "dimer.xyz", "slow.xyz", "-f", "argon.toml"]))
"""


@pytest.mark.parametrize("moment", ["computing", "result.json", ".key", "summary.csv", "run.json"])
def test_a_second_ctrl_c_disturbs_nothing(place: Path, moment: str) -> None:
    (place / "slow.xyz").write_text((place / "dimer.xyz").read_text())
    program = HARD.format(tests=str(TESTS), moment=moment)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert done.returncode == 130 and "Traceback" not in done.stderr, done.stderr
    run = json.loads((place / "outputs/run.json").read_text())
    assert run["state"] == "interrupted"
    rows = (place / "outputs/summary.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows[1:]] == [each["name"] for each in run["results"]]
    assert not list(place.glob("outputs/**/*.tmp"))


@pytest.mark.parametrize(("number", "code"), CODES)
def test_no_traceback_while_the_program_loads(tmp_path: Path, number: int, code: int) -> None:
    """A Click that takes its time stands for slow disks."""
    (tmp_path / "click.py").write_text("import time; print('loading', flush=True); time.sleep(30)")
    words = [sys.executable, "-m", "md_sensitivity", "--help"]
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    child = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}
    )
    assert child.stdout is not None and child.stdout.readline() == "loading\n"
    child.send_signal(number)
    _, err = child.communicate(timeout=20)
    assert child.returncode == code and err.startswith("error: ") and len(err.splitlines()) == 1


INSIDE = """
import os, signal, sys
import jax
from md_sensitivity.cli import signals
from md_sensitivity.startup import EXIT_CODES

def interrupt(x):
    os.kill(os.getpid(), signal.SIGINT)
    return x

saved = []
try:
    with signals.raised(), signals.watched(lambda: saved.append(1)):
        value = jax.pure_callback(interrupt, jax.ShapeDtypeStruct((), "float32"), 1.0)
        print(float(value))
        signals.check()
except signals.Interrupted as error:
    print(error.exit_code, saved)
"""


def test_no_exception_runs_through_compiled_code() -> None:
    """Compiled code that calls back into Python would abort the process."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run([sys.executable, "-c", INSIDE], capture_output=True, text=True, env=env)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1.0\n130 []\n", "")


def test_handlers_are_put_back() -> None:
    from md_sensitivity.cli import main, signals

    before = [signal.getsignal(number) for number in signals.SIGNALS]
    assert main(["--version"]) == 0
    assert [signal.getsignal(number) for number in signals.SIGNALS] == before


def test_a_closed_pipe_is_no_failure() -> None:
    read, write = os.pipe()
    os.close(read)
    words = [sys.executable, "-m", "md_sensitivity", "--help"]
    child = subprocess.run(words, cwd=ROOT, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert (child.returncode, child.stderr) == (141, "")
