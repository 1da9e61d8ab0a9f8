"""TopK beside the exact decayed weights."""

from __future__ import annotations

import copy
import gc
import pickle
import random
import re
import sys
import threading
import time
import weakref
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from models.growth import growth
from models.hashing import sealed
from models.top_k import DecayedCounts

from engagehub_core import TopK
from engagehub_core.errors import Corrupted, Incompatible, InvalidArgument, InvalidType
from engagehub_core.top_k import Growth, Row

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

    @initialize(
        half_life=st.sampled_from(HALF_LIVES), has_baseline=st.booleans(), k=st.integers(1, 4), width=st.integers(1, 6)
    )
    def create(self, half_life, has_baseline, k, width):
        baseline = half_life * 9 if half_life and has_baseline else None
        self.pair = [
            (TopK(k, half_life=half_life, baseline=baseline, width=width, depth=2), DecayedCounts(half_life))
            for _ in range(2)
        ]

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
            reverse = other.copy()
            reverse.merge(sketch)
            sketch.merge(other)
            assert sketch == reverse
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
                assert all(row.low <= row.estimate <= row.high for row in rows)
                if sketch.baseline is not None:
                    growing = sketch.growth(100, self.now)
                    assert growing == sorted(growing, key=lambda row: (-row.score, row.item))
                    assert len(growing) == len(rows)


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
    assert trends.top() == [Row("a", 5.0, 5.0, 5.0)]
    trends.add("c", 1)
    # Of two candidates b was the lower one. Nobody else is in the table, so what it says of b is b's.
    assert trends.answer("b") == (4.0, 0.0, 4.0)
    trends.add("b", 2)
    # Whoever comes is a candidate; what it had before is only bounded from above.
    assert trends.top() == [Row("b", 6.0, 2.0, 6.0)]
    assert trends.answer("a") == (5.0, 5.0, 5.0)


def test_the_estimate_leaves_out_what_strangers_left():
    trends = TopK(5, width=256)
    trends.update([f"passer-by {number}" for number in range(20_000)])
    trends.update(["late"] * 300)
    estimate, low, high = trends.answer("late")
    assert low == 300
    assert high > 310
    assert estimate < 310


def test_the_defaults_take_64_kib():
    trends = TopK()
    trends.update([f"a name of 23 bytes {number:04}" for number in range(10_000)])
    assert len(trends) == 100
    assert 60_000 < trends.nbytes <= 65_536
    assert TopK(half_life="1h", baseline="1d").nbytes > 2 * 2048 * 4 * 6
    before = trends.nbytes
    trends.update(["n" * 1_000] * 2)
    assert trends.nbytes == before + 1_000


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
    with_baseline = TopK(5, half_life="1h", baseline="2h")
    for other in (
        TopK(6, half_life="1h"),
        TopK(5),
        TopK(5, half_life="2h"),
        TopK(5, half_life="1h", width=9),
        with_baseline,
        ints,
    ):
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
    trends = TopK(1, half_life=1, width=3, depth=1)
    trends.update(["general", "help", "off"], [3, 1, 0.5], at=[0, 1, 1])
    grows = TopK(1, half_life=1, baseline=2, width=1, depth=1)
    grows.update([7, 8, -1], [1, 1, 2], at=[-2, 0, 0])
    for data in (trends.to_bytes(), grows.to_bytes()):
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


def test_the_first_version_is_read():
    (data,) = re.findall(r"`(4548544b01[0-9a-f]+)`", FORMAT_PAGE.read_text())
    trends = TopK.from_bytes(bytes.fromhex(data))
    assert trends.top(at=1) == [
        Row("general", 1.5, *trends.bounds("general", 1)),
        Row("help", 1.0, *trends.bounds("help", 1)),
    ]
    assert trends.bounds("off", 1)[1] >= 0.5
    assert (trends.k, trends.width, trends.depth, trends.half_life) == (2, 3, 1, 1.0)
    assert trends.to_bytes()[4] == 2
    assert TopK.from_bytes(trends.to_bytes()) == trends


