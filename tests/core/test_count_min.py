"""CountMinSketch beside the textbook's table."""

from __future__ import annotations

import array
import copy
import gc
import math
import pickle
import re
import time
import weakref
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from models.count_min import CountMinModel
from models.hashing import sealed
from models.top_k import DecayedCounts

from engagehub_core import CountMinSketch
from engagehub_core.errors import Corrupted, Incompatible, InvalidArgument, InvalidType

FORMAT_PAGE = Path(__file__).parents[2] / "docs/formats/count-min.md"
NAMES = st.sampled_from([f"channel-{i}" for i in range(12)])


KEY = bytes(range(16))
YEAR = 31_557_600


class BesideModel(RuleBasedStateMachine):
    """Two small sketches, so that items collide, beside their models."""

    def __init__(self):
        super().__init__()
        self.options = {}
        self.pair = []

    @initialize(cell_bits=st.sampled_from([64, 32]), key=st.sampled_from([None, KEY]))
    def create(self, cell_bits, key):
        self.options = {"cell_bits": cell_bits, "key": key}
        self.pair = [(CountMinSketch(5, 3, **self.options), CountMinModel(5, 3, **self.options)) for _ in range(2)]

    @rule(which=st.integers(0, 1), item=NAMES, weight=st.one_of(st.integers(0, 9), st.integers(0, 2**40)))
    def add(self, which, item, weight):
        sketch, model = self.pair[which]
        sketch.add(item, weight)
        model.add(item, weight)

    @rule(which=st.integers(0, 1), items=st.lists(st.tuples(NAMES, st.integers(0, 2**31)), max_size=20))
    def update(self, which, items):
        sketch, model = self.pair[which]
        sketch.update([item for item, _ in items], [weight for _, weight in items])
        for item, weight in items:
            model.add(item, weight)

    @rule(into=st.integers(0, 1))
    def merge(self, into):
        (sketch, model), (other, other_model) = self.pair[into], self.pair[1 - into]
        if model.truth.total() + other_model.truth.total() < 2**62:
            sketch.merge(other)
            model.merge(other_model)

    @rule(which=st.integers(0, 1))
    def clear(self, which):
        self.pair[which][0].clear()
        self.pair[which] = (self.pair[which][0], CountMinModel(5, 3, **self.options))

    @rule(which=st.integers(0, 1))
    def reread(self, which):
        sketch, model = self.pair[which]
        self.pair[which] = (CountMinSketch.from_bytes(sketch.to_bytes(), self.options["key"]), model)

    @invariant()
    def same(self):
        for sketch, model in self.pair:
            assert sketch.to_bytes() == model.to_bytes()
            assert sketch.total == model.truth.total()
            slack = math.floor(sketch.error * sketch.total)
            for i in range(12):
                item = f"channel-{i}"
                estimate, low, high = sketch.answer(item)
                assert estimate == sketch.estimate(item) == model.estimate(item) == high >= model.truth[item]
                assert low <= max(0, high - slack)
                assert sketch.bounds(item) == (low, high)


BesideModel.TestCase.settings = settings(max_examples=50, stateful_step_count=20, deadline=None)
test_beside_model = BesideModel.TestCase


