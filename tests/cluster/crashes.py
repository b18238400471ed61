"""Runs the command line in child processes that get killed; a script, because a process with jax's threads should not fork.

    python crashes.py FOLDER [every STRIDE | at-random COUNT SEED]

FOLDER holds force field and structures. The computation itself is faked; reading, hashing, writing and resuming are the real thing.
For each kill, one line of JSON: where it came, what was finished before, what the resumed run computed, and how the folder differs
from that of a run that nobody disturbed.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))

from conftest import fake_result

from md_sensitivity import pipeline
from md_sensitivity.batch import provenance, run
from md_sensitivity.cli import edge, main
from md_sensitivity.structures import read_structures

EVENTS = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.scandir")
"""What Python tells of a process's dealings with files."""
COMPUTED = Path("computed.txt")


def compute(structure: Any, force_field: Any, options: Any, *, name: str, progress: Any) -> Any:
    with COMPUTED.open("a") as stream:
        stream.write(name + "\n")
    return fake_result(structure, force_field, name)


def kill_at(event: int) -> None:
    """Make this process die before its `event`-th dealing with the output folder."""
    seen = 0

    def hook(name: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        if name in EVENTS and arguments and "outputs" in str(arguments[0]):
            seen += 1
            if seen == event:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def start(*words: str, event: int = 0) -> int:
    """A child process at work on one command line."""
    child = os.fork()
    if child == 0:
        os.dup2(os.open("messages.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND), 1)
        os.dup2(1, 2)
        kill_at(event)
        code = 99
        try:
            code = main(list(words))
        finally:
            os._exit(code)
    return child


def ended(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def content() -> dict[str, str]:
    """All files of the output folder but run.json, which tells of times."""
    files = [path for path in Path("outputs").rglob("*") if path.is_file()]
    return {str(path): path.read_bytes().hex() for path in files if not path.name.startswith("run")}


def clean() -> None:
    for path in sorted(Path("outputs").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    COMPUTED.unlink(missing_ok=True)


def trial(words: list[str], undisturbed: dict[str, str], *, event: int = 0, delay: float = 0.0) -> dict[str, Any]:
    clean()
    child = start(*words, event=event)
    if not event:
        time.sleep(delay)
        os.kill(child, signal.SIGKILL)
    killed = ended(child) == -signal.SIGKILL
    before = sorted(path.parent.name for path in Path("outputs").glob("*/.key"))
    left = sum(path.suffix == ".tmp" for path in Path("outputs").rglob("*"))
    COMPUTED.unlink(missing_ok=True)
    code = ended(start(*words, "--resume"))
    now = content()
    different = sorted(name for name in now.keys() | undisturbed.keys() if now.get(name) != undisturbed.get(name))
    computed = COMPUTED.read_text().split() if COMPUTED.exists() else []
    state = json.loads(Path("outputs/run.json").read_text())["state"]
    return {
        "event": event,
        "killed": killed,
        "finished": before,
        "temporaries": left,
        "code": code,
        "computed": computed,
        "different": different,
        "state": state,
    }


def work(folder: str, mode: str, *numbers: str) -> None:
    os.chdir(folder)
    pipeline.analyze = compute
    edge.prepare = lambda *_, **__: None
    provenance.device_info = dict
    run.read_selected = lambda path, reader, index, fix: read_structures(path, reader=reader, index=index)
    words = ["analyze", *sorted(str(path) for path in Path().glob("*.xyz")), "-f", "argon.toml"]
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        assert main([*words, "-q", "-o", "imports"]) == 0  # here, so that the children find everything loaded
    Path("outputs").mkdir()
    began = time.monotonic()
    assert ended(start(*words)) == 0, Path("messages.txt").read_text()
    seconds, undisturbed = time.monotonic() - began, content()
    if mode == "every":
        event = 1
        while (answer := trial(words, undisturbed, event=event))["killed"]:
            print(json.dumps(answer), flush=True)
            event += int(numbers[0])
    else:
        generator = random.Random(int(numbers[1]))
        for _ in range(int(numbers[0])):
            print(json.dumps(trial(words, undisturbed, delay=generator.uniform(0.0, seconds))), flush=True)


if __name__ == "__main__":
    work(*sys.argv[1:])
