"""TotalWindow beside a list of events."""

from __future__ import annotations

import array
import copy
import gc
import math
import pickle
import time
import weakref
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from models.hashing import sealed
from models.total_window import TotalWindowModel

from engagehub_core import DistinctWindow, TotalWindow
from engagehub_core.errors import Corrupted, Incompatible, InvalidArgument, InvalidType

FORMAT_PAGE = Path(__file__).parents[2] / "docs/formats/total-window.md"
NOW = 1_700_000_000

# Floats with no bit below the last one that a sum keeps.
VALUES = st.integers(-(2**63), 2**63 - 1) | st.integers(-(2**40), 2**40).map(lambda number: number / 1024)


class BesideModel(RuleBasedStateMachine):
    """A window that is fed in any order, and asked about any instant, beside a recount."""

    def __init__(self):
        super().__init__()
        self.now = 0

    @initialize(buckets=st.integers(1, 6), resolution=st.sampled_from([1, 7, 60]))
    def create(self, buckets, resolution):
        self.buckets, self.resolution = buckets, resolution
        self.window = TotalWindow(buckets * resolution, resolution, max_skew=None)
        self.model = TotalWindowModel(buckets, resolution)

    @rule(seconds=st.integers(0, 200))
    def wait(self, seconds):
        self.now += seconds

    @rule(value=VALUES, late=st.integers(-30, 400))
    def add(self, value, late):
        assert self.window.add(value, at=self.now - late) == self.model.add(value, self.now - late)

    @rule(events=st.lists(st.tuples(VALUES, st.integers(0, 100)), max_size=20))
    def update(self, events):
        counted = self.window.update([value for value, _ in events], at=[self.now - late for _, late in events])
        assert counted == sum(self.model.add(value, self.now - late) for value, late in events)

    @rule()
    def reread(self):
        read = TotalWindow.from_bytes(self.window.to_bytes(), max_skew=None)
        assert read == self.window
        self.window = pickle.loads(pickle.dumps(read.copy()))

    @rule(length=st.integers(1, 360), offset=st.integers(-500, 500))
    def ask(self, length, offset):
        length, at = min(length, self.buckets * self.resolution), self.now + offset
        start, end = self.window.interval(length, at=at)
        expected = self.model.total((start, end))
        total = self.window.total(length, at=at)
        assert (total, type(total)) == (expected, type(expected))
        assert self.window.count(length, at=at) == len(self.model.values((start, end)))
        parts = [
            self.model.total((each, each + self.resolution)) for each in range(int(start), int(end), self.resolution)
        ]
        assert self.window.series(length, at=at) == parts

    @invariant()
    def counts_late(self):
        if hasattr(self, "window"):
            assert self.window.late == self.model.late


BesideModel.TestCase.settings = settings(max_examples=50, stateful_step_count=25, deadline=None)
test_beside_model = BesideModel.TestCase


@given(st.lists(VALUES, max_size=30), st.randoms())
def test_the_order_of_events_and_of_merges_changes_no_bit(values, random):
    events = [(value, index % 5) for index, value in enumerate(values)]
    windows = []
    for _ in range(2):
        random.shuffle(events)
        cut = random.randint(0, len(events))
        parts = [TotalWindow("10s", 1, max_skew=None) for _ in range(2)]
        for part, chosen in zip(parts, (events[:cut], events[cut:]), strict=True):
            part.update([value for value, _ in chosen], at=[at for _, at in chosen])
        random.shuffle(parts)
        parts[0].merge(parts[1])
        windows.append(parts[0])
    assert windows[0] == windows[1]
    assert windows[0].to_bytes() == windows[1].to_bytes()


def test_an_event_is_one_unless_it_says_more():
    window = TotalWindow("24h", clock=lambda: NOW)
    assert window.add()
    assert window.add(3)
    assert window.add(at=NOW - 3600)
    assert window.add(value=2.5, at=NOW)
    assert (window.total("1h"), window.count("1h")) == (6.5, 3)
    assert (window.total(), window.count()) == (7.5, 4)
    assert window.total("1h", at=NOW - 3600) == 1
    assert (window.total(at=NOW + 86_400 * 3), window.count(at=NOW + 86_400 * 3)) == (0, 0)


