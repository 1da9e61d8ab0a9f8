"""TopK beside the exact decayed weights."""

from __future__ import annotations

import copy
import gc
import pickle
import random
import time
import weakref
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from models.hashing import sealed
from models.top_k import DecayedCounts

from engagehub_core import TopK
from engagehub_core.errors import Corrupted, Incompatible, InvalidArgument, InvalidType
from engagehub_core.sketches import Row

FORMAT_PAGE = Path(__file__).parents[2] / "docs/formats/top-k.md"
YEAR = 31_557_600
HALF_LIVES = [None, 1, 3600, 86_400 * 7, 10 * YEAR]


def check(trends, model, at):
    items = set(model.events) | {"never seen"}
    for item in items:
        truth = model.truth(item, at)
        estimate, low, high = trends.answer(item, at)
        # 60 digits in the model: its own error is nothing.
        assert Decimal(low) <= truth * (1 + Decimal("1e-50"))
        assert Decimal(high) >= truth * (1 - Decimal("1e-50"))
        assert low <= estimate <= high
        if low == high:
            assert Decimal(estimate) == truth
        assert trends.estimate(item, at) == estimate
        assert trends.bounds(item, at) == (low, high)
    rows = trends.top(trends.k, at)
    assert len(rows) == len(trends) == min(trends.k, len(model.events))
    assert rows == sorted(rows, key=lambda row: (-row.estimate, row.item))
    for row in rows:
        assert row[1:] == trends.answer(row.item, at)


class BesideModel(RuleBasedStateMachine):
    """Two small sketches, so that items collide and are displaced, through decades, beside the exact weights."""

    def __init__(self):
        super().__init__()
        self.now = 0

    @initialize(half_life=st.sampled_from(HALF_LIVES), k=st.integers(1, 5), width=st.integers(1, 6))
    def create(self, half_life, k, width):
        self.half_life = half_life
        self.pair = [(TopK(k, half_life=half_life, width=width, depth=2), DecayedCounts(half_life)) for _ in range(2)]

    @rule(seconds=st.one_of(st.integers(0, 10), st.integers(0, 100_000), st.integers(0, 5 * YEAR)))
    def wait(self, seconds):
        self.now = min(self.now + seconds, 100 * YEAR)

    @rule(which=st.integers(0, 1), item=st.integers(0, 15).map(str), weight=st.integers(0, 5), late=st.integers(0, 50))
    def add(self, which, item, weight, late):
        sketch, model = self.pair[which]
        sketch.add(item, weight, at=self.now - late)
        model.add(item, weight, self.now - late)

    @rule(
        which=st.integers(0, 1),
        items=st.lists(st.tuples(st.integers(0, 15).map(str), st.integers(1, 3), st.integers(0, 9)), max_size=15),
    )
    def update(self, which, items):
        sketch, model = self.pair[which]
        sketch.update([i for i, _, _ in items], [w for _, w, _ in items], at=[self.now - late for _, _, late in items])
        for item, weight, late in items:
            model.add(item, weight, self.now - late)

    @rule(into=st.integers(0, 1))
    def merge(self, into):
        (sketch, model), (other, other_model) = self.pair[into], self.pair[1 - into]
        total = sum(len(events) for events in model.events.values()) + sum(
            len(events) for events in other_model.events.values()
        )
        if total < 400:
            sketch.merge(other)
            model.merge(other_model)

    @rule(which=st.integers(0, 1))
    def reread(self, which):
        sketch, model = self.pair[which]
        read = TopK.from_bytes(sketch.to_bytes())
        assert read == sketch
        self.pair[which] = (read, model)

    @invariant()
    def holds(self):
        if hasattr(self, "pair"):
            for sketch, model in self.pair:
                for item in model.events:
                    assert (
                        Decimal(sketch.bounds(item, self.now)[0])
                        <= model.truth(item, self.now)
                        <= Decimal(sketch.bounds(item, self.now)[1])
                    )

    def teardown(self):
        if hasattr(self, "pair"):
            for sketch, _ in self.pair:
                rows = sketch.top(100, self.now)
                assert rows == sorted(rows, key=lambda row: (-row.estimate, row.item))


BesideModel.TestCase.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
test_beside_model = BesideModel.TestCase


