"""`--relax-cell` from end to end: what is written, and what is refused, in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cell_cases import ROOT, load_cell

from md_sensitivity.cli import main

Run = Callable[..., tuple[int, str]]
GAS = '2\nLattice="40 0 0 0 40 0 0 0 40" Properties=species:S:1:pos:R:3 pbc="T T T"\nAr 0 0 0\nAr 20 0.1 0\n'


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs a command on a case or a file → (exit code, all that it said)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MD_SENSITIVITY_CACHE", "off")

    def call(command: str, name: str, *words: str, structure: str = "") -> tuple[int, str]:
        capfd.readouterr()
        folder = ROOT / name
        code = main([command, structure or str(folder / "structure.extxyz"), "-f", str(folder / "force_field.toml"), *words])
        said = capfd.readouterr()
        assert "Traceback" not in said.out + said.err
        return code, said.out + said.err

    return call


def document(folder: Path) -> dict[str, object]:
    return json.loads((folder / "structure/result.json").read_text())


@pytest.mark.parametrize("mode", ["forward", pytest.param("adjoint", marks=pytest.mark.slow)])
def test_analyze_writes_the_response_of_the_cell(run: Run, tmp_path: Path, mode: str) -> None:
    case = load_cell("lj_argon_pressure")
    words = ["--relax-cell", "full", "--pressure", "2", "-O", "volume", "-O", "lattice", "-O", "enthalpy", "--strict", "-o", "out"]
    words += ["--mode", "adjoint", "--no-positions"] if mode == "adjoint" else []
    code, said = run("analyze", case.name, *words)
    assert code == 0, said
    with np.load(tmp_path / "out/structure/arrays.npz", allow_pickle=False) as arrays:
        cell, dcell, names = arrays["cell"], arrays["dcell"], list(arrays["parameter_names"])
        assert ("dpositions" in arrays) == (mode == "forward")
    reference, _ = case.slopes("cell")
    reference = reference[[case.columns().index(name) for name in names]]
    # The start is an oblique cell of its own: axes are turned by less than the strain squared, the strain is of the cell that is written.
    strains, expected = np.linalg.solve(cell, dcell), np.linalg.solve(case.cell, reference)
    assert np.abs(strains - strains.swapaxes(1, 2)).max() < 1e-9
    assert np.trace(strains, axis1=1, axis2=2) == pytest.approx(np.trace(expected, axis1=1, axis2=2), rel=1e-8)
    result = document(tmp_path / "out")
    equilibrium = result["equilibrium"]
    assert equilibrium["energy"] == pytest.approx(case.reference["energy"], abs=1e-10)
    assert equilibrium["volume"] == pytest.approx(case.reference["volume"], rel=1e-9)
    assert equilibrium["relaxed_cell"] == "full" and equilibrium["pressure"] == 2.0 and equilibrium["max_stress"] < 1e-6
    checks = [each["relative_error"] for each in result["certificate"]["finite_differences"]]
    assert len(checks) == 2 and max(checks) < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("name", ["morse_triclinic", "lj_slab", "lj_plane", "sw_silicon_primitive", "quartz"])
def test_verify_agrees_with_minima_found_again(run: Run, name: str) -> None:
    case = load_cell(name)
    words = ["--relax-cell", case.relax_cell, "--pressure", str(case.pressure), "--dimensions", str(case.dimensions), "--json"]
    if case.reference["volume"] is not None:
        words += ["-O", "volume", "-O", "lattice", "-O", "elastic_constants", "-O", "bulk_modulus", "-O", "density"]
    # One kind of pair is enough where programs take long; without symmetry, axes that turn would show in elastic constants.
    words += ["-p", "morse.Cu-Cu.*"] if name == "morse_triclinic" else []
    code, said = run("verify", name, *words)
    table = json.loads(said[said.index("{") : said.rindex("}") + 1])
    errors = [row["relative_error"] for row in table["rows"] if row["relative_error"] is not None]
    assert code == 0 and table["passed"] and errors and max(errors) < 1e-6


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--pressure", "1"), "add --relax-cell"),
        (("--relax-cell", "full", "--pressure", "nan"), "finite"),
        (("--relax-cell", "full", "--pressure", "inf"), "finite"),
        (("--relax-cell", "full", "--smax", "0"), "smax"),
        (("--relax-cell", "full", "--smax", "nan"), "finite"),
        (("--relax-cell", "shape"), "isotropic"),
        (("--relax-cell", "full", "-O", "elastic"), "elastic_constants"),
    ],
)
def test_wrong_words_are_refused_with_a_reason(run: Run, words: tuple[str, ...], said: str) -> None:
    code, told = run("minimize" if "-O" not in words else "analyze", "lj_argon_pressure", *words)
    assert code == 2 and said in told


@pytest.mark.parametrize(
    ("name", "words", "said"),
    [
        ("lj_slab", ("--relax-cell", "full", "--pressure", "1"), "slabs"),
        ("lj_slab", ("-O", "volume"), "three axes"),
        ("lj_slab", ("-O", "enthalpy"), "slabs"),
    ],
)
def test_slabs_have_no_pressure_and_no_volume(run: Run, name: str, words: tuple[str, ...], said: str) -> None:
    code, told = run("analyze", name, *words)
    assert code == 2 and said in told


def test_clusters_have_no_cell(run: Run, tmp_path: Path) -> None:
    (tmp_path / "dimer.xyz").write_text("2\n\nAr 0 0 0\nAr 3.7 0.1 0\n")
    for relax in ("isotropic", "full"):
        code, said = run("minimize", "lj_argon_pressure", "--relax-cell", relax, structure="dimer.xyz")
        assert code == 2 and "none" in said


def test_a_plan_of_a_relaxed_cell_says_so_and_computes_nothing(run: Run, tmp_path: Path) -> None:
    code, said = run("analyze", "lj_argon_pressure", "--relax-cell", "full", "--pressure", "0.5", "--dry-run")
    assert code == 0 and "volume" in said and not list(tmp_path.rglob("result.json"))


@pytest.mark.slow
def test_what_pulls_too_hard_fails_and_says_that_the_cell_grows_without_end(run: Run, tmp_path: Path) -> None:
    code, said = run("minimize", "lj_argon_pressure", "--relax-cell", "full", "--pressure", "-5", "-o", "out", "--max-steps", "2000")
    assert document(tmp_path / "out")["status"] in ("failed", "unconverged")
    assert code in (0, 4) and "grew" in said


@pytest.mark.slow
def test_a_pressure_beyond_reason_is_borne_or_refused_in_words(run: Run, tmp_path: Path) -> None:
    code, _ = run("minimize", "lj_argon_pressure", "--relax-cell", "full", "--pressure", "1e6", "-o", "out")
    equilibrium = document(tmp_path / "out")["equilibrium"]
    assert code == 0 and equilibrium["max_stress"] < 1e-3 and equilibrium["volume"] < 10


@pytest.mark.slow
def test_a_gas_has_no_volume_and_says_that_nothing_holds_it(run: Run, tmp_path: Path) -> None:
    (tmp_path / "structure.extxyz").write_text(GAS)
    words = ("--relax-cell", "full", "-O", "volume", "-o", "out")
    code, _ = run("analyze", "lj_argon_pressure", *words, structure="structure.extxyz")
    assert code == 0 and any("cost no energy" in each for each in document(tmp_path / "out")["certificate"]["warnings"])
