"""The account of an EventProcessor: counts that add up in every snapshot, rates and lag."""

from __future__ import annotations

import itertools
import random
import threading
from collections import Counter

import pytest
from processing import AT, AT_ONCE, FOREVER, Gate, check, one_at_a_time, run_threads
from waiting import PATIENCE, until

from engagehub_core import BoardSpec, EventProcessor, TrendSpec
from engagehub_core.errors import CapacityExceeded, InvalidArgument, SinkError
from engagehub_core.processor_stats import RateMeter
from engagehub_core.sinks import WriteResult

#: What never goes back.
GROWING = (
    *("offered", "accepted", "duplicate", "refused", "refused_full", "refused_timeout", "refused_future"),
    *("delivered", "dead_lettered", "evicted", "written", "late_duplicates", "rejected", "applied", "dead_dropped"),
    *("batches", "failed_batches", "transactions", "retries"),
)


class Moody:
    """A sink that takes some batches, fails for the moment with others, refuses single events, and pushes."""

    def __init__(self, seed):
        self.chosen = random.Random(seed)
        self.taken = Counter()
        self.calls = 0

    def write(self, batch):
        self.calls += 1
        mood = self.chosen.random()
        if mood < 0.1:
            raise ConnectionResetError("for the moment")
        if mood < 0.12:
            return "nonsense"
        if any(event.member % 101 == 50 for event in batch):
            raise ValueError("refused")
        duplicate = len(batch) // 3
        self.taken.update(event.member for event in batch)
        return WriteResult(len(batch) - duplicate, duplicate, 0)


def offer(events, number, chosen, counts):
    """Offer an event, or many, in one of the ways that there are, and count them."""
    kind = number % 10
    counts["offered"] += 20 if kind == 7 else 1
    try:
        if kind < 7:
            counts["accepted"] += events.push("k", number, at=AT)
        elif kind == 7:
            ids = [chosen.randrange(1_000) for _ in range(20)]
            events.push_many({"kind": "k", "member": range(20), "id": ids, "at": AT})
        elif kind == 8:
            counts["future"] += 1
            events.push("k", number, at=AT + 10_000)
        else:
            events.push("k", number, at=AT, id=chosen.randrange(1_000))
    except InvalidArgument:
        assert kind == 8
    except CapacityExceeded:
        counts["raised"] += 1


@pytest.mark.parametrize("overflow", ["refuse", "block", "drop_oldest", "raise"])
@pytest.mark.thread_unsafe(reason="starts threads of its own")
def test_counts_add_up_in_every_snapshot_while_the_sink_fails(overflow):
    sink = Moody(7)
    settings = {"capacity": 64, "workers": 2, "batch_size": 16, "flush_interval": 0.001, "keep_dead": 50}
    events = EventProcessor(
        sink,
        boards={"all": BoardSpec()},
        trends={"channels": TrendSpec(10)},
        overflow=overflow,
        block_timeout=0.001,
        max_identities=500,
        clock=lambda: AT,
        **settings,
        **AT_ONCE,
    )
    outcomes = Counter()
    lock = threading.Lock()
    left = [3]
    snapshots = []
    observers_fail = threading.Event()

    def produce(name):
        mine = Counter()
        chosen = random.Random(name)
        for i in itertools.count():
            if i >= 500 and (len(snapshots) >= 20 or observers_fail.is_set()):
                break
            offer(events, name * 10_000 + i, chosen, mine)
        with lock:
            outcomes.update(mine)
            left[0] -= 1

    def look(before):
        stats = check(events.stats())
        for name in GROWING:
            assert getattr(before, name) <= getattr(stats, name), name
        # Not so `queued`: what is handed on while the snapshot is made still counts there.
        assert stats.in_flight <= 16
        assert stats.identities <= 500
        assert len(events.dead_letters()) <= 50
        return stats

    def observe():
        stats = check(events.stats())
        try:
            while left[0]:
                stats = look(stats)
                snapshots.append(stats)
        except BaseException:
            observers_fail.set()
            raise

    run_threads(*[lambda name=name: produce(name) for name in range(3)], observe, observe)
    try:
        events.close(timeout=PATIENCE)
    except SinkError:
        assert events.stats().dead_lettered > 0
    stats = check(events.stats())
    assert (stats.queued, stats.in_flight) == (0, 0)
    assert stats.offered == outcomes["offered"]
    assert (outcomes["raised"] > 0) == (overflow == "raise" and stats.refused_full > 0)
    assert stats.accepted >= outcomes["accepted"]
    assert stats.refused_future == outcomes["future"]
    assert stats.applied == stats.accepted
    assert stats.delivered == sum(sink.taken.values())
    assert stats.duplicate > 0
    assert sink.calls >= stats.transactions


