"""CountMinSketch beside the textbook's table."""

from __future__ import annotations

import array
import copy
import math
import pickle
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from models.count_min import CountMinModel
from models.hashing import sealed

from engagehub_core import CountMinSketch
from engagehub_core.errors import Corrupted, Incompatible, InvalidArgument, InvalidType

FORMAT_PAGE = Path(__file__).parents[2] / "docs/formats/count-min.md"
NAMES = st.sampled_from([f"channel-{i}" for i in range(12)])


class BesideModel(RuleBasedStateMachine):
    """Two small sketches, so that items collide, beside their models."""

    def __init__(self):
        super().__init__()
        self.pair = [(CountMinSketch(5, 3), CountMinModel(5, 3)) for _ in range(2)]

    @rule(which=st.integers(0, 1), item=NAMES, weight=st.integers(0, 2**40))
    def add(self, which, item, weight):
        sketch, model = self.pair[which]
        sketch.add(item, weight)
        model.add(item, weight)

    @rule(which=st.integers(0, 1), items=st.lists(st.tuples(NAMES, st.integers(0, 9)), max_size=20))
    def update(self, which, items):
        sketch, model = self.pair[which]
        sketch.update([item for item, _ in items], [weight for _, weight in items])
        for item, weight in items:
            model.add(item, weight)

    @rule(into=st.integers(0, 1))
    def merge(self, into):
        (sketch, model), (other, other_model) = self.pair[into], self.pair[1 - into]
        sketch.merge(other)
        model.merge(other_model)

    @rule(which=st.integers(0, 1))
    def clear(self, which):
        self.pair[which][0].clear()
        self.pair[which] = (self.pair[which][0], CountMinModel(5, 3))

    @invariant()
    def same(self):
        for sketch, model in self.pair:
            assert sketch.to_bytes() == model.to_bytes()
            assert sketch.total == model.truth.total()
            for i in range(12):
                item = f"channel-{i}"
                assert sketch.estimate(item) == model.estimate(item) >= model.truth[item]


BesideModel.TestCase.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
test_beside_model = BesideModel.TestCase


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=60), st.integers(1, 40), st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_any_width_and_depth_equal_the_textbook(items, width, depth):
    sketch, model = CountMinSketch(width, depth), CountMinModel(width, depth)
    sketch.update(items)
    for item in items:
        model.add(item)
    assert sketch.to_bytes() == model.to_bytes()
    assert CountMinSketch.from_bytes(sketch.to_bytes()) == sketch


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


@pytest.mark.parametrize("weight", [-1, 1.5, 1.0, True, None, "1", 2**63, float("nan")])
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


def test_merge_needs_the_same_sizes():
    with pytest.raises(Incompatible, match="2048 x 4 and 2048 x 3"):
        CountMinSketch().merge(CountMinSketch(depth=3))
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
    assert repr(counts) == "<CountMinSketch width=2048 depth=4 total=3>"


def test_every_truncation_and_every_turned_bit_is_refused():
    counts = CountMinSketch(3, 2)
    counts.update(["general", "help"], [3, 1])
    data = counts.to_bytes()
    assert data.hex() in FORMAT_PAGE.read_text()
    for size in range(len(data)):
        with pytest.raises(Corrupted):
            CountMinSketch.from_bytes(data[:size])
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises((Corrupted, Incompatible)):
            CountMinSketch.from_bytes(damaged)
    with pytest.raises(Corrupted):
        CountMinSketch.from_bytes(sealed(data[:-4] + b"\x00"))
