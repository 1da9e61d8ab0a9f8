"""The queue beside Python's, and in C++ beside bare rings."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from engagehub_bench.rows import Planned
from engagehub_bench.suites.queue import batches, calls, native, threads, waiting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engagehub_bench.plan import Plan

__all__ = ["SUMMARY", "planned"]

SUMMARY = "calls, batches, threads and waits of the queue, and its ring in C++"


def planned(plan: Plan) -> Iterator[Planned]:
    """Yield the work, in the order in which it is done."""
    yield Planned("put and get", partial(calls.cases, plan))
    yield Planned("put_many and get_many", partial(batches.cases, plan))
    yield Planned("2 producers, 2 consumers", partial(threads.cases, plan))
    yield Planned("waits", partial(waiting.cases, plan))
    yield Planned("C++", partial(native.cases, plan))
