"""One call an event, beside a tuple in a queue and a call that does nothing with its arguments.

The collector works meanwhile, as it does in a program and did where the demands were measured: it visits the tuples.
"""

from __future__ import annotations

import gc
from functools import partial
from statistics import median
from time import perf_counter_ns
from typing import TYPE_CHECKING

from engagehub_bench.calibration import put_ns
from engagehub_bench.events import KIND, Events, Names
from engagehub_bench.peers import call_noop
from engagehub_bench.peers.simple_queue import SimpleQueue
from engagehub_bench.rows import Case, Row, absent, absolute, against
from engagehub_bench.summary import latency, percentile
from engagehub_bench.timing import Contestant, interleaved_by_processor_time, without_collector
from engagehub_core import EventProcessor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engagehub_bench.plan import Plan
    from engagehub_core import Event

__all__ = ["NOOP", "OURS", "QUEUE", "Call", "Noop", "Push", "Put", "cases"]

OURS, QUEUE, NOOP = "EventProcessor.push", "SimpleQueue.put of a tuple", "no-op"
#: How many times the no-op a push may cost.
_TIMES_NOOP: dict[Names, float] = {"int": 2.5, "str": 5.0, "new str": 10.0}
_TIMES_QUEUE = 0.7
_TIMES_MEDIAN = 5.0


class Call:
    """A contender: a call that takes the events of a repeat one by one."""

    def __init__(self, names: Names, plan: Plan) -> None:
        self.events = Events(names, plan.pushed, plan.seed)

    def prepare(self) -> None:
        """Make new events, and room for them."""
        self.events.draw()

    def run(self) -> None:
        """Hand over each event."""
        raise NotImplementedError

    def empty(self) -> None:
        """Do the same without the call."""
        events = self.events
        for _member, _channel, _at in zip(events.members, events.channels, events.instants, strict=True):
            pass

    def is_correct(self) -> bool:
        """Return whether the events of the newest repeat arrived."""
        raise NotImplementedError


def call_each(call: Callable[..., object], events: Events) -> None:
    """Call with one event after the other."""
    kind = KIND
    for member, channel, at in zip(events.members, events.channels, events.instants, strict=True):
        call(kind, member, channel, at=at)


class Push(Call):
    """Pushes into a processor without a sink, whose ring is empty at first and at most half full in the end."""

    def __init__(self, names: Names, plan: Plan) -> None:
        super().__init__(names, plan)
        self.processor = EventProcessor(capacity=2 * plan.pushed)
        self.pushed = 0

    def prepare(self) -> None:
        """See :class:`Call`."""
        super().prepare()
        self.processor.flush()
        self.pushed += self.events.size

    def run(self) -> None:
        """See :class:`Call`."""
        call_each(self.processor.push, self.events)

    def is_correct(self) -> bool:
        """Return whether every push was accepted, and a sink gets the very events of this repeat."""
        stats = self.processor.stats()
        if (stats.offered, stats.accepted) != (self.pushed, self.pushed):
            return False
        found: list[Event] = []
        with EventProcessor(found.extend) as processor:
            call_each(processor.push, self.events)
        rows = [(event.kind, event.member, event.channel, round(event.at * 1e6), event.value) for event in found]
        return rows == [row[1:6] for row in self.events.rows()]


class Put(Call):
    """Puts tuples into a queue."""

    def prepare(self) -> None:
        """See :class:`Call`."""
        super().prepare()
        self.queue = SimpleQueue[tuple[str, int | str, int | str, float]]()

    def run(self) -> None:
        """See :class:`Call`."""
        put, kind, events = self.queue.put, KIND, self.events
        for member, channel, at in zip(events.members, events.channels, events.instants, strict=True):
            put((kind, member, channel, at))

    def is_correct(self) -> bool:
        """See :class:`Call`."""
        found = [self.queue.get() for _ in range(self.queue.qsize())]
        return [(kind, member, channel, round(at * 1e6)) for kind, member, channel, at in found] == [
            row[1:5] for row in self.events.rows()
        ]


class Noop(Call):
    """Takes arguments apart."""

    def run(self) -> None:
        """See :class:`Call`."""
        call_each(call_noop.noop(), self.events)

    def is_correct(self) -> bool:
        """See :class:`Call`."""
        return call_noop.last() == (*self.events.rows()[-1][1:5], 0)


def cases(plan: Plan, names: Names) -> Iterator[Case]:
    """Yield the case of loops and the case of single calls."""
    push = Push(names, plan)
    contenders: dict[str, Call] = {OURS: push}
    if "simple_queue" in plan.peers:
        contenders[QUEUE] = Put(names, plan)
    if "native" in plan.peers and call_noop.missing() is None:
        contenders[NOOP] = Noop(names, plan)
    race = [
        # Whoever pushes has just made the event, so that its objects are in a cache.
        Contestant(name, partial(_run, each), each.events.size, each.empty, each.prepare, warm_up=each.empty)
        for name, each in contenders.items()
    ]
    timed = interleaved_by_processor_time(race, plan.repeats)
    rows = {
        name: Row.of(name, result, correct=each.is_correct())
        for (name, each), result in zip(contenders.items(), timed, strict=True)
    }
    queue, noop = (rows.setdefault(name, absent(name)) for name in (QUEUE, NOOP))
    ours = rows[OURS]
    if names == "int":
        ours.claims.append(against(f"at most {_TIMES_QUEUE:g} × {QUEUE}", ours, queue, at_most=_TIMES_QUEUE))
    most = _TIMES_NOOP[names]
    ours.claims.append(against(f"at most {most:g} × {NOOP}", ours, noop, at_most=most))
    yield Case(f"processor/push/{names}", None, "ns", list(rows.values()))
    yield _single_calls(plan, names, push)


def _run(call: Call) -> None:
    gc.enable()
    try:
        call.run()
    finally:
        gc.disable()


def _single_calls(plan: Plan, names: Names, push: Push) -> Case:
    row = Row(OURS)
    every: list[float] = []
    tails = []
    for repeat in range(-1, plan.repeats):
        push.prepare()
        calibration = put_ns()
        with without_collector():
            overhead = latency(_empty_timed(push.events)).p50
            samples = [max(each - overhead, 0.0) for each in _timed(push.processor.push, push.events)]
        if repeat >= 0:
            row.calibration.append(calibration)
            row.samples.append(median(samples))
            row.overhead.append(overhead)
            tails.append(percentile(samples, 0.99))
            every += samples
    row.correct = push.is_correct()
    row.latency = latency(every)
    row.note = f"{median(row.overhead):.0f} ns for the clock subtracted from each of {len(every):,} calls"
    times = [tail / max(middle, 1.0) for tail, middle in zip(tails, row.samples, strict=True)]
    row.claims.append(absolute(f"p99 at most {_TIMES_MEDIAN:g} × the median", row, times, _TIMES_MEDIAN))
    push.processor.close()
    return Case(f"processor/push, call by call/{names}", None, "ns", [row])


def _timed(push: Callable[..., object], events: Events) -> list[int]:
    kind, clock, taken = KIND, perf_counter_ns, list[int]()
    for member, channel, at in zip(events.members, events.channels, events.instants, strict=True):
        began = clock()
        push(kind, member, channel, at=at)
        taken.append(clock() - began)
    return taken


def _empty_timed(events: Events) -> list[int]:
    clock, taken = perf_counter_ns, list[int]()
    for _member, _channel, _at in zip(events.members, events.channels, events.instants, strict=True):
        began = clock()
        taken.append(clock() - began)
    return taken
