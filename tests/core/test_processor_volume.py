"""An EventProcessor under load for long: everything is accounted for, and memory stays flat.

ENGAGEHUB_TEST_PROCESSOR_EVENTS is how many events go through in all (a million unless it is set),
ENGAGEHUB_TEST_OVERLOAD_SECONDS how long a sink that takes its time is pushed at (one unless it is set).
"""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from processing import AT, AT_ONCE, check
from waiting import PATIENCE

from engagehub_core import BoardSpec, EventProcessor, TrendSpec, WindowSpec
from engagehub_core.errors import SinkError

EVENTS = int(os.environ.get("ENGAGEHUB_TEST_PROCESSOR_EVENTS", "1000000"))
SECONDS = float(os.environ.get("ENGAGEHUB_TEST_OVERLOAD_SECONDS", "1"))
#: More than a run takes that gets through; a hang is found by the waits within.
LONG = max(120, EVENTS // 20_000, int(SECONDS * 2))
PART = 500


def producing(events, total, producers):
    """Push numbers from 0 on by several threads, a part at a time and every twentieth part one by one."""
    next_part = iter(range(0, total, PART))
    lock = threading.Lock()
    failures = []

    def produce():
        try:
            while True:
                with lock:
                    first = next(next_part, None)
                if first is None:
                    return
                last = min(first + PART, total)
                if first // PART % 20 == 0:
                    assert all(events.push("message", n % 1_000, n % 50, at=AT + n / 1e3) for n in range(first, last))
                    continue
                numbers = np.arange(first, last)
                columns = {
                    "kind": "message",
                    "member": numbers % 1_000,
                    "channel": numbers % 50,
                    "at": AT + numbers / 1e3,
                }
                assert events.push_many(columns) == last - first
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=produce) for _ in range(producers)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        check(events.stats())
        threads[0].join(0.01)
    assert failures == []


@pytest.mark.stress
@pytest.mark.timeout(LONG)
@pytest.mark.parametrize(("producers", "workers"), [(1, 1), (2, 4), (4, 2), (8, 1), (8, 4)])
def test_all_are_accounted_for(producers, workers):
    total = EVENTS // 5
    sums = np.zeros(1_000, dtype=np.int64)
    numbers = [0]

    def sink(batch):
        members = np.asarray(batch.columns()["member"])
        np.add.at(sums, members, 1)
        numbers[0] += len(batch)

    with EventProcessor(
        sink,
        boards={"all": BoardSpec()},
        trends={"channels": TrendSpec(50)},
        windows={"active": WindowSpec("7d", "1h")},
        capacity=16_384,
        workers=workers,
        overflow="block",
        clock=lambda: AT + total,
    ) as events:
        producing(events, total, producers)
        events.flush(timeout=LONG)
        stats = check(events.stats())
        assert (stats.offered, stats.accepted, stats.applied, stats.delivered) == (total,) * 4
        assert (stats.queued, stats.in_flight, stats.refused, stats.duplicate, stats.skipped) == (0,) * 5
        expected = np.bincount(np.arange(total) % 1_000, minlength=1_000)
        assert numbers[0] == total
        assert (sums == expected).all()
        assert {row.member: row.score for row in events.board("all").top(1_000)} == dict(enumerate(expected.tolist()))
        counts = np.bincount(np.arange(total) % 50, minlength=50)
        rows = events.trend("channels").top(50)
        assert len(rows) == 50
        assert all(row.low <= counts[row.item] <= row.high for row in rows)


def resident():
    """Return the bytes that this process has in memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.stress
@pytest.mark.thread_unsafe(reason="watches the memory of the process")
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.timeout(LONG)
@pytest.mark.parametrize("overflow", ["refuse", "drop_oldest"])
def test_memory_stays_flat_while_the_sink_takes_its_time(overflow):
    """A sink that takes a second a batch, fails for the moment, and refuses events, under steady overload."""
    pause = min(1.0, SECONDS / 20)
    turn = [0]
    is_over = threading.Event()

    def sink(batch):
        turn[0] += 1
        is_over.wait(pause)
        if turn[0] % 7 == 0:
            raise ConnectionResetError("for the moment")
        if turn[0] % 5 == 0:
            return "nonsense"
        return None

    events = EventProcessor(
        sink,
        boards={"all": BoardSpec()},
        capacity=16_384,
        overflow=overflow,
        keep_dead=5_000,
        max_identities=20_000,
        clock=lambda: AT,
        **AT_ONCE,
    )
    sizes = []
    pushed = 0
    began = time.monotonic()
    while (elapsed := time.monotonic() - began) < SECONDS or len(sizes) < 40:
        numbers = range(pushed, pushed + PART)
        ids = [f"event number {n}" for n in numbers]
        data = ["x" * 100] * PART
        events.push_many({"kind": "k", "member": [n % 500 for n in numbers], "at": AT, "id": ids, "data": data})
        pushed += PART
        check(events.stats())
        if elapsed * 40 >= SECONDS * len(sizes):
            sizes.append(resident())
    is_over.set()  # so that the rest goes quickly
    with pytest.raises(SinkError, match="set aside"):
        events.close(timeout=PATIENCE)
    stats = check(events.stats())
    assert stats.offered == pushed
    assert stats.refused + stats.evicted > 16_384  # it was too much
    assert len(events.dead_letters()) <= 5_000
    warm, late = sizes[len(sizes) // 2 : len(sizes) * 3 // 4], sizes[len(sizes) * 3 // 4 :]
    assert max(late) - max(warm) < 8 * 2**20
