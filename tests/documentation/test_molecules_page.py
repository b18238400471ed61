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


def test_the_document_that_changes_a_force_field_is_one_and_keeps_charges() -> None:
    pytest.importorskip("openmm")
    field = parse_native(re.findall(r"```toml\n(.*?)```", TEXT, flags=re.DOTALL)[1], "page.toml")
    charges = {name: value for name, value in zip(field.table.names, field.table.values, strict=True) if name.startswith("Coulomb.ALA:")}
    assert len(charges) == 10 and sum(charges.values()) == pytest.approx(0.0, abs=1e-15)
    assert charges["Coulomb.ALA:CB.q"] == pytest.approx(-0.1825, abs=1e-15)
    chosen = [field.table.names[k] for k in field.table.choosable(["group:methyl", "Coulomb.ALA:H*"])]
    assert chosen == ["variable.stiffness", "Coulomb.ALA:H.q", "Coulomb.ALA:HA.q", "Coulomb.ALA:HB1.q"]
    water = re.findall(r'`("Coulomb\.~tip3p-O\.q" = [^`]*)`', TEXT)[0]
    tied = parse_native(f'[molecules]\nfiles = ["tip3p.xml"]\n[parameters]\n{water}\n', "page.toml")
    assert tied.table.values[tied.table.position("Coulomb.~tip3p-O.q")] == -0.834
