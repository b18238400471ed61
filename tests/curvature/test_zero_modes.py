"""Zero modes: as many as the geometry says, exactly those of the Hessian, removed by a true projector."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_systems import build, gradient, structure

from md_sensitivity.curvature import spectrum as spectrum_module
from md_sensitivity.curvature.spectrum import spectrum
from md_sensitivity.curvature.zero_modes import count_zero_modes, without_zero_modes, zero_modes
from md_sensitivity.energy import as_energy
from md_sensitivity.minimization import minimize
from md_sensitivity.types import Structure

MORSE = """
[[potential]]
style = "morse"
cutoff = 3.4
switch_from = 3.0
[potential.parameters.A]
D = 1.0
alpha = 1.5
r0 = 2.5
"""
R = 2.5
"""Nearest neighbors are at their best distance and no others interact, so that each regular figure is a minimum without any stress."""
BOX = np.diag([12.0, 13.0, 14.0])
TETRAHEDRON = R / np.sqrt(8) * np.array([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
TRIANGLE = R * np.array([[0.0, 0, 0], [1, 0, 0], [0.5, np.sqrt(3) / 2, 0]])
FCC_CELL = np.sqrt(2) * R * np.eye(3)
FCC = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]) @ FCC_CELL
LINE = R * np.array([[0.0, 0, 0], [1, 0, 0]])
HEXAGONAL = np.array([[R, 0, 0], [0, np.sqrt(3) * R, 0], [0, 0, 10.0]])
SHEET = np.array([[0.0, 0, 0], [R / 2, np.sqrt(3) * R / 2, 0]])


def made(positions: np.ndarray, cell: np.ndarray | None = None, pbc: tuple[bool, bool, bool] | None = None, **frozen: Any) -> Structure:
    made = structure(positions, "A" * len(positions), cell, pbc)
    fixed = np.zeros((len(positions), 3), dtype=bool)
    fixed[list(frozen.get("atoms", ()))] = True
    return replace(made, fixed=fixed)


CASES: dict[str, tuple[Structure, int, int]] = {
    "monomer": (made(np.zeros((1, 3))), 3, 3),
    "dimer": (made(LINE), 3, 5),
    "linear trimer": (made(R * np.arange(3.0)[:, None] * np.array([[0.6, 0, 0.8]])), 3, 5),
    "bent trimer": (made(TRIANGLE), 3, 6),
    "two clusters": (made(np.concatenate([TETRAHEDRON, TETRAHEDRON @ np.diag([1.0, 1, -1]) + 9.0])), 3, 12),
    "cluster and dimer": (made(np.concatenate([TETRAHEDRON, LINE + 9.0])), 3, 11),
    "cluster in a box": (made(TETRAHEDRON + 6.0, BOX), 3, 6),
    "cluster across the boundary": (made((TETRAHEDRON + 1e-3) % np.diag(BOX), BOX), 3, 6),
    "crystal": (made(FCC, FCC_CELL), 3, 3),
    "primitive crystal": (made(FCC[:1], np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]) @ FCC_CELL), 3, 3),
    "slab": (made(SHEET, HEXAGONAL, (True, True, False)), 3, 3),
    "wire": (made(TRIANGLE @ np.array([[0, 1.0, 0], [0, 0, 1], [1, 0, 0]]) + 3, np.diag([R, 0, 0]), (True, False, False)), 3, 4),
    "wire in a periodic box": (made(TRIANGLE @ np.array([[0, 1.0, 0], [0, 0, 1], [1, 0, 0]]), np.diag([R, 20.0, 20.0])), 3, 4),
    "planar cluster": (made(TRIANGLE), 2, 3),
    "planar dimer": (made(LINE), 2, 3),
    "planar monomer": (made(LINE[:1]), 2, 2),
    "planar crystal": (made(SHEET, HEXAGONAL, (True, True, False)), 2, 2),
    "one frozen atom": (made(TETRAHEDRON, atoms=[1]), 3, 3),
    "two frozen atoms": (made(TETRAHEDRON, atoms=[1, 2]), 3, 1),
    "three frozen atoms": (made(TETRAHEDRON, atoms=[0, 1, 3]), 3, 0),
    "all frozen": (made(TETRAHEDRON, atoms=range(4)), 3, 0),
    "dimer with a frozen atom": (made(LINE, atoms=[0]), 3, 2),
    "planar cluster, one frozen atom": (made(TRIANGLE, atoms=[0]), 2, 1),
    "frozen atom in another fragment": (made(np.concatenate([TETRAHEDRON, LINE + 9.0]), atoms=[0]), 3, 3 + 5),
    "lonely atoms beside a cluster": (made(np.concatenate([TETRAHEDRON, [[9.0, 9, 9], [-9.0, 9, 9]]])), 3, 6 + 6),
    "lonely frozen atom": (made(np.concatenate([TETRAHEDRON, [[9.0, 9, 9]]]), atoms=[4]), 3, 6),
}


def hessian(energy: Any, x: jax.Array, theta: Any) -> np.ndarray:
    """Dense Hessian of the free coordinates, by autodiff alone."""
    full = np.asarray(_hessian(energy, x, theta)).reshape(x.size, x.size)
    free = np.asarray(energy.mobility(x)).ravel() > 0
    return full[np.ix_(free, free)]


_hessian = jax.jit(lambda energy, x, theta: jax.jacfwd(jax.grad(energy))(x, theta))


@pytest.mark.parametrize("name", CASES)
def test_zero_modes_are_counted_as_geometry_says_and_annul_the_hessian(name: str) -> None:
    of, dimensions, expected = CASES[name]
    energy, x, theta = build(MORSE, of, dimensions=dimensions)
    assert np.abs(gradient(energy, x, theta)).max() < 1e-12
    modes = zero_modes(energy, x, theta)
    assert count_zero_modes(modes, x) == expected
    free = np.asarray(energy.mobility(x))
    v, w = np.random.default_rng(0).normal(size=(2, *x.shape))
    pv, pw = (np.asarray(without_zero_modes(modes, x, u)) for u in (v, w))
    assert np.abs(np.asarray(without_zero_modes(modes, x, pv)) - pv).max() < 1e-13
    assert np.vdot(w, pv) == pytest.approx(np.vdot(pw, v), abs=1e-12)
    assert np.all(pv[free == 0] == 0)
    if free.any():
        curvature = hessian(energy, x, theta)
        removed = (free * v - pv).ravel()[free.ravel() > 0]
        assert np.abs(curvature @ removed).max() <= 1e-8 * max(np.abs(curvature).max(), 1.0)


STIFF = [
    "bent trimer", "two clusters", "cluster across the boundary", "planar cluster", "planar crystal", "one frozen atom",
    "two frozen atoms", "three frozen atoms", "planar cluster, one frozen atom", "lonely frozen atom",
]  # fmt: skip
"""Those that nothing but zero modes leaves floppy."""


@pytest.mark.parametrize("name", STIFF)
def test_numpy_finds_just_as_many_zero_eigenvalues(name: str) -> None:
    of, dimensions, expected = CASES[name]
    energy, x, theta = build(MORSE, of, dimensions=dimensions)
    values = np.linalg.eigvalsh(hessian(energy, x, theta))
    nonzero = values[np.abs(values) > 1e-8 * values.max()]
    assert values.size - nonzero.size == expected
    found = spectrum(energy, x, theta, zero_modes(energy, x, theta), expected)
    assert (found.floppy, found.method, found.stable) == (0, "dense", True)
    assert found.lowest == pytest.approx(nonzero.min(), rel=1e-8)
    assert found.largest == pytest.approx(nonzero.max(), rel=1e-8)
    mode = np.asarray(found.mode)[np.asarray(energy.mobility(x)) > 0]
    assert np.abs(hessian(energy, x, theta) @ mode - found.lowest * mode).max() < 1e-9 * values.max()


def test_motions_without_stiffness_count_beside_the_rigid_ones() -> None:
    # A straight chain of three has two bending modes, and second neighbors do not interact.
    of, _, rigid = CASES["linear trimer"]
    found = minimize(*build(MORSE, of))
    assert found.spectrum is not None and (found.spectrum.floppy, found.zero_modes) == (1 + 1, rigid + 2)
    assert any("cost no energy" in note for note in found.notes)


DISCS = """
units = "reduced"
[[potential]]
style = "soft_sphere"
[potential.parameters.A]
epsilon = 1.0
sigma = 1.0
"""


def caged(count: int) -> Structure:
    """A compressed triangular crystal of discs with `count` vacant sites, in each of which one disc barely touches another."""
    a = 0.93
    sites = np.array([[i + 0.5 * (j % 2), np.sqrt(3) / 2 * j, 0.0] for j in range(6) for i in range(6)]) * a
    cell = np.diag([6 * a, 6 * np.sqrt(3) / 2 * a, 5.0])
    holes = [7, 28][:count]
    bigger = np.delete(sites, holes, axis=0)
    rattlers = sites[holes] + np.array([0.5 * a - 0.46, 0.0, 0.0])
    return structure(np.concatenate([bigger, rattlers]), "A" * len(bigger) + "B" * count, cell, (True, True, False))


@pytest.mark.parametrize("rattlers", [1, 2])
def test_each_rattler_adds_its_translations(rattlers: int) -> None:
    small = 'mixing = "arithmetic"\n[potential.parameters.A]'
    text = DISCS.replace("[potential.parameters.A]", small) + "[potential.parameters.B]\nepsilon = 1.0\nsigma = 0.2\n"
    energy, x, theta = build(text, caged(rattlers), dimensions=2)
    found = minimize(energy, x, theta, fmax=1e-11)
    assert (found.status, found.rattlers) == ("minimum", rattlers)
    assert found.zero_modes == 2 + 2 * rattlers
    values = np.linalg.eigvalsh(hessian(found.energy, found.x, theta))
    assert np.sum(np.abs(values) < 1e-9 * values.max()) == found.zero_modes


ALONE = np.array([[0.0, 0, 0], [0, 0, 15], [0, 15, 15], [15, 0, 15]])
SIXTEEN = {
    "clusters": made(np.concatenate([TETRAHEDRON + place for place in ALONE])),
    "clusters, one frozen atom": made(np.concatenate([TETRAHEDRON + place for place in ALONE]), atoms=[1]),
    "compressed sheet": made(0.95 * R * np.array([[i, j, 0.0] for i in range(4) for j in range(4)])),
}


@pytest.mark.parametrize("name", SIXTEEN)
def test_lanczos_finds_the_lowest_eigenvalue_that_the_dense_matrix_has(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    energy, x, theta = build(MORSE, SIXTEEN[name])
    modes = zero_modes(energy, x, theta)
    rigid = count_zero_modes(modes, x)
    dense = spectrum(energy, x, theta, modes, rigid)
    monkeypatch.setattr(spectrum_module, "DENSE_LIMIT", 0)
    other = spectrum(energy, x, theta, modes, rigid)
    assert (dense.method, other.method, other.converged) == ("dense", "lanczos", True)
    assert other.lowest == pytest.approx(dense.lowest, rel=1e-6)
    assert other.largest == pytest.approx(dense.largest, rel=0.1)
    assert other.stable == dense.stable == (name != "compressed sheet")


def test_a_plain_function_has_rigid_motions_only_where_it_says_so() -> None:
    def energy(x: jax.Array, k: jax.Array) -> jax.Array:
        return 0.5 * k * (jnp.linalg.norm(x[0] - x[1]) - 1.0) ** 2

    x = jnp.array([[0.0, 0, 0], [1.0, 0, 0]])
    for rigid, expected in ((True, 5), (False, 0)):
        assert count_zero_modes(zero_modes(as_energy(energy, rigid=rigid), x, 2.0), x) == expected
