"""A minimization that failed, or ended on a saddle, says so; nothing that is not finite is ever accepted."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import jax.numpy as jnp
import molecules
import numpy as np
import pytest
import scipy.optimize
from scipy.special import erfc
from small_systems import build, gradient, structure

from md_sensitivity.collapse import walls as distances_of_maxima
from md_sensitivity.errors import ComputationError, NotAMinimumError
from md_sensitivity.minimization import MINIMIZERS, Equilibrium, minimize
from md_sensitivity.minimization.equilibrium import FAILED, MINIMUM, NOT_A_MINIMUM, UNCONVERGED
from md_sensitivity.units import COULOMB

LJ = 'units = "reduced"\n[[potential]]\nstyle = "lennard_jones"\n[potential.parameters.A]\nsigma = 1.0\nepsilon = 1.0\n'
BUCKINGHAM = '[[potential]]\nstyle = "buckingham"\n[potential.parameters.A]\nA = 900.0\nrho = 0.3\nC = 20.0\n'
DEPTH = {2: 1.0, 3: 3.0, 4: 6.0}
"""Depth of the best cluster of that many atoms [ε]."""


def lennard_jones(positions: Any, **settings: Any) -> Equilibrium:
    # Readers refuse atoms at one place; a minimization may meet them all the same.
    apart = 3.0 * np.arange(len(positions))[:, None] * np.ones(3)
    energy, _, theta = build(LJ, structure(apart, "A" * len(apart)))
    return minimize(energy, np.asarray(positions, dtype=float), theta, throw=False, **settings)


def assert_finite_or_failed(found: Equilibrium) -> None:
    assert found.status in (MINIMUM, UNCONVERGED, NOT_A_MINIMUM, FAILED)
    if found.status == MINIMUM:
        assert np.isfinite(found.value) and np.isfinite(found.max_force) and np.all(np.isfinite(np.asarray(found.x)))
    else:
        assert found.message and "minimum reached" not in found.message


@pytest.mark.parametrize("minimizer", MINIMIZERS)
@pytest.mark.parametrize("distance", [0.5, 1e-2, 1e-8, 1e-30])
def test_overlapping_atoms_come_apart_or_fail(minimizer: str, distance: float) -> None:
    found = lennard_jones([[0, 0, 0], [distance, 0, 0], [0.4, 0.9, 0.0]], minimizer=minimizer, max_steps=3000)
    assert_finite_or_failed(found)
    if found.status == MINIMUM:
        assert any(found.value == pytest.approx(-depth, abs=1e-9) or abs(found.value) < 1e-6 for depth in (3.0, 1.0))


@pytest.mark.parametrize("sigma", [1e30, 1e200])
@pytest.mark.parametrize("minimizer", ["lbfgs", "lbfgs+newton"])
def test_molecules_whose_curvatures_are_not_finite_fail(minimizer: str, sigma: float) -> None:
    pairs = '[[potential]]\nstyle = "lennard_jones"\nmixing = "geometric"\nexclude = 3\nscale14 = 0.5\n'
    pairs += "".join(f"[potential.parameters.{name}]\nsigma = {sigma!r}\nepsilon = 0.01\n" for name in "AB")
    energy, x, theta = build(molecules.toml("harmonic_bond") + pairs, molecules.molecule())
    found = minimize(energy, x, theta, minimizer=minimizer, throw=False)
    assert found.status == FAILED and "not finite after 0 steps" in found.message


@pytest.mark.parametrize("minimizer", MINIMIZERS)
def test_a_buckingham_collapse_is_no_minimum(minimizer: str) -> None:
    energy, x, theta = build(BUCKINGHAM, structure(np.array([[0.0, 0, 0], [0.6, 0.1, 0], [0.1, 0.5, 0.3]]), "AAA"))
    found = minimize(energy, x, theta, minimizer=minimizer, max_steps=3000, throw=False)
    assert found.status == FAILED, (found.status, found.value, found.max_force)
    with pytest.raises(ComputationError, match="no lower bound"):
        minimize(energy, x, theta, minimizer=minimizer, max_steps=3000)


OPPOSITE = (
    '[[potential]]\nstyle = "coulomb_dsf"\nalpha = 0.2\ncutoff = 8.0\n'
    "[potential.parameters.A]\nq = 1.0\n[potential.parameters.B]\nq = -1.0\n"
)
STRONG = '[[potential]]\nstyle = "zbl"\ninner = 1.0\nouter = 2.0\n[potential.parameters.A]\nZ = 14\n'


def maximum(more: float) -> float:
    """Where A e^(−r/ρ) − C/r⁶ + more/r of BUCKINGHAM has its maximum."""
    slope = lambda r: -900.0 / 0.3 * np.exp(-r / 0.3) + 120.0 / r**7 - more / r**2  # noqa: E731
    return float(scipy.optimize.brentq(slope, 0.3, 1.5))


@pytest.mark.parametrize("distance", [0.2, 1.02, 1.04, 2.0])
def test_atoms_behind_the_maximum_of_their_energy_are_named_before_anything_is_done(distance: float) -> None:
    energy, x, theta = build(BUCKINGHAM, structure(np.array([[0.0, 0, 0], [4.0, 0, 0], [4.0 + distance, 0, 0]]), "AAA"))
    found = minimize(energy, x, theta, throw=False)
    wall = maximum(0.0)
    assert 1.02 < wall < 1.04
    if distance > wall:
        assert found.status == MINIMUM
    else:
        assert (found.status, found.steps) == (FAILED, 0)
        assert f"atoms 1 (A) and 2 (A) are {distance:.4g} Å apart, and below {wall:.4g} Å" in found.message


def test_a_pair_through_a_periodic_boundary_is_named_too() -> None:
    positions = np.array([[0.1, 0, 0], [3.0, 3.0, 3.0], [5.5, 0, 0]])
    energy, x, theta = build(BUCKINGHAM.replace("[potential.p", "cutoff = 2.9\n[potential.p"), structure(positions, "AAA", 6.0 * np.eye(3)))
    assert "atoms 0 (A) and 2 (A) are 0.6 Å apart" in energy.fallen(x, theta)
    assert energy.fallen(x.at[2, 0].set(4.0), theta) == ""


def test_what_counts_is_the_sum_of_all_pair_energies() -> None:
    text = BUCKINGHAM.replace("parameters.A", "parameters.A-B")
    text += "".join(f"[potential.parameters.{k}-{k}]\nA = 0.0\nrho = 0.3\nC = 0.0\n" for k in "AB")
    pair = structure(np.array([[0.0, 0, 0], [2.5, 0, 0]]), "AB")
    energy, _, theta = build(text + OPPOSITE, pair)
    walls = np.asarray(distances_of_maxima(energy.system.terms, theta))
    # Charges of one sign repel at any distance, and those that attract each other move the maximum outwards.
    end, alpha = 8.0, 0.2
    shift = -COULOMB * (erfc(alpha * end) / end**2 + 2 * alpha / np.sqrt(np.pi) * np.exp(-((alpha * end) ** 2)) / end)
    damped = lambda r: COULOMB * (erfc(alpha * r) / r**2 + 2 * alpha / np.sqrt(np.pi) * np.exp(-((alpha * r) ** 2)) / r)  # noqa: E731
    slope = lambda r: -3000.0 * np.exp(-r / 0.3) + 120.0 / r**7 + damped(r) + shift  # noqa: E731
    assert walls[0, 0] == walls[1, 1] == 0.0
    assert walls[0, 1] == walls[1, 0] == pytest.approx(scipy.optimize.brentq(slope, 0.9, 1.5), rel=1e-4)
    # A strong repulsion moves it inwards.
    energy, _, theta = build(BUCKINGHAM + STRONG, structure(np.array([[0.0, 0, 0], [2.5, 0, 0]]), "AA"))
    assert 0 < float(distances_of_maxima(energy.system.terms, theta)[0, 0]) < 0.9 * maximum(0.0)


@pytest.mark.parametrize("minimizer", MINIMIZERS)
def test_an_energy_that_is_nan_fails_at_once(minimizer: str) -> None:
    found = minimize(lambda x, k: jnp.sum(jnp.sqrt(x - 2.0) * k), jnp.ones(3), 1.0, minimizer=minimizer, throw=False)
    assert (found.status, found.spectrum) == (FAILED, None)


@pytest.mark.parametrize("minimizer", MINIMIZERS)
def test_an_energy_without_a_minimum_never_has_one(minimizer: str) -> None:
    found = minimize(lambda x, k: k * jnp.sum(x), jnp.ones(3), 1.0, minimizer=minimizer, max_steps=50, throw=False)
    assert found.status == UNCONVERGED


SADDLES = {
    "square": 1.1 * np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]),
    "straight line": 1.12 * np.arange(4.0)[:, None] * np.array([[1.0, 0, 0]]),
}


@pytest.mark.parametrize("name", SADDLES)
def test_a_saddle_by_symmetry_is_left_along_its_mode_and_noted(name: str) -> None:
    found = lennard_jones(SADDLES[name])
    assert found.status == MINIMUM and found.spectrum is not None and found.spectrum.stable
    assert found.value == pytest.approx(-6.0, abs=1e-8)
    assert any("left a saddle point" in note for note in found.notes)
    assert found.zero_modes == 6


@pytest.mark.parametrize("name", SADDLES)
def test_where_the_curvature_is_not_examined_no_claim_is_made(name: str) -> None:
    found = lennard_jones(SADDLES[name], curvature=False)
    assert found.spectrum is None and not found.notes
    assert found.value > -5.5


@pytest.mark.parametrize("name", SADDLES)
def test_a_saddle_that_cannot_be_left_is_not_called_a_minimum(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["md_sensitivity.minimization.minimize"], "_ESCAPES", 0)
    found = lennard_jones(SADDLES[name])
    assert found.status == NOT_A_MINIMUM
    assert found.spectrum is not None and found.spectrum.lowest < 0 and "negative curvature" in found.message
    with pytest.raises(NotAMinimumError, match="saddle"):
        minimize(*build(LJ, structure(SADDLES[name], "AAAA")))


def test_a_saddle_of_a_plain_function_is_left() -> None:
    def energy(x: Any, k: Any) -> Any:
        return k * (x["u"] ** 2 - 1.0) ** 2 + x["v"] ** 2

    found = minimize(energy, {"u": jnp.zeros(()), "v": jnp.ones(())}, 2.0)
    assert abs(float(found.x["u"])) == pytest.approx(1.0, abs=1e-9)
    assert found.spectrum is not None and found.spectrum.lowest == pytest.approx(2.0, rel=1e-9)
    assert len(found.notes) == 1


def test_a_curvature_that_does_not_exist_is_no_minimum_and_no_exception() -> None:
    found = minimize(lambda x, k: k * jnp.sum(jnp.abs(x) ** 1.5), jnp.zeros(3), 1.0, throw=False)
    assert found.status == UNCONVERGED and found.spectrum is not None and not found.spectrum.converged


DISCS = """
units = "reduced"
[[potential]]
style = "soft_sphere"
[potential.parameters.A]
epsilon = 1.0
sigma = 1.0
"""


@pytest.mark.parametrize("minimizer", MINIMIZERS)
@pytest.mark.parametrize("overlap", [0.05, 1e-10, -1e-10])
def test_squeezed_discs_are_no_rattlers_and_touching_ones_are(minimizer: str, overlap: float) -> None:
    # A straight row across the cell: squeezed, it is a saddle by symmetry and buckles; barely touching, nothing holds it.
    a = 1.0 - overlap
    row = structure(a * np.arange(4.0)[:, None] * np.array([[1.0, 0, 0]]), "AAAA", np.diag([4 * a, 6.0, 6.0]), (True, True, False))
    found = minimize(*build(DISCS, row, dimensions=2), minimizer=minimizer)
    assert np.abs(np.asarray(gradient(found.energy, found.x, found.theta))).max() == pytest.approx(found.max_force, abs=1e-14)
    assert found.value == pytest.approx(float(found.energy(found.x, found.theta)), abs=1e-15)
    assert found.value < 1e-12
    assert bool(found.notes) or overlap < 0.05
    if overlap < 0.05:
        assert (found.rattlers, found.zero_modes) == (4, 8)


def test_single_precision_is_refused() -> None:
    program = (
        "import md_sensitivity as mds\n"
        "try:\n    mds.minimize(lambda x, k: (k * x * x).sum(), [1.0], 1.0)\n"
        "except mds.MdSensitivityError as error:\n    print(type(error).__name__, error)"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert shown.startswith("PrecisionError") and "jax_enable_x64" in shown
