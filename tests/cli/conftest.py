"""Small inputs, and a pipeline that computes nothing, for the tests of the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from md_sensitivity import pipeline
from md_sensitivity.analysis.result import (
    CertificateInfo,
    EquilibriumInfo,
    ForceFieldInfo,
    ObservableInfo,
    ParameterInfo,
    PositionNorm,
    Result,
    ResultDocument,
    StructureInfo,
    Timings,
)
from md_sensitivity.cli import main

FORCE_FIELD = """\
name = "Argon"
units = "metal"
[[potential]]
style = "lennard_jones"
[potential.parameters.Ar]
sigma = 3.405
epsilon = { value = 0.01032, std = 0.0002, bounds = [0, 1] }
"""
DIMER = "2\n\nAr 0 0 0\nAr 3.7 0.1 0\n"


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the user's cache nor a batch system decides what is tested."""
    monkeypatch.setenv("MD_SENSITIVITY_CACHE", "off")
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, with a force field and one dimer."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "argon.toml").write_text(FORCE_FIELD)
    (tmp_path / "dimer.xyz").write_text(DIMER)
    return tmp_path


def fake_result(structure: Any, force_field: Any, name: str, *, status: str = "minimum", passed: bool = True) -> Result:
    """A result without any computation behind it."""
    document = ResultDocument(
        status=status,
        message="made up",
        structure=StructureInfo(
            path=structure.path, sha256=structure.sha256, formula=structure.formula, atoms=structure.size, periodic=[False] * 3
        ),
        force_field=ForceFieldInfo(path=force_field.path, sha256=force_field.sha256, name=force_field.name, units="metal"),
        equilibrium=EquilibriumInfo(
            energy=-0.01032,
            energy_unit="eV",
            max_force=1e-12,
            force_unit="eV/Å",
            steps=3,
            force_evaluations=4,
            zero_modes=5,
            lowest_eigenvalue=1.0,
            minimizer="none",
            rattlers=0,
            hessian_products=0,
        ),
        position_norm=PositionNorm(l1=[1.0], l2=[1.0], max=[1.0], max_atom=[0]),
        parameters=[ParameterInfo(name="lennard_jones.Ar.sigma", value=3.405, unit="Å")],
        observables=[
            ObservableInfo(name="energy", unit="eV", value=-0.01032, direct=[0.0], relaxation=[0.0], total=[0.0], logarithmic=[0.0])
        ],
        certificate=CertificateInfo(
            mode="forward",
            solver="dense",
            relative_residual=1e-15,
            iterations=1,
            force_residual=1e-12,
            error_estimate=1e-10,
            finite_differences=[],
            warnings=[],
            passed=passed,
        ),
        timings=Timings(minimize_s=0.0, differentiate_s=0.0, total_s=0.0),
    )
    arrays = {
        "positions": structure.positions,
        "cell": structure.cell,
        "numbers": structure.numbers,
        "parameter_names": np.array(["lennard_jones.Ar.sigma"]),
        "parameter_values": np.array([3.405]),
        "dpositions": np.zeros((1, structure.size, 3)),
    }
    return Result(name=name, document=document, arrays=arrays, structure=structure)


@pytest.fixture
def fake_pipeline(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Replaces the pipeline; what becomes of a structure is decided by a word in its file name, such as `oom` or `saddle`."""
    from md_sensitivity.errors import ComputationError, DeviceError, InputError

    errors: dict[str, Exception] = {
        "diverges": ComputationError("the minimization diverged"),
        "nodevice": DeviceError("the device went away"),
        "oom": MemoryError(),
        "unfit": InputError("no parameters for Xx"),
        "bug": ZeroDivisionError("division by zero"),
        "disk": OSError(28, "No space left on device"),
    }
    statuses = {"saddle": "not-a-minimum", "slow": "unconverged", "flat": "failed"}

    def compute(structure: Any, force_field: Any, options: Any, *, name: str = "", progress: Any = None) -> Result:
        for word, error in errors.items():
            if word in name:
                raise error
        status = next((status for word, status in statuses.items() if word in name), "minimum")
        return fake_result(structure, force_field, name, status=status, passed="dubious" not in name)

    monkeypatch.setattr(pipeline, "analyze", compute)
    monkeypatch.setattr(pipeline, "minimize_structure", compute)


@pytest.fixture
def run(place: Path, capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs one command line in this process → (exit code, stdout, stderr)."""

    def call(*words: str) -> tuple[int, str, str]:
        capfd.readouterr()
        code = main(list(words))
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return call
