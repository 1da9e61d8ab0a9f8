"""How arguments of numbers, instants and batches are taken and refused, alike in every structure."""

from __future__ import annotations

import array
import re
from collections import Counter, OrderedDict
from datetime import UTC, datetime
from fractions import Fraction

import numpy as np
import pytest

from engagehub_core import CountMinSketch, DistinctWindow, HyperLogLog, Leaderboard, SkipList, TopK
from engagehub_core.durations import parse_duration, parse_optional
from engagehub_core.errors import InvalidArgument, InvalidType


def counts():
    return CountMinSketch(width=64, depth=2)


def decayed():
    return CountMinSketch(width=64, depth=2, half_life="1h", clock=lambda: 1_000, max_skew="5m")


def trends():
    return TopK(8, half_life="1h", clock=lambda: 1_000, max_skew="5m")


def board():
    return Leaderboard(half_life="1h", clock=lambda: 1_000, max_skew="5m")


def window():
    return DistinctWindow("24h", "1h", clock=lambda: 1_000, max_skew="5m")


# Each structure with the names of its arguments: of what is counted, of the numbers, and of the instants.
PAIRED = [
    pytest.param(counts, "items", "weights", "at", id="counts"),
    pytest.param(decayed, "items", "weights", "at", id="decayed"),
    pytest.param(trends, "items", "weights", "at", id="trends"),
    pytest.param(board, "members", "points", "at", id="board"),
    pytest.param(SkipList, "members", "scores", None, id="list"),
]
WINDOW = pytest.param(window, "members", None, "at", id="window")
BATCHES = [*PAIRED, WINDOW, pytest.param(HyperLogLog, "items", None, None, id="seen")]


def update(structure, items, numbers, at, values):
    """Update with two items, and the values in place of what an argument would have."""
    arguments = {items: [1, 2]}
    if numbers is not None:
        arguments[numbers] = [1, 1]
    if at is not None:
        arguments[at] = [0, 0]
    structure.update(**{**arguments, **values})


def state(structure):
    if isinstance(structure, SkipList):
        return structure.range(0, len(structure))
    return structure.to_bytes()


def refused(make, items, numbers, at, values, error, match):
    structure = make()
    before = state(structure)
    with pytest.raises(error, match=match):
        update(structure, items, numbers, at, values)
    assert state(structure) == before


@pytest.mark.parametrize(("make", "items", "numbers", "at"), BATCHES)
@pytest.mark.parametrize(
    "dtype", ["datetime64[s]", "timedelta64[s]", "bool", "complex128", "O", "U3", "S3", "longdouble"]
)
def test_arrays_of_other_elements_are_refused_by_name_and_dtype(make, items, numbers, at, dtype):
    given = np.ones(2, dtype="int64").astype(dtype)
    shown = str(given.dtype).replace("[", r"\[").replace("]", r"\]")
    integers = r" must be a buffer of integers \(native int8 to int64, uint8 to uint64\), got one of dtype "
    reals = integers.replace("integers", "integers or floats").replace("uint64", "uint64, float16 to float64")
    refused(make, items, numbers, at, {items: given}, InvalidType, f"^{items}{integers}{shown}")
    if numbers is not None:
        kind = integers if make is counts else reals
        refused(make, items, numbers, at, {numbers: given}, InvalidType, f"^{numbers}{kind}{shown}")
    if at is not None:
        refused(make, items, numbers, at, {at: given}, InvalidType, f"^{at}{reals}{shown}")


def test_arrays_of_text_say_that_a_list_of_them_is_taken():
    names = np.array(["ada", "bob"])
    for given in (names, names.astype(object)):
        with pytest.raises(InvalidType, match=r"dtype (<U3|object); as a list it may be taken: \.tolist\(\)$"):
            counts().update(given)
        counts().update(given.tolist())


def test_buffers_without_a_dtype_are_refused_by_their_format():
    with pytest.raises(InvalidType, match=r"^items must be a buffer of integers .* got one of format d$"):
        counts().update(array.array("d", [1.0]))
    with pytest.raises(InvalidType, match=r"^items must be a buffer of integers .* got one of format \?$"):
        counts().update(memoryview(b"\x01\x00").cast("?"))


