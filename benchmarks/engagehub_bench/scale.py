"""Limits in nanoseconds, held against what the hash loop costs in the same repeats."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engagehub_bench.calibration import HASH_LOOP_NS
from engagehub_bench.peers import sketch_loops
from engagehub_bench.rows import Row, absolute, undecided
from engagehub_bench.summary import percentile
from engagehub_bench.timing import Contestant

if TYPE_CHECKING:
    from engagehub_bench.plan import Plan
    from engagehub_bench.rows import Claim

__all__ = ["HASH_LOOP", "WITHIN", "contestants", "no_more_than", "proven", "rate_of_at_least", "scaled"]

HASH_LOOP = "hash loop"
#: How many times its published figure a yardstick may cost.
WITHIN = 1.25


def contestants(plan: Plan) -> list[Contestant]:
    """Return the hash loop, if it can be compiled."""
    if "native" not in plan.peers:
        return []
    return [Contestant(HASH_LOOP, sketch_loops.hash_loop, sketch_loops.HASH_LOOP_ITEMS)]


def scaled(row: Row, hash_loop: Row) -> list[float]:
    """Return what each repeat would cost where the hash loop costs its published figure."""
    return [cost / own * HASH_LOOP_NS for cost, own in zip(row.samples, hash_loop.samples, strict=True)]


def no_more_than(text: str, row: Row, hash_loop: Row | None, nanoseconds: float) -> Claim:
    """Return the claim that a row costs at most so many nanoseconds, scaled."""
    if hash_loop is None:
        return undecided(f"{text}: needs the peer native", nanoseconds)
    return absolute(text, row, scaled(row, hash_loop), nanoseconds)


def rate_of_at_least(millions: float, row: Row, hash_loop: Row | None) -> Claim:
    """Return the claim that a row makes so many millions a second, scaled."""
    text = f"at least {millions:g} million a second, scaled"
    if hash_loop is None or min(row.samples) <= 0:
        return undecided(f"{text}: needs the peer native", millions)
    return absolute(text, row, [1e3 / cost for cost in scaled(row, hash_loop)], millions, at_least=True)


def proven(row: Row, hash_loop: Row, published: float) -> Row:
    """Say what a yardstick costs at the speed of its published figure, and whether it reaches that."""
    cost = percentile(scaled(row, hash_loop), 0.5)
    row.note = f"{cost:.1f} scaled, published {published:g}"
    if cost > WITHIN * published:
        row.valid = False
        row.note = f"yardstick invalid: {row.note}"
    return row
