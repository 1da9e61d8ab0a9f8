"""How long it takes until an event shows in a query, while others come in at a steady rate.

One thread pushes and asks, so that nobody waits for the interpreter.
"""

from __future__ import annotations

import time
from statistics import median
from time import perf_counter, perf_counter_ns
from typing import TYPE_CHECKING

from engagehub_bench.events import KIND, Events
from engagehub_bench.rows import Case, Row, absolute
from engagehub_bench.summary import latency, percentile
from engagehub_bench.timing import without_collector
from engagehub_core import BoardSpec, EventProcessor, TrendSpec, WindowSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engagehub_bench.plan import Plan

__all__ = ["Flow", "cases"]

_RATE = 200_000
#: Less than this share of them makes no row.
_LEAST_RATE = 0.95
#: Seconds from one event that is looked for to the next.
_APART = 0.002
_BURST = 50
_MARK, _MARKER = "mark", 1
_P99_NS = 10e6


class Flow:
    """Events at a steady rate into a trend, a window, and a board that counts some of them.

    Parameters
    ----------
    events : Events
        Pushed again and again.
    """

    def __init__(self, events: Events) -> None:
        self._events = events
        self.processor = EventProcessor(
            boards={"marks": BoardSpec(points={_MARK: 1})},
            trends={"channels": TrendSpec(100, half_life="1h")},
            windows={"active": WindowSpec("24h", "1h")},
        )
        self.sent = 0
        self.marks = 0

    def run(self, seconds: float) -> list[float]:
        """Let events come for so long, and return the nanoseconds from some pushes to a query that shows them."""
        taken: list[float] = []
        marked_at = 0
        began = perf_counter()
        while (elapsed := perf_counter() - began) < seconds or marked_at:
            self._push(min(int(elapsed * _RATE), self.sent + _BURST))
            if marked_at:
                if self.seen() >= self.marks:
                    taken.append(float(perf_counter_ns() - marked_at))
                    marked_at = 0
            elif elapsed >= (self.marks + 1) * _APART:
                marked_at = perf_counter_ns()
                self.processor.push(_MARK, _MARKER, at=time.time())
                self.marks += 1
        self.seconds = perf_counter() - began
        return taken

    def _push(self, until: int) -> None:
        push, events = self.processor.push, self._events
        at = time.time()
        for number in range(self.sent, until):
            place = number % events.size
            push(KIND, events.members[place], events.channels[place], at=at)
        self.sent = max(self.sent, until)

    def seen(self) -> float:
        """Return how many marks a query finds."""
        top = self.processor.board("marks").top(1)
        return top[0].score if top else 0.0

    def is_correct(self) -> bool:
        """Return whether no event was refused, and the board holds the marks and nothing else."""
        self.processor.flush()
        stats = self.processor.stats()
        entries = [(entry.member, entry.score) for entry in self.processor.board("marks").top(10)]
        return stats.accepted == stats.offered == self.sent + self.marks and entries == [(_MARKER, self.marks)]


def cases(plan: Plan) -> Iterator[Case]:
    """Yield the case."""
    events = Events("int", plan.pushed, plan.seed)
    row = Row("EventProcessor", correct=True)
    every: list[float] = []
    tails, rates = [], []
    for _ in range(plan.repeats):
        flow = Flow(events)
        with without_collector():
            taken = flow.run(0.3 if plan.quick else 2.0)
        row.correct = bool(row.correct) and flow.is_correct()
        flow.processor.close()
        row.samples.append(median(taken))
        tails.append(percentile(taken, 0.99))
        rates.append(flow.sent / flow.seconds)
        every += taken
    row.latency = latency(every)
    row.valid = min(rates) >= _LEAST_RATE * _RATE
    row.note = f"{len(every):,} events looked for, {min(rates):,.0f} a second at the least"
    if not row.valid:
        row.note = f"too few events to count: {row.note}"
    row.claims.append(absolute("p99 at most 10 ms", row, tails, _P99_NS))
    yield Case(f"processor/from a push to a query, {_RATE:,} events a second", None, "ns", [row])
