"""A slip of the request costs no finished result; a rejected structure leaves none that seems current."""

from __future__ import annotations

from pathlib import Path

import pytest

from md_sensitivity.cli import main

DIMER = "2\n\nAr 0 0 0\nAr 1.2 0 0\n"
FORCE_FIELD = 'units = "reduced"\n[[potential]]\nstyle = "lennard_jones"\n[potential.parameters.Ar]\nsigma = 1.0\nepsilon = 1.0\n'


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    (tmp_path / "a.xyz").write_text(DIMER)
    (tmp_path / "ff.toml").write_text(FORCE_FIELD)
    assert analyze(tmp_path) == 0
    return tmp_path


def analyze(folder: Path, *extra: str, force_field: str = "ff.toml") -> int:
    words = ["analyze", str(folder / "a.xyz"), "-f", str(folder / force_field), "-o", str(folder / "out"), "--check", "0", "-q"]
    return main([*words, *extra])


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted((folder / "out").rglob("*")) if path.is_file()}


def test_a_misspelt_force_field_touches_nothing(finished: Path) -> None:
    before = content(finished)
    assert "out/a/result.json" in before
    assert analyze(finished, force_field="nofile.toml") == 3
    assert content(finished) == before


def test_a_misspelt_force_field_makes_no_folder(tmp_path: Path) -> None:
    (tmp_path / "a.xyz").write_text(DIMER)
    assert analyze(tmp_path, force_field="nofile.toml") == 3
    assert not (tmp_path / "out").exists()


def test_an_observable_that_is_not_offered_keeps_the_result(finished: Path) -> None:
    before = (finished / "out/a/result.json").read_bytes()
    assert analyze(finished, "-O", "pressure") == 2
    assert (finished / "out/a/result.json").read_bytes() == before


def test_a_structure_that_is_rejected_leaves_no_result(finished: Path) -> None:
    (finished / "a.xyz").write_text(DIMER.replace("1.2", "nan"))
    assert analyze(finished) == 3
    assert not (finished / "out/a/result.json").exists()
