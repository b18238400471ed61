"""Where a parameter ties atoms that nothing held before, there is no derivative, and none is written."""

from __future__ import annotations

import numpy as np
import pytest
from small_systems import CELL, force_field, structure

from md_sensitivity.analysis.existence import lost_zero_modes
from md_sensitivity.analysis.parameters import select_parameters
from md_sensitivity.minimization import minimize
from md_sensitivity.pipeline import Options, analyze
from md_sensitivity.system import build_system, energy_function

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


@pytest.mark.parametrize("cell", [None, CELL])
def test_where_all_atoms_are_held_every_derivative_exists(cell):
    field = force_field('[[potential]]\nstyle = "lennard_jones"\ncutoff = 5.3\n' + lennard_jones(0.4).split("\n", 2)[2])
    of = structure(SQUARE if cell is None else SQUARE / 5.0 @ CELL / 1.2, "ABBA", cell)
    equilibrium = minimize(energy_function(build_system(of, field)), of.positions, field.parameters, throw=False)
    assert lost_zero_modes(equilibrium, select_parameters(field, of, ())) == {}
