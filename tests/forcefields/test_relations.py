"""Parameters that follow others: values, derivatives, names, files, and messages where they make no sense."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_systems import along, close, crystal, difference, energy_function, force_field, theta_gradient, value

from md_sensitivity.analysis.parameters import select_parameters
from md_sensitivity.building import build_system
from md_sensitivity.errors import InputError, UsageError
from md_sensitivity.forcefields import acting_rows, native_toml, parse_native
from md_sensitivity.forcefields.expressions import ExpressionError, dimension, evaluate, names_in, parse

HEAD = '[[potential]]\nstyle = "lennard_jones"\ncutoff = 5.3\n'
TIED = (
    'variables = { size = { value = 2.2, unit = "Å", std = 0.01, bounds = [1, 3], group = "lengths" }, power = 1.5 }\n'
    'groups = { wells = ["*.epsilon"] }\n' + HEAD + "[potential.parameters.A]\n"
    'sigma = { tie = "variable.size", scale = 1.05 }\nepsilon = { value = 0.4, group = "strengths" }\n'
    '[potential.parameters.B]\nsigma = { expression = "2.1 * (size / A.sigma)^power * A.sigma" }\nepsilon = 0.5\n'
    + '[potential.parameters.A-B]\nsigma = { expression = "0.5 * (A.sigma + B.sigma)" }\n'
    'epsilon = { expression = "sqrt(A.epsilon * B.epsilon) * exp(-0.1 * log(B.sigma / A.sigma))" }\n'
)
"""A and B follow two variables; A-B follows A and B."""
VALUES = {"a.A.x": 2.0, "a.A-B.x": 3.0, "variable.v": 0.5, "a.A.x2": 5.0, "a.C*.x": 7.0}


def _find(word: str) -> str | None:
    return next((name for name in (word, f"a.{word}", f"variable.{word}") if name in VALUES), None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3", 7.0),
        ("(1 + 2) * 3 - -4", 13.0),
        ("2 ^ 3 ^ 2", 512.0),
        ("-2 ** 2", -4.0),
        ("2 ^ -1", 0.5),
        ("1 - 2 - 3", -4.0),
        ("8 / 4 / 2", 1.0),
        ("1e-3*1E3 + .5 + 1.", 2.5),
        ("sqrt(exp(log(16)))", 4.0),
        ("a.A.x - a.A-B.x", -1.0),
        ("a.A.x-a.A-B.x", -1.0),
        ("A.x-1", 1.0),
        ("A.x2 - v", 4.5),
        ("`C*.x` * variable.v", 3.5),
    ],
)
def test_an_expression_has_the_value_that_it_says(text: str, expected: float) -> None:
    assert evaluate(parse(text, _find), VALUES) == pytest.approx(expected, rel=1e-15)
    assert set(names_in(parse(text, _find))) <= set(VALUES)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the end stands"),
        ("1 +", "the end stands"),
        ("* 2", r"'\*' stands"),
        ("(1", "not closed"),
        ("1)", "not expected"),
        ("1 2", "not expected"),
        ("A.y", "no parameter is called 'A.y'"),
        ("`A.y`", "no parameter is called"),
        ("sqrt 2", "needs brackets"),
        ("__import__('os')", "no parameter is called '__import__'"),
        ("A.x; 1", "';' is no part"),
        ("(" * 5000, "too long"),
        ("(" * 100 + "1" + ")" * 100, "too deeply"),
        ("-" * 100 + "1", "too deeply"),
    ],
)
def test_what_is_no_expression_is_refused(text: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=message):
        parse(text, _find)


def test_dimensions_of_expressions_are_those_of_physics() -> None:
    of = {"a.A.x": (1.0, 0.0, 0.0), "a.A-B.x": (0.0, 1.0, 0.0), "variable.v": (0.0, 0.0, 0.0)}
    assert dimension(parse("sqrt(A.x * A.x) / `a.A-B.x`^2 * exp(v)", _find), of) == (1.0, -2.0, 0.0)
    for text in ("A.x + 1", "A.x + a.A-B.x", "exp(A.x)", "A.x ^ v", "2 ^ A.x"):
        with pytest.raises(ExpressionError, match="unit"):
            dimension(parse(text, _find), of)


def test_values_that_follow_are_computed_and_the_tree_is_complete() -> None:
    field = force_field(TIED)
    sigma, epsilon = field.parameters["lennard_jones"]["sigma"], field.parameters["lennard_jones"]["epsilon"]
    assert sigma[0] == 1.05 * 2.2 and sigma[1] == pytest.approx(2.1 * 1.05**-0.5 * 2.2) and sigma[2] == 0.5 * (sigma[0] + sigma[1])
    assert epsilon[2] == pytest.approx(np.sqrt(0.2) * (sigma[1] / sigma[0]) ** -0.1)
    names = [row.name for row in field.table.rows if row.free]
    assert names == ["variable.size", "variable.power", "lennard_jones.A.epsilon", "lennard_jones.B.epsilon"]


def test_other_values_keep_what_follows_consistent() -> None:
    field = force_field(TIED)
    tree = {label: {name: leaf + 0.1 for name, leaf in group.items()} for label, group in field.parameters.items()}
    moved = field.with_parameters(tree)
    assert moved.parameters["variable"]["size"][0] == pytest.approx(2.3)
    assert moved.parameters["lennard_jones"]["sigma"][0] == pytest.approx(1.05 * 2.3)
    again = jax.tree.map(np.asarray, field.consistent(jax.tree.map(jnp.asarray, tree)))
    assert close(again, moved.parameters, 1e-15)


def test_the_jacobian_of_what_follows_is_that_of_differences_and_of_jax() -> None:
    field = force_field(TIED)
    table = field.table
    found = field.relations.jacobian(table.values).toarray()
    for column in np.flatnonzero(table.free):
        step = np.where(np.arange(len(table)) == column, 1.0, 0.0)
        numerical = difference(lambda h, s=step: field.relations.applied(table.values + h * s), 1e-3)
        assert found[:, column] == pytest.approx(numerical, abs=1e-9)
        pushed = jax.jvp(field.consistent, (jax.tree.map(jnp.asarray, field.parameters),), (table.unravel(step),))[1]
        assert table.ravel(pushed) == pytest.approx(found[:, column], abs=1e-14)
    assert not np.any(found[:, table.dependent])


def test_the_derivative_of_a_master_counts_all_that_follows_it() -> None:
    field, of = force_field(TIED), crystal()
    system = build_system(of, field)
    energy, x = energy_function(system), system.positions
    theta = jax.tree.map(jnp.asarray, field.parameters)
    chosen = select_parameters(field, of, ())
    slopes = chosen.steps.along(jax.tree.map(lambda leaf: leaf[None], theta_gradient(energy, x, theta)))[0]
    for k, index in enumerate(chosen.indices):
        step = field.table.unravel(np.where(np.arange(len(field.table)) == index, 1.0, 0.0))
        expected = difference(lambda h, s=step: value(energy, x, field.with_parameters(along(field.parameters, s, h)).parameters), 1e-4)
        assert slopes[k] == pytest.approx(float(expected), rel=1e-8)


def test_a_force_field_with_relations_is_written_and_read_again() -> None:
    field = force_field(TIED)
    text = native_toml(field)
    again = parse_native(text, "test.toml")
    assert again.table == field.table and again.relations == field.relations and native_toml(again) == text
    assert 'tie = "variable.size", scale = 1.05' in text
    head = 'units = "reduced"\nvariables = { a = 1.1 }\n' + HEAD
    reduced = force_field(head + "[potential.parameters.A]\nsigma = { tie = 'a' }\nepsilon = 1\n")
    assert parse_native(native_toml(reduced), "test.toml").table == reduced.table


def test_patterns_choose_masters_and_groups() -> None:
    table = force_field(TIED).table
    names = [table.names[i] for i in table.choosable(["group:wells"])]
    assert names == ["lennard_jones.A.epsilon", "lennard_jones.B.epsilon"]
    assert [table.names[i] for i in table.matching(["group:lengths", "group:strengths"])] == ["variable.size", "lennard_jones.A.epsilon"]
    assert len(table.matching(["*.sigma"])) == 3
    for pattern in ("lennard_jones.A.sigma", "*.sigma"):
        with pytest.raises(UsageError, match=r"lennard_jones\.A\.sigma follows 1\.05 \* variable\.size"):
            table.choosable([pattern])
    with pytest.raises(UsageError, match="did you mean 'group:wells'"):
        table.choosable(["group:well"])


def test_a_variable_acts_where_what_follows_it_does() -> None:
    text = 'variables = { one = 1.0, two = 2.0, none = 3.0 }\nunits = "reduced"\n' + HEAD
    for name, master in (("A", "one"), ("C", "two")):
        text += f'[potential.parameters.{name}]\nsigma = {{ tie = "{master}" }}\nepsilon = 1.0\n'
    field = force_field(text)
    found = acting_rows(field, crystal())
    assert [field.table.names[i] for i in found] == ["variable.one", "lennard_jones.A.sigma", "lennard_jones.A.epsilon"]


GOOD = HEAD + "[potential.parameters.A]\nsigma = 2.2\nepsilon = 0.4\n[potential.parameters.B]\nsigma = SIGMA\nepsilon = 0.5\n"
BAD = {
    "an unknown name": ('{ tie = "A.sigmaa" }', "B.sigma = A.sigmaa: no parameter is called 'A.sigmaa'"),
    "itself": ('{ tie = "B.sigma" }', "follows itself"),
    "another unit": ('{ tie = "A.epsilon" }', "another unit than"),
    "a number without unit": ('{ expression = "A.sigma + 0.1" }', "different units; a number with a unit is written as a variable"),
    "a tie with a value": ('{ tie = "A.sigma", value = 3 }', "its value follows tie = ..., so that value has no place"),
    "a tie with a standard deviation": ('{ tie = "A.sigma", std = 3 }', "std has no place"),
    "a scale alone": ("{ value = 3, scale = 2 }", "scale belongs to tie"),
    "a scale of zero": ('{ tie = "A.sigma", scale = 0 }', "ties nothing"),
    "a scale that is text": ('{ tie = "A.sigma", scale = "2" }', "scale must be a number"),
    "a scale of an expression": ('{ expression = "A.sigma", scale = 2 }', "scale has no place"),
    "a tie that is a number": ("{ tie = 3 }", "tie must be a text"),
    "an expression of numbers": ('{ expression = "1 + 2" }', "reads no parameter"),
    "an impossible value": ('{ tie = "A.sigma", scale = -1 }', r"= -2\.2: must be > 0"),
    "a value that is not finite": ('{ expression = "A.sigma / (1 - A.sigma / A.sigma)" }', "is not finite"),
    "a group that is a number": ("{ value = 3, group = 3 }", "group must be a text"),
    "a group of two words": ('{ value = 3, group = "a b" }', "letters, digits"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_relation_that_makes_no_sense_is_refused_with_its_place(name: str) -> None:
    text, message = BAD[name]
    force_field(GOOD.replace("SIGMA", "2.1"))
    with pytest.raises(InputError, match=message) as caught:
        force_field(GOOD.replace("SIGMA", text))
    assert "test.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("variables = 3\n", "must be a table"),
        ("variables = { 'a b' = 3 }\n", "letters, digits"),
        ("variables = { a = { value = 3, unit = 'Å + 1' } }\n", "made of eV, Å, e"),
        ("variables = { a = { value = 3, unit = 'Å^999999999999999999999999' } }\n", None),
        ("variables = { a = { value = 3, unit = 3 } }\n", "unit must be a text"),
        ("variables = { a = { value = nan } }\n", "not finite"),
        ("variables = { a = { tie = 'variable.b' }, b = { tie = 'a' } }\n", "follows itself: variable"),
        ("groups = 3\n", "must be a table"),
        ("groups = { a = [] }\n", "must be a list"),
        ("groups = { a = ['*.tau'] }\n", "no parameter matches"),
    ],
)
def test_bad_variables_and_groups_are_refused(text: str, message: str | None) -> None:
    good = GOOD.replace("SIGMA", "2.1")
    if message is None:
        force_field(text + good)
        return
    with pytest.raises(InputError, match=message):
        force_field(text + good)
    with pytest.raises(InputError, match="that of variables"):
        force_field(good.replace("cutoff", 'name = "variable"\ncutoff'))


@pytest.mark.parametrize("unit", ["1", "eV", "Å", "1/Å", "eV/Å", "eV*Å^6", "eV·Å⁶", "Å^-12", "eV⁰·⁵", "e/Å/Å"])
def test_units_of_variables_are_read_as_they_are_printed(unit: str) -> None:
    field = force_field(f'variables = {{ a = {{ value = 1.0, unit = "{unit}" }} }}\n' + GOOD.replace("SIGMA", "2.1"))
    assert parse_native(native_toml(field), "test.toml").table == field.table
