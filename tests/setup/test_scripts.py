"""The two commands say clearly what is missing, before they touch anything."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ("scripts/quickstart", "scripts/test", ".ci/run")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The scripts in a folder of their own, whose name has a space in it."""
    folder = tmp_path / "a clone"
    for name in (*SCRIPTS, "scripts/environment.sh", "pyproject.toml", "constraints.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    return folder


def fake_python(folder: Path, body: str) -> Path:
    path = folder / "fake-python"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def call(script: Path, python: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(script)], cwd="/", env={**os.environ, "PYTHON": str(python)}, capture_output=True, text=True)


@pytest.mark.parametrize("name", SCRIPTS)
def test_no_python(clone: Path, name: str) -> None:
    done = call(clone / name, "no-such-python")
    assert done.returncode == 1 and "no 'no-such-python' on this machine" in done.stderr


@pytest.mark.parametrize("name", SCRIPTS)
def test_old_python(clone: Path, tmp_path: Path, name: str) -> None:
    done = call(clone / name, fake_python(tmp_path, 'if [ "$1" = --version ]; then echo Python 3.9.1; else exit 1; fi'))
    assert done.returncode == 1 and "Python 3.9.1, but Python 3.11 or newer is needed" in done.stderr
    assert not (clone / ".venv").exists()


def test_no_venv_module(clone: Path, tmp_path: Path) -> None:
    done = call(clone / "scripts/quickstart", fake_python(tmp_path, 'case "$2" in *ensurepip*) exit 1;; esac'))
    assert done.returncode == 1 and "lacks the venv module" in done.stderr and "python3-venv" in done.stderr
    assert not (clone / ".venv").exists()


@pytest.mark.parametrize("broken", [False, True])
def test_what_it_did_not_make_is_left_alone(clone: Path, broken: bool) -> None:
    (clone / ".venv").mkdir()
    (clone / ".venv/precious").write_text("")
    if broken:
        (clone / ".venv/pyvenv.cfg").write_text("")
    done = call(clone / "scripts/quickstart", "python3")
    if "3.11 or newer" in done.stderr:
        pytest.skip("python3 is too old here")
    assert done.returncode == 1 and "is in the way" in done.stderr and (clone / ".venv/precious").exists()


@pytest.mark.parametrize("name", SCRIPTS)
def test_executable(name: str) -> None:
    assert os.access(ROOT / name, os.X_OK)


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_shellcheck() -> None:
    files = [*SCRIPTS, "scripts/environment.sh"]
    done = subprocess.run(["shellcheck", "-x", *files], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
