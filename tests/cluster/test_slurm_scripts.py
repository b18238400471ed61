"""The SLURM scripts, run by a scheduler of one machine on real structures: time limits, requeueing, arrays, merging."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cluster_runs import COUNT, KEPT, numbers, write_inputs

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SCRIPTS = sorted((ROOT / "scripts/slurm").glob("*.sh"))

Shell = Callable[..., str]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with structures, the scheduler's commands and the program on PATH."""
    monkeypatch.chdir(tmp_path)
    write_inputs(tmp_path)
    commands = tmp_path / "bin"
    commands.mkdir()
    for name in ("sbatch", "srun", "scontrol"):
        (commands / name).symlink_to(HERE / "fake_slurm.py")
    (commands / "md-sensitivity").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m md_sensitivity "$@"\n')
    (commands / "md-sensitivity").chmod(0o755)
    python = Path(sys.executable).parent
    monkeypatch.setenv("PATH", os.pathsep.join([str(commands), str(python), os.environ["PATH"]]))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("FAKE_SLURM", str(tmp_path))
    monkeypatch.setenv("DEVICE", "cpu")
    for name, value in KEPT.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "scripts").symlink_to(ROOT / "scripts")
    return tmp_path


@pytest.fixture
def shell(place: Path) -> Shell:
    """Runs a command line as a user would type it → stdout."""

    def run(line: str, **env: str) -> str:
        done = subprocess.run(["bash", "-c", line], env={**os.environ, **env}, capture_output=True, text=True, timeout=300)
        log = "".join(path.read_text() for path in place.glob("*.log"))
        assert done.returncode == 0, f"{line}\n{done.stderr}\n{log}"
        return done.stdout

    return run


def commands_of(script: str) -> list[str]:
    """The command lines in the comment at the top of a script."""
    lines = re.findall(r"^#   (\S.*)$", (ROOT / "scripts/slurm" / script).read_text(), flags=re.MULTILINE)
    assert lines
    return lines


def test_a_job_out_of_time_goes_back_to_the_queue_and_its_next_run_finishes(
    shell: Shell, place: Path, undisturbed: dict[str, object]
) -> None:
    (command,) = commands_of("single_gpu.sh")
    shell(command, FAKE_TIME_UP="3")
    log = (place / "slurm.log").read_text()
    assert re.findall(r"ended 1000 restarts=(\d) code=(\d+)", log) == [("0", "138"), ("1", "0")] and "requeue 1000" in log
    run = json.loads((place / "outputs/run.json").read_text())
    kept = sum(each.get("kept", False) for each in run["results"])
    assert run["state"] == "finished" and 3 <= kept < COUNT
    assert run["device"]["threads"] == "8"
    assert numbers(place / "outputs") == undisturbed
    assert not [path for path in place.glob("outputs/**/.*") if path.name != ".key"]


@pytest.mark.parametrize("time_up", ["0", pytest.param("1", marks=pytest.mark.slow)], ids=["in time", "out of time"])
def test_an_array_covers_all_structures_and_the_merged_table_is_that_of_one_run(
    shell: Shell, place: Path, undisturbed: dict[str, object], time_up: str
) -> None:
    lines = [line.replace("1-8", "1-3") for line in commands_of("array.sh")[:2]]
    shell("\n".join(lines), FAKE_TIME_UP=time_up)
    log = (place / "slurm.log").read_text()
    assert "merge.sh dependency=afterok:1000" in log and ("code=138" in log) == (time_up == "1")
    assert sorted(re.findall(r"ended (1000_\d) restarts=\d code=0", log)) == ["1000_1", "1000_2", "1000_3"]
    assert numbers(place / "outputs") == undisturbed
    rows = [row for path in place.glob("outputs/summary-*-of-3.csv") for row in path.read_text().splitlines()[1:]]
    assert sorted(rows) == sorted((place / "outputs/summary.csv").read_text().splitlines()[1:])


def documented() -> list[str]:
    """The blocks of commands in docs/clusters.md."""
    text = (ROOT / "docs/clusters.md").read_text()
    return [block.replace("\n    ", "\n").strip() for block in re.findall(r"(?<=\n\n)((?:    .*\n)+)", text)]


