"""Force fields written back: the same bytes where nothing changed, single numbers replaced where something did."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_systems import FORCE_FIELDS

from md_sensitivity.errors import InputError, UsageError
from md_sensitivity.forcefields import ForceField, read_force_field
from md_sensitivity.forcefields.lammps_triplets import COLUMNS
from md_sensitivity.forcefields.toml_spans import spans_of
from md_sensitivity.reports.force_field import write_force_field

SW = (
    "# DATE: 2000 UNITS: metal\n# a comment\nSi Si Si 2.1683 2.0951  1.80 21 1.20 -0.3333 # trailing\n"
    "  7.049556277 0.6022245584 4 0.0 0.0\n"
)
SETFL = (
    "a\nb\nc\n 2 Ni Al \n 6 0.5 7 0.9 5.0\n28 58.7 3.5 fcc\n"
    + "\n".join(" ".join(f"{0.1 * k + row:.3E}" for k in range(n)) for row, n in ((1, 6), (2, 7)))
    + "\n13 26.98 4.0 fcc\n"
    + "\n".join(" ".join(f"{0.1 * k + row:.3E}" for k in range(n)) for row, n in ((3, 6), (4, 7), (5, 7), (6, 7), (7, 7)))
    + "\n"
)
FUNCFL = "Cu\n29 63.5 3.6 FCC\n6 0.5 7 0.9 5.0\n" + "\n".join(
    " ".join(str(0.1 * k + row) for k in range(n)) for row, n in ((1, 6), (2, 7), (3, 7))
)
TOML = """# A comment at the top
name = 'x'  # and one behind
units = "metal"
[variables]
size = { unit = "Å", value = 2 } # two
[[potential]]
style = "lennard_jones"
cutoff = 5.3
name = "first"
parameters.A = { sigma = { tie = "size" }, epsilon = 0.40 }
[[potential]]
style = "morse"
cutoff = 5_0e-1
[potential.parameters."A-A"]   # Morse
D = 0.3
alpha={value=1.3,std=0.1}
[potential.parameters.A-A.r0]
bounds = [
  1, # lowest
  3,
]
value = 2.6
"""
FILES = {"x.sw": SW, "x.eam.alloy": SETFL, "x.eam": FUNCFL, "x.toml": TOML}
_NUMBERS = {"m": 3, "beta": 3, "h": -0.3, "costheta0": -0.3, "lambda3": 0.0, "tol": 0, "r0": 1.5, "R": 2.5, "D": 0.2}
FILES |= {   # two entries for each, over several lines
    f"x{suffix}": "# UNITS: metal\n"
    + "".join(
        f"Si {other} {other}  " + "\n ".join(str(_NUMBERS.get(name, 1.0 + 0.1 * place)) for place, name in enumerate(COLUMNS[style])) + "\n"
        for other in ("Si", "C")
    )
    for suffix, style in ((".tersoff", "tersoff"), (".tersoff.mod", "tersoff_mod"), (".tersoff.modc", "tersoff_modc"), (".edip", "edip"))
}
Reader = Callable[[str, str], ForceField]


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    """(name, text) → the force field of such a file."""

    def make(name: str, text: str) -> ForceField:
        (tmp_path / name).write_bytes(text.encode())
        return read_force_field(tmp_path / name)

    return make


def other(field: ForceField, seed: int = 1, share: float = 0.5) -> ForceField:
    """Other values for some of the numbers of a force field, but for scales."""
    table, rng = field.table, np.random.default_rng(seed)
    chosen = (rng.uniform(size=len(table)) < share) & ~np.array([name.endswith(".scale") for name in table.names])
    return field.with_parameters(table.unravel(np.where(chosen, table.values * rng.uniform(1.0, 1.1, size=len(table)), table.values)))


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_what_did_not_change_is_written_as_the_same_bytes(name: str, ends: str, read: Reader, tmp_path: Path) -> None:
    field = read(name, FILES[name].replace("\n", ends))
    written = write_force_field(field, tmp_path / f"again_{name}")
    assert written.read_bytes() == (tmp_path / name).read_bytes()


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("seed", range(3))
def test_changed_values_are_read_again_bit_by_bit(name: str, seed: int, read: Reader, tmp_path: Path) -> None:
    field = other(read(name, FILES[name]), seed)
    again = read_force_field(write_force_field(field, tmp_path / f"again_{name}"))
    assert np.array_equal(again.table.values, field.table.values) and again.table.names == field.table.names
    if name.endswith(".toml"):
        assert again.table == field.table and again.relations == field.relations


def test_all_but_the_changed_numbers_stays(read: Reader, tmp_path: Path) -> None:
    field = read("x.sw", SW)
    field.parameters["stillinger_weber"]["lambda"][0] = 22.5
    changed = write_force_field(field.with_parameters(field.parameters), tmp_path / "y.sw").read_text()
    assert changed == SW.replace(" 21 ", " 22.5 ")
    field = read("x.toml", TOML)
    tree = {label: {name: leaf.copy() for name, leaf in group.items()} for label, group in field.parameters.items()}
    tree["variable"]["size"][0], tree["morse"]["r0"][0], tree["first"]["epsilon"][0] = 2.25, 2.7, 0.5
    expected = TOML.replace("value = 2 }", "value = 2.25 }").replace("2.6", "2.7").replace("0.40", "0.5")
    assert write_force_field(field.with_parameters(tree), tmp_path / "y.toml").read_text() == expected


def test_scales_are_multiplied_into_tables(read: Reader, tmp_path: Path) -> None:
    for name in ("x.eam.alloy", "x.eam"):
        field = read(name, FILES[name])
        values = np.where([".scale" in each for each in field.table.names], 1.44, field.table.values)
        again = read_force_field(write_force_field(field.with_parameters(field.table.unravel(values)), tmp_path / f"y_{name}"))
        for row, before in zip(again.table.rows, field.table.rows, strict=True):
            factor = 1.0 if row.leaf.endswith("scale") else 1.2 if row.leaf == "charge.knot" else 1.44
            assert row.value == pytest.approx(factor * before.value, rel=1e-15)
    negative = field.with_parameters(field.table.unravel(-values))
    with pytest.raises(UsageError, match="no effective charge"):
        write_force_field(negative, tmp_path / "z.eam")


def test_values_of_a_potential_file_are_laid_over_it_beside_it_and_written_out_elsewhere(read: Reader, tmp_path: Path) -> None:
    read("x.sw", SW)
    head = '[[potential]]\nstyle = "stillinger_weber"\nfile = "x.sw" # here\n'
    text = head + '[potential.parameters.Si-Si-Si]\nA = { std = 0.1 }\n[groups]\na = ["*"]\n'
    bare = head + "\n[variables]\na = 1.0\n"
    (tmp_path / "elsewhere").mkdir()
    for name, document in (("a.toml", text), ("b.toml", bare)):
        field = other(read(name, document), 2)
        beside = write_force_field(field, tmp_path / "beside.toml")
        assert 'file = "x.sw"' in beside.read_text() and np.array_equal(read_force_field(beside).table.values, field.table.values)
        elsewhere = write_force_field(field, tmp_path / "elsewhere" / "x.toml")
        assert "file" not in elsewhere.read_text() and read_force_field(elsewhere).table == read_force_field(beside).table


@pytest.mark.parametrize("name", FORCE_FIELDS)
def test_every_potential_is_written_in_place(name: str, read: Reader, tmp_path: Path) -> None:
    field = other(read("x.toml", "# a comment\n" + FORCE_FIELDS[name]), share=0.1)
    written = write_force_field(field, tmp_path / "y.toml")
    assert np.array_equal(read_force_field(written).table.values, field.table.values)
    assert written.read_text().startswith("# a comment\n")


def test_a_file_that_changed_meanwhile_and_kinds_that_cannot_be_written_are_refused(read: Reader, tmp_path: Path) -> None:
    field = read("x.sw", SW)
    for name in ("y.eam", "y.xyz"):
        with pytest.raises(UsageError, match=r"end with \.toml or \.sw"):
            write_force_field(field, tmp_path / name)
    read("x.sw", SW + "# more\n")
    with pytest.raises(InputError, match="has changed since it was read"):
        write_force_field(field, tmp_path / "y.sw")
    assert not (tmp_path / "y.sw").exists()


@settings(max_examples=100, deadline=None)
@given(
    document=st.recursive(
        st.integers(-9, 9) | st.floats(0.1, 9.0) | st.text(alphabet="a'\"\\#=[]{},\n é", max_size=6),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(alphabet="ab.# é\"", max_size=3), inner, max_size=3),
        max_leaves=8,
    )
)
def test_every_value_of_a_document_is_found_where_it_stands(document: object) -> None:
    import json
    import tomllib

    def inline(value: object) -> str:
        if isinstance(value, dict):
            return "{ " + ", ".join(f"{json.dumps(key)} = {inline(each)}" for key, each in value.items()) + " }"
        if isinstance(value, list):
            return "[ # comment ]\n " + ", ".join(f"{inline(each)}\n" for each in value) + "]"
        return json.dumps(value, ensure_ascii=True) if isinstance(value, str) else repr(value)

    # Comments and line breaks have no place in inline tables, but in arrays that stand in them they do.
    text = f"first = 1 # = 2\n[[a.b]]\nx = 1\n[[a.b]]\n'k' . \"l\" = {inline(document)} # end\n[a.b.c]\nlast = 'x'\n"
    tomllib.loads(text)
    spans = spans_of(text)

    def visit(path: tuple[str | int, ...], value: object) -> None:
        start, end = spans.values[path]
        assert tomllib.loads(f"v = {text[start:end]}")["v"] == value
        for key, each in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
            visit((*path, key), each)

    visit(("a", "b", 1, "k", "l"), document)
    assert [path for path, _, _ in spans.headers] == [("a", "b", 0), ("a", "b", 1), ("a", "b", 1, "c")]
    assert set(spans.values) >= {("first",), ("a", "b", 0, "x"), ("a", "b", 1, "c", "last")}
