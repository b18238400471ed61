#!/usr/bin/env python3
"""A scheduler of one machine, under the names sbatch, srun and scontrol: enough of SLURM to run the scripts of this project as it would.

sbatch reads options from its command line and from the script, copies the script elsewhere, runs each task of an array in a process
of its own with the variables that SLURM sets, and waits for all of it (SLURM would not wait). With FAKE_TIME_UP=N the time of the
first run of each job is up when N results are finished in `outputs`: the script gets what its line `--signal` asks for. A job that
requeues itself runs again. srun starts its program and passes signals on. Everything is noted in `slurm.log`.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

STATE = Path(os.environ["FAKE_SLURM"])


def note(text: str) -> None:
    with (STATE / "slurm.log").open("a") as stream:
        stream.write(text + "\n")


def options(words: list[str]) -> argparse.Namespace:
    """Options that sbatch knows; an unknown one ends this process."""
    parser = argparse.ArgumentParser(prog="sbatch", allow_abbrev=False)
    for name in ("job-name", "nodes", "ntasks", "cpus-per-task", "gpus-per-node", "gpus-per-task", "time", "signal", "open-mode", "output"):
        parser.add_argument(f"--{name}")
    for name in ("array", "dependency"):
        parser.add_argument(f"--{name}")
    for name in ("requeue", "parsable"):
        parser.add_argument(f"--{name}", action="store_true")
    return parser.parse_args(words)


def sbatch(words: list[str]) -> None:
    first = next(place for place, word in enumerate(words) if not word.startswith("-"))
    script, arguments = Path(words[first]), words[first + 1 :]
    header = re.findall(r"^#SBATCH (\S+)", script.read_text(), flags=re.MULTILINE)
    chosen = options([*header, *words[:first]])
    job = str(1000 + len(list(STATE.glob("spool-*"))))
    spool = STATE / f"spool-{job}"
    spool.mkdir()
    copy = Path(shutil.copy(script, spool / "slurm_script"))
    note(f"submitted {job} {script.name} dependency={chosen.dependency}")
    env = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")} | {"SLURM_JOB_ID": job}
    if chosen.cpus_per_task:
        env["SLURM_CPUS_PER_TASK"] = chosen.cpus_per_task
    tasks = [env]
    if chosen.array:
        numbers = numbers_of(chosen.array)
        common = {"ARRAY_JOB_ID": job, "ARRAY_TASK_COUNT": len(numbers), "ARRAY_TASK_MIN": min(numbers), "ARRAY_TASK_MAX": max(numbers)}
        tasks = [
            env | {f"SLURM_{name}": str(value) for name, value in common.items()} | {"SLURM_ARRAY_TASK_ID": str(number)}
            for number in numbers
        ]
    running = [(task, started(copy, arguments, task, 0), 0) for task in tasks]
    while running:
        task, process, restarts = running.pop(0)
        code = wait(process, chosen.signal, limited=restarts == 0)
        identity = task["SLURM_JOB_ID"] + (f"_{task['SLURM_ARRAY_TASK_ID']}" if chosen.array else "")
        note(f"ended {identity} restarts={restarts} code={code}")
        request = STATE / f"requeue-{identity}"
        if request.exists():
            request.unlink()
            assert chosen.requeue, "SLURM requeues a job only where the job allows it"
            running.append((task, started(copy, arguments, task, restarts + 1), restarts + 1))
    print(job if chosen.parsable else f"Submitted batch job {job}")


def numbers_of(text: str) -> list[int]:
    """1-3,5 → 1, 2, 3, 5."""
    parts = [part.split("-") for part in text.split(",")]
    return [number for part in parts for number in range(int(part[0]), int(part[-1]) + 1)]


def started(script: Path, arguments: list[str], env: dict[str, str], restarts: int) -> subprocess.Popen[bytes]:
    env = env | ({"SLURM_RESTART_COUNT": str(restarts)} if restarts else {})
    log = (STATE / f"job-{env['SLURM_JOB_ID']}.log").open("ab")
    return subprocess.Popen(["bash", str(script), *arguments], env=env, stdout=log, stderr=log, start_new_session=True)


def wait(process: subprocess.Popen[bytes], wanted: str | None, *, limited: bool) -> int:
    """Wait for a run, and signal it when its time is up: the script alone where `--signal` begins with B:, else the steps alone."""
    enough = int(os.environ.get("FAKE_TIME_UP", "0")) if limited and wanted else 0
    while process.poll() is None:
        if enough and len(list(Path("outputs").glob("*/.key"))) >= enough:
            who, _, what = str(wanted).rpartition(":")
            assert who == "B", "without B: the signal would go to srun's tasks"
            name, _, seconds = what.partition("@")
            assert int(seconds) >= 60, "SLURM's own clock may be a minute late"
            process.send_signal(getattr(signal, f"SIG{name}"))
            enough = 0
        time.sleep(0.01)
    return process.returncode


def srun(words: list[str]) -> None:
    program = words[next(place for place, word in enumerate(words) if not word.startswith("-")) :]
    note(f"srun {' '.join(words)}")
    child = subprocess.Popen(program, env=os.environ | {"SLURM_CPUS_PER_TASK": os.environ.get("SRUN_CPUS_PER_TASK", "1")})
    for number in (signal.SIGUSR1, signal.SIGTERM):
        signal.signal(number, lambda received, frame: child.send_signal(received))
    sys.exit(child.wait())


def scontrol(words: list[str]) -> None:
    assert words[0] == "requeue" and len(words) == 2
    (STATE / f"requeue-{words[1]}").touch()
    note(f"requeue {words[1]}")


if __name__ == "__main__":
    {"sbatch": sbatch, "srun": srun, "scontrol": scontrol}[Path(sys.argv[0]).name](sys.argv[1:])
