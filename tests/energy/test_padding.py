"""Structures of similar size share shapes and programs, and padding changes nothing that anybody can see."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_systems import (
    FORCE_FIELDS,
    STRUCTURES,
    build,
    close,
    cluster,
    crystal,
    force_field,
    gradient,
    sampled,
    shaped,
    soft_discs,
    structure,
    theta_gradient,
    value,
)

from md_sensitivity.building import build_system
from md_sensitivity.minimization import minimize
from md_sensitivity.neighbors import SMALLEST_PADDED, padded_size, shared_width
from md_sensitivity.observables import OBSERVABLES, observable
from md_sensitivity.pipeline import Options, analyze

ARGON = '[[potential]]\nstyle = "lennard_jones"\n[potential.parameters.A]\nsigma = 2.3\nepsilon = 0.4\n'


def lump(n: int, seed: int = 0):
    """A compact cluster of n atoms, from the fcc lattice."""
    grid = np.stack(np.meshgrid(*[np.arange(-4, 5)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    points = grid[grid.sum(axis=1) % 2 == 0] * 2.55 / np.sqrt(2)
    center = np.random.default_rng(seed).uniform(-0.5, 0.5, size=3)
    nearest = points[np.argsort(np.linalg.norm(points - center, axis=1))[:n]]
    return structure(nearest + np.random.default_rng(seed).normal(scale=0.05, size=(n, 3)), "A" * n)


@given(st.integers(1, 300_000))
def test_padding_wastes_little(atoms: int):
    size = padded_size(atoms)
    assert size >= max(atoms, SMALLEST_PADDED)
    assert atoms <= SMALLEST_PADDED or size - atoms < max(32, atoms / 16)
    assert padded_size(size) == size


@given(st.integers(0, 4000))
def test_wide_tables_waste_little(widest: int):
    width = shared_width(widest, 10**6, all_pairs=False)
    assert width >= widest and (widest == 0 or width - widest < max(8, widest / 4 + 1)) and width % 8 == 0


def test_there_are_few_shapes():
    assert len({padded_size(n) for n in range(1, 1025)}) <= 32
    assert {padded_size(n) for n in range(13, 61)} == {SMALLEST_PADDED}


LONG_TO_COMPILE = (("stillinger_weber", "cluster"), ("tersoff", "cluster"))
"""Of these one shape is enough in each run."""


@pytest.mark.parametrize(
    ("style", "shape"),
    [
        pytest.param(*each.values, marks=[*each.marks, pytest.mark.slow]) if each.values in LONG_TO_COMPILE else each
        for each in shaped(sampled(FORCE_FIELDS))
    ],
)
def test_energies_and_forces_are_those_without_padding(style: str, shape: str):
    plain, x, theta = build(FORCE_FIELDS[style], STRUCTURES[shape]())
    padded, longer, _ = build(FORCE_FIELDS[style], STRUCTURES[shape](), padded=True)
    n = len(x)
    assert len(longer) == SMALLEST_PADDED and padded.system.size == n
    assert close(value(plain, x, theta), value(padded, longer, theta), 1e-12)
    forces = np.asarray(gradient(padded, longer, theta))
    assert close(gradient(plain, x, theta), forces[:n], 1e-12)
    assert not np.any(forces[n:])
    assert close(theta_gradient(plain, x, theta), theta_gradient(padded, longer, theta), 1e-12)


def specs_for(pbc: bool) -> list[str]:
    """A specification of each observable that the structure offers."""
    atoms = {0: "", 2: ":0-1", 3: ":0-1-2", 4: ":0-1-2-3"}
    of_molecules = ("dipole", "dipole_vector", "hydrogen_bonds", "sasa", "interaction_energy", "end_to_end")    # tests/observables
    of_crystals = ("pressure", "stress", "enthalpy")
    offered = [
        kind
        for kind in OBSERVABLES.values()
        if kind.name not in of_molecules and kind.referred is None and (pbc or not (kind.of_cell or kind.name in of_crystals))
    ]
    return [kind.name + atoms[kind.arguments] for kind in offered]


@pytest.mark.parametrize("make", [cluster, crystal])
def test_equilibria_and_observables_are_those_without_padding(make):
    text, of = FORCE_FIELDS["lennard_jones"], make()
    found = []
    for padded in (False, True):
        energy, x, theta = build(text, of, padded=padded)
        equilibrium = minimize(energy, x, theta)
        bound = [observable(spec).bind(equilibrium) for spec in specs_for(bool(of.pbc.all()))]
        found.append((equilibrium, [np.asarray(o(equilibrium.energy, equilibrium.x, theta)) for o in bound]))
    (plain, values), (longer, others) = found
    n = of.size
    assert np.abs(np.asarray(longer.x)[:n] - np.asarray(plain.x)).max() < 1e-7
    assert not np.any(np.asarray(longer.x)[n:])
    assert (plain.zero_modes, plain.rattlers, plain.status) == (longer.zero_modes, longer.rattlers, longer.status)
    assert plain.spectrum.lowest == pytest.approx(longer.spectrum.lowest, rel=1e-6)
    for name, a, b in zip(specs_for(bool(of.pbc.all())), values, others, strict=True):
        period = 360.0 if name.startswith("dihedral") else np.inf  # −180° and 180° are one
        assert np.all(np.abs(np.remainder(a - b + 1.0, period) - 1.0) < 1e-7 + 1e-6 * np.abs(b)), name


def test_rattlers_are_counted_without_padding():
    # Three discs that touch, one that nothing touches, in a periodic plane.
    positions = np.array([[1.0, 1.0, 0.0], [1.9, 1.0, 0.0], [1.45, 1.75, 0.0], [4.0, 4.0, 0.0]])
    of = structure(positions, "AAAB", np.diag([6.0, 6.0, 6.0]))
    counts = []
    for padded in (False, True):
        energy, x, theta = build(soft_discs(0.6), of, dimensions=2, padded=padded)
        equilibrium = minimize(energy, x, theta, throw=False)
        counts.append((equilibrium.rattlers, equilibrium.zero_modes))
    assert counts[0] == counts[1]


def test_clusters_of_many_sizes_share_a_dozen_programs():
    field = force_field(ARGON)
    sizes = (13, 60, 14, 26, 38, 45, 55)
    count = [0]

    def compiled(name: str, seconds: float, **_: object) -> None:
        count[0] += name.endswith("jaxpr_to_mlir_module_duration")

    jax.clear_caches()
    jax.monitoring.register_event_duration_secs_listener(compiled)
    try:
        results = [analyze(lump(n), field, Options()) for n in sizes]
    finally:
        jax.monitoring.unregister_event_duration_listener(compiled)
    assert 0 < count[0] <= 12
    for n, result in zip(sizes, results, strict=True):
        assert result.document.status == "minimum" and result.document.certificate.passed
        assert result.arrays["positions"].shape == (n, 3) and result.arrays["dpositions"].shape == (2, n, 3)


def test_results_do_not_depend_on_what_ran_before():
    field = force_field(ARGON)
    alone = analyze(lump(20), field, Options())
    analyze(lump(31), field, Options())
    after = analyze(lump(20), field, Options())
    for name, array in alone.arrays.items():
        assert np.array_equal(array, after.arrays[name]), name
    assert alone.document.observables == after.document.observables


def test_padded_arrays_say_how_many_atoms_there_are():
    system = build_system(cluster(), force_field(FORCE_FIELDS["morse"]), padded=True)
    assert system.size == 7 and float(system.masses.sum()) == 7.0
    assert not np.any(np.asarray(system.free)[7:])
    for term in system.terms:
        assert not np.any(np.asarray(term.neighbors.mask)[7:])
