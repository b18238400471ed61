"""How far predictions hold: never much less than stated, and not much further; what ends a range; when there is none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from small_systems import FORCE_FIELDS, cluster, crystal, force_field, mixed, structure

import md_sensitivity as mds
from md_sensitivity.analysis.breakdown import crossing, room_within, soft_modes, softening, vanishing
from md_sensitivity.analysis.expansion import expansions
from md_sensitivity.analysis.parameters import select_parameters
from md_sensitivity.analysis.remeasured import measured
from md_sensitivity.analysis.result import ResultDocument, SecondOrderInfo
from md_sensitivity.analysis.second_order import place_of
from md_sensitivity.analysis.validity import BOUNDS, CONTACT, DIVERGENCE, EIGENVALUE, TOLERANCE, validities
from md_sensitivity.errors import UsageError
from md_sensitivity.minimization import stored_of
from md_sensitivity.pipeline import Options, analyze

INPUTS = Path(__file__).parents[2] / "inputs"
OPTIMISM = 2.0
"""By which factor a stated range may be too long."""


def shares_that_hold(of: Any, field: Any, specs: Sequence[str], directions: int, fractions: Sequence[float]) -> dict[float, list[bool]]:
    """Whether predictions hold at fractions of their stated ranges, along random directions to both sides, by minimizing again."""
    system = mds.build_system(of, field)
    equilibrium = mds.minimize(mds.energy_function(system), system.positions, field.parameters)
    selection = select_parameters(field, of, ())
    vectors = np.random.default_rng(5).normal(size=(directions, len(selection.rows))) * selection.scales
    vectors /= np.max(np.abs(vectors) / selection.scales, axis=1)[:, None]
    tree = field.table.unravel(np.array([selection.steps.combined(vector) for vector in vectors]))
    bound = tuple(mds.observable(spec, of).bind(equilibrium) for spec in specs)
    places = [place_of(field, selection, vector) for vector in vectors]
    found = expansions(equilibrium, tree, mds.equilibrium_jacobian(equilibrium, tree).value, bound, sizes=np.ones(directions))
    stored = stored_of(equilibrium)
    held: dict[float, list[bool]] = {fraction: [] for fraction in fractions}
    for each, valid, place in zip(found, validities(equilibrium, found, bound, places=places), places, strict=True):
        for way, side in enumerate((-1.0, 1.0)):
            for order in (1, 2):
                for quantity, entry in enumerate(valid.ranges):
                    reach = (entry.linear if order == 1 else entry.quadratic)[way].reach
                    for fraction in fractions:
                        if fraction * reach > 1.0 or (fraction > 1.0 and way):
                            continue
                        there = measured(
                            equilibrium, each, side * fraction * reach, bound, lambda theta: equilibrium.energy, place=place, stored=stored
                        )
                        held[fraction].append(not there.reason and bool(there.holds(each, TOLERANCE, order)[quantity]))
    return held


def test_ranges_of_a_cluster_are_neither_optimistic_nor_useless() -> None:
    held = shares_that_hold(cluster(), force_field(FORCE_FIELDS["lennard_jones"]), ("distance:0-1",), 50, (1.0 / OPTIMISM, 1.0, 3.0))
    assert len(held[1.0 / OPTIMISM]) == 600 and all(held[1.0 / OPTIMISM])
    assert np.mean(held[1.0]) > 0.95, "ranges are estimates with a margin"
    assert np.mean(held[3.0]) < 0.5, "three times as far most predictions are wrong"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["argon_vacancy", "morse crystal"])
def test_ranges_of_crystals_are_neither_optimistic_nor_useless(name: str) -> None:
    if name == "argon_vacancy":
        of = mds.read_structure(INPUTS / name / "structure.extxyz")
        held = shares_that_hold(of, mds.read_force_field(INPUTS / name / "force_field.toml"), ("pressure",), 50, (1.0 / OPTIMISM, 1.0, 3.0))
    else:
        held = shares_that_hold(crystal(), force_field(FORCE_FIELDS["morse"]), ("pressure",), 50, (1.0 / OPTIMISM, 1.0, 3.0))
    assert all(held[1.0 / OPTIMISM]) and np.mean(held[1.0]) > 0.9 and np.mean(held[3.0]) < 0.5


def fold(x: Any, theta: Any) -> Any:
    """x³/3 − c x has its minimum at √c, which meets a maximum at c = 0."""
    return jnp.sum(x**3 / 3.0 - theta["c"] * x)


def test_a_fold_ends_a_range_before_it() -> None:
    equilibrium = mds.minimize(fold, jnp.ones(1), {"c": jnp.asarray(1.0)}, fmax=1e-13)
    found = mds.expand(equilibrium, {"c": 1.0})
    soft = soft_modes(equilibrium)
    down, up = vanishing(soft, softening(equilibrium, soft, [found])[0])
    assert (down, up) == (pytest.approx(1.0, rel=1e-6), np.inf), "λ² = 4 c is linear, and tells exactly where"
    (valid,) = validities(equilibrium, [found], tolerance=1e3, furthest=2.0)
    assert 0.4 < valid.quadratic[0].reach <= 1.0 + 1e-6 and valid.quadratic[0].reason in (EIGENVALUE, DIVERGENCE)


def test_a_softening_spring_ends_a_range_at_half_the_distance_to_zero() -> None:
    def spring(x: Any, theta: Any) -> Any:
        return 0.5 * theta["k"] * jnp.sum(x**2) + 0.5 * jnp.sum((x - 1.0) ** 2) - 0.5 * jnp.sum(x**2)

    equilibrium = mds.minimize(spring, jnp.zeros(2), {"k": jnp.asarray(2.0)}, fmax=1e-13)
    (valid,) = validities(equilibrium, [mds.expand(equilibrium, {"k": 1.0})], tolerance=1e3)
    assert valid.quadratic[0].reach <= 1.0 + 1e-9 and valid.quadratic[0].reason in (EIGENVALUE, DIVERGENCE)


def test_gaps_close_where_their_parabolas_do() -> None:
    here = np.array([0.1, -0.2, np.inf, 0.5])
    step = 1e-2

    def at(t: float) -> np.ndarray:
        return here + t * np.array([-1.0, 0.4, 0.0, 0.0]) + t * t * np.array([0.0, 0.0, 0.0, -0.5])

    down, up = crossing(here, at(-step), at(step), step)
    assert (down, up) == (pytest.approx(1.0), pytest.approx(0.1))
    still = np.array([0.3])
    assert crossing(still, still, still, step) == (np.inf, np.inf)


def test_bounds_are_found_by_trying() -> None:
    assert room_within(lambda t: t <= 0.3, 1.0) == pytest.approx(0.3)
    assert room_within(lambda t: True, 2.0) == 2.0


def second_order_info(document: ResultDocument) -> SecondOrderInfo:
    assert isinstance(document.second_order, SecondOrderInfo)
    return document.second_order


def test_a_cutoff_ends_the_range_of_a_bond() -> None:
    of = structure(np.array([[0.0, 0, 0], [2.5, 0, 0]]), "AA")
    morse = "[potential.parameters.A-A]\nD = 0.4\nalpha = 1.3\nr0 = 2.5\n"
    text = f'[[potential]]\nstyle = "morse"\ncutoff = 2.6\ntruncation = "shift"\n{morse}'
    options = Options(second_order=True, check=0, observables=("distance:0-1",), parameters=("morse.A-A.r0",))
    each = second_order_info(analyze(of, force_field(text), options).document).expansions[0]
    assert each.validity is not None
    bond = next(entry for entry in each.validity.ranges if entry.quantity == "distance:0-1")
    assert bond.quadratic[1].limited_by == CONTACT and bond.quadratic[1].relative == pytest.approx(0.04, rel=0.05), "r* = r0, to 2.6 Å"


def test_bounds_end_a_range() -> None:
    text = FORCE_FIELDS["lennard_jones"].replace("epsilon = 0.4", "epsilon = { value = 0.4, bounds = [0.399, 0.4004] }")
    found = second_order_info(analyze(cluster(), force_field(text), Options(second_order=True, check=0, observables=("energy",))).document)
    (bounded,) = [each for each in found.expansions if each.parameter == "lennard_jones.A-A.epsilon"]
    assert bounded.validity is not None and [side.limited_by for side in bounded.validity.quadratic] == [BOUNDS, BOUNDS]
    assert [side.relative for side in bounded.validity.quadratic] == pytest.approx([0.0025, 0.001])
    assert bounded.validity.quadratic_change == pytest.approx([-0.001, 0.0004])


def test_what_has_no_derivative_has_no_expansion() -> None:
    text = mixed("lorentz-berthelot", "force-shift").replace("epsilon = 0.5", "epsilon = 0.0")
    found = analyze(crystal(), force_field(text), Options(second_order=True, check=0)).document
    info = second_order_info(found)
    names = [row.name for row in found.parameters]
    missing = names.index("lennard_jones.B.epsilon")
    assert [each.energy is None for each in info.expansions] == [*(place == missing for place in range(len(names))), False]
    assert isinstance(info.expansions[missing].reason, str) and "does not exist" in info.expansions[missing].reason
    assert info.energy_hessian is not None
    assert all((info.energy_hessian[i][j] is None) == (missing in (i, j)) for i in range(len(names)) for j in range(len(names)))


def test_what_is_no_minimum_has_no_expansion() -> None:
    found = analyze(cluster(), force_field(FORCE_FIELDS["lennard_jones"]), Options(second_order=True, check=0, max_steps=2)).document
    info = second_order_info(found)
    assert found.status == "unconverged" and info.expansions == [] and info.energy_hessian is None
    assert isinstance(info.reason, str) and "unconverged" in info.reason


def test_the_adjoint_mode_is_refused_with_advice() -> None:
    with pytest.raises(UsageError, match="--mode forward"):
        analyze(cluster(), force_field(FORCE_FIELDS["lennard_jones"]), Options(second_order=True, mode="adjoint", positions=False))


def test_measured_errors_agree_with_the_ranges() -> None:
    options = Options(second_order_check=5, check=0, observables=("energy",), parameters=("lennard_jones.A-A.sigma",))
    info = second_order_info(analyze(cluster(), force_field(FORCE_FIELDS["lennard_jones"]), options).document)
    each = info.expansions[0]
    assert isinstance(each.measured, list) and len(each.measured) == 5 and each.validity is not None
    sizes = [abs(check.relative) for check in each.measured]
    assert sizes == sorted(sizes) and sizes[-1] / sizes[0] == pytest.approx(100.0)
    side = 0 if each.measured[0].relative < 0 else 1
    for check in each.measured:
        energy = check.errors[0]
        if abs(check.relative) <= each.validity.quadratic[side].relative / OPTIMISM:
            assert energy.quantity == "energy" and energy.quadratic < energy.linear
            assert energy.quadratic < 1.1 * info.tolerance * energy.change
