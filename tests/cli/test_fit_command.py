"""`md-sensitivity fit`: study files, exit codes, files, interruption."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from md_sensitivity.cli import main
from md_sensitivity.fitting.document import FitDocument
from md_sensitivity.forcefields import read_force_field

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., tuple[int, str, str]]
BOND = 2 ** (1 / 6)

STUDY = f"""\
force_field = "argon.toml"
parameters = ["*"]

[[target]]
structure = "dimer.xyz"
observable = "energy"
value = -0.0095
std = 0.0001

[[target]]
structure = "dimer.xyz"
observable = "distance:0-1"
value = {3.3 * BOND!r}
std = 0.01
"""
FREE = 'name = "Argon"\n[[potential]]\nstyle = "lennard_jones"\n[potential.parameters.Ar]\nsigma = 3.405\nepsilon = 0.01032\n'


@pytest.fixture
def study(place: Path) -> Path:
    """Two targets that a dimer of σ = 3.3 Å and ε = 0.0095 eV meets."""
    (place / "argon.toml").write_text(FREE)
    (place / "study.toml").write_text(STUDY)
    return place


def test_files_table_and_numbers_of_a_fit(study: Path, run: Run) -> None:
    code, out, err = run("fit", "study.toml", "-o", "out")
    assert code == 0, err
    assert "converged" in out and "certificate passed" in out and "lennard_jones.Ar.sigma" in out
    assert sorted(path.name for path in (study / "out").iterdir()) == [
        "fit.json",
        "force_field.toml",
        "history.csv",
        "report.html",
        "run.json",
    ]
    document = msgspec.json.decode((study / "out/fit.json").read_bytes(), type=FitDocument, strict=True)
    assert (document.schema, document.status) == ("md-sensitivity/fit/1", "converged")
    fitted = {parameter.name: parameter for parameter in document.parameters}
    assert fitted["lennard_jones.Ar.sigma"].value == pytest.approx(3.3, rel=1e-9)
    assert fitted["lennard_jones.Ar.epsilon"].value == pytest.approx(0.0095, rel=1e-9)
    assert fitted["lennard_jones.Ar.sigma"].unit == "Å"
    # E = −ε and d = 2^(1/6) σ
    assert fitted["lennard_jones.Ar.sigma"].standard_deviation == pytest.approx(0.01 / BOND, rel=1e-6)
    assert document.covariance[1][1] == pytest.approx(0.0001**2, rel=1e-6)
    again = read_force_field(study / "out/force_field.toml")
    assert [row.value for row in again.table.rows] == [fitted[row.name].value for row in again.table.rows]
    rows = (study / "out/history.csv").read_text().splitlines()
    assert len(rows) == len(document.history) + 1
    record = json.loads((study / "out/run.json").read_text())
    assert (record["state"], record["exit_code"], record["command"]) == ("finished", 0, "fit")
    assert record["inputs"]["study"]["sha256"] and record["inputs"]["structures"][0]["sha256"]


def test_json_on_stdout_is_the_document(study: Path, run: Run) -> None:
    code, out, _ = run("fit", "study.toml", "-o", "out", "--json", "-q", "--no-check")
    assert code == 0
    assert json.loads(out) == json.loads((study / "out/fit.json").read_text())


def test_the_command_line_wins_over_the_study(study: Path, run: Run) -> None:
    _, out, _ = run("fit", "study.toml", "-o", "out", "--json", "--no-check", "-p", "*.sigma")
    assert [parameter["name"] for parameter in json.loads(out)["parameters"]] == ["lennard_jones.Ar.sigma"]


def test_one_pattern_needs_no_list(study: Path, run: Run) -> None:
    (study / "study.toml").write_text(STUDY.replace('["*"]', '"*.sigma"'))
    _, out, _ = run("fit", "study.toml", "-o", "out", "--json", "--no-check")
    assert [parameter["name"] for parameter in json.loads(out)["parameters"]] == ["lennard_jones.Ar.sigma"]


def test_what_does_not_converge_is_said_and_strict_makes_it_a_failure(study: Path, run: Run) -> None:
    code, out, err = run("fit", "study.toml", "-o", "out", "--max-steps", "1", "--no-check")
    assert code == 0 and "did not converge" in out and "did not converge" in err
    assert json.loads((study / "out/fit.json").read_text())["status"] == "max-steps"
    assert run("fit", "study.toml", "-o", "out", "--max-steps", "1", "--no-check", "--strict")[0] == 5


def test_a_start_without_minimum_is_a_failure_with_a_result(study: Path, run: Run) -> None:
    code, out, err = run("fit", "study.toml", "-o", "out", "--fmax", "1e-300")
    document = json.loads((study / "out/fit.json").read_text())
    assert code == 4 and document["status"] == "failed" and "Traceback" not in err
    assert "dimer" in document["message"] and "fmax" in err and "failed" in out
    assert document["parameters"][0]["value"] == document["parameters"][0]["start"]


def test_a_failed_check_of_the_derivatives_is_7(study: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from md_sensitivity.analysis.differences import Difference
    from md_sensitivity.fitting import certificate

    wrong = Difference(name="random", relative_error=0.5, own_error=1e-9, step=1e-3)
    monkeypatch.setattr(certificate, "_difference", lambda *arguments: wrong)
    code, out, _ = run("fit", "study.toml", "-o", "out")
    assert code == 7 and "certificate FAILED" in out


def test_what_the_targets_do_not_determine_is_null_with_a_reason(study: Path, run: Run) -> None:
    head, *targets = STUDY.split("[[target]]")
    (study / "study.toml").write_text(head + "[[target]]" + targets[1])
    code, out, _ = run("fit", "study.toml", "-o", "out", "--no-check")
    document = json.loads((study / "out/fit.json").read_text())
    assert code == 0 and "not determined by the targets: lennard_jones.Ar.epsilon" in out
    assert document["covariance"][1] == [None, None]
    assert document["parameters"][1]["standard_deviation"] is None and "not determine" in document["parameters"][1]["reason"]
    assert document["undetermined"] == [{"lennard_jones.Ar.epsilon": 1.0}]
    assert document["parameters"][1]["value"] == 0.01032


def with_target(**keys: object) -> str:
    """The study with other keys in its first target; None removes one."""
    table = {"structure": "dimer.xyz", "observable": "energy", "value": -0.0095, "std": 0.0001, **keys}
    lines = [f"{key} = {json.dumps(value)}" for key, value in table.items() if value is not None]
    return 'force_field = "argon.toml"\n[[target]]\n' + "\n".join(lines) + "\n"


BAD = {
    "not TOML": ("force_field = [", "not valid TOML"),
    "empty": ("  \n", "empty"),
    "nothing but text": ("name\n", "not valid TOML"),
    "unknown key": ('forcefield = "argon.toml"\n', "did you mean 'force_field'"),
    "no force field": (STUDY.replace('force_field = "argon.toml"', ""), "names no force_field"),
    "missing force field": (STUDY.replace("argon.toml", "neon.toml"), "neon.toml: no such file"),
    "force field of a wrong type": (STUDY.replace('"argon.toml"', "3"), "force_field must be a text"),
    "no target": ('force_field = "argon.toml"\n', "at least one"),
    "target is no table": ('force_field = "argon.toml"\ntarget = 3\n', "at least one"),
    "pattern that matches nothing": (STUDY.replace('["*"]', '["*.sgima"]'), "no parameter matches"),
    "pattern of a wrong type": (STUDY.replace('["*"]', "[3]"), "parameters must be a text"),
    "no pattern": (STUDY.replace('["*"]', "[]"), "parameters = [] chooses nothing; leave the key out"),
    "max_steps of a wrong type": ("max_steps = 1.5\n" + STUDY, "max_steps must be a whole number"),
    "no steps": ("max_steps = 0\n" + STUDY, "max_steps must be at least 1"),
    "fmax": ("fmax = 0\n" + STUDY, "fmax = 0 must be greater than zero"),
    "tolerance": ('tolerance = "small"\n' + STUDY, "tolerance must be a number"),
    "dimensions": ("dimensions = true\n" + STUDY, "dimensions must be 2 or 3"),
    "priors": ('priors = "no"\n' + STUDY, "priors must be true or false"),
    "seed": ("seed = -1\n" + STUDY, "seed = -1"),
    "unknown key of a target": (with_target(sdt=3), "target 1: unknown key 'sdt', did you mean 'std'"),
    "no structure": (with_target(structure=None), "target 1: has no structure"),
    "missing structure": (with_target(structure="trimer.xyz"), "target 1: structure: "),
    "structure of a wrong type": (with_target(structure=[1]), "target 1: structure must be a text"),
    "structure with a null character": (with_target(structure="a\0b"), "null character"),
    "no observable": (with_target(observable=None), "target 1: has no observable"),
    "unknown observable": (with_target(observable="enregy"), "did you mean 'energy'"),
    "atom that is not there": (with_target(observable="distance:0-7"), "there is no atom 7"),
    "no value": (with_target(value=None), "target 1: has no value"),
    "value of a wrong type": (with_target(value="low"), "target 1: value must be a number"),
    "value is a flag": (with_target(value=True), "target 1: value must be a number"),
    "value of a wrong shape": (with_target(value=[1, 2]), "value must be a number"),
    "ragged value": (with_target(value=[[1, 2], [3]]), "different lengths"),
    "value and file": (with_target(file="a.xyz"), "value or file, not both"),
    "file where none goes": (with_target(value=None, file="dimer.xyz"), "file goes with forces and positions"),
    "no std": (with_target(std=None), "target 1: has no std"),
    "zero std": (with_target(std=0), "std must be greater than zero"),
    "std whose square is infinite": (with_target(std=1e-300), "target 1: target 'dimer: energy': value = -0.0095 with std = 1e-300"),
    "value whose square is infinite": (with_target(value=1e300), "value = 1e+300 with std = 0.0001, weight = 1: a residual of 1e+304"),
    "weight that is infinite with its std": (with_target(weight=1e250), "has no finite square"),
    "weight that counts for nothing": (with_target(weight=1e-300), "counts for nothing"),
    "target that is zero": (with_target(relative_to="dimer.xyz"), "target 1: target 'dimer: energy': is relative to its own structure"),
    "negative weight": (with_target(weight=-1), "weight must be greater than zero"),
    "relaxed of a wrong type": (with_target(relaxed="yes"), "relaxed must be true or false"),
    "relaxed forces": (with_target(observable="forces", relaxed=True, value=[[0, 0, 0], [0, 0, 0]]), "relaxed = false"),
    "distance as given": (with_target(observable="distance:0-1", relaxed=False), "does not depend on parameters"),
    "factor alone": (with_target(factor=2), "belongs to relative_to"),
    "reference that is missing": (with_target(relative_to="crystal.xyz"), "relative_to: "),
    "pressure of a cluster": (with_target(observable="pressure"), "offered where all 3 axes are periodic"),
    "frame that is not there": (with_target(index=7), "target 1: structure: "),
    "atoms to freeze that are not there": (with_target(fix="9"), "target 1: structure: "),
    "huge whole number": (with_target(value=10**400), "too large"),
    "forces without their file": (with_target(observable="forces", value=None, file="forces.xyz"), "no such file"),
    "forces of a plain xyz": (with_target(observable="forces", value=None, file="dimer.xyz"), "Properties"),
}


@pytest.mark.parametrize("case", list(BAD))
def test_a_bad_study_is_rejected_in_one_line(study: Path, run: Run, case: str) -> None:
    text, message = BAD[case]
    (study / "study.toml").write_text(text)
    code, out, err = run("fit", "study.toml", "-o", "out", "--no-check")
    assert code == 3, err
    assert not out and "Traceback" not in err and re.search(r"(study|neon)\.toml", err)
    assert message in err
    assert len([line for line in err.splitlines() if line.startswith("error: ")]) == 1
    assert not (study / "out/fit.json").exists()


@pytest.mark.parametrize("content", [b"\xff\xfe\x00\x01", b"\x00" * 64])
def test_binary_studies_are_rejected(study: Path, run: Run, content: bytes) -> None:
    (study / "study.toml").write_bytes(content)
    code, _, err = run("fit", "study.toml", "-o", "out")
    assert code == 3 and "Traceback" not in err


def test_a_study_that_is_missing_or_a_folder_is_rejected(study: Path, run: Run) -> None:
    assert run("fit", "no.toml")[0] == 3
    assert run("fit", ".")[0] == 3
    assert run("fit")[0] == 2
    assert run("fit", "study.toml", "-p", "nothing.*")[0] == 2


def test_an_output_folder_that_cannot_be_made_or_written_is_said(study: Path, run: Run) -> None:
    (study / "taken").write_text("")
    code, _, err = run("fit", "study.toml", "-o", "taken/out", "--no-check")
    assert code == 2 and "cannot make the output folder" in err and "Traceback" not in err
    (study / "out/fit.json").mkdir(parents=True)
    code, _, err = run("fit", "study.toml", "-o", "out", "--no-check")
    assert code == 4 and "cannot write" in err and "Traceback" not in err


FORCES = {
    "": [[0.1, 0.0, 0.0], [-0.1, 0.0, 0.0]],
    "2\nProperties=species:S:1:pos:R:3:forces:R:3\nAr 0 0 0 0.1 0 0\nAr 3.7 0.1 0 -0.1 0 0\n": [[0.1, 0.0, 0.0], [-0.1, 0.0, 0.0]],
    "3\nProperties=species:S:1:pos:R:3:forces:R:3\nAr 0 0 0 0.1 0 0\nAr 3.7 0.1 0 -0.1 0 0\n": "2 atom lines",
    "999999999\nProperties=species:S:1:pos:R:3:forces:R:3\nAr 0 0 0 0.1 0 0\n": "1 atom lines",
    "2\nProperties=species:S:1:pos:R:3:forces:R:3\nAr 0 0 0 0.1 0 nan\nAr 3.7 0.1 0 -0.1 0 0\n": "not finite",
    "2\nProperties=species:S:1:pos:R:3:forces:R:3\nAr 0 0 0 0.1 0 x\nAr 3.7 0.1 0 -0.1 0 0\n": "no numbers",
    "2\nProperties=species:S:1:pos:R:3:forces:R:3\nAr 0 0 0 0.1 0 1_1\nAr 3.7 0.1 0 -0.1 0 0\n": "no numbers",
    "2\nProperties=species:S:1:pos:R:3:forces:R:3\nKr 0 0 0 0.1 0 0\nAr 3.7 0.1 0 -0.1 0 0\n": "line 3: is Kr",
    "2\nProperties=species:S:1:pos:R:3:forces:R:2\nAr 0 0 0 0.1 0\nAr 3.7 0.1 0 -0.1 0\n": "2 numbers",
    "2\nProperties=species:S:1:pos:R:3:forces:R:3\nAr 0 0 0\nAr 3.7 0.1 0\n": "too few",
    "2\nProperties=species:S\nAr 0 0 0\nAr 3.7 0.1 0\n": "Properties",
}


@pytest.mark.parametrize("text", list(FORCES)[1:])
def test_force_files_are_read_or_rejected_with_their_line(study: Path, text: str) -> None:
    from md_sensitivity.errors import InputError
    from md_sensitivity.fitting.forces_file import read_forces

    (study / "forces.extxyz").write_text(text)
    wanted = FORCES[text]
    if isinstance(wanted, str):
        with pytest.raises(InputError, match=wanted):
            read_forces(study / "forces.extxyz", ("Ar", "Ar"))
    else:
        np.testing.assert_array_equal(read_forces(study / "forces.extxyz", ("Ar", "Ar")), wanted)


def test_names_from_files_are_escaped_and_become_no_path(study: Path, run: Run) -> None:
    (study / "study.toml").write_text(with_target(name="<script>alert(1)</script>/../../x"))
    code, _, _ = run("fit", "study.toml", "-o", "out", "--no-check")
    page = (study / "out/report.html").read_text()
    assert code == 0 and "<script>" not in page and "&lt;script&gt;" in page
    assert not re.search(r"https?://(?!www\.w3\.org)", page)


@pytest.mark.parametrize("number", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGTERM])
def test_a_signal_leaves_the_best_so_far(study: Path, number: int) -> None:
    command = [sys.executable, "-m", "md_sensitivity", "fit", "study.toml", "-o", "out", "-v"]
    with subprocess.Popen(command, cwd=study, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("step 0"):  # there is something to keep, and much to do
                process.send_signal(number)
    assert process.returncode == 128 + number
    document = json.loads((study / "out/fit.json").read_text())
    assert document["status"] == "interrupted" and document["chi2"] > 0
    record = json.loads((study / "out/run.json").read_text())
    assert (record["state"], record["exit_code"], record["results"][0]["status"]) == ("interrupted", None, "interrupted")
    read_force_field(study / "out/force_field.toml")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "truth"),
    [
        ("lj_fit", {"sigma": 1.0, "epsilon": 1.0}),
        ("silicon_fit", {"epsilon": 2.1683, "sigma": 2.0951, "a": 1.8, "lambda": 21.0, "gamma": 1.2, "costheta0": -1 / 3}),
        ("ethanol_fit", {"q": 0.418, "F1": -1.489504, "F3": 2.058528}),
    ],
)
def test_worked_cases_recover_what_made_their_targets(case: str, truth: dict[str, float], tmp_path: Path) -> None:
    assert main(["fit", str(ROOT / "inputs" / case / "study.toml"), "-o", str(tmp_path), "-q"]) == 0
    document = json.loads((tmp_path / "fit.json").read_text())
    fitted = {parameter["name"].rpartition(".")[2]: parameter["value"] for parameter in document["parameters"]}
    assert fitted == pytest.approx(truth, rel=1e-6)
    assert document["certificate"]["passed"]
