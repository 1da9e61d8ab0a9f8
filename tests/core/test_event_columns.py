"""The columns that push_many takes: lists, arrays and Arrow, checked whole before anything is accepted."""

from __future__ import annotations

import copy
import json
import math
import random
from array import array
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from processing import with_given_ids

from engagehub_core import Event, EventProcessor
from engagehub_core.errors import InvalidArgument, InvalidType

AT = 1_700_000_000


def pushed(*given_columns, clock=lambda: AT):
    """Return the events that come out when columns go in."""
    batches = []
    with EventProcessor(batches.append, clock=clock, dedupe_horizon=None, max_skew=None) as events:
        counts = [events.push_many(columns) for columns in given_columns]
    rows = with_given_ids(event for batch in batches for event in batch)
    assert sum(counts) == len(rows)
    return rows


def members(columns):
    return [event.member for event in pushed({"kind": "k", **columns})]


def micros(at):
    """Return the exact instants that a column of `at` stands for."""
    batches = []
    with EventProcessor(batches.append, max_skew=None) as events:
        events.push_many({"kind": "k", "member": range(len(at)), "at": at})
    return [us for batch in batches for us in batch.columns()["at_us"]]


def refused(columns, error, text):
    events = EventProcessor()
    with pytest.raises(error, match=text):
        events.push_many(columns)
    events.close()
    assert events.stats().offered == 0


# ---- lists and arrays ------------------------------------------------------------------------------------------------


def test_push_many_takes_lists_arrays_and_single_values():
    rows = pushed(
        {
            "kind": "message",
            "member": np.arange(3, dtype=np.int32),
            "channel": ["a", None, 5],
            "at": np.array([AT, AT + 1, AT + 2.5]),
            "community": 42,
            "id": ("x", 2, None),
            "value": array("f", [1, 2, 3]),
            "data": [None, "d", None],
        },
        {"kind": ["a", "b"], "member": np.array(["x", "y"]), "at_us": np.array([1, 2])},
        {"kind": "k", "member": np.array(["x", 5], dtype=object), "at": AT, "value": 2},
        {"kind": "k", "member": (name for name in "z"), "at": None, "channel": None, "id": None, "data": None},
        {"kind": "k", "member": []},
    )
    assert rows == [
        Event("x", "message", 42, "a", 0, AT, 1.0, None),
        Event(2, "message", 42, None, 1, AT + 1, 2.0, "d"),
        Event(None, "message", 42, 5, 2, AT + 2.5, 3.0, None),
        Event(None, "a", "", None, "x", 1e-6, 1.0, None),
        Event(None, "b", "", None, "y", 2e-6, 1.0, None),
        Event(None, "k", "", None, "x", AT, 2.0, None),
        Event(None, "k", "", None, 5, AT, 2.0, None),
        Event(None, "k", "", None, "z", AT, 1.0, None),
    ]


@pytest.mark.parametrize("code", "bhilqBHILQ")
def test_integers_of_any_width_are_read_at_their_limits(code):
    information = np.iinfo(code)
    values = [int(information.min), 0, 1, min(int(information.max), 2**63 - 1)]
    column = np.array(values, dtype=code)
    assert members({"member": column}) == values
    assert members({"member": array(code, values)}) == values
    assert members({"member": memoryview(column)}) == values
    assert members({"member": column[::2]}) == values[::2]  # with gaps
    assert members({"member": np.array([column, column])[1]}) == values


def test_integers_are_read_from_any_address():
    raw = b"\0" + np.array([1, -2, 2**62]).tobytes() + np.array([0.5, 1.5, -2.5]).tobytes()
    shifted = np.frombuffer(raw, dtype=np.int64, count=3, offset=1)
    doubles = np.frombuffer(raw, dtype=np.float64, count=3, offset=25)
    rows = pushed({"kind": "k", "member": shifted, "at": doubles, "value": doubles})
    assert [row.member for row in rows] == [1, -2, 2**62]
    assert [row.at for row in rows] == [row.value for row in rows] == [0.5, 1.5, -2.5]


