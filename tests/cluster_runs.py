"""Twelve small clusters to run the program on, and its results without the times in them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np

from md_sensitivity.cli.cache import cache_folder

ROOT = Path(__file__).resolve().parents[1]
COUNT = 12
KEPT = {"MD_SENSITIVITY_CACHE": str(folder / "tests-cluster")} if (folder := cache_folder()) is not None else {}
"""Where these runs keep compiled programs from session to session, unless the user wants none kept."""


def write_inputs(folder: Path) -> None:
    """A force field and twelve small clusters."""
    shutil.copy(ROOT / "inputs/lj13_cluster/force_field.toml", folder)
    head, comment, *atoms = (ROOT / "inputs/lj13_cluster/structure.xyz").read_text().splitlines()
    generator = np.random.default_rng(5)
    (folder / "structures").mkdir()
    for number in range(COUNT):
        rows = [row.split() for row in atoms]
        moved = [[row[0], *(f"{float(word) + generator.normal(0, 0.02):.6f}" for word in row[1:4])] for row in rows]
        text = "\n".join([head, comment, *(" ".join(row) for row in moved)])
        (folder / f"structures/c{number}.xyz").write_text(text + "\n")


def numbers(folder: Path) -> dict[str, object]:
    """All results of a folder, without the times in them."""
    found: dict[str, object] = {"summary": (folder / "summary.csv").read_text()}
    for path in folder.glob("*/result.json"):
        document = json.loads(path.read_text())
        del document["timings"]
        found[path.parent.name] = (document, (path.parent / "arrays.npz").read_bytes())
    return found
