"""A folder to be hostile in, and one command line run in it, watched for everything that no file may bring about."""

from __future__ import annotations

from pathlib import Path

import pytest
from hostile_folder import ARGON, XYZ, Ran, Run, listed

from md_sensitivity.cli import main


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder: a force field and a structure that are fine."""
    monkeypatch.setenv("MD_SENSITIVITY_CACHE", "off")
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)
    place = tmp_path / "work"
    place.mkdir()
    monkeypatch.chdir(place)
    (place / "argon.toml").write_text(ARGON)
    (place / "dimer.xyz").write_text(XYZ)
    return place


@pytest.fixture
def run(folder: Path, capfd: pytest.CaptureFixture[str], own_environment: None) -> Run:
    """Runs one command line in this process, with the environment as it was before."""

    def call(*words: str) -> Ran:
        before = listed(folder.parent)
        capfd.readouterr()
        code = main(list(words))
        captured = capfd.readouterr()
        written = frozenset(path for path in listed(folder.parent) - before if not path.startswith(("work/out/", "work/outputs/")))
        return Ran(code=code, out=captured.out, err=captured.err, written=written - {"work/out", "work/outputs"}, folder=folder)

    return call


