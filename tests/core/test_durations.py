"""Lengths of time as people write them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagehub_core.durations import LONGEST, parse_duration
from engagehub_core.errors import InvalidArgument


@given(st.integers(1, 2 * LONGEST))
def test_seconds_of_any_duration_are_read_as_that_duration(micros):
    for value in (micros / 1e6, timedelta(microseconds=micros), f"{micros}us"):
        assert parse_duration(value, longest=2 * LONGEST) == micros


@pytest.mark.parametrize("micros", [2**51 + 1, LONGEST - 1, LONGEST, 2 * LONGEST - 1, 2 * LONGEST])
def test_seconds_of_many_years_are_read_to_the_microsecond(micros):
    assert parse_duration(micros / 1e6, longest=2 * LONGEST) == micros


@pytest.mark.parametrize(
    "value", [0, -1, 0.9e-6, 1e-300, LONGEST / 1e6 + 1e-6, 10**400, float("inf"), float("nan"), "36526d", "0s"]
)
def test_durations_out_of_range_are_refused(value):
    with pytest.raises(InvalidArgument, match="span must be between 1 microsecond and 100 years"):
        parse_duration(value, "span")
    assert parse_duration("36526d", longest=2 * LONGEST) == 36_526 * 86_400_000_000
    with pytest.raises(InvalidArgument, match="duration must be between 1 microsecond and 200 years"):
        parse_duration("73051d", longest=2 * LONGEST)
