"""Groups of near atoms as a preconditioner of molecules: what it is where one group has all, and what it makes quicker."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_systems import build, structure

from md_sensitivity import local_response as module
from md_sensitivity.curvature import spectrum as spectrum_module
from md_sensitivity.curvature.lanczos import TOLERANCE
from md_sensitivity.curvature.spectrum import spectrum
from md_sensitivity.implicit import equilibrium_vjp
from md_sensitivity.minimization import minimize

SPACING = 3.6
TOML = """
[[potential]]
style = "harmonic_bond"
[potential.parameters.A-B]
k = 25.0
r0 = 1.1
[[potential]]
style = "lennard_jones"
cutoff = 6.0
mixing = "lorentz-berthelot"
exclude = 1
[potential.parameters.A]
sigma = 2.9
epsilon = 0.011
[potential.parameters.B]
sigma = 2.4
epsilon = 0.006
[[potential]]
style = "coulomb_ewald"
cutoff = 6.0
tolerance = 1e-6
exclude = 1
[potential.parameters.A]
q = -0.25
[potential.parameters.B]
q = 0.25
"""


def dimers(repeats: int, fixed: int = 0) -> Any:
    """Polar molecules of two atoms on a cubic lattice, turned at random; of some the first atoms are held."""
    rng = np.random.default_rng(5)
    places = np.array(list(np.ndindex(*(repeats,) * 3))) * SPACING
    turned = rng.normal(size=places.shape)
    ends = places + 1.1 * turned / np.linalg.norm(turned, axis=1)[:, None]
    n = 2 * len(places)
    of = structure(np.stack([places, ends], axis=1).reshape(n, 3), "AB" * len(places), repeats * SPACING * np.eye(3))
    held = np.zeros((n, 3), dtype=bool)
    held[:fixed] = True
    return replace(of, bonds=np.arange(n).reshape(-1, 2), fixed=held)


NEUTRAL = TOML[: TOML.index('[[potential]]\nstyle = "coulomb_ewald"')]


@pytest.fixture(scope="module")
def liquid() -> Any:
    """A minimum of 54 atoms; whether there are waves makes no difference to a spectrum, but to the time that it takes."""
    return minimize(*build(NEUTRAL, dimers(3)), curvature=False)


def dense(found: Any, x: Any) -> np.ndarray:
    matrix = jax.jit(jax.jacfwd(jax.grad(found.energy)))(x, found.theta)
    return np.asarray(matrix).reshape(x.size, x.size)


def applied(metric: Any, v: np.ndarray) -> np.ndarray:
    return np.asarray(jax.vmap(metric.solve)(jnp.asarray(v)))


def test_one_group_without_waves_is_the_inverse() -> None:
    found = minimize(*build(NEUTRAL, dimers(3, fixed=3)), curvature=False)
    assert found.x.shape[0] <= module.LARGEST
    free = np.asarray(found.energy.system.free).reshape(-1) > 0
    matrix = dense(found, found.x)[np.ix_(free, free)]
    metric = found.energy.narrowed(found.x, found.theta).local_response(found.x, found.theta)
    v = np.random.default_rng(1).normal(size=(3, found.x.size))
    solved = applied(metric, v)
    assert not np.any(solved[:, ~free])
    assert np.allclose(solved[:, free] @ matrix, v[:, free], atol=1e-8)


def test_groups_keep_small_molecules_whole_and_cut_long_ones_along_their_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST", 14)
    bonds = [*((i, i + 1) for i in range(30)), *((i, i + 1) for i in range(31, 53, 2))]
    energy, x, _ = build(NEUTRAL.replace("A-B", "A-A"), replace(dimers(3), types=("A",) * 54, bonds=np.array(bonds)))
    groups = module._groups(energy.system, np.asarray(x))
    assert sorted(np.concatenate(groups).tolist()) == list(range(54))
    assert max(map(len, groups)) <= 14
    chain = [group for group in groups if group[0] < 31]
    assert [group.tolist() for group in chain] == [list(range(11)), list(range(11, 21)), list(range(21, 31))]
    for i in range(31, 53, 2):
        assert any(i in group and i + 1 in group for group in groups)


def test_it_is_symmetric_and_positive_wherever_atoms_are(liquid: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST", 14)
    energy, theta = liquid.energy, liquid.theta
    x = liquid.x + 0.3 * jnp.asarray(np.random.default_rng(2).normal(size=liquid.x.shape))
    energy = energy.updated(x, theta)
    metric = energy.narrowed(x, theta).local_response(x, theta)
    assert sum(group.inverse.shape[0] for group in metric.groups) >= 4
    v = np.random.default_rng(3).normal(size=(4, x.size))
    products = applied(metric, v) @ v.T
    assert np.allclose(products, products.T, rtol=0, atol=1e-10 * np.abs(products).max())
    assert np.all(np.linalg.eigvalsh(products) > 0)


@pytest.mark.parametrize("moved", [0.0, 0.04])
def test_the_lowest_eigenvalue_is_that_of_the_whole_matrix(moved: float, liquid: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST", 14)
    monkeypatch.setattr(spectrum_module, "STIFF_LIMIT", 0)
    x = liquid.x + moved * jnp.asarray(np.random.default_rng(4).normal(size=liquid.x.shape))
    energy = liquid.energy.updated(x, liquid.theta)
    found = spectrum(energy, x, liquid.theta, liquid.modes, 3)
    values, vectors = np.linalg.eigh(dense(replace(liquid, energy=energy), x))
    # Rigid translations are left out.
    rigid = np.abs(vectors.reshape(-1, 3, len(values)).sum(axis=0)).max(axis=0) > 1.0
    lowest = values[~rigid][0]
    assert (found.method, found.converged) == ("lobpcg", True)
    assert (lowest < 0) == (moved > 0), "the case is not what it is meant to be"
    assert found.lowest == pytest.approx(lowest, rel=1e-5) and found.bound <= TOLERANCE * abs(lowest)
    assert found.largest == pytest.approx(np.abs(values).max(), rel=0.02)
    assert abs(np.vdot(vectors[:, ~rigid][:, 0], np.asarray(found.mode))) > 0.999


def test_what_waves_carry_is_hardly_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = minimize(*build(TOML, dimers(3)), curvature=False)
    x_bar = jnp.asarray(np.random.default_rng(6).normal(size=found.x.shape))
    plain, grouped = (equilibrium_vjp(found, x_bar, solver=solver) for solver in ("cg", "pcg"))
    assert grouped.iterations < 0.25 * plain.iterations
    for label, leaves in plain.value.items():
        for leaf, values in leaves.items():
            assert np.allclose(grouped.value[label][leaf], values, rtol=1e-7, atol=1e-9)
    monkeypatch.setattr(module, "_localized", lambda term: term)
    other = equilibrium_vjp(found, x_bar, solver="pcg").iterations
    assert other > 1.5 * grouped.iterations
