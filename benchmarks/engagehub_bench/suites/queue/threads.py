"""Two threads that put and two that take."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from engagehub_bench.calibration import put_ns
from engagehub_bench.peers.simple_queue import SimpleQueue
from engagehub_bench.rows import Case, Row, absent, against
from engagehub_bench.sketches import call_each
from engagehub_bench.timing import seconds_together, without_collector
from engagehub_core import MpmcQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engagehub_bench.plan import Plan

__all__ = ["cases"]

_THREADS = 2
#: Runs of a repeat, the quickest of which counts: who takes the core of one thread holds up all that wait for it.
_TRIES = 5


def cases(plan: Plan) -> Iterator[Case]:
    """Yield the case."""
    count = plan.short_calls
    work = [list(range(thread * count, (thread + 1) * count)) for thread in range(_THREADS)]
    ours, theirs = MpmcQueue[int](), SimpleQueue[int]()
    calls: dict[str, tuple[Callable[[int], object], Callable[[], int]]] = {"MpmcQueue": (ours.put, ours.get)}
    if "simple_queue" in plan.peers:
        calls["SimpleQueue"] = (theirs.put, theirs.get)
    rows = {name: Row(name, correct=True) for name in calls}
    with without_collector():
        for repeat in range(-1, plan.repeats):
            for name, (put, get) in calls.items():
                calibration = put_ns()
                row, tries = rows[name], []
                for _ in range(_TRIES):
                    taken: list[list[int]] = [[0] * count for _ in work]
                    loops = [partial(call_each, put, items) for items in work]
                    tries.append(seconds_together([*loops, *(partial(_take_each, get, items) for items in taken)]))
                    is_correct = sorted([*taken[0], *taken[1]]) == [*range(_THREADS * count)]
                    row.correct = bool(row.correct) and is_correct
                if repeat >= 0:
                    row.calibration.append(calibration)
                    row.samples.append(min(tries) * 1e9 / (_THREADS * count))
    peer = rows.setdefault("SimpleQueue", absent("SimpleQueue"))
    rows["MpmcQueue"].claims.append(against("no slower than SimpleQueue", rows["MpmcQueue"], peer, at_most=1))
    yield Case("queue/2 producers, 2 consumers", None, "ns", list(rows.values()))


def _take_each(get: Callable[[], int], items: list[int]) -> None:
    for place in range(len(items)):
        items[place] = get()
