"""Compiled programs that many processes share: whole entries only, whoever wrote, died or damaged them; and no user sees any of it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from md_sensitivity.cli.verified import SUFFIX, VerifiedCache

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
from md_sensitivity.cli.cache import keep_compiled_programs
import jax
jax.config.update("jax_enable_x64", True)
keep_compiled_programs()
import jax.numpy as jnp
from jax import monitoring
compiled = []
monitoring.register_event_listener(lambda event, **_: compiled.append(event) if event.endswith("cache_misses") else None)
numbers = [float(jax.jit(lambda x: jnp.sum(jnp.sin(x) * k))(jnp.arange(50.0))) for k in range(1, 5)]
print([number.hex() for number in numbers], len(compiled))
"""

Shared = Callable[..., list[tuple[str, int]]]


@pytest.fixture
def at_once(tmp_path: Path) -> Shared:
    """Runs the program in several processes at once with one cache → (numbers, programs compiled) of each."""
    env = {**os.environ, "MD_SENSITIVITY_CACHE": str(tmp_path), "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}

    def run(count: int) -> list[tuple[str, int]]:
        words = [sys.executable, "-W", "error", "-c", PROGRAM]
        children = [subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(count)]
        answers = []
        for child in children:
            out, err = child.communicate(timeout=120)
            assert (child.returncode, err) == (0, ""), err
            numbers, _, compiled = out.strip().rpartition(" ")
            answers.append((numbers, int(compiled)))
        return answers

    return run


def test_processes_share_entries_and_survive_damaged_ones(at_once: Shared, tmp_path: Path) -> None:
    first = at_once(3)
    assert len({numbers for numbers, _ in first}) == 1 and sum(compiled for _, compiled in first) >= 4  # whoever was first
    entries = sorted(tmp_path.rglob(f"*{SUFFIX}"))
    assert len(entries) >= 4 and not list(tmp_path.rglob("*.tmp")) and not list(tmp_path.rglob("*-cache"))
    again = at_once(1)
    assert again == [(first[0][0], 0)]

    whole = {entry: entry.read_bytes() for entry in entries}
    content = list(whole.values())
    middle = len(content[1]) // 2
    entries[0].write_bytes(content[0][:middle])  # a writer was killed
    entries[1].write_bytes(content[1][:middle] + bytes([content[1][middle] ^ 1]) + content[1][middle + 1 :])  # a disk failed
    entries[2].write_bytes(content[3])  # whole, but another program's
    entries[3].write_bytes(b"")  # a power cut
    damaged = at_once(2)
    assert [numbers for numbers, _ in damaged] == [first[0][0]] * 2
    assert sum(compiled for _, compiled in damaged) >= 4
    assert at_once(1) == [(first[0][0], 0)]  # whole ones took their places


@pytest.fixture
def cache(tmp_path: Path) -> VerifiedCache:
    return VerifiedCache(str(tmp_path))


def test_what_was_put_is_what_comes_back(cache: VerifiedCache) -> None:
    assert cache.get("jit_f-1") is None
    cache.put("jit_f-1", b"machine code")
    assert cache.get("jit_f-1") == b"machine code"
    cache.put("jit_f-1", b"newer")
    assert cache.get("jit_f-1") == b"newer"


def test_no_single_damaged_byte_gets_through(cache: VerifiedCache, tmp_path: Path) -> None:
    cache.put("f", b"machine code")
    (path,) = tmp_path.iterdir()
    content = path.read_bytes()
    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        assert cache.get("f") is None and not path.exists()
        path.write_bytes(content[:place])
        assert cache.get("f") is None and not path.exists()


def test_an_entry_under_another_name_is_no_entry(cache: VerifiedCache, tmp_path: Path) -> None:
    cache.put("f", b"machine code")
    (tmp_path / f"f{SUFFIX}").rename(tmp_path / f"g{SUFFIX}")
    assert cache.get("g") is None and cache.get("f") is None
    (tmp_path / f"g{SUFFIX}").mkdir()
    assert cache.get("g") is None
