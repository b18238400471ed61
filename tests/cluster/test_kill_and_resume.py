"""A run that is killed anywhere and resumed gives what an undisturbed run gives, and computes only what was not finished."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
FORCE_FIELD = """\
[[potential]]
style = "lennard_jones"
[potential.parameters.Ar]
sigma = 3.405
epsilon = 0.01032
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "argon.toml").write_text(FORCE_FIELD)
    for number in range(3):
        (tmp_path / f"{number}.xyz").write_text(f"2\n\nAr 0 0 0\nAr {3.7 + number / 10} 0 0\n")
    return tmp_path


def crashes(place: Path, *words: str) -> list[dict[str, Any]]:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "MD_SENSITIVITY_CACHE": "off"}
    done = subprocess.run([sys.executable, str(HERE / "crashes.py"), str(place), *words], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def require_identical(answer: dict[str, Any]) -> None:
    assert (answer["code"], answer["state"], answer["different"]) == (0, "finished", []), answer
    assert sorted(answer["finished"] + answer["computed"]) == ["0", "1", "2"], answer


@pytest.mark.parametrize("stride", [pytest.param(1, marks=pytest.mark.slow), 7])
def test_killed_before_any_of_its_dealings_with_the_disk(place: Path, stride: int) -> None:
    answers = crashes(place, "every", str(stride))
    assert len(answers) >= 50 / stride
    for answer in answers:
        require_identical(answer)
    assert any(answer["temporaries"] for answer in answers), "no kill left a temporary file, so that none was swept"
    assert {len(answer["finished"]) for answer in answers} == {0, 1, 2, 3}


def test_killed_at_random_moments(place: Path) -> None:
    answers = crashes(place, "at-random", "12", "20261121")
    assert sum(answer["killed"] for answer in answers) >= 6
    for answer in answers:
        require_identical(answer)
