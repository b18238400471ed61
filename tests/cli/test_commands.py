"""Each command from end to end on a dimer, whose answers are known in closed form: r* = 2^(1/6) σ, E* = −ε."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from md_sensitivity.cli.tables import without_rounding

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., tuple[int, str, str]]
ETHANOL = ROOT / "inputs/ethanol"
SIGMA, EPSILON = 3.405, 0.01032


def test_analyze_show_report(run: Run, place: Path) -> None:
    code, out, err = run("analyze", "dimer.xyz", "-f", "argon.toml", "-O", "energy", "-O", "distance:0-1", "-o", "out")
    assert code == 0, err
    assert "energy" in out and "distance:0-1" in out and "out/dimer/report.html" in err
    folder = place / "out/dimer"
    document = json.loads((folder / "result.json").read_text())
    assert document["schema"] == "md-sensitivity/result/1" and document["status"] == "minimum"
    names = [each["name"] for each in document["parameters"]]
    sigma, epsilon = names.index("lennard_jones.Ar.sigma"), names.index("lennard_jones.Ar.epsilon")
    energy, distance = document["observables"]
    assert energy["value"] == pytest.approx(-EPSILON, rel=1e-10)
    assert energy["total"][epsilon] == pytest.approx(-1, rel=1e-10)
    assert distance["value"] == pytest.approx(2 ** (1 / 6) * SIGMA, rel=1e-10)
    assert distance["total"][sigma] == pytest.approx(2 ** (1 / 6), rel=1e-9)
    assert distance["logarithmic"][sigma] == pytest.approx(1, rel=1e-9)
    with np.load(folder / "arrays.npz", allow_pickle=False) as arrays:
        assert arrays["dpositions"].shape == (2, 2, 3)

    code, shown, _ = run("show", "out")
    assert code == 0 and shown == out
    assert run("show", "out/dimer")[1] == out
    assert json.loads(run("show", "out", "--json")[1])["results"][0]["observables"] == document["observables"]

    html = (folder / "report.html").read_bytes()
    (folder / "report.html").unlink()
    (place / "out/summary.csv").unlink()
    assert run("report", "out")[0] == 0
    assert (folder / "report.html").read_bytes() == html and (place / "out/summary.csv").exists()
    code, _, err = run("report", "out/dimer", "--format", "pdb")
    assert code == 0 and "response.pdb" in err and (folder / "response.pdb").exists()


def test_minimize(run: Run, place: Path) -> None:
    code, out, _ = run("minimize", "dimer.xyz", "-f", "argon.toml")
    assert code == 0 and "energy" in out
    document = json.loads((place / "outputs/dimer/result.json").read_text())
    assert document["parameters"] == document["observables"] == [] and document["certificate"] is None
    assert document["equilibrium"]["energy"] == pytest.approx(-EPSILON, rel=1e-10)


def test_unconverged_is_written_and_strict_says_so(run: Run, place: Path) -> None:
    words = ["minimize", "dimer.xyz", "-f", "argon.toml", "--max-steps", "1"]
    assert run(*words)[0] == 0
    assert json.loads((place / "outputs/dimer/result.json").read_text())["status"] == "unconverged"
    assert run(*words, "--strict")[0] == 5


def test_verify(run: Run) -> None:
    code, out, err = run("verify", "dimer.xyz", "-f", "argon.toml", "-O", "distance:0-1", "--json")
    assert code == 0, err
    document = json.loads(out)
    assert document["passed"]
    errors = [row["relative_error"] for row in document["rows"] if row["relative_error"] is not None]
    assert errors and max(errors) < 1e-6
    code, out, _ = run("verify", "dimer.xyz", "-f", "argon.toml", "-O", "distance:0-1")
    assert code == 0 and "passed" in out and "lennard_jones.Ar.sigma" in out


def test_verify_that_fails(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from md_sensitivity import pipeline
    from md_sensitivity.analysis.verification import Verification

    monkeypatch.setattr(pipeline, "verify", lambda *args, **options: Verification(rows=(), passed=False))
    code, out, err = run("verify", "dimer.xyz", "-f", "argon.toml")
    assert code == 7 and "FAILED" in out and "Traceback" not in err


@pytest.mark.parametrize(
    ("observable", "message"),
    [("rmsd:backbon", "selection 'backbon' is neither"), ("distance:0-9", "there is no atom 9"), ("rmsd:element:Q", "no element 'Q'")],
)
def test_dry_run_looks_for_the_atoms_of_observables(run: Run, place: Path, observable: str, message: str) -> None:
    code, _, err = run("analyze", "dimer.xyz", "-f", "argon.toml", "-O", observable, "--dry-run")
    assert code == 2 and message in err


def test_dry_run_computes_nothing(run: Run, place: Path) -> None:
    code, out, _ = run("analyze", "dimer.xyz", "-f", "argon.toml", "--dry-run")
    assert code == 0 and "2 atoms" in out and "lennard_jones.Ar.epsilon" in out and "nothing is computed" in out
    plan = json.loads(run("analyze", "dimer.xyz", "-f", "argon.toml", "--dry-run", "--json")[1])["plans"][0]
    assert plan["atoms"] == 2 and plan["memory_bytes"] > 0
    assert run("analyze", "dimer.xyz", "missing.xyz", "-f", "argon.toml", "--dry-run")[0] == 3
    assert not (place / "outputs").exists()


def test_plain_numbers_have_no_unit_for_people(run: Run) -> None:
    tables = {kind: run("list", kind)[1] for kind in ("observables", "potentials")}
    (row,) = [line.split() for line in tables["observables"].splitlines() if line.startswith("hydrogen_bonds")]
    assert row[2] == "smooth" and "[1]" not in tables["potentials"]
    units = {each["name"]: each["unit"] for each in json.loads(run("list", "observables", "--json")[1])["observables"]}
    assert units["hydrogen_bonds"] == "1"


def test_parameters_of_molecules_say_what_they_act_on(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("parameters", "-f", str(ETHANOL / "force_field.top"), str(ETHANOL / "structure.gro"))
    rows = {row["name"]: row for row in json.loads(run(*words, "--json")[1])["parameters"]}
    assert rows["HarmonicBond.OH-HO.k"]["acts_on"]["count"] == 1
    assert rows["HarmonicBond.OH-HO.k"]["acts_on"]["names"].startswith("EOH1:")
    table = run(*words)[1]
    assert "acts on" in table and ", first EOH1:" in table
    monkeypatch.setattr("md_sensitivity.cli.tables.fits", lambda headers, rows: False)
    assert "EOH1:" not in run(*words)[1]


@pytest.mark.parametrize(
    ("value", "text"),
    [(259407.99999999994, "259408.0"), (-0.25479999999999997, "-0.2548"), (0.8333333333333334, "0.8333333333333334"), (0.0, "0.0"),
     (0.10939999991572773, "0.10939999991572773"), (3.141592653589793, "3.141592653589793"), (1e300, "1e+300")],
)  # fmt: skip
def test_values_are_printed_without_the_noise_of_rounding(value: float, text: str) -> None:
    assert without_rounding(value) == text


def test_dry_run_says_what_the_time_of_molecules_leaves_out(run: Run) -> None:
    words = ("analyze", str(ETHANOL / "structure.gro"), "-f", str(ETHANOL / "force_field.top"), "--dry-run", "--json")
    plan = json.loads(run(*words)[1])["plans"][0]
    assert any("compilation comes on top" in note and "most of the time of small ones" in note for note in plan["notes"])
    # Nine atoms have some eighty tuples, and hundreds of steps: not the milliseconds of their pairs alone.
    assert 0.05 < plan["estimated_seconds"] < 10


def test_parameters(run: Run) -> None:
    code, out, _ = run("parameters", "-f", "argon.toml", "dimer.xyz", "--json")
    rows = json.loads(out)["parameters"]
    assert code == 0
    assert rows[0] == {
        "name": "lennard_jones.Ar.sigma",
        "value": SIGMA,
        "unit": "Å",
        "lower": 0.0,
        "upper": None,
        "std": None,
        "state": "free",
        "groups": [],
        "follows": None,
        "acts": True,
    }
    assert (rows[1]["std"], rows[1]["upper"]) == (0.0002, 1.0)
    table = run("parameters", "-f", "argon.toml", "-p", "*.epsilon")[1].splitlines()
    assert table[0].split() == ["name", "value", "unit", "lower", "upper", "std", "state"] and len(table) == 3
    assert run("parameters")[0] == 2
    code, out, _ = run("parameters", "-f", "argon.toml", "--set", "lennard_jones.Ar.sigma=3.5", "-o", "new.toml", "--json")
    assert code == 0 and json.loads(out)["parameters"][0]["value"] == 3.5
    assert json.loads(run("parameters", "-f", "new.toml", "--json")[1])["parameters"] == json.loads(out)["parameters"]
    for setting in ("lennard_jones.Ar.sigma", "lennard_jones.Ar.sigma=x", "lennard_jones.Ar.sigma=-1", "*=1", "a=1"):
        assert run("parameters", "-f", "argon.toml", "--set", setting)[0] == 2
    assert run("parameters", "-f", "none.toml")[0] == 3


@pytest.mark.parametrize(
    ("kind", "table"),
    [
        ("potentials", "md_sensitivity.potentials.POTENTIALS"),
        ("observables", "md_sensitivity.observables.OBSERVABLES"),
        ("minimizers", "md_sensitivity.minimization.MINIMIZERS"),
        ("solvers", "md_sensitivity.curvature.SOLVERS"),
        ("formats", "md_sensitivity.structures.FORMATS"),
        ("formats", "md_sensitivity.reports.WRITERS"),
    ],
)
def test_list_shows_every_part(run: Run, kind: str, table: str) -> None:
    import importlib

    module, name = table.rsplit(".", 1)
    parts = getattr(importlib.import_module(module), name)
    code, out, _ = run("list", kind)
    assert code == 0
    for part in parts.values():
        assert any(line.startswith(part.name) and part.description in line for line in out.splitlines())
    listed = json.loads(run("list", kind, "--json")[1])
    assert set(parts) <= {row["name"] for rows in listed.values() for row in rows}


def test_list_nothing_else(run: Run) -> None:
    assert run("list", "kittens")[0] == 2


def test_init_writes_what_runs(run: Run, place: Path) -> None:
    code, out, _ = run("init", "my argon")
    assert code == 0
    words = shlex.split(out)
    assert words[:2] == ["md-sensitivity", "analyze"]
    code, plan, err = run(*words[1:], "--dry-run")
    assert code == 0 and "107 atoms" in plan, err
    assert run("init", "my argon")[0] == 2
    assert run("init", "dimer.xyz")[0] == 2


def test_doctor(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from md_sensitivity import doctor

    code, out, err = run("doctor", "--json")
    document = json.loads(out)
    assert (code, document["passed"]) == (0, True), err
    assert {"jax", "python", "devices", "precision"} <= set(document["facts"])
    assert [check["name"] for check in document["checks"]] == list(doctor.CHECKS)
    monkeypatch.setattr(doctor, "installed_versions", lambda: {"jax": "0.10.2"})
    code, out, _ = run("doctor")
    assert code == 7 and "FAILED" in out and "0.10.2" in out and "39103" in out


@pytest.mark.parametrize("name", ["lennard", "shifted"])
def test_doctor_notices_wrong_values(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import jax.numpy as jnp

    from md_sensitivity import doctor

    if name == "shifted":
        total = jnp.sum
        monkeypatch.setattr(jnp, "sum", lambda *args, **options: total(*args, **options) * (1 + 1e-6))
        assert not doctor.check_products()[0]
    else:
        monkeypatch.setattr(doctor, "DIMER", doctor.DIMER.replace("sigma = 1.0", "sigma = 1.000001"))
        assert not doctor.check_dimer()[0]


def test_module_and_command_are_the_same() -> None:
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-m", "md_sensitivity", "--version"], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("md-sensitivity ")


@pytest.mark.parametrize("words", [["show", "nowhere"], ["report", "nowhere"], ["show", "."]])
def test_no_analysis_there(run: Run, words: list[str]) -> None:
    code, _, err = run(*words)
    assert code == 3 and err.startswith("error: ")


def test_names_from_files_cannot_write_to_the_terminal(run: Run, place: Path) -> None:
    code, out, err = run("analyze", "\x1b[31mred\n.xyz", "-f", "argon.toml")
    assert code == 3 and "\x1b" not in out + err


def test_a_molecular_force_field_is_written_as_a_document_that_names_its_file(place: Path, run: Run) -> None:
    (place / "files").mkdir()
    text = (ROOT / "inputs" / "ethanol" / "force_field.top").read_text()
    (place / "files" / "x.top").write_text(text)
    settings = ("--set", "HarmonicBond.CT-HC.k=300000.1", "--set", "Coulomb.scale14=0.4")
    code, out, err = run("parameters", "-f", "files/x.top", *settings, "-o", "y.toml")
    assert (code, err) == (0, "") and "300000.1" in out
    expected = '[molecules]\nfiles = ["files/x.top"]\n\n[parameters]\n"HarmonicBond.CT-HC.k" = 300000.1\n"Coulomb.scale14" = 0.4\n'
    assert (place / "y.toml").read_text() == expected
    (place / "y.toml").write_text(expected.replace("[parameters]", "[parameters] # mine"))
    code, out, err = run("parameters", "-f", "y.toml", "--set", "Coulomb.scale14=0.45", "-o", "files/z.toml")
    assert (code, err) == (0, "")
    changed = expected.replace("[parameters]", "[parameters] # mine").replace("files/x", "x").replace("0.4\n", "0.45\n")
    assert (place / "files" / "z.toml").read_text() == changed
    code, out, err = run("parameters", "-f", "files/x.top", *settings, "-o", "y.top")
    assert (code, out) == (2, "") and "write a file that ends with .toml" in err
    code, out, err = run("parameters", "-f", "files/x.top", "--set", "HarmonicBond.CT-HC.k=-1", "-o", "w.toml")
    assert code == 2 and not (place / "w.toml").exists() and (place / "files" / "x.top").read_text() == text
