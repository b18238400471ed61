"""How much memory of a GPU the program takes is decided before jax is imported, and stated."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from md_sensitivity.batch.provenance import gpu_memory_settings
from md_sensitivity.cli import edge

DEFAULT = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without wishes, put back afterwards whatever the program sets."""
    for name in (*gpu_memory_settings(), edge.PREALLOCATE, edge.FRACTION):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def test_nothing_is_reserved_unless_asked_for() -> None:
    edge.share_gpu_memory(None)
    assert gpu_memory_settings() == DEFAULT
    edge.share_gpu_memory(0.25)
    assert gpu_memory_settings() == {"XLA_CLIENT_MEM_FRACTION": "0.25", "XLA_PYTHON_CLIENT_PREALLOCATE": "true"}


@pytest.mark.parametrize("name", ["XLA_PYTHON_CLIENT_MEM_FRACTION", "XLA_CLIENT_MEM_FRACTION", "XLA_PYTHON_CLIENT_PREALLOCATE"])
def test_the_environment_wins_over_the_default_and_the_option_over_both(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "0.5")
    edge.share_gpu_memory(None)
    assert gpu_memory_settings() == {name: "0.5"}
    edge.share_gpu_memory(0.9)
    assert gpu_memory_settings() == {"XLA_CLIENT_MEM_FRACTION": "0.9", "XLA_PYTHON_CLIENT_PREALLOCATE": "true"}


@pytest.mark.usefixtures("fake_pipeline")
def test_run_json_says_what_holds(run: Callable[..., tuple[int, str, str]], place: Path) -> None:
    assert run("analyze", "dimer.xyz", "-f", "argon.toml", "-q")[0] == 0
    assert json.loads((place / "outputs/run.json").read_text())["device"]["gpu_memory"] == DEFAULT
    assert os.environ[edge.PREALLOCATE] == "false"


@pytest.mark.parametrize("fraction", ["0", "1.5", "nan", "half"])
def test_fractions_are_fractions(run: Callable[..., tuple[int, str, str]], fraction: str) -> None:
    code, _, err = run("analyze", "dimer.xyz", "-f", "argon.toml", "--gpu-memory", fraction)
    assert code == 2 and "--gpu-memory" in err
