"""The Python of docs/models.md runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def test_the_model_is_analyzed_as_the_page_shows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    first, second = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "models.md").read_text(), flags=re.DOTALL)
    monkeypatch.chdir(ROOT)
    names: dict[str, Any] = {}
    exec(compile(first, "models.md", "exec"), names)
    assert "('pairs.alpha', 'pairs.depth.0', 'pairs.r0')" in capsys.readouterr().out
    # A depth alone changes no minimum.
    assert names["slopes"]["depth"] == pytest.approx([0.0], abs=1e-10) and names["slopes"]["r0"].shape == ()
    monkeypatch.chdir(tmp_path)
    exec(compile(second, "models.md", "exec"), names)
    assert (tmp_path / "outputs/model/cluster/report.html").is_file()