def test_the_same_instants_come_of_doubles_in_arrays_and_in_lists():
    source = random.Random(7)
    halves = [n * 1e-6 + 0.5e-6 for n in range(-50, 50)]
    wide = [source.uniform(-62135596800, 253402300799) for _ in range(2_000)]
    near = [source.uniform(-1e-5, 1e-5) for _ in range(500)]
    edges = [0.0, -0.0, -62135596800.0, math.nextafter(253402300800.0, 0), 0.49999999999999994e-6, -1.5e-6, 2**53 / 1e6]
    seconds = halves + wide + near + edges
    source.shuffle(seconds)
    assert micros(np.array(seconds)) == micros(seconds)
    assert micros(pa.array(seconds)) == micros(seconds)


@pytest.mark.parametrize("row", [0, 1, 255, 256, 999])
@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf, 253402300800.0, -62135596800.1, 1.7e12])
def test_an_instant_that_is_none_is_named_by_its_row(row, wrong):
    at = np.full(1_000, float(AT))
    at[row] = wrong
    text = rf"at\[{row}\] must be Unix seconds between the years 1 and 9999, got"
    refused({"kind": "k", "member": np.arange(1_000), "at": at}, InvalidArgument, text)
    refused({"kind": "k", "member": np.arange(1_000), "at": list(at)}, InvalidArgument, text)
    refused({"kind": "k", "member": np.arange(1_000), "at": pa.array(at)}, InvalidArgument, text)


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_is_named_by_its_row(wrong):
    value = np.ones(500)
    value[300] = wrong
    for column in (value, list(value), pa.array(value)):
        refused({"kind": "k", "member": range(500), "value": column}, InvalidArgument, r"value\[300\] must be finite")


def test_the_clock_is_asked_once_and_only_where_no_column_says_when():
    asked = []

    def clock():
        asked.append(AT + len(asked))
        return asked[-1]

    rows = pushed(
        {"kind": "k", "member": [1, 2]},
        {"kind": "k", "member": [3], "at": 5},
        {"kind": "k", "member": [4], "at_us": 6_000_000, "at": 7},
        clock=clock,
    )
    assert [row.at for row in rows] == [AT, AT, 5, 6]
    assert asked == [AT]


@given(
    st.lists(
        st.tuples(
            st.none() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=9),
            st.text(max_size=9),
            st.integers(-(2**63), 2**63 - 1) | st.text(max_size=9),
            st.none() | st.integers(0, 9) | st.text(max_size=9),
            st.integers(0, 9) | st.text(max_size=9),
            st.integers(-(10**16), 10**17),
            st.floats(allow_nan=False, allow_infinity=False),
            st.none() | st.text(max_size=9),
        ),
        max_size=20,
    )
)
@settings(max_examples=60, deadline=None)
def test_a_batch_goes_in_again_as_columns_and_as_arrow(rows):
    names = ("id", "kind", "community", "channel", "member", "at_us", "value", "data")
    batches = []
    columns = {name: [row[i] for row in rows] for i, name in enumerate(names)}
    with EventProcessor(batches.append, dedupe_horizon=None, max_skew=None) as events:
        events.push_many(columns)
    again = []
    with EventProcessor(again.append, dedupe_horizon=None, max_skew=None) as events:
        for batch in batches:
            for part in (batch, batch.columns(), pa.table(batch), batch.to_arrow()):
                assert events.push_many(part) == len(rows)
                events.flush()
    for batch in batches:
        given_ids = [event.id for event in with_given_ids(batch)]
        columns = {**batch.columns(), "id": given_ids}
        assert [tuple(columns[name][i] for name in names) for i in range(len(batch))] == rows
        assert all(other == batch for other in again)
    assert len(again) == 4 * len(batches)


# ---- what is refused -------------------------------------------------------------------------------------------------


class Falling:
    def keys(self):
        return ["kind", "member"]

    def __getitem__(self, name):
        raise LookupError(name)


