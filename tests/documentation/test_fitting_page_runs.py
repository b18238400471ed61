"""The Python of docs/fitting.md runs as it stands, and says what it should; the reference names what fits read and write."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from md_sensitivity.fitting.document import FitDocument
from md_sensitivity.fitting.result import CONVERGED, FAILED, INTERRUPTED, MAX_STEPS, STALLED
from md_sensitivity.fitting.study import STUDY_KEYS, TARGET_KEYS

ROOT = Path(__file__).parents[2]


def blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "fitting.md").read_text(), flags=re.DOTALL)


def test_the_fit_recovers_what_made_the_targets(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    names: dict[str, Any] = {}
    exec(compile(blocks()[0], "fitting.md", "exec"), names)
    assert [parameter.value for parameter in names["fit"].parameters] == pytest.approx([1.0, 1.0], rel=1e-8)
    assert "±" in capsys.readouterr().out


def test_optimizers_of_optax_work_over_gradients_of_relaxed_structures(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    names: dict[str, Any] = {}
    exec(compile(blocks()[1], "fitting.md", "exec"), names)
    assert float(names["value"]) < 1e-4
    assert float(names["theta"]["lennard_jones"]["sigma"][0]) == pytest.approx(1.0, abs=5e-3)
    assert capsys.readouterr().out


def test_fit_json_has_the_documented_keys() -> None:
    text = (ROOT / "docs" / "reference.md").read_text().split("`fit.json`:")[1].split("`null` in covariance")[0]

    def keys(kind: Any) -> set[str]:
        found: set[str] = set()
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            for field in msgspec.structs.fields(kind):
                found |= {field.encode_name} | keys(field.type)
        for inner in getattr(kind, "__args__", ()):
            found |= keys(inner)
        return found

    documented = set(re.findall(r'"([a-z_0-9]+)"', text)) - {"converged", "stalled", "failed", "interrupted"}
    assert documented == keys(FitDocument)
    for status in (CONVERGED, MAX_STEPS, STALLED, FAILED, INTERRUPTED):
        assert f'"{status}"' in text


def test_the_documented_study_keys_are_those_of_the_reader() -> None:
    text = (ROOT / "docs" / "reference.md").read_text().split("## Fits")[1].split("DIR/fit.json")[0]
    documented = set(re.findall(r"^    ([a-z_]+) = ", text, flags=re.MULTILINE)) | {"index", "fix", "target"}
    assert documented == {*STUDY_KEYS, *TARGET_KEYS}
