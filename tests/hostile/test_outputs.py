"""Titles, names and types of hostile files reach every output as harmless text, and the outputs lie where they belong."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import ase.io
import numpy as np
import pytest
from hostile_folder import ARGON, CORPUS, XYZ, Ran, Run, brought

import md_sensitivity as mds

SCRIPT = "<script>alert(1)</script>"
IMAGE = "\"'><img/src=x/onerror=alert(1)>"
FORMULA = "=HYPERLINK(1)"
TYPES = (SCRIPT, IMAGE, FORMULA, "@SUM(1)", "../../evil{{7*7}}", "&lt;b&gt;%0a")
RED = "\x1b[31m"


class Elements(HTMLParser):
    """All elements with their attributes, and all text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: set[tuple[str, str]] = set()
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found |= {(tag, ""), *((tag, name) for name, _ in attributes)}

    def handle_data(self, data: str) -> None:
        self.text += data


def cluster(types: tuple[str, ...], title: str) -> str:
    """Two atoms of each type, all in a row."""
    rows = [f"Ar {3.8 * place} 0 0 {kind}" for place, kind in enumerate((*types, *types))]
    return f'{len(rows)}\nProperties=species:S:1:pos:R:3:atom_types:S:1 pbc="F F F" title={json.dumps(title)}\n' + "\n".join(rows) + "\n"


def force_field(types: tuple[str, ...], name: str) -> str:
    tables = [f"[potential.parameters.{json.dumps(kind)}]\nsigma = 3.405\nepsilon = 0.01032\n" for kind in types]
    head = f"name = {json.dumps(name)}\nreference = {json.dumps(name)}\n[[potential]]\nstyle = 'lennard_jones'\n"
    return head + "mixing = 'lorentz-berthelot'\n" + "".join(tables)


def analyze(run: Run, structure: str, force_field: str, output: str) -> Ran:
    words = [structure, "-f", force_field, "-o", output, "--check", "0", "--fmax", "1e-4", "-O", "energy"]
    formats = [word for name in ("json", "csv", "html", "extxyz", "pdb", "npz") for word in ("--format", name)]
    ran = run("analyze", *words, *formats)
    assert ran.code == 0, ran.err
    return ran


def test_hostile_words_stay_words_in_every_output(run: Run, folder: Path) -> None:
    types = TYPES
    harmless = tuple("ABCDEFGH"[: len(types)])
    (folder / "harmless.extxyz").write_text(cluster(harmless, "title"))
    (folder / "harmless.toml").write_text(force_field(harmless, "name"))
    analyze(run, "harmless.extxyz", "harmless.toml", "outputs")
    ordinary = Elements((folder / "outputs/harmless/report.html").read_text()).found
    name = f"{SCRIPT}{RED}{FORMULA}\n&".replace("/", "∕")
    (folder / f"{name}.extxyz").write_text(cluster(types, f"{SCRIPT}{FORMULA}"))
    (folder / "hostile.toml").write_text(force_field(types, f"{SCRIPT}{RED}{IMAGE}"))
    ran = analyze(run, f"{name}.extxyz", "hostile.toml", "out")
    assert "\x1b" not in ran.out + ran.err and not ran.written
    (result,) = (path for path in (folder / "out").iterdir() if path.is_dir())
    assert {path.name for path in result.iterdir() if not path.name.startswith(".")} >= {"result.json", "report.html", "relaxed.extxyz"}
    assert result.name.isascii() and not set(result.name) & set("<>&=/\\\n\x1b")

    page = Elements((result / "report.html").read_text())
    assert page.found <= ordinary | {("wbr", "")}
    assert SCRIPT in page.text and "onerror" in page.text       # as text, where a person sees it

    with (folder / "out/summary.csv").open(newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert cells and not any(cell[:1] in "=+@\t\r" for cell in cells if cell)
    assert all(isinstance(float(cell), float) for cell in cells if cell.startswith("-"))

    document = json.loads((result / "result.json").read_text())
    assert document["force_field"]["name"] == f"{SCRIPT}{RED}{IMAGE}"       # JSON carries anything; it says what the file said
    parameters = [each["name"] for each in document["parameters"]]
    assert len(parameters) == 2 * len(types)
    loaded = mds.load(result)
    assert isinstance(loaded.structure.types, tuple) and set(loaded.structure.types) == set(types)

    atoms = ase.io.read(result / "relaxed.extxyz")
    assert len(atoms) == 2 * len(types) and set(atoms.arrays["atom_types"]) == set(types)
    assert sum(column.startswith("MDS_d_") for column in atoms.arrays) == len(parameters)
    assert (result / "response.pdb").read_text().isascii()


def test_a_name_that_is_no_text_is_worked_on(run: Run, folder: Path) -> None:
    name = os.fsdecode(b"\xff\xfe.xyz")
    (folder / name).write_text(XYZ)
    assert run("minimize", name, "-f", "argon.toml", "-o", "out").code == 0
    (result,) = (path for path in (folder / "out").iterdir() if path.is_dir())
    assert json.loads((result / "result.json").read_text())["structure"]["atoms"] == 2
    run = json.loads((folder / "out/run.json").read_text())
    assert run["inputs"]["structures"][0]["path"] == name
    assert np.isfinite(mds.load(result).arrays["positions"]).all()


@pytest.mark.parametrize("name", ["absurd_count.xyz", "pickle.traj"])
def test_the_real_process_says_the_same(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes((CORPUS / "structures" / name).read_bytes())
    (tmp_path / "argon.toml").write_text(ARGON)
    command = [sys.executable, "-m", "md_sensitivity", "analyze", name, "-f", "argon.toml", "-o", "out"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 3 and done.stdout == "" and done.stderr.startswith(f"error: {name}: ") and done.stderr.count("\n") == 1
    assert not list(tmp_path.rglob("result.json")) and not list(tmp_path.rglob("pickle-was-loaded"))


def test_tables_on_the_terminal_hold_no_escapes(run: Run, folder: Path) -> None:
    ran = run("parameters", "-f", brought("force_fields", "fine_hostile_name.toml", folder))
    assert ran.code == 0 and "\x1b" not in ran.out + ran.err
    (folder / "typed.toml").write_text(force_field(TYPES, f"{SCRIPT}{RED}"))
    ran = run("parameters", "-f", "typed.toml")
    assert ran.code == 0 and "\x1b" not in ran.out and SCRIPT in ran.out
