"""Many structures at once: names, resume, shards, machine-readable output; computations are faked."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from md_sensitivity.batch.names import frame_names, result_names
from md_sensitivity.batch.study import parse_shard
from md_sensitivity.errors import UsageError

Run = Callable[..., tuple[int, str, str]]


@given(st.lists(st.text(max_size=120)))
def test_names_are_unique_and_safe(paths: list[str]) -> None:
    names = result_names(paths)
    assert len({name.casefold() for name in names}) == len(paths)
    for name in names:
        assert name not in ("run.json", "summary.csv") and len(name) <= 110
        assert name.isascii() and name.replace("-", "a").replace("_", "a").replace(".", "a").isalnum()
        assert name[0] not in ".-"


def test_names_say_which_file_it_was() -> None:
    paths = ["a/structure.xyz", "b/structure.xyz", "crystal.cif", "x.xyz.gz", "POSCAR", "c d.xyz", "../../etc/.passwd"]
    assert result_names(paths) == ["a-structure", "b-structure", "crystal", "x", "POSCAR", "c_d", "_passwd"]
    assert result_names(["a.xyz", "a.xyz", "A.cif"]) == result_names(["a.xyz", "a.xyz", "A.cif"])


def test_frames_are_told_apart() -> None:
    assert frame_names("run", [""]) == ["run"]
    assert frame_names("run", ["7"], ["run"]) == ["run-7"]
    assert frame_names("run", ["0", "1"], ["run", "RUN-1"]) == ["run-frame-0", "run-frame-1"]


@pytest.mark.parametrize("text", ["", "1", "0/3", "4/3", "a/b", "1/-2", "1/2/3", "²/3"])
def test_bad_shards(text: str) -> None:
    with pytest.raises(UsageError, match="--shard"):
        parse_shard(text)


@pytest.mark.usefixtures("fake_pipeline")
class TestRuns:
    """`analyze` with results that come from nowhere."""

    def test_every_frame_of_a_range(self, run: Run, place: Path) -> None:
        frames = "".join(f"2\n\nAr 0 0 0\nAr {3.7 + k} 0 0\n" for k in range(4))
        (place / "run.xyz").write_text(frames)
        assert run("analyze", "run.xyz", "-f", "argon.toml", "--index", "1:4:2")[0] == 0
        assert sorted(path.parent.name for path in place.glob("outputs/*/result.json")) == ["run-1", "run-3"]
        assert run("minimize", "run.xyz", "-f", "argon.toml", "--index", "0", "-o", "first")[0] == 0
        assert [path.parent.name for path in place.glob("first/*/result.json")] == ["run"]

    def test_shards_cover_all_and_agree_on_names(self, run: Run, place: Path) -> None:
        for folder in "abc":
            (place / folder).mkdir()
            shutil.copy(place / "dimer.xyz", place / folder / "structure.xyz")
        files = [f"{folder}/structure.xyz" for folder in "abc"]
        for shard in ("1/2", "2/2"):
            assert run("analyze", *files, "-f", "argon.toml", "--shard", shard)[0] == 0
        assert sorted(path.parent.name for path in place.glob("outputs/*/result.json")) == ["a-structure", "b-structure", "c-structure"]
        parts = sorted(path.name for path in (place / "outputs").iterdir() if path.is_file())
        assert parts == ["run-1-of-2.json", "run-2-of-2.json", "summary-1-of-2.csv", "summary-2-of-2.csv"]
        assert run("report", "outputs", "--format", "csv")[0] == 0
        assert len((place / "outputs/summary.csv").read_text().splitlines()) == 4

    def test_resume_keeps_what_still_holds(self, run: Run, place: Path) -> None:
        def again(*more: str) -> list[bool]:
            assert run("analyze", "dimer.xyz", "other.xyz", "-f", "argon.toml", "--resume", *more)[0] == 0
            return [each.get("kept", False) for each in json.loads((place / "outputs/run.json").read_text())["results"]]

        shutil.copy(place / "dimer.xyz", place / "other.xyz")
        assert again() == [False, False]
        assert again() == [True, True]
        assert again("--fmax", "1e-7") == [False, False]
        assert again("--fmax", "1e-7", "--fix", "0") == [False, False]
        assert again() == [False, False]
        (place / "other.xyz").write_text("2\n\nAr 0 0 0\nAr 3.8 0.1 0\n")
        assert again() == [True, False]
        (place / "outputs/dimer/result.json").write_text("{")
        assert again() == [False, True]
        (place / "argon.toml").write_text((place / "argon.toml").read_text().replace("3.405", "3.4"))
        assert again() == [False, False]

    @pytest.mark.parametrize("name", ["result.json", "arrays.npz", "summary.csv", "relaxed.extxyz", "report.html", ".key"])
    @pytest.mark.parametrize("damage", ["deleted", "emptied", "altered", "longer"])
    def test_a_damaged_result_is_computed_again_and_no_other(self, run: Run, place: Path, name: str, damage: str) -> None:
        shutil.copy(place / "dimer.xyz", place / "other.xyz")
        words = ["analyze", "dimer.xyz", "other.xyz", "-f", "argon.toml", "-q"]
        assert run(*words)[0] == 0
        path = place / "outputs/dimer" / name
        content = path.read_bytes()
        middle = len(content) // 2
        other = {"emptied": b"", "altered": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :], "longer": content * 2}
        path.unlink() if damage == "deleted" else path.write_bytes(other[damage])
        assert run(*words, "--resume")[0] == 0
        results = json.loads((place / "outputs/run.json").read_text())["results"]
        assert [each.get("kept", False) for each in results] == [False, True]
        assert path.read_bytes() == content

    def test_another_version_computes_again(self, run: Run, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        words = ["analyze", "dimer.xyz", "-f", "argon.toml", "--resume", "-q"]
        for version, kept in (("1", False), ("1", True), ("2", False)):
            monkeypatch.setattr("md_sensitivity.versions.installed_versions", lambda version=version: {"md_sensitivity": version})
            assert run(*words)[0] == 0
            assert json.loads((place / "outputs/run.json").read_text())["results"][0].get("kept", False) == kept

    def test_reports_written_again_do_not_undo_a_result(self, run: Run, place: Path) -> None:
        words = ["analyze", "dimer.xyz", "-f", "argon.toml", "--resume", "-q"]
        assert run(*words)[0] == run("report", "outputs")[0] == run("report", "outputs", "--format", "pdb")[0] == run(*words)[0] == 0
        assert json.loads((place / "outputs/run.json").read_text())["results"][0]["kept"]

    def test_merged_tables_have_the_order_of_the_command_line(self, run: Run, place: Path) -> None:
        names = ["b", "c10", "c9", "a", "flat", "z"]
        for name in names:
            shutil.copy(place / "dimer.xyz", place / f"{name}.xyz")
        files = [f"{name}.xyz" for name in [*names, "missing"]]
        assert run("analyze", *files, "-f", "argon.toml", "-o", "whole", "-q")[0] == 3
        for shard in ("3/3", "1/3", "2/3"):
            assert run("analyze", *files, "-f", "argon.toml", "--shard", shard, "-q")[0] in (0, 3, 4)
        assert run("report", "outputs")[0] == 0
        assert (place / "outputs/summary.csv").read_text() == (place / "whole/summary.csv").read_text()
        (place / "outputs/run-1-of-3.json").write_text("{")
        assert run("report", "outputs")[0] == 0
        merged, whole = ((place / folder / "summary.csv").read_text().splitlines() for folder in ("outputs", "whole"))
        assert sorted(merged) == sorted(whole)

    def test_a_damaged_result_does_not_stop_a_report(self, run: Run, place: Path) -> None:
        files = [f"{name}.xyz" for name in "abc"]
        for name in files:
            shutil.copy(place / "dimer.xyz", place / name)
        assert run("analyze", *files, "-f", "argon.toml", "-q")[0] == 0
        (place / "outputs/b/result.json").write_text("{")
        (place / "outputs/summary.csv").unlink()
        code, _, err = run("report", "outputs")
        assert code == 3 and err.count("error:") == 1 and "outputs/b/result.json" in err
        assert [row.split(",")[0] for row in (place / "outputs/summary.csv").read_text().splitlines()[1:]] == ["a", "c"]

    def test_tables_merge_without_arrays(self, run: Run, place: Path) -> None:
        assert run("analyze", "dimer.xyz", "-f", "argon.toml", "--format", "json", "--shard", "1/1", "-q")[0] == 0
        (place / "outputs/summary.csv").unlink()
        code, _, err = run("report", "outputs")
        assert code == 0 and "without the format npz" in err and (place / "outputs/summary.csv").exists()
        assert run("report", "outputs", "--format", "pdb")[0] == 3

    def test_frames_have_the_same_names_in_every_shard(self, run: Run, place: Path) -> None:
        (place / "run.xyz").write_text("2\n\nAr 0 0 0\nAr 3.7 0 0\n" * 2)
        shutil.copy(place / "run.xyz", place / "run-1.xyz")
        for shard in ("1/2", "2/2"):
            assert run("analyze", "run.xyz", "run-1.xyz", "-f", "argon.toml", "--index", ":", "--shard", shard, "-q")[0] == 0
        found = sorted(path.parent.name for path in place.glob("outputs/*/result.json"))
        assert found == ["run-1-0", "run-1-1", "run-frame-0", "run-frame-1"]

    def test_a_full_disk_at_the_end_is_said_in_one_line(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(source: str, target: Path) -> None:
            if Path(target).parent.name == "outputs":
                raise OSError(28, "No space left on device")
            rename(source, target)

        rename = os.replace
        monkeypatch.setattr(os, "replace", full)
        code, _, err = run("analyze", "dimer.xyz", "-f", "argon.toml")
        assert code == 4 and "No space left" in err and "Traceback" not in err

    def test_without_resume_all_is_computed_again(self, run: Run, place: Path) -> None:
        for _ in range(2):
            assert run("analyze", "dimer.xyz", "-f", "argon.toml")[0] == 0
        assert "kept" not in (place / "outputs/run.json").read_text()

    def test_json_is_one_document(self, run: Run, place: Path) -> None:
        code, out, _ = run("analyze", "dimer.xyz", "missing.xyz", "-f", "argon.toml", "--json")
        document = json.loads(out)
        assert code == document["exit_code"] == 3
        assert [each["name"] for each in document["results"]] == ["dimer"]
        assert document["results"][0] == {"name": "dimer", **json.loads((place / "outputs/dimer/result.json").read_text())}
        assert document["rejected"][0]["path"] == "missing.xyz" and "no such file" in document["rejected"][0]["message"]

    def test_formats_can_be_chosen(self, run: Run, place: Path) -> None:
        assert run("analyze", "dimer.xyz", "-f", "argon.toml", "--format", "json", "--format", "npz")[0] == 0
        assert sorted(path.name for path in (place / "outputs/dimer").iterdir()) == [".key", "arrays.npz", "result.json"]

    def test_run_json_tells_how_to_repeat_it(self, run: Run, place: Path) -> None:
        words = ["analyze", "dimer.xyz", "-f", "argon.toml", "--fmax", "1e-7", "--seed", "3"]
        assert run(*words)[0] == 0
        document = json.loads((place / "outputs/run.json").read_text())
        assert document["arguments"] == words
        assert document["configuration"]["fmax"] == document["options"]["fmax"] == 1e-7
        assert document["seed"] == 3
        assert len(document["inputs"]["force_field"]["sha256"]) == len(document["inputs"]["structures"][0]["sha256"]) == 64
        assert {"md_sensitivity", "python", "jax", "ase"} <= set(document["versions"])
        assert document["device"]["precision"] == "double"
        assert document["constants"]["pressure_GPa_per_eV_per_A3"] == 160.2176634
        assert document["timings"]["total_s"] >= 0

    def test_quiet_and_data_on_stdout(self, run: Run) -> None:
        code, out, err = run("analyze", "dimer.xyz", "-f", "argon.toml", "-q")
        assert (code, err) == (0, "") and "energy" in out
        _, _, err = run("analyze", "dimer.xyz", "-f", "argon.toml")
        assert "outputs/dimer/report.html" in err
        _, _, err = run("analyze", "dimer.xyz", "-f", "argon.toml", "-v")
        assert "dimer: minimum" in err
