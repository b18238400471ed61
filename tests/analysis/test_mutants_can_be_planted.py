"""`scripts/mutants.py` keeps step with the source: each of its faults can still be planted, and its tests still exist."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


def script() -> Any:
    spec = importlib.util.spec_from_file_location("mutants", ROOT / "scripts" / "mutants.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["mutants"] = module
    spec.loader.exec_module(module)
    return module


MUTANTS = script()


@pytest.mark.parametrize("mutant", MUTANTS.MUTANTS, ids=lambda mutant: mutant.name)
def test_each_fault_can_be_planted_where_its_tests_are(mutant: Any) -> None:
    source = (ROOT / mutant.file).read_text(encoding="utf-8")
    faulty = MUTANTS.planted(source, mutant)
    compile(faulty, mutant.file, "exec")
    assert faulty != source
    for test in mutant.tests:
        path, _, function = test.partition("::")
        assert f"def {function.partition('[')[0]}" in (ROOT / path).read_text(encoding="utf-8")


def test_a_fault_without_a_place_is_refused() -> None:
    mutant = MUTANTS.Mutant(name="gone", file="x.py", old="nowhere", new="", tests=())
    with pytest.raises(MUTANTS.NotPlantedError, match="0 times"):
        MUTANTS.planted("text", mutant)
    with pytest.raises(MUTANTS.NotPlantedError, match="2 times"):
        MUTANTS.planted("nowhere nowhere", mutant)


def test_names_are_unique() -> None:
    names = [mutant.name for mutant in MUTANTS.MUTANTS]
    assert len(set(names)) == len(names) >= 15
