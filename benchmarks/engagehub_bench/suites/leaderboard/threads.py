"""How changes and questions scale over threads: boards of their own, and one board for all."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from engagehub_bench.calibration import put_ns
from engagehub_bench.rows import Case, Row
from engagehub_bench.timing import seconds_together, without_collector
from engagehub_bench.workloads import START, WEEK, members_of
from engagehub_core import Leaderboard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engagehub_bench.plan import Plan

__all__ = ["cases"]

_MOST_THREADS = 4
_BATCH = 1_000


def cases(plan: Plan) -> Iterator[Case]:
    """Yield a case for changes of own boards, for changes of a shared one, and for the first ten of a shared one."""
    size = plan.sizes[-1] if plan.quick else min(plan.sizes[-1], 100_000)
    members = np.array(members_of("int", size, plan.seed), dtype=np.int64)
    batches = 10 if plan.quick else 50
    yield _changes(plan, members, batches, shared=False)
    yield _changes(plan, members, batches, shared=True)
    yield _tops(plan, members, batches * 100)


def _changes(plan: Plan, members: Any, batches: int, *, shared: bool) -> Case:
    random = np.random.default_rng(plan.seed)
    # NumPy's types call arrays buffers from Python 3.12 on.
    work: list[list[tuple[Any, Any]]] = [
        [(members[random.integers(0, len(members), _BATCH)], np.ones(_BATCH)) for _ in range(batches)]
        for _ in range(_MOST_THREADS)
    ]
    boards: list[Leaderboard] = []

    def prepare(threads: int) -> None:
        boards[:] = [_board(members, None) for _ in range(1 if shared else threads)]

    def loop(thread: int) -> None:
        update = boards[0 if shared else thread].update
        for chosen, points in work[thread]:
            update(chosen, points, at=START)

    def is_correct(threads: int) -> bool:
        """Return whether no point was lost: all are whole, so that their sum is exact."""
        total = sum(entry.score for board in boards for entry in board.page(0, len(members), at=START))
        return total == threads * batches * _BATCH

    name = f"leaderboard/threads, batches into {'one board' if shared else 'own boards'}"
    return _scaling(plan, name, len(members), batches * _BATCH, prepare=prepare, loop=loop, is_correct=is_correct)


def _tops(plan: Plan, members: Any, count: int) -> Case:
    board = _board(members, WEEK)
    expected = board.top(10, at=START)
    seen: dict[int, object] = {}

    def loop(thread: int) -> None:
        top = board.top
        for _ in range(count):
            seen[thread] = top(10, at=START)

    def is_correct(threads: int) -> bool:
        return all(seen[thread] == expected for thread in range(threads))

    name = "leaderboard/threads, top(10) of one board"
    return _scaling(plan, name, len(members), count, prepare=lambda _: seen.clear(), loop=loop, is_correct=is_correct)


def _board(members: Any, half_life: float | None) -> Leaderboard:
    board = Leaderboard(half_life=half_life)
    points: Any = np.zeros(len(members))
    board.update(members, points, at=START)
    return board


def _scaling(
    plan: Plan,
    name: str,
    size: int,
    count: int,
    *,
    prepare: Callable[[int], None],
    loop: Callable[[int], None],
    is_correct: Callable[[int], bool],
) -> Case:
    gil = "with the GIL" if getattr(sys, "_is_gil_enabled", lambda: True)() else "without the GIL"
    note = f"{os.cpu_count()} cores, {gil}"
    rows = [Row(f"{threads} thread{'s' if threads > 1 else ''}", correct=True, note=note)
            for threads in range(1, _MOST_THREADS + 1)]  # fmt: skip
    with without_collector():
        for repeat in range(-1, plan.repeats):
            for threads, row in enumerate(rows, 1):
                prepare(threads)
                calibration = put_ns()
                seconds = seconds_together([partial(loop, thread) for thread in range(threads)])
                row.correct = bool(row.correct) and is_correct(threads)
                if repeat >= 0:
                    row.calibration.append(calibration)
                    row.samples.append(threads * count / seconds)
    return Case(name, size, "per second", rows)
