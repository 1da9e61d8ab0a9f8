"""DistinctWindow beside a list of events."""

from __future__ import annotations

import copy
import gc
import pickle
import re
import time
import weakref
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from models.distinct_window import DistinctWindowModel
from models.hashing import sealed

from engagehub_core import DistinctWindow, HyperLogLog, TotalWindow
from engagehub_core.errors import Corrupted, Incompatible, InvalidArgument, InvalidType

FORMAT_PAGE = Path(__file__).parents[2] / "docs/formats/distinct-window.md"
NOW = 1_700_000_000


def estimate_of(members, p):
    sketch = HyperLogLog(p)
    sketch.update(sorted(members))
    return sketch.estimate()


class BesideModel(RuleBasedStateMachine):
    """A window that is fed in any order, and asked about any instant, beside a recount."""

    def __init__(self):
        super().__init__()
        self.now = 0

    @initialize(buckets=st.integers(1, 6), resolution=st.sampled_from([1, 7, 60]))
    def create(self, buckets, resolution):
        self.buckets, self.resolution = buckets, resolution
        self.window = DistinctWindow(buckets * resolution, resolution, p=5, max_skew=None)
        self.model = DistinctWindowModel(buckets, resolution)

    @rule(seconds=st.integers(0, 200))
    def wait(self, seconds):
        self.now += seconds

    @rule(member=st.integers(0, 40), late=st.integers(-30, 400))
    def add(self, member, late):
        assert self.window.add(member, at=self.now - late) == self.model.add(member, self.now - late)

    @rule(events=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 100)), max_size=40))
    def update(self, events):
        counted = self.window.update([member for member, _ in events], at=[self.now - late for _, late in events])
        assert counted == sum(self.model.add(member, self.now - late) for member, late in events)

    @rule()
    def reread(self):
        read = DistinctWindow.from_bytes(self.window.to_bytes(), max_skew=None)
        assert read == self.window
        self.window = read

    @rule(length=st.integers(1, 360), offset=st.integers(-500, 500))
    def ask(self, length, offset):
        length = min(length, self.buckets * self.resolution)
        interval = self.window.interval(length, at=self.now + offset)
        assert interval == self.model.interval(length, self.now + offset)
        assert self.window.estimate(length, at=self.now + offset) == estimate_of(self.model.members(interval), 5)

    @invariant()
    def counts_late(self):
        if hasattr(self, "window"):
            assert self.window.late == self.model.late


BesideModel.TestCase.settings = settings(max_examples=50, stateful_step_count=25, deadline=None)
test_beside_model = BesideModel.TestCase


def test_a_recount_of_the_interval_is_the_estimate_up_to_its_error():
    window = DistinctWindow("24h", clock=lambda: NOW, max_skew=None)
    events = [(member, NOW - member * 4) for member in range(20_000)]
    window.update([member for member, _ in events], at=[at for _, at in events])
    for length in ("1h", "6h", "24h"):
        start, end = window.interval(length)
        truth = sum(start <= at < end for _, at in events)
        low, high = window.bounds(length, sigma=4)
        assert low <= truth <= high
        estimate, low, high = window.answer(length)
        assert (low, high) == window.bounds(length)
        assert estimate == window.estimate(length)


@pytest.mark.parametrize(
    ("span", "resolution"),
    [("30d", 86_400), ("24d", 86_400), ("7d", 3600), ("24h", 3600), ("23h", 60), ("1h", 60), ("5m", 1), (3, 1)],
)
def test_the_resolution_that_is_chosen_gives_at_least_24_buckets(span, resolution):
    window = DistinctWindow(span)
    assert window.resolution == resolution
    assert window.span >= 1
    assert window.p == 14


