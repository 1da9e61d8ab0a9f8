"""A sink that fails: what is tried again, what is set aside, and who is told."""

from __future__ import annotations

import gc
import random
import sys
import threading
import weakref

import pytest
from processing import AT, AT_ONCE, FOREVER, Gate, check, one_at_a_time
from waiting import PATIENCE, until

from engagehub_core import EventProcessor
from engagehub_core.errors import InvalidArgument, InvalidType, SinkError
from engagehub_core.processor import DeadLetter
from engagehub_core.sinks import WriteResult


def members(letters):
    return [letter.event.member for letter in letters]


class Failing:
    """A sink that refuses some members, and fails for the moment as often as it is told to."""

    def __init__(self, *bad, moments=0):
        self.bad = set(bad)
        self.moments = moments
        self.seen = []
        self.writes = []

    def write(self, batch):
        self.writes.append([event.member for event in batch])
        if self.moments > 0:
            self.moments -= 1
            raise ConnectionResetError("for the moment")
        for event in batch:
            if event.member in self.bad:
                raise ValueError(f"no {event.member}")
        self.seen += self.writes[-1]


# ---- what passes by itself -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("moments", [1, 7])
def test_what_fails_for_the_moment_is_tried_again_until_it_is_stored(moments):
    sink = Failing(moments=moments)
    with EventProcessor(sink, batch_size=10, flush_interval=FOREVER, **AT_ONCE) as events:
        events.push_many({"kind": "k", "member": range(95), "at": AT})
        events.flush(timeout=PATIENCE)
        stats = check(events.stats())
    assert sink.seen == list(range(95))
    assert sink.writes[: moments + 1] == [sink.writes[0]] * (moments + 1)
    assert (stats.retries, stats.delivered, stats.dead_lettered, stats.failed_batches) == (moments, 95, 0, 0)
    assert stats.transactions == stats.batches == len(sink.writes) - moments
    assert (stats.first_error, stats.retry_error) == (None, None)
    assert events.dead_letters() == []


def test_a_wait_for_the_next_attempt_shows_why_and_a_flush_ends_it():
    sink = Failing(moments=1)
    with EventProcessor(sink, retry_first=FOREVER, retry_max=FOREVER, flush_interval=1e-3) as events:
        events.push("k", 1)
        until(lambda: events.stats().retry_error is not None)
        stats = check(events.stats())
        assert (stats.in_flight, stats.delivered, stats.retry_error) == (1, 0, "ConnectionResetError: for the moment")
        events.flush(timeout=PATIENCE)
        assert sink.seen == [1]
        assert events.stats().retry_error is None


def test_a_flush_that_takes_too_long_says_why_the_sink_fails():
    sink = Failing(moments=10**9)
    events = EventProcessor(sink, retry_first=FOREVER, retry_max=FOREVER, flush_interval=1e-3)
    events.push("k", 1)
    until(lambda: events.stats().retry_error is not None)
    text = r"within 0\.05 s, 1 event remains undelivered, as the sink fails with ConnectionResetError: for the moment"
    with pytest.raises(TimeoutError, match="flush did not end " + text):
        events.flush(timeout=0.05)
    with pytest.raises(TimeoutError, match="close did not end " + text):
        events.close(timeout=0.05)
    stats = check(events.stats())
    assert (stats.accepted, stats.dead_lettered, stats.queued + stats.in_flight) == (1, 0, 1)


def test_order_is_kept_though_every_other_write_fails_for_the_moment():
    chosen = random.Random(11)
    seen = []

    def sink(batch):
        if chosen.random() < 0.5:
            raise TimeoutError
        seen.extend(event.member for event in batch)

    with EventProcessor(sink, capacity=64, batch_size=8, overflow="block", **AT_ONCE) as events:
        for i in range(1_000):
            assert events.push("k", i, at=AT)
    assert seen == list(range(1_000))
    stats = check(events.stats())
    assert stats.retries > 0
    assert (stats.delivered, stats.dead_lettered) == (1_000, 0)


def test_a_sink_may_say_itself_which_errors_pass():
    class Opinionated(Failing):
        def __init__(self, *bad, moments):
            super().__init__(*bad, moments=moments)
            self.asked = []

        def is_transient(self, error):
            self.asked.append(str(error))
            return {"no 1": True, "for the moment": None, "no 2": False}[str(error)]

    sink = Opinionated(1, 2, moments=1)
    events = EventProcessor(sink, batch_size=1, **AT_ONCE)
    events.push_many({"kind": "k", "member": [0, 1, 2], "at": AT})
    until(lambda: sink.asked.count("no 1") >= 3)
    assert sink.asked[0] == "for the moment"
    sink.bad.discard(1)
    with pytest.raises(SinkError, match="ValueError: no 2"):
        events.flush(timeout=PATIENCE)
    assert sink.seen == [0, 1]
    assert members(events.dead_letters()) == [2]
    events.close()


