"""EventProcessor from Python: what is pushed, what arrives, in which order and in which batches."""

from __future__ import annotations

import copy
import gc
import math
import pickle
import threading
import time
import weakref
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from processing import AT, FOREVER, check
from waiting import PATIENCE, until

from engagehub_core import BoardSpec, Event, EventProcessor
from engagehub_core.errors import InvalidArgument, InvalidType
from engagehub_core.sinks import NullSink


def test_an_event_arrives_as_it_was_pushed():
    rows = []
    with EventProcessor(rows.extend) as events:
        assert events.push("message", "ada") is True
        assert events.push("message", 7, 8, at=AT + 0.25, community=9, id=10, value=2, data="x")
        assert events.push(
            kind="réaction", member="bob\0", channel="général", at=AT, community="gilde", id="ä", value=-1.5, data=""
        )
        assert events.push("k", "m", None, at=AT, id=None, data=None)
        assert events.push("k", -(2**63), 2**63 - 1, at=-1)
    assert rows[1:] == [
        Event(10, "message", 9, 8, 7, AT + 0.25, 2.0, "x"),
        Event("ä", "réaction", "gilde", "général", "bob\0", float(AT), -1.5, ""),
        Event(rows[3].id, "k", "", None, "m", float(AT), 1.0, None),
        Event(rows[4].id, "k", "", 2**63 - 1, -(2**63), -1.0, 1.0, None),
    ]
    assert rows[0][1:5] == ("message", "", None, "ada")
    assert abs(rows[0].at - time.time()) < 3600
    assert all(type(row) is Event for row in rows)


def test_instants_are_seconds_or_aware_datetimes_and_default_to_the_clock():
    rows = []
    instants = iter([AT, datetime(2023, 11, 14, 22, 13, 21, 5, tzinfo=UTC)])
    with EventProcessor(rows.extend, clock=lambda: next(instants), max_skew=None, dedupe_horizon=None) as events:
        events.push("k", "m")
        events.push("k", "m", at=None)
        events.push("k", "m", at=datetime(2023, 11, 14, 23, 13, 20, tzinfo=timezone(timedelta(hours=1))))
        with pytest.raises(StopIteration):
            events.push("k", "m")
        with pytest.raises(InvalidArgument, match="aware"):
            events.push("k", "m", at=datetime(2023, 11, 14))
    assert [row.at for row in rows] == [AT, AT + 1.000005, AT]
    assert events.stats().offered == 3


@pytest.mark.parametrize(
    ("args", "kwargs", "error", "text"),
    [
        ((), {}, TypeError, "missing required argument 'kind'"),
        (("k",), {}, TypeError, "missing required argument 'member'"),
        (("k", "m", "c", 1), {}, TypeError, "at most 3 positional arguments"),
        (("k", "m"), {"when": 1}, TypeError, "unexpected keyword argument 'when'"),
        (("k", "m"), {"kind": "k"}, TypeError, "multiple values for argument 'kind'"),
        ((1, "m"), {}, InvalidType, "kind must be str, got int"),
        (("k", None), {}, InvalidType, "member must be int or str, got NoneType"),
        (("k", True), {}, InvalidType, "member must be int or str, got bool"),
        (("k", 1.0), {}, InvalidType, "member must be int or str, got float"),
        (("k", b"m"), {}, InvalidType, "member must be int or str, got bytes"),
        (("k", 2**63), {}, InvalidArgument, "member must fit in a signed 64-bit integer"),
        (("k", "\ud800"), {}, InvalidArgument, "member must be text without lone surrogates"),
        (("k", "m", 1.5), {}, InvalidType, "channel must be int or str"),
        (("k", "m"), {"community": None}, InvalidType, "community must be int or str"),
        (("k", "m"), {"id": b"x"}, InvalidType, "id must be int or str"),
        (("k", "m"), {"value": math.nan}, InvalidArgument, "value must be finite, got nan"),
        (("k", "m"), {"value": math.inf}, InvalidArgument, "value must be finite, got inf"),
        (("k", "m"), {"value": None}, InvalidType, "value must be int or float"),
        (("k", "m"), {"value": 10**400}, InvalidArgument, "value must fit in a double"),
        (("k", "m"), {"data": {5}}, InvalidType, "data must be str, None or an object of JSON, got set"),
        (("k", "m"), {"data": "x" * 65_537}, InvalidArgument, "data must have at most 65536 bytes of UTF-8, got 65537"),
        (("k" * 70_000, "m"), {}, InvalidArgument, "kind must have at most 65536 bytes"),
        (("k", "m"), {"at": "now"}, InvalidType, "at must be Unix seconds"),
        (("k", "m"), {"at": math.nan}, InvalidArgument, "at must be Unix seconds between the years 1 and 9999"),
        (("k", "m"), {"at": 1e15}, InvalidArgument, "at must be Unix seconds between the years 1 and 9999"),
    ],
)
def test_a_bad_event_is_refused_by_name_and_changes_nothing(args, kwargs, error, text):
    events = EventProcessor()
    with pytest.raises(error, match=text):
        events.push(*args, **{"at": AT, **kwargs} if args else kwargs)
    events.close()
    assert events.stats().offered == 0


