"""Names, patterns, values and files of force fields: what is written is what is computed with."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_systems import FORCE_FIELDS, force_field, mixed, structure

from md_sensitivity.building import build_system
from md_sensitivity.errors import InputError, UsageError
from md_sensitivity.forcefields import ForceField, acting_rows, native_toml, parse_native, read_force_field, species_of
from md_sensitivity.forcefields.data import join_types, split_types
from md_sensitivity.potentials import POTENTIALS
from md_sensitivity.potentials.base import ParameterSpec, is_mixable, natural_end, types_of
from md_sensitivity.potentials.mixing import MIXING_RULES
from md_sensitivity.potentials.truncation import TRUNCATIONS
from md_sensitivity.system import energy_function
from md_sensitivity.units import LAMMPS_METAL, LAMMPS_REAL, METAL, UNIT_SYSTEMS

SI = "Si Si Si 2.1683 2.0951 1.80 21.0 1.20 -0.3333333 7.049556277 0.6022245584 4.0 0.0 0.0\n"


def gallium_nitride() -> str:
    """A file of two elements whose mixed entries hold zeros where LAMMPS never looks, as GaN.sw does."""
    lines = ["# DATE: 2020-01-01 UNITS: metal CONTRIBUTOR: nobody"]
    for i in ("Ga", "N"):
        for j in ("Ga", "N"):
            for k in ("Ga", "N"):
                radial = "2.1 1.6 32.5 1.2 -0.333\n 7.917 0.72 4.0 0.0 0.0" if j == k else "0.0 0.0 32.5 0.0 -0.333\n 0.0 0.0 0.0 0.0 0.0"
                lines.append(f"{i} {j} {k}  1.6 {radial}   # {i} in the middle")
    return "\n".join(lines)


# Names and patterns.


def test_names_are_label_types_parameter() -> None:
    text = mixed("arithmetic").replace("style", 'name = "argon-like_1"\nstyle')
    assert force_field(text).table.names == tuple(f"argon-like_1.{t}.{p}" for t in "AB" for p in ("sigma", "epsilon"))


def test_patterns_match_exactly_first_and_then_as_globs() -> None:
    table = force_field(FORCE_FIELDS["lennard_jones"]).table
    names = table.names
    assert [names[i] for i in table.matching(["*.sigma"])] == [f"lennard_jones.{t}.sigma" for t in ("A-A", "A-B", "B-B")]
    assert table.matching(["lennard_jones.A-B.epsilon"]) == [names.index("lennard_jones.A-B.epsilon")]
    assert table.matching(["*.A-?.*", "*.A-A.sigma"]) == [0, 1, 2, 3]
    assert table.matching([]) == []
    assert table.matching(["*"]) == list(range(len(table)))
    with pytest.raises(UsageError, match=r"did you mean 'lennard_jones\.A-A\.sigma'"):
        table.matching(["lennard_jones.A-A.sigm"])
    with pytest.raises(UsageError, match="no parameter matches"):
        table.matching(["*", "*.SIGMA"])  # case matters, and each pattern must match


def test_a_name_with_glob_characters_is_matched_as_itself() -> None:
    text = mixed("arithmetic").replace("parameters.A]", 'parameters."C[1]"]').replace("parameters.B]", "parameters.C1]")
    table = force_field(text).table
    assert [table.names[i] for i in table.matching(["lennard_jones.C[1].sigma"])] == ["lennard_jones.C[1].sigma"]
    assert [table.names[i] for i in table.matching(["lennard_jones.C[1].sig*"])] == ["lennard_jones.C1.sigma"]


TYPE = st.text("abcXYZ0189_-*+'\"\\é", min_size=1, max_size=5)


@given(types=st.lists(TYPE.filter(lambda name: name.strip("-") == name and "--" not in name), min_size=1, max_size=3))
def test_joined_types_come_apart_again(types: list[str]) -> None:
    word = join_types(types)
    assert ("~" in word) == any("-" in name for name in types)
    assert split_types(word) == tuple(types)


def test_types_with_a_hyphen_are_joined_by_a_tilde() -> None:
    text = mixed("none").replace("parameters.A]", 'parameters."C-sp3~O"]').replace("parameters.B]", 'parameters."C-sp3~C-sp3"]')
    text += "[potential.parameters.O]\nsigma = 2.0\nepsilon = 0.2\n"
    field = force_field(text)
    assert field.table.names[0] == "lennard_jones.C-sp3~O.sigma" and field.species == {"C-sp3", "O"}
    of = replace(structure(np.array([[0.0, 0, 0], [2.5, 0, 0]]), "AB"), types=("C-sp3", "O"))
    system = build_system(of, field)
    s6 = (2.3 / 2.5) ** 6
    assert float(energy_function(system)(system.positions, field.parameters)) == pytest.approx(4 * 0.4 * (s6**2 - s6), rel=1e-12)


# Values.


@st.composite
def entry(draw: st.DrawFn, spec: ParameterSpec, options: dict[str, float]) -> str:
    """A line that gives a parameter, or a series, in its long form."""
    v = draw(st.floats(0.01, 0.99)) if spec.upper == 1 else draw(st.floats(1.001, 1e3)) + 1e3 * bool(spec.unlike)
    if spec.option:
        return f'"{spec.name}" = {draw(st.sampled_from(spec.choices or (v,)))!r}'
    std = draw(st.one_of(st.just(""), st.floats(1e-3, 1e3).map(lambda x: f", std = {x!r}")))
    ends = draw(st.sampled_from(["", f"[{v!r}, inf]", f"[-inf, {v * 1.5!r}]", f"[{v!r}, {v!r}]"]))
    bounds = ends and f", bounds = {ends}"
    fixed = draw(st.sampled_from(["", ", fixed = true", ", fixed = false"]))
    size = None if spec.count is None else spec.count(options)
    return f'"{spec.name}" = {{ value = {v if size is None else [v] * size!r}{std}{bounds}{fixed} }}'


def random_fields() -> st.SearchStrategy[str]:
    number = st.floats(1e-3, 1e3).map(repr)
    written = [name for name, form in POTENTIALS.items() if not any(spec.count or spec.option for spec in form.parameters)]

    @st.composite
    def draw(draw: st.DrawFn) -> str:
        units = draw(st.sampled_from(list(UNIT_SYSTEMS)))
        lines = [f'units = "{units}"', 'reference = "doi:\\"x\\" \\\\ \\u007f é"']
        styles = [name for name in written if (units, name) != ("reduced", "zbl")]
        for n, style in enumerate(draw(st.lists(st.sampled_from(styles), min_size=1, max_size=3))):
            form = POTENTIALS[style]
            lines += ["[[potential]]", f'style = "{style}"', f'name = "p{n}"']
            if is_mixable(form) and draw(st.booleans()):
                lines.append(f'mixing = "{draw(st.sampled_from(list(MIXING_RULES)))}"')
            if not natural_end(form) and draw(st.booleans()):
                lines += [f"cutoff = {draw(number)}", f'truncation = "{draw(st.sampled_from(list(TRUNCATIONS)))}"']
            options = {}
            for option in form.options:
                # One option may have to be less than another.
                ends = (max(option.lower, 1.0), 4.0) if option.below else (max(option.lower, 5.0), min(option.upper, 9.0))
                ends = ends if ends[0] <= ends[1] else (option.lower, option.upper)
                options[option.name] = draw(st.integers(*map(int, ends)) if option.whole else st.floats(*ends))
            lines += [f"{option} = {number!r}" for option, number in options.items()]
            for order in sorted({types_of(spec, form) for spec in form.parameters}):
                specs = [spec for spec in form.parameters if types_of(spec, form) == order]
                tuples = st.tuples(*[st.sampled_from(["A", "B-x", "Ç"])] * order).map(lambda names: tuple(sorted(names)))
                for types in draw(st.sets(tuples, min_size=1)):
                    lines.append(f'[potential.parameters."{join_types(types)}"]')
                    lines += [draw(entry(spec, options)) for spec in specs]
        return "\n".join(lines)

    return draw()


def assert_same(one: ForceField, other: ForceField) -> None:
    assert one.table == other.table and one.terms == other.terms and one.units.name == other.units.name
    assert (one.name, one.reference) == (other.name, other.reference)
    for label, group in one.parameters.items():
        assert list(group) == list(other.parameters[label])
        assert all(np.array_equal(values, other.parameters[label][name]) for name, values in group.items())


@settings(max_examples=60, deadline=None)
@given(text=random_fields())
def test_a_force_field_survives_being_written_and_read_bit_by_bit(text: str) -> None:
    field = parse_native(text, "one.toml")
    assert_same(field, parse_native(native_toml(field), "one.toml"))


@pytest.mark.parametrize("name", FORCE_FIELDS)
def test_ravel_and_unravel_are_inverse_and_in_the_order_of_the_names(name: str) -> None:
    field = force_field(FORCE_FIELDS[name])
    vector = field.table.ravel(field.parameters)
    assert np.array_equal(vector, [row.value for row in field.table.rows])
    other = np.random.default_rng(1).permutation(len(vector)) * 1e-3 + 1.1
    tree = field.table.unravel(other)
    assert np.array_equal(field.table.ravel(tree), other)
    for value, row in zip(other, field.table.rows, strict=True):
        label, leaf = row.place
        assert tree[label][leaf][row.index] == value
        term = next(term for term in field.terms if term.label == label)
        count = term.spec(row).count
        assert term.rows[leaf][row.index // (1 if count is None else count(term.options))] == row.types
    changed = field.with_parameters(tree)
    assert [row.value for row in changed.table.rows] == other.tolist() and changed.table.names == field.table.names
    assert np.array_equal(field.table.ravel(field.parameters), vector)  # the old one is as it was
    with pytest.raises(ValueError):
        field.table.unravel(other[:-1])


def test_bounds_std_and_fixed_are_read() -> None:
    text = mixed("none").replace("sigma = 2.3", "sigma = { value = 2.3, std = 0.1, bounds = [-1, 3], fixed = true }")
    rows = force_field(text.replace("epsilon = 0.5", "epsilon = { value = 0.5, bounds = [0.5, 0.5] }")).table.rows
    assert (rows[0].value, rows[0].std, rows[0].bounds, rows[0].fixed, rows[0].free) == (2.3, 0.1, (0.0, 3.0), True, False)
    assert (rows[1].std, rows[1].bounds, rows[1].free) == (None, (0.0, math.inf), True)
    assert not rows[3].free  # bounds that leave no room


def test_an_integer_is_a_number() -> None:
    field = force_field(mixed("none").replace("2.3", "2"))
    assert field.parameters["lennard_jones"]["sigma"].dtype == np.float64 and field.table.rows[0].value == 2.0


def test_missing_keys_take_their_defaults() -> None:
    text = '[[potential]]\nstyle = "lennard_jones"\ncutoff = 8.0\n[potential.parameters.Ar]\nsigma = 3.4\nepsilon = 0.01\n'
    field = parse_native(text, "folder/argon.toml")
    assert (field.name, field.units, field.terms[0].label) == ("argon", METAL, "lennard_jones")
    assert (field.terms[0].truncation, field.terms[0].mixing) == ("switch", "none")
    assert field.terms[0].switch_from == pytest.approx(7.2, rel=1e-15)


# Potential files.


def test_a_stillinger_weber_file_is_read_with_lammps_constants(tmp_path: Path) -> None:
    path = tmp_path / "Si.SW"
    path.write_text("# UNITS: metal\n" + SI)
    field = read_force_field(path)
    assert field.units == LAMMPS_METAL and field.name == "Si"
    assert field.sha256 == hashlib.sha256(path.read_bytes()).hexdigest() and field.path == str(path)
    assert field.table.names[0] == "stillinger_weber.Si-Si-Si.epsilon" and field.table.rows[3].value == 21.0
    assert not any(row.parameter == "tol" for row in field.table.rows) and len(field.table) == 10
    path.write_text("# UNITS: real\n" + SI)
    assert read_force_field(path).units == LAMMPS_REAL


def test_radial_zeros_of_mixed_triples_are_accepted_and_used_nowhere(tmp_path: Path) -> None:
    path = tmp_path / "GaN.sw"
    path.write_text(gallium_nitride())
    field = read_force_field(path)
    assert len(field.table) == 80
    of = structure(np.array([[0.0, 0, 0], [1.9, 0, 0], [0, 2.0, 0]]), "ABA")
    system = build_system(replace(of, types=("Ga", "N", "Ga")), field)
    energy = energy_function(system)
    zeros = field.parameters["stillinger_weber"]["sigma"] == 0
    assert zeros.sum() == 4
    other = {"stillinger_weber": {**field.parameters["stillinger_weber"]}}
    for name in ("sigma", "a", "gamma", "A", "B", "p", "q"):
        other["stillinger_weber"][name] = np.where(zeros, 1.7, other["stillinger_weber"][name])
    assert np.isfinite(energy(system.positions, other))
    assert float(energy(system.positions, other)) == float(energy(system.positions, field.parameters))
    # Written out and read again they are still accepted.
    assert parse_native(native_toml(field), "GaN.toml").table.names == field.table.names


def test_a_named_file_takes_bounds_std_fixed_and_values_from_the_toml(tmp_path: Path) -> None:
    (tmp_path / "Si.sw").write_text(SI)
    path = tmp_path / "field.toml"
    path.write_text(
        '[[potential]]\nstyle = "stillinger_weber"\nfile = "Si.sw"\n[potential.parameters.Si-Si-Si]\n'
        "sigma = { std = 0.01 }\nq = { fixed = true }\nlambda = 20.0\na = { value = 1.9, bounds = [1.5, 2.0] }\n"
    )
    field = read_force_field(path)
    rows = {row.parameter: row for row in field.table.rows}
    assert (rows["sigma"].value, rows["sigma"].std) == (2.0951, 0.01)
    assert rows["q"].fixed and rows["q"].value == 0.0
    assert (rows["lambda"].value, rows["a"].value, rows["a"].bounds) == (20.0, 1.9, (1.5, 2.0))
    assert rows["epsilon"] == replace(rows["epsilon"], value=2.1683, std=None, fixed=False)
    path.write_text(path.read_text().replace("Si-Si-Si", "Si-Si-C"))
    with pytest.raises(InputError, match="Si-Si-C is not in the file, did you mean 'Si-Si-Si'"):
        read_force_field(path)


def test_a_file_in_other_units_than_the_toml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "Si.sw").write_text("# UNITS: metal\n" + SI)
    path = tmp_path / "field.toml"
    path.write_text('units = "real"\n[[potential]]\nstyle = "stillinger_weber"\nfile = "Si.sw"\n')
    with pytest.raises(InputError, match="in units 'metal', this file in 'real'"):
        read_force_field(path)


# Who is who.


def test_species_are_types_or_else_symbols(tmp_path: Path) -> None:
    path = tmp_path / "Si.sw"
    path.write_text(SI)
    field = read_force_field(path)
    silicon = replace(structure(np.array([[0.0, 0, 0], [2.3, 0, 0]]), "AA"), numbers=np.array([14, 14]))
    for types in (("1", "1"), ("1", "2"), ("Si", "Si")):
        assert species_of(field, replace(silicon, types=types)) == ("Si", "Si")
    # A type that the force field knows wins over the symbol.
    assert species_of(force_field(mixed("none")), replace(silicon, types=("A", "B"))) == ("A", "B")
    assert species_of(field, replace(silicon, types=("Si", "C"))) == ("Si", "C")


def test_parameters_act_where_all_their_types_occur() -> None:
    field = force_field(FORCE_FIELDS["stillinger_weber"])
    of = structure(np.array([[0.0, 0, 0], [2.3, 0, 0]]), "AA")
    assert {field.table.rows[i].types for i in acting_rows(field, of)} == {("A", "A", "A")}
    assert acting_rows(field, replace(of, types=("A", "B"))) == list(range(len(field.table)))
