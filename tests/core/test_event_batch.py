"""The batch that a sink is given: a sequence of events that is columns, too."""

from __future__ import annotations

import copy
import gc
import operator
import pickle
import subprocess
import sys
import threading
import weakref
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagehub_core import Event, EventBatch, EventProcessor

AT = 1_700_000_000
METHODS = ("columns", "to_dicts", "to_arrow", "__arrow_c_schema__", "__arrow_c_array__", "__arrow_c_stream__")


def batch_of(columns):
    """Return the one batch that columns become."""
    batches = []
    settings = {"batch_size": 100_000, "capacity": 2**17, "flush_interval": 3_600}
    with EventProcessor(batches.append, dedupe_horizon=None, max_skew=None, **settings) as events:
        size = events.push_many(columns)
    (batch,) = batches
    assert len(batch) == size
    return batch


def five():
    return batch_of(
        {
            "id": range(5),
            "kind": "message",
            "member": range(5),
            "channel": "general",
            "at": [AT + i for i in range(5)],
            "data": [None, "a", "", None, "b"],
        }
    )


ROWS = st.lists(
    st.builds(
        Event,
        st.integers(-(2**63), 2**63 - 1) | st.text(max_size=20),
        st.text(max_size=20),
        st.integers(-(2**63), 2**63 - 1) | st.text(max_size=20),
        st.none() | st.integers(0, 9) | st.text(max_size=20),
        st.integers(0, 9) | st.text(max_size=20),
        st.integers(-(10**10), 10**10).map(float),
        st.floats(allow_nan=False, allow_infinity=False),
        st.none() | st.text(max_size=20),
    ),
    min_size=1,
    max_size=40,
)


def batch_of_events(rows):
    return batch_of({name: [getattr(row, name) for row in rows] for name in Event._fields})


# ---- a sequence ------------------------------------------------------------------------------------------------------


def test_a_batch_is_a_sequence_that_outlives_the_call():
    batch = five()
    gc.collect()
    assert isinstance(batch, EventBatch)
    assert isinstance(batch, Sequence)
    assert len(batch) == 5
    assert [batch[i].member for i in (0, 4, -1, -5)] == [0, 4, 4, 0]
    assert [event.member for event in reversed(batch)] == [4, 3, 2, 1, 0]
    assert batch[2] in batch
    assert batch[2]._replace(value=7.0) not in batch
    assert (batch.index(batch[2]), batch.count(batch[2]), batch.index(batch[2], 1, 4)) == (2, 1, 2)
    with pytest.raises(ValueError, match="not in list"):
        batch.index(batch[2], 3)
    for wrong in (5, -6, 2**70):
        with pytest.raises(IndexError):
            batch[wrong]
    with pytest.raises(TypeError):
        batch["x"]
    with pytest.raises(TypeError):
        batch[0] = None
    for refused in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="EventBatch can't be pickled or copied"):
            refused(batch)
    assert pickle.loads(pickle.dumps(batch[0])) == batch[0]
    with pytest.raises(TypeError):
        EventBatch()
    assert (repr(batch), repr(batch[:1])) == ("<EventBatch of 5 events>", "<EventBatch of 1 event>")


def test_its_events_are_events_in_every_way():
    batch = five()
    first = Event(0, "message", "", "general", 0, float(AT), 1.0, None)
    assert batch[0] == first == next(iter(batch))
    assert all(type(event) is Event for event in batch)
    assert batch[0]._asdict() == first._asdict()
    assert hash(batch[0]) == hash(first)


@given(ROWS, st.data())
@settings(max_examples=80, deadline=None)
def test_a_batch_is_like_a_list_of_its_events(rows, data):
    batch = batch_of_events(rows)
    assert list(batch) == rows
    limits = st.none() | st.integers(-len(rows) - 2, len(rows) + 2)
    model, part = rows, batch
    for _ in range(3):
        cut = slice(data.draw(limits), data.draw(limits), data.draw(st.sampled_from([None, 1, 1, 2, -1, -3])))
        model, part = model[cut], part[cut]
        assert type(part) is EventBatch
        assert list(part) == model
        assert [part[i] for i in range(len(part))] == model
        assert part.to_dicts() == [event._asdict() for event in model]
        columns = part.columns()
        assert list(columns) == ["id", "kind", "community", "channel", "member", "at", "at_us", "value", "data"]
        for name in Event._fields:
            assert list(columns[name]) == [getattr(event, name) for event in model]
        assert columns["at_us"].tolist() == [round(event.at * 10**6) for event in model]


