"""The Python of the README runs as it stands, and says what it should."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import pytest

ROOT = Path(__file__).parents[2]


def python_blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)


def test_quick_start_has_twelve_lines_and_gives_the_closed_form(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    block = python_blocks()[0]
    assert len([line for line in block.splitlines() if line.strip()]) == 12
    names: dict[str, Any] = {}
    exec(compile(block, "README.md", "exec"), names)
    # Without a cutoff every length of a Lennard-Jones cluster is proportional to σ, and none depends on ε.
    logarithmic = names["result"].logarithmic["lennard_jones"]
    assert logarithmic["sigma"] == pytest.approx([1.0], abs=1e-10)
    assert logarithmic["epsilon"] == pytest.approx([0.0], abs=1e-10)
    assert capsys.readouterr().out


def test_any_root_can_be_differentiated_as_the_readme_shows(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    exec("import jax, jax.numpy as jnp, md_sensitivity as mds", names)
    exec(compile(python_blocks()[1], "README.md", "exec"), names)
    x = float(names["solve"](jnp.ones(1), 2.0)[0])
    assert float(capsys.readouterr().out) == pytest.approx(-x / (3 * x**2 + 2.0), rel=1e-9)
