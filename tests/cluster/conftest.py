"""One undisturbed run, which all others are compared with."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from cluster_runs import KEPT, ROOT, numbers, write_inputs


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """The results of one run of the program over all structures, without any scheduler."""
    folder = tmp_path_factory.mktemp("undisturbed")
    write_inputs(folder)
    files = [str(path.relative_to(folder)) for path in sorted(folder.glob("structures/*.xyz"))]
    words = [sys.executable, "-m", "md_sensitivity", "analyze", *files, "-f", "force_field.toml", "-q", "--device", "cpu"]
    env = os.environ | {"PYTHONPATH": str(ROOT)} | KEPT
    done = subprocess.run(words, cwd=folder, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return numbers(folder / "outputs")