def test_gaps_are_told_from_other_elements():
    with pytest.raises(InvalidArgument, match=r"^items must be a contiguous buffer, got numpy\.ndarray$"):
        counts().update(np.arange(4)[::2])
    with pytest.raises(InvalidType, match=r"dtype datetime64\[s\]$"):
        counts().update(np.zeros(4, dtype="datetime64[s]")[::2])


@pytest.mark.parametrize(("make", "items", "numbers", "at"), BATCHES)
def test_masked_arrays_are_refused(make, items, numbers, at):
    masked = np.ma.array([1, 2], mask=[False, True])
    for argument in filter(None, (items, numbers, at)):
        message = rf"^{argument} must be an array without a mask, .* pass its \.filled\(\.\.\.\) or \.compressed\(\)$"
        refused(make, items, numbers, at, {argument: masked}, InvalidType, message)
    update(make(), items, numbers, at, {items: masked.filled(0)})


@pytest.mark.parametrize(("make", "items", "numbers", "at"), PAIRED[1:])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "uint64"])
def test_arrays_of_every_size_of_numbers_are_taken(make, items, numbers, at, dtype):
    expected, given = make(), make()
    update(expected, items, numbers, at, {numbers: [3, 0]})
    values = {numbers: np.array([3, 0], dtype=dtype)}
    if at is not None:
        values[at] = np.zeros(2, dtype=dtype)
    update(given, items, numbers, at, values)
    assert state(given) == state(expected)


def test_halves_are_read_exactly():
    halves = np.array([0.5, -1.25, 65504, 6e-8], dtype="float16")
    ranked = SkipList()
    ranked.update([0, 1, 2, 3], halves)
    assert [ranked.score(i) for i in range(4)] == [float(half) for half in halves]
    with pytest.raises(InvalidArgument, match=r"^scores\[1\] must be finite, got inf$"):
        ranked.update([0, 1], np.array([1, float("inf")], dtype="float16"))


@pytest.mark.parametrize("name", ["float16", "float32", "float64", "longdouble", "int8", "int64", "uint64"])
def test_scalars_of_numpy_are_numbers(name):
    two = getattr(np, name)(2)
    for make in (decayed, trends):
        one, other = make(), make()
        one.add("a", 2, at=2)
        other.add("a", two, at=two)
        assert one == other
        one.update(["a", "b"], 2, at=2)
        other.update(["a", "b"], two, at=two)
        assert one == other
        assert one.estimate("a", at=2) == other.estimate("a", at=two)
        one.update(["a", "b"], [2, 2], at=[2, 2])
        other.update(["a", "b"], [two, two], at=[two, two])
        assert one == other
    standing = board()
    assert standing.add("ada", two, at=two) == 2.0
    assert standing.set("bob", two, at=two) == 2.0
    standing.update(["ada"], two, at=two)
    assert standing.score("ada", at=two) == 4.0
    ranked = SkipList()
    ranked.set("ada", two)
    assert ranked.add("ada", two) == 4.0
    for made in (CountMinSketch(half_life=two), TopK(half_life=two), Leaderboard(half_life=two)):
        assert made.half_life in (2.0, 2_000_000, "2s")
    assert TopK(half_life=1, baseline=two, max_skew=two).max_skew == 2.0


def test_integers_of_numpy_count_in_a_sketch_of_integers():
    sketch = counts()
    sketch.add("a", np.uint8(3))
    sketch.update(["a"], np.int64(4))
    assert sketch.total == 7
    for weight in (np.float32(1), np.float64(1)):
        with pytest.raises(InvalidType, match=r"^weight must be int, got numpy\.float"):
            sketch.add("a", weight)


def test_other_scalars_are_no_numbers():
    for given in (
        True,
        np.True_,
        np.complex64(1),
        np.timedelta64(1, "s"),
        np.datetime64(1, "s"),
        np.array(1),
        Fraction(1, 2),
        "x",
    ):
        with pytest.raises(InvalidType, match=r"^weight must be"):
            trends().add("a", given)
        with pytest.raises(InvalidType, match=r"^weight must be"):
            counts().add("a", given)
        with pytest.raises(InvalidType, match=r"^points must be"):
            board().add("a", given)
        with pytest.raises(InvalidType, match=r"^at must be"):
            board().add("a", 1, at=given)
        with pytest.raises((InvalidType, InvalidArgument), match=r"^at must "):
            board().update(["a"] * 8, 1, at=given)
        with pytest.raises((InvalidType, InvalidArgument), match=r"^half_life must be"):
            TopK(half_life=given)
    for given in (np.float32("nan"), np.float16("inf")):
        with pytest.raises(InvalidArgument, match=r"^weight must be finite"):
            trends().add("a", given)
        with pytest.raises(InvalidArgument, match=r"^at must be Unix seconds"):
            trends().add("a", at=given)
        with pytest.raises(InvalidArgument, match=r"^half_life must be"):
            TopK(half_life=given)


