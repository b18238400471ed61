"""Long work says honestly where it stands, and is the same work whoever listens."""

from __future__ import annotations

import numpy as np
import pytest
from small_systems import build, structure

from md_sensitivity.curvature import spectrum as spectrum_module
from md_sensitivity.minimization import loop as loop_module
from md_sensitivity.minimization import minimize
from md_sensitivity.progress import Fall, time_left

LJ = """
[[potential]]
style = "lennard_jones"
cutoff = 5.5
[potential.parameters.A]
sigma = 3.405
epsilon = 0.01032
"""


def rattled():  # type: ignore[no-untyped-def]
    """Argon far enough from its minimum that neighbor tables are rebuilt on the way."""
    base = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    sites = (np.array(list(np.ndindex(3, 3, 3)))[:, None, :] + base).reshape(-1, 3) * 5.26
    sites = sites + np.random.default_rng(0).normal(scale=0.2, size=sites.shape)
    return build(LJ, structure(sites[1:], "A" * 107, 15.78 * np.eye(3)))


@pytest.mark.parametrize("minimizer", ["lbfgs+newton", "fire"])
def test_listening_changes_no_digit(minimizer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[tuple[str, float | None]] = []
    energy, x, theta = rattled()
    alone = minimize(energy, x, theta, minimizer=minimizer, curvature=False)
    monkeypatch.setattr(loop_module, "_ROUND_SECONDS", 0.0)  # a pause after each step
    watched = minimize(energy, x, theta, minimizer=minimizer, curvature=False, report=lambda stage, share: heard.append((stage, share)))
    np.testing.assert_array_equal(np.asarray(watched.x), np.asarray(alone.x))
    assert (watched.steps, watched.force_evaluations) == (alone.steps, alone.force_evaluations)
    assert len(heard) > watched.steps, "after each step, and at each stage"


def test_shares_rise_to_the_end_and_forces_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[tuple[str, float | None]] = []
    monkeypatch.setattr(spectrum_module, "DENSE_LIMIT", 0)
    minimize(*rattled(), report=lambda stage, share: heard.append((stage, share)))
    shares = [share for stage, share in heard if share is not None and "curvature" not in stage]
    assert shares == sorted(shares) and shares[0] == 0.0 and shares[-1] > 0.9
    assert any("lbfgs, step" in stage and "force" in stage for stage, _ in heard)
    curvature = [share for stage, share in heard if stage == "curvature"]
    assert len(curvature) >= 2 and curvature[-1] == 1.0


def test_a_fall_is_measured_in_logarithms_and_never_rises() -> None:
    fall = Fall(goal=1e-10)
    assert [fall.to(value) for value in (1.0, 1e-5, 1e-4, np.nan, 1e-11)] == [0.0, 0.5, 0.5, 0.5, 1.0]


@pytest.mark.parametrize(
    ("elapsed", "share", "said"),
    [
        (1.0, 0.5, ""), (100.0, 0.01, ""), (10.0, 0.5, "about 10 s left"), (600.0, 0.5, "about 10 min left"),
        (7200.0, 0.25, "about 6.0 h left"), (10.0, 1.0, ""),
    ],
)  # fmt: skip
def test_the_time_left_is_that_of_what_is_not_done(elapsed: float, share: float, said: str) -> None:
    assert time_left(elapsed, share) == said
