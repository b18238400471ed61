"""A finished analysis that somebody tampered with is refused by whatever reads it again."""

from __future__ import annotations

import io
import os
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hostile_folder import Run

import md_sensitivity as mds

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
import fuzz_seeds

FILES = fuzz_seeds.results()


@pytest.fixture
def analysis(folder: Path) -> Path:
    place = folder / "out" / "cluster"
    place.mkdir(parents=True)
    for name, content in FILES.items():
        (place / name).write_bytes(content)
    return place


def zipped(entries: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return stream.getvalue()


def array(values: object, *, pickled: bool = False) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.asarray(values), allow_pickle=pickled)
    return stream.getvalue()


class Evil:
    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, str]]:
        return open, ("pickle-was-loaded", "w")


def header_of(shape: str) -> bytes:
    return array(np.zeros(3)).replace(b"(3,), }", f"{shape}, }}".encode()).ljust(200)


def grown() -> bytes:
    """The fine arrays, compressed, and one more that grows a thousandfold."""
    stream = io.BytesIO()
    with np.load(io.BytesIO(FILES["arrays.npz"])) as arrays:
        np.savez_compressed(stream, **arrays, bomb=np.zeros(10**7))
    return stream.getvalue()


JSON = {
    "empty": b"",
    "truncated": FILES["result.json"][:500],
    "deep": b'{"schema": ' + b"[" * 100_000,
    "deep value": FILES["result.json"].replace(b'"value": -1.5', b'"value": ' + b"[" * 100_000),
    "other schema": FILES["result.json"].replace(b"md-sensitivity/result/1", b"\\u001b[31m/2"),
    "binary": bytes(range(256)),
    "utf-16": FILES["result.json"].decode().encode("utf-16"),
    "nan": FILES["result.json"].replace(b"-1.5", b"NaN"),
    "huge": FILES["result.json"].replace(b"-1.5", b"-1" + b"0" * 5000),
    "fewer entries": FILES["result.json"].replace(b"0.25", b"", 1).replace(b'"relaxation": [\n        0.0\n      ]', b'"relaxation": []'),
}
ARRAYS = {
    "empty": b"",
    "no zip": b"PK" + bytes(1000),
    "truncated": FILES["arrays.npz"][:-300],
    "pickled objects": zipped({"positions.npy": array([Evil()], pickled=True)}),
    "a bomb": grown(),
    "an absurd shape": zipped({"positions.npy": header_of("(999999999999999,)")}),
    "other arrays": zipped({"positions.npy": array(np.zeros((7, 3)))}),
    "a path": zipped({"../../evil.npy": array(np.zeros(3))}),
}


@pytest.mark.parametrize("name", JSON)
def test_a_result_that_was_tampered_with_is_refused(run: Run, analysis: Path, name: str) -> None:
    (analysis / "result.json").write_bytes(JSON[name])
    for words in (["show", "out"], ["report", "out/cluster"]):
        ran = run(*words)
        assert ran.code == 3 and ran.out == "" and len(ran.err.splitlines()) == 1 and ran.err.startswith("error: "), ran
        assert "result.json" in ran.err and "\x1b" not in ran.err and len(ran.err) < 700
    with pytest.raises(mds.MdSensitivityError):
        mds.load(analysis)


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_that_were_tampered_with_are_refused(run: Run, analysis: Path, name: str) -> None:
    (analysis / "arrays.npz").write_bytes(ARRAYS[name])
    ran = run("report", "out/cluster")
    assert ran.code == 3 and len(ran.err.splitlines()) == 1 and "arrays.npz" in ran.err and not ran.written
    with pytest.raises(mds.MdSensitivityError, match=r"arrays\.npz.*grows" if name == "a bomb" else r"arrays\.npz"):
        mds.load(analysis)


@pytest.mark.parametrize("name", ["result.json", "arrays.npz"])
def test_what_is_no_file_is_refused(run: Run, analysis: Path, name: str) -> None:
    path = analysis / name
    path.unlink()
    os.mkfifo(path)
    assert run("report", "out/cluster").code == 3
    path.unlink()
    path.mkdir()
    assert run("report", "out/cluster").code == 3