def test_durations_come_in_every_form():
    window = DistinctWindow(timedelta(hours=2), 60, max_skew="1m", clock=lambda: NOW)
    assert (window.span, window.resolution, window.max_skew) == (7200.0, 60.0, 60.0)
    assert DistinctWindow("90m", "1h").span == 7200.0
    window.add("ada")
    assert (
        window.estimate(timedelta(minutes=1))
        == window.estimate("1m")
        == window.estimate(60)
        == pytest.approx(1, abs=0.01)
    )
    for bad in ("3h", 0, -1, "soon", 7201):
        with pytest.raises(InvalidArgument, match="window must be"):
            window.estimate(bad)


@pytest.mark.parametrize("kind", [DistinctWindow, TotalWindow])
@pytest.mark.parametrize(
    ("span", "resolution"),
    [("36525d", "36524d"), ("36525d", "36525d"), ("90m", "1h"), (1e-6, 1), (100_000 * 7e-6 - 3e-6, "7us")],
)
def test_a_span_that_was_rounded_up_can_be_asked_for(kind, span, resolution):
    window = kind(span, resolution, max_skew=None)
    for length in (window.span, timedelta(seconds=window.span), f"{round(window.span * 1e6)}us"):
        assert window.interval(length, at=0) == window.interval(at=0)
        assert window.series(length, at=0) == window.series(at=0)
    ask = window.estimate if kind is DistinctWindow else window.total
    assert ask(window.span, at=0) == ask(at=0) == 0
    with pytest.raises(InvalidArgument, match="window must be positive and at most the span"):
        window.interval(window.span + 1, at=0)


def test_buckets_are_multiples_of_the_resolution_also_before_the_epoch():
    window = DistinctWindow("3h", "1h", max_skew=None)
    assert window.interval("1h", at=-1) == (-3600.0, 0.0)
    assert window.interval("1h", at=0) == (0.0, 3600.0)
    assert window.interval("61m", at=datetime(1970, 1, 1, 1, tzinfo=UTC)) == (0.0, 7200.0)
    window.add("ada", at=-3601)
    assert window.interval(at=3599) == (-7200.0, 3600.0)
    assert round(window.estimate(at=3599)) == 1