@pytest.mark.parametrize(
    ("columns", "error", "text"),
    [
        (5, InvalidType, "columns must be a mapping of names to columns, or a table of Arrow, got int"),
        ([1], InvalidType, "columns must be a mapping .* got list"),
        (pa.array([1]), InvalidType, "columns must be a table, got a column of Arrow's type «l»"),
        (Falling(), LookupError, "kind"),
        ({"member": [1]}, InvalidArgument, "columns must hold member and kind"),
        ({"kind": "k"}, InvalidArgument, "columns must hold member and kind"),
        ({"kind": "k", "member": None}, InvalidArgument, "columns must hold member and kind"),
        ({"kind": "k", "member": [1], "colour": [1]}, InvalidArgument, "got 'colour'"),
        ({"kind": "k", "member": [1], 5: [1]}, InvalidArgument, "got 5"),
        ({"kind": "k", "member": "ada"}, InvalidType, "member must be a sequence or an array, got str"),
        ({"kind": "k", "member": 5}, InvalidType, "member must be a sequence or an array, got int"),
        ({"kind": "k", "member": b"ada"}, InvalidType, "member must be a sequence or an array, got bytes"),
        ({"kind": "k", "member": 3.5}, InvalidType, "member must be a sequence or an array, got float"),
        ({"kind": "k", "member": {"ada"}}, InvalidType, "member must be a sequence .* got set"),
        ({"kind": "k", "member": {"ada": 1}}, InvalidType, "member must be a sequence .* got dict"),
        ({"kind": "k", "member": [1, 1.5]}, InvalidType, r"member\[1\] must be int or str, got float"),
        ({"kind": "k", "member": [True]}, InvalidType, r"member\[0\] must be int or str, got bool"),
        ({"kind": "k", "member": [2**63]}, InvalidArgument, r"member\[0\] must fit in a signed 64-bit integer"),
        (
            {"kind": "k", "member": ["a", "\ud800"]},
            InvalidArgument,
            r"member\[1\] must be text without lone surrogates",
        ),
        ({"kind": "k", "member": array("d", [1])}, InvalidType, r"member\[0\] must be int or str, got float"),
        ({"kind": "k", "member": np.array([1, 2**63], "Q")}, InvalidArgument, r"member\[1\] must fit in a signed"),
        ({"kind": "k", "member": np.ones((2, 2), int)}, InvalidArgument, "member must have one dimension"),
        ({"kind": "k", "member": np.ma.array([1], mask=[1])}, InvalidType, "member must be an array without a mask"),
        ({"kind": "k", "member": [1, None]}, InvalidType, r"member\[1\] must be int or str, got None"),
        ({"kind": ["k", 5], "member": [1, 2]}, InvalidType, r"kind\[1\] must be str, got int"),
        ({"kind": [None], "member": [1]}, InvalidType, r"kind\[0\] must be str, got None"),
        ({"kind": np.array([5]), "member": [1]}, InvalidType, r"kind\[0\] must be str, got int"),
        ({"kind": 5, "member": [1]}, InvalidType, "kind must be str, got int"),
        ({"kind": "k", "member": [1], "community": None}, InvalidType, "community must be int or str, got None"),
        ({"kind": "k", "member": [1], "id": 1.5}, InvalidType, "id must be a sequence or an array, got float"),
        (
            {"kind": "k", "member": [1, 2], "channel": ["a"]},
            InvalidArgument,
            "channel must have 2 values as member has, got 1",
        ),
        ({"kind": "k", "member": [1, 2], "value": [1.0]}, InvalidArgument, "value must have 2 values"),
        ({"kind": "k", "member": [1, 2], "at": [1]}, InvalidArgument, "at must have 2 values"),
        ({"kind": "k", "member": [1, 2], "at_us": [1]}, InvalidArgument, "at_us must have 2 values as member has"),
        ({"kind": "k", "member": [1], "at": ["x"]}, InvalidType, r"at\[0\] must be Unix seconds"),
        ({"kind": "k", "member": [1], "at_us": [2**62]}, InvalidArgument, r"at_us\[0\] must be microseconds between"),
        ({"kind": "k", "member": [1], "at_us": -(2**62)}, InvalidArgument, "at_us must be microseconds between"),
        ({"kind": "k", "member": [1], "at_us": ["x"]}, InvalidType, r"at_us\[0\] must be int, got str"),
        ({"kind": "k", "member": [1], "at_us": [None]}, InvalidType, r"at_us\[0\] must be int, got None"),
        (
            {"kind": "k", "member": [1, 2], "data": ["", "x" * 65_537]},
            InvalidArgument,
            r"data\[1\] must have at most 65536 bytes of UTF-8, got 65537",
        ),
        (
            {"kind": "é" * 32_769, "member": [1]},
            InvalidArgument,
            "kind must have at most 65536 bytes of UTF-8, got 65538",
        ),
    ],
)
def test_bad_columns_are_refused_whole(columns, error, text):
    refused(columns, error, text)


