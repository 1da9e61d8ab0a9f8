"""The ring in C++ beside bare rings, which must prove themselves first, and beside moodycamel's queue."""

from __future__ import annotations

import os
from statistics import median
from time import thread_time_ns
from typing import TYPE_CHECKING

from engagehub_bench.calibration import put_ns
from engagehub_bench.peers import queue_rings, sketch_loops
from engagehub_bench.rows import Case, Row, absent, against
from engagehub_bench.scale import HASH_LOOP, proven
from engagehub_bench.timing import without_collector

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engagehub_bench.plan import Plan

__all__ = ["PUBLISHED", "cases", "judged"]

OURS, BLOCKING = "MpmcQueue", "BlockingQueue"
RINGS = ("Vyukov ring, packed", "Vyukov ring, padded")
MOODYCAMEL = "moodycamel"
#: Nanoseconds an item where the hash loop costs its published figure, by producers and consumers: medians of packed and
#: padded cells, 24 November 2026.
PUBLISHED: dict[tuple[int, int], tuple[float, float]] = {(1, 1): (9.3, 9.3), (2, 2): (11.9, 11.0)}
_THREADS_A_CORE = 8
#: Transfers of a repeat, the quickest of which counts: who takes the core of one thread holds up all that wait for it.
_TRIES = 9


def cases(plan: Plan) -> Iterator[Case]:
    """Yield a case for one producer and one consumer, one for two of each, and one for many threads a core."""
    if "native" not in plan.peers:
        for sides in PUBLISHED:
            yield Case(_title(sides), None, "ns", [absent(OURS)])
        return
    for sides in PUBLISHED:
        yield judged(sides, _measured(plan, {name: (name, sides) for name in queue_rings.names()}))
    yield _crowded(plan)


def _title(sides: tuple[int, int]) -> str:
    return f"queue/C++ {sides[0]} to {sides[1]} threads, 24-byte items"


def _measured(plan: Plan, wanted: dict[str, tuple[str, tuple[int, int]]]) -> dict[str, Row]:
    """Return a row for each queue and number of threads, interleaved with each other and with the hash loop."""
    rows = {title: Row(title, correct=True) for title in wanted}
    loop = Row(HASH_LOOP)
    with without_collector():
        for repeat in range(-1, plan.repeats):
            titles = [*wanted]
            for turn in range(len(titles)):
                title = titles[(turn + repeat) % len(titles)]
                name, (producers, consumers) = wanted[title]
                items = plan.transferred // (producers * consumers) * producers * consumers
                calibration = put_ns()
                tries = [queue_rings.transfer(name, producers, consumers, items) for _ in range(_TRIES)]
                right = [nanoseconds for nanoseconds in tries if nanoseconds is not None]
                row = rows[title]
                row.correct = bool(row.correct) and len(right) == _TRIES
                if repeat >= 0:
                    row.calibration.append(calibration)
                    row.samples.append(min(right, default=0.0) / items)
            if repeat >= 0:
                loop.samples.append(_hash_loop())
    return {**rows, HASH_LOOP: loop}


def _hash_loop() -> float:
    began = thread_time_ns()
    sketch_loops.hash_loop()
    return (thread_time_ns() - began) / sketch_loops.HASH_LOOP_ITEMS


def judged(sides: tuple[int, int], rows: dict[str, Row]) -> Case:
    """Return the rows of a number of threads: the yardsticks judged, ours held against the better of them.

    Parameters
    ----------
    sides : tuple of int
        Producers and consumers.
    rows : dict of str to Row
        By the name of the queue, and the hash loop.

    Returns
    -------
    Case
        Ours first.
    """
    for ring, published in zip(RINGS, PUBLISHED[sides], strict=True):
        proven(rows[ring], rows[HASH_LOOP], published)
    best = _quickest([rows[ring] for ring in RINGS])
    moodycamel = rows.get(MOODYCAMEL, Row(MOODYCAMEL, note="its headers aren't installed"))
    if sides == (2, 2):
        ours = rows[OURS]
        ours.claims.append(against(f"at most 1.2 × {best.name}", ours, best, at_most=1.2))
        ours.claims.append(against(f"3.5 × faster than {MOODYCAMEL}", ours, moodycamel, at_most=1 / 3.5))
    others = [row for name, row in rows.items() if name not in {OURS, BLOCKING, MOODYCAMEL}]
    return Case(_title(sides), None, "ns", [rows[OURS], rows[BLOCKING], *others, moodycamel])


def _quickest(rows: Sequence[Row]) -> Row:
    return min(rows, key=lambda row: median(row.samples))


def _crowded(plan: Plan) -> Case:
    cores = os.cpu_count() or 1
    numbers = sorted({1, 2, max(cores // 2, 1), cores, cores * _THREADS_A_CORE // 2})
    wanted = {_shown(name, each): (name, (each, each)) for name in (OURS, BLOCKING) for each in numbers}
    rows = _measured(plan, wanted)
    for name in (OURS, BLOCKING):
        own = [rows[_shown(name, each)] for each in numbers]
        own[-1].claims.append(against("at least half the peak", own[-1], _quickest(own), at_most=2))
    rows.pop(HASH_LOOP)
    return Case(f"queue/C++ threads on {cores} cores", None, "ns", list(rows.values()))


def _shown(name: str, each: int) -> str:
    return f"{name}, {each} to {each}"