def test_a_stamp_too_far_ahead_of_the_clock_is_refused():
    now = [NOW]
    window = DistinctWindow("24h", clock=lambda: now[0])
    window.add("ada", at=NOW + 300)
    before = window.copy()
    for at in (NOW + 301, NOW * 1000 // 10, datetime(9999, 1, 1, tzinfo=UTC)):
        with pytest.raises(InvalidArgument, match="max_skew"):
            window.add("bob", at=at)
        with pytest.raises(InvalidArgument, match="max_skew"):
            window.update(["bob", "cy"], at=[NOW, at])
        with pytest.raises(InvalidArgument, match="max_skew"):
            window.update(["bob", "cy"], at=at)
    assert window == before
    now[0] += 1
    assert window.add("bob", at=NOW + 301)


def test_a_window_that_trusts_stamps_asks_no_clock():
    window = DistinctWindow("24h", max_skew=None, clock=lambda: 1 / 0)
    assert window.add("ada", at=1)
    assert window.update(["bob"], at=[2]) == 1
    assert window.answer("1h", at=2)[0] == pytest.approx(2, abs=0.01)
    for asks in (lambda: window.add("cy"), lambda: window.update(["cy"]), window.estimate):
        with pytest.raises(ZeroDivisionError):
            asks()


def test_late_members_are_counted_as_such():
    window = DistinctWindow("3h", "1h", max_skew=None)
    window.add("ada", at=10_000)
    before = window.estimate(at=10_000)
    assert window.add("bob", at=-3601) is False
    assert window.update(["cy", "dee", "eve"], at=[10_000, -4000, 0]) == 2
    assert window.late == 2
    assert window.estimate(at=10_000) == pytest.approx(before + 2, abs=0.02)
    window.clear()
    assert window == DistinctWindow("3h", "1h")
    assert window.late == 0


@pytest.mark.parametrize("member", [True, None, 1.5, 2**63, "\ud800"])
def test_a_bad_member_is_refused_and_changes_nothing(member):
    window = DistinctWindow("24h", max_skew=None)
    window.add(1, at=0)
    before = window.copy()
    with pytest.raises((InvalidType, InvalidArgument), match="member"):
        window.add(member, at=0)
    with pytest.raises((InvalidType, InvalidArgument), match="members"):
        window.update([2, member], at=0)
    with pytest.raises(InvalidType, match="member must be int as all before it, got str"):
        window.add("ada", at=0)
    assert window == before


@pytest.mark.parametrize(
    "arguments",
    [
        {"span": 0},
        {"span": "200001s", "resolution": 1},
        {"span": "1h", "resolution": 0},
        {"span": "1h", "p": 3},
        {"span": "1h", "max_skew": -1},
    ],
)
def test_arguments_out_of_range_are_refused(arguments):
    with pytest.raises(InvalidArgument):
        DistinctWindow(**arguments)


def test_merge_gives_the_window_of_all_events():
    windows = [DistinctWindow("10m", "1m", p=p, max_skew=None) for p in (6, 5)]
    direct = DistinctWindow("10m", "1m", p=5, max_skew=None)
    for member in range(300):
        windows[member % 2].add(member, at=member * 2)
        direct.add(member, at=member * 2)
    one, two = windows
    merged = one.copy()
    merged.merge(two)
    two.merge(one)
    assert merged == two == direct
    texts = DistinctWindow("10m", "1m", max_skew=None)
    texts.add("ada", at=0)
    for other in (DistinctWindow("10m", "30s"), DistinctWindow("11m", "1m"), texts):
        with pytest.raises(Incompatible):
            merged.merge(other)
    with pytest.raises(InvalidType, match="DistinctWindow"):
        merged.merge(HyperLogLog())
    assert merged == direct


def test_copies_are_equal_and_independent():
    window = DistinctWindow("24h", max_skew=60, clock=time.time)
    window.add("ada")
    for twin in (window.copy(), copy.copy(window), copy.deepcopy(window), pickle.loads(pickle.dumps(window))):
        assert type(twin) is DistinctWindow
        assert twin == window
        assert (twin.max_skew, twin.clock) == (60.0, time.time)
        twin.add("bob")
        assert twin != window
    assert DistinctWindow.from_bytes(window.to_bytes()).max_skew == 300.0
    trusting = pickle.loads(pickle.dumps(DistinctWindow("24h", max_skew=None)))
    assert trusting.max_skew is None
    with pytest.raises(TypeError):
        hash(window)
    assert repr(window) == "<DistinctWindow span=86400s resolution=3600s p=14 late=0>"


def test_series_has_the_estimate_of_each_bucket():
    window = DistinctWindow("4h", "1h", max_skew=None)
    window.update(range(50), at=0)
    window.update([7, 8], at=7200)
    assert window.series(at=3 * 3600) == [window.estimate("1h", at=hour * 3600) for hour in range(4)]
    assert [round(members) for members in window.series("2h", at=7200)] == [0, 2]


@pytest.mark.parametrize("buckets", [60, 24, 31])
def test_few_members_take_little_and_many_no_more_than_they_may(buckets):
    window = DistinctWindow(buckets, 1, max_skew=None)
    lengths = range(1, buckets + 1)
    for bucket in range(buckets):  # the same hundred in each
        window.update(range(100), at=bucket)
        for length in lengths:
            window.estimate(length, at=bucket)
        assert window.nbytes < 8192
    assert window.estimate(at=buckets - 1) == estimate_of(range(100), 14)
    for second in range(buckets):
        window.update(range(second * 5_000, second * 5_000 + 8_000), at=second)
    for length in lengths:
        window.estimate(length, at=buckets - 1)
    assert buckets * 2**14 < window.nbytes <= 2 * 2**20
    for bucket in range(2 * buckets, 3 * buckets):  # none but the hundred are left
        window.update(range(100), at=bucket)
        window.estimate(at=bucket)
    assert window.nbytes < 8192
    assert window.estimate(at=3 * buckets - 1) == estimate_of(range(100), 14)


def test_unions_that_are_kept_grow_with_events_in_any_order():
    window = DistinctWindow(60, 1, p=10, max_skew=None)
    window.update([i % 2_000 for i in range(60_000)], at=[i % 60 for i in range(60_000)])
    for member in range(10_000, 10_600):
        window.add(member, at=member % 60)
        for length, at in ((60, 59), (7, 59), (13, 30), (1 + member % 60, 59)):
            fresh = DistinctWindow.from_bytes(window.to_bytes()) if member % 50 == 0 else window.copy()
            assert window.answer(length, at=at) == fresh.answer(length, at=at)


@pytest.mark.parametrize(
    "arguments", [{}, {"ints": "decimal"}, {"hash": "postgresql"}, {"key": bytes(range(16))}], ids=str
)
def test_members_are_known_by_the_hash_that_was_chosen(arguments):
    window = DistinctWindow("1h", p=6, max_skew=None, **arguments)
    sketch = HyperLogLog(6, **arguments)
    window.update(range(200), at=0)
    sketch.update(range(200))
    assert window.estimate(at=0) == sketch.estimate()
    assert (window.hash, window.ints) == (sketch.hash, sketch.ints)
    for twin in (window.copy(), pickle.loads(pickle.dumps(window))):
        assert twin == window
        twin.merge(window)
        assert twin == window
    key = arguments.get("key")
    data = window.to_bytes()
    assert DistinctWindow.from_bytes(data, key) == window
    assert key is None or key not in data
    for other in ({}, {"ints": "decimal"}, {"hash": "postgresql"}, {"key": bytes(16)}):
        if other != arguments:
            with pytest.raises(Incompatible, match="hash"):
                window.merge(DistinctWindow("1h", p=6, **other))
    with pytest.raises(Incompatible, match="key"):
        DistinctWindow.from_bytes(data, bytes(16))


@pytest.mark.parametrize(
    "arguments",
    [
        {"hash": "md5"},
        {"ints": "text"},
        {"key": b"short"},
        {"hash": "postgresql", "key": bytes(16)},
        {"hash": 3},
        {"key": 3},
    ],
    ids=str,
)
def test_hashes_that_there_arent_are_refused(arguments):
    with pytest.raises((InvalidArgument, InvalidType), match=next(iter(arguments)) + "|key"):
        DistinctWindow("1h", **arguments)


def test_the_first_version_of_the_format_is_read():
    (first,) = re.findall(r"^\| 1 \| `([0-9a-f]+)` \|$", FORMAT_PAGE.read_text(), re.MULTILINE)
    window = DistinctWindow.from_bytes(bytes.fromhex(first))
    assert (window.span, window.late, window.hash) == (7200.0, 1, "redis")
    assert [round(members) for members in window.series(at=7200)] == [1, 1]
    assert DistinctWindow.from_bytes(window.to_bytes()) == window


def test_a_clock_that_refers_back_is_collected():
    class Owner:
        def __init__(self):
            self.window = DistinctWindow("24h", clock=self.now)

        def now(self):
            return 0.0

    owner = weakref.ref(Owner())
    gc.collect()
    assert owner() is None


def test_every_truncation_and_every_turned_bit_is_refused():
    window = DistinctWindow("2h", "1h", p=4, max_skew=None)
    window.update(["ada", "bob", "cy"], at=[3600, 7200, 0])
    data = window.to_bytes()
    assert data.hex() in FORMAT_PAGE.read_text()
    assert DistinctWindow.from_bytes(data) == window
    for size in range(len(data)):
        with pytest.raises(Corrupted):
            DistinctWindow.from_bytes(data[:size])
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises((Corrupted, Incompatible)):
            DistinctWindow.from_bytes(damaged)
    with pytest.raises(Corrupted):
        DistinctWindow.from_bytes(sealed(data[:-4] + b"\x00"))
