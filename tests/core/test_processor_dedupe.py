"""Which events an EventProcessor takes for repeats, how events without an id get one, and stamps from the future."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest
from processing import AT, AT_ONCE, FOREVER, check, fill, one_at_a_time, run_threads
from waiting import PATIENCE

from engagehub_core import BoardSpec, EventProcessor, TrendSpec, WindowSpec
from engagehub_core.errors import InvalidArgument
from engagehub_core.testing import ManualClock

STRUCTURES = {
    "boards": {"week": BoardSpec(half_life="7d"), "all": BoardSpec(per_community=False)},
    "trends": {"channels": TrendSpec(100, half_life="1h")},
    "windows": {"active": WindowSpec("24h", "1h")},
}


def bytes_of(events):
    """Return all that the structures of a processor hold."""
    return [
        events.board("week").to_bytes(),
        events.board("all").to_bytes(),
        events.trend("channels").to_bytes(),
        events.window("active").to_bytes(),
    ]


def push(events, number=1, **changes):
    return events.push("message", **{"member": "ada", "channel": "general", "at": AT, "id": number, **changes})


# ---- repeats ---------------------------------------------------------------------------------------------------------


def test_a_repeat_is_counted_and_touches_nothing_else():
    rows = []
    with EventProcessor(rows.extend, **STRUCTURES) as events:
        assert push(events) is True
        assert push(events, "one") is True
        events.flush(timeout=PATIENCE)
        before = bytes_of(events)
        # The same id is enough: what else the event says doesn't matter.
        assert push(events) is False
        assert push(events, "one", member="bob", channel="help", at=AT + 1, value=5) is False
        columns = {"kind": "message", "member": ["ada", "bob", "cy"], "at": AT, "id": [1, "one", 1]}
        assert events.push_many(columns) == 0
        events.flush(timeout=PATIENCE)
        stats = check(events.stats())
        assert (stats.offered, stats.accepted, stats.duplicate, stats.refused) == (7, 2, 5, 0)
        assert (stats.applied, stats.delivered, stats.late_duplicates) == (2, 2, 0)
        assert stats.identities == 2
        assert bytes_of(events) == before
    assert [row.id for row in rows] == [1, "one"]


def test_an_id_belongs_to_its_community():
    with EventProcessor() as events:
        for community in ("", 1, "1", "school"):
            assert push(events, community=community) is True
            assert push(events, community=community) is False
        assert push(events, "1", community=1) is True  # 1 and "1" are different ids
        assert push(events, "", community=1) is True  # empty text is an id
        assert push(events, "", community=1) is False
    assert check(events.stats()).duplicate == 5


def test_push_many_passes_over_repeats_in_one_call():
    rows = []
    with EventProcessor(rows.extend) as events:
        columns = {"kind": "k", "member": range(6), "at": AT, "id": ["a", "b", "a", None, None, "b"]}
        assert events.push_many(columns) == 4
        assert events.push_many(columns) == 2  # those without an id can't be recognised
    assert [row.member for row in rows] == [0, 1, 3, 4, 3, 4]
    assert check(events.stats()).duplicate == 6


def test_an_id_is_remembered_for_the_horizon_by_the_clock():
    clock = ManualClock(AT)
    with EventProcessor(clock=clock, dedupe_horizon="1h") as events:
        assert push(events, at=AT - 10 * 86_400)  # when it was accepted decides, not when it happened
        clock.advance("59m")
        assert not push(events)
        clock.advance("2h")  # a repeat doesn't prolong it
        assert push(events)
        assert not push(events)
        assert not events.push_many({"kind": "k", "member": ["ada"], "id": [1]})
    stats = check(events.stats())
    assert (stats.accepted, stats.duplicate, stats.forgotten_identities) == (2, 3, 0)


def test_the_oldest_ids_leave_when_there_are_too_many():
    with EventProcessor(max_identities=10) as events:
        for number in range(25):
            assert push(events, number)
        assert not push(events, 24)
        assert not push(events, 15)
        stats = check(events.stats())
        assert (stats.identities, stats.forgotten_identities) == (10, 15)
        assert push(events, 14)
        assert not push(events, 16)
        assert push(events, 15)  # 14 came in its place


@one_at_a_time
@pytest.mark.parametrize("overflow", ["refuse", "block"])
def test_what_was_refused_is_not_remembered(gate, overflow):
    with EventProcessor(gate, capacity=4, batch_size=1, overflow=overflow, block_timeout=0.01) as events:
        fill(events, gate, 4)
        assert push(events) is False
        assert events.push_many({"kind": "k", "member": [7, 8], "id": [1, 2]}) == 0
        with pytest.raises(InvalidArgument, match="max_skew"):
            push(events, at=AT * 100)
        assert events.stats().identities == 0
        gate.opened.set()
        events.flush(timeout=PATIENCE)
        assert push(events) is True
        assert push(events, 2) is True
    stats = check(events.stats())
    assert (stats.duplicate, stats.refused) == (0, 4)


@one_at_a_time
def test_what_was_dropped_for_newer_events_is_still_remembered(gate):
    with EventProcessor(gate, capacity=4, batch_size=1, overflow="drop_oldest") as events:
        fill(events, gate, 0)
        for number in range(1, 9):
            assert push(events, number)
        assert events.stats().evicted == 4
        assert not push(events, 1)
        gate.opened.set()
    assert check(events.stats()).duplicate == 1


def test_none_does_not_look_at_ids():
    rows = []
    with EventProcessor(rows.extend, dedupe_horizon=None) as events:
        assert push(events)
        assert push(events)
        assert events.push_many({"kind": "k", "member": [1, 2], "id": [1, 1]}) == 2
    assert [row.id for row in rows] == [1] * 4
    stats = check(events.stats())
    assert (stats.accepted, stats.duplicate, stats.identities) == (4, 0, 0)


@pytest.mark.thread_unsafe(reason="starts threads of its own")
def test_of_many_threads_one_has_its_event_accepted():
    accepted = []
    rows = []
    with EventProcessor(rows.extend, overflow="block", boards={"all": BoardSpec()}, workers=2) as events:

        def offer():
            accepted.extend(n for n in range(2_000) if events.push("k", n, at=AT, id=n))

        run_threads(*[offer] * 4)
        events.flush(timeout=PATIENCE)
        assert {entry.score for entry in events.board("all").top(2_000)} == {1.0}
    assert sorted(accepted) == list(range(2_000))
    assert sorted(row.id for row in rows) == list(range(2_000))
    stats = check(events.stats())
    assert (stats.offered, stats.accepted, stats.duplicate) == (8_000, 2_000, 6_000)


# ---- events without an id --------------------------------------------------------------------------------------------


def test_events_without_an_id_get_one_of_the_run_and_their_number():
    runs = []
    for _ in range(2):
        rows = []
        with EventProcessor(rows.extend, batch_size=3) as events:
            for number in range(10):
                assert events.push("k", "ada", at=AT, id=5 if number == 4 else None)
        assert rows[4].id == 5
        own = [row.id for row in rows if row.id != 5]
        assert all(type(name) is str for name in own)
        (run,) = {name.partition("-")[0] for name in own}
        assert [int(name.partition("-")[2]) for name in own] == [0, 1, 2, 3, 5, 6, 7, 8, 9]
        runs.append(run)
    assert runs[0] != runs[1]


def test_the_id_of_an_event_without_one_is_the_same_at_every_attempt():
    attempts = []

    def sink(batch):
        attempts.append([row.id for row in batch])
        if len(attempts) < 4:
            raise TimeoutError("not yet")
        if len(batch) > 1 or batch[0].member == 1:
            raise ValueError("one by one, and without 1")

    events = EventProcessor(sink, flush_interval=FOREVER, **AT_ONCE)
    events.push_many({"kind": "k", "member": [0, 1, 2], "at": AT})
    with pytest.raises(Exception, match="1 event of 1 batch"):
        events.close()
    assert len(set(attempts[0])) == 3
    assert attempts[1:4] == [attempts[0]] * 3
    assert {name for ids in attempts for name in ids} == set(attempts[0])
    assert [letter.event.id for letter in events.dead_letters()] == attempts[0][1:2]


# ---- stamps from the future ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "at",
    [200 * 86_400_000, AT + 301, datetime(9999, 12, 31, tzinfo=UTC), 253_402_300_799.0],
    ids=["milliseconds of 1970", "over", "year 9999", "the last second"],
)
def test_a_stamp_far_ahead_of_the_clock_is_refused_and_changes_no_answer(at):
    rows = []
    with EventProcessor(rows.extend, clock=lambda: AT, **STRUCTURES) as events:
        assert push(events)
        events.flush(timeout=PATIENCE)
        before = bytes_of(events)
        message = "ahead of the clock .max_skew.*are the stamps in another unit than seconds"
        for call in (
            lambda: push(events, 2, at=at),
            lambda: events.push("message", "ada", "general", at=at),
        ):
            with pytest.raises(InvalidArgument, match=f"at must be at most 300.* s {message}"):
                call()
        columns = {"kind": "message", "member": ["ada", "bob", "cy"], "id": [7, 8, 9]}
        with pytest.raises(InvalidArgument, match=rf"at\[1\] must be at most 300.* s {message}"):
            events.push_many({**columns, "at": [AT, at, AT]})
        events.flush(timeout=PATIENCE)
        assert bytes_of(events) == before
        stats = check(events.stats())
        assert (stats.offered, stats.accepted, stats.refused, stats.refused_future) == (6, 1, 5, 5)
        assert stats.identities == 1
        assert events.push_many({**columns, "at": AT}) == 3  # nothing of the refused call is remembered
    assert [row.id for row in rows] == [1, 7, 8, 9]


def test_milliseconds_of_today_are_no_seconds_of_any_year():
    rows = []
    with EventProcessor(rows.extend, **STRUCTURES) as events:
        assert push(events)
        events.flush(timeout=PATIENCE)
        before = bytes_of(events)
        with pytest.raises(InvalidArgument, match="at must be Unix seconds between the years 1 and 9999, got 17000000"):
            push(events, 2, at=AT * 1_000)
        with pytest.raises(InvalidArgument, match=r"at\[1\] must be Unix seconds between the years 1 and 9999"):
            events.push_many({"kind": "k", "member": [1, 2], "at": [AT, AT * 1_000]})
        with pytest.raises(InvalidArgument, match=r"at\[0\] must be at most 300 s ahead of the clock"):
            events.push_many({"kind": "k", "member": range(100), "at_us": AT * 1_000_000 * 100})
        assert bytes_of(events) == before
        stats = check(events.stats())
        assert (stats.accepted, stats.refused_future) == (1, 100)
    assert len(rows) == 1


def test_stamps_within_max_skew_and_old_ones_are_taken():
    with EventProcessor(clock=lambda: AT, max_skew="1h") as events:
        assert push(events, 1, at=AT + 3_600)
        assert push(events, 2, at=0)
        assert push(events, 3, at=-62_135_596_800)  # the year 1
    assert check(events.stats()).accepted == 3


def test_none_trusts_every_stamp():
    with EventProcessor(clock=lambda: AT, max_skew=None, **STRUCTURES) as events:
        assert push(events, 1, at=datetime(9999, 12, 31, tzinfo=UTC))
        events.flush(timeout=PATIENCE)
        assert events.board("all").newest_at == datetime(9999, 12, 31, tzinfo=UTC).timestamp()
    assert check(events.stats()).refused_future == 0


def test_a_clock_that_raises_changes_nothing():
    is_broken = threading.Event()

    def clock():
        if is_broken.is_set():
            raise LookupError("no time")
        return AT

    rows = []
    with EventProcessor(rows.extend, clock=clock) as events:
        assert push(events)
        is_broken.set()
        for call in (
            lambda: push(events, 2),
            lambda: events.push("k", "ada"),
            lambda: events.push_many({"kind": "k", "member": ["ada"], "id": [3]}),
        ):
            with pytest.raises(LookupError, match="no time"):
                call()
        is_broken.clear()
        assert push(events, 2)
        assert push(events, 3)
    assert [row.id for row in rows] == [1, 2, 3]
    assert check(events.stats()).offered == 3
