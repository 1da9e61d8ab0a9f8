"""The suite of errors: theory, workloads, and a tiny run of every row."""

from __future__ import annotations

import math

import numpy as np
import pytest
from click.testing import CliRunner, Result

from engagehub_bench import record
from engagehub_bench.sketches import OurCounts
from engagehub_bench.suites.accuracy import distinct, frequent
from engagehub_bench.theory import relative_error
from engagehub_bench.zipf import frequencies, stream
from engagehub_core.cli.root import engagehub

TINY = ("accuracy", "--quick", "--sizes", "100,1000", "--streams", "4")


def bench(*arguments: str) -> Result:
    result = CliRunner().invoke(engagehub, ["bench", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture(autouse=True)
def short_streams(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("engagehub_bench.plan.Plan.long_stream", 4_000)
    monkeypatch.setattr("engagehub_bench.suites.accuracy.frequent._PART", 1_500)


@pytest.mark.parametrize("peers", ["none", "all"])
def test_tiny_run_has_every_row(peers: str, tmp_path):
    path = tmp_path / "run.json"
    result = bench(*TINY, "--peers", peers, "--json", str(path))
    assert result.exit_code == 0, result.output
    run = record.read(path)
    names = {case.name for case in run.cases}
    assert {
        "accuracy/HyperLogLog, RMSE",
        "accuracy/HyperLogLog, bias",
        *(f"accuracy/Count-Min, 4 × 2,048, mean error, Zipf {exponent}" for exponent in ("1", "1.25", "1.5")),
        *(f"accuracy/recall of the top 100, Zipf 1.1, {order} order" for order in ("random", "rising")),
    } == names
    roots = [case for case in run.cases if case.name.endswith("RMSE")]
    assert [case.size for case in roots] == distinct.points_to(1_000)
    assert [case.size for case in roots if case.printed] == [1, 10, 100, 1_000]
    assert not any(case.printed for case in run.cases if case.name.endswith("bias"))
    for case in roots:
        rows = {row.name: row for row in case.rows}
        assert rows["HyperLogLog"].median < 3
        assert rows["theory, HyperLogLog"].median > rows["theory, UltraLogLog"].median
        assert peers == "all" or rows["rhll"].note == "peer missing"
    assert all(row.median >= 90 for case in run.cases if "recall" in case.name for row in case.rows if row.samples)
    assert "1,000 items (%)" in result.output
    assert "1,000 names (%)" in result.output


def test_streams_and_errors_are_the_same_in_each_run(tmp_path):
    paths = [tmp_path / "first.json", tmp_path / "second.json"]
    for path in paths:
        bench(*TINY, "--peers", "none", "--json", str(path))
    first, second = (record.read(path).cases for path in paths)
    assert first == second


def test_under_estimate_fails_the_run(monkeypatch: pytest.MonkeyPatch):
    estimates = OurCounts.estimates
    monkeypatch.setattr(OurCounts, "estimates", lambda self, texts: [each - 1 for each in estimates(self, texts)])
    result = bench(*TINY, "--peers", "none")
    assert result.exit_code == 1
    assert "WRONG ANSWERS: accuracy/Count-Min, 4 × 2,048, mean error, Zipf 1 at 100: CountMinSketch" in result.output


def test_many_names_are_left_out():
    from engagehub_bench.plan import Plan
    from engagehub_bench.suites import accuracy

    plan = Plan((10_000, 10_000_000), 1, quick=True, peers=frozenset())
    titles = [work.title for work in accuracy.planned(plan)]
    assert "Count-Min, 10,000 names" in titles
    assert not any("10,000,000" in title for title in titles)


def test_curve_has_twenty_points_a_decade():
    points = distinct.points_to(1_000_000)
    assert points[0] == 1
    assert points[-1] == 1_000_000
    assert [sum(low <= point < 10 * low for point in points) for low in (1_000, 10_000, 100_000)] == [20, 20, 20]
    assert points == sorted(set(points))
    assert distinct.points_to(20) == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 16, 18, 20]


@pytest.mark.parametrize(("known_below", "factor"), [(0, 1.0370), (2, 0.7608)], ids=["HyperLogLog", "UltraLogLog"])
@pytest.mark.parametrize("registers", [256, 16_384])
def test_theory_has_the_published_limits(known_below: int, factor: float, registers: int):
    error = relative_error(1e4 * registers, registers, known_below=known_below)
    assert error * math.sqrt(registers) == pytest.approx(factor, rel=1e-3)


def test_theory_of_few_items_is_that_of_which_registers_are_empty():
    # Of n items in m registers about n^2 / 2m share one: linear counting errs by 1 / sqrt(2m), before ranks tell more.
    assert relative_error(10, 16_384, known_below=0) == pytest.approx(1 / math.sqrt(2 * 16_384), rel=1e-2)
    assert relative_error(10, 16_384, known_below=2) < relative_error(10, 16_384, known_below=0)


@pytest.mark.parametrize("exponent", [1.0, 1.5])
def test_frequencies_fall_as_zipfs_law_says(exponent: float):
    counts = frequencies(exponent, 1_000, 1_000_000, seed=1)
    assert counts.sum() == 1_000_000
    assert len(counts) == 1_000
    # Six standard errors of the larger count: false alarms are rarer than one in a hundred million.
    expected = counts[0] / 10**exponent
    assert abs(counts[9] - expected) < 6 * (math.sqrt(counts[0]) / 10**exponent + math.sqrt(expected))
    assert frequencies(exponent, 1_000, 1_000_000, seed=1).tolist() == counts.tolist()


def test_streams_hold_what_was_counted():
    counts = np.array([5, 0, 3, 9])
    rising = stream(counts, "rising", seed=1)
    assert rising.tolist() == [2] * 3 + [0] * 5 + [3] * 9
    shuffled = stream(counts, "random", seed=1)
    assert shuffled.tolist() != rising.tolist()
    assert np.bincount(shuffled, minlength=4).tolist() == counts.tolist()
    assert stream(counts, "random", seed=1).tolist() == shuffled.tolist()


def test_recall_counts_ties_with_the_last_place_as_right():
    names = ["a", "b", "c", "d"]
    truth = np.array([9, 5, 5, 1])
    assert frequent.recall(["a", "c"], 2, names, truth) == 1.0
    assert frequent.recall(["a", "d"], 2, names, truth) == 0.5
    assert frequent.recall([], 2, names, truth) == 0.0
