"""Lines of molecular force fields as rows of a term: each line once, names that tell rows apart, and the order of the table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from md_sensitivity.errors import InputError
from md_sensitivity.forcefields.expressions import plain
from md_sensitivity.forcefields.line_rows import Line, LineRows, force_field_of_rows
from md_sensitivity.potentials.harmonic_bond import HARMONIC_BOND
from md_sensitivity.potentials.lennard_jones import LENNARD_JONES
from md_sensitivity.potentials.torsions import PERIODIC_TORSION
from md_sensitivity.units import METAL


def bonds(**settings: Any) -> LineRows:
    return LineRows(form=HARMONIC_BOND, label="b", units=METAL, source="a file", options={"factor": 0.5}, **settings)


def names(rows: LineRows) -> list[str]:
    return list(force_field_of_rows([rows], METAL, name="f", source="a file").table.names)


def test_a_line_is_one_row_however_often_it_is_used() -> None:
    rows = bonds()
    values = {"k": 2.0, "r0": 1.5}
    assert [rows.row(key, ("A", "B"), values, "line 3") for key in "xyxz"] == [0, 1, 0, 2]
    assert (len(rows), rows.known("y"), rows.known("w")) == (3, 1, None)
    field = force_field_of_rows([rows], METAL, name="f", source="a file")
    assert field.terms[0].rows == {"k": (("A", "B"),) * 3, "r0": (("A", "B"),) * 3} and field.terms[0].options == {"factor": 0.5}
    assert np.array_equal(field.parameters["b"]["r0"], [1.5, 1.5, 1.5])


@pytest.mark.parametrize(
    ("settings", "second", "third"),
    [
        ({}, "b.B-A.k#2", "b.A-B.k#3"),
        ({"mirrored": False}, "b.B-A.k", "b.A-B.k#2"),
        ({"numbered": True}, "b.B-A.k2", "b.A-B.k3"),
    ],
)
def test_names_tell_rows_of_the_same_types_apart(settings: dict[str, bool], second: str, third: str) -> None:
    rows = bonds(**settings)
    for types in (("A", "B"), ("B", "A"), ("A", "B")):
        rows.add(Line(types=types, values={"k": 1.0, "r0": 1.0}, where="a line"))
    first = "b.A-B.k1" if settings.get("numbered") else "b.A-B.k"
    assert names(rows)[::2] == [first, second, third]


@pytest.mark.parametrize("by_parameter", [False, True])
def test_the_table_goes_by_lines_or_by_parameters(by_parameter: bool) -> None:
    rows = LineRows(form=LENNARD_JONES, label="v", units=METAL, source="a file", by_parameter=by_parameter)
    rows.scale("first", 0.5, "line 1")
    for name in "AB":
        rows.row(name, (name,), {"sigma": 3.0, "epsilon": 0.1}, "line 2")
    assert [rows.scale(key, 0.25, "line 3", tag="#far") for key in ("second", "second")] == [1, 1]
    lines = ["v.scale14", "v.A.sigma", "v.A.epsilon", "v.B.sigma", "v.B.epsilon", "v.scale14#far"]
    parameters = ["v.A.sigma", "v.B.sigma", "v.A.epsilon", "v.B.epsilon", "v.scale14", "v.scale14#far"]
    assert names(rows) == (parameters if by_parameter else lines)


def test_constants_are_no_parameters() -> None:
    rows = LineRows(form=PERIODIC_TORSION, label="t", units=METAL, source="a file", numbered=True)
    for n in (1, 3):
        rows.row(n, tuple("ABCD"), {"k": 0.1, "phase": 180.0, "n": n}, "a line")
    assert names(rows) == ["t.A-B-C-D.k1", "t.A-B-C-D.phase1", "t.A-B-C-D.k2", "t.A-B-C-D.phase2"]
    assert rows.finished()[0].constants == {"n": (1.0, 3.0)}


def test_impossible_numbers_are_refused_unless_nothing_acts() -> None:
    rows = LineRows(form=LENNARD_JONES, label="v", units=METAL, source="a file")
    with pytest.raises(InputError, match=r"^line 7: .* sigma = 0 of A must be > 0$"):
        rows.row("x", ("A",), {"sigma": 0.0, "epsilon": 0.0}, "line 7")
    rows = LineRows(form=LENNARD_JONES, label="v", units=METAL, source="a file")
    rows.row("x", ("A",), {"sigma": 0.0, "epsilon": 0.0}, "line 7", idle=True)
    rows.row("y", ("B",), {"sigma": 3.0, "epsilon": 0.1}, "line 8")
    assert [bool(block.fixed[0]) for block in rows.finished()[1]] == [True, True, False, False]
    with pytest.raises(InputError, match=r"^line 9: .* sigma = nan of C must be a finite number$"):
        rows.row("z", ("C",), {"sigma": np.nan, "epsilon": 0.0}, "line 9", idle=True)


def test_a_number_may_follow_another() -> None:
    rows = bonds()
    rows.add(Line(types=("A", "B"), values={"k": 2.0, "r0": 1.5}, where="line 1"))
    rows.add(Line(types=("C", "D"), values={"k": 2.0, "r0": 0.0}, where="line 2", follows={"r0": plain("b.A-B.r0")}))
    field = force_field_of_rows([rows], METAL, name="f", source="a file")
    assert field.parameters["b"]["r0"].tolist() == [1.5, 1.5] and field.table.dependent.tolist() == [False, False, False, True]
