"""A sink's life with an EventProcessor: when it is opened, called, replaced and closed, and what it may do itself."""

from __future__ import annotations

import gc
import threading
import weakref

import pytest
from processing import AT, AT_ONCE, FOREVER, check
from waiting import PATIENCE, until

from engagehub_core import EventProcessor
from engagehub_core.errors import Closed, InvalidArgument, InvalidType, SinkError
from engagehub_core.sinks import Sink, WriteResult


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
    assert (stats.written, stats.late_duplicates, stats.rejected) == (
        stats.batches,
        stats.batches,
        8 - 2 * stats.batches,
    )


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
    class Shut:
        def open(self):
            raise PermissionError("not yours")

        def write(self, batch):
            raise AssertionError

    before = threading.active_count()
    with pytest.raises(PermissionError, match="not yours"):
        EventProcessor(Shut())
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


# ---- another sink in its place ---------------------------------------------------------------------------------------


def test_a_sink_that_fails_may_be_replaced_and_nothing_is_lost():
    tried, seen, calls = [], [], []

    def broken(batch):
        tried.append([event.member for event in batch])
        raise ConnectionRefusedError("down")

    class Other:
        def open(self):
            calls.append("open")

        def write(self, batch):
            seen.extend(event.member for event in batch)

        def close(self):
            calls.append("close")

        def is_transient(self, error):
            raise AssertionError

    events = EventProcessor(broken, batch_size=3, flush_interval=FOREVER, **AT_ONCE)
    assert events.sink is broken
    events.push_many({"kind": "k", "member": range(10), "at": AT})
    until(lambda: len(tried) > 3)
    other = Other()
    events.replace_sink(other)
    assert events.sink is other
    assert calls == ["open"]
    events.push("k", 10)
    events.close(timeout=PATIENCE)
    assert calls == ["open", "close"]
    assert seen == list(range(11))
    assert all(batch == [0, 1, 2] for batch in tried)
    stats = check(events.stats())
    assert (stats.delivered, stats.dead_lettered) == (11, 0)
    assert stats.retries == len(tried)


def test_the_new_sink_says_which_of_its_errors_pass():
    class Old:
        def write(self, batch):
            raise TimeoutError

    class New:
        def write(self, batch):
            raise TimeoutError("for good")

        def is_transient(self, error):
            return False

    events = EventProcessor(Old(), **AT_ONCE)
    events.push("k", 1)
    until(lambda: events.stats().retries > 0)
    events.replace_sink(New())
    with pytest.raises(SinkError, match="TimeoutError: for good"):
        events.close()
    assert check(events.stats()).dead_lettered == 1


def test_dead_letters_go_to_the_new_sink():
    def broken(batch):
        raise ValueError("never")

    rows = []
    events = EventProcessor(broken)
    events.push_many({"kind": "k", "member": range(5)})
    with pytest.raises(SinkError):
        events.flush(timeout=PATIENCE)
    events.replace_sink(rows.extend)
    assert events.replay_dead_letters() == 5
    events.close()
    assert [row.member for row in rows] == list(range(5))
    assert check(events.stats()).dead_lettered == 0


def test_a_sink_that_does_not_open_takes_no_place():
    class Unwilling:
        def open(self):
            raise PermissionError("not yours")

        def write(self, batch):
            raise AssertionError

    rows = []
    with EventProcessor(rows.extend) as events:
        sink = events.sink
        with pytest.raises(PermissionError, match="not yours"):
            events.replace_sink(Unwilling())
        with pytest.raises(InvalidType, match=r"sink must have write\(batch\) or be callable, got int"):
            events.replace_sink(5)
        with pytest.raises(InvalidArgument, match="sink must take the place of another one"):
            events.replace_sink(None)
        assert events.sink is sink
        events.push("k", 1)
    assert len(rows) == 1
    with pytest.raises(Closed):
        events.replace_sink(rows.extend)
    with EventProcessor() as events, pytest.raises(InvalidArgument, match="a processor without a sink has none"):
        events.replace_sink(rows.extend)


def test_the_old_sink_is_let_go():
    class Old:
        def write(self, batch):
            pass

    old = Old()
    gone = weakref.ref(old)
    with EventProcessor(old) as events:
        events.push("k", 1)
        events.flush(timeout=PATIENCE)
        del old
        events.replace_sink(lambda batch: None)
        gc.collect()
        assert gone() is None


def test_a_sink_may_replace_itself():
    first, second = [], []

    def sink(batch):
        first.extend(event.member for event in batch)
        events.replace_sink(lambda batch: second.extend(event.member for event in batch))

    with EventProcessor(sink, batch_size=1) as events:
        events.push_many({"kind": "k", "member": range(5)})
        events.flush(timeout=PATIENCE)
    assert (first, second) == ([0], [1, 2, 3, 4])
