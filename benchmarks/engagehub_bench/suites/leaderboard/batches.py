"""Columns of members and points in one call."""

from __future__ import annotations

from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from engagehub_bench.boards import empty_questions
from engagehub_bench.calibration import HASH_LOOP_NS
from engagehub_bench.peers import yardsticks
from engagehub_bench.rows import Case, Row, absolute
from engagehub_bench.timing import Contestant, interleaved
from engagehub_bench.workloads import START, WEEK, members_of
from engagehub_core import Leaderboard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engagehub_bench.plan import Plan

__all__ = ["cases"]

#: Millions of changes a second that must be reached, by the length of a batch and the size of the board.
_LEAST = {(1_000, 10_000): 6.0, (1_000, 1_000_000): 1.2, (1_000_000, 10_000): 10.0, (1_000_000, 1_000_000): 3.0}


class _Batched:
    """A board that takes batches, beside sums by NumPy. Points are whole, so that sums without decay are exact."""

    def __init__(self, name: str, half_life: float | None, size: int, seed: int) -> None:
        self.name = name
        self.half_life = half_life
        self.members = np.array(members_of("int", size, seed), dtype=np.int64)
        self.sums = np.zeros(size)
        self.board = Leaderboard(half_life=half_life)
        self.now = START
        self._random = np.random.default_rng(seed)
        self.draw(1, size, everybody=True)
        self.update_each()

    def draw(self, count: int, length: int, *, everybody: bool = False) -> None:
        """Make the next batches, and their changes to the model."""
        self.batches: list[tuple[Any, Any, float]] = []  # NumPy's types call arrays buffers from Python 3.12 on
        size = len(self.members)
        for _ in range(count):
            self.now += 1.0
            chosen = np.arange(size) if everybody else self._random.integers(0, size, length)
            points = self._random.integers(-1_000_000, 1_000_000, len(chosen)).astype(np.float64)
            np.add.at(self.sums, chosen, points * self._weight())
            self.batches.append((self.members[chosen], points, self.now))

    def _weight(self) -> float:
        return 1.0 if self.half_life is None else 2.0 ** ((self.now - START) / self.half_life)

    def update_each(self) -> None:
        """Hand over the batches, one call each."""
        update = self.board.update
        for members, points, at in self.batches:
            update(members, points, at=at)

    def is_correct(self) -> bool:
        """Return whether every member has its sum, and all are listed by falling score."""
        found = np.array([self.board.score(member, at=self.now) for member in self.members.tolist()])
        expected = self.sums / self._weight()
        if self.half_life is None and not np.array_equal(found, expected):
            return False
        listed = np.array([entry.score for entry in self.board.page(0, len(self.members), at=self.now)])
        return (
            np.allclose(found, expected, rtol=1e-9, atol=1e-3)
            and len(listed) == len(found)
            and bool(np.all(listed[:-1] >= listed[1:]))
        )


def cases(plan: Plan, size: int) -> Iterator[Case]:
    """Yield a case of short batches and one of a single long batch."""
    yield _case(plan, size, 20 if plan.quick else 100, 1_000)
    yield _case(plan, size, 1, plan.long_batch)


def _case(plan: Plan, size: int, count: int, length: int) -> Case:
    boards = [
        _Batched("Leaderboard", None, size, plan.seed),
        _Batched("Leaderboard, half-life 7 days", WEEK, size, plan.seed),
    ]
    contestants = [
        Contestant(
            each.name,
            each.update_each,
            count * length,
            partial(_empty, each),
            partial(each.draw, count, length),
        )
        for each in boards
    ]
    hash_loops = _hash_loops(plan)
    timings = interleaved(contestants, plan.repeats)
    hash_loops += _hash_loops(plan)
    slowness = median(hash_loops) / HASH_LOOP_NS if hash_loops else None
    rows = []
    for each, timed in zip(boards, timings, strict=True):
        row = Row.of(each.name, timed, correct=each.is_correct())
        row.note = f"{1e3 / median(row.samples):.2f} million a second here"
        if (least := _LEAST.get((length, size))) is not None and slowness is not None:
            rates = [1e3 / sample * slowness for sample in row.samples]
            claim = absolute(f"at least {least:g} million a second, scaled", row, rates, least, at_least=True)
            row.claims.append(claim)
        elif least is not None:
            row.note += f"; at least {least:g} scaled must be reached, which only the peer native can tell"
        rows.append(row)
    what = f"batches of {length:,}" if count > 1 else f"one batch of {length:,}"
    return Case(f"leaderboard/update, {what}", size, "ns", rows)


def _empty(each: _Batched) -> None:
    empty_questions(each.batches)


def _hash_loops(plan: Plan) -> list[float]:
    """Return what the hash loop costs now, if it can be compiled.

    A batch is native work, which that loop resembles more than calls from Python do.
    """
    return yardsticks.measured(1_000, 3, 1_000, plan.seed)[0].hash_loop if "native" in plan.peers else []