def test_a_sink_that_can_not_say_leaves_it_to_the_library():
    class Confused(Failing):
        def is_transient(self, error):
            raise LookupError("no opinion")

    events = EventProcessor(Confused(1, moments=1), batch_size=4, flush_interval=FOREVER, **AT_ONCE)
    events.push_many({"kind": "k", "member": range(4), "at": AT})
    with pytest.raises(SinkError) as caught:
        events.close()
    assert caught.value.__cause__.__notes__ == ["the sink's is_transient raised LookupError"]
    assert members(events.dead_letters()) == [1]
    assert check(events.stats()).retries == 1


# ---- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("unraisable")
def test_three_bad_events_in_ten_thousand_are_set_aside_and_replayed_when_the_sink_is_mended():
    bad = (17, 4_242, 9_999)
    sink = Failing(*bad)
    events = EventProcessor(sink, overflow="block")
    events.push_many({"kind": "k", "member": range(10_000), "id": range(10_000), "at": AT, "data": "x"})
    with pytest.raises(SinkError, match="3 events of 3 batches were set aside, the first for ValueError: no 17"):
        events.flush(timeout=PATIENCE)
    stats = check(events.stats())
    assert (stats.delivered, stats.dead_lettered, stats.failed_batches) == (9_997, 3, 3)
    assert sink.seen == [member for member in range(10_000) if member not in bad]  # each once, in order
    letters = events.dead_letters()
    assert [(letter.event.id, letter.reason, letter.attempts) for letter in letters] == [
        (member, f"ValueError: no {member}", 1) for member in bad
    ]
    assert all(type(letter) is DeadLetter and letter.event.data == "x" for letter in letters)

    sink.bad = {4_242}
    assert events.replay_dead_letters() == 3
    until(lambda: members(events.dead_letters()) == [4_242] and events.stats().delivered == 9_999)
    assert events.dead_letters()[0].attempts == 2
    assert sink.seen[-2:] == [17, 9_999]
    with pytest.raises(SinkError, match="1 event of 1 batch was set aside, the first for ValueError: no 4242"):
        events.flush(timeout=PATIENCE)

    sink.bad = set()
    events.replay_dead_letters()
    events.close()
    assert events.dead_letters() == []
    stats = check(events.stats())
    assert (stats.delivered, stats.dead_lettered) == (10_000, 0)
    assert sorted(sink.seen) == list(range(10_000))


@pytest.mark.usefixtures("unraisable")
def test_a_batch_of_which_all_is_refused_is_set_aside_whole():
    sink = Failing(*range(100))
    events = EventProcessor(sink, batch_size=100, flush_interval=FOREVER)
    events.push_many({"kind": "k", "member": range(100), "at": AT})
    with pytest.raises(SinkError, match="100 events of 1 batch were set aside, the first for ValueError: no 0"):
        events.close()
    assert [letter.reason for letter in events.dead_letters()] == [f"ValueError: no {i}" for i in range(100)]
    assert check(events.stats()).dead_lettered == 100
    assert len(sink.writes) < 2 * 100


