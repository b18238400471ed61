"""Formation, surface and binding energies respond through the relaxation of all structures that they compare."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import numpy as np
import pytest
from cell_cases import load_cell

import md_sensitivity as mds
from md_sensitivity import pipeline
from md_sensitivity.analysis.formation import Comparison, relaxed_references
from md_sensitivity.analysis.options import Options
from md_sensitivity.analysis.result import Result
from md_sensitivity.enthalpy import enthalpy_function
from md_sensitivity.errors import InputError, UsageError
from md_sensitivity.forcefields import ForceField, parse_native
from md_sensitivity.minimization import Equilibrium
from md_sensitivity.types import Structure

A_SILICON = 4.0 / np.sqrt(3.0) * 2.0 ** (1.0 / 6.0) * 2.0951
"""Lattice constant of Stillinger-Weber silicon, in closed form [Å]."""
FCC = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
SILICON = """
[[potential]]
style = "stillinger_weber"
[potential.parameters.Si-Si-Si]
epsilon = 2.1683
sigma = 2.0951
a = 1.80
lambda = 21.0
gamma = 1.20
costheta0 = -0.333333333333
A = 7.049556277
B = 0.6022245584
p = 4.0
q = 0.0
"""
ARGON = """
[[potential]]
style = "lennard_jones"
cutoff = 8.5
[potential.parameters.Ar]
sigma = 3.405
epsilon = 0.01032
"""
RELAXED = Options(relax_cell="full", observables=("formation_energy", "formation_volume"), positions=False, check=0)


def atoms(symbol: str, positions: np.ndarray, cell: np.ndarray | None, periodic: tuple[bool, bool, bool] = (True,) * 3) -> Structure:
    from ase import Atoms

    pbc = periodic if cell is not None else False
    return mds.Structure.from_ase(Atoms([symbol] * len(positions), positions=positions, cell=cell, pbc=pbc))


def silicon(constant: float = 5.40) -> Structure:
    """The primitive cell."""
    cell = 0.5 * constant * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])
    return atoms("Si", np.array([[0, 0, 0], [0.25, 0.25, 0.25]]) * constant, cell)


def cubic_silicon(*, without: int = 0) -> Structure:
    """The cubic cell, its first atoms left out, moved a little."""
    sites = np.concatenate([FCC, FCC + 0.25]) * A_SILICON
    moves = np.random.default_rng(8).uniform(-0.02, 0.02, sites.shape)
    return atoms("Si", (sites + moves)[without:], np.eye(3) * A_SILICON)


def found(result: Result, name: str) -> Any:
    """An observable of the document; numbers and lists of them are not told apart here."""
    return next(each for each in result.document.observables if each.name == name)


def totals(result: Result, name: str) -> dict[str, float]:
    """Last word of a parameter → total derivative."""
    names = [parameter.name.rpartition(".")[2] for parameter in result.document.parameters]
    return dict(zip(names, found(result, name).total, strict=True))


@pytest.fixture(scope="module")
def sw() -> ForceField:
    return parse_native(SILICON, "silicon.toml")


@pytest.fixture(scope="module")
def free() -> ForceField:
    """Argon without a cutoff."""
    return parse_native(ARGON.replace("cutoff = 8.5\n", ""), "argon.toml")


def cluster(size: int, seed: int = 0) -> Structure:
    """Up to four atoms, each of which will touch all others."""
    corners = 3.7 / np.sqrt(2) * np.array([[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0]])[:size]
    return atoms("Ar", corners + np.random.default_rng(seed).uniform(-0.1, 0.1, corners.shape), None)


CLUSTERS = Options(observables=("formation_energy",), check=1)


def test_clusters_are_measured_from_others_through_both(free: ForceField) -> None:
    """A tetrahedron has six pairs and a dimer one: E_f = −6ε + 2ε, at any σ, with differences that agree."""
    result = pipeline.analyze(cluster(4), free, CLUSTERS, references=relaxed_references([cluster(2)], free, CLUSTERS))
    assert found(result, "formation_energy").value == pytest.approx(-4 * 0.01032, rel=1e-12)
    slopes = totals(result, "formation_energy")
    assert slopes["epsilon"] == pytest.approx(-4.0, rel=1e-9) and slopes["sigma"] == pytest.approx(0.0, abs=1e-9)
    parts = found(result, "formation_energy")
    assert np.add(parts.direct, parts.relaxation) == pytest.approx(np.array(parts.total), abs=1e-15)
    document = result.document
    assert document.status == "minimum" and document.certificate is not None and document.certificate.passed
    checks = document.certificate.finite_differences
    assert len(checks) == 2 and all(check.relative_error is not None and check.relative_error < 1e-6 for check in checks)
    assert isinstance(document.references, list)
    (reference,) = document.references
    assert (reference.coefficient, reference.status, reference.structure.formula) == (2.0, "minimum", "Ar2")
    assert reference.equilibrium.energy == pytest.approx(-0.01032, rel=1e-12)


def test_structure_costs_nothing_against_itself(free: ForceField) -> None:
    result = pipeline.analyze(cluster(3), free, CLUSTERS, references=relaxed_references([cluster(3, seed=1)], free, CLUSTERS))
    assert found(result, "formation_energy").value == pytest.approx(0.0, abs=1e-14)
    assert np.abs(list(totals(result, "formation_energy").values())).max() < 1e-10
    assert result.document.certificate is not None and result.document.certificate.passed


def test_reference_that_did_not_relax_spoils_the_result(free: ForceField) -> None:
    references = relaxed_references([cluster(2)], free, replace(CLUSTERS, max_steps=1))
    assert references[0].equilibrium.status == "unconverged"
    document = pipeline.analyze(cluster(4), free, CLUSTERS, references=references).document
    assert document.status == "unconverged" and document.message.startswith("reference ")
    assert document.certificate is not None and not document.certificate.passed
    assert all(check.relative_error is None for check in document.certificate.finite_differences)
    assert any("reference" in warning for warning in document.certificate.warnings)


def test_spot_checks_notice_a_reference_that_is_held(free: ForceField, monkeypatch: pytest.MonkeyPatch) -> None:
    """Differences of the structure alone, with references as they were, would contradict the derivative."""
    monkeypatch.setattr(Comparison, "companions", lambda self, force_field: ())
    result = pipeline.analyze(cluster(4), free, CLUSTERS, references=relaxed_references([cluster(2)], free, CLUSTERS))
    assert result.document.certificate is not None and not result.document.certificate.passed


def test_parameters_of_references_alone_count(free: ForceField) -> None:
    """A pair measured from others, which have atoms that it has not, responds to the strengths that hold only these together."""
    text = """