@pytest.mark.parametrize("given", [-1, 0, 2**28, 2**63, 2**64, -(2**64)])
def test_errors_of_sizes_state_their_range(given):
    for make, argument, allowed in (
        (CountMinSketch, "width", "between 1 and 2^27"),
        (CountMinSketch, "depth", "between 1 and 64"),
        (CountMinSketch, "cell_bits", "64 or 32"),
        (TopK, "width", "between 1 and 2^27"),
        (TopK, "depth", "between 1 and 64"),
        (TopK, "k", "between 1 and 2^20"),
        (HyperLogLog, "p", "between 4 and 18"),
    ):
        with pytest.raises(InvalidArgument, match=f"^{re.escape(f'{argument} must be {allowed}, got {given}')}$"):
            make(**{argument: given})
        with pytest.raises(InvalidType, match=f"^{argument} must be int, got float$"):
            make(**{argument: 4.0})


def test_a_duration_may_be_left_out():
    assert parse_optional(None, "window") is None
    assert parse_optional("1h", "window") == parse_duration("1h") == 3_600_000_000
    with pytest.raises(InvalidArgument, match=r"^window must be between 1 microsecond and 100 years, got 0$"):
        parse_optional(0, "window")


@pytest.mark.parametrize(("make", "items", "numbers", "at"), BATCHES)
def test_errors_name_the_element_of_a_list(make, items, numbers, at):
    for given, error in (([1, None], InvalidType), ([1, "a"], InvalidType), ([1, 2**63], InvalidArgument)):
        refused(make, items, numbers, at, {items: given}, error, rf"^{items}\[1\] must ")
    for given, error in ((["a", 1], InvalidType), (["a", "\ud800"], InvalidArgument)):
        refused(make, items, numbers, at, {items: given}, error, rf"^{items}\[1\] must ")
        refused(make, items, numbers, at, {items: tuple(given)}, error, rf"^{items}\[1\] must ")
    for given in ([1, None], [1, "1"], [1, True]):
        if numbers is not None:
            refused(make, items, numbers, at, {numbers: given}, InvalidType, rf"^{numbers}\[1\] must be ")
        if at is not None:
            refused(make, items, numbers, at, {at: given}, InvalidType, rf"^{at}\[1\] must be ")
    for given in ([1, float("inf")], [1, 1e18], [1, datetime(2026, 1, 1)]):
        if at is not None:
            refused(make, items, numbers, at, {at: given}, InvalidArgument, rf"^{at}\[1\] must be ")


@pytest.mark.parametrize("make", [decayed, trends])
def test_errors_name_the_weight_that_is_out_of_range(make):
    refused(make, "items", "weights", "at", {"weights": [1, -1]}, InvalidArgument, r"^weights\[1\] must .* got -1$")
    refused(make, "items", "weights", "at", {"weights": -1}, InvalidArgument, r"^weights must be between .* got -1$")
    one = {"items": ["a"], "weights": [-1], "at": 0}
    refused(make, "items", "weights", "at", one, InvalidArgument, r"^weights\[0\] must be between .* got -1$")


@pytest.mark.parametrize(("make", "numbers"), [(board, "points"), (SkipList, "scores")])
def test_errors_name_the_points_that_are_out_of_range(make, numbers):
    at = "at" if make is board else None
    for given, name in (([1, 1e300], rf"{numbers}\[1\]"), (1e300, numbers)):
        message = rf"^{name} must be a finite number of at most 1e290 either way, got 1e\+300$"
        refused(make, "members", numbers, at, {numbers: given}, InvalidArgument, message)