@pytest.mark.parametrize("error", [ValueError("bad"), SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_whatever_a_sink_raises_splits_the_batch_and_ends_no_thread(error):
    seen = []

    def sink(batch):
        if any(event.member == 3 for event in batch):
            raise error
        seen.extend(event.member for event in batch)

    events = EventProcessor(sink, batch_size=4, flush_interval=FOREVER)
    for i in range(8):
        events.push("k", i, at=AT)
    with pytest.raises(
        SinkError, match=f"1 event of 1 batch was set aside, the first for {type(error).__name__}"
    ) as caught:
        events.flush(timeout=PATIENCE)
    assert caught.value.__cause__ is error
    assert error.__traceback__ is not None
    events.flush(timeout=PATIENCE)  # reported once
    assert events.push("k", 8)
    events.close()
    stats = check(events.stats())
    assert (stats.delivered, stats.dead_lettered, stats.failed_batches) == (8, 1, 1)
    assert stats.first_error.startswith(type(error).__name__)
    assert members(events.dead_letters()) == [3]
    assert seen == [0, 1, 2, 4, 5, 6, 7, 8]


@pytest.mark.usefixtures("unraisable")
def test_the_first_error_since_the_last_report_is_the_one_reported():
    sink = Failing(1, 2, 3)
    events = EventProcessor(sink, batch_size=1)
    events.push("k", 1)
    events.push("k", 2)
    with pytest.raises(
        SinkError, match="2 events of 2 batches were set aside, the first for ValueError: no 1"
    ) as caught:
        events.flush()
    assert str(caught.value.__cause__) == "no 1"
    events.push("k", 3)
    with pytest.raises(SinkError, match="1 event of 1 batch was set aside, the first for ValueError: no 3") as caught:
        events.close()
    assert str(caught.value.__cause__) == "no 3"
    assert check(events.stats()).first_error == "ValueError: no 1"


def test_the_hook_sees_the_errors_behind_the_first_once_each(unraisable):
    sink = Failing(3, 17, 18, 40)
    events = EventProcessor(sink, batch_size=64, flush_interval=FOREVER)
    events.push_many({"kind": "k", "member": range(64), "at": AT})
    with pytest.raises(SinkError, match="4 events of 1 batch") as caught:
        events.flush(timeout=PATIENCE)
    assert len(sink.writes) > 8  # the batch was split, so each was raised more than once
    assert str(caught.value.__cause__) == "no 3"
    assert [str(error) for error in unraisable] == ["no 17", "no 18", "no 40"]
    assert all(error.__traceback__ is not None for error in unraisable)
    events.push("k", 17)
    with pytest.raises(SinkError):
        events.close()
    assert len(unraisable) == 3  # the first since the report


def test_an_error_that_passed_is_neither_told_nor_the_cause(unraisable):
    sink = Failing(1, moments=3)
    events = EventProcessor(sink, batch_size=2, flush_interval=FOREVER, **AT_ONCE)
    events.push_many({"kind": "k", "member": range(2), "at": AT})
    with pytest.raises(SinkError, match="ValueError: no 1") as caught:
        events.close()
    assert str(caught.value.__cause__) == "no 1"
    assert check(events.stats()).retries == 3
    assert unraisable == []


@pytest.mark.usefixtures("unraisable")
def test_of_the_dead_letters_the_newest_are_kept():
    events = EventProcessor(Failing(*range(10)), batch_size=3, keep_dead=4)
    events.push_many({"kind": "k", "member": list(range(10)), "at": AT})
    with pytest.raises(SinkError):
        events.close()
    stats = check(events.stats())
    assert (stats.dead_lettered, stats.dead_dropped) == (10, 6)
    assert members(events.dead_letters()) == [6, 7, 8, 9]


def test_none_are_kept_if_nobody_wants_them():
    events = EventProcessor(Failing(1), keep_dead=0)
    events.push_many({"kind": "k", "member": range(3)})
    with pytest.raises(SinkError, match="ValueError: no 1"):
        events.close()
    assert events.dead_letters() == []
    stats = check(events.stats())
    assert (stats.dead_lettered, stats.dead_dropped) == (1, 1)


@pytest.mark.usefixtures("unraisable")
def test_dead_letters_that_are_taken_out_still_count():
    sink = Failing(*range(6))
    events = EventProcessor(sink, batch_size=3)
    events.push_many({"kind": "k", "member": range(6), "at": AT})
    with pytest.raises(SinkError):
        events.flush(timeout=PATIENCE)
    assert events.take_dead_letters(0) == []
    assert members(events.take_dead_letters(4)) == [0, 1, 2, 3]
    assert members(events.dead_letters()) == [4, 5]
    assert check(events.stats()).dead_lettered == 6
    sink.bad = set()
    assert events.replay_dead_letters() == 2  # those that were taken belong to the caller
    events.close()
    assert sink.seen == [4, 5]
    stats = check(events.stats())
    assert (stats.delivered, stats.dead_lettered, stats.dead_dropped) == (2, 4, 0)
    assert events.take_dead_letters(2**70) == []
    with pytest.raises(InvalidArgument, match="most must be at least 0, got -1"):
        events.take_dead_letters(-1)
    for most, given in (("1", "str"), (1.5, "float"), (True, "bool")):
        with pytest.raises(InvalidType, match=f"most must be int or None, got {given}"):
            events.take_dead_letters(most)


# ---- answers that make no sense --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (5, "RuntimeError: the sink's write must return WriteResult or None, got int"),
        (True, "must return WriteResult or None, got bool"),
        ((2, 0, 0), "must return WriteResult or None, got tuple"),
        ("written", "must return WriteResult or None, got str"),
        (WriteResult(0, 0, 0), "the sink's written, duplicate and rejected don't add up to the 2 events of the batch"),
        (WriteResult(3, 0, 0), "don't add up"),
        (WriteResult(2**63 - 1, 2**63 - 1, 4), "don't add up"),
        (WriteResult(-1, 2, 1), "written must be at least 0, got -1"),
        (WriteResult(2.0, 0, 0), "written must be"),
        (WriteResult("2", 0, 0), "written must be"),
        (WriteResult(2**70, 0, 0), "written must"),
    ],
)
def test_after_an_answer_without_sense_nothing_is_written_twice(answer, reason):
    writes = []

    def sink(batch):
        writes.append([event.member for event in batch])
        return answer if len(writes) == 1 else None

    events = EventProcessor(sink, batch_size=2, flush_interval=FOREVER)
    events.push_many({"kind": "k", "member": range(4), "at": AT})
    with pytest.raises(SinkError, match="2 events of 1 batch were set aside"):
        events.close()
    assert writes == [[0, 1], [2, 3]]
    letters = events.dead_letters()
    assert members(letters) == [0, 1]
    for letter in letters:
        assert reason.removeprefix("RuntimeError: ") in letter.reason
    stats = check(events.stats())
    assert (stats.delivered, stats.dead_lettered, stats.retries) == (2, 2, 0)


