"""Bonded potentials: closed forms, every derivative, motions of space, periodic boundaries, and geometries where angles are special."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import mdtraj
import numpy as np
import pytest
from derivatives import (
    STEP,
    assert_right_first,
    assert_right_second,
    assert_right_strain,
    assert_right_third,
    hessian_product,
    mixed_forward,
    third,
)
from molecules import (
    BONDS,
    PARAMETERS,
    SIZE,
    TYPES,
    Listed,
    bound,
    by_hand,
    chains,
    field_of,
    map_values,
    molecule,
    numbers_of,
    toml,
    torsion,
)
from scipy.interpolate import CubicSpline
from small_systems import (
    BONDED,
    close,
    difference,
    force_field,
    gradient,
    random_like,
    strain_gradient,
    strained,
    structure,
    theta_gradient,
    value,
)

from md_sensitivity.curvature.operators import BLOCKS, choose_hessian
from md_sensitivity.curvature.zero_modes import count_zero_modes, zero_modes
from md_sensitivity.forcefields.topology import Tuples
from md_sensitivity.minimization import minimize

every_form = pytest.mark.parametrize("potential", sorted(BONDED))
hessian = jax.jit(lambda energy, x, theta: jax.hessian(energy)(x, theta))


def case(potential: str, seed: int = 1, **options: Any) -> tuple[Any, jax.Array, Any]:
    return bound(field_of(potential), molecule(seed), **options)


def test_every_bonded_form_is_tried_here() -> None:
    assert {*PARAMETERS, "cmap"} == BONDED


@pytest.mark.parametrize("potential", PARAMETERS)
@pytest.mark.parametrize("seed", range(4))
def test_energies_are_those_of_the_closed_form(potential: str, seed: int) -> None:
    energy, x, theta = case(potential, seed)
    order = PARAMETERS[potential][0]
    found = [by_hand(potential, np.asarray(x)[list(c)], numbers_of(potential, [TYPES[i] for i in c])) for c in chains(order)]
    assert len(found) == 6      # six bonds, six angles, six torsions
    assert float(value(energy, x, theta)) == pytest.approx(sum(found), rel=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_a_correction_map_is_the_periodic_spline_through_its_values(seed: int) -> None:
    energy, x, theta = case("cmap", seed)
    at = 2 * np.pi * np.arange(SIZE + 1) / SIZE - np.pi
    total = 0.0
    for row, atoms in ((1, [0, 1, 2, 3, 1, 2, 3, 4]), (0, [1, 2, 5, 6, 6, 5, 2, 3]), (1, [4, 3, 2, 5, 3, 2, 5, 6])):
        first, second = torsion(np.asarray(x)[atoms[:4]]), torsion(np.asarray(x)[atoms[4:]])
        grid = map_values()[row].reshape(SIZE, SIZE)
        grid = np.pad(grid, ((0, 1), (0, 1)), mode="wrap")
        line = CubicSpline(at, grid, axis=1, bc_type="periodic")(second)
        line[-1] = line[0]
        total += (1.3, 0.8)[row] * float(CubicSpline(at, line, bc_type="periodic")(first))
    assert float(value(energy, x, theta)) == pytest.approx(total, rel=1e-11)


def test_a_correction_map_has_its_values_on_the_grid() -> None:
    field = field_of("cmap")
    for i, j in ((0, 0), (1, 4), (5, 2)):
        first, second = (2 * np.pi * k / SIZE - np.pi for k in (i, j))
        x = np.array([[1.0, 0.4, 0], [0, 0, 0], [0, 0, 1.5], [np.cos(first), np.sin(first), 1.8]])
        # Turned so that the first torsion is the wanted one, and the same for the other four atoms.
        x[3, :2] = np.array([[np.cos(first), -np.sin(first)], [np.sin(first), np.cos(first)]]) @ [1.0, 0.4]
        y = x + np.array([9.0, 0, 0])
        y[3, :2] = np.array([[np.cos(second), -np.sin(second)], [np.sin(second), np.cos(second)]]) @ [1.0, 0.4] + [9.0, 0.0]
        typing = Listed(tuples=(("cmap", Tuples(atoms=np.arange(8)[None], rows=np.array([0]))),))
        energy, z, theta = bound(replace(field, typing=typing), structure(np.concatenate([x, y]), "A" * 8))
        assert torsion(x) == pytest.approx(first, abs=1e-12) or abs(abs(first) - np.pi) < 1e-12
        assert float(value(energy, z, theta)) == pytest.approx(1.3 * map_values()[0].reshape(SIZE, SIZE)[i, j], rel=1e-10)


def test_torsions_have_the_sign_of_other_programs() -> None:
    of = molecule(3)
    text = '[[potential]]\nstyle = "periodic_torsion"\n[potential.parameters.X-X-X-X]\nk = 1.0\nphase = 90.0\nn = 1\n'
    for chain in chains(4):
        four = replace(structure(of.positions[list(chain)], "AAAA"), bonds=np.array([(0, 1), (1, 2), (2, 3)]))
        topology = mdtraj.Topology()
        residue = topology.add_residue("X", topology.add_chain())
        for k in range(4):
            topology.add_atom(f"C{k}", mdtraj.element.carbon, residue)
        phi = mdtraj.compute_dihedrals(mdtraj.Trajectory(four.positions[None] / 10, topology), [[0, 1, 2, 3]], opt=False)
        energy, x, theta = bound(force_field(text), four)
        assert float(value(energy, x, theta)) == pytest.approx(1 + np.sin(float(phi[0, 0])), abs=1e-5)


@every_form
def test_first_derivatives_are_differences_of_energies(potential: str) -> None:
    energy, x, theta = case(potential)
    assert_right_first(energy, x, theta)
    assert_right_strain(energy, x, theta)
    strain = 0.003 * jnp.array([[1.0, 0.4, -0.2], [0.4, -0.7, 0.5], [-0.2, 0.5, 0.3]])
    other, y, _ = bound(field_of(potential), replace(molecule(), positions=np.asarray(x @ (jnp.eye(3) + strain))))
    assert close(strained(energy, x, theta, strain), value(other, y, theta), 1e-12)


@pytest.mark.parametrize("potential", [pytest.param(name, marks=pytest.mark.slow) if name == "cmap" else name for name in sorted(BONDED)])
def test_second_and_third_derivatives_are_differences_of_gradients(potential: str) -> None:
    energy, x, theta = case(potential)
    assert_right_second(energy, x, theta)
    assert_right_third(energy, x, theta, step=0.3 * STEP)


@every_form
def test_stored_blocks_are_products(potential: str) -> None:
    energy, x, theta = case(potential)
    stored, name, _ = choose_hessian(energy, x, theta)
    assert name == BLOCKS and stored is not None
    v = jnp.asarray(np.random.default_rng(1).normal(size=(6, x.size)))
    found = stored.unpack(stored.product(stored.pack(v))).reshape(6, *x.shape)
    wanted = jnp.stack([hessian_product(energy, x, theta, row.reshape(x.shape)) for row in v])
    assert close(found, wanted, 1e-12)


@every_form
def test_padding_changes_nothing(potential: str) -> None:
    plain, x, theta = case(potential)
    padded, longer, _ = case(potential, padded=True)
    n = len(x)
    assert len(longer) > n and close(value(plain, x, theta), value(padded, longer, theta), 1e-13)
    forces = gradient(padded, longer, theta)
    assert close(gradient(plain, x, theta), forces[:n], 1e-13) and not np.any(forces[n:])
    assert close(theta_gradient(plain, x, theta), theta_gradient(padded, longer, theta), 1e-13)


@pytest.mark.parametrize("potential", PARAMETERS)
def test_turning_and_renumbering_changes_nothing_and_reflecting_turns_torsions_around(potential: str) -> None:
    rng = np.random.default_rng(2)
    of = molecule()
    energy, x, theta = bound(field_of(potential), of)
    turn, order = np.linalg.qr(rng.normal(size=(3, 3)))[0], rng.permutation(of.size)
    turn *= np.linalg.det(turn)
    places = np.argsort(order)
    moved = replace(of, positions=(of.positions @ turn + 20.0)[order], types=tuple(of.types[i] for i in order), bonds=places[of.bonds])
    other, y, _ = bound(field_of(potential), moved)
    assert close(value(energy, x, theta), value(other, y, theta), 1e-12)
    assert close((gradient(energy, x, theta) @ turn)[order], gradient(other, y, theta), 1e-11)
    reflected = float(value(energy, -x, theta))
    same = reflected == pytest.approx(float(value(energy, x, theta)), rel=1e-12)
    assert same == (potential not in ("periodic_torsion", "harmonic_torsion"))


CELLS = {
    "box": np.diag([7.5, 8.0, 7.0]),
    "triclinic": np.array([[7.5, 0.0, 0.0], [2.0, 7.0, 0.0], [-2.5, 3.0, 7.2]]),
    "skewed": np.array([[7.5, 0.0, 0.0], [47.0, 7.0, 0.0], [-33.5, 38.0, 7.2]]),
}


@pytest.mark.parametrize("cell", CELLS)
@every_form
def test_a_molecule_across_a_boundary_is_the_molecule_whole(potential: str, cell: str) -> None:
    rng = np.random.default_rng(4)
    of, lattice = molecule(), CELLS[cell]
    energy, x, theta = bound(field_of(potential), of)
    torn = of.positions + rng.integers(-2, 3, size=(of.size, 3)) @ lattice
    other, y, _ = bound(field_of(potential), replace(of, positions=torn, cell=lattice, pbc=np.ones(3, dtype=bool)))
    assert close(value(energy, x, theta), value(other, y, theta), 1e-12)
    assert close(gradient(energy, x, theta), gradient(other, y, theta), 1e-11)
    direction = random_like(jnp.zeros((3, 3)), 10)
    strain = 0.01 * (direction + direction.T)
    assert close(strained(energy, x, theta, strain), strained(other, y, theta, strain), 1e-12)
    assert close(strain_gradient(energy, x, theta, strain), strain_gradient(other, y, theta, strain), 1e-11)


def three(x: list[list[float]], theta0: float, k: float = 4.0) -> tuple[Any, jax.Array, Any]:
    text = f'[[potential]]\nstyle = "harmonic_angle"\n[potential.parameters.A-A-A]\nk = {k}\ntheta0 = {theta0}\n'
    return bound(force_field(text), replace(structure(np.array(x), "AAA"), bonds=np.array([(0, 1), (1, 2)])))


@pytest.mark.parametrize("bent", [0.0, 1e-13, 1e-11, 1e-9, 1e-6, 1e-4, 0.01, 0.06, 0.1, 0.5])
def test_a_linear_molecule_has_the_hessian_of_its_bending(bent: float) -> None:
    a, b, k = 1.1, 1.3, 4.0
    energy, x, theta = three([[-a, 0, 0], [0, 0, 0], [b * np.cos(bent), b * np.sin(bent), 0]], 180.0, k)
    assert float(value(energy, x, theta)) == pytest.approx(0.5 * k * bent**2, rel=1e-6, abs=1e-24)
    found = np.asarray(hessian(energy, x, theta)).reshape(9, 9)
    assert np.all(np.isfinite(third(energy, x, theta, random_like(x, 1), random_like(theta, 2))))
    if bent < 1e-5:
        bend = np.zeros((2, 3, 3))
        bend[0, :, 1] = bend[1, :, 2] = [1 / a, -1 / a - 1 / b, 1 / b]
        bend = bend.reshape(2, 9)
        assert np.abs(found - k * bend.T @ bend).max() < 20 * max(bent, 1e-11)
    else:
        v = random_like(x, 3)
        slope = difference(lambda h: gradient(energy, x + h * v, theta), 1e-4)
        assert close(found @ np.ravel(v), np.ravel(slope), 1e-7)


@pytest.mark.parametrize("angle", [0.0, 180.0])
@pytest.mark.parametrize("theta0", [0.0, 60.0, 109.5, 180.0])
def test_angles_of_atoms_in_line_have_finite_derivatives(angle: float, theta0: float) -> None:
    # In a direction that is no axis, so that rounding has its say.
    axis = np.array([0.3, -0.5, 0.81])
    energy, x, theta = three([list(-axis), [0, 0, 0], list(1.2 * axis * (1 if angle else -1))], theta0)
    v, d = random_like(x, 1), random_like(theta, 2)
    found = [f(energy, x, theta) for f in (gradient, theta_gradient)]
    found += [hessian_product(energy, x, theta, v), mixed_forward(energy, x, theta, d)]
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(found))
    assert np.all(np.isfinite(third(energy, x, theta, v, d)))
    assert float(value(energy, x, theta)) == pytest.approx(2.0 * np.radians(angle - theta0) ** 2, rel=1e-7, abs=1e-14)


@pytest.mark.parametrize("phi", [0.0, 180.0, 90.0])
@pytest.mark.parametrize("potential", ["periodic_torsion", "rb_torsion", "fourier_torsion", "harmonic_torsion"])
def test_planar_torsions_have_right_derivatives(potential: str, phi: float) -> None:
    turn = np.radians(phi)
    x = np.array([[1.2, 0, -0.4], [0, 0, 0], [0, 0, 1.5], [np.cos(turn), np.sin(turn), 1.9]]) @ np.linalg.qr(np.ones((3, 3)) + np.eye(3))[0]
    numbers = "\n".join(f"{name} = {number!r}" for name, number in PARAMETERS[potential][1].items())
    text = f'[[potential]]\nstyle = "{potential}"\n{PARAMETERS[potential][2]}\n[potential.parameters.X-A-A-X]\n{numbers}\n'
    field = force_field(text)
    energy, x, theta = bound(field, replace(structure(x, "AAAA"), bonds=np.array([(0, 1), (1, 2), (2, 3)])))
    v, d = random_like(x, 3), random_like(theta, 2)
    assert close(jnp.vdot(gradient(energy, x, theta), v), difference(lambda h: value(energy, x + h * v, theta), STEP), 1e-7)
    assert close(hessian_product(energy, x, theta, v), difference(lambda h: gradient(energy, x + h * v, theta), STEP), 1e-7)
    assert np.all(np.isfinite(third(energy, x, theta, v, d)))


@pytest.mark.parametrize("potential", ["periodic_torsion", "rb_torsion", "fourier_torsion", "harmonic_torsion"])
def test_torsions_of_atoms_in_line_are_finite(potential: str) -> None:
    numbers = "\n".join(f"{name} = {number!r}" for name, number in PARAMETERS[potential][1].items())
    field = force_field(f'[[potential]]\nstyle = "{potential}"\n[potential.parameters.X-X-X-X]\n{numbers}\n')
    axis = np.array([0.3, -0.5, 0.81])
    bonds = np.array([(0, 1), (1, 2), (2, 3)])
    for last in (3.1 * axis, 2.0 * axis + [1.0, 0, 0]):
        energy, x, theta = bound(field, replace(structure(np.array([0 * axis, axis, 2 * axis, last]), "AAAA"), bonds=bonds))
        v, d = random_like(x, 3), random_like(theta, 2)
        found = (value(energy, x, theta), gradient(energy, x, theta), hessian_product(energy, x, theta, v), third(energy, x, theta, v, d))
        assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(found))


STIFF = "".join(toml(name) for name in ("harmonic_bond", "harmonic_angle", "periodic_torsion"))
"""What holds the molecule in shape."""


def test_a_free_molecule_has_six_zero_modes_and_two_have_twelve() -> None:
    found = minimize(*bound(force_field(STIFF), molecule()), fmax=1e-9)
    assert found.zero_modes == 6
    eigenvalues = np.linalg.eigvalsh(np.asarray(hessian(found.energy, found.x, found.theta)).reshape(21, 21))
    assert np.abs(eigenvalues[:6]).max() < 1e-8 and eigenvalues[6] > 1e-4
    of = molecule()
    both = np.concatenate([np.asarray(found.x), np.asarray(found.x) + 3.0])
    two = replace(structure(both, TYPES * 2), bonds=np.concatenate([of.bonds, of.bonds + of.size]))
    energy, x, theta = bound(force_field(STIFF), two)
    assert count_zero_modes(zero_modes(energy, x, theta), x) == 12
    assert close(value(energy, x, theta), 2 * found.value, 1e-11)


def test_a_linear_molecule_has_five_zero_modes() -> None:
    text = '[[potential]]\nstyle = "harmonic_bond"\n[potential.parameters.A-A]\nk = 40.0\nr0 = 1.2\n'
    text += '[[potential]]\nstyle = "harmonic_angle"\n[potential.parameters.A-A-A]\nk = 4.0\ntheta0 = 180.0\n'
    start = replace(structure(np.array([[-1.3, 0.02, 0], [0, 0, 0.03], [1.1, 0.04, 0.1]]), "AAA"), bonds=np.array([(0, 1), (1, 2)]))
    found = minimize(*bound(force_field(text), start), fmax=1e-9)
    assert found.zero_modes == 5 and found.status == "minimum"
    eigenvalues = np.linalg.eigvalsh(np.asarray(hessian(found.energy, found.x, found.theta)).reshape(9, 9))
    assert np.abs(eigenvalues[:5]).max() < 1e-7 and eigenvalues[5] > 1.0


def test_a_molecule_in_a_crystal_of_charges_has_three_zero_modes() -> None:
    charges = '[[potential]]\nstyle = "coulomb_ewald"\ncutoff = 5.0\nexclude = 3\n[potential.parameters.A]\nq = 0.1\n'
    charges += "[potential.parameters.B]\nq = -0.2\n"
    of = replace(molecule(), cell=np.diag([12.0, 12.0, 12.0]), pbc=np.ones(3, dtype=bool))
    energy, x, theta = bound(force_field(STIFF + charges), of)
    assert count_zero_modes(zero_modes(energy, x, theta), x) == 3
    alone, x, theta = bound(force_field(STIFF), of)
    assert count_zero_modes(zero_modes(alone, x, theta), x) == 6


def test_bonds_are_those_of_the_structure_alone() -> None:
    energy, x, theta = bound(field_of("harmonic_bond"), replace(molecule(), bonds=np.array(BONDS[:2])))
    found = [by_hand("harmonic_bond", np.asarray(x)[list(c)], numbers_of("harmonic_bond", [TYPES[i] for i in c])) for c in BONDS[:2]]
    assert float(value(energy, x, theta)) == pytest.approx(sum(found), rel=1e-12)
