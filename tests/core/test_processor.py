"""EventProcessor from Python: what it delivers, what it counts, and that nothing makes it hang or crash."""

from __future__ import annotations

import copy
import gc
import math
import os
import pickle
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from waiting import PATIENCE, answer_to_ctrl_c, until

from engagehub_core import Event, EventProcessor, ProcessorStats
from engagehub_core.errors import CapacityExceeded, Closed, InvalidArgument, InvalidType, SinkError
from engagehub_core.sinks import NullSink, Sink, WriteResult

AT = 1_700_000_000
FOREVER = 86_400


def check(stats: ProcessorStats) -> ProcessorStats:
    assert stats.offered == stats.accepted + stats.refused
    assert stats.accepted == stats.queued + stats.in_flight + stats.delivered + stats.failed + stats.evicted
    assert stats.delivered == stats.written + stats.duplicate + stats.rejected
    return stats


class Gate:
    """A sink that waits until it is opened, and tells when it was reached."""

    def __init__(self):
        self.reached = threading.Event()
        self.opened = threading.Event()
        self.members = []

    def __call__(self, batch):
        self.reached.set()
        assert self.opened.wait(PATIENCE)
        self.members += [event.member for event in batch]


#: For tests that ask for the gate: threads that ran one side by side would share it.
one_at_a_time = pytest.mark.thread_unsafe(reason="its gate is a fixture, which threads would share")


@pytest.fixture
def gate():
    gate = Gate()
    yield gate
    gate.opened.set()


@pytest.fixture
def unraisable(monkeypatch):
    seen = []
    monkeypatch.setattr(sys, "unraisablehook", lambda args: seen.append(args.exc_value))
    return seen


def run_script(script, code=0, timeout=PATIENCE * 2):
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done.stdout, done.stderr, time.monotonic() - begun


# ---- events ----------------------------------------------------------------------------------------------------------


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
        Event(None, "k", "", None, "m", float(AT), 1.0, None),
        Event(None, "k", "", 2**63 - 1, -(2**63), -1.0, 1.0, None),
    ]
    assert rows[0][:5] == (None, "message", "", None, "ada")
    assert abs(rows[0].at - time.time()) < 3600
    assert all(type(row) is Event for row in rows)


def test_instants_are_seconds_or_aware_datetimes_and_default_to_the_clock():
    rows = []
    instants = iter([AT, datetime(2023, 11, 14, 22, 13, 21, 5, tzinfo=UTC)])
    with EventProcessor(rows.extend, clock=lambda: next(instants)) as events:
        events.push("k", "m")
        events.push("k", "m", at=None)
        events.push("k", "m", at=datetime(2023, 11, 14, 23, 13, 20, tzinfo=timezone(timedelta(hours=1))))
        with pytest.raises(StopIteration):
            events.push("k", "m")
        with pytest.raises(InvalidArgument, match="aware"):
            events.push("k", "m", at=datetime(2023, 11, 14))
    assert [row.at for row in rows] == [AT, AT + 1.000005, AT]
    assert events.stats().offered == 3


class Broken:
    def __call__(self):
        raise LookupError("no time")


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

    with EventProcessor(sink, batch_size=batch_size) as events:
        for e in given_events:
            assert events.push(
                e.kind, e.member, e.channel, at=e.at, community=e.community, id=e.id, value=e.value, data=e.data
            )
    assert rows == given_events
    for field in Event._fields:
        assert [value for part in columns for value in part[field]] == [getattr(e, field) for e in given_events]
    again = []
    with EventProcessor(again.extend) as events:
        for part in columns:
            assert events.push_many(part) == len(part["member"])
    assert again == given_events


# ---- batches, flush and close ----------------------------------------------------------------------------------------


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


@one_at_a_time
def test_flush_that_takes_too_long_says_what_remains(gate):
    events = EventProcessor(gate, batch_size=1)
    for i in range(3):
        events.push("k", i, at=AT)
    assert gate.reached.wait(PATIENCE)
    with pytest.raises(TimeoutError, match=r"flush did not end within 0\.01 s, 3 events remain undelivered"):
        events.flush(timeout=0.01)
    gate.opened.set()
    events.flush(timeout=PATIENCE)
    assert gate.members == [0, 1, 2]
    events.close()


