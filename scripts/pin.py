#!/usr/bin/env python3
"""Write constraints.txt: one version of every dependency, direct or not, for each supported Python.

    scripts/pin.py python3.11 python3.12 python3.13

Give one interpreter for each supported minor version, oldest first. For each, pip resolves the package with all its extras in a fresh
environment, without installing anything; where the answers differ, a line carries an environment marker. Run it, then
`./scripts/test` on each Python, before the new file is committed. Index addresses are a matter of the machine and never written.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXTRAS = "test,gpu,oracle"
NEWEST = {(3, 11): ("jax<0.10.2",)}
"""Where an interpreter must not take the newest version that pyproject.toml allows."""

HEADER = """\
# Versions that the test suite passed with; `scripts/pin.py` writes this file. Use: pip install -c constraints.txt .
# Python 3.11 gets jax 0.10.1, the last good one that supports it; newer ones get jax 0.12.
"""


def resolve(python: str) -> tuple[tuple[int, int], dict[str, str]]:
    """Minor version of an interpreter, and the version of each distribution that pip picks for it."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([python, "-m", "venv", folder], check=True)
        inner = f"{folder}/bin/python"
        version = subprocess.run([inner, "-c", "import sys; print(*sys.version_info[:2])"], check=True, capture_output=True, text=True)
        major, minor = map(int, version.stdout.split())
        report = Path(folder, "report.json")
        options = ["--dry-run", "--ignore-installed", "--quiet", "--report", str(report)]
        subprocess.run([inner, "-m", "pip", "install", "--quiet", "--upgrade", "pip"], check=True)
        subprocess.run([inner, "-m", "pip", "install", *options, f"{ROOT}[{EXTRAS}]", *NEWEST.get((major, minor), ())], check=True)
        items = [item["metadata"] for item in json.loads(report.read_text())["install"]]
    versions = {re.sub(r"[-_.]+", "-", item["name"]).lower(): item["version"] for item in items}
    versions.pop("md-sensitivity")
    return (major, minor), versions


def lines(resolved: dict[tuple[int, int], dict[str, str]]) -> list[str]:
    """One line per distribution and distinct version, with a marker that says for which Pythons it holds."""
    minors = sorted(resolved)
    text = []
    for name in sorted(set().union(*resolved.values())):
        runs: list[tuple[str | None, tuple[int, int]]] = []
        for minor in minors:
            version = resolved[minor].get(name)
            if not runs or runs[-1][0] != version:
                runs.append((version, minor))
        for place, (version, start) in enumerate(runs):
            if version is None:
                continue
            bounds = [f'python_version >= "{start[0]}.{start[1]}"'] if place > 0 else []
            if place + 1 < len(runs):
                end = runs[place + 1][1]
                bounds.append(f'python_version < "{end[0]}.{end[1]}"')
            text.append(f"{name}=={version}" + (f"; {' and '.join(bounds)}" if bounds else ""))
    return text


def main() -> None:
    pythons = sys.argv[1:]
    if not pythons:
        sys.exit(__doc__)
    resolved = dict(resolve(python) for python in pythons)
    (ROOT / "constraints.txt").write_text(HEADER + "\n".join(lines(resolved)) + "\n")


if __name__ == "__main__":
    main()
