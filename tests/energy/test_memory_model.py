"""What the model of memory promises: the truth within a factor of two, and a refusal that names a size that fits."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_systems import force_field, structure

from md_sensitivity import footprint
from md_sensitivity.analysis.plan import size_of
from md_sensitivity.building import build_system
from md_sensitivity.errors import DeviceError
from md_sensitivity.footprint import BASE, Size, peak, require_memory
from md_sensitivity.pipeline import Options, analyze, plan
from md_sensitivity.types import Structure

LJ = """
[[potential]]
style = "lennard_jones"
cutoff = 8.5
mixing = "lorentz-berthelot"
[potential.parameters.A]
sigma = 3.405
epsilon = 0.01032
[potential.parameters.B]
sigma = 3.41
epsilon = 0.0104
"""
LARGE = Size(atoms=10**6, pairs=80 * 10**6, entries=96 * 10**6, edges=0, solves=8, stored=True)


def argon(cells: int) -> Structure:
    """A rattled fcc crystal of two species, 4 cells³ atoms."""
    base = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    sites = (np.array(list(np.ndindex(cells, cells, cells)))[:, None, :] + base).reshape(-1, 3) * 5.26
    sites += np.random.default_rng(0).normal(scale=0.05, size=sites.shape)
    return structure(sites, "AB" * (len(sites) // 2), 5.26 * cells * np.eye(3))


MEASURE = """
import jax; jax.config.update("jax_enable_x64", True)
from test_memory_model import LJ, argon
from small_systems import force_field
import json
import md_sensitivity as mds
from md_sensitivity.analysis.plan import size_of
from md_sensitivity.footprint import peak
from md_sensitivity.pipeline import Options, analyze
structure, field = argon(12), force_field(LJ)
found = analyze(structure, field, Options(check=0))
system = mds.build_system(structure, field, padded=True)
kilobytes = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps({"status": found.document.status, "measured": 1024 * kilobytes, "predicted": peak(size_of(system, 4))}))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_the_model_is_right_within_a_factor_of_two() -> None:
    paths = [str(Path(__file__).parent), *(path for path in sys.path if path)]
    code = f"import sys; sys.path[:0] = {paths!r}\n" + MEASURE
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    out = done.stdout
    found = json.loads(out)
    assert found["status"] == "minimum"
    assert 0.5 < found["predicted"] / found["measured"] < 2.0, found


def test_the_plan_announces_what_the_model_says() -> None:
    found = plan(argon(6), force_field(LJ), Options())
    assert found.pairs > 864 * 78 // 2
    assert found.memory_bytes > BASE


def test_memory_grows_in_proportion_to_the_system() -> None:
    twice = replace(LARGE, atoms=2 * LARGE.atoms, pairs=2 * LARGE.pairs, entries=2 * LARGE.entries)
    assert peak(twice) - BASE == pytest.approx(2 * (peak(LARGE) - BASE), rel=1e-12)


def test_the_size_that_a_refusal_names_fits_and_a_tenth_more_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footprint, "host_memory", lambda: 4 * 2**30)
    with pytest.raises(DeviceError, match=r"1000000 atoms .* this machine has 4 GiB") as caught:
        require_memory(LARGE, LARGE.atoms, "big.extxyz")
    largest = int(re.search(r"about (\d+) atoms of this density fit", str(caught.value))[1])  # type: ignore[index]

    def of(atoms: float) -> Size:
        return replace(LARGE, atoms=int(atoms), pairs=int(80 * atoms), entries=int(96 * atoms))

    require_memory(of(largest), largest, "smaller")
    with pytest.raises(DeviceError):
        require_memory(of(1.1 * largest), largest, "still too large")


def test_the_memory_of_a_device_counts_where_it_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footprint, "host_memory", lambda: 2**50)
    monkeypatch.setattr(footprint, "_device_memory", lambda: 2**30)
    with pytest.raises(DeviceError, match=r"the CPU has 1 GiB"):
        require_memory(LARGE, LARGE.atoms, "big.extxyz")
    monkeypatch.setattr(footprint, "_device_memory", lambda: 2**50)
    require_memory(LARGE, LARGE.atoms, "big.extxyz")


def test_a_dense_solver_that_does_not_fit_is_refused_with_the_size_that_does(monkeypatch: pytest.MonkeyPatch) -> None:
    made = argon(10)
    monkeypatch.setattr(footprint, "host_memory", lambda: 2 * 2**30)
    monkeypatch.setattr("md_sensitivity.analysis.relaxation.minimize", lambda *a, **k: pytest.fail("it started"))
    with pytest.raises(DeviceError, match=r"about (\d+) atoms") as caught:
        analyze(made, force_field(LJ), Options(solver="dense"))
    largest = int(re.search(r"about (\d+) atoms of this density fit", str(caught.value))[1])  # type: ignore[index]
    assert 3 * 8 * (3 * largest) ** 2 < 2 * 2**30 < 3 * 8 * (3 * 2 * largest) ** 2


def test_the_limits_of_a_job_within_a_control_group_count(tmp_path: Path) -> None:
    membership, root = tmp_path / "cgroup", tmp_path / "fs"
    membership.write_text("4:cpu,memory:/slurm/job_7\n0::/system.slice/job\n")
    found = [path.relative_to(root).as_posix() for path in footprint._limits(membership, root)]
    assert found == [
        "system.slice/job/memory.max", "system.slice/memory.max", "memory.max",
        "memory/slurm/job_7/memory.limit_in_bytes", "memory/slurm/memory.limit_in_bytes", "memory/memory.limit_in_bytes",
    ]  # fmt: skip
    nothing = [path.relative_to(root).as_posix() for path in footprint._limits(tmp_path / "none", root)]
    assert nothing == ["memory.max", "memory/memory.limit_in_bytes"]


def test_an_analysis_that_does_not_fit_is_refused_before_it_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    # The stored Hessian and the solves are what is too much: the neighbor tables would fit.
    made, field = argon(6), force_field(LJ)
    system = build_system(made, field, padded=True)
    enough = peak(size_of(system, 4))
    monkeypatch.setattr(footprint, "host_memory", lambda: enough - 1)
    build_system(made, field, padded=True)
    monkeypatch.setattr("md_sensitivity.analysis.relaxation.minimize", lambda *a, **k: pytest.fail("it started"))
    with pytest.raises(DeviceError, match="atoms of this density fit") as caught:
        analyze(made, field, Options())
    assert caught.value.exit_code == 6