def test_a_new_account_is_empty():
    with EventProcessor(lambda batch: None) as events:
        stats = check(events.stats())
    assert stats.last_success_ago is None
    assert {value for value in stats if value is not None} == {0}


def test_transactions_and_the_last_success():
    with EventProcessor(lambda batch: None, batch_size=5, flush_interval=FOREVER) as events:
        events.push_many({"kind": "k", "member": range(20), "at": AT})
        events.flush(timeout=PATIENCE)
        stats = check(events.stats())
        assert (stats.batches, stats.transactions) == (4, 4)
        assert 0 <= stats.last_success_ago < PATIENCE
        assert check(events.stats()).last_success_ago >= stats.last_success_ago


# ---- rates -----------------------------------------------------------------------------------------------------------


def test_rates_are_those_of_about_a_minute(monkeypatch):
    now = [1_000.0]
    monkeypatch.setattr("engagehub_core.processor_stats.time.monotonic", lambda: now[0])
    meter = RateMeter()
    assert meter.rates(0, 0) == (0, 0)
    now[0] += 10
    assert meter.rates(1_000, 500) == (100, 50)
    for _ in range(50):  # steady for a minute
        now[0] += 1
        meter.rates(1_000, 500)
    now[0] += 1
    accepted, delivered = meter.rates(1_000, 500)
    assert (accepted, delivered) == (1_000 / 61, 500 / 61)
    now[0] += 10  # the beginning is too long ago, and what came then, too
    assert meter.rates(1_000, 500) == (0, 0)
    now[0] += 1
    accepted, _ = meter.rates(1_610, 500)
    assert 10 <= accepted <= 10.2
    assert len(meter._samples) <= 64


def test_rates_of_calls_in_quick_succession_do_not_explode(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("engagehub_core.processor_stats.time.monotonic", lambda: now[0])
    meter = RateMeter()
    for n in range(1, 100_001):
        now[0] += 1e-3
        accepted, delivered = meter.rates(n, n // 2)
    assert 999 <= accepted <= 1_001
    assert 499 <= delivered <= 501
    assert len(meter._samples) <= 64


def test_the_account_has_the_rates(monkeypatch):
    now = [50.0]
    monkeypatch.setattr("engagehub_core.processor_stats.time.monotonic", lambda: now[0])
    with EventProcessor(lambda batch: None) as events:
        events.push_many({"kind": "k", "member": range(300), "at": AT})
        events.flush(timeout=PATIENCE)
        now[0] += 3
        stats = events.stats()
        assert (stats.accepted_per_second, stats.delivered_per_second) == (100, 100)


# ---- lag -------------------------------------------------------------------------------------------------------------


@one_at_a_time
def test_lag_of_the_sink_grows_while_it_is_at_work(gate):
    with EventProcessor(gate, batch_size=1, boards={"all": BoardSpec()}) as events:
        for i in range(5):
            events.push("k", i, at=AT)
        assert gate.reached.wait(PATIENCE)
        until(lambda: events.stats().applied == 5)
        until(lambda: events.stats().sink_lag > 0.05)
        first = check(events.stats()).sink_lag
        until(lambda: events.stats().sink_lag > first)
        assert events.stats().lag < first  # the board is not behind
        gate.opened.set()
        events.flush(timeout=PATIENCE)
        stats = check(events.stats())
        assert (stats.lag, stats.sink_lag) == (0, 0)


def test_without_anything_to_do_there_is_no_lag():
    gate = Gate()
    gate.opened.set()
    with EventProcessor(gate, boards={"all": BoardSpec()}, flush_interval=FOREVER) as events:
        assert (events.stats().lag, events.stats().sink_lag) == (0, 0)
        events.push("k", 1)
        events.flush(timeout=PATIENCE)
        until(lambda: (events.stats().lag, events.stats().sink_lag) == (0, 0))
