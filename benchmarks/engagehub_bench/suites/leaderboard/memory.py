"""Bytes a member, by what the C allocator has handed out."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np

from engagehub_bench import allocator
from engagehub_bench.rows import Case, Row, absolute
from engagehub_bench.workloads import START, WEEK, Keys, members_of
from engagehub_core import Leaderboard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engagehub_bench.plan import Plan

__all__ = ["cases"]

#: The sizes at which the demands hold; between them there is another one.
_DEMANDED = (10_000, 100_000, 1_000_000)
_CHANGES_EACH = 5
_BOARDS = 1_000


def cases(plan: Plan) -> Iterator[Case]:
    """Yield the bytes of empty boards, of each size, and of the sizes between where capacities have just grown."""
    if (reason := allocator.missing()) is not None:
        yield Case("leaderboard/memory", None, "bytes", [Row("Leaderboard", note=f"not counted: {reason}")])
        return
    yield _empty()
    for size in plan.sizes:
        rows = []
        for keys, limit in (("int", 64.0), ("str", 80.0)):
            row = _full(plan, keys, size)  # type: ignore[arg-type]
            text = "" if keys == "int" else " without the text"
            if size in _DEMANDED:
                row.claims.append(absolute(f"at most {limit:g}{text}", row, row.samples, limit))
            rows.append(row)
        yield Case("leaderboard/memory a member", size, "bytes", rows)
    if (between := _between(plan)) is not None:
        yield between


def _empty() -> Case:
    before = allocator.used_bytes()
    boards = [Leaderboard(half_life=WEEK) for _ in range(_BOARDS)]
    each = (allocator.used_bytes() - before) / _BOARDS + sys.getsizeof(boards[0])
    row = Row("Leaderboard, empty", [each], note=f"mean of {_BOARDS:,}, Python's own object included")
    row.claims.append(absolute("under 1,024", row, [each], 1_023.0))
    return Case("leaderboard/memory of an empty board", None, "bytes", [row])


def _full(plan: Plan, keys: Keys, size: int) -> Row:
    """Return the row of a board with so many members, after five random changes of each."""
    members = members_of(keys, size, plan.seed)
    random = np.random.default_rng(plan.seed)
    before = allocator.used_bytes()
    board = Leaderboard(half_life=WEEK)
    board.update(members, 0.0, at=START)
    for number in range(_CHANGES_EACH):  # one by one: a large batch would leave the board freshly packed
        chosen, points = random.integers(0, size, size).tolist(), random.uniform(0, 1e6, size).tolist()
        for index, each in zip(chosen, points, strict=True):
            board.add(members[index], each, at=START + number)
    del chosen, points
    bytes_each = (allocator.used_bytes() - before) / size
    text = sum(len(member.encode()) for member in members if isinstance(member, str)) / size
    row = Row(f"Leaderboard, {keys}", [bytes_each - text], correct=len(board) == size)
    row.note = f"{bytes_each:.1f} with {text:.1f} of text" if text else ""
    return row


def _between(plan: Plan) -> Case | None:
    smallest, largest = max(plan.sizes[0], _DEMANDED[0]), min(plan.sizes[-1], _DEMANDED[-1])
    # Hash tables grow by doubling, ours at four fifths of a power of two: just behind is the most room to spare.
    sizes = {(1 << bits) * part // 20 + 1 for bits in range(4, 40) for part in (16, 20, 26)}
    rows = {size: _full(plan, "int", size) for size in sorted(sizes) if smallest < size < largest}
    if not rows:
        return None
    worst = max(rows, key=lambda size: rows[size].samples[0])
    row = rows[worst]
    row.note = f"worst of {len(rows)} sizes between {smallest:,} and {largest:,}"
    row.claims.append(absolute("at most 90", row, row.samples, 90.0))
    return Case("leaderboard/memory a member, worst size between", worst, "bytes", [row])
