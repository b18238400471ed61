"""Observables of molecules against closed forms, MDTraj, and re-minimized differences."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import charmm_files
import jax
import jax.numpy as jnp
import mdtraj
import numpy as np
import pytest
from observed import at, direction_of, measured, minimum_along, peptide
from scipy.spatial.transform import Rotation
from small_systems import close, difference, random_like

from md_sensitivity.analysis.sensitivity import parts
from md_sensitivity.building import build_system
from md_sensitivity.errors import UsageError
from md_sensitivity.forcefields import ForceField, read_force_field
from md_sensitivity.forcefields.nonbonded import Nonbonded, applied
from md_sensitivity.minimization import Equilibrium, minimize
from md_sensitivity.observables import OBSERVABLES, observable
from md_sensitivity.structures.mdtraj import topology_of
from md_sensitivity.system import energy_function
from md_sensitivity.types import Structure

SPECS = (
    "dipole",
    "dipole_vector",
    "hydrogen_bonds",
    "hydrogen_bonds:0-2|3-5",
    "sasa",
    "sasa:element:O",
    "interaction_energy:resid 0|resid 1",
    "radius_of_gyration:element:O",
    "rmsd:0-3",
)
CELL = np.array([[19.5, 0.0, 0.0], [1.0, 19.0, 0.0], [-1.0, 0.5, 19.2]])


def trimer() -> Structure:
    """Three molecules of water around a ring, not yet at rest."""
    angles = np.radians([90.0, 210.0, 330.0])
    oxygens = 1.65 * np.column_stack([np.cos(angles), np.sin(angles), [0.05, -0.1, 0.1]])
    # One hydrogen of each points along the ring to the next oxygen.
    own = [[0.79, 0, 0.61], [-0.79, 0, 0.61]]
    turns = [Rotation.align_vectors([[np.cos(a + 2.62), np.sin(a + 2.62), 0.0], [0.2, 0.1, 1.0]], own)[0].as_matrix() for a in angles]
    return charmm_files.waters(oxygens, np.array(turns))


def dimer() -> Structure:
    """Two molecules of water, one of which points to the other, not yet at rest."""
    give = Rotation.align_vectors([[1.0, 0.05, 0.0], [-0.2, -0.1, 1.0]], [[0.79, 0, 0.61], [-0.79, 0, 0.61]])[0].as_matrix()
    take = Rotation.align_vectors([[0.4, 0.7, -0.6], [0.4, -0.8, -0.5]], [[0.79, 0, 0.61], [-0.79, 0, 0.61]])[0].as_matrix()
    return charmm_files.waters(np.array([[0.0, 0.0, 0.0], [2.8, 0.1, -0.1]]), np.array([give, take]))


@cache
def water(count: int) -> ForceField:
    with TemporaryDirectory() as folder:
        return read_force_field(charmm_files.write_waters(Path(folder), count))


@cache
def relaxed() -> Equilibrium:
    field = water(2)
    energy = energy_function(build_system(dimer(), field))
    return minimize(energy, energy.system.positions, field.parameters)


@cache
def moved(step: float) -> Equilibrium:
    return minimum_along(relaxed(), step)


def test_the_dimer_is_a_minimum_with_one_hydrogen_bond() -> None:
    assert relaxed().status == "minimum"
    assert 0.9 < float(measured("hydrogen_bonds", relaxed(), dimer())) < 1.1


def test_every_observable_of_molecules_is_tested_here() -> None:
    tested = {spec.partition(":")[0] for spec in SPECS}
    elsewhere = {"end_to_end"}      # test_ends.py
    assert {name for name, kind in OBSERVABLES.items() if kind.selections} | {"dipole", "dipole_vector"} == tested | elsewhere


@pytest.mark.parametrize("spec", SPECS)
def test_derivatives_through_the_minimum_are_those_of_reminimized_differences(spec: str) -> None:
    equilibrium = relaxed()
    bound = observable(spec, dimer()).bind(equilibrium)
    directions = jax.tree.map(lambda d: jnp.asarray(d)[None], direction_of(relaxed()))
    found = {mode: parts((bound,), equilibrium, directions, mode=mode) for mode in ("forward", "adjoint")}
    total = {mode: np.asarray(f.direct[0][0] + f.relaxation[0][0]) for mode, f in found.items()}
    assert close(total["forward"], total["adjoint"], 1e-9)
    assert np.abs(total["forward"]).max() > 1e-4
    # Bound anew at each minimum. Vectors turn with the minimizer's path, so that only the magnitude can be differenced.
    if spec != "dipole_vector":
        assert close(total["forward"], difference(lambda h: measured(spec, moved(h), dimer()), 1e-4), 2e-5)


@pytest.mark.parametrize("spec", SPECS)
def test_first_derivatives_by_position_are_differences(spec: str) -> None:
    equilibrium = relaxed()
    bound = observable(spec, dimer()).bind(equilibrium)
    x = equilibrium.x + 0.01 * random_like(equilibrium.x, 2)
    v = random_like(x, 3)

    @jax.jit
    def of(y: jax.Array) -> jax.Array:
        return bound(equilibrium.energy, y, equilibrium.theta)

    forward = jax.jvp(of, (x,), (v,))[1]
    assert close(forward, difference(lambda h: of(x + h * v), 1e-4), 1e-8)
    weights = random_like(forward, 4)
    (by_x,) = jax.vjp(of, x)[1](weights)
    assert close(jnp.vdot(by_x, v), jnp.vdot(weights, forward), 1e-10)


@pytest.mark.parametrize("spec", SPECS)
def test_values_are_those_without_padding(spec: str) -> None:
    field, of = water(2), dimer()
    values = []
    for padded in (False, True):
        energy = energy_function(build_system(of, field, padded=padded))
        equilibrium = replace(at(of, field), energy=energy, x=energy.system.positions)
        values.append(measured(spec, equilibrium, of))
    assert close(values[0], values[1], 1e-12)


# Dipole.


def test_the_dipole_of_water_is_that_of_its_charges() -> None:
    of = charmm_files.waters(np.zeros((1, 3)), np.eye(3)[None])
    expected = 2 * 0.417 * 0.9572 * np.cos(np.radians(104.52 / 2))
    assert float(measured("dipole", at(of, water(1)), of)) == pytest.approx(expected, rel=1e-12)
    assert expected * 4.80320471 == pytest.approx(2.347, abs=1e-3)  # Debye, Jorgensen et al. 1983
    assert measured("dipole_vector", at(of, water(1)), of) == pytest.approx([0.0, 0.0, expected], abs=1e-12)


def test_dipoles_agree_with_mdtraj() -> None:
    of = charmm_files.structure()
    charges = np.array([charge for _, _, charge in charmm_files.ATOMS])
    trajectory = mdtraj.Trajectory(of.positions[None] / 10, topology_of(of))
    found = measured("dipole_vector", at(of, peptide()), of)
    assert found == pytest.approx(-mdtraj.dipole_moments(trajectory, charges)[0] * 10, abs=1e-5)  # whose vectors point to the minus
    assert float(measured("dipole", at(of, peptide()), of)) == pytest.approx(np.linalg.norm(charges @ of.positions), rel=1e-10)


def test_molecules_that_cross_the_boundary_of_a_cell_are_made_whole() -> None:
    of = replace(trimer(), cell=CELL, pbc=np.ones(3, dtype=bool))
    fractions = (of.positions + 3.0) @ np.linalg.inv(CELL)
    scattered = replace(of, positions=of.positions + np.random.default_rng(3).integers(-2, 3, size=fractions.shape) @ CELL)
    free = measured("dipole_vector", at(trimer(), water(3)), trimer())
    assert measured("dipole_vector", at(scattered, water(3)), scattered) == pytest.approx(free, abs=1e-9)
    for spec in ("hydrogen_bonds", "sasa"):
        expected = measured(spec, at(trimer(), water(3)), trimer())
        assert float(measured(spec, at(scattered, water(3)), scattered)) == pytest.approx(float(expected), rel=1e-9)


def test_the_dipole_of_ions_is_taken_about_the_center_of_mass() -> None:
    of = charmm_files.waters(np.zeros((1, 3)), np.eye(3)[None])
    start = at(of, water(1))
    theta = {**start.theta, "Coulomb": {**start.theta["Coulomb"], "q": np.array([-0.6, 0.417])}}
    q = np.array([-0.6, 0.417, 0.417])
    expected = q @ (of.positions - of.masses @ of.positions / of.masses.sum())
    assert measured("dipole_vector", replace(start, theta=theta), of) == pytest.approx(expected, abs=1e-12)
    boxed = replace(of, cell=CELL, pbc=np.ones(3, dtype=bool))
    with pytest.raises(UsageError, match=r"has charge 0\.234 e; in a periodic structure"):
        observable("dipole", boxed).bind(replace(at(boxed, water(1)), theta=theta))


# Hydrogen bonds.


def plain_count(of: Structure) -> float:
    """Sum over all O–H···O between molecules of water, as published."""
    x, total = of.positions, 0.0
    for oxygen in range(0, of.size, 3):
        for hydrogen in (oxygen + 1, oxygen + 2):
            for acceptor in range(0, of.size, 3):
                there, back = x[acceptor] - x[hydrogen], x[oxygen] - x[hydrogen]
                r = float(np.linalg.norm(there))
                if acceptor == oxygen or r >= 6:
                    continue
                t = max(0.0, r - 5.0)
                fading = 1 - 10 * t**3 + 15 * t**4 - 6 * t**5
                cosine = float(there @ back) / r / float(np.linalg.norm(back))
                total += fading / (1 + (r / 2.5) ** 12) / (1 + np.exp((cosine + 0.5) / 0.1))
    return total


def test_a_bond_counts_by_its_distance_and_angle() -> None:
    for r, angle in ((1.9, 175.0), (2.5, 180.0), (2.2, 120.0), (3.0, 150.0), (5.5, 180.0)):
        start = charmm_files.waters(np.zeros((2, 3)), np.stack([np.eye(3)] * 2))
        donor, hydrogen = start.positions[0], start.positions[1]
        axis = (donor - hydrogen) / np.linalg.norm(donor - hydrogen)
        turned = Rotation.from_rotvec(np.radians(angle) * np.array([0.0, 1.0, 0.0])).apply(axis)
        # The other molecule points its hydrogens away, so that it gives no bond.
        other = Rotation.align_vectors([turned], [[0.0, 0.0, 1.0]])[0].as_matrix()
        of = charmm_files.waters(np.array([np.zeros(3), hydrogen + r * turned]), np.stack([np.eye(3), other]))
        for spec in ("hydrogen_bonds", "hydrogen_bonds:0-2|3-5", "hydrogen_bonds:resid 1|resid 0"):
            assert float(measured(spec, at(of, water(2)), of)) == pytest.approx(plain_count(of), rel=1e-10)
    start = dimer()
    assert plain_count(start) == pytest.approx(1.0, abs=0.1)


def test_hydrogen_bonds_are_those_of_mdtraj() -> None:
    for of, field in ((charmm_files.structure(), peptide()), (dimer(), water(2))):
        of = replace(of, bonds=np.array([[3 * m, 3 * m + k] for m in range(2) for k in (1, 2)])) if of.size == 6 else of
        trajectory = mdtraj.Trajectory(of.positions[None] / 10, topology_of(of))
        expected = len(mdtraj.baker_hubbard(trajectory, exclude_water=False, freq=0.0))
        assert float(measured("hydrogen_bonds", at(of, field), of)) == pytest.approx(expected, abs=0.35)


# Surface.


def lens(r: float, d: float) -> float:
    """Area of two equal spheres of radius r at distance d < 2r."""
    return 2 * (4 * np.pi * r * r - 2 * np.pi * r * (r - d / 2))


def of_oxygens(distance: float) -> Structure:
    """Two atoms of oxygen."""
    from small_systems import structure

    return replace(structure(np.array([[0.3, 0.1, 0.2], [0.3, 0.1, 0.2 + distance]]), "AA"), numbers=np.array([8, 8]))


@pytest.mark.parametrize("distance", [1.2, 2.5, 4.0, 5.5, 8.0])
def test_the_surface_of_two_atoms_is_that_of_spheres(distance: float) -> None:
    from small_systems import force_field, mixed

    of = of_oxygens(distance)
    field = force_field(mixed("lorentz-berthelot").replace('cutoff = 5.3\ntruncation = "switch"\n', ""))
    r = 1.52 + 1.4
    expected = lens(r, distance) if distance < 2 * r else 8 * np.pi * r * r
    assert float(measured("sasa", at(of, field), of)) == pytest.approx(expected, rel=3e-3)
    assert float(measured("sasa:0", at(of, field), of)) == pytest.approx(expected / 2, rel=3e-3)


def test_the_surface_of_a_peptide_is_that_of_mdtraj() -> None:
    of = charmm_files.structure()
    trajectory = mdtraj.Trajectory(of.positions[None] / 10, topology_of(of))
    each = mdtraj.shrake_rupley(trajectory, probe_radius=0.14, n_sphere_points=20000)[0] * 100
    equilibrium = at(of, peptide())
    assert float(measured("sasa", equilibrium, of)) == pytest.approx(each.sum(), rel=5e-3)
    oxygens = of.numbers == 8
    assert float(measured("sasa:element:O", equilibrium, of)) == pytest.approx(each[oxygens].sum(), rel=1e-2)


# Interaction energy.


@pytest.mark.parametrize("where", ["vacuum", "solvent", pytest.param("box", marks=pytest.mark.slow)])
def test_the_energy_between_molecules_is_that_of_all_less_that_of_each(where: str) -> None:
    of = replace(trimer(), cell=CELL, pbc=np.ones(3, dtype=bool)) if where == "box" else trimer()

    def field(count: int) -> ForceField:
        return applied(water(count), Nonbonded(implicit_solvent="obc2")) if where == "solvent" else water(count)

    def energy(atoms: slice) -> float:
        names = ("positions", "types", "numbers", "masses", "fixed", "atom_names", "residue_names", "residue_numbers", "chain_names")
        part = replace(of, **{name: getattr(of, name)[atoms] for name in names})
        equilibrium = at(part, field(part.size // 3))
        return float(equilibrium.energy(equilibrium.x, equilibrium.theta))

    found = float(measured("interaction_energy:0-2|3-8", at(of, field(3)), of))
    assert found == pytest.approx(energy(slice(0, 9)) - energy(slice(0, 3)) - energy(slice(3, 9)), abs=1e-8)
    both = float(measured("interaction_energy:0-2|3-5", at(of, field(3)), of))
    assert both == pytest.approx(energy(slice(0, 6)) - energy(slice(0, 3)) - energy(slice(3, 6)), abs=1e-8)
    assert abs(both) > 0.05 and abs(found - both) > 0.05


def test_the_energy_within_a_molecule_keeps_its_exclusions() -> None:
    of = charmm_files.structure()
    field = peptide()
    assert field.typing is not None
    found = field.typing(of)
    theta = dict(field.parameters)
    for label in ("LennardJones", "LennardJones14"):
        theta[label] = {**theta[label], "epsilon": 0.0 * theta[label]["epsilon"]}
    charges = np.array([charge for _, _, charge in charmm_files.ATOMS])
    special = {tuple(pair): row for pair, row in zip(found.pairs["Coulomb"].atoms.tolist(), found.pairs["Coulomb"].rows, strict=True)}
    expected = 0.0
    for i in range(6):
        for j in range(6, 22):
            if special.get((i, j), 0) == 0:
                expected += 14.3996454784 * charges[i] * charges[j] / np.linalg.norm(of.positions[i] - of.positions[j])
    assert float(measured("interaction_energy:0-5|6-21", replace(at(of, field), theta=theta), of)) == pytest.approx(expected, rel=1e-8)


# Requests that make no sense.


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("dipole:0", "takes no arguments"),
        ("sasa:", r"sasa\[:SELECTION\]"),
        ("sasa:0|1", r"sasa\[:SELECTION\]"),
        ("interaction_energy", r"interaction_energy:SELECTION\|SELECTION"),
        ("interaction_energy:0-2", r"interaction_energy:SELECTION\|SELECTION"),
        ("interaction_energy:0-2|", r"interaction_energy:SELECTION\|SELECTION"),
        ("interaction_energy:0|1|2", r"interaction_energy:SELECTION\|SELECTION"),
        ("hydrogen_bonds:0", r"hydrogen_bonds\[:SELECTION\|SELECTION\]"),
    ],
)
def test_a_wrong_request_says_how_it_is_written(spec: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        observable(spec, trimer())


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("sasa:99", "there is no atom 99"),
        ("sasa:element:Xe", "there is no element 'Xe'"),
        ("sasa:resname NONE", "means none of the 6 atoms"),
        ("sasa:((", "nor an MDTraj expression"),
        ("interaction_energy:0-3|3-5", "atom 3 is in both selections"),
    ],
)
def test_a_selection_that_means_nothing_is_refused(spec: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        observable(spec, dimer()).bind(relaxed())


def test_two_bars_are_the_or_of_mdtraj() -> None:
    assert observable("sasa:name OH2 || name H1").selections == ("name OH2 || name H1",)
    assert observable("interaction_energy:name OH2 || name H1|name H2").selections == ("name OH2 || name H1", "name H2")


def test_what_a_structure_lacks_is_said() -> None:
    from small_systems import cluster, crystal, force_field, mixed

    plain = force_field(mixed("lorentz-berthelot"))
    of = cluster()
    with pytest.raises(UsageError, match="one potential with charges q, and the force field has none"):
        observable("dipole", of).bind(at(of, plain))
    with pytest.raises(UsageError, match=r"needs names and elements of atoms: observable\('sasa', structure\)"):
        observable("sasa").bind(relaxed())
    with pytest.raises(UsageError, match="needs atoms that are elements"):
        observable("hydrogen_bonds", of).bind(at(of, plain))
    with pytest.raises(UsageError, match="its structure has 7 atoms, and the equilibrium has 6"):
        observable("sasa", of).bind(relaxed())
    metals = replace(of, numbers=np.full(of.size, 74))
    with pytest.raises(UsageError, match="know none of W"):
        observable("sasa", metals).bind(at(metals, plain))
    of = replace(crystal(), numbers=np.full(crystal().size, 8))
    with pytest.raises(UsageError, match="needs bonds"):
        observable("hydrogen_bonds", of).bind(at(of, plain))
