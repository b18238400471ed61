"""What all tests share: 64-bit floats, and compiled programs kept from one session to the next."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from unittest.mock import patch

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before jax is imported; see md_sensitivity/cli/edge.py

import jax
import pytest

from md_sensitivity.batch.programs import forget_programs_when_many

jax.config.update("jax_enable_x64", True)
_FINISHED = itertools.count()
"""Numbers of finished tests."""


def pytest_configure(config: pytest.Config) -> None:
    """Keep compiled programs, in one folder for all worker processes."""
    from md_sensitivity.cli.cache import keep_compiled_programs

    keep_compiled_programs("tests")


@pytest.fixture
def own_environment() -> Iterator[None]:
    """Undoes what the test, and what it calls, changes in the environment; the mapping stays itself, because libraries keep it."""
    with patch.dict(os.environ):
        yield


@pytest.fixture(autouse=True)
def _few_memory_maps() -> Iterator[None]:
    """Forget compiled programs before they use up the memory maps of the process; looked at after each tenth test."""
    yield
    if next(_FINISHED) % 10 == 0:
        forget_programs_when_many()
