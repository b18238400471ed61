"""The mean dispersion beyond a cutoff, and implicit solvent, against quadrature and against OpenMM's reference platform."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from derivatives import assert_right_first, assert_right_second
from molecules import Listed, bound
from scipy.integrate import quad
from small_systems import (
    along,
    close,
    crystal,
    difference,
    force_field,
    gradient,
    inner,
    random_like,
    strained,
    structure,
    theta_gradient,
    value,
)

from md_sensitivity.curvature.zero_modes import count_zero_modes, zero_modes
from md_sensitivity.errors import InputError
from md_sensitivity.forcefields.data import ForceField
from md_sensitivity.forcefields.line_rows import LineRows, force_field_of_rows
from md_sensitivity.forcefields.molecular_terms import coulomb_rows
from md_sensitivity.potentials.gb_obc2 import GB_OBC2
from md_sensitivity.types import Structure
from md_sensitivity.units import KILOJOULE_PER_MOLE, METAL

VALUES = {"A": (2.3, 0.04), "B": (2.7, 0.06)}


def lj(truncation: str, cutoff: float = 5.3, correction: int = 1) -> str:
    switch = "switch_from = 4.2\n" if truncation == "switch" else ""
    tables = "".join(f"[potential.parameters.{name}]\nsigma = {s}\nepsilon = {e}\n" for name, (s, e) in VALUES.items())
    return (
        f'[[potential]]\nstyle = "lennard_jones"\ncutoff = {cutoff}\ntruncation = "{truncation}"\n{switch}mixing = "lorentz-berthelot"\n'
        f"dispersion_correction = {correction}\n{tables}"
    )


def phi(a: str, b: str, r: float) -> float:
    s, e = (VALUES[a][0] + VALUES[b][0]) / 2, np.sqrt(VALUES[a][1] * VALUES[b][1])
    return float(4 * e * ((s / r) ** 12 - (s / r) ** 6))


def by_quadrature(of: Structure, truncation: str) -> float:
    """2π N²/V ⟨∫ (1 − S) φ r² dr⟩, the mean over all N(N + 1)/2 pairs, those of an atom with itself counted."""

    def lost(r: float) -> float:
        if truncation == "none" or r >= 5.3:
            return 1.0 if r >= 5.3 else 0.0
        t = max(0.0, (r - 4.2) / 1.1)
        return 10 * t**3 - 15 * t**4 + 6 * t**5

    total, n = 0.0, of.size
    for i in range(n):
        for j in range(i + 1):
            a, b = of.types[i], of.types[j]
            ends = [quad(lambda r, a=a, b=b: lost(r) * phi(a, b, r) * r * r, *part, epsabs=1e-14, epsrel=1e-12)[0]
                    for part in ((4.2, 5.3), (5.3, np.inf))]  # fmt: skip
            total += sum(ends)
    return 2 * np.pi * n**2 / abs(np.linalg.det(of.cell)) * total / (n * (n + 1) / 2)


@pytest.mark.parametrize("truncation", ["none", "switch"])
def test_the_dispersion_beyond_a_cutoff_is_that_of_atoms_spread_evenly(truncation: str) -> None:
    of = replace(crystal(), types=tuple("ABAA"))
    with_it, x, theta = bound(force_field(lj(truncation)), of)
    without, _, _ = bound(force_field(lj(truncation, correction=0)), of)
    found = float(value(with_it, x, theta)) - float(value(without, x, theta))
    assert found == pytest.approx(by_quadrature(of, truncation), rel=1e-9)
    assert close(gradient(with_it, x, theta), gradient(without, x, theta), 1e-14)
    d, direction = random_like(theta, 3, relative=True), jnp.diag(jnp.array([1.0, -0.3, 0.6]))
    slope = difference(lambda h: value(with_it, x, along(theta, d, h)), 3e-4)
    assert close(inner(theta_gradient(with_it, x, theta), d), slope, 1e-8)
    strain = 0.01 * direction
    gained = strained(with_it, x, theta, strain) - strained(without, x, theta, strain)
    assert float(gained) == pytest.approx(found / float(jnp.linalg.det(jnp.eye(3) + strain)), rel=1e-9)
    padded, longer, _ = bound(force_field(lj(truncation)), of, padded=True)
    assert close(value(padded, longer, theta), value(with_it, x, theta), 1e-13)
    assert count_zero_modes(zero_modes(with_it, x, theta), x) == 3


def test_a_longer_cutoff_makes_a_smaller_correction_of_the_same_sum() -> None:
    # Many cells, so that neighbors beyond the cutoffs are spread rather evenly.
    near, x, theta = bound(force_field(lj("none", 12.0)), crystal())
    far, _, _ = bound(force_field(lj("none", 18.0)), crystal())
    bare, _, _ = bound(force_field(lj("none", 12.0, 0)), crystal())
    whole = float(value(far, x, theta))
    # Pairs of an atom with itself are counted as in OpenMM, which differs from the sum over images for small N.
    assert abs(float(value(near, x, theta)) - whole) < 0.3 * abs(float(value(bare, x, theta)) - whole)


@pytest.mark.parametrize("text", [lj("switch"), lj("switch").replace("cutoff = 5.3\n", "cutoff = 5.3\ncutoffs = { A-B = 4.9 }\n")])
def test_a_correction_without_volume_or_cutoff_is_refused(text: str) -> None:
    free = structure(crystal().positions, "ABBA")
    with pytest.raises(InputError, match="dispersion_correction needs"):
        bound(force_field(text), free if "cutoffs" not in text else crystal())


def openmm_parts() -> tuple[Any, Any]:
    openmm = pytest.importorskip("openmm")
    return openmm, openmm.unit


def evaluated(system: Any, positions: np.ndarray) -> tuple[float, np.ndarray]:
    """Energy [eV] and forces [eV/Å] of the reference platform."""
    openmm, unit = openmm_parts()
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference"))
    context.setPositions(positions * 0.1)
    state = context.getState(getEnergy=True, getForces=True)
    energy = state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole) * KILOJOULE_PER_MOLE
    forces = state.getForces(asNumpy=True).value_in_unit(unit.kilojoule_per_mole / unit.nanometer) * KILOJOULE_PER_MOLE / 10
    return energy, forces


@pytest.mark.parametrize("truncation", ["none", "switch"])
def test_the_dispersion_beyond_a_cutoff_is_that_of_openmm(truncation: str) -> None:
    openmm, _ = openmm_parts()
    edge, rng = 12.0, np.random.default_rng(2)
    corners = np.array(np.meshgrid(*[np.arange(3)] * 3)).reshape(3, -1).T * 4.0
    of = structure(corners + 0.2 * rng.normal(size=corners.shape), "AAB" * 9, edge * np.eye(3))
    system, force = openmm.System(), openmm.NonbondedForce()
    system.setDefaultPeriodicBoxVectors(*(0.1 * edge * np.eye(3)))
    force.setNonbondedMethod(openmm.NonbondedForce.CutoffPeriodic)
    force.setCutoffDistance(0.53)
    force.setUseDispersionCorrection(True)
    if truncation == "switch":
        force.setUseSwitchingFunction(True)
        force.setSwitchingDistance(0.42)
    for name in of.types:
        system.addParticle(12.0)
        force.addParticle(0.0, VALUES[name][0] / 10, VALUES[name][1] / KILOJOULE_PER_MOLE)
    system.addForce(force)
    wanted, forces = evaluated(system, of.positions)
    energy, x, theta = bound(force_field(lj(truncation)), of)
    assert float(value(energy, x, theta)) == pytest.approx(wanted, rel=1e-8)
    assert close(-gradient(energy, x, theta), forces, 1e-8)


def solvated(n: int, seed: int) -> tuple[ForceField, Structure, dict[str, np.ndarray]]:
    """A force field of implicit solvent with numbers for each atom of a random molecule."""
    rng = np.random.default_rng(seed)
    x = np.zeros((n, 3))
    for k in range(1, n):
        while True:
            step = rng.normal(size=3)
            x[k] = x[rng.integers(k)] + 1.4 * step / np.linalg.norm(step)
            if np.linalg.norm(x[:k] - x[k], axis=1).min() > 1.0:
                break
    numbers = {"q": rng.normal(scale=0.4, size=n), "radius": rng.uniform(1.1, 1.9, size=n), "scale": rng.uniform(0.7, 0.9, size=n)}
    names = tuple(f"T{k}" for k in range(n))

    coulomb = coulomb_rows(METAL, "test")
    born = LineRows(
        form=GB_OBC2, label="GBSA", units=METAL, source="test", settings={"borrowed": {"q": ("Coulomb", "q")}},
        options={"surface_tension": 2.25936 * KILOJOULE_PER_MOLE / 100, "probe_radius": 1.4},
    )  # fmt: skip
    for k, name in enumerate(names):
        coulomb.row(name, (name,), {"q": numbers["q"][k]}, name)
        born.row(name, (name,), {leaf: numbers[leaf][k] for leaf in ("radius", "scale")}, name)
    field = force_field_of_rows([coulomb, born], METAL, name="solvated", source="test")
    typing = Listed(names=(("Coulomb", names), ("GBSA", names)))
    return replace(field, typing=typing), structure(x, "A" * n), numbers


@pytest.mark.parametrize(("n", "seed", "size"), [(2, 1, 1.0), (9, 2, 1.0), (30, 3, 1.0), (12, 5, 0.12)])
def test_implicit_solvent_is_that_of_openmm(n: int, seed: int, size: float) -> None:
    # Squeezed, some atoms lie within others.
    openmm, _ = openmm_parts()
    field, of, numbers = solvated(n, seed)
    of = replace(of, positions=size * of.positions)
    system, force, charges = openmm.System(), openmm.GBSAOBCForce(), openmm.NonbondedForce()
    force.setNonbondedMethod(openmm.GBSAOBCForce.NoCutoff)
    force.setSolventDielectric(78.5)
    for q, radius, scale in zip(numbers["q"], numbers["radius"], numbers["scale"], strict=True):
        system.addParticle(12.0)
        force.addParticle(q, radius / 10, scale)
        charges.addParticle(q, 0.1, 0.0)
    system.addForce(force)
    system.addForce(charges)
    wanted, forces = evaluated(system, of.positions)
    energy, x, theta = bound(field, of)
    assert float(value(energy, x, theta)) == pytest.approx(wanted, rel=1e-8)
    assert close(-gradient(energy, x, theta), forces, 1e-8)


def test_derivatives_of_implicit_solvent_are_differences() -> None:
    field, of, _ = solvated(9, 2)
    energy, x, theta = bound(field, of)
    assert_right_first(energy, x, theta, step=1e-4)
    assert_right_second(energy, x, theta, step=1e-4, tolerance=1e-6)
    padded, longer, _ = bound(field, of, padded=True)
    assert close(value(padded, longer, theta), value(energy, x, theta), 1e-13)
    assert close(gradient(padded, longer, theta)[:9], gradient(energy, x, theta), 1e-12)
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(theta_gradient(padded, longer, theta)))
    assert count_zero_modes(zero_modes(energy, x, theta), x) == 6


def test_implicit_solvent_of_a_crystal_is_refused() -> None:
    field, of, _ = solvated(4, 1)
    field = replace(field, terms=(replace(field.terms[0], cutoff=5.0), field.terms[1]))
    with pytest.raises(InputError, match="implicit solvent is for structures that are not periodic"):
        bound(field, replace(of, cell=20 * np.eye(3), pbc=np.ones(3, dtype=bool)))
