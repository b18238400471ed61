"""SNAP files: what they say is what the force field holds, and what cannot be represented is refused with its line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_systems import structure

from md_sensitivity.building import build_system
from md_sensitivity.errors import InputError
from md_sensitivity.forcefields import read_force_field
from md_sensitivity.forcefields.lammps_snap import parse_snap
from md_sensitivity.system import energy_function

COEFFICIENTS = "# UNITS: metal CITATION: nobody\n\n2 6\nTa 0.5 1.0\n1\n2\n3 # B[1]\n4\n5\n6\nW 0.6 0.8\n-1\n-2\n-3\n-4\n-5\n-6\n"
PARAMETERS = "# UNITS: metal\nrcutfac 4.6\ntwojmax 2\n"


def written(folder: Path, coefficients: str = COEFFICIENTS, parameters: str = PARAMETERS) -> Path:
    (folder / "X.snapparam").write_text(parameters)
    (folder / "X.snapcoeff").write_text(coefficients)
    return folder / "X.snapcoeff"


def test_files_are_read_with_the_defaults_of_lammps(tmp_path: Path) -> None:
    field = read_force_field(written(tmp_path))
    assert field.table.names[:4] == ("snap.Ta.radius", "snap.Ta.weight", "snap.Ta.beta0", "snap.Ta.beta1")
    assert [row.free for row in field.table.rows[:4]] == [False, False, True, True]
    assert [row.unit for row in field.table.rows[:3]] == ["Å", "1", "eV"]
    assert np.array_equal(field.parameters["snap"]["beta"], [1, 2, 3, 4, 5, 6, -1, -2, -3, -4, -5, -6])
    defaults = {"rfac0": 0.99363, "rmin0": 0.0, "switchflag": 1.0, "bzeroflag": 1.0, "quadraticflag": 0.0, "chemflag": 0.0}
    defaults |= {"bnormflag": 0.0, "wselfallflag": 0.0, "switchinnerflag": 0.0}
    assert {name: field.terms[0].options[name] for name in defaults} == defaults


def test_elements_of_chemflag_and_the_inner_switch_are_numbered_as_the_file_has_them() -> None:
    parameters = "rcutfac 4\ntwojmax 0\nchemflag 1\nswitchinnerflag 1\nsinner 1.0 1.2\ndinner 0.2 0.3\n"
    coefficients = "2 9\n" + "".join(f"{name} 0.5 1\n" + "0.1\n" * 9 for name in ("In", "P"))
    content = parse_snap(coefficients, "a", parameters, "b")
    assert content.options["elements"] == 2.0
    assert [content.entries[name,]["element"] for name in ("In", "P")] == [0.0, 1.0]
    assert [content.entries[name,]["sinner"] for name in ("In", "P")] == [1.0, 1.2]


def test_an_atom_alone_has_its_constant(tmp_path: Path) -> None:
    for flag, energy in ((1, 1.0), (0, 1.0 + 2 + 3 * 2 + 4 * 3 + 5 * 3 + 6 * 3)):
        field = read_force_field(written(tmp_path, parameters=PARAMETERS + f"bzeroflag {flag}\n"))
        system = build_system(structure(np.zeros((1, 3)), ["Ta"]), field)  # type: ignore[arg-type]
        # Components (0 0 0), (1 0 1), (1 1 2), (2 0 2), (2 2 2) of an atom alone are 2j + 1.
        assert float(energy_function(system)(system.positions, field.parameters)) == pytest.approx(energy, rel=1e-13)


BAD = {
    "a word for a number": ("", "rcutfac far\ntwojmax 2\n", "b, line 1: rcutfac is 'far', not a number"),
    "no twojmax": ("", "rcutfac 4\n", "b: has no twojmax"),
    "an unknown key": ("", PARAMETERS + "diagonalstyle 3\n", "b, line 4: unknown key 'diagonalstyle'"),
    "a key twice": ("", PARAMETERS + "twojmax 2\n", "b, line 4: a second twojmax"),
    "two values": ("", PARAMETERS + "rmin0 1 2\n", "b, line 4: rmin0 has 2 values"),
    "a fractional band limit": ("", "rcutfac 4\ntwojmax 2.5\n", "b, line 2: twojmax = 2.5 must be a whole number"),
    "a band limit beyond all": ("", "rcutfac 4\ntwojmax 40\n", "b, line 2: twojmax = 40 is not supported"),
    "a flag that is none": ("", PARAMETERS + "bzeroflag 2\n", "b, line 4: bzeroflag = 2 is not supported"),
    "an inner switch without distances": ("", PARAMETERS + "switchinnerflag 1\n", "sinner and dinner are given together"),
    "distances for too few elements": ("", PARAMETERS + "switchinnerflag 1\nsinner 1\ndinner 1\n", "b, line 5: sinner gives 1 "),
    "a pole beyond the range": ("", PARAMETERS + "rmin0 5\n", "rmin0 = 5 is not less than the shortest range, 4.6"),
    "units that differ": (COEFFICIENTS.replace("metal", "real"), "", "is in units metal and real"),
    "too few coefficients for the band limit": ("", "rcutfac 4\ntwojmax 4\n", "has 6 coefficients for each element, and b asks for 15"),
    "quadratic terms that are not there": ("", PARAMETERS + "quadraticflag 1\n", "asks for 21"),
    "no coefficients": ("# nothing\n", "", "a: no SNAP coefficients"),
    "a header of words": ("two six\n", "", "a, line 1: must be the number of elements"),
    "a file that ends early": (COEFFICIENTS[:-6], "", "a: ends 2 lines too early"),
    "a file that goes on": (COEFFICIENTS + "7\n", "", "a, line 18: nothing is expected"),
    "an element of one word": (COEFFICIENTS.replace("W 0.6 0.8", "W"), "", "a, line 11: must be an element, its radius and its weight"),
    "an element twice": (COEFFICIENTS.replace("W", "Ta"), "", "a, line 11: a second entry for Ta"),
    "a radius of nothing": (COEFFICIENTS.replace("0.6", "0"), "", "a, line 11: radius of W = 0 must be > 0"),
    "two coefficients in a line": (COEFFICIENTS.replace("-2\n", "-2 -3\n"), "", "a, line 13: must be one number, beta1 of W"),
    "a coefficient that is not finite": (COEFFICIENTS.replace("-2\n", "nan\n"), "", "a, line 13: beta1 of W is 'nan', which is not finite"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused_with_file_line_and_reason(name: str) -> None:
    coefficients, parameters, reason = BAD[name]
    with pytest.raises(InputError) as caught:
        parse_snap(coefficients or COEFFICIENTS, "a", parameters or PARAMETERS, "b")
    assert reason in str(caught.value)


def test_a_missing_parameter_file_is_named(tmp_path: Path) -> None:
    path = written(tmp_path)
    (tmp_path / "X.snapparam").unlink()
    with pytest.raises(InputError, match=r"X\.snapparam: no such file"):
        read_force_field(path)
