"""What thermodynamics says of relaxed cells, and what is the same by two ways through the mathematics."""

from __future__ import annotations

from dataclasses import replace

import jax
import numpy as np
import pytest
from cell_cases import load_cell
from relaxed_cells import assert_columns, derivatives, equilibrium, measured, relaxed, responses, supercell

from md_sensitivity.analysis.relaxation import cell_motions
from md_sensitivity.curvature.products import hessian_product
from md_sensitivity.implicit import equilibrium_jacobian
from md_sensitivity.minimization import Equilibrium, minimize
from md_sensitivity.observables.stress import COMPONENTS

CASES = ["lj_argon_pressure", *(pytest.param(name, marks=pytest.mark.slow) for name in ("sw_silicon_primitive", "morse_triclinic"))]


def held(found: Equilibrium) -> Equilibrium:
    """The same minimum with its cell held fixed."""
    energy, positions = found.energy.placed(found.x)
    return minimize(energy, positions, found.theta, fmax=1e-10)


@pytest.mark.parametrize("name", CASES)
def test_cells_answer_with_compliance_times_the_change_of_stress(name: str) -> None:
    # Under a constant pressure −P: C dε/dθ + (∂σ/∂θ at fixed cell, atoms relaxed) = 0.
    case, found = load_cell(name), equilibrium(name)
    made, _ = derivatives(found, ("energy",), case.directions())
    _, dcell = responses(case, found, made)
    strains = np.linalg.solve(np.asarray(found.energy.cell(found.x)), dcell)
    _, fixed = derivatives(held(found), ("stress", "pressure"), case.directions())
    c = measured("elastic_constants", found)
    expected = np.einsum("pk,kab->pab", np.linalg.solve(c, -fixed["stress"].T).T, COMPONENTS)
    assert_columns(strains, expected, np.zeros(len(strains)), relative=1e-7, zero=1e-9)
    if name != "morse_triclinic":  # cubic: dV/dθ = (∂P/∂θ at fixed V) V/B
        bulk, volume = c[:3, :3].sum() / 9, float(measured("volume", found))
        assert_columns(volume * np.trace(strains, axis1=1, axis2=2), fixed["pressure"] * volume / bulk, np.zeros(len(strains)))


@pytest.mark.parametrize("name", ["lj_argon_pressure", pytest.param("sw_silicon_tension", marks=pytest.mark.slow)])
def test_volumes_fall_with_pressure_by_the_bulk_modulus(name: str) -> None:
    case, here = load_cell(name), equilibrium(name)
    step = 1e-3
    plus, minus = (
        float(measured("volume", relaxed(case.at_minimum, case.force_field, pressure=case.pressure + sign * step, fmax=1e-10)))
        for sign in (1, -1)
    )
    bulk = measured("elastic_constants", here)[:3, :3].sum() / 9
    volume = float(measured("volume", here))
    assert (plus - minus) / (2 * step) == pytest.approx(-volume / bulk, rel=1e-6)


@pytest.mark.parametrize("name", ["lj_argon_pressure", pytest.param("morse_triclinic", marks=pytest.mark.slow)])
def test_forward_and_adjoint_agree(name: str) -> None:
    case, found = load_cell(name), equilibrium(name)
    specs = ("volume", "lattice", "elastic_constants")
    made, forward = derivatives(found, specs, case.directions())
    other, adjoint = derivatives(found, specs, case.directions(), mode="adjoint")
    for spec in specs:
        assert np.abs(forward[spec] - adjoint[spec]).max() <= 1e-10 * np.abs(forward[spec]).max()
    # The reports' directions know how to read gradients; here they are the free parameters themselves.
    cell = np.asarray(found.energy.cell(found.x))
    directions = _Directions(case.directions())
    one, two = (np.asarray(cell_motions(found, parts, directions, cell)) for parts in (made, other))
    assert np.abs(one - two).max() <= 1e-10 * np.abs(one).max()


class _Directions:
    """What `cell_motions` asks of directions in parameter space."""

    def __init__(self, tree: dict[str, dict[str, np.ndarray]]) -> None:
        self.tree = tree

    def along(self, gradients: dict[str, dict[str, np.ndarray]]) -> np.ndarray:
        """⟨each gradient, each direction⟩, shape=(k, p)."""
        leaves = zip(jax.tree.leaves(gradients), jax.tree.leaves(self.tree), strict=True)
        return np.asarray(sum(np.asarray(g).reshape(len(g), -1) @ np.asarray(d).reshape(len(d), -1).T for g, d in leaves))


@pytest.mark.slow
@pytest.mark.parametrize("defect", [False, True])
def test_large_crystals_give_the_same_from_stored_blocks_as_from_products(defect: bool) -> None:
    case = load_cell("lj_argon_conventional")
    of = supercell(case.at_minimum, (5, 5, 5))
    if defect:
        of = replace(
            of, positions=of.positions[1:], types=of.types[1:], numbers=of.numbers[1:], masses=of.masses[1:], fixed=of.fixed[1:]
        )
    found = relaxed(of, case.force_field)
    assert found.status == "minimum" and found.spectrum.eigenvectors is None
    stored, products = (equilibrium_jacobian(found, case.directions(), hessian=way) for way in ("blocks", "products"))
    for one, other in zip(jax.tree.leaves(stored.value), jax.tree.leaves(products.value), strict=True):
        assert np.abs(np.asarray(one) - np.asarray(other)).max() <= 1e-8 * np.abs(np.asarray(other)).max()
    assert stored.solver == "pcg"
    # The smallest stretch of the small cell is one of the large cell too, in a coordinate as much stiffer as there are more atoms.
    if not defect:
        small = relaxed(case.at_minimum, case.force_field)
        assert measured("volume", found) / 125 == pytest.approx(float(measured("volume", small)), rel=1e-9)
        _, many = derivatives(found, ("volume",), case.directions())
        _, few = derivatives(small, ("volume",), case.directions())
        assert np.allclose(many["volume"] / 125, few["volume"], rtol=1e-8, atol=1e-8)
    # A rank-one bound from above, and the eigenvector's own quotient.
    mode, lowest = found.spectrum.mode, found.spectrum.lowest
    image = hessian_product(found.energy, found.x, found.theta, mode)
    size = sum(float(np.vdot(leaf, leaf)) for leaf in jax.tree.leaves(mode))
    quotient = sum(float(np.vdot(a, b)) for a, b in zip(jax.tree.leaves(mode), jax.tree.leaves(image), strict=True)) / size
    assert lowest > 0 and quotient == pytest.approx(lowest, rel=1e-5)
