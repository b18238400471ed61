"""The Python of docs/second_order.md runs as it stands, and says what a Lennard-Jones cluster must."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def test_the_page_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "second_order.md").read_text(), flags=re.DOTALL)
    monkeypatch.chdir(ROOT)
    names: dict[str, Any] = {}
    exec(compile(code, "second_order.md", "exec"), names)
    found = names["found"]
    # E* is proportional to ε, whatever σ is: all parameters 1 % larger make it 1 % larger.
    assert found.energy[1] == pytest.approx(0.01 * found.energy[0], rel=1e-6) and abs(found.energy[2]) < 1e-6
    assert len(capsys.readouterr().out.splitlines()) == 2
