"""Where a parameter ties atoms that nothing held before, there is no derivative, and none is written."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_systems import CELL, build, force_field, structure

from md_sensitivity.analysis.existence import losing_zero_modes, lost_zero_modes
from md_sensitivity.analysis.parameters import select_parameters
from md_sensitivity.analysis.sensitivity import sensitivity
from md_sensitivity.building import build_system
from md_sensitivity.minimization import minimize
from md_sensitivity.observables import observable
from md_sensitivity.pipeline import Options, analyze
from md_sensitivity.system import energy_function

SQUARE = np.array([[0.0, 0.0, 0.0], [2.4, 0.0, 0.0], [0.0, 2.5, 0.3], [2.6, 2.4, 0.1]])


def lennard_jones(epsilon: float, cross: float | None = None) -> str:
    """A-A and B-B of strength 0.4, A-B of another."""
    strengths = {"A-A": epsilon, "B-B": epsilon, "A-B": epsilon if cross is None else cross}
    rows = "".join(f"[potential.parameters.{types}]\nsigma = 2.3\nepsilon = {value}\n" for types, value in strengths.items())
    return f'[[potential]]\nstyle = "lennard_jones"\n{rows}'


def test_a_strength_of_zero_has_no_derivative():
    result = analyze(structure(SQUARE, "AAAA"), force_field(lennard_jones(0.0)), Options())
    names = [parameter.name for parameter in result.document.parameters]
    energy = result.document.observables[0]
    assert energy.total[names.index("lennard_jones.A-A.epsilon")] is None
    assert energy.total[names.index("lennard_jones.A-A.sigma")] == 0.0
    assert any("lennard_jones.A-A.epsilon does not exist" in warning for warning in result.document.certificate.warnings)


def test_only_the_parameter_that_ties_two_fragments_lacks_a_derivative():
    # Two pairs that do not see each other, because the strength between them is zero.
    result = analyze(structure(SQUARE, "AABB"), force_field(lennard_jones(0.4, 0.0)), Options())
    missing = {p.name for p, total in zip(result.document.parameters, result.document.observables[0].total, strict=True) if total is None}
    assert missing == {"lennard_jones.A-B.epsilon"}


@pytest.mark.parametrize("mode", ["forward", "adjoint"])
@pytest.mark.parametrize("spec", ["radius_of_gyration", "energy"])
def test_sensitivity_has_no_number_for_the_parameter_that_ties_two_fragments(spec: str, mode: str):
    energy, x, theta = build(lennard_jones(0.4, 0.0), structure(SQUARE, "AABB"))
    equilibrium = minimize(energy, x, theta)
    found = sensitivity(observable(spec), energy, equilibrium, mode=mode)
    lost = losing_zero_modes(equilibrium)["lennard_jones"]
    assert {name: int(flags.sum()) for name, flags in lost.items()} == {"sigma": 0, "epsilon": 1}
    for tree in (found.relaxation, found.total, found.logarithmic):
        for name, flags in lost.items():
            np.testing.assert_array_equal(np.isnan(tree["lennard_jones"][name]), flags)
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(found.direct))
    if spec == "energy":  # two bonds: E = −ε(A-A) − ε(B-B)
        assert np.sort(found.total["lennard_jones"]["epsilon"])[:2] == pytest.approx(-1.0)


def test_a_field_of_zero_that_pushes_a_free_molecule_is_found_in_any_tree_of_parameters():
    def energy(x: jax.Array, p: dict[str, Any]) -> jax.Array:
        return p["bond"][0] * (jnp.linalg.norm(x[1] - x[0]) - p["bond"][1]) ** 2 + p["field"] * x[0, 0]

    theta = {"bond": [2.0, 1.0], "field": 0.0}
    found = minimize(energy, jnp.array([[0.0, 0, 0], [1.2, 0, 0]]), theta, rigid=True)
    assert losing_zero_modes(found) == {"bond": [False, False], "field": True}


@pytest.mark.parametrize("cell", [None, CELL])
def test_where_all_atoms_are_held_every_derivative_exists(cell):
    field = force_field('[[potential]]\nstyle = "lennard_jones"\ncutoff = 5.3\n' + lennard_jones(0.4).split("\n", 2)[2])
    of = structure(SQUARE if cell is None else SQUARE / 5.0 @ CELL / 1.2, "ABBA", cell)
    equilibrium = minimize(energy_function(build_system(of, field)), of.positions, field.parameters, throw=False)
    assert lost_zero_modes(equilibrium, select_parameters(field, of, ())) == {}
    assert not any(np.any(flags) for flags in jax.tree.leaves(losing_zero_modes(equilibrium)))
