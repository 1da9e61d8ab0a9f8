"""What waiting for an item costs, and how soon it ends."""

from __future__ import annotations

import threading
import time
from statistics import median
from time import perf_counter, perf_counter_ns, process_time
from typing import TYPE_CHECKING

from engagehub_bench.peers.simple_queue import SimpleQueue
from engagehub_bench.rows import Case, Row, absent, absolute
from engagehub_bench.summary import latency
from engagehub_bench.timing import without_collector
from engagehub_core import MpmcQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engagehub_bench.plan import Plan

__all__ = ["cases", "idle", "wake_ups"]

_PAUSE = 0.001
_MOST_PERCENT = 1.0

Queue = MpmcQueue[int] | SimpleQueue[int]


def cases(plan: Plan) -> Iterator[Case]:
    """Yield the case of threads that wait idly, and of threads that are woken."""
    makers: dict[str, Callable[[], Queue]] = {"MpmcQueue": MpmcQueue[int]}
    if "simple_queue" in plan.peers:
        makers["SimpleQueue"] = SimpleQueue[int]
    rows = {name: Row(name, correct=True) for name in makers}
    for _ in range(plan.repeats):
        for name, make in makers.items():
            percent, is_correct = idle(make(), 0.1 if plan.quick else 0.5)
            rows[name].samples.append(percent)
            rows[name].correct = bool(rows[name].correct) and is_correct
    ours = rows["MpmcQueue"]
    ours.claims.append(absolute("under 1 % of a core", ours, ours.samples, _MOST_PERCENT))
    rows.setdefault("SimpleQueue", absent("SimpleQueue"))
    yield Case("queue/a waiting get, idle", None, "%", list(rows.values()))

    rows = {name: Row(name, correct=True) for name in makers}
    taken: dict[str, list[float]] = {name: [] for name in makers}
    for _ in range(plan.repeats):
        for name, make in makers.items():
            with without_collector():
                passed = wake_ups(make(), 20 if plan.quick else 200)
            taken[name] += passed
            rows[name].samples.append(median(passed))
            rows[name].correct = bool(rows[name].correct) and min(passed) > 0
    for name, row in rows.items():
        row.latency = latency(taken[name])
        row.note = f"{len(taken[name]):,} items, each {_PAUSE * 1e3:g} ms after the one before"
    rows.setdefault("SimpleQueue", absent("SimpleQueue"))
    yield Case("queue/put until a waiting get has it", None, "ns", list(rows.values()))


def idle(queue: Queue, seconds: float) -> tuple[float, bool]:
    """Return what per cent of a core a thread uses that waits for an item, and whether it gets that in the end."""
    taken: list[int] = []
    thread = threading.Thread(target=lambda: taken.append(queue.get()))
    thread.start()
    time.sleep(_PAUSE * 10)  # until it has begun to wait
    began, used = perf_counter(), process_time()
    time.sleep(seconds)
    used = process_time() - used
    passed = perf_counter() - began
    queue.put(7)
    thread.join()
    return 100 * used / passed, taken == [7]


def wake_ups(queue: Queue, count: int) -> list[float]:
    """Return the nanoseconds from each put to the moment where the thread that waited for it has it."""
    taken: list[float] = []

    def wait() -> None:
        for _ in range(count):
            put_at = queue.get()
            taken.append(float(perf_counter_ns() - put_at))

    thread = threading.Thread(target=wait)
    thread.start()
    for _ in range(count):
        time.sleep(_PAUSE)
        queue.put(perf_counter_ns())
    thread.join()
    return taken