class DecayedBesideModel(RuleBasedStateMachine):
    """Two small decayed sketches through decades, beside the exact weights."""

    def __init__(self):
        super().__init__()
        self.now = 0
        self.pair = []

    @initialize(half_life=st.sampled_from([1, 3600, 86_400 * 7, 10 * YEAR]), width=st.integers(1, 6))
    def create(self, half_life, width):
        self.pair = [
            (CountMinSketch(width, 2, half_life=half_life, max_skew=None), DecayedCounts(half_life)) for _ in range(2)
        ]

    @rule(seconds=st.one_of(st.integers(0, 10), st.integers(0, 100_000), st.integers(0, 5 * YEAR)))
    def wait(self, seconds):
        self.now = min(self.now + seconds, 100 * YEAR)

    @rule(which=st.integers(0, 1), item=NAMES, weight=st.sampled_from([0, 1, 5, 0.1, 2**53]), late=st.integers(0, 50))
    def add(self, which, item, weight, late):
        sketch, model = self.pair[which]
        sketch.add(item, weight, at=self.now - late)
        model.add(item, weight, self.now - late)

    @rule(
        which=st.integers(0, 1),
        items=st.lists(st.tuples(NAMES, st.integers(0, 3), st.integers(0, 9)), max_size=15),
    )
    def update(self, which, items):
        sketch, model = self.pair[which]
        sketch.update([i for i, _, _ in items], [w for _, w, _ in items], at=[self.now - late for _, _, late in items])
        for item, weight, late in items:
            model.add(item, weight, self.now - late)

    @rule(into=st.integers(0, 1))
    def merge(self, into):
        (sketch, model), (other, other_model) = self.pair[into], self.pair[1 - into]
        total = sum(len(events) for _, each in self.pair for events in each.events.values())
        if total < 300:
            sketch.merge(other)
            model.merge(other_model)

    @rule(which=st.integers(0, 1))
    def reread(self, which):
        sketch, model = self.pair[which]
        read = CountMinSketch.from_bytes(sketch.to_bytes(), max_skew=None)
        assert read == sketch
        self.pair[which] = (read, model)

    @invariant()
    def holds(self):
        for sketch, model in self.pair:
            for item in model.events:
                estimate, low, high = sketch.answer(item, self.now)
                assert low <= estimate <= high
                # 60 digits in the model: its own error is nothing.
                assert Decimal(high) >= model.truth(item, self.now) * (1 - Decimal("1e-50"))


DecayedBesideModel.TestCase.settings = settings(max_examples=50, stateful_step_count=20, deadline=None)
test_decayed_beside_model = DecayedBesideModel.TestCase


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=60), st.integers(1, 40), st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_any_width_and_depth_equal_the_textbook(items, width, depth):
    sketch, model = CountMinSketch(width, depth), CountMinModel(width, depth)
    sketch.update(items)
    for item in items:
        model.add(item)
    assert sketch.to_bytes() == model.to_bytes()
    assert CountMinSketch.from_bytes(sketch.to_bytes()) == sketch
    assert CountMinSketch.from_bytes(model.to_first_version()) == sketch


def test_bounds_state_error_and_confidence():
    counts = CountMinSketch(100, 3)
    assert counts.error == pytest.approx(math.e / 100)
    assert counts.confidence == pytest.approx(1 - math.exp(-3))
    counts.add("general", 500)
    counts.add("help", 20)
    assert counts.answer("general") == (500, 500 - math.floor(counts.error * 520), 500)
    assert counts.bounds("help") == (20 - math.floor(counts.error * 520), 20)
    assert counts.bounds("off") == (0, 0)


def test_from_error_keeps_what_it_promises():
    counts = CountMinSketch.from_error(0.01, confidence=0.9)
    assert (counts.width, counts.depth) == (272, 3)
    assert counts.error <= 0.01
    assert counts.confidence >= 0.9
    assert type(counts) is CountMinSketch
    for error, confidence in ((0, 0.5), (1, 0.5), (0.5, 1), (0.5, 0), (float("nan"), 0.5), (1e-12, 0.5)):
        with pytest.raises(InvalidArgument, match=r"error|confidence"):
            CountMinSketch.from_error(error, confidence)


def test_numbers_in_errors_are_short_and_not_rounded_to_nothing():
    for error, shown in ((1e300, "1e+300"), (-1e-9, "-1e-09"), (1.5, "1.5")):
        with pytest.raises(InvalidArgument, match=f"^error must be between 0 and 1, got {re.escape(shown)}$"):
            CountMinSketch.from_error(error)
    with pytest.raises(InvalidArgument, match=r"at most 2\^27 cells, got 1e-12 and 0\.5$"):
        CountMinSketch.from_error(1e-12, 0.5)
    with pytest.raises(InvalidArgument, match=r"^weights\[1\] must be between 0 and 2\^53, got 1e\+300$"):
        CountMinSketch(half_life=1).update(["a", "b"], [1, 1e300], at=0)


def test_weights_come_in_every_form_of_integers():
    numpy = pytest.importorskip("numpy")
    expected = CountMinSketch()
    for item, weight in zip(range(4), (5, 0, 7, 2**40), strict=True):
        expected.add(item, weight)
    for weights in (
        [5, 0, 7, 2**40],
        array.array("q", [5, 0, 7, 2**40]),
        numpy.array([5, 0, 7, 2**40], dtype=numpy.uint64),
    ):
        counts = CountMinSketch()
        counts.update(numpy.arange(4), weights)
        assert counts == expected