@pytest.mark.parametrize("half_life", HALF_LIVES)
def test_bounds_hold_through_a_century(half_life):
    seeded = random.Random(7)
    trends, model = TopK(6, half_life=half_life, width=8, depth=2), DecayedCounts(half_life)
    now = -50 * YEAR
    for _ in range(120):
        now += seeded.choice([0, 1, 60, 3600, 86_400, YEAR])
        item = str(int(20 ** seeded.random()))
        weight = seeded.choice([1, 0.1, 3.7])
        trends.add(item, weight, at=now)
        model.add(item, weight, now)
    check(trends, model, now)
    check(trends, model, now + 10_000)


def test_counts_are_exact_while_everybody_has_a_place():
    trends = TopK(10)
    trends.update(["a", "b", "a", "c", "a", "b"], 2)
    assert trends.top() == [Row("a", 6.0, 6.0, 6.0), Row("b", 4.0, 4.0, 4.0), Row("c", 2.0, 2.0, 2.0)]
    assert trends.top(1) == [Row("a", 6.0, 6.0, 6.0)]
    assert trends.top(0) == []
    assert trends.answer("d") == (0.0, 0.0, 0.0)
    assert trends.half_life is None


def test_a_displaced_item_keeps_its_upper_bound():
    trends = TopK(1, width=512)
    trends.add("a", 5)
    trends.add("b", 4)
    assert trends.answer("b") == (4.0, 0.0, 4.0)
    trends.add("b", 2)
    # b came among the k with this addition; what it had before is only bounded from above.
    assert trends.top() == [Row("b", 6.0, 2.0, 6.0)]
    assert trends.answer("a") == (5.0, 0.0, 5.0)


def test_weights_halve_with_every_half_life():
    trends = TopK(5, half_life="1h")
    trends.add("general", 8, at=0)
    assert [trends.estimate("general", at=3600 * i) for i in range(4)] == [8.0, 4.0, 2.0, 1.0]
    trends.add("help", 8, at=7200)
    # No answer is from before the newest event.
    assert trends.estimate("general", at=0) == 2.0
    # A late event counts with what is left of it.
    trends.add("help", 8, at=3600)
    assert trends.estimate("help", at=7200) == 12.0
    assert trends.half_life == 3600.0


def test_equal_estimates_are_ordered_by_item():
    trends = TopK(5)
    trends.update([3, -7, 12, 0])
    assert [row.item for row in trends.top()] == [-7, 0, 3, 12]
    texts = TopK(5)
    texts.update(["z", "é", "a", "Z"])
    assert [row.item for row in texts.top()] == ["Z", "a", "z", "é"]


def test_items_come_back_as_text_or_as_bytes_that_are_none():
    trends = TopK(5)
    trends.update([b"caf\xc3\xa9", b"\xff", "nul\0"])
    assert {row.item for row in trends.top()} == {"café", b"\xff", "nul\0"}


def test_the_clock_is_asked_only_where_it_matters():
    calls = []

    def clock():
        calls.append(1)
        return 3600.0

    plain = TopK(5, clock=clock)
    plain.add("a")
    plain.top()
    assert not calls
    trends = TopK(5, half_life="1h", clock=clock, max_skew=None)
    trends.add("a", 2, at=0)
    assert not calls
    assert trends.estimate("a") == 1.0
    trends.add("a")
    trends.update(["a"])
    assert len(calls) == 3
    assert TopK(5, half_life="1h", clock=lambda: datetime(1970, 1, 1, tzinfo=UTC)).top() == []


