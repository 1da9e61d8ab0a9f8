"""How far estimates are off, on seeded streams that all contenders see."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from engagehub_bench.rows import Planned
from engagehub_bench.suites.accuracy import distinct, frequent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engagehub_bench.plan import Plan

__all__ = ["SUMMARY", "planned"]

SUMMARY = "errors of sketches beside theory, on the same streams"


def planned(plan: Plan) -> Iterator[Planned]:
    """Yield the work, in the order in which it is done."""
    yield Planned("errors of HyperLogLog", partial(distinct.cases, plan))
    sizes = [size for size in plan.sizes if size <= frequent.MOST_NAMES]
    for exponent in frequent.EXPONENTS:
        for size in sizes:
            yield Planned(f"Count-Min, {size:,} names", partial(frequent.counts, plan, exponent, size))
    for order in frequent.ORDERS:
        for size in sizes:
            yield Planned(f"heavy hitters, {size:,} names", partial(frequent.trends, plan, order, size))
