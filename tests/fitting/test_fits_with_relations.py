"""A fit moves masters, and what follows them by nonlinear expressions moves along, in values and in derivatives."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from md_sensitivity.errors import UsageError
from md_sensitivity.fitting import Target, fit
from md_sensitivity.forcefields import native_toml, parse_native
from md_sensitivity.types import Structure

TEXT = """units = "reduced"
[variables]
size = { value = 1.05, bounds = [0.5, 2] }
[[potential]]
style = "lennard_jones"
[potential.parameters.A]
sigma = { expression = "size^3" }
epsilon = { expression = "1.3 * exp(2 * log(size))" }
"""


def test_a_master_of_nonlinear_expressions_is_recovered(tetrahedron: Callable[..., Structure]) -> None:
    field = parse_native(TEXT, "lj.toml")
    # All six distances of the tetrahedron are 2^(1/6) σ, and σ = size³.
    found = fit([Target(structure=tetrahedron(), observable="distance:0-1", value=2 ** (1 / 6) * 1.2**3, std=0.01)], field)
    assert [row.name for row in found.parameters] == ["variable.size"]
    assert found.parameters[0].value == pytest.approx(1.2, abs=1e-8)
    assert found.parameters[0].standard_deviation == pytest.approx(0.01 / (2 ** (1 / 6) * 3 * 1.2**2), rel=1e-6)
    assert found.certificate[0].difference is not None and found.certificate[0].difference.relative_error < 1e-8
    assert found.force_field.parameters["lennard_jones"]["epsilon"][0] == pytest.approx(1.3 * 1.2**2)
    again = parse_native(native_toml(found.force_field), "lj.toml")
    assert again.table == found.force_field.table and again.relations == field.relations


def test_what_follows_cannot_be_fitted(tetrahedron: Callable[..., Structure]) -> None:
    field = parse_native(TEXT, "lj.toml")
    with pytest.raises(UsageError, match=r"lennard_jones\.A\.sigma follows size\^3"):
        fit([Target(structure=tetrahedron(), observable="energy", value=-6.0, std=0.01)], field, parameters="lennard_jones.A.sigma")
