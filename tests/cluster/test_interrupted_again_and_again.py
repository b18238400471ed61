"""The real program, interrupted in every way at random moments and resumed each time, ends where an undisturbed run ends."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cluster_runs import KEPT, ROOT, numbers, write_inputs

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGUSR1: 138, signal.SIGKILL: -9}
START = 1.0
"""When Python has certainly started [s]; before, signals are its own affair."""


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("kept", [KEPT, {"MD_SENSITIVITY_CACHE": "off"}], ids=["programs kept", "programs compiled"])
def test_interrupted_again_and_again(tmp_path: Path, undisturbed: dict[str, object], seed: int, kept: dict[str, str]) -> None:
    write_inputs(tmp_path)
    files = [str(path.relative_to(tmp_path)) for path in sorted(tmp_path.glob("structures/*.xyz"))]
    words = [sys.executable, "-m", "md_sensitivity", "analyze", *files, "-f", "force_field.toml", "-q", "--device", "cpu", "--resume"]
    env = os.environ | {"PYTHONPATH": str(ROOT)} | kept
    generator = random.Random(seed)
    for _ in range(6):
        number = generator.choice(list(CODES))
        child = subprocess.Popen(
            words, cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        time.sleep(generator.uniform(START, 15.0))
        for _ in range(generator.choice([1, 2])):
            if child.poll() is None:
                # Ctrl-C and the end of a job reach the whole group; SIGUSR1 is sent to the program.
                child.send_signal(number) if number == signal.SIGUSR1 else os.killpg(child.pid, number)
            time.sleep(generator.uniform(0.0, 0.2))
        _, err = child.communicate(timeout=60)
        assert child.returncode in (CODES[number], 0), err
        if child.returncode > 0:
            assert err.startswith("error: ") and "Traceback" not in err and len(err.splitlines()) <= 2, err
    done = subprocess.run(words, cwd=tmp_path, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert numbers(tmp_path / "outputs") == undisturbed
    assert not [path for path in tmp_path.glob("outputs/**/.*") if path.name != ".key"]
