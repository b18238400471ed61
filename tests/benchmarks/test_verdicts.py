"""A measure is judged by the median of its repetitions, its limit and what docs/benchmarks.md records."""

from __future__ import annotations

import pytest
from benchmarks.measure import INFORMATION, PASS, RECORDED, SHORT, SKIPPED, Measure, compared, skipped, verdict
from benchmarks.plot import limit_share
from benchmarks.run import within
from benchmarks.timing import alternate, duration, exponent


def made(*values: float, limit: float | None = 1.5, at_least: bool = False, fault: str = "") -> Measure:
    return Measure(key="case/4000", figure="ours / peer", values=values, limit=limit, at_least=at_least, fault=fault)


def test_the_median_decides() -> None:
    assert verdict(made(1.0, 1.4, 9.0), {}) == PASS
    assert verdict(made(1.0, 1.6, 1.7), {}) == SHORT


def test_the_limit_itself_is_within() -> None:
    assert verdict(made(1.5), {}) == PASS
    assert verdict(made(1.5, at_least=True), {}) == PASS


def test_a_speedup_must_be_at_least_the_limit() -> None:
    assert verdict(made(1.4, at_least=True), {}) == SHORT
    assert verdict(made(7.0, at_least=True), {}) == PASS


def test_without_a_limit_it_is_for_information() -> None:
    assert verdict(made(99.0, limit=None), {}) == INFORMATION


def test_a_fault_falls_short_whatever_the_figure() -> None:
    assert verdict(made(0.1, fault="the two disagree"), {}) == SHORT
    assert verdict(made(0.1, limit=None, fault="the two disagree"), {}) == SHORT


def test_nothing_measured_falls_short() -> None:
    assert verdict(made(), {}) == SHORT


def test_a_recorded_shortfall_is_called_so() -> None:
    assert verdict(made(2.0), {"case/4000": "a reason"}) == RECORDED
    assert verdict(made(2.0), {"case/4000": ""}) == SHORT
    assert verdict(made(2.0), {"case/32000": "a reason"}) == SHORT
    assert verdict(made(1.0), {"case/4000": "a reason"}) == PASS


def test_skipped() -> None:
    assert verdict(skipped("case/4000", "ours / peer", "no peer", 1.5), {"case/4000": "a reason"}) == SKIPPED


def test_ratios_are_taken_pair_by_pair() -> None:
    ours, peer = (1.0, 2.0, 4.0), (2.0, 2.0, 2.0)
    slower = compared("k", "ours / peer", ours=ours, peer=peer, limit=1.0)
    faster = compared("k", "peer / ours", ours=ours, peer=peer, limit=1.0, speedup=True)
    assert slower.values == (0.5, 1.0, 2.0) and faster.values == (2.0, 1.0, 0.5)
    assert (slower.ours, slower.peer, slower.at_least, faster.at_least) == (2.0, 2.0, False, True)
    with pytest.raises(ValueError, match="zip"):
        compared("k", "ours / peer", ours=(1.0,), peer=(1.0, 2.0), limit=None)


def test_limits_speak_of_sizes() -> None:
    assert within(4000, 1.5) == within(32000, 1.5) == 1.5
    assert within(500, 1.5) is None and within(108000, 1.5) is None
    assert within(500, 20.0, smallest=500) == 20.0


def test_share_of_a_limit() -> None:
    assert limit_share(made(3.0), 3.0) == 2.0
    assert limit_share(made(3.0, at_least=True), 3.0) == 0.5


def test_sides_take_turns() -> None:
    order: list[str] = []

    def side(name: str, seconds: float):  # type: ignore[no-untyped-def]
        def sample() -> float:
            order.append(name)
            return seconds

        return sample

    lines: list[str] = []
    times = alternate({"a": side("a", 1.0), "b": side("b", 2.0)}, 2, lines.append)
    assert order == ["a", "b"] * 3, "one round warms up"
    assert times == {"a": (1.0, 1.0), "b": (2.0, 2.0)} and len(lines) == 2


def test_exponent_of_a_power_law() -> None:
    sizes = (4000, 32000, 108000)
    assert exponent(sizes, tuple(3e-7 * size**1.25 for size in sizes)) == pytest.approx(1.25)


@pytest.mark.parametrize(("seconds", "text"), [(2.5, "2.5 s"), (0.0123, "12.3 ms"), (4.56e-6, "4.56 µs"), (7e-9, "7 ns")])
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