def test_sums_of_ints_are_ints_of_any_size():
    window = TotalWindow("1h", max_skew=None)
    window.update([2**63 - 1] * 5, at=0)
    assert window.total(at=0) == 5 * (2**63 - 1)
    window.update([-(2**63)] * 11, at=0)
    assert window.total(at=0) == 5 * (2**63 - 1) - 11 * 2**63
    assert window.series("1m", at=0) == [window.total("1m", at=0)]
    assert type(TotalWindow("1h").total()) is int
    assert type(window.total(at=0)) is int


def test_sums_of_floats_are_rounded_once():
    window = TotalWindow("1h", max_skew=None)
    window.update([0.1] * 10, at=0)
    assert window.total(at=0) == 1.0
    window.update([1e17, 1.0, -1e17, 2.0**63, -(2.0**63)], at=0)
    assert window.total(at=0) == 2.0
    window.clear()
    window.add(1e-30, at=0)
    assert (window.total(at=0), type(window.total(at=0)), window.count(at=0)) == (0.0, float, 1)


@pytest.mark.parametrize(
    ("values", "total"),
    [
        (np.arange(5), 10),
        (np.arange(5, dtype=np.uint64), 10),
        (np.array([0.5, 0.25]), 0.75),
        (np.array([1, 2], dtype=np.int8), 3),
        (np.array([1.5], dtype=np.float32), 1.5),
        (array.array("q", [2**62, 2**62]), 2**63),
        (range(4), 6),
        ((1, 0.5), 1.5),
        ([np.int64(3), np.float64(0.5)], 3.5),
        ([], 0),
    ],
)
def test_batches_come_as_lists_and_arrays(values, total):
    window = TotalWindow("1h", max_skew=None)
    assert window.update(values, at=0) == len(values)
    assert (window.total(at=0), type(window.total(at=0))) == (total, type(total))


@pytest.mark.parametrize("value", [True, None, "1", 1j, 2**63, -(2**63) - 1, math.nan, math.inf, 1e19, -1e19])
def test_a_bad_value_is_refused_and_changes_nothing(value):
    window = TotalWindow("24h", max_skew=None)
    window.add(1, at=0)
    before = window.copy()
    with pytest.raises((InvalidType, InvalidArgument), match="value"):
        window.add(value, at=0)
    with pytest.raises((InvalidType, InvalidArgument), match="value"):
        window.update([2, value], at=0)
    assert window == before


@pytest.mark.parametrize(
    "values", [np.array([1.0, math.nan]), np.array([2**64 - 1], dtype=np.uint64), np.array([1e300]), "12", b"12", 5]
)
def test_a_bad_batch_is_refused_and_changes_nothing(values):
    window = TotalWindow("24h", max_skew=None)
    before = window.copy()
    with pytest.raises((InvalidType, InvalidArgument), match="value"):
        window.update(values, at=0)
    with pytest.raises(InvalidArgument, match="at must have 2 values"):
        window.update([1, 2], at=[0])
    assert window == before


def test_a_refusal_names_the_place_in_the_batch():
    window = TotalWindow("24h", max_skew=None)
    for values in ([1, 2.5, 3, 1e300], np.array([1, 2.5, 3, 1e300])):
        with pytest.raises(InvalidArgument, match=r"values\[3\] must be at most 2\^63 either way, got 1e\+300$"):
            window.update(values, at=0)
    with pytest.raises(InvalidArgument, match=r"value must be at most 2\^63 either way, got 1e\+300$"):
        window.add(1e300, at=0)
    with pytest.raises(InvalidType, match=r"values\[1\] must be int or float, got str"):
        window.update([1, "2"], at=0)


def test_arguments_out_of_range_are_refused():
    for arguments in ({"span": 0}, {"span": "200001s", "resolution": 1}, {"span": "1h", "max_skew": -1}):
        with pytest.raises(InvalidArgument):
            TotalWindow(**arguments)
    with pytest.raises(InvalidType, match="clock"):
        TotalWindow("1h", clock=3)
    window = TotalWindow(timedelta(hours=2), 60, max_skew="1m", clock=lambda: NOW)
    assert (window.span, window.resolution, window.max_skew) == (7200.0, 60.0, 60.0)
    assert TotalWindow("7d").resolution == 3600
    for ask in (window.total, window.count, window.series, window.interval):
        for bad in ("3h", 0, -1, "soon"):
            with pytest.raises(InvalidArgument, match="window must be"):
                ask(bad)