@given(
    st.lists(
        st.builds(
            Event,
            st.none() | st.integers(-(2**63), 2**63 - 1) | st.text(),
            st.text(),
            st.integers(-(2**63), 2**63 - 1) | st.text(),
            st.none() | st.integers(0, 9) | st.text(),
            st.integers(0, 9) | st.text(),
            st.integers(-(10**10), 10**10).map(float),
            st.floats(allow_nan=False, allow_infinity=False),
            st.none() | st.text(),
        ),
        max_size=20,
    ),
    st.integers(1, 7),
)
@settings(max_examples=60, deadline=None)
def test_whatever_goes_in_comes_out_in_order(given_events, batch_size):
    rows, columns = [], []

    def sink(batch):
        rows.extend(batch)
        columns.append(batch.columns())

    with EventProcessor(sink, batch_size=batch_size, dedupe_horizon=None, max_skew=None) as events:
        for e in given_events:
            assert events.push(
                e.kind, e.member, e.channel, at=e.at, community=e.community, id=e.id, value=e.value, data=e.data
            )
    expected = [e if e.id is not None else e._replace(id=row.id) for e, row in zip(given_events, rows, strict=True)]
    assert rows == expected
    for field in Event._fields:
        assert [value for part in columns for value in part[field]] == [getattr(e, field) for e in expected]
    again = []
    with EventProcessor(again.extend, dedupe_horizon=None, max_skew=None) as events:
        for part in columns:
            assert events.push_many(part) == len(part["member"])
    assert again == expected


def test_batches_close_at_their_size_and_flush_sends_the_rest():
    sizes = []
    events = EventProcessor(lambda batch: sizes.append(len(batch)), batch_size=10, flush_interval=FOREVER)
    for i in range(25):
        events.push("k", i, at=AT)
    events.flush(timeout=PATIENCE)
    assert sum(sizes) == 25
    assert max(sizes) <= 10
    assert check(events.stats()).queued == 0
    events.flush(timeout=0)
    events.close()
    assert check(events.stats()).batches == len(sizes)


def test_a_batch_goes_out_after_the_interval():
    arrived = threading.Event()
    with EventProcessor(lambda _: arrived.set(), flush_interval=0.01) as events:
        events.push("k", 1)
        assert arrived.wait(PATIENCE)


