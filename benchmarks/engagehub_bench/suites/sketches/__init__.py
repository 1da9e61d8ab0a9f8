"""Sketches beside those of other packages and beside bare loops in C++."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, get_args

from engagehub_bench.rows import Planned
from engagehub_bench.suites.sketches import adds, batches, merges, window
from engagehub_bench.workloads import Keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engagehub_bench.plan import Plan

__all__ = ["SUMMARY", "planned"]

SUMMARY = "adds, batches, merges, estimates and windows of sketches"


def planned(plan: Plan) -> Iterator[Planned]:
    """Yield the work, in the order in which it is done."""
    for keys in get_args(Keys):
        yield Planned(f"HyperLogLog.add, {keys}", partial(adds.distinct, plan, keys))
    yield Planned("HyperLogLog.update", partial(batches.distinct, plan))
    yield Planned("HyperLogLog, merges", partial(merges.cases, plan))
    yield Planned("CountMinSketch.add", partial(adds.counts, plan))
    yield Planned("CountMinSketch.update", partial(batches.counts, plan))
    yield Planned("TopK.add", partial(adds.trends, plan))
    yield Planned("DistinctWindow", partial(window.cases, plan))
