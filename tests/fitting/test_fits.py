"""Known parameters come back; covariance, priors, bounds and given geometries obey closed forms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

import md_sensitivity as mds
from md_sensitivity.errors import ComputationError, ConvergenceError, UsageError
from md_sensitivity.fitting import Fit, Target, fit
from md_sensitivity.forcefields import ForceField, native_toml, parse_native
from md_sensitivity.types import Structure

Field = Callable[[str, str], ForceField]
Cluster = Callable[..., Structure]
BOND = 2 ** (1 / 6)


def values(found: Fit) -> dict[str, float]:
    return {parameter.name.rpartition(".")[2]: parameter.value for parameter in found.parameters}


def deviations(found: Fit) -> dict[str, float | None]:
    return {parameter.name.rpartition(".")[2]: parameter.standard_deviation for parameter in found.parameters}


def pair(structure: Structure, *, energy: float = -6.0, bond: float = BOND) -> list[Target]:
    """The two targets of a tetrahedron; by default those of σ = ε = 1."""
    return [Target(structure, "energy", energy, 0.06), Target(structure, "distance:0-1", bond, 0.01)]


@pytest.mark.parametrize(("sigma", "epsilon"), [("1.2", "0.8"), ("0.85", "1.2"), ("1.1", "1.1")])
def test_known_parameters_are_recovered(force_field: Field, tetrahedron: Cluster, sigma: str, epsilon: str) -> None:
    found = fit(pair(tetrahedron(1.12 * float(sigma))), force_field(sigma, epsilon))
    assert found.status == "converged"
    assert values(found) == pytest.approx({"sigma": 1.0, "epsilon": 1.0}, rel=1e-9)
    assert found.degrees_of_freedom == 0 and found.chi2 == pytest.approx(0.0, abs=1e-12)
    # E = −6ε and d = 2^(1/6) σ, so that standard deviations are those of the targets over these factors.
    assert deviations(found) == pytest.approx({"sigma": 0.01 / BOND, "epsilon": 0.01}, rel=1e-6)
    assert found.covariance[0, 1] == pytest.approx(0.0, abs=1e-12)
    assert found.passed and found.certificate[0].difference is not None and found.certificate[0].difference.relative_error is not None


def test_the_fitted_force_field_survives_its_file_bit_by_bit(force_field: Field, tetrahedron: Cluster) -> None:
    found = fit(pair(tetrahedron()), force_field("1.1", "{ value = 0.9, std = 5.0, bounds = [0.1, 4] }"))
    again = parse_native(native_toml(found.force_field), "again.toml")
    assert again.table == found.force_field.table
    assert {row.name.rpartition(".")[2]: row.value for row in again.table.rows} == values(found)


def test_fixed_parameters_stay_bit_by_bit(force_field: Field, tetrahedron: Cluster) -> None:
    found = fit(pair(tetrahedron()), force_field("1.1", "{ value = 0.8999999999999999, fixed = true }"), check=False)
    assert list(values(found)) == ["sigma"]
    assert found.force_field.parameters["lennard_jones"]["epsilon"][0] == 0.8999999999999999
    assert values(found)["sigma"] == pytest.approx(1.0, rel=1e-9)
    chosen = fit(pair(tetrahedron()), force_field("1.1", "0.9"), parameters=["*.epsilon"], check=False)
    assert values(chosen) == pytest.approx({"epsilon": 1.0}, rel=1e-9)
    assert chosen.force_field.parameters["lennard_jones"]["sigma"][0] == 1.1


def test_a_fit_ends_at_a_bound_and_says_so(force_field: Field, tetrahedron: Cluster) -> None:
    found = fit(pair(tetrahedron()), force_field("{ value = 1.1, bounds = [1.05, 2] }", "0.9"))
    sigma, epsilon = found.parameters
    assert sigma.value == 1.05 and sigma.at_bound and sigma.standard_deviation is None and "bound" in sigma.reason
    assert epsilon.value == pytest.approx(1.0, rel=1e-9) and epsilon.standard_deviation == pytest.approx(0.01, rel=1e-6)
    assert found.chi2 == pytest.approx((0.05 * BOND / 0.01) ** 2, rel=1e-8)


def test_priors_pull_as_the_normal_distribution_says(force_field: Field, tetrahedron: Cluster) -> None:
    """Both targets are linear in the parameters: the answer is the mean weighted by inverse variances."""
    prior = "{ value = 0.9, std = 0.02 }"
    found = fit(pair(tetrahedron()), force_field("1.1", prior), check=False)
    precise, vague = 1 / 0.01**2, 1 / 0.02**2
    assert values(found)["epsilon"] == pytest.approx((precise * 1.0 + vague * 0.9) / (precise + vague), rel=1e-9)
    assert deviations(found)["epsilon"] == pytest.approx((precise + vague) ** -0.5, rel=1e-6)
    assert found.degrees_of_freedom == 1
    free = fit(pair(tetrahedron()), force_field("1.1", prior), priors=False, check=False)
    assert values(free)["epsilon"] == pytest.approx(1.0, rel=1e-9) and free.degrees_of_freedom == 0


def test_a_weight_counts_as_so_many_targets(force_field: Field, tetrahedron: Cluster) -> None:
    """ε from two energies that contradict each other: the mean, weighted 3 to 1."""
    cluster = tetrahedron()
    heavy = Target(cluster, "energy", -6.0, 0.06, weight=3.0)
    light = Target(cluster, "energy", -6.4, 0.06)
    found = fit([heavy, light], force_field("1.0", "0.9"), parameters=["*.epsilon"], check=False)
    assert values(found)["epsilon"] == pytest.approx((3 * 6.0 + 6.4) / 24, rel=1e-9)
    assert deviations(found)["epsilon"] == pytest.approx(0.01 / 2.0, rel=1e-6)
    assert found.chi2 == pytest.approx(3 * (0.1 / 0.06) ** 2 + (0.3 / 0.06) ** 2, rel=1e-9)


def test_what_the_targets_do_not_determine_is_named(force_field: Field, tetrahedron: Cluster) -> None:
    found = fit(pair(tetrahedron())[1:], force_field("1.1", "0.9"), check=False)
    assert values(found) == pytest.approx({"sigma": 1.0, "epsilon": 0.9}, rel=1e-9)
    assert found.undetermined == ({"lennard_jones.A.epsilon": pytest.approx(1.0)},)
    assert np.isinf(found.covariance[1, 1]) and deviations(found)["epsilon"] is None
    assert "not determine" in found.parameters[1].reason


def test_positions_are_a_target_whatever_their_place_and_orientation(force_field: Field, tetrahedron: Cluster) -> None:
    """A regular tetrahedron of another size, turned and moved, is met exactly."""
    cluster = tetrahedron(seed=5)
    corners = np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 1.0]]) / 2**0.5
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))[0]
    turn *= np.linalg.det(turn)
    wanted = 1.3 * corners @ turn + [5.0, -2.0, 1.0]
    found = fit([Target(cluster, "positions", wanted, 0.01)], force_field("1.0", "1.0"), parameters=["*.sigma"])
    assert values(found)["sigma"] == pytest.approx(1.3 / BOND, rel=1e-9)
    np.testing.assert_allclose(found.targets[0].predicted, wanted, atol=1e-9)
    assert found.passed


def test_positions_that_no_force_field_gives_are_met_as_well_as_can_be(force_field: Field, tetrahedron: Cluster) -> None:
    """Wanted: edges that are not alike. The best size is the one of least squares, and the derivative is checked there."""
    wanted = tetrahedron(1.25, seed=9).positions
    found = fit([Target(tetrahedron(seed=5), "positions", wanted, 0.01)], force_field("1.0", "1.0"), parameters=["*.sigma"])
    corners = np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 1.0]]) / 2**0.5
    corners -= corners.mean(axis=0)
    centered = wanted - wanted.mean(axis=0)
    u, sizes, vt = np.linalg.svd(corners.T @ centered)
    best = (sizes * [1, 1, np.sign(np.linalg.det(u @ vt))]).sum() / np.sum(corners**2)
    assert values(found)["sigma"] == pytest.approx(best / BOND, rel=1e-8)
    assert found.passed and found.chi2 is not None and found.chi2 > 1.0


def lennard_jones_forces(x: np.ndarray, sigma: float, epsilon: float) -> np.ndarray:
    """Written out anew: −∂E/∂x of all pairs."""
    step = x[:, None] - x[None]
    r = np.linalg.norm(step, axis=2) + np.eye(len(x)) * 1e9
    size = 4 * epsilon * (12 * sigma**12 / r**13 - 6 * sigma**6 / r**7) / r
    return np.sum(size[:, :, None] * step, axis=1)


def test_forces_and_energies_at_given_positions(force_field: Field, tetrahedron: Cluster) -> None:
    cluster = tetrahedron(1.1, seed=8)
    r = np.linalg.norm(cluster.positions[:, None] - cluster.positions[None], axis=2)[np.triu_indices(4, 1)]
    sigma, epsilon = 1.03, 0.7
    energy = np.sum(4 * epsilon * ((sigma / r) ** 12 - (sigma / r) ** 6))
    forces = lennard_jones_forces(cluster.positions, sigma, epsilon)
    targets = [Target(cluster, "forces", forces, 0.1, relaxed=False), Target(cluster, "energy", energy, 0.1, relaxed=False)]
    found = fit(targets, force_field("1.2", "1.0"))
    assert values(found) == pytest.approx({"sigma": sigma, "epsilon": epsilon}, rel=1e-9)
    assert found.degrees_of_freedom == 13 - 2
    (site,) = found.certificate
    assert not site.relaxed and site.difference is not None and site.difference.relative_error is not None
    assert site.difference.relative_error < 1e-7


def test_energies_known_up_to_a_constant_are_fitted_as_differences(force_field: Field, tetrahedron: Cluster) -> None:
    """The energy of four atoms, less twice that of the same four pulled apart by a known amount."""
    cluster, far = tetrahedron(1.1, seed=8), tetrahedron(2.0, seed=3, name="far")
    apart = [np.linalg.norm(s.positions[:, None] - s.positions[None], axis=2)[np.triu_indices(4, 1)] for s in (cluster, far)]
    near, wide = (np.sum(4 * (r**-12 - r**-6)) for r in apart)
    target = Target(cluster, "energy", 0.7 * (near - 2.0 * wide), 0.01, relaxed=False, relative_to=far, factor=2.0)
    found = fit([target], force_field("1.0", "1.0"), parameters=["*.epsilon"])
    assert values(found)["epsilon"] == pytest.approx(0.7, rel=1e-9)


def test_targets_of_one_structure_share_one_minimization(force_field: Field, tetrahedron: Cluster) -> None:
    stages: list[str] = []
    fit(pair(tetrahedron()) + pair(tetrahedron()), force_field("1.1", "0.9"), check=False, report=stages.append, max_steps=20)
    minimized, differentiated = stages.count("minimize tetrahedron"), stages.count("differentiate tetrahedron")
    assert set(stages) == {"minimize tetrahedron", "differentiate tetrahedron"}
    assert differentiated <= minimized <= 8


def test_a_fit_that_does_not_converge_says_so(force_field: Field, tetrahedron: Cluster) -> None:
    arguments = {"check": False, "max_steps": 1}
    with pytest.raises(ConvergenceError, match="max_steps = 1"):
        fit(pair(tetrahedron()), force_field("1.4", "0.5"), **arguments)  # type: ignore[arg-type]
    found = fit(pair(tetrahedron()), force_field("1.4", "0.5"), throw=False, **arguments)  # type: ignore[arg-type]
    assert (found.status, found.steps) == ("max-steps", 1)


def test_a_start_without_a_minimum_fails_with_the_name_of_the_structure(force_field: Field, tetrahedron: Cluster) -> None:
    cluster = tetrahedron(name="overlap")
    cluster.positions[1] = cluster.positions[0] + 1e-60
    with pytest.raises(ComputationError, match="overlap"):
        fit(pair(cluster), force_field("1.0", "1.0"))
    found = fit(pair(cluster), force_field("1.0", "1.0"), throw=False)
    assert found.status == "failed" and "overlap" in found.message
    assert found.force_field.parameters["lennard_jones"]["sigma"][0] == 1.0


def test_a_strength_that_ties_what_nothing_held_is_no_start_for_relaxed_structures(force_field: Field, tetrahedron: Cluster) -> None:
    """Four atoms that do not interact stay where they are; with any strength at all they would go somewhere else at once."""
    with pytest.raises(ComputationError, match=r"tetrahedron: the derivative with respect to lennard_jones.A.epsilon does not exist here"):
        fit(pair(tetrahedron()), force_field("1.0", "0.0"))
    still = Target(tetrahedron(), "energy", -3.0, 0.1, relaxed=False)  # linear in ε
    found = fit([still], force_field("1.0", "0.0"), parameters="*.epsilon", check=False)
    assert found.status == "converged" and found.targets[0].predicted == pytest.approx(-3.0)


def test_checkpoints_hold_the_best_so_far(force_field: Field, tetrahedron: Cluster) -> None:
    seen: list[Fit] = []
    found = fit(pair(tetrahedron()), force_field("1.1", "0.9"), check=False, checkpoint=seen.append)
    assert {each.status for each in seen} == {"interrupted"}
    assert seen[-1].chi2 == found.chi2
    assert [each.chi2 for each in seen] == sorted((each.chi2 for each in seen), reverse=True)  # type: ignore[type-var]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"observable": "enregy"}, "did you mean 'energy'"),
        ({"std": 0.0}, "std must be greater than zero"),
        ({"std": float("nan")}, "std is not finite"),
        ({"value": [1.0, 2.0]}, "value must be a number"),
        ({"value": "much"}, "value must be a number"),
        ({"std": 1e-300}, "std = 1e-300.* no finite square"),
        ({"std": 5e-324}, "no finite square"),
        ({"value": -1e300}, "value = -1e[+]300 with std = 0.1, weight = 1: .* no finite square"),
        ({"weight": 1e300}, "no finite square"),
        ({"std": 1e300}, "std = 1e[+]300.* counts for nothing"),
        ({"observable": "forces", "relaxed": False, "value": [[0.0] * 3] * 3 + [[0.0, 1e200, 0.0]]}, "value = 1e[+]200"),
        ({"weight": -1.0}, "weight must be greater than zero"),
        ({"observable": "distance:0-9"}, "there is no atom 9"),
        ({"observable": "forces"}, "relaxed = false"),
        ({"observable": "distance:0-1", "relaxed": False}, "does not depend on parameters"),
        ({"observable": "positions", "value": None, "relaxed": False}, "relaxed = true"),
        ({"observable": "forces", "relaxed": False}, r"shape \(4, 3\)"),
    ],
)
def test_targets_that_make_no_sense_are_refused(
    force_field: Field, tetrahedron: Cluster, change: dict[str, object], message: str
) -> None:
    keys = {"structure": tetrahedron(), "observable": "energy", "value": -6.0, "std": 0.1, "name": "mine", **change}
    with pytest.raises(UsageError, match=f"mine.*{message}"):
        fit([Target(**keys)], force_field("1.0", "1.0"))  # type: ignore[arg-type]


def test_a_prior_without_a_finite_square_is_refused(force_field: Field, tetrahedron: Cluster) -> None:
    with pytest.raises(UsageError, match=r"lennard_jones.A.epsilon: std = 1e-300 is too small"):
        fit(pair(tetrahedron()), force_field("1.0", "{ value = 1.0, std = 1e-300 }"))
    exact = fit(pair(tetrahedron()), force_field("1.1", "{ value = 1.0, std = 0 }"), check=False)
    assert list(values(exact)) == ["sigma"]


def test_a_huge_factor_is_refused(force_field: Field, tetrahedron: Cluster) -> None:
    target = Target(tetrahedron(), "energy", 0.0, 0.1, relative_to=tetrahedron(seed=2), factor=-1e300)
    with pytest.raises(UsageError, match=r"factor = -1e[+]300: .* no finite square"):
        fit([target], force_field("1.0", "1.0"))


@pytest.mark.parametrize("size", [1e-90, 1e90])
def test_targets_within_the_limits_are_fitted(force_field: Field, tetrahedron: Cluster, size: float) -> None:
    """χ² only changes by a factor where every std does."""
    targets = [Target(t.structure, t.observable, t.value, size * t.std) for t in pair(tetrahedron())]
    found = fit(targets, force_field("1.1", "0.9"), check=False)
    assert found.status == "converged" and values(found) == pytest.approx({"sigma": 1.0, "epsilon": 1.0}, rel=1e-8)
    assert deviations(found) == pytest.approx({"sigma": size * 0.01 / BOND, "epsilon": size * 0.01}, rel=1e-6)


@pytest.mark.parametrize(("observable", "relaxed"), [("energy", True), ("energy", False), ("distance:0-1", True)])
def test_a_structure_relative_to_itself_is_refused(force_field: Field, tetrahedron: Cluster, observable: str, relaxed: bool) -> None:
    target = Target(tetrahedron(), observable, 0.0, 0.1, relaxed=relaxed, relative_to=tetrahedron(name="twin"), name="mine")
    with pytest.raises(UsageError, match=r"mine.* relative to its own structure"):
        fit([*pair(tetrahedron()), target], force_field("1.0", "1.0"))


def test_a_multiple_of_itself_is_a_target(force_field: Field, tetrahedron: Cluster) -> None:
    """E − 3E = 12 ε."""
    target = Target(tetrahedron(), "energy", 12.0, 0.1, relative_to=tetrahedron(), factor=3.0)
    assert values(fit([target], force_field("1.0", "0.9"), parameters=["*.epsilon"], check=False))["epsilon"] == pytest.approx(1.0)


def test_targets_that_no_fitted_parameter_changes_are_named(force_field: Field, tetrahedron: Cluster) -> None:
    """Relaxed distances do not depend on ε, nor does the difference of two copies of a structure on anything."""
    energy, bond = pair(tetrahedron())
    turned = tetrahedron(name="turned")
    turned = replace(turned, positions=turned.positions[:, [1, 2, 0]])
    zero = Target(turned, "energy", 0.0, 0.1, relative_to=tetrahedron(), name="zero")
    found = fit([energy, bond, zero], force_field("1.0", "0.9"), parameters=["*.epsilon"], check=False)
    assert values(found)["epsilon"] == pytest.approx(1.0)
    (note,) = found.notes
    assert note.startswith("no fitted parameter changes these targets") and note.endswith(": tetrahedron: distance:0-1, zero")
    assert fit([energy], force_field("1.0", "0.9"), parameters=["*.epsilon"], check=False).notes == ()


def test_a_single_pattern_is_not_taken_for_its_letters(force_field: Field, tetrahedron: Cluster) -> None:
    found = fit(pair(tetrahedron()), force_field("1.0", "0.9"), parameters="*.epsilon", check=False)
    assert list(values(found)) == ["epsilon"]


def test_a_fit_of_nothing_is_refused(force_field: Field, tetrahedron: Cluster) -> None:
    with pytest.raises(UsageError, match="at least one target"):
        fit([], force_field("1.0", "1.0"))
    with pytest.raises(UsageError, match="no free parameter"):
        fit(pair(tetrahedron()), force_field("{ value = 1.0, fixed = true }", "{ value = 1.0, fixed = true }"))


def test_the_public_names_are_these() -> None:
    assert mds.fit is fit and mds.Target is Target and mds.Fit is Fit


def test_large_structures_are_fitted_with_the_eigenvalues_of_an_earlier_step(
    force_field: Field, tetrahedron: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    from md_sensitivity.fitting import sites

    monkeypatch.setattr(sites, "SMALL", 0)
    found = fit(pair(tetrahedron()), force_field("1.15", "0.9"))
    assert values(found) == pytest.approx({"sigma": 1.0, "epsilon": 1.0}, rel=1e-9)
    (site,) = found.certificate
    assert site.relative_residual is not None and site.relative_residual < 1e-9 and found.passed
    # Six springs of stiffness k = φ″(2^(1/6)) = 72/2^(1/3) without tension: a tetrahedron has the eigenvalues k, 2k and 4k.
    assert site.lowest_eigenvalue == pytest.approx(72 / BOND**2, rel=1e-8)


def test_a_saddle_at_the_end_fails_the_certificate(force_field: Field, tetrahedron: Cluster) -> None:
    from dataclasses import replace

    found = fit(pair(tetrahedron()), force_field("1.05", "1.0"))
    assert found.passed
    assert not replace(found, certificate=(replace(found.certificate[0], lowest_eigenvalue=-0.1),)).passed


def test_a_structure_that_leaves_its_basin_rejects_the_trial(
    force_field: Field, tetrahedron: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With basins smaller than nothing every trial is out of its own: the fit stalls, and the history says why."""
    from md_sensitivity.fitting import sites

    monkeypatch.setattr(sites, "BASIN", -1.0)
    found = fit(pair(tetrahedron()), force_field("1.15", "0.9"), check=False, throw=False)
    assert found.status == "stalled"
    assert "leaves its basin" in found.message and all("leaves its basin" in step.reason for step in found.history if not step.accepted)


def test_histories_of_several_passes_are_numbered_through() -> None:
    """The silicon case of `inputs/` goes on from a better minimum; here only how its history is put together."""
    from md_sensitivity.fitting.fit import _joined
    from md_sensitivity.fitting.levenberg_marquardt import Step

    first = (Step(0, 4.0, 1e-3, 0.0, 1.0, None, True), Step(1, 2.0, 1e-3, 0.1, 1.0, 1.0, True))
    later = (Step(0, 1.0, 1e-3, 0.0, 1.0, None, True), Step(1, 0.0, 1e-3, 0.1, 1.0, 1.0, True))
    again = _joined(first, later, again=True)
    assert [step.number for step in again] == [0, 1, 2, 3] and "another minimum" in again[2].reason
    assert [step.number for step in _joined(first, later, again=False)] == [0, 1, 2]
