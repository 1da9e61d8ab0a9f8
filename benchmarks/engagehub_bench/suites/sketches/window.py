"""Queries of a window while events come in from another thread."""

from __future__ import annotations

import threading
import time
from statistics import median
from time import perf_counter, perf_counter_ns
from typing import TYPE_CHECKING

from engagehub_bench.calibration import HASH_LOOP_NS
from engagehub_bench.peers import sketch_loops
from engagehub_bench.rows import Case, Row, absolute, undecided
from engagehub_bench.suites.sketches.adds import is_near
from engagehub_bench.summary import latency, percentile
from engagehub_bench.timing import without_collector
from engagehub_bench.workloads import START
from engagehub_core import DistinctWindow

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engagehub_bench.plan import Plan
    from engagehub_bench.rows import Claim

__all__ = ["cases"]

_RATE = 200_000
#: Less than this share of them makes no row.
_LEAST_RATE = 0.95
_BUCKETS = 60
_MINUTE = 60.0
_FIRST_MEMBER = 700_000_000_000_000_000
_HELD_EACH = 5_000
_PAUSE = 0.0005
_MEDIAN_NS, _P99_NS = 50_000.0, 500_000.0


class _Flow:
    """A full window of 60 minutes, into which new members come at a steady rate, a minute in each second."""

    def __init__(self) -> None:
        self.window = DistinctWindow("60m", resolution="1m", max_skew=None)
        self.now = START // _MINUTE * _MINUTE
        self.sent = 0
        self.refused = 0
        self._last = self.now
        self._stop = threading.Event()
        for bucket in range(_BUCKETS):
            first = _FIRST_MEMBER + bucket * _HELD_EACH
            self.window.update(range(first, first + _HELD_EACH), at=self.now - _MINUTE * bucket)
        self._opened = self.now

    def run(self, seconds: float) -> list[int]:
        """Let events come for so long, and return the nanoseconds of each query meanwhile."""
        thread = threading.Thread(target=self._send)
        estimate, clock, taken = self.window.estimate, perf_counter_ns, list[int]()
        thread.start()
        end = perf_counter() + seconds
        while perf_counter() < end:
            at = self.now
            began = clock()
            estimate(at=at)
            taken.append(clock() - began)
            time.sleep(_PAUSE)
        self._stop.set()
        thread.join()
        return taken

    def _send(self) -> None:
        add, began, member = self.window.add, perf_counter(), _FIRST_MEMBER + _BUCKETS * _HELD_EACH
        while not self._stop.is_set():
            elapsed = perf_counter() - began
            self.now = at = self._opened + elapsed * _MINUTE
            for each in range(member + self.sent, member + int(elapsed * _RATE)):
                self.refused += not add(each, at)
                self.sent += 1
            time.sleep(_PAUSE)
        self.seconds = perf_counter() - began

    def is_correct(self) -> bool:
        """Return whether no event was dropped and the answer is that of the last 60 minutes: no member came twice."""
        gone = int((self.now - self._opened) // _MINUTE)
        truth = self.sent + (_BUCKETS - gone) * _HELD_EACH
        return self.refused == 0 and self.window.late == 0 and is_near(self.window.estimate(at=self.now), truth)


def cases(plan: Plan) -> Iterator[Case]:
    """Yield the case."""
    loops = _hash_loops(plan)
    taken: list[list[int]] = []
    rates = []
    correct = True
    for _ in range(plan.repeats):
        flow = _Flow()
        with without_collector():
            taken.append(flow.run(0.3 if plan.quick else 2.0))
        correct = correct and flow.is_correct()
        rates.append(flow.sent / flow.seconds)
    loops += _hash_loops(plan)
    every = [each for repeat in taken for each in repeat]
    row = Row("DistinctWindow, 60 × 1 minute", [float(median(repeat)) for repeat in taken], correct=correct)
    row.latency = latency([float(each) for each in every])
    row.valid = min(rates) >= _LEAST_RATE * _RATE
    row.note = f"{len(every):,} queries, {min(rates):,.0f} events a second at the least"
    if not row.valid:
        row.note = f"too few events to count: {row.note}"
    tails = [float(percentile(repeat, 0.99)) for repeat in taken]
    row.claims.append(_claim("median", _MEDIAN_NS, row, row.samples, loops))
    row.claims.append(_claim("p99", _P99_NS, row, tails, loops))
    yield Case("sketches/DistinctWindow.estimate while 200,000 events a second come in", None, "ns", [row])


def _hash_loops(plan: Plan) -> list[float]:
    if "native" not in plan.peers:
        return []
    sketch_loops.hash_loop()
    return [_hash_loop() for _ in range(3)]


def _hash_loop() -> float:
    began = perf_counter_ns()
    sketch_loops.hash_loop()
    return (perf_counter_ns() - began) / sketch_loops.HASH_LOOP_ITEMS


def _claim(what: str, limit: float, row: Row, samples: Sequence[float], loops: Sequence[float]) -> Claim:
    text = f"{what} at most {limit / 1e3:g} µs, scaled"
    if not loops:
        return undecided(f"{text}: needs the peer native", limit)
    slowness = median(loops) / HASH_LOOP_NS
    return absolute(text, row, [each / slowness for each in samples], limit)