def test_flush_is_a_barrier_for_every_thread():
    seen = set()
    failures = []
    events = EventProcessor(
        lambda batch: seen.update(event.member for event in batch),
        workers=3,
        batch_size=7,
        capacity=64,
        overflow="block",
    )

    def produce(name):
        for i in range(300):
            events.push("k", name * 1000 + i, at=AT)
            if i % 50 == 0:
                events.flush(timeout=PATIENCE)
                if not all(name * 1000 + j in seen for j in range(i + 1)):
                    failures.append((name, i))

    threads = [threading.Thread(target=produce, args=(name,)) for name in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    events.close()
    assert failures == []
    assert check(events.stats()).delivered == 900


def test_the_sink_is_never_called_twice_at_a_time():
    lock = threading.Lock()
    overlaps = []
    crowds = []

    def sink(batch):
        if not lock.acquire(blocking=False):
            overlaps.append(1)
            return
        if len(crowds) < 50:
            until(lambda: events.stats().queued == 64)  # so there is more than a batch for whoever else would call
            crowds.append(1)
        lock.release()

    settings = {"workers": 4, "batch_size": 3, "overflow": "block", "capacity": 64, "flush_interval": FOREVER}
    with EventProcessor(sink, boards={"all": BoardSpec()}, **settings) as events:
        for i in range(999):
            events.push("k", i, at=AT)
    assert overlaps == []
    assert len(crowds) == 50
    assert check(events.stats()).delivered == 999


def test_no_sink_and_the_null_sink():
    with EventProcessor() as events:
        events.push("k", 1)
    assert check(events.stats()).written == 1
    sink = NullSink()
    with EventProcessor(sink, batch_size=2) as events:
        events.push_many({"kind": "k", "member": [1, 2, 3]})
    assert sink.events == 3
    assert sink.batches == events.stats().batches


def test_something_else_is_no_sink():
    with pytest.raises(InvalidType, match=r"sink must have write\(batch\) or be callable, got int"):
        EventProcessor(5)


def test_a_class_is_no_sink_in_place_of_its_object():
    class Sink:
        def write(self, batch):
            raise AssertionError

    with pytest.raises(InvalidType, match=r"sink must be an object with write\(batch\), got its class Sink"):
        EventProcessor(Sink)
    with EventProcessor(Sink()) as events, pytest.raises(InvalidType, match="got its class Sink"):
        events.replace_sink(Sink)


@pytest.mark.parametrize("name", ["open", "close"])
def test_a_sink_whose_ends_can_not_be_called_is_refused(name):
    sink = type("Sink", (), {"write": print, name: 5})()
    with pytest.raises(InvalidType, match=rf"sink must have a method {name}\(\) or none, got int"):
        EventProcessor(sink)


@pytest.mark.parametrize(
    ("setting", "error"),
    [
        ({"capacity": 1}, InvalidArgument),
        ({"capacity": 2.0}, InvalidType),
        ({"workers": 0}, InvalidArgument),
        ({"workers": 65}, InvalidArgument),
        ({"batch_size": 0}, InvalidArgument),
        ({"batch_size": -1}, InvalidArgument),
        ({"flush_interval": 0}, InvalidArgument),
        ({"flush_interval": math.nan}, InvalidArgument),
        ({"flush_interval": "1"}, InvalidType),
        ({"overflow": "drop"}, InvalidArgument),
        ({"overflow": None}, InvalidArgument),
        ({"block_timeout": -1}, InvalidArgument),
        ({"keep_dead": -1}, InvalidArgument),
        ({"keep_dead": None}, InvalidType),
        ({"retry_first": 0}, InvalidArgument),
        ({"retry_first": math.nan}, InvalidArgument),
        ({"retry_first": 31}, InvalidArgument),
        ({"retry_max": "1"}, InvalidType),
        ({"retry_max": 90_000}, InvalidArgument),
        ({"sink_timeout": 0}, InvalidArgument),
        ({"sink_timeout": "1"}, InvalidType),
        ({"dedupe_horizon": 0}, InvalidArgument),
        ({"dedupe_horizon": "a while"}, InvalidArgument),
        ({"dedupe_horizon": timedelta(days=100_000)}, InvalidArgument),
        ({"max_identities": 0}, InvalidArgument),
        ({"max_identities": 1.5}, InvalidType),
        ({"max_skew": -1}, InvalidArgument),
        ({"max_skew": True}, InvalidType),
        ({"boards": {"week": None}}, InvalidType),
        ({"trends": []}, InvalidType),
        ({"windows": {1: None}}, InvalidType),
        ({"clock": 5}, InvalidType),
    ],
)
def test_settings_out_of_range_are_refused_before_the_sink_is_opened(setting, error):
    opened = []

    class Opening:
        def open(self):
            opened.append(1)

        def write(self, batch):
            raise AssertionError

    (name,) = setting
    with pytest.raises(error, match=name):
        EventProcessor(Opening(), **setting)
    gc.collect()
    assert opened == []


def test_events_use_no_memory_once_they_are_gone():
    batches = []
    with EventProcessor(batches.append, batch_size=10) as events:
        events.push_many({"kind": "k", "member": list(range(100))})
    gone = [weakref.ref(batch) for batch in batches]
    batches.clear()
    gc.collect()
    assert all(ref() is None for ref in gone)


def test_it_cannot_be_pickled_or_copied():
    events = EventProcessor()
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="EventProcessor can't be pickled or copied"):
            attempt(events)
    events.close()


def test_an_object_without_init_is_refused_not_fatal():
    raw = EventProcessor.__new__(EventProcessor)
    for call in (lambda: raw.push("k", 1), raw.stats, raw.flush):
        with pytest.raises((TypeError, AttributeError)):
            call()
    gc.collect()
