"""The Python of docs/molecules.md runs as it stands; its force field is one; its names and keys exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from md_sensitivity.cli import main
from md_sensitivity.forcefields import parse_native
from md_sensitivity.forcefields.molecules import _KEYS, MOLECULAR_FORMATS
from md_sensitivity.observables import OBSERVABLES

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "molecules.md").read_text()


@pytest.mark.slow
def test_ethanol_is_analyzed_as_the_page_shows(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    names: dict[str, Any] = {}
    exec(compile(re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)[0], "molecules.md", "exec"), names)
    assert names["result"].value == pytest.approx(63.686, abs=1e-3)
    assert "degrees" in capsys.readouterr().out


def test_keys_and_formats_stand_on_the_page() -> None:
    assert all(f"`{key}`" in TEXT for key in _KEYS)
    assert all(kind.suffixes[0] in TEXT for kind in MOLECULAR_FORMATS.values())
    section = TEXT.split("## Observables")[1].split("```")[0]
    assert all(name in OBSERVABLES for name in re.findall(r"`([a-z_]+)[:`]", section))


def test_names_of_the_page_are_names(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("openmm")
    monkeypatch.chdir(ROOT)
    field = parse_native(re.findall(r"```toml\n(.*?)```", TEXT, flags=re.DOTALL)[0], "page.toml")
    assert field.name == "Alanine dipeptide in water, as a continuum"
    assert main(["parameters", "-f", "inputs/alanine_dipeptide/obc2.toml", "inputs/alanine_dipeptide/structure.pdb", "--json"]) == 0
    listed = capsys.readouterr().out
    table = TEXT.split("## Names and units")[1].split("`-p ")[0]
    named = re.findall(r"`([A-Z]\w+\.[^`]*\.[a-z0-9]+|[A-Z]\w+\.scale14)`", table)
    assert len(named) >= 9 and all(f'"{name}"' in listed for name in named)
