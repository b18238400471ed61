"""`--reference`: on the command line, in study files, in what is written, and in what --resume compares."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from md_sensitivity import pipeline
from md_sensitivity.analysis import formation

Command = Callable[..., tuple[int, str, str]]
ATOM = "1\n\nAr 0 0 0\n"


@pytest.fixture
def relaxations(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Names of the references of each call that would relax some; nothing is computed."""
    calls: list[list[str]] = []

    def relax(structures: Any, force_field: Any, options: Any, progress: Any = None) -> tuple[Any, ...]:
        calls.append([structure.name for structure in structures])
        return tuple(structures)

    analyze = pipeline.analyze

    def compute(structure: Any, force_field: Any, options: Any, *, name: str, progress: Any, references: Any = ()) -> Any:
        assert [each.name for each in references] == calls[-1]
        return analyze(structure, force_field, options, name=name, progress=progress)

    monkeypatch.setattr(formation, "relaxed_references", relax)
    monkeypatch.setattr(pipeline, "analyze", compute)
    return calls


def test_dimer_is_measured_from_atoms(run: Command, place: Path) -> None:
    (place / "atom.xyz").write_text(ATOM)
    words = ("-f", "argon.toml", "--reference", "atom.xyz", "-O", "binding_energy")
    code, out, _ = run("analyze", "dimer.xyz", *words, "-o", "out")
    assert code == 0 and "less 2 × atom.xyz: Ar, energy 0 eV, minimum" in out
    document = json.loads((place / "out" / "dimer" / "result.json").read_text())
    (observable,) = document["observables"]
    assert observable["value"] == pytest.approx(0.01032) and observable["total"] == pytest.approx([0.0, 1.0], abs=1e-9)
    (reference,) = document["references"]
    assert reference["coefficient"] == 2 and len(reference["structure"]["sha256"]) == 64 and reference["status"] == "minimum"
    inputs = json.loads((place / "out" / "run.json").read_text())["inputs"]
    assert inputs["references"] == [{"path": "atom.xyz", "sha256": reference["structure"]["sha256"]}]
    assert "atom.xyz" in (place / "out" / "dimer" / "report.html").read_text()
    assert "less 2 × atom.xyz" in run("show", "out")[1]


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("-O", "formation_energy"), 2, "--reference"),
        (("--reference", "atom.xyz", "-O", "energy"), 2, "none is asked for"),
        (("--reference", "nowhere.xyz"), 3, "nowhere.xyz: no such file"),
        (("--reference", "krypton.xyz"), 2, "no reference has Ar"),
        (("--reference", "krypton.xyz", "--reference", "atom.xyz"), 3, "krypton.xyz"),
        (("--reference", "atom.xyz", "--reference", "dimer.xyz"), 2, "not unique"),
        (("--reference", "trimer.xyz", "-O", "binding_energy"), 2, "2/3 × trimer.xyz"),
    ],
)
@pytest.mark.parametrize("command", [("analyze", "-o", "out"), ("analyze", "--dry-run"), ("verify",)])
def test_what_makes_no_sense_is_refused_at_once(
    run: Command, place: Path, words: tuple[str, ...], code: int, text: str, command: tuple[str, ...]
) -> None:
    (place / "atom.xyz").write_text(ATOM)
    (place / "krypton.xyz").write_text("1\n\nKr 0 0 0\n")
    (place / "trimer.xyz").write_text("3\n\nAr 0 0 0\nAr 3.7 0.1 0\nAr 1.8 3.1 0\n")
    name, *more = command
    found, _, err = run(name, "dimer.xyz", "-f", "argon.toml", *words, *more)
    assert found == code and text in err and "Traceback" not in err
    assert not (place / "out" / "dimer").exists()
    early = text in ("--reference", "none is asked for", "nowhere.xyz: no such file")
    assert not (early and (place / "out").exists())


def test_references_relax_once_in_a_run_and_not_where_results_are_kept(
    run: Command, place: Path, fake_pipeline: None, relaxations: list[list[str]]
) -> None:
    (place / "study").mkdir()
    for name in ("a", "b"):
        (place / f"{name}.xyz").write_text((place / "dimer.xyz").read_text())
    (place / "study" / "atom.xyz").write_text(ATOM)
    (place / "study" / "study.toml").write_text(
        'structures = ["../a.xyz", "../b.xyz"]\nforce-field = "../argon.toml"\nreference = ["atom.xyz"]\n'
        'observable = ["formation_energy"]\noutput = "../out"\nresume = true\n'
    )
    assert run("analyze", "--config", "study/study.toml")[0] == 0
    assert relaxations == [["atom"]]
    assert run("analyze", "--config", "study/study.toml")[0] == 0
    assert relaxations == [["atom"]]
    (place / "study" / "atom.xyz").write_text(ATOM.replace("\n\n", "\nmoved\n"))
    assert run("analyze", "--config", "study/study.toml")[0] == 0
    assert relaxations == [["atom"], ["atom"]]
