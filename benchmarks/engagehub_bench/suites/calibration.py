"""The loops that absolute figures are scaled by."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from engagehub_bench.calibration import HASH_LOOP_NS, PUT_NS, put_ns
from engagehub_bench.peers import yardsticks
from engagehub_bench.rows import Case, Planned, Row
from engagehub_bench.timing import without_collector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engagehub_bench.plan import Plan

__all__ = ["SUMMARY", "planned"]

SUMMARY = "what this machine computes at this moment"


def planned(plan: Plan) -> Iterator[Planned]:
    """Yield the work, in the order in which it is done."""
    yield Planned("calibration", lambda: [_case(plan)])


def _case(plan: Plan) -> Case:
    with without_collector():
        put_ns()
        samples = [put_ns() for _ in range(max(plan.repeats, 1))]
    rows = [_row("SimpleQueue.put of a tuple", samples, PUT_NS)]
    if "native" in plan.peers:
        (nothing, *_) = yardsticks.measured(1_000, plan.repeats, 1_000, plan.seed)
        rows.append(_row("hash loop in C++", nothing.hash_loop, HASH_LOOP_NS))
    return Case("calibration", None, "ns", rows)


def _row(name: str, samples: list[float], published: float) -> Row:
    note = f"{published:g} where the demands were measured: this machine takes {median(samples) / published:.2f} times"
    return Row(name, samples, calibration=samples if published == PUT_NS else [], note=note)
