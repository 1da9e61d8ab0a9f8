"""An EventProcessor without room: what each policy does with the next event, and that it is counted."""

from __future__ import annotations

import asyncio
import logging
import threading

import pytest
from processing import AT, AT_ONCE, FOREVER, check, fill, one_at_a_time, run_threads
from waiting import PATIENCE, until

from engagehub_core import BoardSpec, EventProcessor
from engagehub_core.errors import CapacityExceeded, Closed

LOGGER = "engagehub_core"


# ---- refuse ----------------------------------------------------------------------------------------------------------


@one_at_a_time
def test_refuse_returns_false_and_counts(gate):
    with EventProcessor(gate, capacity=4, batch_size=1) as events:
        fill(events, gate, 4)
        assert events.push("k", 99) is False
        assert events.push_many({"kind": "k", "member": [97, 98, 99]}) == 0
        stats = check(events.stats())
        assert (stats.offered, stats.refused, stats.queued, stats.in_flight) == (9, 4, 4, 1)
        assert (stats.refused_full, stats.refused_timeout, stats.refused_future) == (4, 0, 0)
        gate.opened.set()
    assert gate.members == [0, 1, 2, 3, 4]


@one_at_a_time
def test_push_many_accepts_the_first_that_fit(gate):
    with EventProcessor(gate, capacity=4, batch_size=1) as events:
        fill(events, gate, 0)
        assert events.push_many({"kind": "k", "member": [1, 2, 3, 4, 5, 6]}) == 4
        assert check(events.stats()).refused_full == 2
        gate.opened.set()
    assert gate.members == [0, 1, 2, 3, 4]


@one_at_a_time
def test_the_log_is_told_once_a_minute(gate, caplog):
    with caplog.at_level(logging.WARNING, LOGGER), EventProcessor(gate, capacity=4, batch_size=1) as events:
        fill(events, gate, 4)
        assert caplog.records == []
        events.push_many({"kind": "k", "member": range(1_000, 3_000)})
        for _ in range(100):
            events.push("k", 99)
        gate.opened.set()
    (record,) = caplog.records
    assert (record.name, record.levelname) == (LOGGER, "WARNING")
    assert record.getMessage() == (
        "the event processor refused 2,000 events: 4 wait for the sink; further refusals are only counted for a minute"
    )


@one_at_a_time
@pytest.mark.parametrize("overflow", ["refuse", "raise"])
def test_a_log_that_fails_changes_nothing_of_what_push_says(gate, unraisable, overflow):
    def broken(record):
        raise LookupError(record.getMessage()[:42])

    logger = logging.getLogger(LOGGER)
    with EventProcessor(gate, capacity=4, batch_size=1, overflow=overflow) as events:
        fill(events, gate, 4)
        logger.addFilter(broken)
        try:
            if overflow == "raise":
                with pytest.raises(CapacityExceeded):
                    events.push("k", 99)
            else:
                assert events.push("k", 99) is False
        finally:
            logger.removeFilter(broken)
        assert check(events.stats()).refused_full == 1
        gate.opened.set()
    assert [str(error) for error in unraisable] == ["the event processor refused 1 event: 4 wai"]


@pytest.mark.thread_unsafe(reason="reads the log, which threads would share")
def test_the_log_is_told_why_the_sink_fails(caplog):
    is_mended = threading.Event()

    def sink(batch):
        if not is_mended.is_set():
            raise ConnectionRefusedError("no server")

    with (
        caplog.at_level(logging.WARNING, LOGGER),
        EventProcessor(sink, capacity=2, batch_size=1, retry_first=FOREVER, retry_max=FOREVER) as events,
    ):
        events.push("k", 0)
        until(lambda: events.stats().retry_error is not None)
        while events.push("k", 1):
            pass
        is_mended.set()
    (record,) = caplog.records
    assert record.getMessage() == (
        "the event processor refused 1 event: 2 wait for the sink, which fails with ConnectionRefusedError: no server; "
        "further refusals are only counted for a minute"
    )
    assert check(events.stats()).delivered == 3


# ---- raise -----------------------------------------------------------------------------------------------------------


@one_at_a_time
def test_raise_raises_and_counts(gate):
    with EventProcessor(gate, capacity=4, batch_size=1, overflow="raise") as events:
        fill(events, gate, 3)
        with pytest.raises(CapacityExceeded, match=r"room for all events, got 4 .*; 1 of 3 events were accepted"):
            events.push_many({"kind": "k", "member": [4, 98, 99]})
        with pytest.raises(CapacityExceeded, match="room for the event, got 4 that were not handed on yet"):
            events.push("k", 99)
        assert check(events.stats()).refused_full == 3
        gate.opened.set()
    assert gate.members == [0, 1, 2, 3, 4]


# ---- block -----------------------------------------------------------------------------------------------------------


@one_at_a_time
def test_block_waits_and_gives_up_after_its_time(gate):
    with EventProcessor(gate, capacity=4, batch_size=1, overflow="block", block_timeout=0.01) as events:
        fill(events, gate, 4)
        assert events.push("k", 99) is False
        assert events.push_many({"kind": "k", "member": [98, 99]}) == 0
        stats = check(events.stats())
        assert (stats.refused, stats.refused_timeout, stats.refused_full) == (3, 3, 0)
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