def test_an_error_that_cannot_be_shown_is_reported_by_its_type():
    class Mute(Exception):
        def __str__(self):
            raise LookupError("no words")

    def sink(batch):
        raise Mute

    events = EventProcessor(sink)
    events.push("k", 1)
    with pytest.raises(SinkError, match=r"the first for Mute$"):
        events.close()


# ---- a sink that hangs -----------------------------------------------------------------------------------------------


@one_at_a_time
def test_a_flush_gives_up_on_a_sink_that_hangs(gate):
    events = EventProcessor(gate, batch_size=1, sink_timeout=0.02)
    events.push("k", 1, at=AT)
    events.push("k", 2, at=AT)
    assert gate.reached.wait(PATIENCE)
    with pytest.raises(TimeoutError, match=r"has not returned for more than 0\.02 s, 2 events remain undelivered"):
        events.flush()
    stats = check(events.stats())
    assert (stats.timeouts, stats.in_flight, stats.queued) == (1, 1, 1)
    gate.opened.set()  # nothing is lost
    until(lambda: events.stats().delivered == 2)
    events.flush(timeout=PATIENCE)
    events.close()
    assert gate.members == [1, 2]
    assert check(events.stats()).dead_lettered == 0


def test_closing_is_bounded_though_the_sink_hangs():
    gate = Gate()
    events = EventProcessor(gate, batch_size=1, sink_timeout=0.02)
    events.push("k", 1, at=AT)
    assert gate.reached.wait(PATIENCE)
    with pytest.raises(TimeoutError, match=r"close did not end within 0\.05 s, 1 event remains undelivered"):
        events.close(timeout=0.05)
    stats = check(events.stats())
    assert (stats.in_flight, stats.timeouts) == (1, 1)
    gate.opened.set()


# ---- who is told -----------------------------------------------------------------------------------------------------


def test_errors_hold_nothing_back_once_they_are_reported(monkeypatch):
    monkeypatch.setattr(sys, "unraisablehook", lambda args: None)  # pytest's own keeps the errors

    class Held:
        pass

    gone = []

    def sink(batch):
        held = Held()
        gone.append(weakref.ref(held))
        raise ValueError(held)

    events = EventProcessor(sink, batch_size=1)
    for i in range(20):
        events.push("k", i)
    with pytest.raises(SinkError):
        events.flush(timeout=PATIENCE)
    until(lambda: gc.collect() >= 0 and sum(ref() is not None for ref in gone) == 0)
    events.close()


def test_attempts_leave_no_references_behind():
    counts = []
    threads = set()

    def sink(batch):
        counts.append(sys.getrefcount(batch))
        threads.add(threading.get_ident())
        if len(counts) < 200:
            raise TimeoutError

    with EventProcessor(sink, **AT_ONCE) as events:
        events.push("k", 1)
    assert len(threads) == 1
    assert max(counts[1:]) <= counts[0] + 2
    assert check(events.stats()).retries == 199