def test_a_slice_shares_the_memory_of_the_whole():
    batch = batch_of({"kind": "k", "member": range(1_000), "at_us": range(1_000), "id": ["some id"] * 1_000})
    part = batch[100:200][50:60]
    assert part.nbytes == batch.nbytes > 8_000
    whole_at = np.asarray(batch.columns()["at_us"])
    part_at = np.asarray(part.columns()["at_us"])
    assert np.shares_memory(whole_at, part_at)
    assert part_at.tolist() == list(range(150, 160))
    assert batch[::2].nbytes < batch.nbytes
    assert batch[:] == batch


def test_batches_are_equal_if_their_events_are():
    batch, same = five(), five()
    assert batch == same
    assert batch[1:] == same[1:] != same[:-1]
    assert batch[1:1] == same[3:3]
    assert batch[::-1][::-1] == batch
    assert batch != list(batch)
    assert batch != five()[:4]
    for name, value in (("at_us", 1), ("value", 2.0), ("member", "1"), ("channel", 1), ("data", "x"), ("id", 0)):
        columns = {
            "kind": ["k"],
            "member": [1],
            "at_us": [0],
            "value": [1.0],
            "channel": [None],
            "data": [None],
            "id": ["x"],
        }
        assert batch_of(columns) != batch_of({**columns, name: [value]})
    with pytest.raises(TypeError, match="unhashable"):
        hash(batch)


def test_a_batch_may_be_read_by_many_threads_at_once():
    batch = batch_of({"kind": "k", "member": [f"m{i % 7}" for i in range(2_000)], "channel": range(2_000)})
    expected = list(batch)
    right = []

    def read():
        for _ in range(5):
            right.append(list(batch) == expected)
            right.append(batch[5:9].to_dicts()[1]["channel"] == 6)
            right.append(batch.to_arrow().num_rows == 2_000)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert right == [True] * 60


@pytest.mark.parametrize(
    "call",
    [len, list, repr, *(operator.methodcaller(name) for name in METHODS)],
    ids=["len", "list", "repr", *METHODS],
)
def test_a_batch_that_the_processor_did_not_make_is_none(call):
    with pytest.raises(TypeError, match="__init__"):
        call(EventBatch.__new__(EventBatch))


# ---- columns ---------------------------------------------------------------------------------------------------------


def test_columns_share_texts_and_are_exact_in_microseconds():
    at = datetime(2023, 11, 14, 22, 13, 20, 123_457, tzinfo=UTC)
    batch = batch_of(
        {
            "kind": ["message"] * 3,
            "member": ["some member"] * 3,
            "channel": ["general"] * 3,
            "at": at,
            "community": "guild",
        }
    )
    columns = batch.columns()
    for name in ("kind", "community", "channel", "member"):
        assert len({id(text) for text in columns[name]}) == 1
    for name in ("kind", "member"):
        assert len({id(event[name]) for event in batch.to_dicts()}) == 1
        assert len({id(getattr(event, name)) for event in batch}) == 1
    assert columns["at_us"].tolist() == [1_700_000_000_123_457] * 3


def test_columns_of_numbers_are_read_only_memory_that_outlives_the_batch():
    batch = batch_of({"kind": "k", "member": range(300), "at_us": range(300), "value": [i / 8 for i in range(300)]})
    columns = batch.columns()
    assert (columns["at_us"].format, columns["value"].format, columns["at"].format) == ("q", "d", "d")
    for name in ("at_us", "value", "at"):
        column = columns[name]
        assert (column.readonly, column.ndim, column.shape, column.strides, column.itemsize) == (
            True,
            1,
            (300,),
            (8,),
            8,
        )
        assert column.c_contiguous
        with pytest.raises(TypeError):
            column[0] = 1
        assert not np.asarray(column).flags.writeable
    again = batch.columns()
    for name in ("at_us", "value"):
        assert np.shares_memory(np.asarray(columns[name]), np.asarray(again[name]))
    arrays = {name: np.asarray(columns[name]) for name in ("at_us", "value")}
    gone = weakref.ref(columns["at_us"])
    del batch, columns, again, column
    gc.collect()
    assert arrays["at_us"].tolist() == list(range(300))
    assert arrays["value"].tolist() == [i / 8 for i in range(300)]
    del arrays
    gc.collect()
    assert gone() is None


def test_columns_of_nothing():
    columns = five()[5:].columns()
    assert all(len(column) == 0 for column in columns.values())
    assert np.asarray(columns["at_us"]).tolist() == []
    assert columns["value"].tolist() == []


# ---- Arrow -----------------------------------------------------------------------------------------------------------


def plain(table):
    rows = []
    for row in table.to_pylist():
        row["at"] = row["at"].timestamp()
        rows.append(Event(**row))
    return rows


@given(ROWS, st.data())
@settings(max_examples=80, deadline=None)
def test_arrow_has_the_same_events(rows, data):
    rows = [row._replace(at=row.at % 10**9) for row in rows]
    batch = batch_of_events(rows)
    first = data.draw(st.integers(0, len(rows)))
    stop = data.draw(st.integers(first, len(rows)))
    part = batch[first:stop]
    table = part.to_arrow()
    table.validate(full=True)
    assert plain(table) == rows[first:stop]
    assert table.schema == batch.to_arrow().schema
    assert pa.table(part).to_batches() == ([table] if len(table) else [])
    assert pa.schema(part) == table.schema