@one_at_a_time
@pytest.mark.parametrize("many", [False, True])
def test_block_refuses_to_block_a_running_loop(gate, many):
    async def push(member):
        if many:
            return events.push_many({"kind": "k", "member": [member], "at": AT})
        return events.push("k", member, at=AT)

    with EventProcessor(gate, capacity=4, batch_size=1, overflow="block") as events:
        fill(events, gate, 3)
        assert asyncio.run(push(4))  # while there is room it doesn't matter
        with pytest.raises(RuntimeError, match=r"thread of a running asyncio loop .*: use await apush\("):
            asyncio.run(push(99))
        stats = check(events.stats())
        assert (stats.offered, stats.refused_full) == (6, 1)
        gate.opened.set()
    assert gate.members == [0, 1, 2, 3, 4]


@one_at_a_time
def test_another_thread_may_block_while_a_loop_runs(gate):
    async def push():
        waiting = asyncio.get_running_loop().run_in_executor(None, lambda: events.push("k", 5, at=AT))
        gate.opened.set()
        return await waiting

    with EventProcessor(gate, capacity=4, batch_size=1, overflow="block") as events:
        fill(events, gate, 4)
        assert asyncio.run(push()) is True
    assert gate.members == [0, 1, 2, 3, 4, 5]


# ---- drop_oldest -----------------------------------------------------------------------------------------------------


@one_at_a_time
@pytest.mark.parametrize("boards", [None, {"all": BoardSpec()}], ids=["sink", "sink and board"])
def test_drop_oldest_delivers_the_newest(gate, boards):
    with EventProcessor(gate, boards=boards, capacity=4, batch_size=1, overflow="drop_oldest") as events:
        fill(events, gate, 4)
        for i in range(5, 100):
            assert events.push("k", i, at=AT) is True
        assert events.push_many({"kind": "k", "member": range(100, 110), "at": AT}) == 10
        stats = check(events.stats())
        assert (stats.offered, stats.accepted, stats.refused) == (110, 110, 0)
        assert (stats.in_flight, stats.queued, stats.evicted) == (1, 4, 105)
        gate.opened.set()
    assert gate.members == [0, 106, 107, 108, 109]
    stats = check(events.stats())
    assert (stats.delivered, stats.evicted) == (5, 105)
    if boards is not None:  # what the sink never saw is in the structures all the same
        assert stats.applied == 110
        assert len(events.board("all")) == 110


@one_at_a_time
def test_a_flush_does_not_wait_for_what_was_dropped(gate):
    with EventProcessor(gate, capacity=4, batch_size=1, overflow="drop_oldest") as events:
        fill(events, gate, 4)
        flushed = threading.Event()

        def flush():
            events.flush(timeout=PATIENCE)
            flushed.set()

        thread = threading.Thread(target=flush)
        thread.start()
        for i in range(5, 50):
            events.push("k", i, at=AT)
        gate.opened.set()
        assert flushed.wait(PATIENCE)
        thread.join(PATIENCE)
    assert gate.members[0] == 0
    assert gate.members[-4:] == [46, 47, 48, 49]


@pytest.mark.thread_unsafe(reason="starts threads of its own")
def test_drop_oldest_counts_exactly_under_load():
    seen = []
    events = EventProcessor(
        lambda batch: seen.extend(batch.columns()["member"]), capacity=16, batch_size=4, overflow="drop_oldest"
    )

    def produce(name):
        for i in range(5_000):
            assert events.push("k", name * 10_000 + i, at=AT)

    run_threads(*[lambda name=name: produce(name) for name in range(3)])
    events.close()
    stats = check(events.stats())
    assert stats.accepted == 15_000
    assert (len(seen), len(set(seen))) == (stats.delivered, stats.delivered)
    assert stats.delivered + stats.evicted == 15_000
    for name in range(3):  # in order, with gaps
        own = [member for member in seen if member // 10_000 == name]
        assert own == sorted(own)
    assert {member % 10_000 for member in seen[-1:]} == {4_999}


# ---- a sink that pushes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("overflow", ["refuse", "block", "drop_oldest", "raise"])
def test_a_sink_that_pushes_into_a_full_processor_never_waits(overflow):
    outcomes = []

    def sink(batch):
        for event in batch:
            if event.member != 0:
                continue
            for i in range(1, 8):
                try:
                    outcomes.append(events.push("k", i))
                except CapacityExceeded:
                    outcomes.append("raised")

    events = EventProcessor(sink, capacity=4, batch_size=1, overflow=overflow)
    events.push("k", 0)
    events.flush(timeout=PATIENCE)
    events.close(timeout=PATIENCE)
    stats = check(events.stats())
    last = {"refuse": False, "block": False, "drop_oldest": True, "raise": "raised"}[overflow]
    assert outcomes == [True] * 4 + [last] * 3
    assert (stats.refused_full, stats.evicted) == ((0, 3) if overflow == "drop_oldest" else (3, 0))
    assert stats.delivered == 5


@pytest.mark.parametrize("overflow", ["refuse", "block", "drop_oldest", "raise"])
def test_overflow_while_the_sink_is_down_loses_nothing_that_was_accepted(overflow):
    is_mended = threading.Event()
    seen = []

    def sink(batch):
        if not is_mended.is_set():
            raise TimeoutError("down")
        seen.extend(event.member for event in batch)

    events = EventProcessor(sink, capacity=8, batch_size=2, overflow=overflow, block_timeout=0.01, **AT_ONCE)
    accepted = []
    for i in range(40):
        try:
            if events.push("k", i, at=AT):
                accepted.append(i)
        except CapacityExceeded:
            pass
    check(events.stats())
    is_mended.set()
    events.close(timeout=PATIENCE)
    stats = check(events.stats())
    assert stats.offered == 40
    assert (stats.accepted, stats.delivered) == (len(accepted), len(seen))
    if overflow == "drop_oldest":
        assert seen[-8:] == list(range(32, 40))
        assert stats.evicted == 40 - len(seen)
    else:
        assert seen == accepted
