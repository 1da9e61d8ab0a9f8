"""Statistics against values worked out by hand."""

from __future__ import annotations

import pytest

from engagehub_bench.summary import latency, percentile, ratio_of_medians, relative_spread


@pytest.mark.parametrize(
    ("share", "expected"), [(0.5, 5), (0.51, 6), (0.9, 9), (0.99, 10), (0.999, 10), (1.0, 10), (0.01, 1)]
)
def test_percentile_is_the_nearest_rank(share: float, expected: int):
    assert percentile([7, 1, 10, 3, 5, 9, 2, 8, 4, 6], share) == expected


def test_latency_reads_the_raw_samples():
    found = latency([*range(1, 1_001)][::-1])
    assert (found.p50, found.p99, found.p999, found.max) == (500, 990, 999, 1_000)


def test_ratio_is_that_of_the_medians_not_the_median_of_the_ratios():
    ratio = ratio_of_medians([1, 8, 9], [1, 2, 30])
    assert ratio.value == 8 / 2
    assert ratio.low <= ratio.value <= ratio.high


def test_ratio_of_proportional_repeats_has_no_width():
    ratio = ratio_of_medians([30, 60, 33, 31], [10, 20, 11, 31 / 3])
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((3, 3, 3))


def test_ratio_pairs_what_was_measured_side_by_side():
    paired = ratio_of_medians([10, 20, 10, 20, 10, 20], [10, 20, 10, 20, 10, 20])
    crossed = ratio_of_medians([10, 20, 10, 20, 10, 20], [20, 10, 20, 10, 20, 10])
    assert paired.high - paired.low == 0
    assert crossed.high - crossed.low > 1


def test_interval_depends_on_the_seed_only():
    samples = [[3.0, 4, 9, 2, 7], [2.0, 2, 3, 5, 1]]
    assert ratio_of_medians(*samples) == ratio_of_medians(*samples)
    assert ratio_of_medians(*samples, seed=2).value == ratio_of_medians(*samples).value


def test_ratio_needs_pairs():
    with pytest.raises(ValueError, match="at least one pair"):
        ratio_of_medians([], [])
    with pytest.raises(ValueError, match="shorter"):
        ratio_of_medians([1, 2], [1])


def test_ratio_to_nothing_is_endless():
    assert ratio_of_medians([1.0], [0.0]).value == float("inf")


def test_spread_is_the_distance_of_the_quartiles():
    assert relative_spread([10, 20, 30, 40]) == (30 - 10) / 25
    assert relative_spread([0.0, 0.0]) == 0
