"""Second derivatives of equilibria: closed forms, structures minimized again, parameters that follow others, orders of errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_systems import FORCE_FIELDS, cluster, crystal, force_field, structure

import md_sensitivity as mds
from md_sensitivity.analysis.directions import directions_of
from md_sensitivity.analysis.expansion import EnergyHessian, Expansion, expansions
from md_sensitivity.forcefields import ForceField
from md_sensitivity.minimization import Equilibrium, polish
from md_sensitivity.types import Structure

DIMER = (
    '[[potential]]\nstyle = "lennard_jones"\ncutoff = {cutoff!r}\n{more}'
    "[potential.parameters.A-A]\nsigma = {sigma!r}\nepsilon = {epsilon!r}\n"
)
SIGMA, EPSILON = 2.3, 0.4


def equilibrium_of(text: str, of: Structure) -> tuple[Equilibrium, ForceField]:
    field = force_field(text)
    system = mds.build_system(of, field)
    return mds.minimize(mds.energy_function(system), system.positions, field.parameters), field


def expanded(
    equilibrium: Equilibrium, field: ForceField, of: Structure, specs: Sequence[str] = (), indices: Sequence[int] | None = None
) -> tuple[list[Expansion], EnergyHessian]:
    """Expansions along parameters, in the order of the table."""
    steps = directions_of(field, np.arange(len(field.table)) if indices is None else indices)
    responses = mds.equilibrium_jacobian(equilibrium, steps.tree).value
    consistent = field.consistent if len(field.relations) else None
    bound = [mds.observable(spec, of).bind(equilibrium) for spec in specs]
    hessian = mds.energy_hessian(equilibrium, steps, responses, consistent=consistent)
    return expansions(equilibrium, steps.tree, responses, bound, consistent=consistent), hessian


@pytest.fixture(scope="module")
def dimer() -> tuple[list[Expansion], np.ndarray, tuple[str, ...]]:
    """Lennard-Jones dimer without a cutoff, by (σ, ε)."""
    of = structure(np.array([[0.0, 0, 0], [2.6, 0, 0]]), "AA")
    text = DIMER.format(cutoff=1e3, more='truncation = "none"\n', sigma=SIGMA, epsilon=EPSILON)
    equilibrium, field = equilibrium_of(text, of)
    found, hessian = expanded(equilibrium, field, of, ("distance:0-1", "energy"))
    return found, hessian.value, tuple(row.parameter for row in field.table.rows)


def test_the_energy_of_a_dimer_is_linear_in_its_depth_and_free_of_its_size(dimer: Any) -> None:
    found, hessian, names = dimer
    assert np.abs(hessian).max() < 1e-10, "E* = −ε"
    sigma, epsilon = found[names.index("sigma")], found[names.index("epsilon")]
    assert epsilon.energy == pytest.approx([-EPSILON, -1.0, 0.0, 0.0], abs=1e-10)
    assert sigma.energy == pytest.approx([-EPSILON, 0.0, 0.0, 0.0], abs=1e-8)


def test_the_bond_of_a_dimer_is_proportional_to_its_size(dimer: Any) -> None:
    found, _, names = dimer
    length = found[names.index("sigma")].observables[0]
    assert (float(length.value), float(length.first)) == pytest.approx((2 ** (1 / 6) * SIGMA, 2 ** (1 / 6)), rel=1e-9)
    assert float(length.second) == pytest.approx(0.0, abs=1e-9), "r* = 2^(1/6) σ"
    assert np.abs(found[names.index("epsilon")].second).max() < 1e-9


def pulled_bond(x: jax.Array, theta: Any) -> jax.Array:
    """A spring of stiffness k and rest length b, pulled by a force f: E = ½ k (x − b)² − f x, x* = b + f/k, E* = −f b − f²/2k."""
    return 0.5 * theta["k"] * jnp.sum((x - theta["b"]) ** 2) - theta["f"] * jnp.sum(x)


def test_a_pulled_spring_bends_as_its_closed_form_does() -> None:
    k, b, f = 3.0, 1.1, 0.7
    theta = {"k": jnp.asarray(k), "b": jnp.asarray(b), "f": jnp.asarray(f)}
    equilibrium = mds.minimize(pulled_bond, jnp.zeros(1), theta, fmax=1e-13)
    basis = {name: jnp.eye(3)[place] for place, name in enumerate(theta)}
    responses = mds.equilibrium_jacobian(equilibrium, basis).value
    found = mds.energy_hessian(equilibrium, basis, responses)
    exact = np.array([[-(f**2) / k**3, 0.0, f / k**2], [0.0, 0.0, -1.0], [f / k**2, -1.0, -1.0 / k]])
    assert found.value == pytest.approx(exact, abs=1e-12) and found.asymmetry < 1e-12
    along = mds.expand(equilibrium, {"k": 1.0, "b": 0.0, "f": 0.0})
    assert float(along.first[0]) == pytest.approx(-f / k**2) and float(along.second[0]) == pytest.approx(2.0 * f / k**3)
    assert along.energy == pytest.approx([-f * b - f * f / (2 * k), f * f / (2 * k * k), -f * f / k**3, 3 * f * f / k**4])


def pulled_morse(x: jax.Array, theta: Any) -> jax.Array:
    """E = D (1 − e^(−a x))² − f x."""
    return jnp.sum(theta["D"] * (1.0 - jnp.exp(-theta["a"] * x)) ** 2 - theta["f"] * x)


def test_a_pulled_morse_bond_bends_as_its_closed_form_does() -> None:
    depth, a, f = 0.8, 1.7, 0.2

    def stretch(f: jax.Array) -> jax.Array:
        """The force 2 a D e^(−a x) (1 − e^(−a x)) is f."""
        return -jnp.log(0.5 * (1.0 + jnp.sqrt(1.0 - 2.0 * f / (a * depth)))) / a

    theta = {"D": jnp.asarray(depth), "a": jnp.asarray(a), "f": jnp.asarray(f)}
    equilibrium = mds.minimize(pulled_morse, jnp.zeros(1), theta, fmax=1e-13)
    found = mds.expand(equilibrium, {"D": 0.0, "a": 0.0, "f": 1.0})
    slope = jax.grad(stretch)
    assert float(equilibrium.x[0]) == pytest.approx(float(stretch(jnp.asarray(f))), abs=1e-10)
    assert float(found.first[0]) == pytest.approx(float(slope(f)), rel=1e-9)
    assert float(found.second[0]) == pytest.approx(float(jax.grad(slope)(f)), rel=1e-8)
    # dE*/df = −x*, so that higher derivatives are those of −x*.
    assert found.energy[1:] == pytest.approx([-float(stretch(f)), -float(slope(f)), -float(jax.grad(slope)(f))], rel=1e-8)


def test_a_cluster_grows_in_proportion_to_sigma() -> None:
    of = structure(np.array([[0.0, 0, 0], [2.6, 0, 0], [1.3, 2.2, 0], [1.3, 0.8, 2.1], [1.3, 0.8, -2.1]]), "AAAAA")
    text = DIMER.format(cutoff=1e3, more='truncation = "none"\n', sigma=SIGMA, epsilon=EPSILON)
    equilibrium, field = equilibrium_of(text, of)
    found, hessian = expanded(equilibrium, field, of, ("radius_of_gyration",))
    names = [row.parameter for row in field.table.rows]
    size = found[names.index("sigma")].observables[0]
    assert float(size.first) * SIGMA == pytest.approx(float(size.value), rel=1e-8) and abs(float(size.second)) < 1e-7
    # x ∝ σ exactly; what is left of x″ is the share of rotations that the minimum-norm x′ leaves out, which is none.
    assert np.abs(found[names.index("sigma")].second).max() < 1e-7
    assert np.abs(hessian.value).max() < 1e-8 and hessian.asymmetry < 1.0


CASES: dict[str, tuple[str, Callable[[], Structure], tuple[str, ...]]] = {
    "cluster": (FORCE_FIELDS["lennard_jones"], cluster, ("distance:0-1", "energy")),
    "crystal": (FORCE_FIELDS["morse"], crystal, ("pressure", "angle:0-1-2")),
}


@pytest.mark.parametrize("case", CASES)
def test_second_derivatives_are_differences_of_first_ones_after_minimizing_again(case: str) -> None:
    text, make, specs = CASES[case]
    of = make()
    equilibrium, field = equilibrium_of(text, of)
    steps = directions_of(field, np.arange(len(field.table)))
    found, hessian = expanded(equilibrium, field, of, specs)
    assert hessian.asymmetry < 1e-8
    parameter, step = 1, 1e-4
    rows, bends, moves = [], [], []
    for side in (1.0, -1.0):
        theta = jax.tree.map(lambda t, d, s=side: np.asarray(t) + s * step * np.asarray(d)[parameter], equilibrium.theta, steps.tree)
        start = replace(equilibrium, x=found[parameter].positions_at(equilibrium.x, side * step))
        there = polish(start, equilibrium.energy, theta, goal=1e-14)
        there = replace(there, spectrum=equilibrium.spectrum)
        slope = jax.tree.map(lambda leaf: np.asarray(leaf)[None], jax.grad(there.energy, 1)(there.x, theta))
        rows.append(np.asarray(steps.along(slope))[0])
        responses = mds.equilibrium_jacobian(there, steps.tree).value
        bound = [mds.observable(spec, of).bind(equilibrium) for spec in specs]
        bends.append([o.first for o in expansions(there, steps.tree, responses, bound)[parameter].observables])
        moves.append(np.asarray(responses)[parameter])
    assert hessian.value[parameter] == pytest.approx((rows[0] - rows[1]) / (2 * step), rel=1e-5, abs=1e-5 * np.abs(hessian.value).max())
    for observable, after, before in zip(found[parameter].observables, *bends, strict=True):
        assert observable.second == pytest.approx((after - before) / (2 * step), rel=1e-5), observable.name
    assert found[parameter].energy[2] == pytest.approx(hessian.value[parameter, parameter], rel=1e-10)
    difference = (moves[0] - moves[1]) / (2 * step)
    if case == "crystal":  # a free cluster's gauge turns with it
        assert np.abs(found[parameter].second - difference).max() < 1e-4 * np.abs(difference).max()


def errors_of(found: Expansion, equilibrium: Equilibrium, changes: Sequence[float], place: Callable[[float], Any]) -> np.ndarray:
    """Errors of predicted energies of first, second and third order at some changes, shape=(changes, 3)."""
    errors = []
    for change in changes:
        start = replace(equilibrium, x=found.positions_at(equilibrium.x, change))
        there = polish(start, equilibrium.energy, place(change), goal=1e-14)
        errors.append([abs(there.value - found.energy_at(change, order)) for order in (1, 2, 3)])
    return np.array(errors)


def test_errors_of_energies_fall_with_the_order_of_the_prediction_over_two_decades() -> None:
    of = cluster()
    equilibrium, field = equilibrium_of(FORCE_FIELDS["lennard_jones"], of)
    names = list(field.table.names)
    sigma = names.index("lennard_jones.A-B.sigma")
    found, _ = expanded(equilibrium, field, of, indices=[sigma])
    vector = np.eye(len(names))[sigma]
    changes = np.geomspace(2e-4, 2e-2, 7)
    errors = errors_of(found[0], equilibrium, changes, lambda t: field.table.unravel(field.table.values + t * vector))
    for order, expected in ((1, 2.0), (2, 3.0)):
        slope = np.polyfit(np.log(changes), np.log(errors[:, order - 1]), 1)[0]
        assert expected - 0.1 < slope < expected + 0.1, (order, slope)
    large = errors[changes > 2e-3, 2]  # below, the fourth order is rounding
    assert np.all(large < errors[changes > 2e-3, 1]) and all(b > 4 * a for a, b in pairwise(large))


@pytest.mark.slow
def test_errors_of_a_vacancy_fall_with_the_cube_of_the_change_over_two_decades() -> None:
    folder = Path(__file__).parents[2] / "inputs" / "argon_vacancy"
    of, field = mds.read_structure(folder / "structure.extxyz"), mds.read_force_field(folder / "force_field.toml")
    system = mds.build_system(of, field)
    equilibrium = mds.minimize(mds.energy_function(system), system.positions, field.parameters)
    sigma = list(field.table.names).index("lennard_jones.Ar.sigma")
    found, hessian = expanded(equilibrium, field, of)
    assert hessian.asymmetry < 1e-10 and found[sigma].energy[2] == pytest.approx(hessian.value[sigma, sigma], rel=1e-10)
    vector = np.eye(len(field.table))[sigma]
    changes = 3.405 * np.geomspace(2e-4, 2e-2, 7)
    errors = errors_of(found[sigma], equilibrium, changes, lambda t: field.table.unravel(field.table.values + t * vector))
    assert 2.9 < np.polyfit(np.log(changes), np.log(errors[:, 1]), 1)[0] < 3.1
    assert 1.9 < np.polyfit(np.log(changes), np.log(errors[:, 0]), 1)[0] < 2.1


FOLLOWING = (
    'variables = { size = { value = 2.2, unit = "Å" }, power = 1.5 }\n'
    '[[potential]]\nstyle = "lennard_jones"\ncutoff = 5.3\nswitch_from = 4.2\n'
    '[potential.parameters.A]\nsigma = { tie = "variable.size", scale = 1.05 }\nepsilon = 0.4\n'
    '[potential.parameters.B]\nsigma = { expression = "1.02 * (size / A.sigma)^power * A.sigma" }\nepsilon = 0.5\n'
    '[potential.parameters.A-B]\nsigma = { expression = "0.5 * (A.sigma + B.sigma)" }\n'
    'epsilon = { expression = "sqrt(A.epsilon * B.epsilon) * exp(-0.1 * log(B.sigma / A.sigma))" }\n'
)
"""A and B follow two variables; A-B follows A and B."""


def test_the_path_of_parameters_that_follow_others_is_bent_exactly() -> None:
    of = cluster()
    equilibrium, field = equilibrium_of(FOLLOWING, of)
    free = np.flatnonzero(field.table.free)
    steps = directions_of(field, free)
    found, hessian = expanded(equilibrium, field, of, ("radius_of_gyration",), free)
    straight = expansions(equilibrium, steps.tree, jax.tree.map(lambda *rows: np.stack(rows), *(each.first for each in found)))
    bent = [i for i, each in enumerate(found) if abs(straight[i].energy[2] - each.energy[2]) > 1e-3 * abs(each.energy[2])]
    assert hessian.asymmetry < 1e-8 and len(bent) >= 2, "ties alone are straight; powers and square roots are not"
    (rg,) = (mds.observable("radius_of_gyration").bind(equilibrium),)
    for i in bent:
        each, vector = found[i], np.eye(len(field.table))[free[i]]

        def place(t: float, vector: np.ndarray = vector) -> Any:
            return field.with_parameters(field.table.unravel(field.table.values + t * vector)).parameters

        assert each.energy[2] == pytest.approx(hessian.value[i, i], rel=1e-9)
        changes = 2e-3 * np.array([1.0, 2.0, 4.0]) * field.table.values[free[i]]
        errors = errors_of(each, equilibrium, changes, place)
        assert 2.8 < np.polyfit(np.log(changes), np.log(errors[:, 1]), 1)[0] < 3.3, field.table.names[free[i]]
        there = polish(equilibrium, equilibrium.energy, place(changes[0]), goal=1e-14)
        change = float(rg(there.energy, there.x, there.theta)) - float(each.observables[0].at(changes[0]))
        first = float(rg(there.energy, there.x, there.theta)) - float(each.observables[0].at(changes[0], 1))
        assert abs(change) < 0.1 * abs(first)


def test_a_second_response_is_that_of_an_expansion_and_needs_no_list() -> None:
    equilibrium, field = equilibrium_of(FORCE_FIELDS["morse"], crystal())
    direction = field.table.unravel(0.1 * field.table.values)
    first = mds.equilibrium_jvp(equilibrium, direction)
    second = mds.second_response(equilibrium, direction, first.value)
    found = mds.expand(equilibrium, direction)
    assert second.value.shape == equilibrium.x.shape and float(second.residual[0]) < 1e-8
    assert np.abs(np.asarray(second.value) - found.second).max() < 1e-9 * np.abs(found.second).max()
    assert found.size == pytest.approx(0.1) and np.abs(found.scaled(2.0).second - 4.0 * found.second).max() == 0.0