@pytest.mark.parametrize("weight", [-1, 1.5, 1.0, True, None, "1", 2**64, float("nan")])
def test_a_bad_weight_is_refused_and_changes_nothing(weight):
    counts = CountMinSketch()
    counts.add("general", 3)
    before = counts.copy()
    with pytest.raises((InvalidArgument, InvalidType), match="weight"):
        counts.add("general", weight)
    with pytest.raises((InvalidArgument, InvalidType), match="weights"):
        counts.update(["general", "help"], [1, weight])
    with pytest.raises((InvalidArgument, InvalidType), match="weights"):
        counts.update(["general", "help"], weight)
    assert counts == before


def test_weights_of_another_length_or_type_are_refused():
    counts = CountMinSketch()
    for weights in ([1], [1, 2, 3], array.array("q", [1])):
        with pytest.raises(InvalidArgument, match="weights must have 2 values"):
            counts.update(["a", "b"], weights)
    for weights in (array.array("d", [1.0, 2.0]), array.array("q", [1, -2])):
        with pytest.raises((InvalidArgument, InvalidType), match="weights"):
            counts.update(["a", "b"], weights)
    assert counts == CountMinSketch()


def test_a_total_beyond_64_bits_is_refused():
    counts = CountMinSketch(4, 1)
    for _ in range(2):
        counts.add("a", 2**63 - 1)
    counts.add("a")
    assert counts.total == counts.estimate("a") == 2**64 - 1
    before = counts.copy()
    with pytest.raises(InvalidArgument, match="total"):
        counts.add("b")
    with pytest.raises(InvalidArgument, match="total"):
        counts.update(["b", "c"], [0, 1])
    with pytest.raises(InvalidArgument, match="total"):
        counts.merge(before)
    counts.add("b", 0)
    assert counts == before


def test_one_sketch_holds_one_kind():
    counts = CountMinSketch()
    counts.add(b"a")
    assert counts.estimate("a") == 1
    for refused in (
        lambda: counts.add(1),
        lambda: counts.estimate(1),
        lambda: counts.bounds(True),
        lambda: counts.update([1.5]),
    ):
        with pytest.raises(InvalidType):
            refused()
    ints = CountMinSketch()
    ints.add(1)
    with pytest.raises(Incompatible):
        counts.merge(ints)


@pytest.mark.parametrize("size", [(0, 4), (4, 0), (4, 65), (2**27, 2), (2**40, 1), (-1, 4)])
def test_sizes_out_of_range_are_refused(size):
    with pytest.raises(InvalidArgument, match=r"width|depth"):
        CountMinSketch(*size)


def test_hash_and_memory_can_be_read():
    assert CountMinSketch().hash == "redis"
    assert CountMinSketch(key=KEY).hash == CountMinSketch(half_life=1, key=memoryview(KEY)).hash == "keyed"
    for options, bits in (({}, 64), ({"cell_bits": 32}, 32), ({"half_life": 1}, 64)):
        counts = CountMinSketch(100, 3, **options)
        assert 300 * bits // 8 < counts.nbytes < 300 * bits // 8 + 300
        for name in ("hash", "nbytes"):
            with pytest.raises(AttributeError):
                setattr(counts, name, 1)


def test_merge_needs_the_same_options():
    with pytest.raises(Incompatible, match="2048 x 4 of 64 bits and 2048 x 3 of 64 bits"):
        CountMinSketch().merge(CountMinSketch(depth=3))
    with pytest.raises(Incompatible, match=r"cell_bits are required, got .* 64 bits and .* 32 bits"):
        CountMinSketch().merge(CountMinSketch(cell_bits=32))
    with pytest.raises(Incompatible, match="half_life are required, got none and 1000000 microseconds"):
        CountMinSketch().merge(CountMinSketch(half_life=1))
    with pytest.raises(Incompatible, match="2048 x 4 of 2000000 microseconds and 2048 x 4 of 1000000 microseconds"):
        CountMinSketch(half_life=2).merge(CountMinSketch(half_life=1))
    with pytest.raises(InvalidType, match="CountMinSketch"):
        CountMinSketch().merge(3)


