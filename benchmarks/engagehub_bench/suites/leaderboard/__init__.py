"""Boards beside dictionaries, sorted lists and yardsticks in C++."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, get_args

from engagehub_bench.rows import Planned
from engagehub_bench.suites.leaderboard import batches, memory, native, single_calls, threads, tops
from engagehub_bench.workloads import Keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engagehub_bench.plan import Plan

__all__ = ["SUMMARY", "planned"]

SUMMARY = "changes, ranks, pages, batches, memory and threads of boards"


def planned(plan: Plan) -> Iterator[Planned]:
    """Yield the work, in the order in which it is done."""
    for size in plan.sizes:
        if "native" in plan.peers:
            yield Planned(f"C++, {size:,} slots", partial(native.cases, plan, size))
        for keys in get_args(Keys):
            yield Planned(f"calls, {size:,} {keys}", partial(single_calls.cases, plan, keys, size))
        yield Planned(f"batches, {size:,}", partial(batches.cases, plan, size))
    yield Planned("top(10) at every size", partial(tops.cases, plan))
    yield Planned("memory", partial(memory.cases, plan))
    yield Planned("threads", partial(threads.cases, plan))
