"""One call an item on one thread, from Python."""

from __future__ import annotations

import operator
from functools import partial
from typing import TYPE_CHECKING

from engagehub_bench.boards import empty_questions
from engagehub_bench.peers.simple_queue import SimpleQueue
from engagehub_bench.rows import Case, Row, absent, against
from engagehub_bench.sketches import call_all, call_each
from engagehub_bench.timing import Contestant, interleaved_by_processor_time
from engagehub_core import MpmcQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from engagehub_bench.plan import Plan

__all__ = ["cases"]

OURS, THEIRS = "MpmcQueue", "SimpleQueue"


def cases(plan: Plan) -> Iterator[Case]:
    """Yield the case of puts and the case of gets, into and out of the same queues."""
    # As many as the usual capacity has room for: they lie where they lie in a program.
    items: list[object] = [object() for _ in range(plan.queued)]
    ours, theirs = MpmcQueue[object](), SimpleQueue[object]()
    puts: dict[str, Callable[[object], object]] = {OURS: ours.put_nowait, THEIRS: theirs.put}
    gets: dict[str, Callable[[], object]] = {OURS: ours.get_nowait, THEIRS: theirs.get}
    names = [OURS, *([THEIRS] if "simple_queue" in plan.peers else [])]

    def drained(name: str) -> bool:
        """Return whether the queue holds the very items, oldest first, and nothing else."""
        queue = ours if name == OURS else theirs
        taken = []
        while not queue.empty():
            taken.append(gets[name]())
        return len(taken) == len(items) and all(map(operator.is_, taken, items))

    def putting(name: str) -> Contestant:
        def prepare() -> None:
            queue = ours if name == OURS else theirs
            while not queue.empty():
                gets[name]()

        run = partial(call_each, puts[name], items)
        return Contestant(name, run, len(items), partial(empty_questions, items), prepare)

    yield _case(plan, "put_nowait", [putting(name) for name in names], drained)

    def getting(name: str) -> Contestant:
        run = partial(call_all, [gets[name]] * len(items))
        empty = partial(empty_questions, [gets[name]] * len(items))
        return Contestant(name, run, len(items), empty, partial(call_each, puts[name], items))

    def in_order(name: str) -> bool:
        call_each(puts[name], items)
        return drained(name)

    yield _case(plan, "get_nowait", [getting(name) for name in names], in_order)


def _case(plan: Plan, what: str, race: Sequence[Contestant], is_correct: Callable[[str], bool]) -> Case:
    timed = interleaved_by_processor_time(race, plan.repeats)
    rows = {
        each.name: Row.of(each.name, result, correct=is_correct(each.name))
        for each, result in zip(race, timed, strict=True)
    }
    peer = rows.setdefault(THEIRS, absent(THEIRS))
    rows[OURS].claims.append(against(f"no slower than {THEIRS}", rows[OURS], peer, at_most=1))
    return Case(f"queue/{what}", None, "ns", list(rows.values()))