def test_copies_are_equal_and_independent():
    counts = CountMinSketch()
    counts.add("general", 3)
    for twin in (
        counts.copy(),
        copy.copy(counts),
        copy.deepcopy(counts),
        pickle.loads(pickle.dumps(counts)),
        CountMinSketch.from_bytes(counts.to_bytes()),
    ):
        assert type(twin) is CountMinSketch
        assert twin == counts
        twin.add("general")
        assert twin != counts
    with pytest.raises(TypeError):
        hash(counts)
    assert counts != 3
    assert repr(counts) == "<CountMinSketch width=2048 depth=4 total=3>"


def made(**options):
    counts = CountMinSketch(3, 2, **options)
    if counts.half_life is None:
        counts.update(["general", "help"], [3, 1])
    else:
        counts.update(["general", "help"], [3, 1], at=[0, 7200])
    return counts


@pytest.mark.parametrize(
    "options", [{}, {"cell_bits": 32}, {"half_life": "1h"}, {"key": KEY}], ids=["64", "32", "decayed", "keyed"]
)
def test_every_truncation_and_every_turned_bit_is_refused(options):
    key = options.get("key")
    data = made(**options).to_bytes()
    assert data.hex() in FORMAT_PAGE.read_text()
    assert CountMinSketch.from_bytes(data, key).to_bytes() == data
    for size in range(len(data)):
        with pytest.raises(Corrupted):
            CountMinSketch.from_bytes(data[:size], key)
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises((Corrupted, Incompatible)):
            CountMinSketch.from_bytes(damaged, key)
    with pytest.raises(Corrupted):
        CountMinSketch.from_bytes(sealed(data[:-4] + b"\x00"), key)


def test_the_first_version_of_the_format_is_read():
    data = bytes.fromhex(
        "4548434d01030000000202000400000000000000010000000000000000000000000000000300000000000000"
        "03000000000000000000000000000000000000000000000030f77795"
    )
    assert data.hex() in FORMAT_PAGE.read_text()
    assert CountMinSketch.from_bytes(data) == made()


def test_a_saturated_cell_leaves_the_total_as_bound():
    counts = CountMinSketch(64, 4, cell_bits=32)
    assert counts.cell_bits == 32
    counts.add("general", 2**32 - 2)
    counts.add("help", 7)
    assert counts.estimate("general") == 2**32 - 2
    counts.add("general", 10)
    slack = math.floor(counts.error * counts.total)
    assert counts.answer("general") == (counts.total, 2**32 - 1 - slack, counts.total)
    assert counts.total == 2**32 + 15
    assert counts.estimate("help") == 7
    counts.merge(counts.copy())
    assert counts.bounds("general")[1] == counts.total == 2 * (2**32 + 15)
    for bad in (16, 0, 128):
        with pytest.raises(InvalidArgument, match="cell_bits must be 64 or 32"):
            CountMinSketch(cell_bits=bad)
    with pytest.raises(InvalidArgument, match="cell_bits must be 64 where there is a half_life, got 32"):
        CountMinSketch(cell_bits=32, half_life="1h")


def test_weights_halve_with_every_half_life():
    counts = CountMinSketch(half_life="1h", max_skew=None)
    counts.add("general", 8, at=0)
    assert [counts.estimate("general", at=3600 * i) for i in range(4)] == [8.0, 4.0, 2.0, 1.0]
    counts.add("help", 8, at=7200)
    # No answer is from before the newest event.
    assert counts.estimate("general", at=0) == 2.0
    # A late event counts with what is left of it.
    counts.add("help", 8, at=3600)
    assert counts.estimate("help", at=7200) == 12.0
    assert (counts.half_life, counts.total, counts.cell_bits) == (3600.0, 14.0, 64)
    estimate, low, high = counts.answer("help", at=7200)
    assert low <= estimate - counts.error * 14 < low * 1.000001
    assert estimate < high < estimate * 1.000001
    assert repr(counts) == "<CountMinSketch width=2048 depth=4 half_life=3600.0 total=14.0>"