[[potential]]
style = "lennard_jones"
[potential.parameters.A-A]
sigma = 3.4
epsilon = 0.01
[potential.parameters.A-B]
sigma = 3.5
epsilon = 0.012
[potential.parameters.B-B]
sigma = 3.6
epsilon = 0.014
"""
    force_field = parse_native(text, "mixture.toml")
    pair = cluster(2)

    def named(first: str, second: str) -> Structure:
        return replace(pair, types=(first, second), numbers=np.zeros(2, dtype=int), name=first + second)

    references = relaxed_references([named("A", "B"), named("B", "B")], force_field, CLUSTERS)
    result = pipeline.analyze(named("A", "A"), force_field, CLUSTERS, references=references)
    assert found(result, "formation_energy").value == pytest.approx(-0.01 + 2 * 0.012 - 0.014, abs=1e-14)
    names = [parameter.name for parameter in result.document.parameters]
    slopes = dict(zip(names, found(result, "formation_energy").total, strict=True))
    wanted = {"A-A": -1.0, "A-B": 2.0, "B-B": -1.0}
    assert {types: slopes[f"lennard_jones.{types}.epsilon"] for types in wanted} == pytest.approx(wanted, abs=1e-9)
    assert [slopes[f"lennard_jones.{types}.sigma"] for types in wanted] == pytest.approx([0.0] * 3, abs=1e-9)


@pytest.mark.slow
def test_slab_has_two_faces() -> None:
    """γ = (E − 4 E_bulk)/2A in J/m², proportional to ε, from a relaxed slab and a relaxed bulk, by hand as well."""
    argon = parse_native(ARGON, "argon.toml")
    side, spacing = 5.31 / np.sqrt(2), 5.31 / 2
    layers = np.array([[0.5 * (k % 2) * side, 0.5 * (k % 2) * side, spacing * k] for k in range(4)])
    slab = atoms("Ar", layers, np.diag([side, side, 40.0]), (True, True, False))
    bulk = atoms("Ar", np.zeros((1, 3)), 0.5 * 5.31 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]))
    options = replace(RELAXED, observables=("surface_energy", "energy"), check=1)
    references = relaxed_references([bulk], argon, options)
    result = pipeline.analyze(slab, argon, options, references=references)
    surface = found(result, "surface_energy")
    assert surface.unit == "J/m²"
    cell = result.arrays["cell"]
    area = np.linalg.norm(np.cross(cell[0], cell[1]))
    energy = float(found(result, "energy").value) - 4 * references[0].equilibrium.value
    assert surface.value == pytest.approx(16.02176634 * energy / (2 * area), rel=1e-10)
    assert 0.02 < float(surface.value) < 0.08
    assert totals(result, "surface_energy")["epsilon"] == pytest.approx(float(surface.value) / 0.01032, rel=1e-8)


def test_dimer_is_bound_by_epsilon(free: ForceField) -> None:
    """E_b = ε at any σ, from two atoms that are given once or twice; positive where parts hold together."""

    def relaxed(structure: Structure) -> Equilibrium:
        system = mds.build_system(structure, free)
        return mds.minimize(mds.energy_function(system), system.positions, free.parameters)

    whole, part = relaxed(atoms("Ar", np.array([[0, 0, 0], [3.7, 0.1, 0]]), None)), relaxed(atoms("Ar", np.zeros((1, 3)), None))
    for parts, coefficients in (([part], None), ([part, part], None), ([part], [2.0])):
        result = mds.formation("binding_energy", whole, parts, coefficients)
        assert result.value == pytest.approx(0.01032, rel=1e-12) and result.unit == "eV"
        slopes = [float(np.ravel(leaf)[0]) for leaf in jax.tree.leaves(result.total)]
        assert sorted(slopes) == pytest.approx([0.0, 1.0], abs=1e-9)
    assert mds.formation("formation_energy", whole, [part]).value == pytest.approx(-0.01032, rel=1e-12)
    with pytest.raises(UsageError, match="not unique"):
        mds.formation("formation_energy", whole, [part, part])
    with pytest.raises(UsageError, match=r"mds\.sensitivity"):
        mds.formation("energy", whole, [part])
    with pytest.raises(UsageError, match="1 references have 2 coefficients"):
        mds.formation("formation_energy", whole, [part], [1.0, 1.0])
    other = replace(part, theta=jax.tree.map(lambda leaf: 1.01 * leaf, part.theta))
    with pytest.raises(UsageError, match="other parameters"):
        mds.formation("formation_energy", whole, [other])
    with pytest.raises(UsageError, match="two axes of three"):
        mds.formation("surface_energy", whole, [part])


@pytest.mark.slow
def test_vacancy_of_silicon_costs_two_bonds_and_its_volume_scales(sw: ForceField) -> None:
    """E_f = 2ε and V_f ∝ σ³, whatever the cells began with; dE/dθ of the other parameters that leave bonds as they are vanish."""
    options = replace(RELAXED, check=1)
    result = pipeline.analyze(cubic_silicon(without=1), sw, options, references=relaxed_references([silicon()], sw, options))
    energy, volume = found(result, "formation_energy"), found(result, "formation_volume")
    assert energy.value == pytest.approx(2 * 2.1683, rel=1e-8)
    slopes = totals(result, "formation_energy")
    assert slopes["epsilon"] == pytest.approx(2.0, abs=1e-8)
    assert max(abs(slopes[name]) for name in ("sigma", "lambda", "gamma", "costheta0")) < 1e-6
    assert volume.value == pytest.approx(A_SILICON**3 / 8, rel=1e-9)
    slopes = totals(result, "formation_volume")
    assert slopes["sigma"] == pytest.approx(3 * volume.value / 2.0951, rel=1e-8)
    assert max(abs(slopes[name]) for name in ("epsilon", "lambda", "gamma", "A")) < 1e-6
    document = result.document
    assert document.status == "minimum" and document.certificate is not None and document.certificate.passed
    checks = document.certificate.finite_differences
    assert len(checks) == 2 and all(check.relative_error is not None and check.relative_error < 1e-5 for check in checks)
    assert isinstance(document.references, list)
    (reference,) = document.references
    assert reference.coefficient == 3.5 and reference.status == "minimum" and reference.structure.formula == "Si2"
    assert reference.equilibrium.energy == pytest.approx(-4 * 2.1683, rel=1e-8)


@pytest.mark.slow
def test_perfect_crystal_costs_nothing_against_itself(sw: ForceField) -> None:
    result = pipeline.analyze(cubic_silicon(), sw, RELAXED, references=relaxed_references([silicon()], sw, RELAXED))
    for name in ("formation_energy", "formation_volume"):
        assert found(result, name).value == pytest.approx(0.0, abs=1e-8)
        assert np.abs(list(totals(result, name).values())).max() < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize(("defect", "crystal"), [("eam_copper_vacancy", "eam_copper"), ("sw_silicon_vacancy", "sw_silicon_pressure")])
def test_formation_is_what_lammps_finds_from_both(defect: str, crystal: str) -> None:
    """Values and differences of two structures, and of both re-minimized by LAMMPS with other parameters; enthalpies at 2 GPa."""
    whole, bulk = load_cell(defect), load_cell(crystal)
    assert whole.pressure == bulk.pressure
    share = whole.structure.size / bulk.structure.size
    options = replace(RELAXED, pressure=whole.pressure)

    def relaxed(structure: Structure) -> Equilibrium:
        system = mds.build_system(structure, whole.force_field)
        energy = enthalpy_function(system, relax="full", pressure=options.pressure)
        return mds.minimize(energy, energy.start, whole.force_field.parameters)

    here, there = relaxed(whole.structure), relaxed(bulk.structure)
    for name, quantity, exact in (("formation_energy", "enthalpy", 1e-8), ("formation_volume", "volume", 1e-6)):
        result = mds.formation(name, here, [there])
        value = whole.reference[quantity] - share * bulk.reference[quantity]
        assert result.value == pytest.approx(value, abs=exact)
        (mine, one), (theirs, two) = whole.slopes(quantity), bulk.slopes(quantity)
        expected, error = mine - share * theirs, one + share * two
        directions = whole.directions()
        for place, column in enumerate(whole.columns()):
            assert bulk.columns()[place] == column
            along = sum(
                float(np.vdot(np.asarray(slope), np.asarray(rows)[place]))
                for slope, rows in zip(jax.tree.leaves(result.total), jax.tree.leaves(directions), strict=True)
            )
            scale = abs(mine[place]) + share * abs(theirs[place])
            assert abs(along - expected[place]) <= max(1e-7 * scale, 3 * error[place], 1e-8), (name, column)


@pytest.mark.slow
def test_copper_vacancy_in_a_fixed_cell_costs_what_the_literature_says() -> None:
    """1.273510945 eV of Mishin's copper, 256 sites of a = 3.614925066 Å."""
    force_field, constant = load_cell("eam_copper").force_field, 3.614925066
    cells = np.array(list(np.ndindex(4, 4, 4)), dtype=float)
    sites = ((cells[:, None] + FCC[None]) * constant).reshape(-1, 3)
    options = Options(observables=("formation_energy",), positions=False, check=1)
    crystal = atoms("Cu", FCC * constant, np.eye(3) * constant)
    references = relaxed_references([crystal], force_field, options)
    result = pipeline.analyze(atoms("Cu", sites[1:], np.eye(3) * 4 * constant), force_field, options, references=references)
    assert found(result, "formation_energy").value == pytest.approx(1.273510945, abs=2e-9)
    assert result.document.certificate is not None and result.document.certificate.passed


def test_requests_that_make_no_sense_are_refused(sw: ForceField) -> None:
    with pytest.raises(UsageError, match="--reference"):
        pipeline.analyze(silicon(), sw, Options(observables=("formation_energy",)))
    with pytest.raises(UsageError, match="--reference"):
        pipeline.plan(silicon(), sw, Options(observables=("energy",)), [silicon()])
    with pytest.raises(InputError, match="argon"):
        relaxed_references([replace(atoms("Ar", np.zeros((1, 3)), np.eye(3) * 5), name="argon")], sw, Options())
    plan = pipeline.plan(cubic_silicon(without=1), sw, Options(), [silicon()])
    assert "formation_energy" in plan.observables and any("3.5 × reference" in note for note in plan.notes)