def test_the_longest_text_is_taken():
    (row,) = pushed({"kind": "é" * 32_768, "member": ["x" * 65_536]})
    assert (len(row.kind), len(row.member)) == (32_768, 65_536)


# ---- data ------------------------------------------------------------------------------------------------------------

OBJECTS = [
    {"a": [1, 2.5, None, True], "ö": {}},
    [],
    ["x", {"y": "z"}],
    0,
    -(2**70),
    1.5,
    True,
    False,
    np.int64(7),
    np.float64(0.25),
]


@pytest.mark.parametrize("value", OBJECTS, ids=repr)
def test_data_is_serialised_without_spaces_and_escapes(value):
    (row,) = pushed({"kind": "k", "member": [1], "data": [value]})
    plain = value.item() if isinstance(value, np.generic) else value
    assert row.data == json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
    rows = []
    with EventProcessor(rows.extend) as events:
        events.push("k", 1, data=value)
    assert rows[0].data == row.data


def test_data_of_text_stays_as_it_is():
    rows = pushed({"kind": "k", "member": [1, 2, 3], "data": ['{"a": 1}', "", None]})
    assert [row.data for row in rows] == ['{"a": 1}', "", None]


def test_one_object_may_stand_for_all_events():
    for value in ({"a": 1}, 5, True, "x"):
        rows = pushed({"kind": "k", "member": [1, 2], "data": value})
        assert {row.data for row in rows} == {value if value == "x" else json.dumps(value, separators=(",", ":"))}


def test_what_was_serialised_does_not_follow_the_object():
    value = {"a": [1]}
    rows = []
    with EventProcessor(rows.extend) as events:
        events.push("k", 1, data=value)
        events.push_many({"kind": "k", "member": [1], "data": [value]})
        value["a"].append(2)
        del value
    assert {row.data for row in rows} == {'{"a":[1]}'}


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


def endless():
    value = {}
    value["self"] = value
    return value


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        ({1, 2}, InvalidType, "must be str, None or an object of JSON, got set: Object of type set"),
        ({"a": object()}, InvalidType, "got dict: Object of type object is not JSON serializable"),
        (b"x", InvalidType, "got bytes"),
        ({(1, 2): 3}, InvalidType, "got dict: keys must be str"),
        (math.nan, InvalidArgument, "got float: Out of range float values"),
        ([math.inf], InvalidArgument, "got list: Out of range float values"),
        (endless(), InvalidArgument, "got dict: Circular reference"),
        (nested(100_000), InvalidArgument, "got list: maximum recursion"),
        (["x" * 65_533], InvalidArgument, "must have at most 65536 bytes of UTF-8, got 65537"),
        (["\ud800"], InvalidArgument, "must be text without lone surrogates"),
    ],
    ids=["set", "object", "bytes", "keys", "nan", "infinity", "endless", "deep", "long", "surrogate"],
)
def test_data_that_json_has_no_form_of_is_refused(value, error, text):
    refused({"kind": "k", "member": [1, 2], "data": [None, value]}, error, r"data\[1\] .*" + text)
    events = EventProcessor()
    with pytest.raises(error, match="data .*" + text):
        events.push("k", 1, data=value)
    events.close()
    assert events.stats().offered == 0


# ---- Arrow -----------------------------------------------------------------------------------------------------------

INTEGERS = [pa.int8(), pa.uint8(), pa.int16(), pa.uint16(), pa.int32(), pa.uint32()]
INTEGERS += [pa.int64(), pa.uint64()]
TEXTS = [pa.string(), pa.large_string(), pa.string_view()]
TEXTS += [pa.dictionary(index, value) for index in INTEGERS for value in (pa.string(), pa.large_string())]