def test_a_stamp_too_far_ahead_of_the_clock_is_refused():
    window = TotalWindow("24h", clock=lambda: NOW)
    window.add(1, at=NOW + 300)
    before = window.copy()
    for at in (NOW + 301, datetime(9999, 1, 1, tzinfo=UTC)):
        with pytest.raises(InvalidArgument, match="max_skew"):
            window.add(1, at=at)
        with pytest.raises(InvalidArgument, match="max_skew"):
            window.update([1, 2], at=[NOW, at])
    assert window == before
    trusting = TotalWindow("24h", max_skew=None, clock=lambda: 1 / 0)
    assert trusting.add(1, at=10**10)
    with pytest.raises(ZeroDivisionError):
        trusting.add(1)


def test_late_events_are_counted_as_such():
    window = TotalWindow("3h", "1h", max_skew=None)
    window.add(5, at=10_000)
    assert window.add(7, at=-3601) is False
    assert window.update([1, 2, 3], at=[10_000, -4000, 0]) == 2
    assert (window.late, window.total(at=10_000), window.count(at=10_000)) == (2, 9, 3)
    window.clear()
    assert window == TotalWindow("3h", "1h")


def test_merge_gives_the_window_of_all_events():
    one, two, direct = (TotalWindow("10m", "1m", max_skew=None) for _ in range(3))
    for number in range(300):
        (one, two)[number % 2].add(number / 8, at=number * 2)
        direct.add(number / 8, at=number * 2)
    merged = one.copy()
    merged.merge(two)
    two.merge(one)
    assert merged == two == direct
    for other in (TotalWindow("10m", "30s"), TotalWindow("11m", "1m")):
        with pytest.raises(Incompatible):
            merged.merge(other)
    with pytest.raises(InvalidType, match="TotalWindow"):
        merged.merge(DistinctWindow("10m", "1m"))
    assert merged == direct


def test_copies_are_equal_and_independent():
    window = TotalWindow("24h", max_skew=60, clock=time.time)
    window.add(2)
    for twin in (window.copy(), copy.copy(window), copy.deepcopy(window), pickle.loads(pickle.dumps(window))):
        assert type(twin) is TotalWindow
        assert twin == window
        assert (twin.max_skew, twin.clock) == (60.0, time.time)
        twin.add(1)
        assert twin != window
    assert TotalWindow.from_bytes(window.to_bytes()).max_skew == 300.0
    assert window != "window"
    with pytest.raises(TypeError):
        hash(window)
    assert repr(window) == "<TotalWindow span=86400s resolution=3600s late=0>"


def test_a_window_says_what_it_takes():
    window = TotalWindow("1h", "1m", max_skew=None)
    empty = window.nbytes
    assert empty < 200
    window.update(range(600), at=range(0, 36_000, 60))
    assert empty + 60 * 80 <= window.nbytes < 8192


def test_a_clock_that_refers_back_is_collected():
    class Owner:
        def __init__(self):
            self.window = TotalWindow("24h", clock=self.now)

        def now(self):
            return 0.0

    owner = weakref.ref(Owner())
    gc.collect()
    assert owner() is None


def test_every_truncation_and_every_turned_bit_is_refused():
    window = TotalWindow("2h", "1h", max_skew=None)
    window.update([-3, 1, 0.5, 9], at=[3600, 7200, 7200, 0])
    data = window.to_bytes()
    assert data.hex() in FORMAT_PAGE.read_text()
    assert TotalWindow.from_bytes(data) == window
    for size in range(len(data)):
        with pytest.raises(Corrupted):
            TotalWindow.from_bytes(data[:size])
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises((Corrupted, Incompatible)):
            TotalWindow.from_bytes(damaged)
    with pytest.raises(Corrupted):
        TotalWindow.from_bytes(sealed(data[:-4] + b"\x00"))


def test_a_set_of_values_pairs_with_no_list_of_instants():
    window = TotalWindow("24h", "1h", max_skew=None)
    with pytest.raises(InvalidType, match="values must be a sequence or an array"):
        window.update({1, 2}, at=[0, 1])
    assert window.count(at=0) == 0
