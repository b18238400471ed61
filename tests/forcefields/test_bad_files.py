"""Every malformed force field is refused with a message that names file, place and reason, and never with another exception."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_systems import BONDED, force_field, structure

from md_sensitivity.building import build_system
from md_sensitivity.errors import InputError, UsageError
from md_sensitivity.forcefields import parse_native, read_force_field
from md_sensitivity.potentials import POTENTIALS

HEAD = '[[potential]]\nstyle = "lennard_jones"\ncutoff = 8.0\n'
BODY = "[potential.parameters.Ar]\nsigma = 3.4\nepsilon = 0.01\n"
GOOD = HEAD + BODY
SI = "Si Si Si 2.1683 2.0951 1.80 21.0 1.20 -0.3333333 7.049556277 0.6022245584 4.0 0.0 0.0\n"


def term(style: str, settings: str, parameters: str, types: str = "A-A") -> str:
    return f'[[potential]]\nstyle = "{style}"\n{settings}\n[potential.parameters.{types}]\n{parameters}\n'


# What the corpus of tests/hostile has too (not finite, not UTF-8, nested too deeply, key given twice …) is not said again here.
BAD: dict[str, tuple[str, str]] = {
    "not TOML": ("sigma = = 3", "not valid TOML"),
    "unclosed table": ("[[potential]\n", "not valid TOML"),
    "a potential that is no list": ('[potential]\nstyle = "lennard_jones"\n', r"\[\[potential\]\]"),
    "potentials that are no tables": ("potential = [1, 2]\n", r"\[\[potential\]\]"),
    "an unknown key at the top": ("unit = 'metal'\n" + GOOD, "unknown key 'unit', did you mean 'units'"),
    "unknown units": ("units = 'metall'\n" + GOOD, "did you mean 'metal'"),
    "units that are a number": ("units = 3\n" + GOOD, "units must be a text"),
    "a name that is a number": ("name = 3\n" + GOOD, "name must be a text"),
    "no style": ("[[potential]]\ncutoff = 8.0\n" + BODY, "potential 1: has no style"),
    "a label that breaks parameter names": (HEAD + 'name = "a.b"\n' + BODY, "letters, digits"),
    "an unknown key of a potential": (HEAD + "cut_off = 3\n" + BODY, "unknown key 'cut_off', did you mean 'cutoff'"),
    "an option of another form": (HEAD + "exponent = 2\n" + BODY, "unknown key 'exponent'"),
    "an option below its bound": (term("soft_sphere", "exponent = 1.5", "sigma = 1\nepsilon = 1"), "exponent = 1.5 must be at least 2"),
    "an option that must be positive": (term("coulomb_dsf", "alpha = 0.2\ncutoff = 0", "q = 1", "A"), "cutoff = 0 must be greater than 0"),
    "an option that is missing": (term("coulomb_wolf", "cutoff = 5", "q = 1", "A"), "coulomb_wolf needs alpha = "),
    "options in the wrong order": (term("zbl", "inner = 3\nouter = 3", "Z = 1", "A"), "inner = 3 must be less than outer = 3"),
    "nuclei in reduced units": ('units = "reduced"\n' + term("zbl", "inner = 2\nouter = 3", "Z = 1", "A"), "zbl .* no reduced units"),
    "charges of pairs": (term("coulomb_dsf", "alpha = 0.2\ncutoff = 5", "q = 1"), "types of coulomb_dsf are written like Ar"),
    "a truncation of charges": (term("coulomb_dsf", "alpha = 0.2\ncutoff = 5\ntruncation = 'switch'", "q = 1", "A"), "takes no truncation"),
    "equal exponents": (term("mie", "", "epsilon = 1\nsigma = 1\nn = 6\nm = 6"), "n and m are both 6"),
    "no parameters": (HEAD, "has no parameters"),
    "parameters that are no tables": (HEAD + "parameters = 3\n", "must be tables"),
    "parameters one level too high": (HEAD + "[potential.parameters]\nsigma = 3.4\n", "must be tables"),
    "an unknown parameter": (GOOD.replace("sigma", "sigm"), "unknown key 'sigm', did you mean 'sigma'"),
    "a missing parameter": (HEAD + "[potential.parameters.Ar]\nsigma = 3.4\n", "parameters.Ar: misses epsilon"),
    "a parameter that is text": (GOOD.replace("3.4", '"3.4"'), "Ar.sigma must be a number"),
    "a parameter that is a flag": (GOOD.replace("3.4", "true"), "Ar.sigma must be a number"),
    "a parameter that is a list": (GOOD.replace("3.4", "[3.4]"), "Ar.sigma must be a number"),
    "a quoted key of a thousand parts": (GOOD + " . ".join(['"a b"'] * 20_000) + " = 1\n", "a key of more than 32 parts"),
    "a type of two words": (GOOD.replace("parameters.Ar", 'parameters."A r"'), "words without blanks"),
    "an integer beyond floats": (GOOD.replace("3.4", "1" + "0" * 400), "too large"),
    "σ = 0": (GOOD.replace("3.4", "0.0"), "Ar.sigma = 0: must be > 0"),
    "ε < 0": (GOOD.replace("0.01", "-0.01"), "must be ≥ 0"),
    "a long form without value": (GOOD.replace("3.4", "{ std = 0.1 }"), "has no value"),
    "an unknown key of the long form": (GOOD.replace("3.4", "{ value = 3.4, sdt = 0.1 }"), "unknown key 'sdt', did you mean 'std'"),
    "a negative standard deviation": (GOOD.replace("3.4", "{ value = 3.4, std = -0.1 }"), "std = -0.1 must be at least 0"),
    "a standard deviation that is NaN": (GOOD.replace("3.4", "{ value = 3.4, std = nan }"), "std = nan is not finite"),
    "fixed that is a number": (GOOD.replace("3.4", "{ value = 3.4, fixed = 1 }"), "fixed must be true or false"),
    "bounds that are a number": (GOOD.replace("3.4", "{ value = 3.4, bounds = 3 }"), "bounds must be a pair"),
    "three bounds": (GOOD.replace("3.4", "{ value = 3.4, bounds = [1, 2, 3] }"), "bounds must be a pair"),
    "bounds in descending order": (GOOD.replace("3.4", "{ value = 3.4, bounds = [4, 3] }"), "ascending"),
    "bounds that are NaN": (GOOD.replace("3.4", "{ value = 3.4, bounds = [nan, 4] }"), "ascending"),
    "a value outside its own bounds": (GOOD.replace("3.4", "{ value = 3.4, bounds = [1, 3] }"), r"outside its own bounds \[1, 3\]"),
    "cutoff = 0": (GOOD.replace("8.0", "0.0"), "cutoff = 0 must be greater than 0"),
    "a negative cutoff": (GOOD.replace("8.0", "-8.0"), "cutoff = -8 must be greater than 0"),
    "a cutoff that is text": (GOOD.replace("8.0", '"8"'), "cutoff must be a number"),
    "an infinite cutoff": (GOOD.replace("8.0", "inf"), "cutoff = inf is not finite"),
    "an unknown truncation": (HEAD + 'truncation = "force_shift"\n' + BODY, "did you mean 'force-shift'"),
    "a switch that begins at the cutoff": (HEAD + "switch_from = 8.0\n" + BODY, "must be less than cutoff"),
    "a switch that begins below zero": (HEAD + "switch_from = -1.0\n" + BODY, "switch_from = -1 must be at least 0"),
    "switch_from without a switch": (HEAD + 'truncation = "shift"\nswitch_from = 7.0\n' + BODY, "belongs to truncation"),
    "switch_from without a cutoff": (GOOD.replace("cutoff", "switch_from"), "switch_from needs a cutoff"),
    "truncation without a cutoff": (GOOD.replace("cutoff = 8.0", 'truncation = "shift"'), "truncation needs a cutoff"),
    "an unknown mixing rule": (HEAD + 'mixing = "lorentz_berthelot"\n' + BODY, "did you mean 'lorentz-berthelot'"),
    "mixing for morse": (term("morse", 'cutoff = 8.0\nmixing = "geometric"', "D = 1\nalpha = 1\nr0 = 1"), "morse has not"),
    "a cutoff for soft spheres": (term("soft_sphere", "cutoff = 3.0", "sigma = 1\nepsilon = 1"), "takes no cutoff"),
    "a truncation for soft spheres": (term("soft_sphere", 'truncation = "none"', "sigma = 1\nepsilon = 1"), "takes no truncation"),
    "a cutoff for Stillinger-Weber": (term("stillinger_weber", "cutoff = 3.0", "epsilon = 1", "A-A-A"), "takes no cutoff"),
    "a pair for a form of triples": (term("stillinger_weber", "", "epsilon = 1", "A-A"), "are written like Si-Si-Si"),
    "a triple for a pair form": (GOOD.replace("parameters.Ar", "parameters.Ar-Ar-Ar"), "are written like Ar or Ar-Kr"),
    "an empty type": (GOOD.replace("parameters.Ar", 'parameters."Ar-"'), "are written like"),
    "one type in two spellings": (GOOD + BODY.replace("parameters.Ar", "parameters.Ar-Ar"), "the same types as parameters.Ar"),
    "one pair in two orders": (
        GOOD + BODY.replace("parameters.Ar", "parameters.Ar-Kr") + BODY.replace("parameters.Ar", "parameters.Kr-Ar"),
        "the same types as parameters.Ar-Kr",
    ),
    "two potentials of one label": (GOOD + GOOD, "two potentials are called 'lennard_jones'"),
    "a file for Lennard-Jones": (HEAD + 'file = "x.sw"\n', "lennard_jones is not read from a file"),
    "a file that is a number": ('[[potential]]\nstyle = "stillinger_weber"\nfile = 3\n', "file must be a text"),
    "a file that is not there": ('[[potential]]\nstyle = "stillinger_weber"\nfile = "no.sw"\n', "no.sw: no such file"),
    "a = 1 of Stillinger-Weber": (
        term("stillinger_weber", "", "epsilon=1\nsigma=2\na=1\nlambda=1\ngamma=1\ncosttheta0=0", "A-A-A"),
        "did you mean 'costheta0'",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_toml_is_refused_with_file_place_and_reason(name: str, tmp_path: Path) -> None:
    text, message = BAD[name]
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_force_field(path)
    assert "bad.toml" in str(caught.value) or "no.sw" in str(caught.value)
    assert "\n" not in str(caught.value) or "TOML" in str(caught.value)


def test_the_corpus_is_bad_for_its_reasons_alone() -> None:
    assert force_field(GOOD).table.names == ("lennard_jones.Ar.sigma", "lennard_jones.Ar.epsilon")
    assert force_field(term("soft_sphere", "exponent = 2", "sigma = 1\nepsilon = 1")).terms[0].options == {"exponent": 2.0}


@pytest.mark.parametrize("potential", POTENTIALS)
def test_every_parameter_is_held_to_its_physical_bounds(potential: str) -> None:
    form = POTENTIALS[potential]
    inside = {spec.name: (1.5 if spec.lower >= 0 else 0.5) + bool(spec.unlike) for spec in form.parameters}
    inside |= {spec.name: spec.choices[0] for spec in form.parameters if spec.choices}
    options = {option.name: max(option.lower, 4.0 if option.below else 5.0) for option in form.options}
    options |= {option.name: option.default for option in form.options if option.upper <= 1}
    settings = "\n".join(f"{name} = {v!r}" for name, v in options.items())
    counts = {spec.name: None if spec.count is None else spec.count(options) for spec in form.parameters}
    # `A` is short for `A-A`, so that it names parameters of pairs and of types.
    types = "A" if form.order == 2 and potential not in BONDED else "-".join("A" * form.order)

    def text(values: dict[str, float]) -> str:
        lines = (f'"{name}" = {v if counts[name] is None else [v] * counts[name]!r}' for name, v in values.items())
        return term(potential, settings, "\n".join(lines), types)

    force_field(text(inside))
    for spec in form.parameters:
        for end, step, is_open in ((spec.lower, -1e-6, spec.open_lower), (spec.upper, 1e-6, spec.open_upper)):
            if np.isfinite(end):
                with pytest.raises(InputError, match=re.escape(f"{types}.{spec.name} = ")):
                    force_field(text({**inside, spec.name: end + step}))
                if is_open:
                    with pytest.raises(InputError, match=f"{spec.name} = .* must be"):
                        force_field(text({**inside, spec.name: end}))
                else:
                    force_field(text({**inside, spec.name: end}))


SW = {
    "a second entry that ends too soon": ("# two\n" + SI + "Si Si C 1.0\n", "line 3: the last entry has 4 of 14"),
    "a word that is no number": (SI.replace("21.0", "x"), "line 1: lambda of Si Si Si is 'x', not a number"),
    "a number that only Python reads": (SI.replace("21.0", "2_1.0"), "lambda of Si Si Si is '2_1.0', not a number"),
    "digits of another script": (SI.replace("21.0", "٢١"), "not a number"),
    "tol > 0": (SI.replace("4.0 0.0 0.0", "4.0 0.0 0.01"), "tol of Si Si Si is not 0"),
    "tol not finite": (SI.replace("4.0 0.0 0.0", "4.0 0.0 nan"), "line 1: tol of Si Si Si is 'nan', which is not finite"),
    "an entry given twice": (SI + SI, "line 2: a second entry for Si Si Si"),
    "infinity": (SI.replace("21.0", "inf"), "line 1: lambda of Si Si Si is 'inf', which is not finite"),
    "σ < 0": (SI.replace("2.0951", "-2.0951"), "sigma = -2.0951: must be > 0"),
    "two answers for one pair": (
        SI.replace("Si Si Si", "Si C C") + SI.replace("Si Si Si", "C Si Si").replace("2.0951", "2.0952"),
        "line 1: sigma of Si C C is 2.0951, and of C Si Si 2.0952; both speak of the same pair",
    ),
    "two answers for one angle": (
        SI.replace("Si Si Si", "Si C Si") + SI.replace("Si Si Si", "Si Si C").replace("21.0", "22.0"),
        r"line 1: lambda \* epsilon of Si C Si is .* of Si Si C .*; both speak of the same angle",
    ),
    "comments alone": ("# nothing\n\n", "no Stillinger-Weber entry"),
}


@pytest.mark.parametrize("name", SW)
def test_a_bad_stillinger_weber_file_is_refused_with_file_place_and_reason(name: str, tmp_path: Path) -> None:
    text, message = SW[name]
    path = tmp_path / "bad.sw"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_force_field(path)
    assert "bad.sw" in str(caught.value)


@pytest.mark.parametrize("suffix", [".toml", ".sw"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b" \n\t\n", "empty"),
        (b"\x1f\x8b\x08\x00" + bytes(range(256)), "not UTF-8"),
        (b"\x00" * 100, None),
        (b"[" * 100_000, None),
    ],
    ids=["blank", "gzip", "zeros", "brackets"],
)
def test_what_is_no_force_field_is_refused(suffix: str, content: bytes, message: str | None, tmp_path: Path) -> None:
    path = tmp_path / f"odd{suffix}"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_force_field(path)
    assert f"odd{suffix}" in str(caught.value)


def test_paths_that_are_no_files_are_refused(tmp_path: Path) -> None:
    for name, message in (("none.toml", "no such file"), ("none.sw", "no such file"), ("none.xyz", "no such file")):
        with pytest.raises(InputError, match=message):
            read_force_field(tmp_path / name)
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(InputError, match="is a directory"):
        read_force_field(tmp_path / "folder.toml")
    (tmp_path / "structure.xyz").write_text("1\n\nAr 0 0 0\n")
    with pytest.raises(InputError, match=r"unknown kind .* \.toml, \.sw"):
        read_force_field(tmp_path / "structure.xyz")


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_mutated_file_is_read_or_refused(data: st.DataObject) -> None:
    text = GOOD + term("soft_sphere", "exponent = 2.5", "sigma = { value = 1, std = 0.1, bounds = [0.5, 2], fixed = true }\nepsilon = 1")
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 20)))
        text = text[:start] + data.draw(st.text(max_size=6)) + text[end:]
    try:
        parse_native(text, "mutated.toml")
    except InputError as error:
        assert "mutated.toml" in str(error)


# What fits no structure.


def test_every_missing_pair_is_listed() -> None:
    text = HEAD + "".join(BODY.replace("parameters.Ar", f"parameters.{pair}") for pair in ("Ar-Ar", "Kr-Kr"))
    of = structure(np.arange(9.0).reshape(3, 3) * 2, "ABC")
    with pytest.raises(InputError) as caught:
        build_system(replace(of, types=("Ar", "Kr", "Xe")), force_field(text))
    for pair in ("lennard_jones.Ar-Kr", "lennard_jones.Ar-Xe", "lennard_jones.Kr-Xe", "lennard_jones.Xe-Xe"):
        assert pair in str(caught.value)
    assert "lennard_jones.Ar-Ar" not in str(caught.value) and "structure" in str(caught.value)
    # With mixing only the types count.
    with pytest.raises(InputError, match=r"no parameters for lennard_jones\.Xe,"):
        mixing = text.replace("cutoff", 'mixing = "arithmetic"\ncutoff')
        build_system(replace(of, types=("Ar", "Kr", "Xe")), force_field(mixing))


def test_every_missing_triple_is_listed() -> None:
    values = "epsilon=1\nsigma=2\na=1.8\nlambda=1\ngamma=1\ncostheta0=0\nA=7\nB=0.6\np=4\nq=0\n"
    text = term("stillinger_weber", "", values, "A-A-A")
    with pytest.raises(InputError) as caught:
        build_system(structure(np.array([[0.0, 0, 0], [2.3, 0, 0]]), "AB"), force_field(text))
    for triple in ("A-A-B", "A-B-A", "A-B-B", "B-A-A", "B-A-B", "B-B-A", "B-B-B"):
        assert f"stillinger_weber.{triple}" in str(caught.value)


def test_a_periodic_structure_needs_a_cutoff() -> None:
    text = GOOD.replace("cutoff = 8.0\n", "").replace("parameters.Ar", "parameters.A")
    positions = np.array([[0.0, 0, 0], [3.0, 0, 0]])
    build_system(structure(positions, "AA"), force_field(text))
    for pbc in ((True, True, True), (False, False, True)):
        with pytest.raises(InputError, match=r"'lennard_jones' has no cutoff.*periodic"):
            build_system(structure(positions, "AA", 10 * np.eye(3), pbc), force_field(text))


def test_a_cutoff_in_the_wrong_unit_is_refused_before_memory_is_asked_for() -> None:
    text = GOOD.replace("cutoff = 8.0", "cutoff = 8000.0").replace("parameters.Ar", "parameters.A")
    with pytest.raises(InputError, match="check the units"):
        build_system(structure(np.array([[0.0, 0, 0], [3.0, 0, 0]]), "AA", 10 * np.eye(3)), force_field(text))


def test_two_dimensions_need_a_plane() -> None:
    text = GOOD.replace("parameters.Ar", "parameters.A")
    flat, bent = (structure(np.array([[0.0, 0, 1], [3.0, 0, 1 + dz]]), "AA") for dz in (0.0, 0.1))
    assert np.array_equal(build_system(flat, force_field(text), dimensions=2).free[:, 2], [0.0, 0.0])
    with pytest.raises(InputError, match="z is not the same"):
        build_system(bent, force_field(text), dimensions=2)
    with pytest.raises(UsageError, match="2 or 3"):
        build_system(flat, force_field(text), dimensions=1)
