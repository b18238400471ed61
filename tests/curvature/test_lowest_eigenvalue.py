"""The lowest eigenvalue of large systems, against spectra that are known."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import eigh
from small_systems import build, structure

from md_sensitivity.curvature import lanczos
from md_sensitivity.curvature import spectrum as spectrum_module
from md_sensitivity.curvature.lanczos import TOLERANCE, lowest_eigenvalue
from md_sensitivity.curvature.spectrum import DENSE_LIMIT, Spectrum, spectrum
from md_sensitivity.curvature.zero_modes import count_zero_modes, zero_modes
from md_sensitivity.energy import as_energy
from md_sensitivity.minimization import minimize

SIZE = DENSE_LIMIT + 150
LJ = """
[[potential]]
style = "lennard_jones"
cutoff = 5.5
[potential.parameters.A]
sigma = 3.405
epsilon = 0.01032
"""


def of(values: np.ndarray, seed: int = 0) -> tuple[Spectrum, np.ndarray]:
    """What is found for a Hessian with the given eigenvalues, and its eigenvectors as columns."""
    reflection = np.random.default_rng(99).normal(size=len(values))
    reflection /= np.linalg.norm(reflection)
    vectors = np.eye(len(values)) - 2.0 * np.outer(reflection, reflection)

    def energy(x, theta):  # type: ignore[no-untyped-def]
        return 0.5 * jnp.sum(theta * (x - 2.0 * jnp.vdot(reflection, x) * reflection) ** 2)

    return spectrum(as_energy(energy), jnp.zeros(len(values)), jnp.asarray(values), None, 0, seed=seed), vectors


def stiff(size: int = SIZE) -> np.ndarray:
    """Eigenvalues spread like those of a crystal."""
    return np.linspace(0.1, 1.0, size) ** 2


def test_an_eigenvalue_that_stands_apart_is_right_to_a_millionth() -> None:
    values = stiff()
    values[0] = 0.004
    found, _ = of(values)
    assert (found.method, found.converged, found.stable) == ("lanczos", True, True)
    assert found.lowest == pytest.approx(0.004, rel=4e-6)
    assert found.largest == pytest.approx(1.0, rel=1e-3)
    assert 0 < found.bound <= TOLERANCE * found.lowest
    assert 0 < found.products < 400


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("lowest", [-1e-1, -1e-3, -1e-5])
def test_a_saddle_is_seen_from_every_start_and_its_mode_is_right(lowest: float, seed: int) -> None:
    values = stiff()
    values[0] = lowest
    found, vectors = of(values, seed)
    assert found.converged and not found.stable
    assert found.lowest == pytest.approx(lowest, rel=TOLERANCE)
    assert abs(vectors[:, 0] @ np.asarray(found.mode)) > 0.999
    assert np.linalg.norm(np.asarray(found.mode)) == pytest.approx(1.0, abs=1e-12)


def test_a_saddle_hides_behind_no_lowest_positive_eigenvalue_that_has_converged(monkeypatch: pytest.MonkeyPatch) -> None:
    # From a start with next to nothing of the negative mode, the residual alone would stop too early.
    values = stiff()
    values[:2] = -1e-4, 4e-3
    probable = np.random.default_rng(1).normal(size=SIZE)
    mode = of(values)[1][:, 0]
    start = probable - (mode @ probable) * (1.0 - 1e-6) * mode

    def energy(x, theta):  # type: ignore[no-untyped-def]
        reflection = np.random.default_rng(99).normal(size=SIZE)
        reflection /= np.linalg.norm(reflection)
        return 0.5 * jnp.sum(theta * (x - 2.0 * jnp.vdot(reflection, x) * reflection) ** 2)

    arguments = (as_energy(energy), jnp.zeros(SIZE), jnp.asarray(values), None, start)
    found = lowest_eigenvalue(*arguments)
    assert found.value == pytest.approx(-1e-4, rel=TOLERANCE)
    monkeypatch.setattr(lanczos, "OVERLOOKED", np.inf)
    careless = lowest_eigenvalue(*arguments)
    assert careless.value == pytest.approx(4e-3, rel=1e-2), "the start was meant to be a trap"


@pytest.mark.parametrize("seed", range(3))
def test_among_nearly_equal_eigenvalues_one_lies_within_the_bound(seed: int) -> None:
    values = stiff()
    values[:12] = 0.004 * (1.0 + 1e-4 * np.arange(12))
    found, _ = of(values, seed)
    assert found.converged and found.lowest is not None
    assert np.abs(values - found.lowest).min() <= found.bound * (1.0 + 1e-6)
    assert found.lowest == pytest.approx(0.004, rel=TOLERANCE)


def test_motions_without_stiffness_are_told_from_the_lowest_eigenvalue() -> None:
    values = stiff()
    values[:4] = 0.0, 0.0, 0.0, 0.004
    found, _ = of(values)
    assert found.converged and found.stable and found.floppy >= 1
    assert found.lowest == pytest.approx(values[3], rel=TOLERANCE)


def test_nothing_finite_is_no_minimum() -> None:
    values = stiff()
    values[7] = np.nan
    found, _ = of(values)
    assert (found.lowest, found.converged) == (None, False)


@pytest.fixture(scope="module")
def vacancy():  # type: ignore[no-untyped-def]
    """A minimized crystal of argon with a vacancy, 107 atoms, and its eigenvalues besides those of rigid motions."""
    base = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    sites = (np.array(list(np.ndindex(3, 3, 3)))[:, None, :] + base).reshape(-1, 3) * 5.26
    energy, x, theta = build(LJ, structure(sites[1:], "A" * 107, 15.78 * np.eye(3)))
    found = minimize(energy, x, theta)
    matrix = np.asarray(jax.jit(jax.jacfwd(jax.grad(found.energy)))(found.x, theta)).reshape(found.x.size, found.x.size)
    return found, eigh(matrix, eigvals_only=True)[3:]


@pytest.mark.parametrize("way", ["blocks", "products"])
def test_a_crystal_has_the_lowest_eigenvalue_that_scipy_finds(way: str, vacancy, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    found, values = vacancy
    monkeypatch.setattr(spectrum_module, "DENSE_LIMIT", 0)
    choose = lanczos.choose_hessian
    monkeypatch.setattr(lanczos, "choose_hessian", lambda *given: choose(*given, way))
    seen = spectrum(found.energy, found.x, found.theta, found.modes, found.zero_modes)
    assert seen.method == "lanczos" and seen.converged
    assert seen.lowest == pytest.approx(values[0], rel=TOLERANCE) and seen.lowest >= values[0] * (1 - 1e-9)
    assert np.abs(values - seen.lowest).min() <= seen.bound * (1 + 1e-6) + 1e-12
    assert seen.largest == pytest.approx(values[-1], rel=1e-6)


def test_rigid_motions_stay_out_however_long_it_runs(vacancy, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    found, values = vacancy
    monkeypatch.setattr(lanczos, "TOLERANCE", 0.0)
    monkeypatch.setattr(lanczos, "MAX_PRODUCTS", 640)
    modes = zero_modes(found.energy, found.x, found.theta)
    assert count_zero_modes(modes, found.x) == 3
    start = np.random.default_rng(0).normal(size=found.x.size)
    seen = lowest_eigenvalue(found.energy, found.x, found.theta, modes, start)
    assert seen.products == 640 and not seen.zeros
    assert seen.value == pytest.approx(values[0], rel=1e-9)
