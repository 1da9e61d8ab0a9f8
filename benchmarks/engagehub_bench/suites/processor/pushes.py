"""One call an event, beside a tuple in a queue and a call that does nothing with its arguments.

The collector works meanwhile, as it does in a program and did where the demands were measured: it visits the tuples.
"""

from __future__ import annotations

import gc
from abc import ABC, abstractmethod
from functools import partial
from statistics import median
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

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

__all__ = ["CHECKED", "NOOP", "OURS", "QUEUE", "Call", "Noop", "Push", "Put", "cases"]

OURS, QUEUE, NOOP = "EventProcessor.push", "SimpleQueue.put of a tuple", "no-op"
CHECKED = f"{OURS}, ids are checked"
#: How many times the no-op a push may cost.
_TIMES_NOOP: dict[Names, float] = {"int": 2.5, "str": 5.0, "new str": 10.0}
_TIMES_QUEUE = 0.7
_TIMES_MEDIAN = 5.0


class Call(ABC):
    """A contender: a call that takes the events of a repeat one by one."""

    def __init__(self, names: Names, plan: Plan, *, with_ids: bool) -> None:
        self.events = Events(names, plan.pushed, plan.seed)
        self.with_ids = with_ids

    def prepare(self) -> None:
        """Make new events, and room for them."""
        self.events.draw()

    @abstractmethod
    def run(self) -> None:
        """Hand over each event."""

    def empty(self) -> None:
        """Do the same without the call."""
        events = self.events
        if self.with_ids:
            columns = (events.members, events.channels, events.instants, events.ids)
            for _member, _channel, _at, _id in zip(*columns, strict=True):
                pass
            return
        for _member, _channel, _at in zip(events.members, events.channels, events.instants, strict=True):
            pass

    @abstractmethod
    def is_correct(self) -> bool:
        """Return whether the events of the newest repeat arrived."""


def call_each_with_id(call: Callable[..., object], events: Events) -> None:
    """Call with one event after the other, and what makes it one of a kind."""
    kind = KIND
    columns = (events.members, events.channels, events.instants, events.ids)
    for member, channel, at, identity in zip(*columns, strict=True):
        call(kind, member, channel, at=at, id=identity)


def call_each(call: Callable[..., object], events: Events) -> None:
    """Call with one event after the other."""
    kind = KIND
    for member, channel, at in zip(events.members, events.channels, events.instants, strict=True):
        call(kind, member, channel, at=at)


class Push(Call):
    """Pushes into a processor without a sink, whose ring is empty at first and at most half full in the end.

    Parameters
    ----------
    checked : bool
        Whether ids are looked for among those of the last 24 hours.
    """

    def __init__(self, names: Names, plan: Plan, *, with_ids: bool, checked: bool) -> None:
        super().__init__(names, plan, with_ids=with_ids)
        self._checked = checked
        capacity = 2 * plan.pushed
        self.processor = (
            EventProcessor(capacity=capacity) if checked else EventProcessor(capacity=capacity, dedupe_horizon=None)
        )
        self.pushed = 0

    def prepare(self) -> None:
        """See :class:`Call`."""
        super().prepare()
        self.processor.flush()
        self.pushed += self.events.size

    def run(self) -> None:
        """See :class:`Call`."""
        (call_each_with_id if self.with_ids else call_each)(self.processor.push, self.events)

    def is_correct(self) -> bool:
        """Return whether all was accepted, a sink gets the very events, and known ids are known where they must be."""
        stats = self.processor.stats()
        if (stats.offered, stats.accepted) != (self.pushed, self.pushed):
            return False
        found: list[Event] = []
        with EventProcessor(found.extend, capacity=2 * self.events.size) as processor:
            call_each_with_id(processor.push, self.events)
        rows = [
            (event.id, event.kind, event.member, event.channel, round(event.at * 1e6), event.value) for event in found
        ]
        return rows == [row[:6] for row in self.events.rows()] and (not self.with_ids or self._knows_ids())

    def _knows_ids(self) -> bool:
        self.processor.flush()
        self.run()  # the newest events once more
        stats = self.processor.stats()
        self.pushed += self.events.size
        return stats.offered == self.pushed and stats.duplicate == (self.events.size if self._checked else 0)


class Put(Call):
    """Puts tuples into a queue."""

    def prepare(self) -> None:
        """See :class:`Call`."""
        super().prepare()
        self.queue = SimpleQueue[tuple[Any, ...]]()

    def run(self) -> None:
        """See :class:`Call`."""
        put, kind, events = self.queue.put, KIND, self.events
        if self.with_ids:
            columns = (events.members, events.channels, events.instants, events.ids)
            for member, channel, at, identity in zip(*columns, strict=True):
                put((kind, member, channel, at, identity))
            return
        for member, channel, at in zip(events.members, events.channels, events.instants, strict=True):
            put((kind, member, channel, at))

    def is_correct(self) -> bool:
        """See :class:`Call`."""
        found = [self.queue.get() for _ in range(self.queue.qsize())]
        rows = [(*row[1:5], *row[: int(self.with_ids)]) for row in self.events.rows()]
        return [(*event[:3], round(event[3] * 1e6), *event[4:]) for event in found] == rows


class Noop(Call):
    """Takes arguments apart."""

    def run(self) -> None:
        """See :class:`Call`."""
        (call_each_with_id if self.with_ids else call_each)(call_noop.noop(), self.events)

    def is_correct(self) -> bool:
        """See :class:`Call`."""
        row = self.events.rows()[-1]
        return call_noop.last() == (*row[1:5], row[0] if self.with_ids else 0)


def cases(plan: Plan, names: Names) -> Iterator[Case]:
    """Yield the cases of loops, without and with ids, and the case of single calls."""
    for with_ids in (False, True):
        yield _loops(plan, names, with_ids=with_ids)
    yield _single_calls(plan, names)


def _loops(plan: Plan, names: Names, *, with_ids: bool) -> Case:
    ours = {OURS: Push(names, plan, with_ids=with_ids, checked=False)}
    if with_ids:
        ours[CHECKED] = Push(names, plan, with_ids=True, checked=True)
    contenders: dict[str, Call] = {**ours}
    if "simple_queue" in plan.peers:
        contenders[QUEUE] = Put(names, plan, with_ids=with_ids)
    if "native" in plan.peers and call_noop.missing() is None:
        contenders[NOOP] = Noop(names, plan, with_ids=with_ids)
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
    most = _TIMES_NOOP[names]
    for name, push in ours.items():
        push.processor.close()
        row = rows[name]
        if names == "int":
            row.claims.append(against(f"at most {_TIMES_QUEUE:g} × {QUEUE}", row, queue, at_most=_TIMES_QUEUE))
        row.claims.append(against(f"at most {most:g} × {NOOP}", row, noop, at_most=most))
    return Case(f"processor/push/{names}{', with ids' if with_ids else ''}", None, "ns", list(rows.values()))


def _run(call: Call) -> None:
    gc.enable()
    try:
        call.run()
    finally:
        gc.disable()


def _single_calls(plan: Plan, names: Names) -> Case:
    push = Push(names, plan, with_ids=False, checked=True)  # as it is made without a word about it
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
