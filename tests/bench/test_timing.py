"""The timing loop by a clock that moves only when a loop runs."""

from __future__ import annotations

import gc
from types import SimpleNamespace

import pytest

from engagehub_bench.calibration import put_ns
from engagehub_bench.noise import is_noisy, judged
from engagehub_bench.rows import Case, Row
from engagehub_bench.timing import Contestant, interleaved, interleaved_by_processor_time, without_collector


class Played:
    """A clock, and loops that take their time from it."""

    def __init__(self) -> None:
        self.now = 0
        self.log: list[str] = []

    def __call__(self) -> int:
        return self.now

    def loop(self, name: str, nanoseconds: int):
        def run() -> None:
            self.now += nanoseconds
            self.log.append(name)

        return run


@pytest.fixture
def played() -> Played:
    return Played()


def test_the_empty_loop_is_subtracted(played: Played):
    contestant = Contestant("a", played.loop("a", 1_000), 10, played.loop("empty", 300))
    (timed,) = interleaved([contestant], 3, clock=played, calibrate=lambda: 5.0)
    assert timed.raw == [100.0] * 3
    assert timed.overhead == [30.0] * 3
    assert timed.samples == [70.0] * 3
    assert timed.calibration == [5.0] * 3


def test_one_disturbed_empty_loop_changes_nothing(played: Played):
    empties = iter([300, 300, 300, 900_000, 300, 300])

    def empty() -> None:
        played.now += next(empties)

    (timed,) = interleaved(
        [Contestant("a", played.loop("a", 1_000), 10, empty)], 5, clock=played, calibrate=lambda: 1.0
    )
    assert timed.samples == [70.0] * 5


def test_a_loop_that_is_faster_than_the_empty_one_costs_nothing(played: Played):
    contestant = Contestant("a", played.loop("a", 10), 1, played.loop("empty", 20))
    (timed,) = interleaved([contestant], 2, clock=played, calibrate=lambda: 1.0)
    assert timed.samples == [0.0, 0.0]


def test_contestants_alternate_after_a_warm_up(played: Played):
    both = [Contestant(name, played.loop(name, 1), 1) for name in "ab"]
    interleaved(both, 3, clock=played, calibrate=lambda: 1.0)
    assert "".join(played.log) == "baabbaab"


def test_each_run_is_prepared_outside_the_clock(played: Played):
    contestant = Contestant("a", played.loop("a", 7), 1, prepare=played.loop("prepare", 10_000))
    (timed,) = interleaved([contestant], 2, clock=played, calibrate=lambda: 1.0)
    assert timed.raw == [7.0, 7.0]
    assert played.log == ["prepare", "a"] * 3


def test_caches_are_filled_after_the_calibrating_loop(played: Played):
    def calibrate() -> float:
        played.log.append("calibrate")
        return 1.0

    empty, warm_up = played.loop("empty", 3), played.loop("warm up", 10_000)
    contestant = Contestant("a", played.loop("a", 7), 1, empty, played.loop("prepare", 10_000), warm_up)
    (timed,) = interleaved([contestant], 2, clock=played, calibrate=calibrate)
    assert played.log == ["prepare", "calibrate", "warm up", "empty", "a"] * 3
    assert timed.samples == [4.0, 4.0]


def test_the_collector_rests_while_the_clock_runs(played: Played):
    seen = []
    interleaved([Contestant("a", lambda: seen.append(gc.isenabled()), 1)], 2, clock=played, calibrate=lambda: 1.0)
    assert seen == [False] * 3
    assert gc.isenabled()


@pytest.mark.parametrize(("resolution", "nanoseconds"), [(1e-9, 70.0), (0.015625, 500.0)])
def test_time_of_the_thread_is_taken_where_it_is_fine(
    resolution: float, nanoseconds: float, played: Played, monkeypatch: pytest.MonkeyPatch
):
    # Of the thread a loop takes 700 ns, of the wall 5,000: another process had the processor.
    monkeypatch.setattr("engagehub_bench.timing.thread_time_ns", lambda: played.now)
    monkeypatch.setattr("engagehub_bench.timing.perf_counter_ns", lambda: played.now * 5_000 // 700)
    monkeypatch.setattr("engagehub_bench.timing.get_clock_info", lambda _: SimpleNamespace(resolution=resolution))
    (timed,) = interleaved_by_processor_time([Contestant("a", played.loop("a", 700), 10)], 2)
    assert timed.raw == [nanoseconds] * 2


def test_calibration_leaves_the_collector_as_it_was():
    assert put_ns() > 0
    assert gc.isenabled()
    with without_collector():
        assert put_ns() > 0
        assert not gc.isenabled()
    assert gc.get_freeze_count() == 0


def case_of(*calibrations: float, samples: tuple[float, ...] = (10.0, 10.0, 10.0, 10.0)) -> Case:
    return Case("a/b", 1, "ns", [Row("a", list(samples), calibration=list(calibrations))])


def test_steady_run_is_quiet():
    verdict = judged([case_of(100, 101, 99, 100)])
    assert not verdict.is_noisy
    assert (verdict.noisy_rows, verdict.rows) == (0, 1)


def test_repeats_far_apart_make_a_row_and_a_run_noisy():
    verdict = judged([case_of(100, 100, samples=(10.0, 20.0, 10.0, 20.0))])
    assert is_noisy(Row("a", [10.0, 20.0, 10.0, 20.0]))
    assert "1 of 1 rows" in verdict.reasons[0]


def test_calibration_that_drifts_makes_a_run_noisy():
    verdict = judged([case_of(100, 100, 100, 100), case_of(120, 120, 120, 120)])
    assert verdict.drift == pytest.approx(0.2)
    assert any("drifted by 20%" in reason for reason in verdict.reasons)


def test_calibration_that_jumps_makes_a_run_noisy():
    verdict = judged([case_of(100, 200, 100, 200, 100, 200, 100, 200)])
    assert any("quartiles are" in reason for reason in verdict.reasons)
    assert verdict.drift == 0