@pytest.mark.parametrize(("make", "items", "numbers", "at"), [*PAIRED[1:4], WINDOW])
def test_errors_name_the_stamp_that_is_ahead_of_the_clock(make, items, numbers, at):
    message = r"at most 300 s ahead of the clock \(max_skew\), got 1000 s ahead"
    refused(make, items, numbers, at, {at: [0, 2_000]}, InvalidArgument, rf"^at\[1\] must be {message}")
    refused(make, items, numbers, at, {at: 2_000}, InvalidArgument, rf"^at must be {message}")


TWO = {1: 2, 2: 1}
UNORDERED = [{1, 2}, frozenset((1, 2)), TWO, TWO.keys(), TWO.values(), OrderedDict(TWO).keys(), Counter([1, 2])]


@pytest.mark.parametrize(("make", "items", "numbers", "at"), [*PAIRED, WINDOW])
@pytest.mark.parametrize(
    "given", [*UNORDERED, OrderedDict({1: 2, 2: 1}).keys()], ids=lambda given: type(given).__name__
)
def test_what_has_no_order_pairs_with_nothing(make, items, numbers, at, given):
    for argument in filter(None, (numbers, at)):
        message = (
            rf"^{argument} must be a sequence or an array, whose order is that of the items, got {type(given).__name__}"
        )
        refused(make, items, numbers, at, {argument: given}, InvalidType, message)
        message = rf"^{items} must be a sequence or an array where {argument} has a value for each, got "
        alone = {items: given, argument: [0, 0]}
        alone |= {other: 0 for other in (numbers, at) if other not in (argument, None)}
        refused(make, items, numbers, at, alone, InvalidType, message)


@pytest.mark.parametrize(("make", "items", "numbers", "at"), BATCHES)
@pytest.mark.parametrize("given", UNORDERED, ids=lambda given: type(given).__name__)
def test_a_set_may_be_the_items_where_one_value_is_for_all(make, items, numbers, at, given):
    expected, structure = make(), make()
    values = {numbers: 1} if numbers is not None else {}
    if at is not None:
        values[at] = datetime.fromtimestamp(0, UTC)
    update(expected, items, numbers, at, {**values, items: list(given)})
    update(structure, items, numbers, at, {**values, items: given})
    assert state(structure) == state(expected)


def test_a_weight_may_be_any_unsigned_integer_of_64_bits():
    most = 2**64 - 1
    for weight in (2**63, most):
        expected = counts()
        expected.add("a", weight)
        assert expected.estimate("a") == expected.total == weight
        for weights in (
            weight,
            np.uint64(weight),
            [weight],
            [np.uint64(weight)],
            np.array([weight], "uint64"),
        ):
            sketch = counts()
            sketch.update(["a"], weights)
            assert sketch == expected
        sketch = counts()
        sketch.add("a", np.uint64(weight))
        assert sketch == expected
    for weight in (-1, 2**64):
        with pytest.raises(InvalidArgument, match=rf"^weight must be between 0 and 2\^64 - 1, got {weight}$"):
            counts().add("a", weight)
        with pytest.raises(InvalidArgument, match=rf"^weights must be between 0 and 2\^64 - 1, got {weight}$"):
            counts().update(["a"], weight)
        with pytest.raises(InvalidArgument, match=rf"^weights\[0\] must be between 0 and 2\^64 - 1, got {weight}$"):
            counts().update(["a"], [weight])
    with pytest.raises(InvalidArgument, match=r"^weights\[1\] must be between 0 and 2\^64 - 1, got -2$"):
        counts().update(["a", "b"], array.array("q", [1, -2]))


@pytest.mark.parametrize("make", [decayed, trends])
def test_a_weight_that_decays_may_be_any_integer_up_to_2_to_the_53(make):
    expected = make()
    expected.add("a", 2.0**53, at=0)
    for weight in (2**53, np.uint64(2**53)):
        for weights in (weight, [weight], np.array([weight], "uint64")):
            sketch = make()
            sketch.update(["a"], weights, at=0)
            assert sketch == expected
        sketch = make()
        sketch.add("a", weight, at=0)
        assert sketch == expected
    for weight in (2**53 + 2, 2**63, 2**64 - 1):
        message = r" must be between 0 and 2\^53, got "
        with pytest.raises(InvalidArgument, match=r"^weight" + message):
            make().add("a", weight, at=0)
        for weights in ([weight], np.array([weight], "uint64")):
            with pytest.raises(InvalidArgument, match=r"^weights\[0\]" + message):
                make().update(["a"], weights, at=0)
