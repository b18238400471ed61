"""Ranges without proportion to the cell are refused before memory and time are spent on them."""

from __future__ import annotations

import numpy as np
import pytest

from md_sensitivity.errors import DeviceError, InputError
from md_sensitivity.feasibility import require_feasible_range, require_planar
from md_sensitivity.types import Structure


def crystal(z: float = 0.0) -> Structure:
    positions = np.random.default_rng(0).uniform(0, 10, size=(30, 3))
    positions[:, 2] *= z
    return Structure(
        positions=positions,
        types=("Ar",) * 30,
        numbers=np.full(30, 18),
        cell=np.diag([10.0, 10.0, 10.0]),
        pbc=np.ones(3, dtype=bool),
        masses=np.full(30, 40.0),
        fixed=np.zeros((30, 3), dtype=bool),
    )


def test_a_range_of_absurdly_many_cells_is_refused() -> None:
    with pytest.raises(InputError, match=r"ff.toml: potential 'lj' reaches 1e\+06 Å"):
        require_feasible_range(crystal(1.0), np.eye(3) * 10, (True,) * 3, 1e6, "ff.toml: potential 'lj'")


def test_tables_beyond_the_memory_of_the_machine_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("md_sensitivity.footprint.host_memory", lambda: 2**30)
    with pytest.raises(DeviceError, match=r"ff.toml reaches 300 Å: 30 atoms .* this machine has 1 GiB; about \d+ atoms"):
        require_feasible_range(crystal(1.0), np.eye(3) * 10, (True,) * 3, 300.0, "ff.toml")


def test_usual_ranges_are_accepted() -> None:
    require_feasible_range(crystal(1.0), np.eye(3) * 10, (True,) * 3, 30.0, "ff.toml")
    require_feasible_range(crystal(1.0), np.eye(3), (False,) * 3, 1e9, "ff.toml")


def test_two_dimensions_want_a_plane() -> None:
    require_planar(crystal(0.0))
    with pytest.raises(InputError, match="z is not the same"):
        require_planar(crystal(1.0))
