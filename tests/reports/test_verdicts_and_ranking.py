"""Plain-language verdicts, order of parameters, and printed numbers."""

from __future__ import annotations

import dataclasses
import itertools
import re

import msgspec
import numpy as np
import pytest

from md_sensitivity.analysis.result import FiniteDifference
from md_sensitivity.reports.components import components
from md_sensitivity.reports.extxyz import MAX_PARAMETERS, response_columns
from md_sensitivity.reports.html.parity import Dot, parity
from md_sensitivity.reports.html.projection import cell_edges, choose_view, drawn_atoms, wrapped
from md_sensitivity.reports.html.svg import ticks
from md_sensitivity.reports.pdb import response_bfactors
from md_sensitivity.reports.ranking import most_responsive, ranked, relative_response
from md_sensitivity.reports.text import ascii_only, count, number, per, plain_powers, pretty, rounded, signed
from md_sensitivity.reports.verdicts import finite_difference_verdict, overall, remarks, verdicts


def levels(document) -> dict[str, str]:
    return {verdict.quantity: verdict.level for verdict in verdicts(document)}


def changed(document, **certificate):
    return msgspec.structs.replace(document, certificate=msgspec.structs.replace(document.certificate, **certificate))


def test_a_good_certificate(silicon):
    document = silicon().document
    assert overall(document)[0] == "good"
    assert set(levels(document).values()) == {"good", "note"}


@pytest.mark.parametrize(
    ("change", "level"),
    [
        ({"passed": False}, "bad"),
        ({"finite_differences": []}, "caution"),
        ({"relative_residual": 1e-4}, "caution"),
        ({"kink_distance": 1e-9}, "caution"),
        ({"kink_distance": None}, "good"),
    ],
)
def test_what_spoils_it(silicon, change, level):
    assert overall(changed(silicon().document, **change))[0] == level


def soft(document, **equilibrium):
    return msgspec.structs.replace(document, equilibrium=msgspec.structs.replace(document.equilibrium, **equilibrium))


def test_a_soft_structure_is_said_to_be_soft(dipeptide):
    document = soft(dipeptide().document, lowest_eigenvalue=0.0012, max_force=2.7e-8, softest_atoms=[5, 4])
    level, sentence = overall(changed(document, error_estimate=3.5e-5))
    assert level == "caution" and "the structure is soft: about 4 digits are right (error up to 0.0035 %) of dx*/dθ" in sentence
    (remark,) = remarks(changed(document, error_estimate=3.5e-5))
    for fragment in ("atoms 5, 4 move most", "0.0012 eV/Å²", "2.7×10⁻⁸ eV/Å", "about 4 digits", "--fmax 1e-10"):
        assert fragment in remark.meaning
    assert overall(changed(document, error_estimate=3.5e-7))[0] == "good"
    tiny = changed(soft(document, max_force=3e-13), error_estimate=0.2)
    assert "no digit is certain" in remarks(tiny)[0].meaning and "--fmax" not in remarks(tiny)[0].meaning


def test_large_forces_are_no_softness(dipeptide):
    document = changed(soft(dipeptide().document, max_force=1e-3), error_estimate=1e-4)
    assert "the forces are not quite zero" in overall(document)[1]
    assert "soft" not in remarks(document)[0].meaning and "--fmax 1e-05" in remarks(document)[0].meaning


def test_reduced_units_have_no_unit_in_remarks(packing):
    (remark,) = remarks(changed(packing().document, error_estimate=1e-4))
    assert "eV" not in remark.meaning and "Å" not in remark.meaning and "reduced" not in remark.meaning


def test_several_remarks_are_named(silicon):
    document = changed(silicon().document, error_estimate=1e-4, relative_residual=1e-5)
    assert overall(document)[1] == "The certificate passed, with remarks on: linear residual, error estimate; see below."
    assert "another --solver" in remarks(document)[1].meaning


@pytest.mark.parametrize(("status", "level"), [("unconverged", "caution"), ("not-a-minimum", "bad"), ("failed", "bad")])
def test_status_comes_first(silicon, status, level):
    assert overall(msgspec.structs.replace(silicon().document, status=status))[0] == level


@pytest.mark.parametrize(
    ("error", "own", "level"),
    [(1e-9, None, "good"), (5e-6, 2e-6, "good"), (5e-6, 1e-7, "caution"), (0.1, None, "bad"), (None, None, "note")],
)
def test_finite_differences_are_judged_by_their_own_error(error, own, level):
    verdict = finite_difference_verdict(FiniteDifference(parameter="a", relative_error=error, own_error=own, reason="contacts change"))
    assert verdict.level == level
    assert "ontacts change" in verdict.meaning


def test_parameters_are_ranked_by_logarithmic_sensitivity(silicon):
    document = silicon().document
    for scalar in components(document):
        order = ranked(scalar, document)
        assert sorted(order) == list(range(10)) and order[-1] == 9  # q has no derivative
        weights = [abs(document.parameters[p].value * scalar.total[p]) for p in order[:-1]]
        assert weights == sorted(weights, reverse=True)


def test_responses_are_compared_at_equal_relative_changes(silicon):
    result = silicon()
    response = relative_response(result.document)
    for p, parameter in enumerate(result.document.parameters[:9]):
        assert response[p] == pytest.approx(abs(parameter.value) * np.linalg.norm(result.arrays["dpositions"][p]))
    order = most_responsive(result.document)
    assert response[9] is None and 9 not in order
    assert most_responsive(result.document, 2) == order[:2]


def test_extxyz_columns_hold_every_parameter_that_has_a_derivative(silicon):
    result = silicon()
    columns = response_columns(result)
    assert next(iter(columns)) == "MDS_d_stillinger_weber.Si-Si-Si.epsilon" and len(columns) == 9
    np.testing.assert_array_equal(columns["MDS_d_stillinger_weber.Si-Si-Si.A"], result.arrays["dpositions"][6])


