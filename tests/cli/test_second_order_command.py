"""`analyze --second-order` from end to end on a dimer: E* = −ε, r* = 2^(1/6) σ."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str, str]]
SIGMA, EPSILON = "lennard_jones.Ar.sigma", "lennard_jones.Ar.epsilon"


def test_a_dimer_to_second_order(run: Run, place: Path) -> None:
    (place / "study.toml").write_text('structures = "dimer.xyz"\nforce-field = "argon.toml"\nsecond-order-check = 3\n')
    code, out, err = run("analyze", "--config", "study.toml", "-O", "distance:0-1", "-O", "energy", "-o", "out", "--check", "0", "--strict")
    assert code == 0, err
    assert "second order; d²E/dθ² in eV" in out and "random direction" in out
    document = json.loads((place / "out/dimer/result.json").read_text())
    found = document["second_order"]
    names = [each["name"] for each in document["parameters"]]
    assert [each.get("parameter") for each in found["expansions"]] == [*names, None]
    assert found["unit"] == "eV" and max(abs(entry) for row in found["energy_hessian"] for entry in row) < 1e-8
    sigma, epsilon = (found["expansions"][names.index(name)] for name in (SIGMA, EPSILON))
    assert [epsilon["energy"][order] for order in ("first", "second", "third")] == pytest.approx([-1.0, 0.0, 0.0], abs=1e-6)
    bond = next(each for each in sigma["observables"] if each["name"] == "distance:0-1")
    assert bond["first"] == pytest.approx(2 ** (1 / 6)) and bond["second"] == pytest.approx(0.0, abs=1e-8)
    reach = epsilon["validity"]
    assert reach["quadratic"][1] == {"relative": 1.0, "limited_by": "nothing"}
    assert reach["quadratic_change"] == [pytest.approx(-reach["quadratic"][0]["relative"] * 0.01032), pytest.approx(0.01032)]
    assert {entry["quantity"] for entry in reach["ranges"]} == {"energy", "distance:0-1", "positions"}
    assert all(len(each["measured"]) == 3 for each in found["expansions"])
    page = (place / "out/dimer/report.html").read_text()
    assert "How far may predictions be trusted?" in page
    assert run("show", "out")[1] == out


def test_without_being_asked_nothing_is_of_second_order(run: Run, place: Path) -> None:
    code, out, _ = run("analyze", "dimer.xyz", "-f", "argon.toml", "-O", "energy", "-o", "out", "--check", "0")
    assert code == 0 and "second order" not in out
    assert "second_order" not in json.loads((place / "out/dimer/result.json").read_text())
    assert "How far may predictions" not in (place / "out/dimer/report.html").read_text()


def test_the_adjoint_mode_says_what_to_do(run: Run, place: Path) -> None:
    code, _, err = run("analyze", "dimer.xyz", "-f", "argon.toml", "--second-order", "--mode", "adjoint", "-o", "out")
    assert code == 2 and "--mode forward" in err and "Traceback" not in err
