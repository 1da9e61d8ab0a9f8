"""The structures in C++ beside yardsticks that must prove themselves first."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Literal

from engagehub_bench.calibration import HASH_LOOP_NS
from engagehub_bench.peers import yardsticks
from engagehub_bench.rows import Case, Row, against

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engagehub_bench.peers.yardsticks import Measured
    from engagehub_bench.plan import Plan

__all__ = ["PUBLISHED", "WITHIN", "cases", "judged", "scaled"]

Operation = Literal["update", "rank"]

COUNTED, CLASSIC, BTREE = "counted blocks", "classic skip list", "absl::btree_set"
OURS = "SkipList"
BOARDS = ("Leaderboard::add, no decay", "Leaderboard::add, 7 days")

#: Nanoseconds an operation where the hash loop costs HASH_LOOP_NS, by the number of slots: medians, 23 November 2026.
PUBLISHED: dict[tuple[str, Operation], dict[int, float]] = {
    (COUNTED, "update"): {10_000: 198, 100_000: 300, 1_000_000: 896},
    (COUNTED, "rank"): {10_000: 84, 100_000: 153, 1_000_000: 452},
    (CLASSIC, "update"): {10_000: 569, 100_000: 2_303, 1_000_000: 6_888},
    (CLASSIC, "rank"): {10_000: 244, 100_000: 932, 1_000_000: 3_335},
    (BTREE, "update"): {10_000: 491, 100_000: 898, 1_000_000: 1_819},
}
#: How many times its published figure a yardstick of our own may cost.
WITHIN = 1.25
_WRITTEN_HERE = (COUNTED, CLASSIC)


def cases(plan: Plan, size: int) -> Iterator[Case]:
    """Yield a case for changes and one for ranks."""
    measured = yardsticks.measured(size, plan.repeats, 20_000 if plan.quick else 200_000, plan.seed)
    yield judged("update", size, measured)
    yield judged("rank", size, measured)


def scaled(samples: Sequence[float], hash_loop: Sequence[float]) -> float:
    """Return the median cost as it would be where the hash loop costs its published figure."""
    return median(sample / own * HASH_LOOP_NS for sample, own in zip(samples, hash_loop, strict=True))


def judged(operation: Operation, size: int, measured: Sequence[Measured]) -> Case:
    """Return the rows of one operation: the empty loop subtracted, the yardsticks judged, ours held against them.

    Parameters
    ----------
    operation : {"update", "rank"}
        Which.
    size : int
        How many slots.
    measured : sequence of Measured
        What the driver gave, the empty loop first.

    Returns
    -------
    Case
        Ours first.
    """
    nothing, *contenders = measured
    rows = {}
    for each in contenders:
        raw: list[float] = getattr(each, operation)
        if raw:
            overhead: list[float] = getattr(nothing, operation)
            samples = [max(cost - own, 0.0) for cost, own in zip(raw, overhead, strict=True)]
            rows[each.name] = _proven(Row(each.name, samples, overhead, [], each.correct), operation, size, each)
    ours = [row for name, row in rows.items() if name == OURS or name in BOARDS]
    if operation == "update":
        for row in ours:
            _hold(row, rows, size)
    return Case(f"leaderboard/C++ {operation}", size, "ns", [*ours, *(row for row in rows.values() if row not in ours)])


def _proven(row: Row, operation: Operation, size: int, each: Measured) -> Row:
    """Say what the row costs at the speed of the published figures, and whether a yardstick reaches its own."""
    cost = scaled(row.samples, each.hash_loop)
    row.note = f"{cost:,.0f} scaled"
    published = PUBLISHED.get((row.name, operation), {}).get(size)
    if published is not None:
        row.note += f", published {published:,.0f}"
    if row.name in _WRITTEN_HERE:
        if published is None:
            row.note += ", nothing published at this size"
        elif cost > WITHIN * published:
            row.valid = False
            row.note = f"yardstick invalid: {row.note}"
    return row


def _hold(row: Row, rows: dict[str, Row], size: int) -> None:
    if row.name in BOARDS:
        row.claims.append(against(f"at most 2 × {COUNTED}", row, rows[COUNTED], at_most=2))
        return
    row.claims.append(against(f"at most 1.3 × {COUNTED}", row, rows[COUNTED], at_most=1.3))
    if size >= 1_000_000:
        row.claims.append(against(f"4 × faster than a {CLASSIC}", row, rows[CLASSIC], at_most=1 / 4))
    btree = rows.get(BTREE, Row(BTREE, note="Abseil's headers aren't installed"))  # without samples nothing is decided
    row.claims.append(against(f"no slower than {BTREE}", row, btree, at_most=1))