def test_close_delivers_all_and_is_idempotent():
    rows = []
    events = EventProcessor(rows.extend, flush_interval=FOREVER)
    assert not events.is_closed
    for i in range(1500):
        events.push("k", i, at=AT)
    events.close()
    events.close()
    events.flush()
    assert events.is_closed
    assert [row.member for row in rows] == list(range(1500))
    for attempt in (lambda: events.push("k", 1), lambda: events.push_many({"kind": "k", "member": [1]})):
        with pytest.raises(Closed, match="the event processor is closed"):
            attempt()
    assert check(events.stats()).offered == 1500
    assert repr(events) == "<EventProcessor, closed>"


@one_at_a_time
def test_close_by_two_threads_at_once(gate):
    closed = []

    class Once:
        write = staticmethod(gate)

        def close(self):
            closed.append(1)

    events = EventProcessor(Once())
    events.push("k", 1)
    threads = [threading.Thread(target=events.close) for _ in range(4)]
    for thread in threads:
        thread.start()
    gate.opened.set()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert closed == [1]


def test_an_exception_in_the_body_still_drains_and_goes_on(unraisable):
    rows = []

    def body(sink):
        with EventProcessor(sink) as events:
            events.push("k", 1)
            raise LookupError("the body")

    with pytest.raises(LookupError, match="the body"):
        body(rows.extend)
    assert len(rows) == 1

    def broken(batch):
        raise OSError("the sink")

    with pytest.raises(LookupError, match="the body"):
        body(broken)
    (error,) = unraisable
    assert isinstance(error, SinkError)
    assert str(error) == "1 batch of 1 event failed in the sink, the first with OSError: the sink"


@one_at_a_time
def test_a_sink_that_hangs_is_left_behind_by_close(gate):
    closed = []

    class Hanging:
        write = staticmethod(gate)

        def close(self):
            closed.append(1)

    events = EventProcessor(Hanging(), batch_size=2, flush_interval=FOREVER)
    for i in range(5):
        events.push("k", i, at=AT)
    assert gate.reached.wait(PATIENCE)
    with pytest.raises(TimeoutError, match="5 events remain undelivered"):
        events.close(timeout=0.01)
    assert closed == []
    stats = check(events.stats())
    assert (stats.in_flight, stats.queued) == (2, 3)
    with pytest.raises(Closed):
        events.push("k", 1)
    events.close()
    gate.opened.set()
    with pytest.raises(Closed, match="3 events remain undelivered"):
        events.flush()
    assert check(events.stats()).delivered == 2
    assert gate.members == [0, 1]


# ---- overflow --------------------------------------------------------------------------------------------------------


def fill(events, gate, capacity):
    """One event in the sink, and as many as fit behind it."""
    assert events.push("k", 0, at=AT)
    assert gate.reached.wait(PATIENCE)
    for i in range(capacity):
        assert events.push("k", i + 1, at=AT)


@one_at_a_time
def test_refuse_returns_false_and_counts(gate):
    with EventProcessor(gate, capacity=4, batch_size=1) as events:
        fill(events, gate, 4)
        assert events.push("k", 99) is False
        assert events.push_many({"kind": "k", "member": [97, 98, 99]}) == 0
        stats = check(events.stats())
        assert (stats.offered, stats.refused, stats.queued, stats.in_flight) == (9, 4, 4, 1)
        gate.opened.set()
    assert gate.members == [0, 1, 2, 3, 4]


@one_at_a_time
def test_push_many_accepts_the_first_that_fit(gate):
    with EventProcessor(gate, capacity=4, batch_size=1) as events:
        fill(events, gate, 0)
        assert events.push_many({"kind": "k", "member": [1, 2, 3, 4, 5, 6]}) == 4
        assert events.stats().refused == 2
        gate.opened.set()
    assert gate.members == [0, 1, 2, 3, 4]


@one_at_a_time
def test_raise_raises_and_counts(gate):
    with EventProcessor(gate, capacity=4, batch_size=1, overflow="raise") as events:
        fill(events, gate, 3)
        with pytest.raises(CapacityExceeded, match="full with 4 events, 1 of 3 events were accepted"):
            events.push_many({"kind": "k", "member": [4, 98, 99]})
        with pytest.raises(CapacityExceeded, match="the queue of the event processor is full with 4 events"):
            events.push("k", 99)
        assert check(events.stats()).refused == 3
        gate.opened.set()
    assert gate.members == [0, 1, 2, 3, 4]