def cut(column):
    """Return the same values in arrays that begin anywhere, with and without chunks."""
    yield column
    yield pa.concat_arrays([column[:1], column])[1:]
    yield pa.chunked_array([column[:1], column[1:1], column[1:]])
    yield pa.chunked_array([column])
    yield pa.concat_arrays([column, column])[len(column) :]


@pytest.mark.parametrize("kind", INTEGERS, ids=str)
def test_arrow_integers_of_any_width(kind):
    values = [0, 1, 2, 3, 5, 8, 13, 21, 34, 127]
    for column in cut(pa.array(values, kind)):
        assert members({"member": column}) == values
    with_gaps = [None, 1, *range(20), None]
    for column in cut(pa.array(with_gaps, kind)):
        rows = pushed({"kind": "k", "member": range(len(with_gaps)), "channel": column})
        assert [row.channel for row in rows] == with_gaps


@pytest.mark.parametrize("kind", TEXTS, ids=str)
def test_arrow_texts_of_every_layout(kind):
    values = [
        "ada",
        "",
        "grüße",
        "a text that is longer than what a view holds",
        "ada",
        "x\0y",
        "twelve bytes",
        "thirteen chr",
    ]
    for column in cut(pa.array(values, pa.string()).cast(kind)):
        assert members({"member": column}) == values
    with_gaps = [None, *values, None]
    for column in cut(pa.array(with_gaps, pa.string()).cast(kind)):
        rows = pushed({"kind": "k", "member": range(len(with_gaps)), "channel": column, "data": column})
        assert [row.channel for row in rows] == [row.data for row in rows] == with_gaps


