"""The average crystal as a preconditioner: lattices that structures show, and what its inverse is worth."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from hypothesis import given, settings
from hypothesis import strategies as st
from small_systems import FORCE_FIELDS, build, structure

from md_sensitivity.curvature.integer_lattices import diagonalized, spanned_basis
from md_sensitivity.curvature.lattice import _average, lattice_response, lattice_sites
from md_sensitivity.curvature.operators import choose_hessian
from md_sensitivity.implicit import equilibrium_vjp
from md_sensitivity.minimization import minimize

CRYSTALS: dict[str, tuple[Atoms, int]] = {
    "simple cubic": (bulk("Po", "sc", a=3.3) * (5, 6, 7), 210),
    "fcc": (bulk("Ar", "fcc", a=5.26, cubic=True) * (4, 4, 5), 320),
    "fcc, primitive cells": (bulk("Ar", "fcc", a=5.26) * (7, 8, 9), 504),
    "bcc": (bulk("Fe", cubic=True) * (5, 6, 7), 420),
    "rock salt": (bulk("NaCl", "rocksalt", a=5.6, cubic=True) * (4, 4, 4), 512),
    "diamond": (bulk("Si", cubic=True) * (4, 4, 4), 1024),
    "diamond, primitive cells": (bulk("Si") * (8, 8, 8), 2048),
    "hcp": (bulk("Mg", orthorhombic=True) * (5, 5, 5), 1500),
}
"""Name → crystal and the number of sites of the smallest lattice that holds all of its atoms."""
ARGON = """
[[potential]]
style = "lennard_jones"
cutoff = 7.0
[potential.parameters.A]
sigma = 3.4
epsilon = 0.0104
"""


@pytest.mark.parametrize("name", CRYSTALS)
def test_a_crystal_shows_its_lattice_through_displacements_vacancies_and_any_origin(name: str) -> None:
    crystal, sites = CRYSTALS[name]
    rng = np.random.default_rng(0)
    x = crystal.positions + 0.05 * rng.normal(size=crystal.positions.shape) + rng.normal(size=3)
    found = lattice_sites(np.delete(x, 17, axis=0), np.array(crystal.cell))
    assert found is not None
    shape, site = found
    assert np.prod(shape) == sites and len(np.unique(site)) == len(x) - 1 and site.min() >= 0 and site.max() < sites
    # Equal differences of positions are equal differences of coordinates.
    place = np.stack(np.unravel_index(site, shape), axis=1)
    ideal = np.delete(crystal.positions, 17, axis=0) @ np.linalg.inv(np.array(crystal.cell))
    at = {key(row): i for i, row in enumerate(ideal)}
    for other in (1, 2, 60):
        pairs = [(i, at[key(row + ideal[other] - ideal[0])]) for i, row in enumerate(ideal) if key(row + ideal[other] - ideal[0]) in at]
        assert len(pairs) > len(x) // 3
        assert len({tuple((place[j] - place[i]) % np.array(shape)) for i, j in pairs}) == 1


def key(fractional: np.ndarray) -> tuple[int, ...]:
    """The same for all periodic images of a point."""
    return tuple(np.rint(fractional * 10080).astype(int) % 10080)


def test_what_is_no_lattice_shows_none() -> None:
    rng = np.random.default_rng(1)
    assert lattice_sites(20.0 * rng.random((400, 3)), 20.0 * np.eye(3)) is None
    # Pairs of atoms at each site: half of them would have to share.
    pairs = np.repeat(CRYSTALS["simple cubic"][0].positions, 2, axis=0)
    assert lattice_sites(pairs + 0.01 * rng.normal(size=pairs.shape), np.array(CRYSTALS["simple cubic"][0].cell)) is None


def in_vacuum(cells: int, height: int) -> Atoms:
    """A film of fcc argon of so many cells in a box `height` cells high."""
    film = bulk("Ar", "fcc", a=5.26, cubic=True) * (5, 5, cells)
    film.set_cell(np.diag([5 * 5.26, 5 * 5.26, height * 5.26]))
    return film


@pytest.mark.parametrize("cells", [5, 8, 15])
def test_a_film_in_vacuum_shows_its_planes_and_not_its_outline(cells: int) -> None:
    film = in_vacuum(cells, 20)
    found = lattice_sites(film.positions + 0.05 * np.random.default_rng(2).normal(size=film.positions.shape), np.array(film.cell))
    assert found is not None and np.prod(found[0]) == 4 * 5 * 5 * 20 and len(np.unique(found[1])) == len(film)


def test_a_lattice_that_is_mostly_empty_is_none() -> None:
    crystal = bulk("Ar", "fcc", a=5.26, cubic=True) * (14, 14, 14)
    ball = crystal[np.linalg.norm(crystal.positions - 7 * 5.26, axis=1) < 15.0]
    assert len(ball) > 300
    assert lattice_sites(ball.positions, np.array(ball.cell)) is None
    assert lattice_sites(in_vacuum(2, 20).positions, np.array(in_vacuum(2, 20).cell)) is None


def test_a_lattice_is_the_same_in_any_unit_of_length_and_with_an_interstitial() -> None:
    crystal = CRYSTALS["fcc"][0]
    x = np.vstack([crystal.positions, crystal.positions[100] + [2.63, 0.0, 0.0]])
    for seed in range(4):
        order = np.random.default_rng(seed).permutation(len(x))
        found = lattice_sites(0.297 * x[order], 0.297 * np.array(crystal.cell))
        assert found is not None and np.prod(found[0]) == 320 and np.count_nonzero(found[1] < 0) == 1


def test_atoms_between_the_sites_have_none_or_share_one() -> None:
    crystal = CRYSTALS["fcc"][0]
    x = np.vstack([crystal.positions, crystal.positions[7] + [2.6, 0.0, 0.0], crystal.positions[9] + [0.3, 0.1, 0.0]])
    found = lattice_sites(x, np.array(crystal.cell))
    assert found is not None and len(np.unique(found[1][:320])) == 320
    assert found[1][320] == -1 and found[1][321] == found[1][9]


integers = st.integers(-9, 9)


@given(st.lists(st.tuples(integers, integers, integers), min_size=0, max_size=6), st.lists(st.integers(1, 12), min_size=3, max_size=3))
@settings(max_examples=60, deadline=None)
def test_a_spanned_basis_spans_the_same_and_diagonal_boxes_tell_all_points_apart(vectors: list[Any], box: list[int]) -> None:
    generators = np.vstack([np.array(vectors, dtype=np.int64).reshape(-1, 3), np.diag(box)])
    basis = spanned_basis(generators)
    assert np.allclose(basis, np.tril(basis)) or np.allclose(basis, np.triu(basis))
    there = generators @ np.linalg.inv(basis)
    assert np.allclose(there, np.rint(there), atol=1e-9)
    # The greatest common divisor of all 3×3 minors is what a basis has as its determinant.
    minors = [round(np.linalg.det(generators[[a, b, c]])) for a in range(len(generators)) for b in range(a) for c in range(b)]
    assert abs(round(np.linalg.det(basis))) == np.gcd.reduce(minors)
    matrix = np.rint(np.diag(box) @ np.linalg.inv(basis)).astype(np.int64)
    s, v = diagonalized(matrix)
    assert abs(round(np.linalg.det(v))) == 1 and np.prod(s) == abs(round(np.linalg.det(matrix)))
    assert not np.any((matrix @ v) % s)


def test_in_a_perfect_crystal_it_is_the_inverse_of_the_hessian() -> None:
    crystal = bulk("Ar", "fcc", a=5.2, cubic=True) * (5, 4, 3)
    energy, x, theta = build(ARGON, structure(crystal.positions, "A" * len(crystal), np.array(crystal.cell)))
    stored, _, _ = choose_hessian(energy, x, theta)
    assert stored is not None
    lattice = lattice_response(stored, np.asarray(x), energy.frame(x))
    assert lattice is not None
    v = np.random.default_rng(2).normal(size=(3, *x.shape))
    v = jnp.asarray((v - v.mean(axis=1, keepdims=True)).reshape(3, -1))
    hv = stored.product(stored.pack(v))
    found = stored.unpack(lattice(hv) - lattice.local * hv)
    assert np.abs(np.asarray(found - v)).max() < 1e-11


@pytest.mark.parametrize("potential", ["lennard_jones", "stillinger_weber"])
def test_the_average_is_what_the_hessian_does_to_waves(potential: str) -> None:
    rng = np.random.default_rng(6)
    diamond = bulk("Si", cubic=True, a=6.2) * (3, 2, 2)
    x = np.delete(diamond.positions + 0.1 * rng.normal(size=(len(diamond), 3)), 11, axis=0)
    energy, x, theta = build(FORCE_FIELDS[potential], structure(x, rng.choice(["A", "B"], size=len(x)), np.array(diamond.cell)))
    stored, _, _ = choose_hessian(energy, x, theta)
    shown = lattice_sites(np.asarray(x), np.array(diamond.cell))
    assert stored is not None and shown is not None
    shape, site = shown
    average = _average(stored, shape, site)
    place = np.stack(np.unravel_index(site, shape), axis=1) / np.array(shape)
    for q in [(1, 0, 0), (0, 2, 1), (1, 3, 5)]:
        phase = 2.0 * np.pi * place @ np.array(q)
        for a, b, k in ((0, 0, 0), (1, 1, 1), (2, 2, 2), (1, 2, 3), (0, 2, 4), (0, 1, 5)):
            waves = np.zeros((2, 2, len(x), 3))
            waves[0, :, :, a], waves[1, :, :, b] = [np.cos(phase), np.sin(phase)], [np.cos(phase), np.sin(phase)]
            moved = stored.unpack(stored.product(stored.pack(jnp.asarray(waves[1].reshape(2, -1)))))
            wanted = float(np.sum(np.asarray(moved) * waves[0].reshape(2, -1))) / len(x)
            assert abs(average[k][q] - wanted) < 1e-10 * max(float(np.abs(part).max()) for part in average)


@pytest.mark.parametrize("frozen", [0, 5])
def test_it_is_symmetric_and_positive_and_leaves_frozen_atoms(frozen: int) -> None:
    crystal = bulk("Ar", "fcc", a=5.26, cubic=True) * (4, 4, 4)
    x = np.vstack([crystal.positions + 0.1 * np.random.default_rng(3).normal(size=crystal.positions.shape), [[1.3, 0.2, 0.1]]])
    n = len(x)
    fixed = np.repeat(np.arange(n)[:, None] < frozen, 3, axis=1)
    energy, x, theta = build(ARGON, replace(structure(x, "A" * n, np.array(crystal.cell)), fixed=fixed))
    stored, _, _ = choose_hessian(energy, x, theta)
    assert stored is not None
    lattice = lattice_response(stored, np.asarray(x), energy.frame(x))
    assert lattice is not None
    v = jnp.asarray(np.random.default_rng(4).normal(size=(5, x.size)))
    packed = stored.pack(v) * lattice.free
    z = lattice(packed)
    products = np.asarray(z) @ np.asarray(packed).T
    assert np.allclose(products, products.T, rtol=1e-10, atol=1e-12 * np.abs(products).max()) and np.all(np.linalg.eigvalsh(products) > 0)
    assert not np.any(np.asarray(stored.unpack(z)).reshape(5, -1, 3)[:, :frozen])
    assert np.allclose(lattice(packed.astype(jnp.float32)), z, rtol=1e-4, atol=1e-5 * float(jnp.abs(z).max()))


def test_iterations_do_not_grow_with_the_size_of_a_crystal() -> None:
    counts = {}
    for cells in (5, 9):
        crystal = bulk("Ar", "fcc", a=5.26, cubic=True) * ((cells,) * 3)
        x = np.delete(crystal.positions, 10, axis=0)
        energy, x, theta = build(ARGON, structure(x, "A" * len(x), np.array(crystal.cell)))
        found = minimize(energy, x, theta, curvature=False)
        cotangent = jnp.asarray(np.random.default_rng(5).normal(size=x.shape))
        for solver in ("cg", "pcg"):
            counts[cells, solver] = equilibrium_vjp(found, cotangent, solver=solver).iterations
    assert counts[9, "pcg"] <= counts[5, "pcg"] + 2 and counts[9, "pcg"] < 0.35 * counts[9, "cg"]


def test_it_serves_environments_of_many_body_potentials_too() -> None:
    silicon = bulk("Si", cubic=True, a=5.35) * (4, 4, 4)
    x = np.delete(silicon.positions, 5, axis=0)
    energy, x, theta = build(FORCE_FIELDS["stillinger_weber"], structure(x, "A" * len(x), np.array(silicon.cell)))
    found = minimize(energy, x, theta, curvature=False)
    cotangent = jnp.asarray(np.random.default_rng(5).normal(size=x.shape))
    plain, helped = (equilibrium_vjp(found, cotangent, solver=solver) for solver in ("cg", "pcg"))
    assert "average crystal" in helped.reason and helped.iterations < 0.6 * plain.iterations
    differentiated = equilibrium_vjp(found, cotangent, hessian="products", solver="cg")
    for one, other in zip(jax.tree.leaves(helped.value), jax.tree.leaves(differentiated.value), strict=True):
        assert np.allclose(one, other, rtol=1e-8, atol=1e-9)
