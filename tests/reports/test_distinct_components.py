"""Components of an observable that symmetry makes equal, or keeps, are shown once."""

from __future__ import annotations

from dataclasses import replace as renew
from typing import Any

import msgspec
import numpy as np

from md_sensitivity.analysis.result import ObservableInfo, ParameterInfo
from md_sensitivity.reports.components import Component, distinct

NOISE = 3e-14


def shown(document: Any, name: str, value: np.ndarray, by_sigma: np.ndarray, by_epsilon: np.ndarray) -> list[Component]:
    """What is shown of one observable with two parameters, the second ten thousand times smaller than its unit."""
    totals = [by_sigma.tolist(), by_epsilon.tolist()]
    zeros = np.zeros_like(by_sigma).tolist()
    observable = ObservableInfo(
        name=name, unit="GPa", value=value.tolist(), direct=totals, relaxation=[zeros, zeros], total=totals, logarithmic=totals
    )
    parameters = [ParameterInfo(name="lj.Ar.sigma", value=3.4, unit="Å"), ParameterInfo(name="lj.Ar.epsilon", value=1e-4, unit="eV")]
    return distinct(msgspec.structs.replace(document, observables=[observable], parameters=parameters))


def test_a_cubic_crystal_has_three_elastic_constants(silicon: Any) -> None:
    c = np.zeros((6, 6))
    c[:3, :3] = 5.0
    c[range(3), range(3)], c[range(3, 6), range(3, 6)] = 9.0, 2.0
    noise = NOISE * np.random.default_rng(0).normal(size=(6, 6))
    found = shown(silicon().document, "elastic_constants", c + noise, -3.0 * c / 3.4 + noise, c / 1e-4 + 1e4 * noise)
    headings = ["C11 = C22 = C33", "C12 = C13 = C21 = C23 = C31 = C32", "C44 = C55 = C66"]
    assert [component.heading.removeprefix("elastic_constants.") for component in found] == headings


def test_constants_that_differ_a_little_stay_apart(silicon: Any) -> None:
    value = np.array([9.0, 9.0 * (1 + 1e-6), 5.0, 2.0, 2.0, 2.0])
    found = shown(silicon().document, "stress", value, value, value)
    assert [component.label for component in found] == ["xx", "yy", "zz", "yz"]
    slopes = np.array([1.0, 1.0 + 1e-5, 1.0])
    assert len(shown(silicon().document, "dipole_vector", np.full(3, 2.0), slopes, slopes)) == 2


def test_angles_that_symmetry_keeps_are_constant_and_stand_in_one_line(silicon: Any) -> None:
    value = np.array([3.8, 3.8, 6.1, 90.0, 90.0, 120.0])
    slopes = np.array([1.1, 1.1, 1.8, NOISE, -2 * NOISE, 0.0])
    a, c, right, gamma = shown(silicon().document, "lattice", value, slopes, NOISE * np.arange(6.0))
    assert (a.also, c.also, right.also, gamma.also) == (("b",), (), ("beta",), ())
    assert [each.constant for each in (a, c, right, gamma)] == [False, False, True, True]


def test_what_is_zero_and_stays_so_is_left_out_but_never_all_of_it(silicon: Any) -> None:
    zero = NOISE * np.arange(1.0, 7.0)
    found = shown(silicon().document, "stress", zero, 0.0 * zero, 0.0 * zero)
    assert [component.label for component in found] == ["xx"]
    moved = zero.copy()
    moved[1] = 4.0
    assert [component.label for component in shown(silicon().document, "stress", zero, moved, 0.0 * zero)] == ["yy"]


def test_a_scalar_is_always_shown(silicon: Any) -> None:
    (only,) = shown(silicon().document, "volume", np.array(0.0), np.array(0.0), np.array(0.0))
    assert not only.constant and renew(only, value=1.0).heading == "volume"