def test_arrow_nulls_and_unions():
    rows = pushed({"kind": "k", "member": [1, 2], "channel": pa.nulls(2), "data": pa.nulls(2)})
    assert [(row.channel, row.data) for row in rows] == [(None, None)] * 2
    codes = pa.array([0, 1, 0, 1], pa.int8())
    dense = pa.UnionArray.from_dense(
        codes, pa.array([1, 0, 0, 1], pa.int32()), [pa.array([5, 6]), pa.array(["a", None])]
    )
    sparse = pa.UnionArray.from_sparse(
        codes, [pa.array([6, 0, 5, 0]), pa.array(["", "a", "", None])], ["int", "str"], [0, 1]
    )
    odd = pa.UnionArray.from_sparse(
        pa.array([7, 3, 7, 3], pa.int8()),
        [pa.array([6, 0, 5, 0]), pa.array(["", "a", "", None])],
        ["int", "str"],
        [7, 3],
    )
    for column in (dense, sparse, odd):
        rows = pushed({"kind": "k", "member": range(4), "channel": column})
        assert [row.channel for row in rows] == [6, "a", 5, None]
        rows = pushed({"kind": "k", "member": range(2), "channel": column[1:3]})
        assert [row.channel for row in rows] == ["a", 5]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_arrow_timestamps_are_instants(unit):
    ticks = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    zones = ["UTC", "+02:00", "Europe/Berlin"]
    for zone in zones:
        for column in cut(pa.array([0, 5 * ticks, -3 * ticks, AT * ticks], pa.timestamp(unit, zone))):
            assert micros(column) == [0, 5_000_000, -3_000_000, AT * 1_000_000]
    naive = pa.array([0], pa.timestamp(unit))
    refused({"kind": "k", "member": [1], "at": naive}, InvalidType, "at must be timestamps with a time zone, got naive")
    null = pa.array([0, None], pa.timestamp(unit, "UTC"))
    refused({"kind": "k", "member": [1, 2], "at": null}, InvalidType, r"at\[1\] must be an instant, got null")
    if unit != "ns":
        far = pa.array([0, 253402300800 * ticks], pa.timestamp(unit, "UTC"))
        text = r"at\[1\] must be between the years 1 and 9999, got the timestamp"
        refused({"kind": "k", "member": [1, 2], "at": far}, InvalidArgument, text)
        last = pa.array([253402300800 * ticks - 1, -62135596800 * ticks], pa.timestamp(unit, "UTC"))
        assert micros(last) == [253402300800 * 10**6 - 10**6 // ticks, -62135596800 * 10**6]


def test_nanoseconds_go_to_the_nearest_microsecond():
    column = pa.array([499, 500, 1499, 1500, -499, -500, -1500, 2**63 - 1], pa.timestamp("ns", "UTC"))
    assert micros(column) == [0, 1, 1, 2, 0, -1, -2, 9223372036854776]


def test_arrow_numbers_are_seconds_and_values():
    for kind in (*INTEGERS, pa.float16(), pa.float32(), pa.float64()):
        for column in cut(pa.array([0, 1, 2, 64], pa.float64()).cast(kind)):
            rows = pushed({"kind": "k", "member": range(4), "at": column, "value": column})
            assert [row.at for row in rows] == [row.value for row in rows] == [0, 1, 2, 64]
    exact = pa.array([1, 2], pa.int64())
    assert [row.at for row in pushed({"kind": "k", "member": [1, 2], "at_us": exact})] == [1e-6, 2e-6]


def table(n=3):
    return pa.table(
        {
            "member": pa.array(range(n), pa.int64()),
            "kind": pa.array(["message"] * n).dictionary_encode(),
            "channel": [None if i % 2 else f"c{i}" for i in range(n)],
            "at": pa.array([AT * 1000 + i for i in range(n)], pa.timestamp("ms", "UTC")),
            "value": pa.array([1.5] * n),
        }
    )


class Interface:
    """Nothing of an object but its Arrow interface, as of a table of another library."""

    def __init__(self, of):
        self.of = of


class OnlyStream(Interface):
    def __arrow_c_stream__(self, requested_schema=None):
        return self.of.__arrow_c_stream__(requested_schema)


class OnlyArray(Interface):
    def __arrow_c_array__(self, requested_schema=None):
        return self.of.__arrow_c_array__(requested_schema)


def test_tables_of_arrow_are_columns():
    whole = table(50)
    expected = [Event(None, "message", "", None if i % 2 else f"c{i}", i, AT + i / 1000, 1.5, None) for i in range(50)]
    (batch,) = whole.to_batches()
    cut_table = pa.concat_tables([whole[:7], whole[7:7], whole[7:]])
    for given_table in (whole, batch, cut_table, OnlyStream(whole), OnlyStream(cut_table), OnlyArray(batch)):
        assert pushed(given_table) == expected
    assert pushed(whole[11:13]) == pushed(batch[11:13]) == expected[11:13]
    assert pushed(whole[:0]) == pushed(table(0)) == []
    reader = pa.RecordBatchReader.from_batches(whole.schema, iter(cut_table.to_batches()))
    assert pushed(reader) == expected
    assert pushed({name: OnlyStream(whole.column(name)) for name in whole.column_names}) == expected


def test_what_was_pushed_outlives_the_table():
    batches = []
    with EventProcessor(batches.append) as events:
        given_table = table(1000)
        events.push_many(given_table)
        del given_table
    assert [event.member for batch in batches for event in batch] == list(range(1000))


class Raising:
    def __arrow_c_stream__(self, requested_schema=None):
        raise LookupError("gone")


class Nonsense:
    def __arrow_c_array__(self, requested_schema=None):
        return (5, 6)


class OneCapsule:
    def __arrow_c_array__(self, requested_schema=None):
        return 5


def failing():
    schema = pa.schema({"kind": pa.string(), "member": pa.int64()})

    def batches():
        yield pa.record_batch({"kind": ["k"], "member": [1]}, schema=schema)
        raise LookupError("the file ends here")

    return pa.RecordBatchReader.from_batches(schema, batches())


def with_nulls():
    kind = pa.struct({"kind": pa.string(), "member": pa.int64()})
    return pa.array([{"kind": "k", "member": 1}, None], kind)


INVALID = pa.Array.from_buffers(pa.string(), 2, [None, pa.py_buffer(np.array([0, 1, 2], "i")), pa.py_buffer(b"a\xff")])
BACKWARDS = pa.Array.from_buffers(pa.string(), 2, [None, pa.py_buffer(np.array([0, 2, 1], "i")), pa.py_buffer(b"ab")])
ASTRAY = pa.DictionaryArray.from_arrays(pa.array([0, 5]), pa.array(["a"]), safe=False)


@pytest.mark.parametrize(
    ("columns", "error", "text"),
    [
        (Raising(), LookupError, "gone"),
        ({"kind": "k", "member": Raising()}, LookupError, "gone"),
        ({"kind": "k", "member": Nonsense()}, InvalidType, "must give a capsule of arrow_schema, got int"),
        (OneCapsule(), InvalidType, r"columns.__arrow_c_array__\(\) must return two capsules"),
        (failing(), InvalidArgument, "columns must be readable, got an Arrow stream that fails with: .*the file ends"),
        (with_nulls(), InvalidType, "rows are all there"),
        (pa.table({"kind": ["k"]}), InvalidArgument, "columns must hold member and kind"),
        (pa.table({"kind": ["k"], "member": [1], "x": [1]}), InvalidArgument, "got 'x'"),
        (pa.table([[1], [2]], names=["member", "member"]), InvalidArgument, "names of their own.* 'member'"),
        ({"kind": "k", "member": pa.array([1.5])}, InvalidType, "member must be a column of int or str, .* «g»"),
        ({"kind": "k", "member": pa.array([True])}, InvalidType, "member must be a column of int or str, .* «b»"),
        ({"kind": "k", "member": pa.array([[1]])}, InvalidType, "member must be a column of int or str"),
        ({"kind": "k", "member": pa.array([1, None])}, InvalidType, r"member\[1\] must be int or str, got None"),
        ({"kind": pa.array([1]), "member": [1]}, InvalidType, r"kind\[0\] must be str, got int"),
        ({"kind": pa.array(["k", None]), "member": [1, 2]}, InvalidType, r"kind\[1\] must be str, got None"),
        (
            {"kind": "k", "member": pa.chunked_array([[1], [2**63]], pa.uint64())},
            InvalidArgument,
            r"member\[1\] must fit in a signed 64-bit integer, got 9223372036854775808",
        ),
        (
            {"kind": "k", "member": pa.array(["a", "x" * 65_537])},
            InvalidArgument,
            r"member\[1\] must have at most",
        ),
        ({"kind": "k", "member": INVALID}, InvalidArgument, r"member\[1\] must be well-formed UTF-8"),
        ({"kind": "k", "member": BACKWARDS}, InvalidArgument, r"member\[1\] must have offsets that grow"),
        (
            {"kind": "k", "member": ASTRAY},
            InvalidArgument,
            r"member\[1\] must be in the dictionary of 1 values, got .* 5",
        ),
        (
            {"kind": "k", "member": [1, 2], "channel": pa.array([1])},
            InvalidArgument,
            "channel must have 2 values as member has, got 1",
        ),
        ({"kind": "k", "member": [1], "at": pa.array([1, 2])}, InvalidArgument, "at must have 1 values"),
        ({"kind": "k", "member": [1], "value": pa.array([1, 2])}, InvalidArgument, "value must have 1 values"),
        ({"kind": "k", "member": [1], "at": pa.array(["x"])}, InvalidType, "at must be a column of timestamps"),
        (
            {"kind": "k", "member": [1], "value": pa.array(["x"])},
            InvalidType,
            "value must be a column of integers",
        ),
        (
            {"kind": "k", "member": [1, 2], "value": pa.array([1, None])},
            InvalidType,
            r"value\[1\] must be int or float, got null",
        ),
        (
            {"kind": "k", "member": [1], "data": pa.array([1])},
            InvalidType,
            r"data\[0\] must be str or None, got int",
        ),
    ],
)
def test_bad_arrow_columns_are_refused_whole(columns, error, text):
    refused(columns, error, text)


def test_datetimes_in_a_list_are_instants():
    at = [
        datetime(2023, 11, 14, 22, 13, 20, 5, tzinfo=UTC),
        datetime(1970, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))),
    ]
    assert micros(at) == [AT * 10**6 + 5, 0]
    assert micros(copy.copy(at)) == micros(pa.array(at, pa.timestamp("us", "UTC")))