@one_at_a_time
def test_block_waits_and_gives_up_after_its_time(gate):
    with EventProcessor(gate, capacity=4, batch_size=1, overflow="block", block_timeout=0.01) as events:
        fill(events, gate, 4)
        assert events.push("k", 99) is False
        assert check(events.stats()).refused == 1
        gate.opened.set()
    assert gate.members == [0, 1, 2, 3, 4]


@one_at_a_time
def test_block_goes_on_when_there_is_room(gate):
    with EventProcessor(gate, capacity=4, batch_size=1, overflow="block") as events:
        fill(events, gate, 4)
        thread = threading.Thread(target=events.push_many, args=({"kind": "k", "member": list(range(5, 500))},))
        thread.start()
        gate.opened.set()
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert gate.members == list(range(500))
    assert events.stats().refused == 0


@one_at_a_time
def test_closing_wakes_a_blocked_producer(gate):
    events = EventProcessor(gate, capacity=4, batch_size=1, overflow="block")
    fill(events, gate, 4)
    outcome = []

    def push():
        try:
            events.push("k", 99)
        except Closed:
            outcome.append("closed")

    thread = threading.Thread(target=push)
    thread.start()
    with pytest.raises(TimeoutError):
        events.close(timeout=0.01)
    thread.join(PATIENCE)
    assert outcome == ["closed"]


# ---- what a sink can do ----------------------------------------------------------------------------------------------


def test_a_sink_is_opened_written_and_closed_in_order():
    calls = []

    class Recording:
        def open(self):
            calls.append(("open", threading.get_ident()))

        def write(self, batch):
            calls.append(("write", threading.get_ident()))
            return WriteResult(written=1, duplicate=1, rejected=len(batch) - 2)

        def close(self):
            calls.append(("close", threading.get_ident()))

    sink = Recording()
    assert isinstance(sink, Sink)
    with EventProcessor(sink, batch_size=4, flush_interval=FOREVER) as events:
        for i in range(8):
            events.push("k", i, at=AT)
    here = threading.get_ident()
    assert [name for name, _ in calls][:1] == ["open"]
    assert [name for name, _ in calls][-1:] == ["close"]
    assert calls[0][1] == calls[-1][1] == here
    (worker,) = {thread for name, thread in calls if name == "write"}
    assert worker != here
    stats = check(events.stats())
    assert (stats.written, stats.duplicate, stats.rejected) == (stats.batches, stats.batches, 8 - 2 * stats.batches)


def test_a_worker_keeps_what_is_local_to_its_thread():
    local = threading.local()
    counts = []

    def sink(batch):
        local.count = getattr(local, "count", 0) + 1
        counts.append(local.count)

    with EventProcessor(sink, batch_size=1) as events:
        for i in range(5):
            events.push("k", i)
    assert counts == [1, 2, 3, 4, 5]


def test_a_sink_that_fails_to_open_leaves_nothing_behind(unraisable):
    class Closed:
        def open(self):
            raise PermissionError("not yours")

        def write(self, batch):
            raise AssertionError

    before = threading.active_count()
    with pytest.raises(PermissionError, match="not yours"):
        EventProcessor(Closed())
    gc.collect()
    assert threading.active_count() == before
    assert unraisable == []


def test_a_sink_that_fails_to_close_is_reported():
    class Stuck:
        def __init__(self, fails):
            self.fails = fails

        def write(self, batch):
            if self.fails:
                raise OSError("no write")

        def close(self):
            raise OSError("no close")

    with pytest.raises(SinkError, match="closing the sink failed with OSError: no close") as caught:
        EventProcessor(Stuck(fails=False)).close()
    assert isinstance(caught.value.__cause__, OSError)
    events = EventProcessor(Stuck(fails=True))
    events.push("k", 1)
    with pytest.raises(SinkError, match="OSError: no write") as caught:
        events.close()
    assert caught.value.__notes__ == ["closing the sink failed with OSError: no close"]


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


