"""Files of one structure: the contract of INTERFACE.md, and back again."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import msgspec
import numpy as np
import pytest

from md_sensitivity.analysis.result import Result
from md_sensitivity.errors import ComputationError, InputError, UsageError
from md_sensitivity.reports import WRITERS, load, load_documents, write_result, write_summary
from md_sensitivity.reports.ranking import most_responsive
from md_sensitivity.types import Structure

KEYS = {
    "": "schema status message structure force_field equilibrium position_norm parameters observables certificate timings",
    "structure": "path sha256 formula atoms periodic",
    "force_field": "path sha256 name units",
    "equilibrium": "energy energy_unit max_force force_unit steps force_evaluations zero_modes lowest_eigenvalue",
    "position_norm": "l1 l2 max max_atom",
    "parameters": "name value unit",
    "observables": "name unit value direct relaxation total logarithmic",
    "certificate": "mode solver relative_residual iterations force_residual error_estimate finite_differences warnings",
    "timings": "minimize_s differentiate_s total_s",
}
ARRAYS = {"positions", "cell", "numbers", "parameter_names", "parameter_values", "dpositions"}


def assert_same(one: Result, other: Result) -> None:
    """Equal in every number and word."""
    assert (one.name, one.document) == (other.name, other.document)
    assert other.arrays.keys() - one.arrays.keys() <= {"numbers"}
    for name, array in one.arrays.items():
        np.testing.assert_array_equal(array, other.arrays[name])
    for field in dataclasses.fields(Structure):
        np.testing.assert_array_equal(getattr(one.structure, field.name), getattr(other.structure, field.name), err_msg=field.name)


def test_json_has_the_keys_of_the_contract(silicon, tmp_path):
    write_result(silicon(), tmp_path, ["json"])
    document = json.loads((tmp_path / "silicon_interstitial" / "result.json").read_text())
    assert document["schema"] == "md-sensitivity/result/1"
    for section, keys in KEYS.items():
        part = document[section] if section else document
        for entry in part if isinstance(part, list) else [part]:
            assert set(keys.split()) <= set(entry), section
    additions = {"minimizer", "rattlers", "hessian_products", "passed", "kink_distance", "eigenvalue_bound", "reason", "provenance"}
    known = {key for keys in KEYS.values() for key in keys.split()} | additions | {"softest_atoms"}
    assert all(set(part) <= known for name in KEYS if name for part in [document[name]] if isinstance(part, dict))


def test_json_entries_follow_the_parameters_and_the_value(silicon, tmp_path):
    result = silicon()
    write_result(result, tmp_path, ["json"])
    document = json.loads((tmp_path / result.name / "result.json").read_text())
    p = len(document["parameters"])
    for observable in document["observables"]:
        shape = np.shape(observable["value"])
        for part in ("direct", "relaxation", "total", "logarithmic"):
            assert len(observable[part]) == p
            assert all(entry is None or np.shape(entry) == shape for entry in observable[part])
    assert document["observables"][0]["total"][-1] is None  # q at its bound
    assert document["observables"][2]["logarithmic"][0][4] is None  # a stress component that is zero


def test_npz_has_the_arrays_of_the_contract(silicon, tmp_path):
    result = silicon()
    write_result(result, tmp_path, ["npz"])
    with np.load(tmp_path / result.name / "arrays.npz", allow_pickle=False) as arrays:
        assert set(arrays.files) >= ARRAYS | {"initial_positions", "types", "pbc", "masses", "bonds", "fixed"}
        assert arrays["dpositions"].shape == (10, 217, 3)
        assert arrays["parameter_names"].dtype.kind == "U"
        assert arrays["positions"].dtype == np.float64


def test_load_gives_back_what_was_written(result, tmp_path):
    write_result(result, tmp_path, ["json", "npz"])
    assert_same(result, load(tmp_path / result.name))


def test_load_of_a_run_gives_all_structures(silicon, failed, tmp_path):
    for one in (silicon(), failed()):
        write_result(one, tmp_path, ["json", "npz"])
    assert [one.name for one in load(tmp_path)] == ["overlap", "silicon_interstitial"]
    assert [one.document.status for one in load_documents(tmp_path)] == ["failed", "minimum"]
    assert [one.name for one in load_documents(tmp_path / "overlap")] == ["overlap"]


def test_every_file_can_be_written_again_from_files_alone(result, tmp_path):
    first = write_result(result, tmp_path / "a")
    again = write_result(load(tmp_path / "a" / result.name), tmp_path / "b")
    assert [path.name for path in first] == [path.name for path in again]
    for one, other in zip(first, again, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name


def test_defaults_are_the_formats_that_apply(silicon, peptide, failed, tmp_path):
    names = [{path.name for path in write_result(one, tmp_path)} for one in (silicon(), peptide(residues=3), failed())]
    always = {"result.json", "arrays.npz", "summary.csv", "report.html"}
    assert names == [always | {"relaxed.extxyz"}, always | {"relaxed.extxyz", "response.pdb"}, always]


def test_json_is_written_last_so_that_its_presence_means_complete(silicon, tmp_path):
    assert write_result(silicon(), tmp_path)[-1].name == "result.json"


def test_chosen_formats_only(silicon, tmp_path):
    assert [path.name for path in write_result(silicon(), tmp_path, ["pdb", "csv"])] == ["response.pdb", "summary.csv"]


def test_unknown_format_is_refused_before_anything_is_written(silicon, tmp_path):
    with pytest.raises(UsageError, match="did you mean 'html'"):
        write_result(silicon(), tmp_path, ["json", "htm"])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc"])
def test_names_cannot_leave_the_folder(silicon, tmp_path, name):
    with pytest.raises(UsageError, match="name of a folder"):
        write_result(dataclasses.replace(silicon(), name=name), tmp_path, ["json"])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite_numbers_in_the_document_are_refused(silicon, tmp_path, bad):
    result = silicon()
    observables = list(result.document.observables)
    observables[1] = msgspec.structs.replace(observables[1], total=[*observables[1].total[:2], bad, *observables[1].total[3:]])
    broken = dataclasses.replace(result, document=msgspec.structs.replace(result.document, observables=observables))
    with pytest.raises(ComputationError, match=r"observables\[1\]\.total\[2\] is"):
        write_result(broken, tmp_path)
    assert not list(tmp_path.iterdir())


def test_not_finite_numbers_in_arrays_are_refused(silicon, tmp_path):
    result = silicon()
    dpositions = result.arrays["dpositions"].copy()
    dpositions[3, 7, 1] = np.nan
    broken = dataclasses.replace(result, arrays={**result.arrays, "dpositions": dpositions})
    with pytest.raises(ComputationError, match=r"dpositions\[3, 7, 1\]"):
        write_result(broken, tmp_path)
    assert not list(tmp_path.iterdir())


def test_arrays_of_objects_are_refused(silicon, tmp_path):
    result = silicon()
    broken = dataclasses.replace(result, arrays={**result.arrays, "parameter_names": np.array(["a", "b"], dtype=object)})
    with pytest.raises(ComputationError, match="parameter_names"):
        write_result(broken, tmp_path)


def test_extxyz_gives_back_positions_and_responses_to_the_last_digit(silicon, tmp_path):
    import ase.io

    result = silicon(cells=1)
    (path,) = write_result(result, tmp_path, ["extxyz"])
    atoms = ase.io.read(path)
    np.testing.assert_array_equal(atoms.positions, result.arrays["positions"])
    for p, name in enumerate(result.arrays["parameter_names"][:9]):
        np.testing.assert_array_equal(atoms.arrays[f"MDS_d_{name}"], result.arrays["dpositions"][p])


def test_pdb_b_factors_are_proportional_to_the_response(peptide, tmp_path):
    result = peptide()
    (path,) = write_result(result, tmp_path, ["pdb"])
    lines = [line for line in path.read_text().splitlines() if line.startswith(("ATOM", "HETATM"))]
    bfactors = np.array([float(line[60:66]) for line in lines])
    p = most_responsive(result.document, 1)[0]
    size = np.linalg.norm(result.arrays["dpositions"][p], axis=1)
    assert len(lines) == result.structure.size
    np.testing.assert_allclose(bfactors / bfactors.max(), size / size.max(), atol=0.01)


@pytest.mark.parametrize("name", list(WRITERS))
def test_each_format_is_described_and_deterministic(silicon, name):
    writer, result = WRITERS[name], silicon()
    assert writer.description and writer.filename
    assert writer.write(result) == writer.write(silicon())


def test_summary_of_a_run(silicon, failed, tmp_path):
    path = write_summary([silicon(), failed()], tmp_path)
    assert path == tmp_path / "summary.csv"
    assert path.read_text().count("\n") == 1 + 8 * 10 + 1


def broken_folder(tmp_path: Path, result: Result, kind: str) -> Path:
    """A folder that is no analysis, in one of several ways."""
    folder = tmp_path / result.name
    if kind in ("missing", "empty"):
        if kind == "empty":
            folder.mkdir()
        return folder
    write_result(result, tmp_path, ["json", "npz"])
    if kind == "not json":
        (folder / "result.json").write_text("{")
    elif kind == "not ours":
        (folder / "result.json").write_text('{"status": "minimum"}')
    elif kind == "newer":
        text = (folder / "result.json").read_text().replace("result/1", "result/2")
        (folder / "result.json").write_text(text)
    elif kind == "too short":
        document = json.loads((folder / "result.json").read_text())
        document["observables"][0]["total"].pop()
        (folder / "result.json").write_text(json.dumps(document))
    elif kind == "no arrays":
        (folder / "arrays.npz").unlink()
    elif kind == "truncated":
        data = (folder / "arrays.npz").read_bytes()
        (folder / "arrays.npz").write_bytes(data[: len(data) // 2])
    elif kind == "pickled":
        np.savez(folder / "arrays.npz", types=np.array([{}], dtype=object))
    elif kind == "foreign arrays":
        np.savez(folder / "arrays.npz", positions=np.zeros((2, 3)))
    elif kind == "other size":
        with np.load(folder / "arrays.npz") as archive:
            small = dict(archive)
        np.savez(folder / "arrays.npz", **(small | {"dpositions": small["dpositions"][:1]}))
    return folder


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", "no such folder"),
        ("empty", "no result.json"),
        ("not json", "not a result of md-sensitivity"),
        ("not ours", "not a result of md-sensitivity"),
        ("newer", "schema"),
        ("too short", "energy.total has 9 entries for 10"),
        ("no arrays", "arrays.npz: missing"),
        ("truncated", "not readable"),
        ("pickled", "not readable"),
        ("foreign arrays", "is missing"),
        ("other size", "has shape"),
    ],
)
def test_what_is_no_analysis_is_refused_with_its_place(silicon, tmp_path, kind, message):
    folder = broken_folder(tmp_path, silicon(cells=1), kind)
    with pytest.raises(InputError, match=message) as caught:
        load(folder)
    assert str(folder) in str(caught.value)