def test_the_types_of_arrow_follow_what_the_columns_hold():
    def types(**columns):
        schema = batch_of({"kind": "k", "member": [1, 2], **columns}).to_arrow().schema
        return {field.name: str(field.type) for field in schema}

    assert types(data=["x", None]) == {
        "id": "large_string",  # of the processor
        "kind": "large_string",
        "community": "large_string",
        "channel": "null",
        "member": "int64",
        "at": "timestamp[us, tz=UTC]",
        "value": "double",
        "data": "large_string",
    }
    assert types()["data"] == "large_string"
    assert types(member=["x", "y"], channel=[None, 5], community=7)["member"] == "large_string"
    assert types(channel=[None, 5])["channel"] == "int64"
    assert types(channel=[None, "c"])["channel"] == "large_string"
    assert types(channel=["c", 5])["channel"].startswith("sparse_union<")
    schema = five().to_arrow().schema
    assert {field.name for field in schema if field.nullable} == {"id", "channel", "data"}


def test_arrow_shares_the_memory_of_the_batch_and_keeps_it():
    batch = batch_of(
        {"kind": "k", "member": range(500), "at_us": range(500), "value": [0.5] * 500, "id": ["abc"] * 500}
    )
    columns = batch.columns()
    one, other = batch.to_arrow(), batch[100:].to_arrow()
    for table, first in ((one, 0), (other, 100)):
        at = np.asarray(columns["at_us"])[first:]
        assert table.column("at").buffers()[1].address == at.ctypes.data
        value = np.asarray(columns["value"])[first:]
        assert table.column("value").buffers()[1].address == value.ctypes.data
        assert all(table.column(name).buffers()[0] is None for name in ("kind", "member", "at", "value", "id"))
    for name in ("member", "id", "kind"):
        addresses = [table.column(name).buffers()[1].address for table in (one, other)]
        assert addresses[1] - addresses[0] == 100 * 8
    del batch, columns, at, value, one, table
    gc.collect()
    assert other.column("member").to_pylist() == list(range(100, 500))
    assert other.column("id").to_pylist() == ["abc"] * 400
    column = other.column("member")
    del other
    gc.collect()
    assert column.to_pylist() == list(range(100, 500))


def test_bits_of_none_lie_right_at_every_length():
    for length in range(1, 20):
        channel = [None if i % 3 == 0 else i for i in range(length)]
        batch = batch_of({"kind": "k", "member": range(length), "channel": channel})
        for first in range(length):
            column = batch[first:].to_arrow().column("channel")
            assert column.to_pylist() == channel[first:]
            assert column.null_count == channel[first:].count(None)


def test_capsules_that_nobody_takes_are_released():
    batch = batch_of({"kind": "k", "member": range(100), "channel": [None, "c"] * 50})
    for _ in range(100):
        batch.__arrow_c_schema__()
        batch.__arrow_c_array__()
        batch.__arrow_c_stream__()
        batch.__arrow_c_array__(requested_schema=None)
        batch.__arrow_c_stream__(requested_schema=None)
    assert list(pa.table(batch).column("channel").to_pylist()) == [None, "c"] * 50


def test_without_pyarrow_only_to_arrow_is_missing():
    script = """
import sys
sys.modules["pyarrow"] = None
from engagehub_core import EventProcessor
batches = []
with EventProcessor(batches.append) as events:
    events.push_many({"kind": "k", "member": [1]})
events = EventProcessor(batches.append)
assert events.push_many(batches[0]) == 1
events.close()
assert batches[0] == batches[1]
try:
    batches[0].to_arrow()
except ModuleNotFoundError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == 'to_arrow needs pyarrow: pip install "engagehub-core[arrow]"\n'


def test_errors_show_numbers_beside_a_library_with_its_own_streams():
    script = """
import pyarrow  # loads the libstdc++ of the machine, or one of its own, before ours
from engagehub_core import EventProcessor
try:
    EventProcessor(flush_interval=-2.5)
except ValueError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "flush_interval must be more than 0 and at most 86400 seconds, got -2.5\n"


def test_a_batch_does_not_bring_pyarrow_along():
    script = """
import sys
from engagehub_core import EventProcessor
batches = []
with EventProcessor(batches.append) as events:
    events.push_many({"kind": "k", "member": [1]})
    events.flush()
    assert events.push_many(batches[0]) == 1
assert [batch.columns()["member"] + batch.to_dicts() for batch in batches]
assert "pyarrow" not in sys.modules and "numpy" not in sys.modules and "json" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
