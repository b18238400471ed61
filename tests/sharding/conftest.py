"""Tests of several devices run where there are four; elsewhere one test runs all of them in a process that simulates four."""

from __future__ import annotations

from pathlib import Path

import jax
import pytest

DEVICES = 4
CHILD = "test_sharding_in_a_process_with_four_devices"
HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the tests that fit the devices of this process."""
    several = len(jax.devices()) >= DEVICES
    dropped = [item for item in items if item.path.parent == HERE and (item.name == CHILD) == several]
    config.hook.pytest_deselected(items=dropped)
    items[:] = [item for item in items if item not in dropped]