def test_no_age_overflows():
    counts = CountMinSketch(half_life=1e-6, max_skew=None)
    counts.add("first", at=datetime(1, 1, 1, tzinfo=UTC))
    counts.add("last", at=datetime(9999, 12, 31, tzinfo=UTC))
    assert counts.estimate("last", at=datetime(9999, 12, 31, tzinfo=UTC)) == 1.0
    estimate, low, high = counts.answer("first", at=datetime(9999, 12, 31, tzinfo=UTC))
    assert low == 0.0 <= estimate <= high < 1e-300
    assert high > 0.0


def test_the_clock_is_asked_only_where_it_matters():
    calls = []

    def clock():
        calls.append(1)
        return 3600.0

    plain = CountMinSketch(clock=clock)
    plain.add("a")
    plain.update(["a"])
    assert plain.answer("a") == (2, 2, 2)
    assert plain.estimate("a", at=datetime(2026, 1, 1, tzinfo=UTC)) == 2
    assert not calls
    counts = CountMinSketch(half_life="1h", clock=clock, max_skew=None)
    counts.add("a", 2, at=0)
    assert not calls
    assert counts.estimate("a") == 1.0
    counts.add("a")
    counts.update(["a"])
    assert len(calls) == 3
    assert counts.clock is clock
    assert (counts.max_skew, CountMinSketch().max_skew, CountMinSketch().clock) == (None, 300.0, time.time)


def test_a_stamp_far_ahead_of_the_clock_is_refused():
    counts = CountMinSketch(half_life="1h", clock=lambda: 1_000.0)
    counts.add("a", at=1_300)
    before = counts.copy()
    for refused in (
        lambda: counts.add("a", at=1_301),
        lambda: counts.update(["a", "b"], at=[0, 1_301]),
        lambda: CountMinSketch.from_bytes(counts.to_bytes(), clock=lambda: 1_000.0, max_skew=1).add("a", at=1_002),
    ):
        with pytest.raises(InvalidArgument, match="max_skew"):
            refused()
    assert counts == before


@pytest.mark.parametrize("at", [float("nan"), float("inf"), 1e18, datetime(2026, 1, 1), "now", True])
@pytest.mark.parametrize("half_life", [None, "1h"])
def test_a_bad_instant_is_refused_and_changes_nothing(half_life, at):
    counts = CountMinSketch(half_life=half_life)
    for refused in (
        lambda: counts.add("a", at=at),
        lambda: counts.update(["a"], at=at),
        lambda: counts.estimate("a", at),
        lambda: counts.bounds("a", at),
        lambda: counts.answer("a", at=at),
    ):
        with pytest.raises((InvalidArgument, InvalidType), match="at"):
            refused()
    assert counts == CountMinSketch(half_life=half_life)


@pytest.mark.parametrize("weight", [-1, float("nan"), float("inf"), True, None, "1", 2**53 + 2, 10**400])
def test_a_bad_decayed_weight_is_refused_and_changes_nothing(weight):
    counts = CountMinSketch(half_life="1h")
    counts.add("a", at=0)
    before = counts.copy()
    with pytest.raises((InvalidArgument, InvalidType), match="weight"):
        counts.add("a", weight, at=0)
    with pytest.raises((InvalidArgument, InvalidType), match="weights"):
        counts.update(["a", "b"], [1, weight], at=0)
    counts.add("new", 0, at=5)
    assert counts == before


def test_a_clock_that_refers_back_is_collected():
    class Owner:
        def __init__(self):
            self.counts = CountMinSketch(8, half_life="1h", clock=self.now)

        def now(self):
            return 0.0

    owner = weakref.ref(Owner())
    gc.collect()
    assert owner() is None


def test_a_key_decides_which_items_meet():
    one, other, plain = CountMinSketch(key=KEY), CountMinSketch(key=KEY[::-1]), CountMinSketch()
    for counts in (one, other, plain):
        counts.update(["general", "help"], [3, 1])
    assert len({counts.to_bytes() for counts in (one, other, plain)}) == 3
    assert one.estimate("general") == 3
    for sketch, stranger in ((one, other), (one, plain), (plain, one)):
        before = sketch.copy()
        with pytest.raises(Incompatible, match=r"same hash and key are required, got .*(redis|keyed [0-9a-f]{16})"):
            sketch.merge(stranger)
        assert sketch == before
    data = one.to_bytes()
    assert KEY not in data
    assert CountMinSketch.from_bytes(data, KEY) == one
    assert CountMinSketch.from_bytes(data, bytearray(KEY)) == one
    for written, key in ((data, None), (data, KEY[::-1]), (plain.to_bytes(), KEY)):
        with pytest.raises(Incompatible, match="key must be"):
            CountMinSketch.from_bytes(written, key)
    for bad in (b"", KEY[:15], KEY + b"x"):
        with pytest.raises(InvalidArgument, match="key must be 16 bytes, got"):
            CountMinSketch(key=bad)
    with pytest.raises(InvalidType, match="key"):
        CountMinSketch(key="0123456789abcdef")


