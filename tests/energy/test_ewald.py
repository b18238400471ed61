"""Sums over periodic images against lattice constants of the literature, limits of theory, and each other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from derivatives import assert_right_first, assert_right_second, assert_right_strain, assert_right_third, hessian_product
from small_systems import (
    close,
    crystal,
    force_field,
    gradient,
    inner,
    random_like,
    strain_gradient,
    structure,
    theta_gradient,
    value,
)

from md_sensitivity.building import build_system
from md_sensitivity.curvature.operators import choose_hessian
from md_sensitivity.errors import InputError
from md_sensitivity.potentials.mesh_products import MeshProducts
from md_sensitivity.system import EnergyFunction, energy_function
from md_sensitivity.types import Structure

COULOMB = 1e10 * 1.602176634e-19 / (4 * np.pi * 8.8541878128e-12)
"""e²/(4πε₀) from CODATA 2018 [eV·Å]."""


def text(style: str = "coulomb_ewald", cutoff: float | None = 8.0, more: str = "", **charges: float) -> str:
    tables = "".join(f"[potential.parameters.{name}]\nq = {q!r}\n" for name, q in charges.items())
    end = "" if cutoff is None else f'cutoff = {cutoff!r}\ntruncation = "none"'
    return f'[[potential]]\nstyle = "{style}"\n{end}\n{more}\n{tables}'


def bound(of: Structure, style: str = "coulomb_ewald", cutoff: float | None = 8.0, more: str = "", **charges: float) -> Any:
    field = force_field(text(style, cutoff, more, **charges))
    system = build_system(of, field)
    return energy_function(system), system.positions, jax.tree.map(jnp.asarray, field.parameters)


FCC = np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
ROCK_SALT, SPHALERITE = 1.747564594633182, 1.638055053388789
# Madelung constants M, for E per formula unit = −M |q₊ q₋| e²/(4πε₀ d): Borwein, Borwein and Taylor, doi:10.1063/1.526675. That of
# fluorite follows from those of rock salt and sphalerite, of whose pairs of lattices it is made; Sakamoto, doi:10.1063/1.1744060,
# has 5.03878 for twice of it.
CRYSTALS: dict[str, tuple[np.ndarray, str, list[list[float]], float, float, dict[str, float]]] = {
    "NaCl": (FCC, "AB", [[0, 0, 0], [0.5, 0.5, 0.5]], 0.5, ROCK_SALT, {"A": 1.0, "B": -1.0}),
    "CsCl": (np.eye(3), "AB", [[0, 0, 0], [0.5, 0.5, 0.5]], np.sqrt(3) / 2, 1.762674773070988, {"A": 1.0, "B": -1.0}),
    "ZnS": (FCC, "AB", [[0, 0, 0], [0.25, 0.25, 0.25]], np.sqrt(3) / 4, SPHALERITE, {"A": 1.0, "B": -1.0}),
    "CaF2": (
        FCC, "ABB", [[0, 0, 0], [0.25, 0.25, 0.25], [-0.25, -0.25, -0.25]], np.sqrt(3) / 4,
        2 * SPHALERITE - np.sqrt(3) / 4 * ROCK_SALT, {"A": 2.0, "B": -1.0},
    ),
}  # fmt: skip
"""Name → lattice vectors, types, Cartesian places, nearest distance (in units of the edge), Madelung constant, charges."""
EDGE = 5.3
BASES = {
    "primitive": np.eye(3, dtype=int),
    "skewed": np.array([[1, 2, -1], [0, 1, 3], [0, 0, 1]]),
    "double": np.array([[2, 0, 0], [0, 1, 0], [1, 0, 1]]),
    "supercell": np.array([[-1, 1, 1], [1, -1, 1], [1, 1, -1]]),
}
"""Rows of whole numbers; the last makes the cube out of the face-centered cell."""


def repeated(name: str, basis: np.ndarray) -> tuple[Structure, int]:
    """A crystal in another cell, and its number of formula units."""
    lattice, types, places, *_ = CRYSTALS[name]
    cell, units = basis @ lattice * EDGE, round(abs(np.linalg.det(basis)))
    corners = np.array(np.meshgrid(*[np.arange(-6, 7)] * 3)).reshape(3, -1).T @ lattice * EDGE
    fractions = corners @ np.linalg.inv(cell)
    inside = corners[np.all((fractions > -1e-9) & (fractions < 1 - 1e-9), axis=1)]
    assert len(inside) == units
    x = (inside[:, None] + EDGE * np.array(places)[None]).reshape(-1, 3)
    return structure(x, types * units, cell), units


@pytest.mark.parametrize("basis", BASES)
@pytest.mark.parametrize("name", CRYSTALS)
def test_madelung_constants_are_those_of_the_literature(name: str, basis: str) -> None:
    *_, distance, constant, charges = CRYSTALS[name]
    of, units = repeated(name, BASES[basis])
    energy, x, theta = bound(of, more="tolerance = 1e-13", **charges)
    product = abs(charges["A"] * charges["B"])
    found = -float(value(energy, x, theta)) / units / (product * COULOMB / (distance * EDGE))
    assert found == pytest.approx(constant, rel=1e-11)
    assert float(jnp.abs(gradient(energy, x, theta)).max()) < 1e-9


CHARGES = {"A": 1.2, "B": -0.9}
TOTAL = 2 * (1.2 - 0.9)


def test_the_splitting_changes_nothing() -> None:
    near, x, theta = bound(crystal(), cutoff=6.0, more="tolerance = 1e-14", **CHARGES)
    far, _, _ = bound(crystal(), cutoff=9.0, more="tolerance = 1e-14", **CHARGES)
    assert close(value(near, x, theta), value(far, x, theta), 1e-12)
    assert close(gradient(near, x, theta), gradient(far, x, theta), 1e-11)
    assert close(theta_gradient(near, x, theta), theta_gradient(far, x, theta), 1e-11)
    zero = jnp.zeros((3, 3))
    assert close(strain_gradient(near, x, theta, zero), strain_gradient(far, x, theta, zero), 1e-11)


@pytest.mark.parametrize("style", ["coulomb_ewald", "coulomb_pme"])
@pytest.mark.parametrize("tolerance", [1e-4, 1e-6, 1e-9])
def test_what_a_tolerance_leaves_out_is_about_so_much(style: str, tolerance: float) -> None:
    exact, x, theta = bound(crystal(), cutoff=6.0, more="tolerance = 1e-14", **CHARGES)
    rough, _, _ = bound(crystal(), style, cutoff=6.0, more=f"tolerance = {tolerance}", **CHARGES)
    theirs = {style: theta["coulomb_ewald"]}
    error = abs(float(value(rough, x, theirs)) - float(value(exact, x, theta)))
    assert error < 100 * tolerance * abs(float(value(exact, x, theta)))
    forces = jnp.abs(gradient(rough, x, theirs) - gradient(exact, x, theta)).max()
    assert float(forces) < 100 * tolerance * float(jnp.abs(gradient(exact, x, theta)).max()) + 100 * tolerance


# −ξ/2 of a simple cubic lattice of charges in a uniform background: Nijboer and Ruijgrok, doi:10.1007/BF01023562.
WIGNER = 2.837297479480619476666


@pytest.mark.parametrize("style", ["coulomb_ewald", "coulomb_pme"])
def test_a_charge_in_a_uniform_background_has_the_energy_of_wigners_crystal(style: str) -> None:
    for edge, q in ((7.0, 1.0), (11.0, -1.6)):
        of = structure(np.array([[0.3, -0.2, 1.1]]), "A", edge * np.eye(3))
        energy, x, theta = bound(of, style, 9.0, "tolerance = 1e-13", A=q)
        assert float(value(energy, x, theta)) == pytest.approx(-0.5 * WIGNER * COULOMB * q**2 / edge, rel=1e-11)
        # E ∝ V^(−1/3): the pressure of a uniform background is counted.
        by_strain = strain_gradient(energy, x, theta, jnp.zeros((3, 3)))
        assert close(jnp.trace(by_strain), -value(energy, x, theta), 1e-10)
        assert close(by_strain, jnp.trace(by_strain) / 3 * jnp.eye(3), 1e-10)


@pytest.mark.parametrize("style", ["coulomb_ewald", "coulomb_pme"])
def test_scaling_a_crystal_of_charges_scales_its_energy(style: str) -> None:
    # Euler: E is homogeneous of degree −1 in lengths, with and without a net charge, and of degree 2 in charges.
    for charges in (CHARGES, {"A": 1.0, "B": -1.0}):
        energy, x, theta = bound(crystal(), style, 6.0, "tolerance = 1e-13", **charges)
        by_strain = strain_gradient(energy, x, theta, jnp.zeros((3, 3)))
        assert close(jnp.trace(by_strain), -value(energy, x, theta), 1e-10)
        assert close(inner(theta_gradient(energy, x, theta), theta), 2 * value(energy, x, theta), 1e-12)


def water(edge: float) -> Structure:
    x = np.array([[0.1, 0.2, -0.1], [1.05, 0.25, 0.0], [-0.3, 0.9, 0.35]])
    return replace(structure(x, "ABB", edge * np.eye(3)), bonds=np.array([(0, 1), (0, 2)]))


@pytest.mark.parametrize("style", ["coulomb_ewald", "coulomb_pme"])
def test_the_energy_of_a_molecule_without_its_own_pairs_is_that_of_its_images(style: str) -> None:
    charges, q = {"A": -0.8, "B": 0.4}, np.array([-0.8, 0.4, 0.4])
    dipole = q @ water(9.0).positions
    found = []
    for edge in (20.0, 40.0):
        energy, x, theta = bound(water(edge), style, 9.0, "exclude = 2\ntolerance = 1e-13", **charges)
        found.append(float(value(energy, x, theta)))
    # Dipoles on a cubic lattice, surrounded by a conductor: E = −2π p²/3V, and then higher multipoles.
    for energy, edge in zip(found, (20.0, 40.0), strict=True):
        assert energy == pytest.approx(-2 * np.pi / 3 * COULOMB * dipole @ dipole / edge**3, rel=3 / edge**2)
    assert found[0] / found[1] == pytest.approx(8.0, rel=0.01)


@pytest.mark.parametrize("style", ["coulomb_ewald", "coulomb_pme"])
def test_excluded_and_scaled_pairs_are_taken_from_the_sum_over_images(style: str) -> None:
    charges = {"A": 0.7, "B": -0.4}
    bonds = np.array([(0, 1), (1, 2), (2, 3)])
    of = replace(crystal(), bonds=bonds)
    of = replace(of, cell=2.5 * of.cell)
    whole, x, theta = bound(of, style, 6.0, "tolerance = 1e-13", **charges)
    part, _, scaled = bound(of, style, 6.0, "tolerance = 1e-13\nexclude = 3\nscale14 = 0.3", **charges)
    q = np.array([charges[name] for name in of.types])
    taken = 0.0
    for i, j, left in ((0, 1, 0.0), (1, 2, 0.0), (2, 3, 0.0), (0, 2, 0.0), (1, 3, 0.0), (0, 3, 0.3)):
        taken += (1 - left) * COULOMB * q[i] * q[j] / np.linalg.norm(of.positions[i] - of.positions[j])
    assert float(value(part, x, scaled)) == pytest.approx(float(value(whole, x, theta)) - taken, rel=1e-11)


def case(style: str, order: int = 12, tolerance: float = 1e-13) -> tuple[EnergyFunction, jax.Array, Any]:
    more = f"tolerance = {tolerance}" + (f"\norder = {order}" if style == "coulomb_pme" else "")
    of = replace(crystal(), bonds=np.array([(0, 1), (1, 2), (2, 3)]))
    return bound(replace(of, cell=1.6 * of.cell), style, 5.0, f"{more}\nexclude = 3\nscale14 = 0.4", **CHARGES)


@pytest.mark.parametrize("style", ["coulomb_ewald", "coulomb_pme"])
def test_derivatives_with_exclusions_are_differences(style: str) -> None:
    energy, x, theta = case(style)
    for check in (assert_right_first, assert_right_strain, assert_right_second, assert_right_third):
        check(energy, x, theta)


@pytest.mark.parametrize(
    ("order", "tolerance"),
    [
        (5, 1e-4), (8, 1e-8),
        *(pytest.param(*each, marks=pytest.mark.slow) for each in ((4, 1e-4), (6, 1e-5), (7, 1e-6), (8, 1e-4), (10, 1e-10), (12, 1e-10))),
    ],
)  # fmt: skip
def test_the_mesh_agrees_with_the_sum_over_waves_to_its_tolerance(order: int, tolerance: float) -> None:
    exact, x, theta = case("coulomb_ewald")
    mesh, _, theirs = case("coulomb_pme", order, tolerance)
    v = random_like(x, 3)
    zero = jnp.zeros((3, 3))
    wanted = (
        value(exact, x, theta), gradient(exact, x, theta), strain_gradient(exact, x, theta, zero),
        theta_gradient(exact, x, theta)["coulomb_ewald"]["q"], hessian_product(exact, x, theta, v),
    )  # fmt: skip
    found = (
        value(mesh, x, theirs), gradient(mesh, x, theirs), strain_gradient(mesh, x, theirs, zero),
        theta_gradient(mesh, x, theirs)["coulomb_pme"]["q"], hessian_product(mesh, x, theirs, v),
    )  # fmt: skip
    for name, a, b in zip(("energy", "gradient", "strain", "charges", "product"), wanted, found, strict=True):
        assert close(a, b, (1000 if name == "product" else 100) * tolerance), name


@pytest.mark.parametrize("order", [4, 5, 8])
def test_stored_splines_multiply_like_derivatives_of_the_gradient(order: int) -> None:
    energy, x, theta = case("coulomb_pme", order, 1e-6)
    stored, _, _ = choose_hessian(energy, x, theta)
    assert stored is not None and isinstance(stored.fields[0], MeshProducts)
    v = jnp.stack([random_like(x, seed) for seed in (3, 4)])
    found = stored.unpack(stored.product(stored.pack(v.reshape(2, -1))))
    for moved, direction in zip(found, v, strict=True):
        assert close(moved.reshape(x.shape), hessian_product(energy, x, theta, direction), 1e-12)
    assert float(jnp.abs(jnp.sum(found.reshape(2, -1, 3), axis=1)).max()) < 1e-11 * float(jnp.abs(found).max())


@pytest.mark.parametrize("style", ["coulomb_ewald", "coulomb_pme"])
def test_a_doubled_cell_has_twice_the_energy(style: str) -> None:
    of = crystal()
    energy, x, theta = bound(of, style, 6.0, "tolerance = 1e-13", **CHARGES)
    double = structure(
        np.concatenate([of.positions, of.positions + of.cell[1]]), "ABBA" * 2, of.cell * np.array([[1], [2], [1]])
    )
    other, y, _ = bound(double, style, 6.0, "tolerance = 1e-13", **CHARGES)
    assert close(2 * value(energy, x, theta), value(other, y, theta), 1e-11)
    assert close(jnp.concatenate([gradient(energy, x, theta)] * 2), gradient(other, y, theta), 1e-10)


@pytest.mark.parametrize("style", ["coulomb_ewald", "coulomb_pme"])
def test_what_is_not_periodic_has_coulombs_law_itself(style: str) -> None:
    x = np.random.default_rng(3).normal(scale=3.0, size=(5, 3))
    energy, y, theta = bound(structure(x, "ABABA"), style, None, **CHARGES)
    q = np.array([CHARGES[name] for name in "ABABA"])
    total = sum(COULOMB * q[i] * q[j] / np.linalg.norm(x[i] - x[j]) for i in range(5) for j in range(i))
    assert float(value(energy, y, theta)) == pytest.approx(total, rel=1e-12)
    assert not energy.system.fields


@pytest.mark.parametrize("style", ["coulomb_ewald", "coulomb_pme"])
@pytest.mark.parametrize(
    ("of", "cutoff", "message"),
    [
        (structure(np.eye(3), "ABA"), 6.0, "periodic along all three axes"),
        (replace(crystal(), pbc=np.array([True, True, False])), 6.0, "periodic along all three axes"),
        (crystal(), None, "needs a cutoff"),
    ],
    ids=["cluster", "slab", "endless"],
)
def test_what_has_no_such_sum_is_refused(style: str, of: Structure, cutoff: float | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        bound(of, style, cutoff, **CHARGES)
