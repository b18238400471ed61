"""Cases of inputs/ are described, and their commands can be given; those of molecules are what the script makes, with their energies."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from md_sensitivity.cli import main

ROOT = Path(__file__).parents[2]
CASES = sorted(path.name for path in (ROOT / "inputs").iterdir() if path.is_dir() and path.name != "__pycache__")
COMPUTED = {"alanine_dipeptide": "amber14-all.xml", "villin": "", "water_box": "", "sodium_chloride": "", "silica": ""}
"""Cases whose energies are computed here, and a force field to look for in the command; about a minute each."""
OPENMM = {"alanine_dipeptide", "villin", "water_box"}


def commands(case: str) -> list[list[str]]:
    """Words of the commands of a README, without the name of the program."""
    text = (ROOT / "inputs" / case / "README.md").read_text().replace("\\\n", " ")
    return [shlex.split(line)[1:] for line in re.findall(r"^    (md-sensitivity .*)$", text, flags=re.MULTILINE)]


def need(case: str) -> None:
    if case in OPENMM:
        pytest.importorskip("openmm")


@pytest.mark.parametrize("case", CASES)
def test_cases_are_described(case: str) -> None:
    assert (ROOT / "inputs" / case / "README.md").is_file()
    assert f"\n| `{case}` | " in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("case", CASES)
def test_commands_can_be_given(case: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    need(case)
    monkeypatch.chdir(ROOT)
    for words in commands(case):
        if words[0] == "analyze":
            assert main([*words, "--dry-run"]) == 0, capsys.readouterr().err
        elif words[0] == "parameters":
            assert main(words) == 0, capsys.readouterr().err


def script() -> Any:
    """inputs/make_molecules.py."""
    folder = str(ROOT / "inputs")
    sys.path.insert(0, folder)
    try:
        spec = importlib.util.spec_from_file_location("make_molecules", ROOT / "inputs" / "make_molecules.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(folder)
    return module


@pytest.mark.parametrize("case", ["sodium_chloride", "silica", "villin", pytest.param("water_box", marks=pytest.mark.slow)])
def test_structures_are_what_the_script_makes(case: str) -> None:
    if case == "villin":
        pytest.importorskip("openmm")
    made = script()
    name = f"structure.{next(suffix for function, suffix in made.CASES.items() if function.__name__ == case)}"
    assert getattr(made, case)() == (ROOT / "inputs" / case / name).read_text()


@pytest.mark.slow
@pytest.mark.parametrize("case", list(COMPUTED))
def test_energies_are_those_of_the_readme(case: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    need(case)
    monkeypatch.chdir(ROOT)
    words = next(words for words in commands(case) if words[0] == "analyze" and COMPUTED[case] in " ".join(words))
    words[words.index("-o") + 1] = str(tmp_path)
    assert main(words) == 0
    document = json.loads((tmp_path / "structure" / "result.json").read_text())
    energy = document["equilibrium"]["energy"]
    text = (ROOT / "inputs" / case / "README.md").read_text().replace("−", "-")
    assert re.search(rf"{re.escape(f'{energy:.6f}'[:-1])}\d", text), energy
    assert document["status"] == "minimum" and document["certificate"]["passed"]
