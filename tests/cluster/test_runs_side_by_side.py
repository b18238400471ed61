"""Several runs and one output folder: what would collide is refused, what would not runs side by side."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from md_sensitivity.batch.lock import held
from md_sensitivity.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]
HOLDER = """
import sys, time
from pathlib import Path
from md_sensitivity.batch.lock import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds a lock."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(words, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None and child.stdout.readline() == "held\n"
        yield child
        if child.stdin is not None:
            child.stdin.close()


@pytest.mark.parametrize("own", [".lock", ".lock-1-of-3", ".lock-1-of-2"])
def test_what_may_run_beside_the_first_of_three_shards(tmp_path: Path, own: str) -> None:
    with another(tmp_path / ".lock-1-of-3") as child:
        with pytest.raises(UsageError, match=f"process {child.pid} on .* is writing these results"), held(tmp_path / own):
            pass
        with held(tmp_path / ".lock-2-of-3"):
            assert (tmp_path / ".lock-2-of-3").exists()
    with held(tmp_path / own):
        pass
    assert list(tmp_path.iterdir()) == []


def test_the_lock_of_a_killed_run_holds_nobody_up(tmp_path: Path) -> None:
    with another(tmp_path / ".lock") as child:
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert (tmp_path / ".lock").exists()
    for name in (".lock-2-of-2", ".lock"):
        with held(tmp_path / name):
            pass
    assert list(tmp_path.iterdir()) == []


def test_where_a_file_system_has_no_locks_runs_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno
    import fcntl

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with held(tmp_path / ".lock"), held(tmp_path / ".lock"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_the_command_line_says_who_is_writing(tmp_path: Path) -> None:
    (tmp_path / "a.xyz").write_text("2\n\nAr 0 0 0\nAr 3.7 0 0\n")
    (tmp_path / "argon.toml").write_text("[[potential]]\nstyle = 'lennard_jones'\nparameters.Ar = { sigma = 3.4, epsilon = 0.01 }\n")
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs/precious").write_text("")
    words = [sys.executable, "-m", "md_sensitivity", "analyze", "a.xyz", "-f", "argon.toml"]
    with another(tmp_path / "outputs/.lock") as child:
        done = subprocess.run(words, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith("error: outputs: process") and str(child.pid) in done.stderr
    assert [path.name for path in (tmp_path / "outputs").iterdir()] == ["precious"]
