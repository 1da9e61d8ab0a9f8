"""A thousand items in one call, from Python."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from engagehub_bench.boards import empty_questions
from engagehub_bench.rows import Case, Row
from engagehub_bench.scale import HASH_LOOP, contestants, no_more_than
from engagehub_bench.sketches import call_each
from engagehub_bench.timing import Contestant, interleaved_by_processor_time
from engagehub_core import MpmcQueue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engagehub_bench.plan import Plan

__all__ = ["cases"]

_LENGTH = 1_000
_MOST_NS = 15.0


def cases(plan: Plan) -> Iterator[Case]:
    """Yield the case of lists that are put, and lists that are taken."""
    items: list[object] = [object() for _ in range(plan.queued)]
    batches = [items[start : start + _LENGTH] for start in range(0, len(items), _LENGTH)]
    lengths = [len(batch) for batch in batches]
    queue = MpmcQueue[object]()

    def clear() -> None:
        queue.get_many(len(items), timeout=0)

    def fill() -> None:
        clear()
        queue.put_many(items)

    race = [
        Contestant("put_many", partial(call_each, queue.put_many, batches), len(items),
                   partial(empty_questions, batches), clear),
        Contestant("get_many", partial(call_each, queue.get_many, lengths), len(items),
                   partial(empty_questions, lengths), fill),
        *contestants(plan),
    ]  # fmt: skip
    timed = interleaved_by_processor_time(race, plan.repeats)
    rows = {each.name: Row.of(each.name, result, correct=None) for each, result in zip(race, timed, strict=True)}
    clear()
    call_each(queue.put_many, batches)
    taken = [item for length in lengths for item in queue.get_many(length)]
    is_correct = len(taken) == len(items) and all(a is b for a, b in zip(taken, items, strict=True)) and queue.empty()
    for name in ("put_many", "get_many"):
        row = rows[name]
        row.correct = is_correct
        row.claims.append(no_more_than("at most 15 ns an item, scaled", row, rows.get(HASH_LOOP), _MOST_NS))
    yield Case("queue/put_many, get_many", _LENGTH, "ns", list(rows.values()), "items a call")
