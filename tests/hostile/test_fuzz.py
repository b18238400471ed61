"""A short run of `scripts/fuzz.py`, which finds nothing; and runs with faults planted, which it finds."""

from __future__ import annotations

import importlib.util
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from md_sensitivity import structures
from md_sensitivity.errors import InputError

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


def script() -> Any:
    spec = importlib.util.spec_from_file_location("fuzz", SCRIPTS / "fuzz.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["fuzz"] = module
    spec.loader.exec_module(module)
    return module


FUZZ = script()
KINDS = {kind.name: kind for kind in FUZZ.kinds()}


@pytest.mark.parametrize("name", KINDS)
def test_the_files_that_it_damages_are_fine(tmp_path: Path, name: str) -> None:
    kind = KINDS[name]
    for file, content in {**kind.companions, **kind.files}.items():
        (tmp_path / file).write_bytes(content)
    for file in kind.files:
        with FUZZ.working_in(str(tmp_path)):
            outcome = FUZZ.tried(kind, tmp_path / file, False)
        assert outcome == FUZZ.Outcome(verdict="accepted", message=""), file


def test_every_structure_format_is_damaged(tmp_path: Path) -> None:
    read = set()
    for name, content in KINDS["structures"].files.items():
        (tmp_path / name).write_bytes(content)
        read.add(structures.detected(structures.read_source(tmp_path / name), structures.FORMATS.values()).name)
    assert read == set(structures.FORMATS)


@pytest.mark.parametrize("seed", [11, 12])
def test_a_short_run_finds_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str], seed: int) -> None:
    code = FUZZ.main(["--cases", "120", "--seed", str(seed), "--keep", str(tmp_path)])
    said = capsys.readouterr().out
    assert code == 0 and f"seed {seed}" in said and "no findings" in said, said


def test_the_same_seed_gives_the_same_cases() -> None:
    kind = KINDS["structures"]
    assert FUZZ.made(kind, 5, 17) == FUZZ.made(kind, 5, 17) != FUZZ.made(kind, 6, 17)


def leaks(path: Path, downstream: bool) -> str:
    raise KeyError("planted")


def talks(path: Path, downstream: bool) -> str:
    raise InputError("two\nlines")


def hangs(path: Path, downstream: bool) -> str:
    while True:
        time.sleep(0.01)


def accepts(path: Path, downstream: bool) -> str:
    one = structures.read_structure(path.parent / "fine.xyz")
    return str(FUZZ.fault(replace(one, positions=one.positions * np.nan)))


@pytest.mark.parametrize(
    ("read", "verdict"), [(leaks, "leaked exception"), (talks, "leaked exception"), (hangs, "hang"), (accepts, "bad acceptance")]
)
def test_planted_faults_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], read: Callable[..., str], verdict: str
) -> None:
    kind = replace(KINDS["structures"], read=read, companions={"fine.xyz": b"1\n\nAr 0 0 0\n"})
    monkeypatch.setattr(FUZZ, "kinds", lambda: [kind])
    monkeypatch.setattr(FUZZ, "HANG", 0.05)
    assert FUZZ.main(["--cases", "2", "--only", "structures", "--seed", "3", "--keep", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert f"{verdict}: " in said and "--only structures --seed 3 --case 1" in said and "2 findings" in said
    name, content, _ = FUZZ.made(kind, 3, 1)
    assert (tmp_path / "structures-3-1" / name).read_bytes() == content
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_damage_that_a_parser_never_foresaw_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The net below our own parsers turns a gap into a clean refusal for users, and into a finding here."""
    monkeypatch.setattr(structures, "detected", lambda source, formats: [][1])
    (tmp_path / "a.xyz").write_text("1\n\nAr 0 0 0\n")
    with pytest.raises(InputError, match=structures.FAULT):
        structures.read_structure(tmp_path / "a.xyz")
    kind = replace(KINDS["structures"], read=lambda path, downstream: str(structures.read_structure(path)))
    assert FUZZ.tried(kind, tmp_path / "a.xyz", False).verdict == "leaked exception"
