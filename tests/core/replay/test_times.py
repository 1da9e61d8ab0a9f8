"""Texts as instants."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagehub_core.replay.times import TimeReader, TimeUnit, instant_of_text, iso, recognised

LATEST = 2_000_000_000_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def test_the_unit_is_what_most_rows_say():
    assert recognised(["253402300799", "1082040961", "1082040962", "soon", ""]) is TimeUnit.SECONDS
    assert recognised(["1082040961.5"]) is TimeUnit.SECONDS
    assert recognised(["1082040961000", "5"] * 2 + ["1082040961001"]) is TimeUnit.MILLISECONDS
    assert recognised(["1082040961000000"]) is TimeUnit.MICROSECONDS
    assert recognised(["2004-04-15 14:56:01", "2004-04-15"]) is TimeUnit.ISO
    assert recognised([]) is TimeUnit.SECONDS


@given(st.integers(0, LATEST))
def test_an_instant_survives_every_unit(micros):
    assert TimeReader(TimeUnit.MICROSECONDS, LATEST)(str(micros)) == micros
    assert TimeReader(TimeUnit.SECONDS, LATEST)(f"{micros // 10**6}.{micros % 10**6:06d}") == micros
    assert TimeReader(TimeUnit.MILLISECONDS, LATEST)(f"{micros // 1000}.{micros % 1000:03d}") == micros
    assert TimeReader(TimeUnit.ISO, LATEST)(iso(micros)) == micros


@given(st.datetimes(datetime(1970, 1, 2), datetime(2030, 1, 1)), st.integers(-1439, 1439))
def test_an_offset_is_heeded(moment, minutes):
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    expected = (aware - EPOCH) // timedelta(microseconds=1)
    assert TimeReader(TimeUnit.ISO, LATEST)(aware.isoformat()) == expected


def test_a_time_without_offset_is_utc_and_remembered():
    reader = TimeReader(TimeUnit.ISO, LATEST)
    assert reader("2004-04-15T14:56:01Z") == 1_082_040_961_000_000
    assert not reader.naive
    assert reader("2004-04-15 14:56:01") == 1_082_040_961_000_000
    assert reader.naive


@pytest.mark.parametrize(
    ("unit", "text", "reason"),
    [
        (TimeUnit.SECONDS, "-1", "the time is negative, before 1970: '-1'"),
        (TimeUnit.SECONDS, "-1e300", "negative"),
        (TimeUnit.SECONDS, "nan", "the time must be a finite number, got 'nan'"),
        (TimeUnit.SECONDS, "NaN", "a finite number"),
        (TimeUnit.SECONDS, "inf", "a finite number"),
        (TimeUnit.SECONDS, "1e999", "a finite number"),
        (TimeUnit.SECONDS, "1_0", "a finite number"),
        (TimeUnit.SECONDS, "٣", "a finite number"),
        (TimeUnit.SECONDS, "soon", "a finite number"),
        (TimeUnit.SECONDS, "2004-04-15", "the time is ISO 8601, those of this input are Unix seconds"),
        (TimeUnit.SECONDS, "", "no time"),
        (TimeUnit.SECONDS, " ", "no time"),
        (TimeUnit.SECONDS, "253402300799", "in the future: '253402300799' as Unix seconds is 9999-12-31T23:59:59Z"),
        (TimeUnit.SECONDS, "1" * 5_000, "a finite number"),
        (TimeUnit.SECONDS, "9" * 18, "beyond the year 9999"),
        (TimeUnit.MICROSECONDS, str(LATEST + 1), "in the future"),
        (TimeUnit.ISO, "9999-12-31T23:59:59Z", "the time is in the future: '9999-12-31T23:59:59Z'"),
        (TimeUnit.ISO, "0001-01-01T00:00:00+14:00", "negative"),
        (TimeUnit.ISO, "1969-12-31T23:59:59Z", "negative"),
        (TimeUnit.ISO, "2004-02-30", "the time must be ISO 8601, got '2004-02-30'"),
        (TimeUnit.ISO, "5", "must be ISO 8601"),
        (TimeUnit.ISO, "", "no time"),
    ],
)
def test_a_bad_time_is_refused_with_its_reason(unit, text, reason):
    reader = TimeReader(unit, LATEST)
    for _ in range(2):  # also when it comes twice in a row
        with pytest.raises(ValueError, match=r"the time|no time") as caught:
            reader(text)
        assert reason in str(caught.value)
        assert len(str(caught.value)) < 160


def test_a_refused_time_does_not_disturb_the_next():
    reader = TimeReader(TimeUnit.SECONDS, LATEST)
    assert reader("5") == 5_000_000
    with pytest.raises(ValueError, match="negative"):
        reader("-5")
    assert reader("5") == 5_000_000
    assert reader("6") == 6_000_000


def test_the_latest_instant_passes():
    assert TimeReader(TimeUnit.MICROSECONDS, LATEST)(str(LATEST)) == LATEST


def test_single_texts_are_recognised_one_by_one():
    assert instant_of_text("1082040961") == instant_of_text("1082040961000") == instant_of_text("2004-04-15T14:56:01Z")
    assert instant_of_text("253402300799") == 253_402_300_799_000_000
    with pytest.raises(ValueError, match="ISO 8601"):
        instant_of_text("yesterday")
