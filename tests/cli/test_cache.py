"""Compiled programs are kept where only this user can write, or not at all."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import jax
import pytest

from md_sensitivity.cli import cache


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_folder_is_private(tmp_path: Path) -> None:
    folder = cache.private_folder(tmp_path / "cache" / "programs")
    assert folder is not None and mode(folder) == mode(folder.parent) == 0o700


def test_open_folders_are_closed(tmp_path: Path) -> None:
    path = tmp_path / "cache" / "programs"
    path.mkdir(parents=True)
    path.chmod(0o777)
    assert cache.private_folder(path) == path and mode(path) == 0o700


def test_links_and_foreign_folders_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/programs").symlink_to(tmp_path / "real")
    assert cache.private_folder(tmp_path / "cache/programs") is None
    (tmp_path / "file").write_text("")
    assert cache.private_folder(tmp_path / "file/programs") is None
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert cache.private_folder(tmp_path / "real/programs") is None


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"MD_SENSITIVITY_CACHE": "off"}, None),
        ({"MD_SENSITIVITY_CACHE": "/fast"}, "/fast/md_sensitivity"),
        ({"MD_SENSITIVITY_CACHE": "", "XDG_CACHE_HOME": "/xdg"}, "/xdg/md_sensitivity"),
        ({"MD_SENSITIVITY_CACHE": "", "XDG_CACHE_HOME": "relative", "HOME": "/home/me"}, "/home/me/.cache/md_sensitivity"),
    ],
)
def test_place(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str | None) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    found = cache.cache_folder()
    assert (found and str(found)) == expected


def test_programs_are_kept_and_old_ones_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = jax.config.jax_compilation_cache_dir
    monkeypatch.setenv("MD_SENSITIVITY_CACHE", str(tmp_path))
    try:
        folder = cache.keep_compiled_programs()
        assert folder is not None and jax.__version__ in folder.name and str(folder) == jax.config.jax_compilation_cache_dir
        old, new = folder / "old", folder / "new"
        old.touch()
        new.touch()
        os.utime(old, (0, time.time() - 40 * 86400))
        cache.keep_compiled_programs()
        assert old.exists()  # looked through once a day
        (folder / ".pruned").unlink()
        cache.keep_compiled_programs()
        assert new.exists() and not old.exists()
    finally:
        jax.config.update("jax_compilation_cache_dir", before)


def test_a_jax_without_the_door_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of entries that nobody checks is worse than none."""
    from jax._src import compilation_cache

    monkeypatch.setenv("MD_SENSITIVITY_CACHE", str(tmp_path))
    monkeypatch.delattr(compilation_cache, "get_file_cache")
    assert cache.keep_compiled_programs() is None