@pytest.mark.parametrize("error", [ValueError("bad"), SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_a_sink_that_raises_loses_its_batch_to_the_list_and_no_worker(error):
    calls = []

    def sink(batch):
        calls.append([event.member for event in batch])
        if len(calls) == 2:
            raise error

    events = EventProcessor(sink, batch_size=2, flush_interval=FOREVER)
    for i in range(6):
        events.push("k", i, at=AT)
    with pytest.raises(
        SinkError, match=rf"1 batch of . events? failed in the sink, the first with {type(error).__name__}"
    ) as caught:
        events.flush(timeout=PATIENCE)
    assert caught.value.__cause__ is error
    assert error.__traceback__ is not None
    events.flush(timeout=PATIENCE)  # reported once
    events.close()
    stats = check(events.stats())
    assert stats.failed == len(calls[1])
    assert stats.failed_batches == 1
    assert stats.first_error.startswith(type(error).__name__)
    assert [event.member for event in events.failed_events()] == calls[1]
    assert sorted(member for call in calls for member in call) == list(range(6))


def test_the_first_error_since_the_last_report_is_the_one_reported():
    errors = iter([OSError("first"), OSError("second"), OSError("third")])

    def sink(batch):
        raise next(errors)

    events = EventProcessor(sink, batch_size=1)
    events.push("k", 1)
    events.push("k", 2)
    with pytest.raises(SinkError, match="2 batches of 2 events failed in the sink, the first with OSError: first"):
        events.flush()
    events.push("k", 3)
    with pytest.raises(SinkError, match="OSError: third") as caught:
        events.close()
    assert str(caught.value.__cause__) == "third"
    assert check(events.stats()).first_error == "OSError: first"


def test_of_the_failed_events_the_newest_are_kept():
    def sink(batch):
        raise OSError("never")

    events = EventProcessor(sink, batch_size=3, keep_failed=4)
    events.push_many({"kind": "k", "member": list(range(10)), "at": AT})
    with pytest.raises(SinkError):
        events.close()
    stats = check(events.stats())
    assert (stats.failed, stats.evicted) == (4, 6)
    assert [event.member for event in events.failed_events()] == [6, 7, 8, 9]


@pytest.mark.parametrize(
    "answer",
    [
        5,
        True,
        (1, 0, 0),
        "written",
        WriteResult(0, 0, 0),
        WriteResult(2, 0, 0),
        WriteResult(-1, 1, 1),
        WriteResult(1.0, 0, 0),
        WriteResult("1", 0, 0),
    ],
)
def test_a_nonsensical_answer_is_a_sink_error(answer):
    events = EventProcessor(lambda _: answer)
    events.push("k", 1)
    with pytest.raises(SinkError):
        events.close()
    assert check(events.stats()).failed == 1


def test_an_error_that_cannot_be_shown_is_reported_by_its_type():
    class Mute(Exception):
        def __str__(self):
            raise LookupError("no words")

    def sink(batch):
        raise Mute

    events = EventProcessor(sink)
    events.push("k", 1)
    with pytest.raises(SinkError, match=r"the first with Mute$"):
        events.close()


def test_a_sink_may_push_but_not_wait_for_itself():
    seen = []
    errors = []

    def sink(batch):
        for event in batch:
            seen.append(event.member)
            if event.member < 5:
                events.push("k", event.member + 1)
        for method in (events.flush, events.close):
            try:
                method()
            except RuntimeError as error:
                errors.append(str(error))

    events = EventProcessor(sink)
    events.push("k", 0)
    while events.stats().delivered < 6:
        events.flush(timeout=PATIENCE)
    events.close()
    assert seen == [0, 1, 2, 3, 4, 5]
    assert set(errors) == {
        "flush can't be called by the sink: it would wait for itself",
        "close can't be called by the sink: it would wait for itself",
    }


def test_a_sink_that_pushes_into_a_full_processor_is_refused_not_blocked():
    outcomes = []

    def sink(batch):
        if batch[0].member == 0:
            outcomes.extend(events.push("k", i) for i in range(1, 6))

    events = EventProcessor(sink, capacity=4, batch_size=1, overflow="block")
    events.push("k", 0)
    events.flush(timeout=PATIENCE)
    events.close()
    assert outcomes == [True] * 4 + [False]
    assert check(events.stats()).refused == 1


def test_the_sink_is_never_called_twice_at_a_time():
    lock = threading.Lock()
    overlaps = []
    crowds = []

    def sink(batch):
        if not lock.acquire(blocking=False):
            overlaps.append(1)
            return
        if len(crowds) < 50:
            # More is accepted than fits into the queue: the three other workers hold a batch each, and would call too.
            until(lambda: events.stats().queued == 64 + 3 * 3)
            crowds.append(1)
        lock.release()

    with EventProcessor(sink, workers=4, batch_size=3, overflow="block", capacity=64, flush_interval=FOREVER) as events:
        for i in range(999):
            events.push("k", i, at=AT)
    assert overlaps == []
    assert len(crowds) == 50
    assert check(events.stats()).delivered == 999


def test_counts_add_up_in_every_snapshot_under_load():
    turn = [0]

    def sink(batch):
        turn[0] += 1
        if turn[0] % 5 == 0:
            raise OSError("now and then")

    events = EventProcessor(sink, capacity=64, workers=3, batch_size=8, keep_failed=50, flush_interval=0.001)
    accepted = [0] * 3

    def produce(name):
        for i in range(2000):
            accepted[name] += events.push("k", i, at=AT)

    threads = [threading.Thread(target=produce, args=(name,)) for name in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        check(events.stats())
    with pytest.raises(SinkError):
        events.close()
    stats = check(events.stats())
    assert (stats.offered, stats.accepted, stats.queued, stats.in_flight) == (6000, sum(accepted), 0, 0)
    assert stats.failed <= 50


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
        ({"keep_failed": -1}, InvalidArgument),
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


# ---- the ends --------------------------------------------------------------------------------------------------------


def test_dropping_the_last_reference_delivers_what_was_accepted():
    rows = []
    events = EventProcessor(rows.extend, flush_interval=FOREVER)
    gone = weakref.ref(events)
    for i in range(10):
        events.push("k", i, at=AT)
    del events
    assert gone() is None
    assert [row.member for row in rows] == list(range(10))


def test_dropping_the_last_reference_tells_of_errors(unraisable):
    def broken(batch):
        raise OSError("disk full")

    events = EventProcessor(broken)
    events.push("k", 1)
    del events
    assert [str(error) for error in unraisable] == [
        "1 batch of 1 event failed in the sink, the first with OSError: disk full"
    ]


def test_a_cycle_of_processor_and_sink_is_collected_and_delivers():
    rows = []

    class Linked:
        def write(self, batch):
            assert self.processor is not None
            rows.extend(batch)

    sink = Linked()
    sink.processor = EventProcessor(sink, flush_interval=FOREVER)
    for i in range(10):
        sink.processor.push("k", i, at=AT)
    gone = weakref.ref(sink.processor), weakref.ref(sink)
    del sink
    gc.collect()
    assert [ref() for ref in gone] == [None, None]
    assert len(rows) == 10


def test_a_cycle_through_a_closure_and_through_an_error_is_collected(unraisable):
    def make():
        def sink(batch):
            held = events  # noqa: F841
            raise OSError("with a traceback that holds the processor")

        events = EventProcessor(sink)
        events.push("k", 1)
        return weakref.ref(events)

    gone = make()
    gc.collect()
    gc.collect()
    assert gone() is None
    assert len(unraisable) == 1


def test_the_sink_drops_the_processor_and_the_rest_is_delivered():
    seen = []
    done = threading.Event()
    holder = []
    begun = threading.Event()

    def sink(batch):
        assert begun.wait(PATIENCE)
        holder.clear()
        seen.extend(event.member for event in batch)
        if len(seen) == 5:
            done.set()

    holder.append(EventProcessor(sink, batch_size=1))
    for i in range(5):
        holder[0].push("k", i)
    begun.set()
    assert done.wait(PATIENCE)
    assert seen == [0, 1, 2, 3, 4]


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


def test_the_interpreter_ends_with_pending_events():
    out, err, _ = run_script(
        """
        from engagehub_core import EventProcessor
        class Printer:
            def write(self, batch): print(len(batch), flush=True)
            def close(self): print("closed", flush=True)
        events = EventProcessor(Printer(), flush_interval=3600)
        for i in range(10): events.push("k", i)
        """
    )
    assert (out, err) == ("10\nclosed\n", "")


def test_the_interpreter_ends_and_tells_of_errors():
    _, err, _ = run_script(
        """
        from engagehub_core import EventProcessor
        def broken(batch): raise OSError("disk full")
        events = EventProcessor(broken)
        events.push("k", 1)
        """
    )
    assert "SinkError: 1 batch of 1 event failed in the sink, the first with OSError: disk full" in err


@pytest.mark.parametrize(
    "body",
    [
        "time.sleep(10_000)",
        "threading.Event().wait()",
        "\n    while True: pass",
        "\n    while True: time.sleep(0.0001)",
        "\n    while True: q.put_many([1], timeout=0.0001)",
    ],
    ids=["sleeps", "waits", "runs", "wakes", "polls"],
)
def test_the_interpreter_ends_though_a_sink_hangs(body):
    script = f"""
import threading, time
from engagehub_core import EventProcessor, MpmcQueue, processor
processor._PATIENCE = 0.2
q = MpmcQueue(2)
inside = threading.Event()
def sink(batch):
    inside.set()
    {body}
events = EventProcessor(sink, batch_size=1, workers=2)
for i in range(10): events.push("k", i)
inside.wait()
print("end")
"""
    out, err, seconds = run_script(script)
    assert out == "end\n"
    assert "TimeoutError: close did not end within" in err
    assert "10 events remain undelivered" in err
    assert seconds < PATIENCE


def test_the_interpreter_ends_while_daemon_threads_push():
    script = """
        import threading
        from engagehub_core import EventProcessor
        from engagehub_core.errors import Closed
        events = EventProcessor(lambda batch: None, capacity=4, batch_size=2, overflow="block")
        def produce():
            try:
                while True: events.push("k", 1)
            except Closed:
                pass
        for _ in range(6): threading.Thread(target=produce, daemon=True).start()
        events.push("k", 1)
        """
    for _ in range(5):
        out, err, _ = run_script(script)
        assert (out, err) == ("", "")


def test_a_processor_made_at_the_very_end_is_refused():
    out, err, _ = run_script(
        """
        import atexit
        @atexit.register
        def late():
            try:
                EventProcessor()
            except RuntimeError as error:
                print(error)
        from engagehub_core import EventProcessor
        """
    )
    assert (out, err) == ("an event processor can't be made while the interpreter ends\n", "")


def test_a_hard_exit_is_immediate():
    run_script(
        """
        import os
        from engagehub_core import EventProcessor
        events = EventProcessor(lambda batch: None, flush_interval=3600)
        events.push("k", 1)
        os._exit(7)
        """,
        code=7,
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_the_child_of_a_fork_has_a_closed_processor_and_may_make_its_own():
    out, err, _ = run_script(
        """
        import gc, os, warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        from engagehub_core import EventProcessor
        from engagehub_core.errors import Closed
        rows = []
        events = EventProcessor(rows.extend, batch_size=3, workers=3)
        for _ in range(20):
            for i in range(100): events.push("k", i)
            child = os.fork()
            if child == 0:
                try:
                    events.push("k", 1)
                except Closed as error:
                    assert "belongs to the process that made it" in str(error)
                else:
                    raise SystemExit(1)
                assert events.is_closed
                events.close()
                mine = []
                with EventProcessor(mine.extend) as own:
                    own.push("k", 1)
                assert len(mine) == 1
                del events
                gc.collect()
                raise SystemExit(42)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 42
        events.close()
        stats = events.stats()
        print(stats.accepted, stats.delivered, len(rows))
        """
    )
    assert (out, err) == ("2000 2000 2000\n", "")


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to a child on Windows")
@pytest.mark.parametrize("wait", ["events.flush()", "events.close()", "[events.push('k', i) for i in range(10)]"])
def test_ctrl_c_interrupts_a_wait_on_the_main_thread(wait):
    script = """
        import threading
        from engagehub_core import EventProcessor, processor
        processor._PATIENCE = 0.1
        inside = threading.Event()
        opened = threading.Event()
        def sink(batch):
            inside.set()
            opened.wait()
        events = EventProcessor(sink, capacity=4, batch_size=1, overflow="block")
        events.push("k", 1)
        inside.wait()
    """
    after = """
        stats = events.stats()
        assert stats.offered == stats.accepted + stats.refused
        opened.set()
        events.close()
        stats = events.stats()
        print(sightings, stats.queued, stats.in_flight, stats.accepted == stats.delivered)
    """
    assert answer_to_ctrl_c(script, wait, after) == "2 0 0 True\n"
