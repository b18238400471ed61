"""Files are read by a process of their own: the same structures bit for bit, within limits, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from md_sensitivity.errors import ComputationError, InputError, UsageError
from md_sensitivity.structures import read_structure, read_structures, sandbox, wire
from md_sensitivity.structures.limits import Limits, limits_of_environment
from md_sensitivity.structures.sandbox import ReadingProcess, read_safely
from md_sensitivity.types import Structure

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
import fuzz_seeds

FILES = fuzz_seeds.structures()
XYZ = "2\n\nAr 0 0 0\nAr 0 0 3.8\n"


@pytest.fixture(autouse=True, scope="module")
def _stopped() -> Iterator[None]:
    yield
    sandbox.stop()


def same(one: Structure, other: Structure) -> None:
    for field in fields(Structure):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if isinstance(a, np.ndarray):
            assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes()), field.name
            assert b.flags.writeable
        else:
            assert (type(a), a) == (type(b), b), field.name


@pytest.mark.parametrize("name", FILES)
def test_structures_come_back_bit_for_bit(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(FILES[name])
    here, there = read_structures(tmp_path / name), read_safely(tmp_path / name, index=":")
    assert len(here) == len(there) > 0
    for one, other in zip(here, there, strict=True):
        same(one, other)
    same(read_structure(tmp_path / name), read_structure(tmp_path / name, timeout=30))


def test_notes_travel(tmp_path: Path) -> None:
    (tmp_path / "a.xyz").write_text(XYZ.rstrip())
    (one,) = read_safely(tmp_path / "a.xyz")
    assert any("last line" in note for note in one.notes)


@pytest.mark.parametrize(
    ("content", "index", "error"),
    [
        (XYZ.replace("3.8", "nan"), "0", InputError),
        ("2\n\nZz 0 0 0\nAr 0 0 1\n", "0", InputError),
        (None, "0", InputError),
        (XYZ, "5", UsageError),
    ],
)
def test_errors_travel_word_for_word(tmp_path: Path, content: str | None, index: str, error: type[Exception]) -> None:
    path = tmp_path / "a.xyz"
    if content is not None:
        path.write_text(content)
    with pytest.raises(error) as here:
        read_structures(path, index=index)
    with pytest.raises(error) as there:
        read_safely(path, index=index)
    assert type(here.value) is type(there.value) and str(here.value) == str(there.value)


def test_odd_names_and_another_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = os.fsdecode(b"a@b \xff\n-\xc3\xbc.xyz")
    monkeypatch.chdir(tmp_path)
    Path(name).write_text(XYZ)
    same(read_structure(name), read_safely(name)[0])
    (tmp_path / "deeper").mkdir()
    monkeypatch.chdir(tmp_path / "deeper")
    assert read_safely(f"../{name}")[0].size == 2
    with pytest.raises(InputError, match="no such file"):
        read_safely(name)


# --- limits ---


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ReadingProcess]]:
    """Makes `read_safely` talk to a process of our own, in which a statement is run first: how a hostile file would act."""
    started: list[ReadingProcess] = []

    def start(statement: str) -> ReadingProcess:
        program = (
            "import sys; sys.path[:] = {path!r}; import os, signal, time; from md_sensitivity.structures import worker; "
            f"read = worker.read_structures; exec({statement!r}); worker.serve()"
        )
        monkeypatch.setattr(sandbox, "_PROGRAM", program)
        one = ReadingProcess()
        started.append(one)
        monkeypatch.setattr(sandbox, "_shared", lambda: one)
        return one

    yield start
    for one in started:
        one.close()


HOSTILE = "worker.read_structures = lambda path, **options: ({act}) if 'hostile' in path else read(path, **options)"


def parts(one: ReadingProcess) -> tuple[Any, Path]:
    assert one._process is not None and one._folder is not None
    return one._process, Path(one._folder)


@pytest.mark.parametrize(
    ("act", "said"),
    [
        ("time.sleep(60)", "takes longer than the limit of 1 s; set MD_SENSITIVITY_READ_TIMEOUT"),
        ("sum(iter(int, 1))", "takes longer than the limit of 1 s"),                        # never gives the interpreter back
        ("bytearray(2**40)", "takes more memory than the limit of 0.25 GiB; set MD_SENSITIVITY_READ_MEMORY"),
        ("[bytearray(2**22) for _ in range(10**6)]", "takes more memory than the limit of 0.25 GiB"),
        ("os.kill(os.getpid(), 11)", "crashed on it (SIGSEGV)"),
        ("os._exit(3)", "crashed on it (exit status 3)"),
        ("1 / 0", "ZeroDivisionError"),
        ("os.write(1, b'x' * 10**6) and os.write(2, b'x' * 10**6) and [].pop()", "IndexError"),
    ],
)
def test_whatever_a_file_does_the_caller_gets_one_clear_error(tmp_path: Path, capfd: Any, process: Any, act: str, said: str) -> None:
    process(HOSTILE.format(act=act))
    for name in ("hostile.xyz", "good.xyz"):
        (tmp_path / name).write_text(XYZ)
    assert read_safely(tmp_path / "good.xyz")[0].size == 2
    before = time.monotonic()
    with pytest.raises(InputError) as caught:
        read_safely(tmp_path / "hostile.xyz", limits=Limits(seconds=1 if "longer" in said else 60, gibibytes=0.25))
    assert time.monotonic() - before < 50
    assert said in str(caught.value) and str(tmp_path / "hostile.xyz") in str(caught.value) and "\n" not in str(caught.value)
    assert read_safely(tmp_path / "good.xyz")[0].size == 2
    assert capfd.readouterr() == ("", "")


def test_a_process_that_is_replaced_leaves_no_zombie_and_no_files(tmp_path: Path, process: Any) -> None:
    stuck = "__import__('re').match('(a+)+$', 'a' * 60 + 'b')"      # one call of C code, which nothing else in that process interrupts
    one = process(HOSTILE.format(act=f"open(os.path.join(worker.tempfile.gettempdir(), 'left'), 'w') and {stuck}"))
    (tmp_path / "hostile.xyz").write_text(XYZ)
    one.start()
    first, folder = parts(one)
    with pytest.raises(InputError, match="longer"):
        read_safely(tmp_path / "hostile.xyz", limits=Limits(seconds=1, gibibytes=1))
    assert first.returncode is not None and not folder.exists()
    one.start()
    second, folder = parts(one)
    (tmp_path / "good.pdb").write_bytes(FILES["peptide.pdb"])       # a format whose library wants a file of its own
    assert read_safely(tmp_path / "good.pdb")[0].size == 9 and not folder.exists()
    one.close()
    assert second.returncode is not None and not folder.exists()


def test_an_interruption_ends_the_conversation(tmp_path: Path, process: Any) -> None:
    one = process(HOSTILE.format(act="time.sleep(60)"))
    (tmp_path / "hostile.xyz").write_text(XYZ)
    (tmp_path / "good.xyz").write_text(XYZ)
    read_safely(tmp_path / "good.xyz")
    first, _ = parts(one)

    def interrupt(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    try:
        with pytest.raises(KeyboardInterrupt):
            read_safely(tmp_path / "hostile.xyz")
    finally:
        signal.signal(signal.SIGALRM, before)
    assert first.returncode is not None
    assert read_safely(tmp_path / "good.xyz")[0].size == 2


def test_signals_of_the_terminal_and_of_batch_systems_are_for_the_parent(tmp_path: Path, process: Any) -> None:
    one = process("")
    (tmp_path / "a.xyz").write_text(XYZ)
    one.start()
    child, _ = parts(one)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
        child.send_signal(number)       # while Python starts, and after
    read_safely(tmp_path / "a.xyz")
    child.send_signal(signal.SIGINT)
    assert read_safely(tmp_path / "a.xyz")[0].size == 2
    assert child.poll() is None
    assert not {signal.SIGINT, signal.SIGUSR1} & signal.pthread_sigmask(signal.SIG_BLOCK, ())      # here they are as before


@pytest.mark.parametrize("ending", ["os.kill(os.getpid(), 9)", "sys.exit(0)", "os._exit(1)"])
def test_it_ends_with_its_parent_even_while_it_reads(tmp_path: Path, ending: str) -> None:
    program = f"""
