"""LAMMPS files of element triples: what they say is what is computed with, and LAMMPS computes the same from them."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import jax
import numpy as np
import pytest
from small_systems import (
    EDIP,
    FORCE_FIELDS,
    TERSOFF,
    TERSOFF_MOD,
    VASHISHTA,
    cluster,
    crystal,
    force_field,
    gradient,
    strain_gradient,
    value,
)

from md_sensitivity.building import build_system
from md_sensitivity.errors import InputError
from md_sensitivity.forcefields import native_toml, parse_native, read_force_field
from md_sensitivity.forcefields.lammps_triplets import COLUMNS
from md_sensitivity.forcefields.potential_files import POTENTIAL_FILES
from md_sensitivity.system import energy_function
from md_sensitivity.units import KILOCALORIE_PER_MOLE
from md_sensitivity.voigt import VOIGT

VALUES = {
    "tersoff": TERSOFF | {"m": 3.0},
    "tersoff_mod": TERSOFF_MOD | {"beta": 1.0},
    "tersoff_modc": TERSOFF_MOD | {"beta": 3.0, "c0": -0.1},
    "vashishta": VASHISHTA,
    "edip": EDIP,
}
SUFFIXES = {kind.style: kind.suffix for kind in POTENTIAL_FILES.values() if kind.style in VALUES}

def text_of(style: str, units: str = "metal", scale: float = 1.0) -> str:
    """A file for A and B, whose numbers differ from entry to entry as far as LAMMPS is sure to read the one that is meant."""
    lines = [f"# DATE: 2026-11-22 UNITS: {units} CONTRIBUTOR: nobody"]
    for types in product("AB", repeat=3):
        i, j, k = types
        # Pairs stand alike in both orders, and so do the two neighbors of an angle.
        factor = 1.0 + 0.01 * (types.count("B") if j != k else 2 * (i + j).count("B"))
        words = []
        for name in COLUMNS[style]:
            whole = name == "m" or (name == "beta" and style.startswith("tersoff_mod"))
            size = VALUES[style][name] * (1.0 if whole else factor)
            words.append(repr(size * scale if name in ("A", "B") and style == "tersoff" else size))
        lines += [f"{i} {j} {k} " + " ".join(words[:5]), "   " + " ".join(words[5:]) + f"  # {i} in the middle"]
    return "\n".join(lines) + "\n"


REFERENCES: dict[str, tuple[float, list[float], list[float]]] = {
    "tersoff": (
        -10.772974514963954,
        [-2.456419668721969, 1.1285039037419518, 0.718057429745527],
        [11.5351486096486, 16.122886785088653, 13.905187644606592, -4.90702553341335, 0.7365583563762138, -5.731486796954651],
    ),
    "tersoff_mod": (
        -3.7002977627115254,
        [-2.0902024433464503, 0.77232242046029, 0.29495301501535354],
        [25.641948071991806, 29.854545851494223, 28.890627292070064, 0.5960569599463384, -2.1362610826193005, -2.040332194284294],
    ),
    "tersoff_modc": (
        -5.3354425294399,
        [-2.6040333121860613, 1.105720568688736, 0.6601180267555763],
        [23.94592454916911, 28.84126239602157, 27.027476666470285, -1.5243739985596927, -1.0249598048959387, -4.001415441777439],
    ),
    "vashishta": (
        1.7596888551532675,
        [-0.5122177545766133, -0.395796898018976, -0.010544020203114984],
        [19.424658805653685, 18.699210774599443, 19.512189231865044, 3.10643852003927, -2.3185484860504935, 2.1976078899746825],
    ),
    "edip": (
        8.997905736433076,
        [11.621042567184098, 5.766292249371496, -1.8259825176160205],
        [170.75752912406355, 160.51578146494677, 164.99779098782886, 65.13481051135697, -37.51147868258294, 31.52819329378625],
    ),
}
"""Style → energy [eV], forces on the first atom [eV/Å] and virial (xx yy zz yz xz xy) [eV] by LAMMPS for `text_of` and `crystal()`."""


@pytest.mark.parametrize("style", VALUES)
def test_a_file_gives_the_energy_forces_and_virial_of_lammps(style: str, tmp_path: Path) -> None:
    path = tmp_path / f"AB{SUFFIXES[style]}"
    path.write_text(text_of(style))
    field = read_force_field(path)
    energy = energy_function(build_system(crystal(), field))
    x, theta = energy.system.positions, field.parameters
    expected, force, virial = REFERENCES[style]
    assert float(value(energy, x, theta)) == pytest.approx(expected, rel=1e-10)
    forces, stress = -np.asarray(gradient(energy, x, theta)), np.asarray(strain_gradient(energy, x, theta, np.zeros((3, 3))))
    assert np.abs(forces[0] - force).max() <= 1e-10 * np.abs(forces).max()
    assert np.abs([-stress[a, b] for a, b in VOIGT] - np.array(virial)).max() <= 1e-10 * np.abs(virial).max()


@pytest.mark.parametrize("style", VALUES)
def test_a_file_says_the_same_as_toml_that_names_it_and_as_what_is_written_of_it(style: str, tmp_path: Path) -> None:
    path = tmp_path / f"AB{SUFFIXES[style]}"
    path.write_text(text_of(style))
    field = read_force_field(path)
    named = parse_native(f'[[potential]]\nstyle = "{style}"\nfile = "{path.name}"\n', "x.toml", tmp_path)
    again = parse_native(native_toml(field), "y.toml")
    assert field.table.names == named.table.names == again.table.names
    assert [row.value for row in field.table.rows] == [row.value for row in named.table.rows] == [row.value for row in again.table.rows]
    assert field.terms[0].constants == named.terms[0].constants == again.terms[0].constants
    assert field.terms[0].options == named.terms[0].options == again.terms[0].options
    assert len(field.table) == 8 * sum(not spec.option for spec in field.terms[0].form.parameters)


def test_a_file_in_kcal_is_converted(tmp_path: Path) -> None:
    (tmp_path / "metal.tersoff").write_text(text_of("tersoff"))
    (tmp_path / "real.tersoff").write_text(text_of("tersoff", "real", 1.0 / KILOCALORIE_PER_MOLE))
    found = []
    for name in ("metal", "real"):
        field = read_force_field(tmp_path / f"{name}.tersoff")
        energy = energy_function(build_system(crystal(), field))
        found.append(float(value(energy, energy.system.positions, field.parameters)))
    assert found[0] == pytest.approx(found[1], rel=1e-12)
    assert {row.unit for row in field.table.rows if row.parameter == "A"} == {"kcal/mol"}


BAD = {
    "an entry too short": (" ".join(text_of("tersoff").split("\n")[1].split()[:6]), ".tersoff", "the last entry has 6 of 17 words"),
    "an entry twice": (2 * text_of("tersoff"), ".tersoff", "a second entry for A A A"),
    "a power of 2": (text_of("tersoff").replace(" 3.0 ", " 2.0 "), ".tersoff", "m = 2: must be 1 or 3"),
    "no number": (text_of("edip").replace("7.9 ", "7,9 ", 1), ".edip", "line 2: A of A A A is '7,9', not a number"),
    "nothing": ("# UNITS: metal\n", ".vashishta", "no Vashishta entry in this file"),
    "a width below zero": (text_of("tersoff_mod").replace(" 0.3 ", " -0.3 "), ".tersoff.mod", "D = -0.3: must be > 0"),
    "units of another kind": (text_of("edip", "lj"), ".edip", "units 'lj'"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_with_a_file_is_said(case: str, tmp_path: Path) -> None:
    text, suffix, message = BAD[case]
    path = tmp_path / f"bad{suffix}"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_force_field(path)
    assert path.name in str(caught.value)


def test_a_triple_that_a_file_lacks_is_named(tmp_path: Path) -> None:
    path = tmp_path / "A.tersoff"
    path.write_text("\n".join(line for line in text_of("tersoff").split("\n")[:3]))
    with pytest.raises(InputError, match=r"tersoff\.A-A-B"):
        build_system(cluster(), read_force_field(path))


@pytest.mark.slow
def test_narrow_work_for_many_atoms_is_the_work_of_few(monkeypatch: pytest.MonkeyPatch) -> None:
    from md_sensitivity.potentials import narrowing

    field = force_field(FORCE_FIELDS["tersoff"])
    found = []
    for many in (10**6, 1):
        monkeypatch.setattr(narrowing, "_MANY", many)
        energy = energy_function(build_system(cluster(), field))
        x, theta = energy.system.positions, field.parameters
        v = np.linspace(-1.0, 1.0, x.size).reshape(x.shape)
        # Not the shared compiled functions, which would not be traced again.
        product_of = jax.jit(lambda e, x, p, v: (e(x, p), jax.jvp(lambda y: jax.grad(e, argnums=(0, 1))(y, p), (x,), (v,))))
        found.append(jax.tree.leaves(product_of(energy, x, theta, v)))
        jax.clear_caches()
    for one, other in zip(*found, strict=True):
        assert np.allclose(one, other, rtol=1e-12, atol=1e-12)