def test_extxyz_keeps_the_most_responsive_of_very_many_parameters(silicon):
    result = silicon(cells=1)
    document, n = result.document, MAX_PARAMETERS + 5
    parameters = [msgspec.structs.replace(document.parameters[0], name=f"p{k}", value=1.0) for k in range(n)]
    sizes = [float((7 * k) % n) for k in range(n)]
    norm = msgspec.structs.replace(document.position_norm, l2=sizes)
    grown = msgspec.structs.replace(document, parameters=parameters, position_norm=norm)
    arrays = {"dpositions": np.zeros((n, result.structure.size, 3))}
    names = list(response_columns(dataclasses.replace(result, document=grown, arrays=arrays)))
    assert len(names) == MAX_PARAMETERS
    assert names == [f"MDS_d_p{k}" for k in range(n) if sizes[k] >= 5]


def test_b_factors_show_the_most_responsive_parameter(peptide):
    result = peptide()
    bfactors, title = response_bfactors(result)
    p = most_responsive(result.document, 1)[0]
    np.testing.assert_allclose(bfactors, np.linalg.norm(result.arrays["dpositions"][p], axis=1))
    assert result.document.parameters[p].name in title and title.isascii()


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1"), (-0.0, "0"), (-1.23456789e-6, "−1.2346×10⁻⁶"), (123456.0, "1.2346×10⁵"), (12345.0, "12\u202f345"), (None, "")],
)
def test_pretty_numbers(value, text):
    assert pretty(value) == text


def test_other_texts():
    assert number(-1.23456789e-6, 4) == "-1.235e-06"
    assert (signed(1.5), signed(-1.5), signed(0.0)) == ("+1.5", "−1.5", "0")
    assert (per("GPa", "Å"), per("GPa", "1"), per("reduced", "reduced")) == ("GPa per Å", "GPa", "reduced")
    assert (per("1", "Å"), per("1", "1"), per("1", "")) == ("per Å", "", "")
    assert (count(1, "atom"), count(2, "atom"), count(12345, "atom")) == ("1 atom", "2 atoms", "12\u202f345 atoms")
    assert (rounded(1234.5), rounded(0.0123), rounded(98765.0)) == ("1200", "0.012", "99\u202f000")


def test_ticks_are_round_and_inside():
    assert ticks(0.073, 4) == pytest.approx([0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07])
    assert ticks(0.0, 4) == [0.0]
    assert all(0 <= tick <= high for high in (1e-12, 3.3, 7e9) for tick in ticks(high, 4))


def test_views():
    rng = np.random.default_rng(0)
    none, box = np.zeros(3, dtype=bool), np.ones(3, dtype=bool)
    flat = choose_view(rng.normal(size=(30, 3)) * (1, 1, 0), np.zeros((3, 3)), none)
    assert flat.planar and (flat.right, flat.up) == ("x", "y")
    slab = choose_view(rng.uniform(size=(30, 3)) * (30, 2, 20), np.diag([30.0, 2.0, 20.0]), box)
    assert (slab.right, slab.up) == ("x", "z")
    axis = np.array([1.0, 2.0, 2.0]) / 3
    rod = choose_view(rng.normal(size=(200, 1)) * 9 * axis + rng.normal(size=(200, 3)) * (0.5, 1, 0.2), np.zeros((3, 3)), none)
    assert abs(rod.axes[0] @ axis) > 0.99
    for view in (flat, slab, rod):
        np.testing.assert_allclose(view.axes @ view.axes.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(view.axes) == pytest.approx(1)


def test_wrapping_and_edges():
    cell, pbc = np.array([[4.0, 0, 0], [1, 5, 0], [0, 0, 6]]), np.array([True, True, False])
    rng = np.random.default_rng(0)
    inside = rng.uniform(size=(20, 3)) @ cell
    shifted = inside + rng.integers(-3, 4, size=(20, 3)) * (1, 1, 0) @ cell
    fractional = np.linalg.solve(cell.T, (wrapped(shifted, cell, pbc) - inside).T).T
    np.testing.assert_allclose(fractional, np.round(fractional), atol=1e-12)
    assert np.abs(fractional).max() <= 1
    assert [len(cell_edges(cell, np.array(flags))) for flags in ([0, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 1])] == [0, 1, 4, 12]


def test_drawn_atoms_contain_those_that_respond():
    size = np.zeros(10_000)
    size[[17, 4711]] = 1.0
    chosen = drawn_atoms(size, 100)
    assert {17, 4711} <= set(chosen) and len(chosen) <= 100 and np.all(np.diff(chosen) > 0)


@pytest.mark.parametrize("value", [1.2345e-06, -3e25, 1e-300, 12.5])
def test_printed_powers_go_back(value):
    assert float(plain_powers(pretty(value)).replace("−", "-")) == value
    assert ascii_only("3×10⁻⁶ Å²") == "3e-06 A^2"


@pytest.mark.parametrize(("low", "high"), [(0.4836, 0.4858), (-1234.5, -1234.1), (0.0, 1e-7), (2.59, 3.22)])
def test_numbers_at_an_axis_do_not_overlap(low, high):
    drawing = parity([Dot(value, value, 1e-3 * (high - low), 0.0) for value in (low, high)], "eV")
    marks = re.findall(r'<text class="middle" x="([\d.]+)" y="([\d.]+)">([^<]*)</text>', drawing)
    row = sorted((float(x), text) for x, y, text in marks if not text.startswith("wanted"))
    assert row
    assert all(b - a > 6.5 * (len(s) + len(t)) / 2 for (a, s), (b, t) in itertools.pairwise(row))