import os, sys, threading, time
from md_sensitivity.structures import sandbox
sandbox._PROGRAM = ("import sys; sys.path[:] = {{path!r}}; import time; from md_sensitivity.structures import worker; "
    "worker.read_structures = lambda path, **options: time.sleep(60) if 'slow' in path else (); worker.serve()")
sandbox.read_safely("quick")
threading.Thread(target=lambda: sandbox.read_safely("slow"), daemon=True).start()
time.sleep(0.5)
one = sandbox._shared()
print(one._process.pid, one._folder, flush=True)
if {ending!r} == "sys.exit(0)":
    one._lock = threading.RLock()       # the thread holds it
{ending}
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    pid, folder = done.stdout.split()
    deadline = time.monotonic() + 10
    while (alive(int(pid)) or Path(folder).exists()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(int(pid)) and not Path(folder).exists(), done.stderr


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"     # a zombie here waits for whoever adopted it


def test_a_process_that_cannot_start_says_so(monkeypatch: pytest.MonkeyPatch, process: Any) -> None:
    process("raise RuntimeError('no luck')")
    with pytest.raises(ComputationError, match=r"did not start .*no luck"):
        read_safely("a.xyz")


def test_threads_and_forks_do_not_mix_their_conversations(tmp_path: Path) -> None:
    names = [tmp_path / f"{size}.xyz" for size in range(1, 9)]
    for size, path in enumerate(names, start=1):
        path.write_text(f"{size}\n\n" + "".join(f"Ar {3 * i} 0 0\n" for i in range(size)))
    sizes: dict[Path, int] = {}
    threads = [threading.Thread(target=lambda path=path: sizes.update({path: read_safely(path)[0].size})) for path in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [sizes[path] for path in names] == list(range(1, 9))
    program = f"""
import os, sys
from md_sensitivity.structures.sandbox import read_safely, _shared
names = {[str(path) for path in names]!r}
read_safely(names[0])
first = _shared()._process.pid
pid = os.fork()
assert [read_safely(name)[0].size for name in names] == list(range(1, 9))
assert (_shared()._process.pid == first) == bool(pid)
if pid:
    assert os.waitpid(pid, 0)[1] == 0
"""
    assert subprocess.run([sys.executable, "-W", "error", "-c", program], timeout=60).returncode == 0


def test_it_never_imports_jax(tmp_path: Path, process: Any) -> None:
    process(HOSTILE.format(act="int('jax: %s' % [name for name in sys.modules if name.startswith('jax')])"))
    for name in FILES:
        (tmp_path / name).write_bytes(FILES[name])
        read_safely(tmp_path / name)
    with pytest.raises(InputError, match=r"jax: \[\]"):
        read_safely(tmp_path / "hostile.xyz")


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "soon", "1e9"])
def test_limits_must_be_positive_numbers(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("MD_SENSITIVITY_READ_TIMEOUT", text)
    with pytest.raises(UsageError, match="MD_SENSITIVITY_READ_TIMEOUT"):
        limits_of_environment()
    monkeypatch.delenv("MD_SENSITIVITY_READ_TIMEOUT")
    monkeypatch.setenv("MD_SENSITIVITY_READ_MEMORY", text)
    with pytest.raises(UsageError, match="MD_SENSITIVITY_READ_MEMORY"):
        limits_of_environment()


def test_errors_of_the_wire_keep_their_class() -> None:
    for error in (InputError("a"), UsageError("b"), ComputationError("c")):
        assert type(wire.error_of(wire.described_error(error))) is type(error)
    assert type(wire.error_of({"error": "annotations", "message": "x"})) is InputError