def test_a_failing_clock_changes_nothing():
    trends = TopK(5, half_life="1h", clock=lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        trends.add("a")
    trends = TopK(5, half_life="1h", clock=lambda: "now")
    with pytest.raises(InvalidType, match="clock"):
        trends.add("a")
    assert len(trends) == 0
    with pytest.raises(InvalidType, match="clock must be callable"):
        TopK(clock=3)


def test_a_clock_that_refers_back_is_collected():
    class Owner:
        def __init__(self):
            self.trends = TopK(5, half_life="1h", width=8, clock=self.now)

        def now(self):
            return 0.0

    owner = weakref.ref(Owner())
    gc.collect()
    assert owner() is None


@pytest.mark.parametrize("weight", [-1, float("nan"), float("inf"), True, None, "1", 2**53 + 2, 10**400])
def test_a_bad_weight_is_refused_and_changes_nothing(weight):
    trends = TopK(5)
    trends.add("a")
    before = trends.copy()
    with pytest.raises((InvalidArgument, InvalidType), match="weight"):
        trends.add("a", weight)
    with pytest.raises((InvalidArgument, InvalidType), match="weights"):
        trends.update(["a", "b"], [1, weight])
    assert trends == before
    trends.add("new", 0)
    assert trends == before


@pytest.mark.parametrize("at", [float("nan"), float("inf"), 1e18, datetime(2026, 1, 1), "now", True])
def test_a_bad_instant_is_refused_and_changes_nothing(at):
    trends = TopK(5, half_life="1h")
    for refused in (
        lambda: trends.add("a", at=at),
        lambda: trends.update(["a"], at=at),
        lambda: trends.top(at=at),
        lambda: trends.estimate("a", at),
    ):
        with pytest.raises((InvalidArgument, InvalidType), match="at"):
            refused()
    assert trends == TopK(5, half_life="1h")


def test_half_life_takes_durations():
    assert TopK(half_life=timedelta(minutes=1)).half_life == 60.0
    assert TopK(half_life=0.5).half_life == 0.5
    for bad in (0, -1, "soon", float("nan")):
        with pytest.raises(InvalidArgument, match="half_life"):
            TopK(half_life=bad)
    for bad in ({"k": 0}, {"k": 2**20 + 1}, {"k": -1}, {"width": 0}, {"depth": 65}):
        with pytest.raises(InvalidArgument):
            TopK(**bad)
    with pytest.raises(InvalidArgument, match="n must be"):
        TopK().top(-1)


def test_merge_needs_the_same_sketch():
    trends = TopK(5, half_life="1h")
    trends.add("a", at=0)
    ints = TopK(5, half_life="1h")
    ints.add(1, at=0)
    for other in (TopK(6, half_life="1h"), TopK(5), TopK(5, half_life="2h"), TopK(5, half_life="1h", width=9), ints):
        with pytest.raises(Incompatible):
            trends.merge(other)
    with pytest.raises(InvalidType, match="TopK"):
        trends.merge(None)
    assert trends.top(at=0) == [Row("a", *trends.answer("a", 0))]
    with pytest.raises(InvalidType):
        trends.estimate(1)


@given(st.lists(st.lists(st.integers(0, 30), max_size=60), min_size=2, max_size=3), st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_merged_bounds_hold(streams, k):
    merged, model = TopK(k, width=6, depth=2), DecayedCounts(None)
    for stream in streams:
        part = TopK(k, width=6, depth=2)
        part.update(stream)
        merged.merge(part)
        for item in stream:
            model.add(item, 1, 0)
    for item in range(31):
        _, low, high = merged.answer(item)
        assert low <= model.truth(item, 0) <= high


def test_copies_are_equal_and_independent():
    trends = TopK(5, half_life="1h", width=16, clock=time.monotonic)
    trends.add("a", at=0)
    for twin in (
        trends.copy(),
        copy.copy(trends),
        copy.deepcopy(trends),
        pickle.loads(pickle.dumps(trends)),
        TopK.from_bytes(trends.to_bytes()),
    ):
        assert type(twin) is TopK
        assert twin == trends
        twin.add("a", at=0)
        assert twin != trends
    assert pickle.loads(pickle.dumps(trends)).clock is time.monotonic
    with pytest.raises(TypeError):
        hash(trends)
    trends.clear()
    assert trends == TopK(5, half_life="1h", width=16)
    trends.add(1, at=0)
    assert repr(trends) == "<TopK k=5 half_life=3600.0 len=1>"


def test_every_truncation_and_every_turned_bit_is_refused():
    trends = TopK(2, half_life=1, width=3, depth=1)
    trends.update(["general", "help", "off"], [3, 1, 0.5], at=[0, 1, 1])
    data = trends.to_bytes()
    assert data.hex() in FORMAT_PAGE.read_text()
    for size in range(len(data)):
        with pytest.raises(Corrupted):
            TopK.from_bytes(data[:size])
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises((Corrupted, Incompatible)):
            TopK.from_bytes(damaged)
    with pytest.raises(Corrupted):
        TopK.from_bytes(sealed(data[:-4] + b"\x00"))


def test_a_stamp_too_far_ahead_of_the_clock_is_refused():
    trends = TopK(5, half_life="1h", clock=lambda: 1_000, max_skew="1m")
    trends.add("a", at=1_060)
    for refused in (lambda: trends.add("b", at=1_061), lambda: trends.update(["b", "b"], at=[0, 250_000_000_000])):
        with pytest.raises(InvalidArgument, match="max_skew"):
            refused()
    assert [row.item for row in trends.top(at=1_060)] == ["a"]
    assert trends.copy().max_skew == pickle.loads(pickle.dumps(TopK(5, max_skew=60))).max_skew == 60.0
    TopK(5, half_life="1h", clock=lambda: 0, max_skew=None).add("a", at=250_000_000_000)