def test_a_stamp_too_far_ahead_of_the_clock_is_refused():
    trends = TopK(5, half_life="1h", clock=lambda: 1_000, max_skew="1m")
    trends.add("a", at=1_060)
    for refused in (lambda: trends.add("b", at=1_061), lambda: trends.update(["b", "b"], at=[0, 250_000_000_000])):
        with pytest.raises(InvalidArgument, match="max_skew"):
            refused()
    assert [row.item for row in trends.top(at=1_060)] == ["a"]
    assert trends.copy().max_skew == pickle.loads(pickle.dumps(TopK(5, max_skew=60))).max_skew == 60.0
    TopK(5, half_life="1h", clock=lambda: 0, max_skew=None).add("a", at=250_000_000_000)


HOUR = 3600


@pytest.mark.parametrize("hours", [1, 30, 2_000])
def test_growth_is_that_of_exact_decayed_counts(hours):
    seeded = random.Random(hours)
    trends = TopK(30, half_life="1h", baseline="1d")
    recent, longer = DecayedCounts(HOUR), DecayedCounts(24 * HOUR)
    instants = [seeded.randrange(hours * HOUR) for _ in range(300)]
    for at in instants:
        item, weight = f"channel {int(30 ** seeded.random())}", seeded.choice([1, 2, 0.5])
        trends.add(item, weight, at=at)
        recent.add(item, weight, at)
        longer.add(item, weight, at)
    now = max(instants) + 120
    observed = now - min(instants)
    rows = trends.growth(30, at=now)
    assert {row.item for row in rows} == set(recent.events)
    assert rows == sorted(rows, key=lambda row: (-row.score, row.item))
    for row in rows:
        sums = float(recent.truth(row.item, now)), float(longer.truth(row.item, now))
        wanted = growth(*sums, HOUR, 24 * HOUR, observed)
        assert row[1:4] == pytest.approx(wanted[:3], rel=1e-7)
        assert row.score == pytest.approx(wanted[3], abs=1e-5)
    assert trends.growth(3, at=now) == rows[:3]


def test_growth_ranks_a_burst_and_a_newcomer_above_what_is_always_heavy():
    trends = TopK(10, half_life="1h", baseline="1d")
    for hour in range(24 * 10):
        trends.add("always", 100, at=hour * HOUR)
        trends.add("sometimes", 4, at=hour * HOUR)
    now = 24 * 10 * HOUR
    trends.add("sometimes", 40, at=now)
    trends.add("new", 40, at=now)
    trends.add("once", 1, at=now)
    order = [row.item for row in trends.growth(at=now)]
    assert order[:2] == ["new", "sometimes"]
    assert order[-1] == "always"
    rows = {row.item: row for row in trends.growth(at=now)}
    assert rows["new"].baseline == 0.0
    assert rows["new"].ratio > rows["sometimes"].ratio > 2
    assert rows["once"].score < 4
    assert rows["always"].score < 0


def test_growth_calls_nothing_new_while_everything_is():
    trends = TopK(10, half_life="1h", baseline="1d")
    assert trends.growth(at=0) == []
    trends.update(["a", "a", "b"], at=[0, 1, 2])
    for row in trends.growth(at=2):
        assert abs(row.score) < 1
    assert trends.baseline == 86_400.0


def test_growth_needs_a_baseline():
    with pytest.raises(InvalidArgument, match="baseline"):
        TopK(half_life="1h").growth()
    for bad in ({"baseline": "1d"}, {"half_life": "1h", "baseline": "1h"}, {"half_life": "1h", "baseline": "5m"}):
        with pytest.raises(InvalidArgument, match="baseline must be longer"):
            TopK(**bad)
    together = (
        r"^baseline must be longer than half_life, which must be given beside it, got a baseline of 1000000 micro"
    )
    with pytest.raises(InvalidArgument, match=together):
        TopK(baseline=1)
    with pytest.raises(InvalidArgument, match="n must be"):
        TopK(half_life="1h", baseline="1d").growth(-1)
    assert TopK().baseline is None


