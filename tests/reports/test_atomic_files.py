"""Every file appears whole or not at all."""

from __future__ import annotations

import os
import signal
import stat
import threading
from pathlib import Path

import pytest

from md_sensitivity.reports import write_result
from md_sensitivity.reports.atomic import sweep, write_atomic


def test_writes_text_and_bytes_into_new_folders(tmp_path):
    assert write_atomic(tmp_path / "a" / "b.txt", "θ\n").read_bytes() == "θ\n".encode()
    assert write_atomic(str(tmp_path / "c.bin"), b"\0\1").read_bytes() == b"\0\1"
    assert {path.name for path in tmp_path.rglob("*")} == {"a", "b.txt", "c.bin"}


def test_permissions_follow_the_umask(tmp_path):
    old = os.umask(0o027)
    try:
        path = write_atomic(tmp_path / "file", "x")
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_crash_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, step):
    path = write_atomic(tmp_path / "file", "old")

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, step, crash)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(path, "new and longer")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_crash_in_a_writer_leaves_no_result(silicon, tmp_path, monkeypatch):
    """The disk fills up at the third file: what stands there is whole, and there is no result.json."""
    replace, calls = os.replace, []

    def full(*arguments: Path) -> None:
        calls.append(arguments)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        replace(*arguments)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_result(silicon(cells=1), tmp_path, ["npz", "csv", "html", "json"])
    assert {path.name for path in (tmp_path / "silicon_interstitial").iterdir()} == {"arrays.npz", "summary.csv"}


def test_readers_see_one_whole_version_while_writers_compete(tmp_path):
    path = write_atomic(tmp_path / "file", "0" * 50_000)

    def rewrite(letter: str) -> None:
        for _ in range(5):
            write_atomic(path, letter * 50_000)

    threads = [threading.Thread(target=rewrite, args=(letter,)) for letter in "12"]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        text = path.read_text()
        assert len(text) == 50_000 and len(set(text)) == 1
    for thread in threads:
        thread.join()
    assert list(tmp_path.iterdir()) == [path]


def test_what_killed_processes_left_is_swept_and_nothing_else(tmp_path):
    """A child opens a temporary file and is killed; another one is at work, here and on another machine."""
    child = os.fork()
    if child == 0:
        os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
        write_atomic(tmp_path / "file", "half")
        os._exit(0)
    os.waitpid(child, 0)
    (left,) = tmp_path.iterdir()
    name = left.name.split(".")
    ours = tmp_path / ".".join(["", name[1], str(os.getpid()), *name[3:]])
    foreign, old = tmp_path / f".elsewhere.{name[2]}.{name[3]}.tmp", tmp_path / f".elsewhere.1.{name[3]}.tmp"
    mine = [tmp_path / "notes.tmp", tmp_path / ".vimrc.tmp", tmp_path / "result.json"]
    for path in (ours, foreign, old, *mine):
        path.touch()
    os.utime(old, (0, 0))
    sweep(tmp_path)
    assert set(tmp_path.iterdir()) == {ours, foreign, *mine}
    sweep(tmp_path / "missing")
    sweep(mine[0])
