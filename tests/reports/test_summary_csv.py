"""One row for each structure, observable component and parameter."""

from __future__ import annotations

import csv
import dataclasses
import io

import msgspec
import numpy as np
import pytest

from md_sensitivity.analysis.result import ObservableInfo, ParameterInfo
from md_sensitivity.reports import summary_csv, summary_rows
from md_sensitivity.reports.components import components
from md_sensitivity.reports.csv import COLUMNS


def parsed(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_columns_of_the_contract():
    assert ",".join(COLUMNS) == (
        "structure,status,observable,component,unit,value,parameter,parameter_value,parameter_unit,"
        "direct,relaxation,total,logarithmic,standard_deviation"
    )


def test_one_row_per_component_and_parameter(silicon, peptide):
    assert len(summary_rows(silicon())) == (1 + 1 + 6) * 10
    rows = parsed(summary_csv([silicon(), peptide()]))
    assert len(rows) == 8 * 10 + 4 * 11
    assert {row["structure"] for row in rows} == {"silicon_interstitial", "helix"}
    assert [row["component"] for row in rows if row["observable"] == "stress"][::10] == ["xx", "yy", "zz", "yz", "xz", "xy"]


def test_a_failed_structure_keeps_its_place(failed):
    (row,) = parsed(summary_csv([failed()]))
    assert row["structure"] == "overlap" and row["status"] == "failed" and row["value"] == ""


def test_values_without_parameters_have_rows_without_derivatives(silicon):
    result = silicon()
    observables = [ObservableInfo(name="energy", unit="eV", value=-1.5, direct=[], relaxation=[], total=[], logarithmic=[])]
    document = msgspec.structs.replace(result.document, parameters=[], observables=observables, position_norm=None, certificate=None)
    (row,) = parsed(summary_csv([dataclasses.replace(result, document=document)]))
    assert (row["value"], row["parameter"], row["total"]) == ("-1.5", "", "")


def test_numbers_survive_to_the_last_digit(silicon):
    result = silicon()
    rows = parsed(summary_csv([result]))
    energy = result.document.observables[0]
    assert [float(row["total"]) for row in rows[:9]] == energy.total[:9]
    assert rows[9]["total"] == rows[9]["logarithmic"] == ""  # does not exist


def test_totals_add_up_in_every_row(silicon):
    for row in summary_rows(silicon()):
        if row["total"] is not None:
            assert row["direct"] + row["relaxation"] == pytest.approx(row["total"], rel=1e-14)  # type: ignore[operator]


@pytest.mark.parametrize("name", ["=1+1", "+cmd|' /C calc'!A0", "-2", "@SUM(A1)", "\t=1"])
def test_formulas_from_files_are_defused(silicon, name):
    result = silicon()
    parameters = [ParameterInfo(name=name, value=-1.5, unit="Å"), *result.document.parameters[1:]]
    document = msgspec.structs.replace(result.document, parameters=parameters)
    row = parsed(summary_csv([dataclasses.replace(result, name=name, document=document)]))[0]
    assert row["parameter"] == row["structure"] == "'" + name
    assert row["parameter_value"] == "-1.5"  # a negative number is no formula


def test_components_are_named_and_have_units(silicon):
    def observable(name: str, unit: str, value: np.ndarray) -> ObservableInfo:
        empty = {part: [np.zeros_like(value).tolist(), None] for part in ("direct", "relaxation", "total", "logarithmic")}
        return ObservableInfo(name=name, unit=unit, value=value.tolist(), standard_deviation=value.tolist(), **empty)  # type: ignore[arg-type]

    observables = [
        observable("elastic_constants", "GPa", np.arange(36.0).reshape(6, 6)),
        observable("lattice", "Å, degrees", np.arange(6.0)),
    ]
    scalars = components(msgspec.structs.replace(silicon().document, observables=observables))
    assert [scalars[k].title for k in (0, 5, 35)] == ["elastic_constants.C11", "elastic_constants.C16", "elastic_constants.C66"]
    assert [(s.label, s.unit) for s in scalars[36:]] == [("a", "Å"), ("b", "Å"), ("c", "Å")] + [
        (angle, "degrees") for angle in ("alpha", "beta", "gamma")
    ]
    assert scalars[7].value == scalars[7].standard_deviation == 7.0
    assert scalars[7].total == (0.0, None)