@pytest.mark.parametrize("options", [{"cell_bits": 32}, {"half_life": "1h", "max_skew": 7}, {"key": KEY}])
def test_copies_keep_every_option(options):
    counts = CountMinSketch(99, 3, **options)
    counts.add("general", 3)
    twins = counts.copy(), copy.deepcopy(counts), pickle.loads(pickle.dumps(counts))
    empty = CountMinSketch.from_error(math.e / 99, 1 - math.exp(-3), **options)
    for twin in (*twins, empty):
        assert (twin.width, twin.depth, twin.cell_bits, twin.half_life) == (99, 3, counts.cell_bits, counts.half_life)
        assert (twin.clock, twin.max_skew) == (time.time, counts.max_skew)
        twin.merge(counts)
    assert len({twin.to_bytes() for twin in twins}) == 1
    assert empty == counts


BATCHES = {
    "list of str": ["general", "zoë", "help"] * 100,
    "tuple of str": ("general", "zoë", "help") * 100,
    "list of bytes": [b"general", "zoë".encode(), b"help"] * 100,
    "str and bytes": ["general", "zoë".encode(), "help"] * 100,
    "list of int": [5, -3, 2**62] * 100,
    "array": array.array("q", [5, -3, 2**62] * 100),
    "small integers": array.array("h", [5, -3, 2**14] * 100),
}


@pytest.mark.parametrize("name", BATCHES)
@pytest.mark.parametrize("options", [{}, {"cell_bits": 32}, {"half_life": "1h"}, {"key": KEY}])
def test_a_batch_counts_what_single_calls_count(name, options):
    items = BATCHES[name]
    one = CountMinSketch(7, 4, **options)
    for item in items:
        one.add(item, 2, at=0)
    for batch in (items, iter(items)):
        batched = CountMinSketch(7, 4, **options)
        batched.update(batch, 2, at=0)
        assert batched == one


def test_an_array_is_read_where_it_is():
    numpy = pytest.importorskip("numpy")
    expected = CountMinSketch()
    for item in range(0, 3_000, 3):
        expected.add(item)
    numbers = numpy.arange(0, 3_000, 3)
    odd = numpy.frombuffer(b"x" + numbers.tobytes(), dtype=numpy.uint8)[1:].view(numpy.int64)
    assert odd.ctypes.data % 8 != 0
    for items in (numbers, odd, numbers.astype(numpy.uint64), numbers.astype(numpy.int16), memoryview(numbers)):
        counts = CountMinSketch()
        counts.update(items)
        assert counts == expected
    with pytest.raises(InvalidArgument, match="contiguous"):
        counts.update(numbers[::2])
    with pytest.raises(InvalidArgument, match="64-bit"):
        counts.update(numpy.array([1, 2**63], dtype=numpy.uint64))
    for bad in (numbers.astype(float), numbers.reshape(2, -1)):
        with pytest.raises((InvalidArgument, InvalidType), match="items"):
            counts.update(bad)
    counts.update(numbers[:0])
    assert counts == expected


def test_a_bad_item_in_a_batch_is_named_and_changes_nothing():
    counts = CountMinSketch()
    for items, kind in (
        (["a", 1], InvalidType),
        ([1, "a"], InvalidType),
        (["a", None], InvalidType),
        ([True], InvalidType),
        ([1, 2**63], InvalidArgument),
        ([2**63], InvalidArgument),
        (["a", "\ud800"], InvalidArgument),
        (["\ud800"], InvalidArgument),
        ("abc", InvalidType),
    ):
        with pytest.raises(kind, match="items"):
            counts.update(items)
    counts.update([])
    assert counts == CountMinSketch()
