"""Tables of a million numbers: nothing is made for each of them until somebody looks at it; single numbers of a series have names."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from md_sensitivity.analysis.directions import directions_of
from md_sensitivity.errors import InputError
from md_sensitivity.forcefields import ForceField, native_toml, parse_native, read_force_field
from md_sensitivity.forcefields.table import ParameterBlock, ParameterTable
from md_sensitivity.units import METAL

MANY = 1_000_000


def block(leaf: str, size: int, **changes: object) -> ParameterBlock:
    arrays = {
        "values": np.arange(1.0, size + 1.0),
        "lower": np.full(size, -np.inf),
        "upper": np.full(size, np.inf),
        "std": np.full(size, np.nan),
        "fixed": np.zeros(size, dtype=bool),
    }
    return ParameterBlock(label="model", types=(), leaf=leaf, start=0, unit="1", series=True, **(arrays | changes))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def large() -> ForceField:
    table = ParameterTable(blocks=(block("first.w", MANY - 10), block("last.b", 10)))
    return ForceField(name="large", units=METAL, terms=(), parameters=table.tree, table=table)


def test_a_million_parameters_are_chosen_and_differentiated_in_little_memory(large: ForceField) -> None:
    table = large.table
    tracemalloc.start()
    chosen = table.choosable(["*"])
    steps = directions_of(large, chosen)
    found = steps.along({label: {name: leaf[None] for name, leaf in group.items()} for label, group in large.parameters.items()})
    moved = large.with_parameters(table.unravel(2.0 * table.values))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(chosen) == MANY and np.array_equal(found[0], table.values) and moved.table.values[-1] == 20.0
    assert peak < 400e6


def test_names_of_a_series_are_found_by_number_and_by_glob(large: ForceField) -> None:
    table = large.table
    assert table.position("model.first.w123456") == 123456 and table.position("model.last.b9") == MANY - 1
    for name in ("model.last.b10", "model.last.b01", "model.last.b", "model.last.b1x", "model.b1", "model.last.b" + "9" * 50):
        assert table.position(name) is None
    assert table.matching(["model.last.*"]) == list(range(MANY - 10, MANY))
    assert table.matching(["model.last.b[13]"]) == [MANY - 9, MANY - 7]
    assert table.matching(["*.b?", "model.first.w7"]) == [7, *range(MANY - 10, MANY)]
    row = table.rows[MANY - 1]
    assert (row.name, row.value, row.index, row.place) == ("model.last.b9", 10.0, 9, ("model", "last.b"))
    assert [each.name for each in table.rows[-2:]] == table.rows.taken([MANY - 2, MANY - 1]).names == ["model.last.b8", "model.last.b9"]


def test_a_series_may_end_with_digits() -> None:
    table = ParameterTable(blocks=(block("u", 120), block("u1", 3)))
    # `u11` is the number 11 of `u`, and the number 1 of `u1`: the shortest number wins, in the same way each time.
    assert table.rows[table.position("model.u1") or 0].name == "model.u1"
    assert table.position("model.u11") == 121


FUNCFL = "Cu\n29 63.5 3.6 FCC\n6 0.5 7 0.9 5.0\n" + "\n".join(
    " ".join(str(0.1 * k + row) for k in range(n)) for row, n in ((1, 6), (2, 7), (3, 7))
)


def test_single_numbers_of_a_series_are_spoken_of_by_their_number(tmp_path: Path) -> None:
    (tmp_path / "x.eam").write_text(FUNCFL)
    path = tmp_path / "x.toml"
    head = '[[potential]]\nstyle = "eam"\nfile = "x.eam"\n[potential.parameters.Cu]\n'
    path.write_text(
        head + '"embedding.knot2" = { std = 0.1, fixed = false, bounds = [0, 2] }\n"density.knot0" = 7.5\n'
        '"embedding.knot4" = { tie = "Cu.embedding.knot2", scale = 2.0 }\n"charge.knot" = { group = "charges" }\n'
    )
    field = read_force_field(path)
    rows = {row.name: row for row in field.table.rows}
    assert [name for name, row in rows.items() if row.free and "knot" in name] == ["eam.Cu.embedding.knot2"]
    assert (rows["eam.Cu.embedding.knot2"].std, rows["eam.Cu.embedding.knot2"].bounds) == (0.1, (0.0, 2.0))
    assert rows["eam.Cu.density.knot0"].value == 7.5 and rows["eam.Cu.density.knot1"].value == 3.1
    assert rows["eam.Cu.embedding.knot4"].value == 2.0 * 1.2
    assert {field.table.names[i] for i in field.table.matching(["group:charges"])} == {f"eam.Cu.charge.knot{k}" for k in range(6)}
    again = parse_native(native_toml(field), "test.toml")
    assert again.table == field.table and again.relations == field.relations
    for text, message in (
        ('"embedding.knot9" = 1', "unknown key"),
        ('"embedding.knot" = [1, 2]', "is a list of 5 numbers, and 2 are given"),
        ('"embedding.knot" = { tie = "x" }', "a series follows nothing as a whole"),
        ('"embedding.knot" = { std = [1, 2] }', "std: is one number, or 5 numbers, and 2 are given"),
        ('"embedding.knot1" = true', r"embedding\.knot1 must be a number"),
        ('"embedding.knot1" = { bounds = [4, 5] }', r"embedding\.knot1 = 1\.1: lies outside its own bounds"),
    ):
        path.write_text(head + text + "\n")
        with pytest.raises(InputError, match=message):
            read_force_field(path)


def test_rows_of_a_large_table_can_be_written_as_plain_data(large: ForceField) -> None:
    rows = large.table.rows[-3:]
    assert json.loads(json.dumps([[row.name, row.value, row.bounds[0] < 0] for row in rows]))[2] == ["model.last.b9", 10.0, True]
