"""`scripts/reproduce_packing.py`: a short run of the paper's experiment, its files, and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import reproduce_packing
from PIL import Image

from md_sensitivity.building import build_system
from md_sensitivity.cli import edge
from md_sensitivity.minimization import minimize
from md_sensitivity.system import energy_function
from packing import experiment, figures
from packing.records import SCHEMA
from packing.setup import Setup
from packing.summary import paragraph
from packing.unrolled import unroll

SCRIPT = Path(reproduce_packing.__file__)
SETUP = Setup(particles=16, packing_fraction=0.95)
FEW = ("--particles", "16", "--packing-fraction", "0.95")


@pytest.fixture(autouse=True, scope="module")
def _settings_of_the_tests() -> Any:
    """The test session has made the settings of this process already."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(edge, "prepare", lambda console, **choices: None)
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, _settings_of_the_tests: None) -> Path:
    """Folder of a run over three seeds."""
    folder = tmp_path_factory.mktemp("packing")
    assert reproduce_packing.main([*FEW, "--seeds", "3", "-o", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def packing() -> experiment.Packing:
    """One of its packings, in memory."""
    return experiment.run_seed(SETUP, 0, unrolled=True)


@pytest.fixture(scope="module")
def document(run: Path) -> Any:
    return json.loads((run / "packing.json").read_text(encoding="utf-8"))


def test_each_seed_agrees_with_differences_that_keep_the_contacts(document: Any) -> None:
    for seed in document["seeds"]:
        assert seed["status"] == "certified" and seed["minimum"]["status"] == "minimum"
        assert seed["differences"]["relative_error"] <= 1e-6
        assert seed["minimum"]["max_force"] <= 1e-10 and seed["minimum"]["lowest_eigenvalue"] > 0


def test_solvers_and_modes_agree_with_each_other(document: Any) -> None:
    for seed in document["seeds"]:
        assert seed["implicit"]["discrepancy"] <= 1e-9
        assert seed["implicit"]["identity_error"] <= 1e-9
        assert max(seed["modes"]["identity_error"], seed["modes"]["row_error"]) <= 1e-9
        assert seed["norms"]["l1"] == seed["implicit"]["cg_l1"] > 0


def test_the_document_says_what_was_run(document: Any) -> None:
    assert document["schema"] == SCHEMA and document["options"]["particles"] == 16 and document["options"]["box"] == "fixed"
    assert {"jax", "jax-md", "md_sensitivity"} <= set(document["versions"])
    assert [seed["seed"] for seed in document["seeds"]] == [0, 1, 2] and document["summary"]["certified"] == 3


def test_unrolling_approaches_the_implicit_derivative_of_what_is_held_in_place(document: Any) -> None:
    for seed in document["seeds"]:
        errors = [pause["backbone_relative_error"] for pause in seed["unrolled"]["pauses"]]
        assert errors[-1] < 1e-3 and errors[-1] < 0.01 * errors[0]


@pytest.mark.parametrize("name", ["packing_arrows.png", "packing_norms.png"])
def test_pictures_are_readable_and_small(run: Path, name: str) -> None:
    with Image.open(run / name) as picture:
        picture.load()
        assert min(picture.size) > 300 and len(picture.convert("RGB").getcolors(1 << 20) or ()) > 10
    assert (run / name).stat().st_size < 200_000


def test_what_was_found_is_one_line_of_sentences(packing: experiment.Packing) -> None:
    """With and without the parts that a run may lack."""
    without = replace(packing, record=msgspec.structs.replace(packing.record, unrolled=None))
    for packings in ([], [without], [packing]):
        text = paragraph(SETUP, packings)
        assert text.endswith(".") and text == " ".join(text.split())
        assert text.startswith(f"16 discs, packing fraction 0.95, fixed box: {len(packings)} of {len(packings)} seeds certified")
        assert ("Implicit" in text, "Unrolled" in text) == (bool(packings), packings == [packing])


def test_a_picture_counts_what_is_not_finite(packing: experiment.Packing, tmp_path: Path) -> None:
    """An unrolled derivative that overflowed has no number, and is shown as a cross."""
    drawn = figures.draw_norms(SETUP, [packing], tmp_path / "finite.png")
    assert packing.record.unrolled is not None and drawn is not None
    lost = msgspec.structs.replace(packing.record.unrolled, l1=None, agrees=False)
    record = msgspec.structs.replace(packing.record, unrolled=lost)
    missing = figures.draw_norms(SETUP, [replace(packing, record=record)], tmp_path / "missing.png")
    assert missing is not None and missing.read_bytes() != drawn.read_bytes()


def test_a_loose_packing_is_flagged_and_has_no_number(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*FEW, "--packing-fraction", "0.3", "--seeds", "1", "--no-unrolled", "-o", str(tmp_path)]
    assert reproduce_packing.main(words) == 0
    [seed] = json.loads((tmp_path / "packing.json").read_text())["seeds"]
    assert seed["status"] == "flagged" and "not jammed" in seed["reason"] and len(seed["minimum"]["rattlers"]) == 16
    assert seed["norms"] is None and seed["implicit"] is None and seed["unrolled"] is None
    assert "not jammed" in capsys.readouterr().out and not list(tmp_path.glob("*.png"))


def test_a_contradiction_ends_with_exit_code_7(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    response = experiment._forward
    monkeypatch.setattr(experiment, "_forward", lambda *a: (response(*a)[0] * (1 + 1e-5), response(*a)[1]))
    monkeypatch.setattr(experiment, "LINEAR_TOLERANCE", 1e-3)  # only the differences are to notice
    assert reproduce_packing.main([*FEW, "--seeds", "1", "--no-unrolled", "-o", str(tmp_path)]) == 7
    assert "differs by 1e-05 from re-minimized differences" in capsys.readouterr().out


BAD: dict[str, tuple[list[str], str]] = {
    "no seeds": (["--seeds", "0"], "--seeds"),
    "no number": (["--packing-fraction", "dense"], "--packing-fraction"),
    "negative fraction": (["--packing-fraction", "-1"], "--packing-fraction"),
    "fraction that is no number": (["--packing-fraction", "nan"], "--packing-fraction"),
    "diameter that is no number": (["--diameter", "nan"], "--diameter"),
    "unknown box": (["--box", "breathes"], "fixed"),
    "unknown option": (["--particle", "3"], "--particle"),
    "no diameter": (["--diameter", "0"], "--diameter"),
    "box too small": (["--particles", "4"], "take more particles"),
}


@pytest.mark.parametrize("words, message", BAD.values(), ids=BAD)
def test_bad_options_exit_with_2_and_a_message(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reproduce_packing.main([*words, "-o", str(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert message in captured.err and "Traceback" not in captured.err and not list(tmp_path.iterdir())


def test_help_needs_no_jax() -> None:
    code = "import sys; sys.argv = ['x', '--help']; import reproduce_packing as r; assert r.main() == 0; assert 'jax' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], cwd=SCRIPT.parent, capture_output=True, text=True)
    assert done.returncode == 0 and "--packing-fraction" in done.stdout, done.stderr


def _relaxed(setup: Setup, start: np.ndarray, scale: float = 1.0) -> np.ndarray:
    """Minimum from a start; diameters and box are `scale` times those of the setup."""
    structure = setup.structure(0, start)
    parameters = setup.force_field.parameters["soft_sphere"]
    field = setup.force_field.with_parameters({"soft_sphere": {**parameters, "sigma": scale * parameters["sigma"]}})
    system = build_system(replace(structure, cell=scale * structure.cell), field, dimensions=2, padded=True)
    return np.asarray(minimize(energy_function(system), system.positions, field.parameters, fmax=1e-11).x)[: setup.particles, :2]


def _relative_to_box(setup: Setup, at: Callable[[float], Setup], x: np.ndarray, step: float) -> np.ndarray:
    """L ds/dθ by minimizing again in boxes that really have another size, starting from scaled positions."""
    sides = []
    for sign in (1, -1):
        moved = at(setup.diameter + sign * step)
        sides.append(_relaxed(moved, x * moved.side / setup.side) / moved.side)
    difference = (sides[0] - sides[1]) * setup.side / (2 * step)
    return difference - difference.mean(axis=0)


def test_a_box_that_follows_is_the_same_as_boxes_of_other_sizes() -> None:
    """The derivative at fixed box size with shrinking diameters is that of a box that grows."""
    setup = Setup(particles=16, packing_fraction=0.95, box="follows")
    packing = experiment.run_seed(setup, 0, unrolled=False)
    assert packing.positions is not None and packing.response is not None and packing.record.status == "certified"

    def at(diameter: float) -> Setup:
        return Setup(particles=16, packing_fraction=0.95, diameter=diameter)

    held = ~packing.rattlers
    found = [_relative_to_box(setup, at, packing.positions, h)[held] for h in (2e-6, 1e-6)]
    expected = packing.response[held] - packing.response.mean(axis=0)
    extrapolated = (4 * found[1] - found[0]) / 3
    assert np.linalg.norm(extrapolated - expected) < 1e-6 * np.linalg.norm(expected)


def test_the_box_grows_as_it_must_to_keep_the_packing_fraction() -> None:
    setup, h = Setup(particles=17, box="follows"), 1e-5
    sides = [Setup(particles=17, diameter=setup.diameter + sign * h).side for sign in (1, -1)]
    assert setup.dilation == pytest.approx((sides[0] - sides[1]) / (2 * h) / setup.side, rel=1e-9)


def test_positions_scale_with_the_box_where_all_diameters_do(packing: experiment.Packing) -> None:
    """Closed form: diameters and box times λ, minimum times λ; so the energy depends on distances over diameters only."""
    assert packing.positions is not None and packing.rattlers is not None
    x, factor, held = packing.positions, 1.07, ~packing.rattlers
    nudged = x + np.random.default_rng(1).normal(scale=1e-5, size=x.shape)
    moved = _relaxed(SETUP, factor * nudged, factor) - factor * x
    moved -= moved[held].mean(axis=0)
    assert np.abs(moved[held]).max() < 1e-9


def test_the_unrolled_derivative_is_that_of_the_steps_of_fire() -> None:
    """Over few steps, before any rounding grows: central differences of where FIRE stands."""
    h, stop = 1e-6, (0.15,)
    start = SETUP.start(1)
    here = unroll(SETUP, start, stop)
    ends = [unroll(_with_diameter(SETUP, sign * h), start, stop) for sign in (1, -1)]
    assert {end.pauses[-1].steps for end in ends} == {here.pauses[-1].steps} and here.pauses[-1].steps > 3
    difference = (ends[0].positions - ends[1].positions) / (2 * h)
    assert np.abs(difference - here.tangent).max() < 1e-6 * np.abs(here.tangent).max()


def _with_diameter(setup: Setup, change: float) -> Setup:
    """Another diameter in the same box."""
    other = setup.diameter + change
    area = setup.large + (setup.particles - setup.large) * other**2
    before = setup.large + (setup.particles - setup.large) * setup.diameter**2
    return Setup(particles=setup.particles, diameter=other, packing_fraction=setup.packing_fraction * area / before)
