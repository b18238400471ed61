"""Hostile study files of `fit`: refused with one clear line before anything is computed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hostile_folder import Run

TARGET = '[[target]]\nstructure = "dimer.xyz"\nobservable = "energy"\nvalue = -0.01\nstd = 0.001\n'
STUDY = f'force_field = "argon.toml"\n{TARGET}'

FITS: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "empty"),
    "garbage": (bytes(range(256)), "not UTF-8"),
    "utf-16": (STUDY.encode("utf-16"), "not UTF-8"),
    "truncated": (STUDY[:-9], "not valid TOML"),
    "deep": (STUDY + "x = " + "[" * 20_000, "nested too deeply"),
    "a key of many parts": (STUDY + ".".join("a" * 20_000) + " = 1\n", "a key of more than 32 parts"),
    "a huge integer": (STUDY.replace("-0.01", "9" * 5000), "thousands of digits"),
    "no target": ('force_field = "argon.toml"\n', "target"),
    "an unknown key": ("fmx = 1\n" + STUDY, "did you mean 'fmax'"),
    "an unknown key of a target": (STUDY + "vlaue = 1\n", "did you mean 'value'"),
    "a wrong type": (STUDY.replace("-0.01", '"low"'), "value"),
    "nan": (STUDY.replace("-0.01", "nan"), "value"),
    "infinity": (STUDY.replace("0.001", "inf"), "std"),
    "beyond floats": (STUDY.replace("-0.01", "1e400"), "value"),
    "a standard deviation of zero": (STUDY.replace("0.001", "0.0"), "std"),
    "a list for a number": (STUDY.replace("-0.01", "[-0.01]"), "value"),
    "an unknown observable": (STUDY.replace('"energy"', '"enrgy"'), "did you mean 'energy'"),
    "atoms that are not there": (STUDY.replace('"energy"', '"distance:0-99999999999999999999"'), "distance"),
    "a device as structure": (STUDY.replace("dimer.xyz", "/dev/zero"), "not a regular file"),
    "passwd as structure": (STUDY.replace("dimer.xyz", "../../../../../../../../../../etc/passwd"), "unknown structure format"),
    "a device as force field": (STUDY.replace("argon.toml", "/dev/zero"), "not a regular file"),
    "a name with NUL": (STUDY.replace("dimer", "a\\u0000b"), "null character"),
    "an escape in a name": (STUDY.replace("dimer", "\\u001b[31mred"), r"\x1b[31mred.xyz"),
    "a newline in a name": (STUDY + 'name = "two\\nlines"\nindex = "x"\n', "index"),
    "a pattern that matches nothing": ('parameters = ["lennard_jones.Xe.*"]\n' + STUDY, "no parameter matches"),
    "NaN in the structure": (STUDY.replace("dimer", "nan"), "atom 1: coordinate nan"),
}


@pytest.mark.parametrize("name", FITS)
def test_a_hostile_study_of_a_fit_is_refused(run: Run, folder: Path, name: str) -> None:
    content, said = FITS[name]
    (folder / "nan.xyz").write_text("2\n\nAr 0 0 0\nAr nan 0 0\n")
    (folder / "study.toml").write_bytes(content if isinstance(content, bytes) else content.encode())
    run("fit", "study.toml", "-o", "out").refused(said)


def test_what_is_no_file_is_refused_at_once(run: Run, folder: Path) -> None:
    os.mkfifo(folder / "pipe.toml")
    (folder / "folder.toml").mkdir()
    for name in ("pipe.toml", "folder.toml", "gone.toml", "/dev/zero"):
        run("fit", name, "-o", "out").refused(name=name)
