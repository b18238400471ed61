"""A fit of charges of a molecule that stays neutral: from Python, and by the command line, whose result names the molecule's files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import md_sensitivity as mds
from md_sensitivity.cli import main
from md_sensitivity.forcefields import ForceField, read_force_field

ETHANOL = Path(__file__).parents[2] / "inputs" / "ethanol"
FIELD = """\
[molecules]
files = ["files/force_field.top"]
[parameters] # to start from
"Coulomb.opls_155.q" = 0.38
"Coulomb.scale14" = { value = 0.4, bounds = [0.1, 1] } # share
"Coulomb.opls_154.q" = { expression = "-(opls_135.q + 3 * opls_140.q + opls_157.q + 2 * opls_156.q + opls_155.q)" }
"""
FITTED = ["Coulomb.scale14", "Coulomb.opls_155.q"]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with ethanol's files in one of their own, and a force field that starts elsewhere."""
    shutil.copytree(ETHANOL, tmp_path / "files")
    (tmp_path / "force_field.toml").write_text(FIELD)
    return tmp_path


def charges(field: ForceField) -> np.ndarray:
    """By type: of C1, its hydrogens, C2, its hydrogens, O and HO."""
    return field.parameters["Coulomb"]["q"]


def truth(structure: mds.Structure) -> tuple[float, float]:
    """Dipole moment and energy of the file's own numbers, where the structure is."""
    field = read_force_field(ETHANOL / "force_field.top")
    system = mds.build_system(structure, field)
    energy = float(mds.energy_function(system)(system.positions, field.parameters))
    q = charges(field)[[0, 1, 1, 1, 2, 3, 3, 4, 5]]
    return float(np.linalg.norm(q @ structure.positions)), energy


def test_a_fit_keeps_a_molecule_neutral_and_its_result_names_the_files(place: Path) -> None:
    structure = mds.read_structure(ETHANOL / "structure.gro")
    dipole, energy = truth(structure)
    targets = [mds.Target(structure, "dipole", dipole, 0.01, relaxed=False), mds.Target(structure, "energy", energy, 0.01, relaxed=False)]
    found = mds.fit(targets, read_force_field(place / "force_field.toml"), parameters=FITTED)
    assert {each.name: each.value for each in found.parameters} == pytest.approx(dict(zip(FITTED, (0.5, 0.418), strict=True)), rel=1e-8)
    assert found.passed and charges(found.force_field)[4] == pytest.approx(-0.683, rel=1e-8)
    assert [1, 3, 1, 2, 1, 1] @ charges(found.force_field) == pytest.approx(0.0, abs=1e-15)
    study = f'force_field = "force_field.toml"\nparameters = {json.dumps(FITTED)}\n'
    for observable, value in (("dipole", dipole), ("energy", energy)):
        study += f'[[target]]\nstructure = "files/structure.gro"\nobservable = "{observable}"\nvalue = {value!r}\n'
        study += "std = 0.01\nrelaxed = false\n"
    (place / "study.toml").write_text(study)
    assert main(["fit", str(place / "study.toml"), "-o", str(place / "out" / "fit"), "-q"]) == 0
    written = place / "out" / "fit" / "force_field.toml"
    text = written.read_text()
    assert 'files = ["../../files/force_field.top"]' in text and "# to start from" in text and "# share" in text
    again = read_force_field(written)
    fitted = {each["name"]: each["value"] for each in json.loads((written.parent / "fit.json").read_text())["parameters"]}
    assert {name: again.table.values[again.table.position(name)] for name in FITTED} == fitted
    assert np.array_equal(again.table.values, found.force_field.table.values)
    # A fit that starts from the topology itself.
    assert main(["fit", str(place / "study.toml"), "-f", str(place / "files/force_field.top"), "-o", str(place / "b"), "-q"]) == 0
    assert (place / "b" / "force_field.toml").read_text().startswith('[molecules]\nfiles = ["../files/force_field.top"]\n')


def test_a_result_survives_files_that_change_while_it_is_fitted(place: Path) -> None:
    from md_sensitivity.reports.fit import _force_fields

    start = read_force_field(place / "force_field.toml")
    fitted = start.with_parameters({**start.parameters, "Coulomb": {**start.parameters["Coulomb"], "scale14": np.array([0.3])}})
    for path, old, new in ((place / "force_field.toml", "# share", "# part"), (place / "files/force_field.top", "462750.4", "460000")):
        path.write_text(path.read_text().replace(old, new))
        (place / "x.toml").write_text(_force_fields(fitted, start, place)["force_field.toml"])
        assert np.array_equal(read_force_field(place / "x.toml").table.values, fitted.table.values)