@pytest.mark.slow
def test_shards_by_hand_as_documented(shell: Shell, place: Path, undisturbed: dict[str, object]) -> None:
    (block,) = (block for block in documented() if "wait" in block.split())
    shell(block)
    assert numbers(place / "outputs") == undisturbed


@pytest.mark.parametrize("script", ["single_gpu.sh", "array.sh"])
def test_the_documentation_shows_the_commands_of_the_scripts(script: str) -> None:
    commands = [line for line in commands_of(script) if not line.startswith("SHARDS=")]
    assert "\n".join(commands) in documented()


def start(script: str, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}
    return subprocess.run(["bash", str(ROOT / "scripts/slurm" / script), *words], env=clean | env, capture_output=True, text=True)


@pytest.mark.usefixtures("place")
class TestSlips:
    """What goes wrong before anything runs is said in one line."""

    @pytest.mark.parametrize("script", ["single_gpu.sh", "array.sh"])
    def test_no_program(self, script: str) -> None:
        done = start(script, PROGRAM="no-such-program")
        assert done.returncode == 1 and "activate its environment" in done.stderr

    @pytest.mark.parametrize("script", ["single_gpu.sh", "array.sh"])
    def test_not_submitted(self, script: str) -> None:
        done = start(script)
        assert done.returncode != 0 and "submit this script with sbatch" in done.stderr

    def test_part_of_an_array_needs_the_number_of_shards(self, place: Path) -> None:
        array = {"SLURM_JOB_ID": "7", "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "3"}
        array |= {"SLURM_ARRAY_TASK_MIN": "3", "SLURM_ARRAY_TASK_MAX": "3", "SLURM_ARRAY_TASK_COUNT": "1"}
        done = start("array.sh", **array)
        assert done.returncode == 2 and "set SHARDS" in done.stderr
        (place / "bin/md-sensitivity").write_text('#!/bin/sh\nprintf "%s " "$@" > words\n')
        assert start("array.sh", "a.xyz", **array, SHARDS="8").returncode == 0
        assert "--shard 3/8" in (place / "words").read_text()

    @pytest.mark.parametrize("restarts", ["0", "20"])
    def test_no_endless_requeueing(self, place: Path, restarts: str) -> None:
        (place / "bin/md-sensitivity").write_text("#!/bin/sh\nexit 138\n")
        done = start("single_gpu.sh", "a.xyz", SLURM_JOB_ID="7", SLURM_RESTART_COUNT=restarts)
        assert done.returncode == 138 and (place / "requeue-7").exists() == (restarts == "0")
        assert ("--time" in done.stderr) == (restarts == "20")

    @pytest.mark.parametrize("script", ["single_gpu.sh", "array.sh"])
    def test_a_queue_that_refuses_is_named(self, place: Path, script: str) -> None:
        """An unfinished run never ends with 0, nor with the code of another program: a merge after `afterok` must not start."""
        (place / "bin/md-sensitivity").write_text("#!/bin/sh\nexit 138\n")
        (place / "bin/scontrol").unlink()
        (place / "bin/scontrol").write_text("#!/bin/sh\nexit 1\n")
        (place / "bin/scontrol").chmod(0o755)
        done = start(script, "a.xyz", SLURM_JOB_ID="7", SLURM_ARRAY_JOB_ID="7", SLURM_ARRAY_TASK_ID="3", SHARDS="8")
        assert done.returncode == 138 and "submit it again" in done.stderr

    def test_memory_of_the_gpu_can_be_set(self, place: Path) -> None:
        (place / "bin/md-sensitivity").write_text('#!/bin/sh\nprintf "%s " "$@" > words\n')
        assert start("single_gpu.sh", "a b.xyz", SLURM_JOB_ID="7", GPU_MEMORY="0.9", DEVICE="gpu").returncode == 0
        assert (place / "words").read_text() == "analyze --resume --device gpu --gpu-memory 0.9 a b.xyz "


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_syntax(path: Path) -> None:
    assert os.access(path, os.X_OK)
    done = subprocess.run(["bash", "-n", str(path)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_shellcheck() -> None:
    done = subprocess.run(["shellcheck", *map(str, SCRIPTS)], capture_output=True, text=True)
    assert SCRIPTS and done.returncode == 0, done.stdout