def test_growth_goes_through_merge_bytes_and_pickle():
    parts = [TopK(10, half_life="1h", baseline="1d") for _ in range(2)]
    whole = TopK(10, half_life="1h", baseline="1d")
    seeded = random.Random(3)
    for step in range(600):
        item, at = seeded.choice("aabcd"), step * 600
        parts[step % 2].add(item, at=at)
        whole.add(item, at=at)
    merged = parts[1].copy()
    merged.merge(parts[0])
    now = 600 * 600
    assert [row.item for row in merged.growth(at=now)] == [row.item for row in whole.growth(at=now)]
    for one, other in zip(merged.growth(at=now), whole.growth(at=now), strict=True):
        assert one[1:] == pytest.approx(other[1:], rel=1e-9, abs=1e-6)
    for twin in (TopK.from_bytes(merged.to_bytes()), pickle.loads(pickle.dumps(merged)), merged.copy()):
        assert twin == merged
        assert twin.growth(at=now) == merged.growth(at=now)
    assert isinstance(merged.growth(at=now)[0], Growth)


def test_a_key_keeps_sketches_apart():
    key, other = b"0123456789abcdef", b"0123456789abcdeF"
    trends = TopK(5, key=key, width=16)
    trends.update(["a", "b", "a"])
    assert (trends.hash, TopK().hash) == ("keyed", "redis")
    assert TopK.from_bytes(trends.to_bytes(), key) == trends
    assert pickle.loads(pickle.dumps(trends)) == copy.copy(trends) == trends
    assert key not in trends.to_bytes()
    assert trends != TopK.from_bytes(TopK(5, width=16).to_bytes())
    for wrong in (None, other):
        with pytest.raises(Incompatible, match="key"):
            TopK.from_bytes(trends.to_bytes(), key=wrong)
    with pytest.raises(Incompatible, match="key"):
        TopK.from_bytes(TopK(5).to_bytes(), key)
    with pytest.raises(Incompatible, match=r"keyed [0-9a-f]{16} and keyed [0-9a-f]{16}"):
        trends.merge(TopK(5, key=other, width=16))
    with pytest.raises(Incompatible, match=r"redis and keyed"):
        TopK(5, width=16).merge(trends)
    with pytest.raises(InvalidArgument, match="16 bytes"):
        TopK(key=b"short")
    with pytest.raises(InvalidType):
        TopK(key="0123456789abcdef")
    same = TopK(5, key=bytearray(key), width=16)
    same.merge(trends)
    assert same == trends


def test_add_takes_its_arguments_by_name():
    trends = TopK(5, half_life="1h", clock=lambda: 0)
    trends.add(item="a", at=0, weight=2)
    trends.add("a", 1)
    assert trends.estimate(item="a", at=None) == 3.0
    for refused in (
        trends.add,
        lambda: trends.add("a", 1, 0, 0),
        lambda: trends.add("a", 1, weight=1),
        lambda: trends.add("a", when=0),
        trends.estimate,
    ):
        with pytest.raises(TypeError):
            refused()
    assert trends.estimate("a") == 3.0


@pytest.mark.thread_unsafe(reason="it sets the interpreter's switch interval")
@pytest.mark.parametrize("question", ["top", "growth"])
def test_others_run_while_many_rows_are_sorted(question):
    trends = TopK(100_000, half_life="1h", baseline="1d")
    trends.update(range(200_000), at=0)
    may_run = threading.Lock()
    ran = []

    def run():
        with may_run:
            ran.append(True)

    interval = sys.getswitchinterval()
    may_run.acquire()
    other = threading.Thread(target=run)
    other.start()
    sys.setswitchinterval(1_000)  # nobody runs unless the interpreter is let go of
    try:
        may_run.release()
        getattr(trends, question)(1, at=0)
        ran_meanwhile = bool(ran)
    finally:
        sys.setswitchinterval(interval)
        other.join()
    assert ran_meanwhile
